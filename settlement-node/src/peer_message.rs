//! Between the ordering crate's message and its counterpart on the wire. The only place that knows both.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use order::{Entry, Message, MessageKind};
use wire::{
    batch::Domain,
    peer::{RaftEntry, RaftMessage},
};

use crate::{
    limits::{CHECKED_BLOCKS_MAX, CHECKED_BYTES_MAX},
    prepare::{Admitted, OldIdSource, PrepareError, PreparedBlock},
};

/// The wire's form of a message.
pub fn to_wire(message: Message) -> RaftMessage {
    RaftMessage {
        kind: message.kind as u8,
        from: message.from,
        to: message.to,
        term: message.term,
        log_term: message.log_term,
        index: message.index,
        commit: message.commit,
        commit_term: message.commit_term,
        reject: message.reject,
        reject_hint: message.reject_hint,
        request_snapshot: message.request_snapshot,
        priority: message.priority,
        context: message.context,
        entries: message
            .entries
            .into_iter()
            .map(|entry| RaftEntry { index: entry.index, term: entry.term, data: entry.data })
            .collect(),
    }
}

/// The ordering crate's form; `None` for a kind that it does not know.
pub fn from_wire(message: RaftMessage) -> Option<Message> {
    Some(Message {
        kind: MessageKind::from_u8(message.kind)?,
        from: message.from,
        to: message.to,
        term: message.term,
        log_term: message.log_term,
        index: message.index,
        commit: message.commit,
        commit_term: message.commit_term,
        reject: message.reject,
        reject_hint: message.reject_hint,
        request_snapshot: message.request_snapshot,
        priority: message.priority,
        context: message.context,
        entries: message
            .entries
            .into_iter()
            .map(|entry| Entry { index: entry.index, term: entry.term, data: entry.data })
            .collect(),
    })
}

/// A message with its checked blocks by index.
pub type CheckedMessage = (Message, Vec<(u64, Arc<PreparedBlock>)>);

/// Blocks that were checked lately, so that entries which a leader sends again are not checked again:
/// otherwise a follower that is behind would fall behind further by the repetitions.
#[derive(Default)]
pub struct RecentBlocks {
    blocks: BTreeMap<u64, Arc<PreparedBlock>>,
    bytes: usize,
    admitted: Arc<Admitted>,
}

impl RecentBlocks {
    /// No block yet; what this node admitted itself is not checked again.
    pub fn new(admitted: Arc<Admitted>) -> Self {
        Self { admitted, ..Self::default() }
    }

    fn find(&self, index: u64, data: &Bytes) -> Option<Arc<PreparedBlock>> {
        self.blocks.get(&index).filter(|block| block.bytes == *data).map(Arc::clone)
    }

    fn keep(&mut self, index: u64, block: &Arc<PreparedBlock>) {
        self.bytes += block.bytes.len();
        if let Some(replaced) = self.blocks.insert(index, Arc::clone(block)) {
            self.bytes -= replaced.bytes.len();
        }
        while self.bytes > CHECKED_BYTES_MAX || self.blocks.len() > CHECKED_BLOCKS_MAX {
            let Some((_, oldest)) = self.blocks.pop_first() else { return };
            self.bytes -= oldest.bytes.len();
        }
    }
}

/// Why a peer's message did not become an event.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// No honest node sends it.
    #[error("{0}")]
    Misbehaved(String),
    /// This node cannot read its own disk: it must stop, the peer is not to blame.
    #[error("look up old ids: {0}")]
    OldIds(std::io::Error),
}

/// Reads a peer's message and checks every signature in it.
pub fn check(
    peer: u64,
    payload: Bytes,
    domain: &Domain,
    old: &dyn OldIdSource,
    recent: &mut RecentBlocks,
) -> Result<CheckedMessage, CheckError> {
    let bad = |what: String| CheckError::Misbehaved(what);
    let raft = RaftMessage::decode(payload).map_err(|error| bad(format!("no message: {error}")))?;
    let message = from_wire(raft).ok_or_else(|| bad("unknown kind of message".to_owned()))?;
    if message.from != peer {
        return Err(bad(format!("says it comes from node {}", message.from)));
    }
    let mut blocks = Vec::new();
    if message.kind == MessageKind::Append {
        for entry in message.entries.iter().filter(|entry| !entry.data.is_empty()) {
            if let Some(block) = recent.find(entry.index, &entry.data) {
                blocks.push((entry.index, block));
                continue;
            }
            let checked = PreparedBlock::check(entry.data.clone(), domain, old, &recent.admitted);
            let block = match checked {
                Ok(block) => Arc::new(block),
                Err(PrepareError::OldIds(error)) => return Err(CheckError::OldIds(error)),
                Err(error) => {
                    return Err(bad(format!("forged block at index {}: {error}", entry.index)));
                }
            };
            recent.keep(entry.index, &block);
            blocks.push((entry.index, block));
        }
    }
    Ok((message, blocks))
}
