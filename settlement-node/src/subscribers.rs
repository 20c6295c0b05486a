//! The sessions of gateways and tools, and how far each was told of its bank's credits.
//!
//! A subscriber is either *searching* (a reader goes through the history for it) or *live* (it is
//! told as blocks are applied). It becomes live when the search has reached the blocks that are
//! still in memory. When its queue is full it goes back to searching: nobody waits for it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use ledger::ParticipantNumber;
use link::SessionId;
use wire::{
    client::{Cursor, Deliveries, Delivery},
    limits::DELIVERIES_PER_FRAME_MAX,
};

use crate::{
    chain::AppliedBlock,
    deliver::{self, Owners},
    event::{DeliveryFrame, Effects, Scan},
    limits::{DELIVERIES_BYTES_MAX, RECENT_BLOCKS_MAX, RECENT_BYTES_MAX, SEARCHED_TICKS},
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    /// Has not asked.
    Silent,
    /// The history is being searched.
    Searching,
    /// The search came to the end of what is on disk; it goes on when more is there.
    Paused,
    /// Told as blocks are applied.
    Live,
}

#[derive(Debug)]
struct Session {
    participant: ParticipantNumber,
    mode: Mode,
    stream: u32,
    /// Everything up to here was put into the session's queue.
    told: Cursor,
    told_tick: u64,
}

/// All sessions, and the blocks that are still in memory.
#[derive(Default)]
pub struct Subscribers {
    sessions: BTreeMap<SessionId, Session>,
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
            told: Cursor::default(),
            told_tick: 0,
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

    /// A session wants what comes after a place.
    pub fn subscribe(
        &mut self,
        session: SessionId,
        after: Cursor,
        owners: &Owners,
        effects: &mut Effects,
    ) {
        let Some(known) = self.sessions.get_mut(&session) else { return };
        known.stream += 1;
        known.told = after;
        known.mode = Mode::Searching;
        self.go_on(session, owners, effects);
    }

    /// The history was searched up to a place.
    pub fn scanned(
        &mut self,
        session: SessionId,
        stream: u32,
        reached: Cursor,
        owners: &Owners,
        effects: &mut Effects,
    ) {
        let Some(known) = self.sessions.get_mut(&session) else { return };
        if known.stream != stream || known.mode != Mode::Searching {
            return;
        }
        if reached <= known.told {
            // Nothing new on disk yet, although memory no longer has it: try again at the next tick.
            known.mode = Mode::Paused;
            return;
        }
        known.told = reached;
        self.go_on(session, owners, effects);
    }

    /// A session's queue was full.
    pub fn delivery_failed(&mut self, session: SessionId, stream: u32, after: Cursor) {
        let Some(known) = self.sessions.get_mut(&session) else { return };
        if known.stream == stream {
            known.stream += 1;
            known.told = after;
            known.mode = Mode::Paused;
        }
    }

    /// Another tick: paused searches go on, quiet subscribers hear how far was searched.
    pub fn tick(&mut self, tick: u64, height: u64, owners: &Owners, effects: &mut Effects) {
        let mut paused = Vec::new();
        for (session, known) in &mut self.sessions {
            match known.mode {
                Mode::Paused => {
                    known.mode = Mode::Searching;
                    paused.push(*session);
                }
                Mode::Live if known.told_tick + SEARCHED_TICKS <= tick => {
                    known.told_tick = tick;
                    if known.told.height < height {
                        let after = known.told;
                        known.told = Cursor { height, commands: u32::MAX };
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
        for session in paused {
            self.go_on(session, owners, effects);
        }
    }

    /// A block was applied: live subscribers are told, and the block is kept for a while.
    pub fn applied(&mut self, block: &Arc<AppliedBlock>, owners: &Owners, effects: &mut Effects) {
        if self.sessions.values().any(|known| known.mode == Mode::Live) {
            let mut found: BTreeMap<ParticipantNumber, Vec<Delivery>> = BTreeMap::new();
            for applied in block.commands() {
                for bank in applied.credited(owners) {
                    if self.is_watched(bank) {
                        found.entry(bank).or_default().push(applied.delivery());
                    }
                }
            }
            for (session, known) in &mut self.sessions {
                if known.mode == Mode::Live
                    && let Some(items) = found.get(&known.participant)
                {
                    let end = Cursor { height: block.height.0, commands: u32::MAX };
                    push_frames(*session, known, items, end, effects);
                }
            }
        }
        self.remember(block);
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

    /// Goes on for a searching session: live if memory has all that is missing, else another search.
    fn go_on(&mut self, session: SessionId, owners: &Owners, effects: &mut Effects) {
        let Some(known) = self.sessions.get_mut(&session) else { return };
        let next = match self.recent.front() {
            // The block of the cursor itself may still hold commands that were not seen.
            Some(oldest) => oldest.height.0 <= known.told.height.max(1),
            // Only before the first block is there nothing to remember.
            None => true,
        };
        if !next {
            effects.scans.push(Scan {
                session,
                stream: known.stream,
                participant: known.participant,
                after: known.told,
                owners: Arc::clone(owners),
            });
            return;
        }
        for block in &self.recent {
            let end = Cursor { height: block.height.0, commands: u32::MAX };
            if end <= known.told {
                continue;
            }
            let items: Vec<Delivery> = block
                .commands()
                .filter(|applied| applied.cursor > known.told)
                .filter(|applied| applied.credited(owners).contains(&known.participant))
                .map(|applied| applied.delivery())
                .collect();
            if !items.is_empty() {
                push_frames(session, known, &items, end, effects);
            }
        }
        known.mode = Mode::Live;
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
}
