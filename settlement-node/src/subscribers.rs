//! The sessions of gateways and tools, and how far each was told of its bank's credits.
//!
//! A subscriber is either *searching* (a reader goes through the history for it) or *live* (it is
//! told as blocks are applied). It becomes live when the search has reached the blocks that are
//! still in memory. When its queue is full it goes back to searching: nobody waits for it. A search
//! never goes beyond the applied blocks: only for those is it known who owns which account.
//!
//! A block in which a transfer of the bank went on that had waited is always told from the history, where the
//! transfer and its document are: memory keeps neither as long as a transfer may wait.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use ledger::ParticipantNumber;
use link::SessionId;
use wire::{
    client::{Cursor, Deliveries, Delivery},
    limits::DELIVERIES_PER_FRAME_MAX,
};

use crate::{
    chain::AppliedBlock,
    deliver::{self, Ends, Owners, Parties},
    event::{DeliveryFrame, Effects, Scan, Scanned},
    limits::{
        DELIVERIES_BURST_BYTES_MAX, DELIVERIES_BYTES_MAX, DELIVERIES_SHARE_BYTES_MAX,
        DIRECTORY_PARTS_MAX, PATIENCE_TICKS_MAX, RECENT_BLOCKS_MAX, RECENT_BYTES_MAX,
        SEARCHED_TICKS,
    },
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    /// Has not asked.
    Silent,
    /// Something is missing and nothing is being read for it: goes on at a later tick.
    Waiting,
    /// The history is being searched.
    Searching,
    /// Told as blocks are applied.
    Live,
}

#[derive(Debug)]
struct Session {
    participant: ParticipantNumber,
    mode: Mode,
    stream: u32,
    /// Whether a search is under way, for this stream or an older one. There is never a second.
    reading: bool,
    /// Everything up to here was put into the session's queue.
    told: Cursor,
    /// Memory was gone through up to here without anything for it beyond `told`.
    walked: Cursor,
    told_tick: u64,
    /// Ticks to wait after the queue was full; doubles while it stays full.
    patience: u64,
    /// Does not go on before this tick.
    not_before: u64,
}

/// Where the node stands when it looks after its subscribers.
pub struct Place<'a> {
    /// The present tick.
    pub tick: u64,
    /// The last applied block.
    pub height: u64,
    /// Owner of each account after that block.
    pub owners: &'a Owners,
}

/// All sessions, and the blocks that are still in memory.
#[derive(Default)]
pub struct Subscribers {
    sessions: BTreeMap<SessionId, Session>,
    /// The session that was served last from memory: the next tick begins behind it.
    served: SessionId,
    /// Who was sent a part of the directory at this tick.
    directory: (u64, BTreeSet<ParticipantNumber>),
    recent: VecDeque<Arc<AppliedBlock>>,
    recent_bytes: usize,
}

impl Subscribers {
    /// A session was opened.
    pub fn open(&mut self, session: SessionId, participant: ParticipantNumber) {
        let fresh = Session {
            participant,
            mode: Mode::Silent,
            stream: 0,
            reading: false,
            told: Cursor::default(),
            walked: Cursor::default(),
            told_tick: 0,
            patience: 0,
            not_before: 0,
        };
        self.sessions.insert(session, fresh);
    }

    /// A session was closed.
    pub fn close(&mut self, session: SessionId) {
        self.sessions.remove(&session);
    }

    /// The bank of a session.
    pub fn participant(&self, session: SessionId) -> Option<ParticipantNumber> {
        self.sessions.get(&session).map(|known| known.participant)
    }

    /// Number of open sessions.
    pub fn len(&self) -> usize {
        self.sessions.len()
    }

    /// Whether no session is open.
    pub fn is_empty(&self) -> bool {
        self.sessions.is_empty()
    }

    /// Whether a bank may be sent a part of the directory now: one a tick for each, and a few for all, so
    /// that the loop has time for other things.
    pub fn may_ask_directory(&mut self, bank: ParticipantNumber, tick: u64) -> bool {
        let (last, banks) = &mut self.directory;
        if *last != tick {
            (*last, *banks) = (tick, BTreeSet::new());
        }
        banks.len() < DIRECTORY_PARTS_MAX && banks.insert(bank)
    }

    /// A session wants what comes after a place. It is served at the next tick, so that many wishes
    /// cost no more than the last of them.
    pub fn subscribe(&mut self, session: SessionId, after: Cursor) {
        let Some(known) = self.sessions.get_mut(&session) else { return };
        known.stream += 1;
        (known.told, known.walked) = (after, after);
        known.mode = Mode::Waiting;
    }

    /// The history was searched up to a place. `blocked` says that the session's queue was full.
    pub fn scanned(&mut self, found: &Scanned, at: &Place<'_>, effects: &mut Effects) {
        let Some(known) = self.sessions.get_mut(&found.session) else { return };
        known.reading = false;
        if known.stream != found.stream || known.mode != Mode::Searching {
            return;
        }
        let moved = found.reached > known.told;
        known.told = known.told.max(found.reached);
        if found.blocked {
            known.be_patient(at.tick);
        } else if moved {
            known.patience = 0;
            if self.is_in_memory(found.session, at) {
                // The blocks are gone through at a tick, where all sessions share the effort.
                self.wait(found.session);
            } else {
                self.search(found.session, at, effects);
            }
        } else {
            // Nothing new on disk yet, although memory no longer has it.
            known.mode = Mode::Waiting;
        }
    }

    /// A session's queue was full.
    pub fn delivery_failed(
        &mut self,
        session: SessionId,
        stream: u32,
        after: Cursor,
        at: &Place<'_>,
    ) {
        let Some(known) = self.sessions.get_mut(&session) else { return };
        if known.stream == stream {
            known.stream += 1;
            (known.told, known.walked) = (after, after);
            known.be_patient(at.tick);
        }
    }

    /// Another tick: waiting sessions go on, quiet ones hear how far was searched.
    pub fn on_tick(&mut self, at: &Place<'_>, effects: &mut Effects) {
        let mut ready: Vec<(SessionId, ParticipantNumber)> = Vec::new();
        for (session, known) in &mut self.sessions {
            match known.mode {
                Mode::Waiting if !known.reading && known.not_before <= at.tick => {
                    ready.push((*session, known.participant));
                }
                Mode::Live if known.told_tick + SEARCHED_TICKS <= at.tick => {
                    known.told_tick = at.tick;
                    if known.told.height < at.height {
                        let after = known.told;
                        known.told = Cursor { height: at.height, commands: u32::MAX };
                        let message = Deliveries { items: Vec::new(), searched: known.told };
                        effects.deliveries.push(DeliveryFrame {
                            session: *session,
                            stream: known.stream,
                            after,
                            payload: message.encode(),
                        });
                    }
                }
                _ => {}
            }
        }
        let mut left = DELIVERIES_BURST_BYTES_MAX;
        for session in self.in_turn(ready) {
            if !self.is_in_memory(session, at) {
                self.search(session, at, effects);
            } else if left > 0 {
                self.served = session;
                let share = left.min(DELIVERIES_SHARE_BYTES_MAX);
                let mut unused = share;
                self.go_on(session, at, &mut unused, effects);
                left -= share - unused;
            }
        }
    }

    /// Sessions in the order of their turns: one of each bank, then another of each, beginning behind the
    /// one that was served last.
    fn in_turn(&self, mut ready: Vec<(SessionId, ParticipantNumber)>) -> Vec<SessionId> {
        let first = ready.partition_point(|(session, _)| *session <= self.served);
        ready.rotate_left(first);
        let mut of_bank: BTreeMap<ParticipantNumber, u32> = BTreeMap::new();
        let mut rounds: Vec<(u32, SessionId)> = Vec::with_capacity(ready.len());
        for (session, bank) in ready {
            let round = of_bank.entry(bank).or_default();
            rounds.push((*round, session));
            *round += 1;
        }
        rounds.sort_by_key(|(round, _)| *round);
        rounds.into_iter().map(|(_, session)| session).collect()
    }

    /// A block was applied: live subscribers are told, and the block is kept for a while.
    pub fn applied(&mut self, block: &Arc<AppliedBlock>, owners: &Owners, effects: &mut Effects) {
        if self.sessions.values().any(|known| known.mode == Mode::Live) {
            let mut found: BTreeMap<ParticipantNumber, Vec<Delivery>> = BTreeMap::new();
            for applied in block.commands() {
                let banks = match applied.told(owners) {
                    Parties::These(banks) => banks,
                    Parties::Everybody => self.watching(),
                };
                for bank in banks.iter().filter(|bank| self.is_watched(**bank)) {
                    let delivery = applied.delivery(*bank, owners);
                    found.entry(*bank).or_default().push(delivery);
                }
            }
            if block.has_ends() {
                for bank in self.watching().iter() {
                    let ends = block.ends(*bank, owners);
                    if !ends.is_empty() {
                        found.entry(*bank).or_default().extend(ends);
                    }
                }
            }
            for (session, known) in &mut self.sessions {
                if known.mode != Mode::Live {
                    continue;
                }
                if block.moves_something_of(known.participant) {
                    // What was said of it first is on disk: this block is told from there.
                    known.mode = Mode::Waiting;
                } else if let Some(items) = found.get(&known.participant) {
                    // A subscriber that comes from a node ahead of this one, or was told from a
                    // history that was ahead of the applied blocks, has seen some of it.
                    let seen = items.partition_point(|item| item.cursor <= known.told);
                    if seen < items.len() {
                        let end = Cursor { height: block.height.0, commands: u32::MAX };
                        push_frames(*session, known, &items[seen..], end, effects);
                    }
                }
            }
        }
        self.remember(block);
    }

    /// Banks with a live subscriber, each once.
    fn watching(&self) -> Arc<[ParticipantNumber]> {
        let live = self.sessions.values().filter(|known| known.mode == Mode::Live);
        let banks: BTreeSet<ParticipantNumber> = live.map(|known| known.participant).collect();
        banks.into_iter().collect()
    }

    fn is_watched(&self, bank: ParticipantNumber) -> bool {
        self.sessions.values().any(|known| known.participant == bank && known.mode == Mode::Live)
    }

    /// Keeps a block for a while, for subscribers that catch up.
    pub fn remember(&mut self, block: &Arc<AppliedBlock>) {
        self.recent_bytes += block.bytes.len();
        self.recent.push_back(Arc::clone(block));
        while self.recent.len() > RECENT_BLOCKS_MAX || self.recent_bytes > RECENT_BYTES_MAX {
            let Some(oldest) = self.recent.pop_front() else { break };
            self.recent_bytes -= oldest.bytes.len();
        }
    }

    fn wait(&mut self, session: SessionId) {
        if let Some(known) = self.sessions.get_mut(&session) {
            known.mode = Mode::Waiting;
        }
    }

    /// Whether memory has all that a session has not been told.
    fn is_in_memory(&self, session: SessionId, at: &Place<'_>) -> bool {
        let Some(known) = self.sessions.get(&session) else { return false };
        match self.recent.front() {
            // The block of the cursor itself may still hold commands that were not seen.
            Some(oldest) => oldest.height.0 <= known.at().height.max(1),
            // Nothing was applied since the start, which may have been from a snapshot.
            None => {
                at.height == 0 || known.at() >= Cursor { height: at.height, commands: u32::MAX }
            }
        }
    }

    /// Has the history searched for a session.
    fn search(&mut self, session: SessionId, at: &Place<'_>, effects: &mut Effects) {
        let Some(known) = self.sessions.get_mut(&session) else { return };
        known.mode = Mode::Searching;
        known.reading = true;
        effects.scans.push(Scan {
            session,
            stream: known.stream,
            participant: known.participant,
            after: known.at(),
            up_to: at.height,
            owners: Arc::clone(at.owners),
        });
    }

    /// Goes on for a session from memory, through `left` bytes of blocks at the most, whether anything in
    /// them is for it or not: the loop has other things to do. Nor is more put into the session's queue
    /// than is sure to be taken soon.
    fn go_on(
        &mut self,
        session: SessionId,
        at: &Place<'_>,
        left: &mut usize,
        effects: &mut Effects,
    ) {
        let Some(known) = self.sessions.get_mut(&session) else { return };
        let oldest = self.recent.front().map_or(0, |block| block.height.0);
        // Blocks in memory follow each other without gaps.
        let seen = known.at().height.saturating_sub(oldest) as usize;
        for block in self.recent.iter().skip(seen) {
            let end = Cursor { height: block.height.0, commands: u32::MAX };
            if end <= known.at() {
                continue;
            }
            if *left == 0 {
                known.mode = Mode::Waiting;
                return;
            }
            if block.moves_something_of(known.participant) {
                return self.search(session, at, effects);
            }
            *left = left.saturating_sub(block.bytes.len());
            let mut items: Vec<Delivery> = block
                .commands()
                .filter(|applied| applied.cursor > known.at())
                .filter(|applied| applied.told(at.owners).contains(known.participant))
                .map(|applied| applied.delivery(known.participant, at.owners))
                .collect();
            if block.has_ends() {
                let ends = block.ends(known.participant, at.owners).into_iter();
                items.extend(ends.filter(|one| one.cursor > known.at()));
            }
            known.walked = end;
            if !items.is_empty() {
                push_frames(session, known, &items, end, effects);
            }
        }
        known.mode = Mode::Live;
    }
}

impl Session {
    /// Nothing up to here is missing.
    fn at(&self) -> Cursor {
        self.told.max(self.walked)
    }

    /// Waits longer each time the queue is found full, up to a second.
    fn be_patient(&mut self, tick: u64) {
        self.patience = (self.patience * 2).clamp(1, PATIENCE_TICKS_MAX);
        self.not_before = tick + self.patience;
        self.mode = Mode::Waiting;
    }
}

/// Puts deliveries into frames of bounded size. The last frame says that all up to `end` was searched.
fn push_frames(
    session: SessionId,
    known: &mut Session,
    items: &[Delivery],
    end: Cursor,
    effects: &mut Effects,
) {
    for (payload, after) in frames(items, known.told, end) {
        effects.deliveries.push(DeliveryFrame { session, stream: known.stream, after, payload });
    }
    known.told = end;
}

/// Encoded frames of bounded size with the place before each.
pub fn frames(items: &[Delivery], told: Cursor, end: Cursor) -> Vec<(bytes::Bytes, Cursor)> {
    let mut out = Vec::new();
    let mut after = told;
    let mut from = 0;
    while from < items.len() {
        let mut bytes = 0;
        let mut to = from;
        while to < items.len() && to - from < DELIVERIES_PER_FRAME_MAX {
            let item = &items[to];
            bytes += 128 + item.command.len();
            bytes += item.document.as_ref().map_or(0, |(_, sealed)| sealed.len());
            if bytes > DELIVERIES_BYTES_MAX && to > from {
                break;
            }
            to += 1;
        }
        let searched = if to == items.len() { end } else { items[to - 1].cursor };
        let message = Deliveries { items: items[from..to].to_vec(), searched };
        out.push((message.encode(), after));
        after = searched;
        from = to;
    }
    out
}

impl AppliedBlock {
    /// The commands of this block with what became of them.
    pub fn commands(&self) -> impl Iterator<Item = deliver::Applied<'_>> {
        let pairs = self
            .block
            .submissions
            .iter()
            .zip(&self.submissions)
            .map(|(prepared, applied)| (&prepared.submission, &applied.outcomes[..]));
        deliver::commands(self.height.0, self.time, self.first_leaf, pairs)
    }

    /// Whether the block has exchanges or notices.
    fn has_ends(&self) -> bool {
        !self.exchanges.is_empty() || !self.notices.is_empty()
    }

    /// What a bank is told of exchanges, and although it sent nothing.
    fn ends(&self, bank: ParticipantNumber, owners: &Owners) -> Vec<Delivery> {
        let commands: Vec<_> = self.commands().collect();
        let ends = Ends {
            height: self.height.0,
            time: self.time,
            first_leaf: self.first_leaf + (commands.len() + self.submissions.len()) as u64,
            progress: self.progress.len(),
            exchanges: &self.exchanges,
            notices: &self.notices,
        };
        ends.deliveries(&commands, bank, owners)
    }

    /// Whether a transfer that waited, and in which a bank takes part, went on in this block.
    fn moves_something_of(&self, bank: ParticipantNumber) -> bool {
        self.parties.iter().any(|parties| parties.contains(bank))
    }
}

#[cfg(test)]
mod tests;
