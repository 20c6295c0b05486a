//! Stops a peer's message before raft-rs sees it, where it is cheap to tell that it cannot be right.
//!
//! raft-rs trusts its peers and panics on some messages that an honest one never sends. What is
//! recognised here is dropped and counted instead. This is no defence against a voter that lies
//! within the rules; it keeps one broken or hostile peer from stopping this process.

use raft::StateRole;

use crate::{
    CONTEXT_BYTES_MAX, Config, Entry, Message, MessageKind, StepError,
    change::Members,
    log::Log,
    reads::{READS_MAX, split_tag},
};

/// No log gets this long; keeps index arithmetic from overflowing.
const INDEX_MAX: u64 = 1 << 62;
/// The most a term may grow by one message. Elections take longer than that in any lifetime, and
/// nobody can drive the terms to their end.
const TERM_STEP_MAX: u64 = 1 << 32;

/// What to do with a message that is not refused.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// raft-rs shall see it.
    Take,
    /// Right in form, but of no use now.
    Ignore,
}

/// Judges `message`. `vote_asked_term` is the last term for which vote requests have left this node.
pub(crate) fn check(
    config: &Config,
    members: &Members,
    raft: &raft::Raft<Log>,
    vote_asked_term: u64,
    message: &Message,
) -> Result<Verdict, StepError> {
    check_form(config, members, raft.term, message)?;
    let is_member = raft.prs().get(message.from).is_some();
    if !is_member && speaks_as_member(message.kind) {
        // It has left, or this node does not know yet that it has come.
        return Ok(Verdict::Ignore);
    }
    if message.kind == MessageKind::ReadIndex {
        // Only the leader answers; raft-rs would pass it on in the name of the asking node.
        if raft.state != StateRole::Leader {
            return Ok(Verdict::Ignore);
        }
        let full = raft.pending_read_count() >= READS_MAX * members.known.len();
        return if full { Err(StepError::Busy) } else { Ok(Verdict::Take) };
    }
    if message.kind == MessageKind::LogLost {
        let is_for_me = message.term == raft.term && raft.state == StateRole::Leader;
        return Ok(if is_for_me { Verdict::Take } else { Verdict::Ignore });
    }
    if message.term < raft.term {
        // raft-rs ignores it, or tells the sender the new term; neither looks at the rest.
        return Ok(Verdict::Take);
    }
    check_against_state(raft, vote_asked_term, message)
}

/// What counts only from those that the log goes to.
fn speaks_as_member(kind: MessageKind) -> bool {
    matches!(
        kind,
        MessageKind::AppendResponse
            | MessageKind::HeartbeatResponse
            | MessageKind::RequestVoteResponse
            | MessageKind::RequestPreVoteResponse
            | MessageKind::LogLost
    )
}

/// What can be said without looking at the log.
fn check_form(
    config: &Config,
    members: &Members,
    own_term: u64,
    message: &Message,
) -> Result<(), StepError> {
    let Message { kind, from, to, term, .. } = *message;
    if to != config.id {
        return Err(StepError::NotForUs { to });
    }
    if from == config.id || !members.known.contains(&from) {
        return Err(StepError::NotAPeer { from });
    }
    // Term 0 is how raft-rs marks its own local messages.
    let is_read = kind == MessageKind::ReadIndex;
    if (term == 0) != is_read || term > own_term.saturating_add(TERM_STEP_MAX) {
        return Err(StepError::TermImplausible { term, own_term });
    }
    for index in [message.index, message.commit, message.reject_hint] {
        if index > INDEX_MAX {
            return Err(StepError::IndexImplausible { index });
        }
    }
    let uses_reserved = message.request_snapshot != 0 || message.priority != 0;
    if message.context.len() > CONTEXT_BYTES_MAX || uses_reserved {
        return Err(StepError::Malformed { kind });
    }
    match kind {
        MessageKind::Append => check_entries(config, message),
        MessageKind::ReadIndex | MessageKind::ReadIndexResp => {
            let asked_by = if is_read { from } else { to };
            match message.entries.as_slice() {
                [only] if split_tag(&only.data).is_some_and(|(id, _)| id == asked_by) => Ok(()),
                _ => Err(StepError::Malformed { kind }),
            }
        }
        MessageKind::Snapshot => {
            let terms_fit = message.log_term > 0 && message.log_term <= term;
            // What is gone is part of the snapshot, and something is gone.
            let first_index_fits = (2..=message.index + 1).contains(&message.reject_hint);
            let is_bare = message.entries.is_empty() && message.context.is_empty();
            let fits = terms_fit && first_index_fits && is_bare && !message.reject;
            if fits { Ok(()) } else { Err(StepError::Malformed { kind }) }
        }
        _ if message.entries.is_empty() => Ok(()),
        _ => Err(StepError::Malformed { kind }),
    }
}

/// The entries of an append follow each other and `message.index`, and are not too large.
fn check_entries(config: &Config, message: &Message) -> Result<(), StepError> {
    // raft-rs takes term 0 for "matches" at any index beyond its log.
    if (message.index == 0) != (message.log_term == 0) || message.log_term > message.term {
        return Err(StepError::Malformed { kind: message.kind });
    }
    let mut bytes = 0usize;
    let mut last_term = message.log_term;
    for (index, entry) in (message.index + 1..).zip(&message.entries) {
        let Entry { term, ref data, .. } = *entry;
        if entry.index != index || term == 0 || term < last_term || term > message.term {
            return Err(StepError::EntriesNotContiguous { index });
        }
        if data.len() > config.entry_bytes_max {
            return Err(StepError::EntryTooLarge { index, bytes: data.len() });
        }
        last_term = term;
        bytes += data.len();
    }
    let limit = config.message_bytes_max.max(config.entry_bytes_max as u64);
    if bytes as u64 > limit {
        return Err(StepError::EntryTooLarge { index: message.index + 1, bytes });
    }
    Ok(())
}

/// What this node's log and role say about a message of its own term or a later one.
fn check_against_state(
    raft: &raft::Raft<Log>,
    vote_asked_term: u64,
    message: &Message,
) -> Result<Verdict, StepError> {
    let Message { kind, from, term, index, .. } = *message;
    let last_index = raft.raft_log.last_index();
    let of_own_term = term == raft.term;
    match kind {
        MessageKind::Append | MessageKind::Heartbeat | MessageKind::Snapshot => {
            let known = raft.leader_id;
            if of_own_term && known != 0 && known != from {
                return Err(StepError::SecondLeader { term, known, from });
            }
            if kind != MessageKind::Heartbeat {
                // An offered snapshot ends in a committed entry.
                check_against_committed(raft, message)?;
            } else if message.commit > last_index {
                return Err(StepError::CommitBeyondLog { commit: message.commit, last_index });
            }
        }
        MessageKind::AppendResponse if of_own_term && raft.state == StateRole::Leader => {
            let acked = index.max(message.reject_hint);
            if acked > last_index {
                return Err(StepError::AckBeyondLog { index: acked, last_index });
            }
        }
        MessageKind::RequestVoteResponse
            if of_own_term && raft.state == StateRole::Candidate && vote_asked_term != term =>
        {
            // Our own vote is not even durable yet; a leader made by this would break raft-rs.
            return Err(StepError::UnsolicitedVote { from });
        }
        // Only the leader that this node follows may hand over to it.
        MessageKind::TimeoutNow if !of_own_term || raft.leader_id != from => {
            return Ok(Verdict::Ignore);
        }
        _ => {}
    }
    Ok(Verdict::Take)
}

/// A leader has every committed entry, so what it sends must agree with what is committed here.
fn check_against_committed(raft: &raft::Raft<Log>, message: &Message) -> Result<(), StepError> {
    let committed = raft.raft_log.committed;
    let conflict = |index| Err(StepError::ConflictsWithCommitted { index });
    let differs = |index: u64, term: u64| {
        index <= committed
            && index + 1 >= raft.raft_log.first_index()
            && raft.raft_log.term(index).is_ok_and(|own| own != term)
    };
    if differs(message.index, message.log_term) {
        return conflict(message.index);
    }
    // Also keeps raft-rs from searching the whole log backwards for a term this small.
    if message.index > committed
        && raft.raft_log.term(committed).is_ok_and(|own| message.log_term < own)
    {
        return conflict(committed);
    }
    match message.entries.iter().find(|entry| differs(entry.index, entry.term)) {
        Some(entry) => conflict(entry.index),
        None => Ok(()),
    }
}
