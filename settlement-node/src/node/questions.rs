//! What a node answers of itself: to its sessions, and to its operator.

use std::sync::Arc;

use ledger::resolution_id;
use link::SessionId;
use wire::client::{self, QueryAnswer};

use super::Node;
use crate::{
    chain::Chain,
    event::{Effects, Find, Proof, Reply, Room},
    limits::ANSWER_BYTES_MAX,
    node::Counters,
    store::snapshots::Place,
};

impl Node {
    pub(super) fn on_query(
        &mut self,
        session: SessionId,
        number: u64,
        query: client::Query,
        effects: &mut Effects,
    ) {
        let Some(participant) = self.subscribers.participant(session) else { return };
        let answer = match query {
            client::Query::Directory(known)
                if self.subscribers.may_ask_directory(participant, self.tick) =>
            {
                QueryAnswer::Directory(crate::view::directory(&self.chain, participant, known))
            }
            client::Query::Directory(_) => {
                QueryAnswer::Failed("a part was sent just now; ask again in a moment".to_owned())
            }
            client::Query::Status => QueryAnswer::Status(self.status_answer()),
            client::Query::Transfer(id) => {
                let find = self.find(session, number, id, participant);
                effects.finds.push(find);
                return;
            }
            client::Query::Receipt { id, whole } => {
                let find = self.find(session, number, id, participant);
                effects.proofs.push(Proof { find, whole });
                return;
            }
        };
        let mut payload = answer.encode(number);
        if payload.len() > ANSWER_BYTES_MAX {
            payload = QueryAnswer::Failed("the answer is too large".to_owned()).encode(number);
        }
        effects.replies.push(Reply { session, kind: client::KIND_ANSWER, payload });
    }

    /// What memory knows of a transfer that is to be looked up.
    fn find(
        &mut self,
        session: SessionId,
        number: u64,
        id: ledger::TransferId,
        participant: ledger::ParticipantNumber,
    ) -> Find {
        let entry = self.chain.ledger().lookup(&id);
        #[cfg(feature = "planted")]
        let entry = self.first_look_up(id, entry);
        let ledger = self.chain.ledger();
        Find {
            session,
            number,
            id,
            entry,
            stage: ledger.stage(&id),
            end: ledger.lookup(&resolution_id(&id)),
            participant,
            owners: Arc::clone(&self.owners),
        }
    }

    #[cfg(feature = "planted")]
    fn first_look_up(
        &mut self,
        id: ledger::TransferId,
        entry: Option<ledger::IdEntry>,
    ) -> Option<ledger::IdEntry> {
        if crate::planted::is(crate::planted::Bug::StaleRead) {
            *self.looked_up.entry(id).or_insert(entry)
        } else {
            entry
        }
    }

    fn status_answer(&self) -> client::StatusAnswer {
        client::StatusAnswer {
            node: self.id,
            leader: self.leader.unwrap_or(0),
            height: self.chain.height().0,
            time: self.chain.time(),
            leaves: self.chain.leaves(),
            log_root: self.chain.log_root(),
            state_root: self.chain.state_root().0,
            settled: self.chain.settled(),
            refused: self.chain.refused(),
        }
    }

    /// This node's id.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// The applied state.
    pub fn chain(&self) -> &Chain {
        &self.chain
    }

    /// How the order of the log stands.
    pub fn order_status(&self) -> order::Status {
        self.order.status()
    }

    /// The leader, as far as this node knows.
    pub fn leader(&self) -> Option<u64> {
        self.leader
    }

    /// Snapshots on disk, oldest first, and the bytes of log applied since the last one.
    pub fn snapshots(&self) -> (&[Place], u64) {
        (&self.snapshots.kept, self.snapshots.since)
    }

    /// Each bank's share of the room for open submissions.
    pub fn shares(&self) -> Arc<crate::shares::Shares> {
        self.intake.shares()
    }

    /// Counters for metrics.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// Submissions of own sessions not yet applied, submissions waiting for a block, open sessions.
    pub fn load(&self) -> (usize, usize, usize) {
        (self.intake.tracked_len(), self.intake.waiting_len(), self.subscribers.len())
    }

    /// Room on the disk of the data folder, as last told.
    pub fn room(&self) -> Room {
        self.room
    }
}
