//! The gateway's side of the client protocol: batches, outcomes, deliveries and queries over one
//! link.
//!
//! One task owns all of it. Frames go out and events come in through a [`NodePort`], behind which
//! stands a QUIC link or, in a simulation, something else. A payment handed over here stays here
//! until the ledger has answered it: whatever happens to the link, it is submitted again.

mod outstanding;
mod port;

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use ed25519_dalek::SigningKey;
use ledger::{Digest, Outcome, ParticipantNumber, TransferId};
use link::{ClientSideEvent, OutFrame};
use tokio::{
    sync::{mpsc, oneshot, watch},
    task::JoinSet,
};
use translate::Fate;
use wire::{
    batch::Domain,
    client::{
        Cursor, Deliveries, FRAME_VERSION, KIND_ANSWER, KIND_DELIVERIES, KIND_NOT_TAKEN,
        KIND_OUTCOMES, KIND_QUERY, KIND_SUBMIT, KIND_SUBSCRIBE, NotTaken, NotTakenReason, Outcomes,
        Query, QueryAnswer, StatusAnswer,
    },
};

use crate::{
    core::Core,
    limits::{BUSY_WAIT_MAX, QUERIES_MAX, QUERY_TIME_MAX, STATUS_INTERVAL},
    metrics::METRICS,
    store::TransferRow,
};
use outstanding::Outstanding;
pub use port::{NodePort, over_link};

/// Questions about repeated payments that are under way together.
const QUESTIONS_AT_ONCE: usize = 64;

/// A payment that is ready to be submitted.
#[derive(Clone, Debug)]
pub struct Prepared {
    /// The UETR.
    pub uetr: TransferId,
    /// Canonical bytes of its command.
    pub command: Bytes,
    /// Digest of the salted document.
    pub salted: Digest,
    /// The sealed document.
    pub sealed: Bytes,
}

impl Prepared {
    /// What is submitted of a stored payment.
    #[must_use]
    pub fn of(row: &TransferRow) -> Self {
        Self {
            uetr: row.uetr,
            command: row.command.clone(),
            salted: row.salted,
            sealed: row.sealed.clone(),
        }
    }
}

/// What is known about the connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeState {
    /// The node that has accepted this gateway.
    pub connected: Option<u64>,
    /// Its last status.
    pub status: Option<StatusAnswer>,
}

struct Question {
    query: Query,
    answer: oneshot::Sender<QueryAnswer>,
}

/// Asks the connected node; clones share the connection.
#[derive(Clone)]
pub struct NodeHandle {
    questions: mpsc::Sender<Question>,
    state: watch::Receiver<NodeState>,
}

impl NodeHandle {
    /// The answer to a query; `None` when no node is connected or none answers in time.
    pub async fn query(&self, query: Query) -> Option<QueryAnswer> {
        self.state.borrow().connected?;
        let (answer, answered) = oneshot::channel();
        self.questions.try_send(Question { query, answer }).ok()?;
        tokio::time::timeout(QUERY_TIME_MAX, answered).await.ok()?.ok()
    }

    /// What is known about the connection.
    #[must_use]
    pub fn state(&self) -> watch::Receiver<NodeState> {
        self.state.clone()
    }
}

/// The other ends of a [`NodeHandle`], for the task that serves it.
pub struct NodeDesk {
    questions: mpsc::Receiver<Question>,
    state: watch::Sender<NodeState>,
}

/// A handle and its other ends.
#[must_use]
pub fn desk() -> (NodeHandle, NodeDesk) {
    let (questions, receiver) = mpsc::channel(QUERIES_MAX);
    let (state, watched) = watch::channel(NodeState::default());
    (NodeHandle { questions, state: watched }, NodeDesk { questions: receiver, state })
}

/// How batches are signed.
pub struct BatchSigner {
    /// Network and epoch.
    pub domain: Domain,
    /// The bank.
    pub participant: ParticipantNumber,
    /// Its key.
    pub key: SigningKey,
    /// How long a batch stays valid after it was signed.
    pub valid: Duration,
}

/// Everything that the task needs.
pub struct NodeParts {
    /// Who gets the outcomes.
    pub core: Arc<Core>,
    /// The link.
    pub port: NodePort,
    /// Queries.
    pub desk: NodeDesk,
    /// Payments to submit.
    pub submit: mpsc::Receiver<Arc<Prepared>>,
    /// Who gets the deliveries.
    pub deliveries: mpsc::Sender<Deliveries>,
    /// How far deliveries are durable.
    pub cursor: watch::Receiver<Cursor>,
    /// Signs batches.
    pub signer: BatchSigner,
}

/// The task.
pub struct NodeTask {
    core: Arc<Core>,
    port: NodePort,
    desk: NodeDesk,
    submit: mpsc::Receiver<Arc<Prepared>>,
    deliveries: mpsc::Sender<Deliveries>,
    cursor: watch::Receiver<Cursor>,
    outstanding: Outstanding,
    queries: HashMap<u64, (Instant, oneshot::Sender<QueryAnswer>)>,
    next_query: u64,
}

impl NodeTask {
    /// The task over its parts.
    #[must_use]
    pub fn new(parts: NodeParts) -> Self {
        Self {
            core: parts.core,
            port: parts.port,
            desk: parts.desk,
            submit: parts.submit,
            deliveries: parts.deliveries,
            cursor: parts.cursor,
            outstanding: Outstanding::new(parts.signer),
            queries: HashMap::new(),
            next_query: 1,
        }
    }

    /// Runs until the link or the gateway ends.
    pub async fn run(mut self) {
        let mut status = tokio::time::interval(STATUS_INTERVAL);
        status.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let now = Instant::now();
            while let Some(frame) = self.outstanding.next_batch(now) {
                self.send(KIND_SUBMIT, frame).await;
            }
            let wake = self.outstanding.next_wake().map(tokio::time::Instant::from_std);
            tokio::select! {
                event = self.port.events.recv() => match event {
                    Some(event) => self.on_event(event).await,
                    None => return,
                },
                prepared = self.submit.recv(), if self.outstanding.wants_more() => match prepared {
                    Some(prepared) => {
                        self.outstanding.push(prepared);
                        while self.outstanding.wants_more()
                            && let Ok(prepared) = self.submit.try_recv()
                        {
                            self.outstanding.push(prepared);
                        }
                    }
                    None => return,
                },
                question = self.desk.questions.recv() => match question {
                    Some(question) => self.ask(question).await,
                    None => return,
                },
                () = sleep_until(wake) => self.outstanding.on_time(Instant::now()),
                _ = status.tick() => self.ask_status().await,
            }
        }
    }

    async fn send(&mut self, kind: u8, payload: Bytes) {
        // Closed only when the link has ended, which the events tell as well.
        let _ = self.port.frames.send(OutFrame::new(kind, FRAME_VERSION, payload)).await;
    }

    async fn ask(&mut self, question: Question) {
        let number = self.next_query;
        self.next_query += 1;
        self.queries
            .retain(|_, (asked, answer)| asked.elapsed() < QUERY_TIME_MAX && !answer.is_closed());
        if self.queries.len() < QUERIES_MAX {
            self.queries.insert(number, (Instant::now(), question.answer));
            self.send(KIND_QUERY, question.query.encode(number)).await;
        }
    }

    /// The node's status is nobody's question: its answer goes into the state.
    async fn ask_status(&mut self) {
        if self.desk.state.borrow().connected.is_some() {
            self.send(KIND_QUERY, Query::Status.encode(0)).await;
            if self.core.directory.height().is_none() {
                self.refresh_directory();
            }
        }
    }

    fn refresh_directory(&self) {
        let core = self.core.clone();
        tokio::spawn(async move { core.directory.refresh(&core.node).await });
    }

    async fn on_event(&mut self, event: ClientSideEvent) {
        match event {
            ClientSideEvent::Connected { server, .. } => {
                tracing::info!(node = server, "connected");
                METRICS.connected.set(1);
                self.desk.state.send_replace(NodeState { connected: Some(server), status: None });
                self.outstanding.connected();
                let cursor = *self.cursor.borrow();
                self.send(KIND_SUBSCRIBE, cursor.encode()).await;
                self.ask_status().await;
                self.refresh_directory();
            }
            ClientSideEvent::Disconnected { server, reason } => {
                if self.desk.state.borrow().connected.is_some() {
                    tracing::warn!(node = server, %reason, "connection ended");
                } else {
                    tracing::debug!(node = server, %reason, "cannot connect");
                }
                METRICS.connected.set(0);
                self.desk.state.send_replace(NodeState::default());
                self.outstanding.disconnected();
                self.queries.clear();
            }
            ClientSideEvent::Frame(frame) => {
                let (kind, version) = (frame.kind, frame.version);
                if let Err(error) = self.on_frame(kind, version, frame.payload).await {
                    tracing::warn!(kind, version, %error, "ignore frame of node");
                }
            }
        }
    }

    async fn on_frame(
        &mut self,
        kind: u8,
        version: u8,
        payload: Bytes,
    ) -> Result<(), wire::codec::CodecError> {
        if version != FRAME_VERSION {
            let value = u64::from(version);
            return Err(wire::codec::CodecError::Unknown { field: "frame version", value });
        }
        match kind {
            KIND_OUTCOMES => self.on_outcomes(Outcomes::decode(payload)?),
            KIND_NOT_TAKEN => self.on_not_taken(NotTaken::decode(payload)?),
            KIND_DELIVERIES => {
                // Waiting here slows the node down, which is meant.
                let _ = self.deliveries.send(Deliveries::decode(payload)?).await;
            }
            KIND_ANSWER => self.on_answer(QueryAnswer::decode(payload)?),
            other => {
                let value = u64::from(other);
                return Err(wire::codec::CodecError::Unknown { field: "frame kind", value });
            }
        }
        Ok(())
    }

    fn on_outcomes(&mut self, outcomes: Outcomes) {
        let Some(items) = self.outstanding.answered(&outcomes.batch) else { return };
        if items.len() != outcomes.outcomes.len() {
            tracing::error!(batch = %outcomes.batch, "node answered with a wrong number of outcomes");
            self.outstanding.give_back(items);
            return;
        }
        METRICS.batches.with_label_values(&["answered"]).inc();
        let core = self.core.clone();
        // Bounded: each task holds payments of the book, which is bounded.
        tokio::spawn(async move {
            let fates = fates_of(&core, &items, &outcomes).await;
            if let Err(error) = core.answered(fates).await {
                tracing::error!(%error, "record outcomes");
                core.stop_if_store_failed(&error);
            }
        });
    }

    fn on_not_taken(&mut self, not_taken: NotTaken) {
        let now = Instant::now();
        match not_taken.reason {
            NotTakenReason::Busy { retry_after_ms } => {
                METRICS.batches.with_label_values(&["busy"]).inc();
                let wait = Duration::from_millis(u64::from(retry_after_ms)).min(BUSY_WAIT_MAX);
                self.outstanding.busy(&not_taken.batch, now + wait);
            }
            NotTakenReason::Invalid { text } => {
                METRICS.batches.with_label_values(&["invalid"]).inc();
                tracing::error!(batch = %not_taken.batch, reason = %text, "node refuses batch");
                self.outstanding.invalid(&not_taken.batch, now);
            }
        }
    }

    fn on_answer(&mut self, (number, answer): (u64, QueryAnswer)) {
        if number == 0 {
            if let QueryAnswer::Status(status) = answer {
                METRICS.height.set(status.height as i64);
                self.desk.state.send_modify(|state| state.status = Some(status));
            }
        } else if let Some((_, waiting)) = self.queries.remove(&number) {
            // The caller may have stopped waiting.
            let _ = waiting.send(answer);
        }
    }
}

/// The fates that outcomes mean. A repetition settled earlier than the block that answers it: the node
/// is asked when; if it does not say, the later time stands.
async fn fates_of(
    core: &Arc<Core>,
    items: &[Arc<Prepared>],
    outcomes: &Outcomes,
) -> Vec<(TransferId, Fate)> {
    let mut fates: Vec<(TransferId, Fate)> = items
        .iter()
        .zip(&outcomes.outcomes)
        .map(|(item, outcome)| (item.uetr, Fate::of(outcome.answer, outcomes.time)))
        .collect();
    let is_repeated = |outcome: &Outcome| outcome.original.is_some() && outcome.answer.is_settled();
    let repeated: Vec<usize> =
        (0..fates.len()).filter(|position| is_repeated(&outcomes.outcomes[*position])).collect();
    for positions in repeated.chunks(QUESTIONS_AT_ONCE) {
        let mut questions = JoinSet::new();
        for position in positions.iter().copied() {
            let (core, uetr) = (core.clone(), fates[position].0);
            questions
                .spawn(async move { (position, core.node.query(Query::Transfer(uetr)).await) });
        }
        for (position, answer) in questions.join_all().await {
            if let Some(QueryAnswer::Transfer(Some(found))) = answer {
                fates[position].1 = Fate::of(found.answer, found.time);
            }
        }
    }
    fates
}

async fn sleep_until(wake: Option<tokio::time::Instant>) {
    match wake {
        Some(wake) => tokio::time::sleep_until(wake).await,
        None => std::future::pending().await,
    }
}
