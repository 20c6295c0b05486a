//! Performs the effects of the loop in their one order: persist, send, reply, notify.

use std::{collections::HashMap, sync::Arc};

use link::{ClientServer, Lane, OutFrame, PeerLinks, SendResult, SessionId};
use order::MessageKind;
use wire::{
    client,
    peer::{self, KIND_FORWARD, KIND_FORWARD_REFUSED, KIND_RAFT, KIND_RAFT_APPEND},
};

use super::{Loop, disk::Reader, evidence::Evidence, quiet::Quiet};
use crate::{
    event::{Effects, Event, Scan, Scanned},
    forms::{history_block, log_op},
    peer_message,
    store::{history_writer::HistoryWriter, log_writer::LogWriter},
};

pub(super) struct Performer {
    pub(super) log: LogWriter,
    pub(super) history: HistoryWriter,
    pub(super) reader: Reader,
    pub(super) peers: Arc<PeerLinks>,
    pub(super) clients: Arc<ClientServer>,
    pub(super) evidence: Evidence,
    pub(super) handle: Loop,
    /// Streams of deliveries that lost a frame: nothing more of them may be sent.
    pub(super) broken: HashMap<SessionId, u32>,
    /// Alarms are about what others do.
    pub(super) quiet: Quiet,
}

impl Performer {
    pub(super) fn perform(&mut self, effects: &mut Effects) -> Result<(), String> {
        for persist in effects.persist.drain(..) {
            let number = persist.op;
            self.log.submit(number, log_op(persist)).map_err(|error| error.to_string())?;
        }
        self.send(effects);
        self.reply(effects);
        for block in effects.history.drain(..) {
            self.history.append(history_block(&block)).map_err(|error| error.to_string())?;
        }
        for sealed in effects.sealed.drain(..) {
            self.evidence.sealed(sealed);
        }
        for step in effects.seated.drain(..) {
            tracing::info!(node = step.node, seat = ?step.seat, "a decision about a node is carried out");
        }
        if let Some(index) = effects.release_log_below.take() {
            self.log.release_below(index).map_err(|error| error.to_string())?;
        }
        if std::mem::take(&mut effects.log_is_whole) {
            self.log.forget_loss().map_err(|error| error.to_string())?;
            tracing::info!("the log is whole again: this node votes from now on");
        }
        self.read(effects);
        for alarm in effects.alarms.drain(..) {
            if let Some(more) = self.quiet.speak() {
                tracing::warn!(more, alarm);
            }
        }
        Ok(())
    }

    fn send(&self, effects: &mut Effects) {
        for message in effects.send.drain(..) {
            let to = message.to;
            // Appends keep their order, also those without entries: one that overtakes the entries it
            // speaks of is refused, and the leader then sends them all again. Everything that keeps a
            // leader a leader goes before them.
            let (lane, kind) = if message.kind != MessageKind::Append {
                (Lane::Control, KIND_RAFT)
            } else {
                (Lane::Append, KIND_RAFT_APPEND)
            };
            let pieces = peer_message::to_wire(message).encode();
            // Raft sends again what is lost, and learns of a lost peer by an event.
            let _ = self.peers.send(to, lane, OutFrame::new(kind, peer::FRAME_VERSION, pieces));
        }
        for (to, submission) in effects.forward.drain(..) {
            let frame = OutFrame::new(KIND_FORWARD, peer::FRAME_VERSION, submission);
            // Passed on again after a while if it does not show up in a block.
            let _ = self.peers.send(to, Lane::Append, frame);
        }
        for (to, refused) in effects.forward_refused.drain(..) {
            let frame = OutFrame::new(KIND_FORWARD_REFUSED, peer::FRAME_VERSION, refused.encode());
            let _ = self.peers.send(to, Lane::Control, frame);
        }
    }

    fn reply(&mut self, effects: &mut Effects) {
        for reply in effects.replies.drain(..) {
            let frame = OutFrame::new(reply.kind, client::FRAME_VERSION, reply.payload);
            if self.clients.send(reply.session, frame) == SendResult::Full {
                // A session that does not read its answers asks again after it reconnects.
                self.clients.close_session(reply.session, "answers are not being read");
            }
        }
        for delivery in effects.deliveries.drain(..) {
            let session = delivery.session;
            if self.broken.get(&session).is_some_and(|stream| *stream >= delivery.stream) {
                continue;
            }
            let kind = client::KIND_DELIVERIES;
            let frame = OutFrame::new(kind, client::FRAME_VERSION, delivery.payload);
            match self.clients.send(session, frame) {
                SendResult::Sent => {}
                SendResult::Gone => {
                    self.broken.remove(&session);
                }
                SendResult::Full => {
                    self.broken.insert(session, delivery.stream);
                    // This thread is the one that reads the events: it must not wait for room.
                    let (stream, after) = (delivery.stream, delivery.after);
                    let event = Event::DeliveryFailed { session, stream, after };
                    if self.handle.events.try_send(event).is_err() {
                        self.clients.close_session(session, "deliveries are not being read");
                    }
                }
            }
        }
        for session in effects.closed.drain(..) {
            self.broken.remove(&session);
        }
    }

    /// What a search would find comes after a frame that was lost: the node hears of that first, and starts anew.
    fn give_up(&self, scan: &Scan) {
        let (session, stream, reached) = (scan.session, scan.stream, scan.after);
        let event = Event::Scanned(Scanned { session, stream, reached, blocked: true });
        if self.handle.events.try_send(event).is_err() {
            self.clients.close_session(session, "deliveries are not being read");
        }
    }

    fn read(&self, effects: &mut Effects) {
        for (number, generation) in effects.runs.drain(..) {
            self.reader.write_run(number, generation, &self.handle);
        }
        if let Some(checkpoint) = effects.snapshot.take() {
            self.reader.write_snapshot(checkpoint, &self.handle);
        }
        for fetch in effects.fetches.drain(..) {
            self.reader.fetch(fetch, &self.handle);
        }
        for scan in effects.scans.drain(..) {
            if self.broken.get(&scan.session).is_some_and(|stream| *stream >= scan.stream) {
                self.give_up(&scan);
            } else {
                self.reader.scan(scan, &self.clients);
            }
        }
        for find in effects.finds.drain(..) {
            self.reader.find(find, &self.clients);
        }
        for proof in effects.proofs.drain(..) {
            self.reader.prove(proof, &self.clients);
        }
    }
}
