//! Between the ordering crate's message and its counterpart on the wire. The only place that knows both.

use std::sync::Arc;

use bytes::Bytes;
use order::{Entry, Message, MessageKind};
use wire::{
    batch::Domain,
    peer::{RaftEntry, RaftMessage},
};

use crate::prepare::{OldIdSource, PrepareError, PreparedBlock};

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
            let block = match PreparedBlock::check(entry.data.clone(), domain, old) {
                Ok(block) => block,
                Err(PrepareError::OldIds(error)) => return Err(CheckError::OldIds(error)),
                Err(error) => {
                    return Err(bad(format!("forged block at index {}: {error}", entry.index)));
                }
            };
            blocks.push((entry.index, Arc::new(block)));
        }
    }
    Ok((message, blocks))
}
