//! The gateway's side of the client protocol: batches, outcomes, deliveries and queries over one
//! link.
//!
//! One task owns all of it. Frames go out and events come in through a [`NodePort`], behind which
//! stands a QUIC link or, in a simulation, something else. A payment handed over here stays here
//! until the ledger has answered it: whatever happens to the link, it is submitted again.

mod original;
mod outstanding;
mod patience;
mod port;

use std::{
    collections::BTreeMap,
    future::poll_fn,
    pin::pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use ed25519_dalek::SigningKey;
use link::{ClientSideEvent, OutFrame};
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::{Instant, Interval},
};
use wire::ledger::{Digest, ParticipantNumber, TransferId};
use wire::{
    batch::Domain,
    client::{
        Cursor, Deliveries, FRAME_VERSION, KIND_ANSWER, KIND_DELIVERIES, KIND_NOT_TAKEN,
        KIND_OUTCOMES, KIND_QUERY, KIND_SUBMIT, KIND_SUBSCRIBE, NotTaken, NotTakenReason, Outcomes,
        Query, QueryAnswer, StatusAnswer,
    },
    cosign::{FinalAt, KIND_FINAL, KIND_WATCH_FINAL},
};

use crate::{
    core::Core,
    limits::{BUSY_WAIT_MAX, QUERIES_MAX, QUERY_TIME_MAX, STATUS_INTERVAL},
    metrics::METRICS,
    store::TransferRow,
};
use outstanding::Outstanding;
use patience::{Look, Patience};
pub use port::{NodePort, over_link};

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
    /// It is connected but does not do its work: it has no leader or answers no batch.
    pub stalled: bool,
}

impl NodeState {
    /// Whether the node is known to be part of a working network.
    #[must_use]
    pub fn answers(&self) -> bool {
        let led = self.status.as_ref().is_some_and(|status| status.leader != 0);
        self.connected.is_some() && led && !self.stalled
    }
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
    final_at: watch::Receiver<Option<FinalAt>>,
}

impl NodeHandle {
    /// The answer to a query; `None` when no node is connected or none answers in time.
    pub async fn query(&self, query: Query) -> Option<QueryAnswer> {
        self.state.borrow().connected?;
        let (answer, answered) = oneshot::channel();
        self.questions.try_send(Question { query, answer }).ok()?;
        tokio::time::timeout(QUERY_TIME_MAX, answered).await.ok()?.ok()
    }

    /// Whether the task that answers has ended: no query is ever answered again.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.questions.is_closed()
    }

    /// What is known about the connection.
    #[must_use]
    pub fn state(&self) -> watch::Receiver<NodeState> {
        self.state.clone()
    }

    /// Up to where everything is final, by the word of the nodes that were connected so far; nothing before the first.
    /// Every change is told as soon as the node has told it.
    #[must_use]
    pub fn final_at(&self) -> watch::Receiver<Option<FinalAt>> {
        self.final_at.clone()
    }
}

/// The other ends of a [`NodeHandle`], for the task that serves it.
pub struct NodeDesk {
    questions: mpsc::Receiver<Question>,
    state: watch::Sender<NodeState>,
    final_at: watch::Sender<Option<FinalAt>>,
}

/// A handle and its other ends.
#[must_use]
pub fn desk() -> (NodeHandle, NodeDesk) {
    let (questions, receiver) = mpsc::channel(QUERIES_MAX);
    let (state, watched) = watch::channel(NodeState::default());
    let (final_at, told) = watch::channel(None);
    let handle = NodeHandle { questions, state: watched, final_at: told };
    (handle, NodeDesk { questions: receiver, state, final_at })
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
    patience: Patience,
    /// A frame of deliveries could not be read: what follows on this connection would leave a gap.
    deliveries_broken: bool,
    queries: BTreeMap<u64, (Instant, oneshot::Sender<QueryAnswer>)>,
    next_query: u64,
    /// Why the last attempt to connect failed, as it was logged.
    refusal: Option<String>,
    /// Which source is looked at first.
    turn: usize,
}

/// What the task waits for.
enum Input {
    Event(ClientSideEvent),
    Payment(Arc<Prepared>),
    Question(Question),
    /// The time that [`Outstanding::next_wake`] named has come.
    Wake,
    /// The node's status is due.
    Status,
    /// The link or the gateway has ended.
    End,
}

/// Sources of [`Input`].
const SOURCES: usize = 5;

impl NodeTask {
    /// The task over its parts.
    #[must_use]
    pub fn new(parts: NodeParts) -> Self {
        let outstanding = Outstanding::new(parts.signer, parts.core.environment.clone());
        Self {
            core: parts.core,
            port: parts.port,
            desk: parts.desk,
            submit: parts.submit,
            deliveries: parts.deliveries,
            cursor: parts.cursor,
            outstanding,
            patience: Patience::new(Instant::now()),
            deliveries_broken: false,
            queries: BTreeMap::new(),
            next_query: 1,
            refusal: None,
            turn: 0,
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
            let wake = self.outstanding.next_wake();
            match self.next(wake, &mut status).await {
                Input::Event(event) => self.on_event(event).await,
                Input::Payment(prepared) => {
                    self.outstanding.push(prepared);
                    while self.outstanding.wants_more()
                        && let Ok(prepared) = self.submit.try_recv()
                    {
                        self.outstanding.push(prepared);
                    }
                }
                Input::Question(question) => self.ask(question).await,
                Input::Wake => self.outstanding.on_time(Instant::now()),
                Input::Status => {
                    self.judge_node();
                    self.ask_status().await;
                }
                Input::End => return,
            }
        }
    }

    /// What comes next. The sources have the first turn one after the other, so that none keeps the
    /// others waiting however much it brings.
    async fn next(&mut self, wake: Option<Instant>, status: &mut Interval) -> Input {
        self.turn = (self.turn + 1) % SOURCES;
        let mut sleep = pin!(wake.map(tokio::time::sleep_until));
        poll_fn(|cx| {
            for source in 0..SOURCES {
                let input = match (self.turn + source) % SOURCES {
                    0 => self.poll_event(cx),
                    1 => self.poll_payment(cx),
                    2 => self.poll_question(cx),
                    3 => match sleep.as_mut().as_pin_mut() {
                        Some(sleep) => sleep.poll(cx).map(|()| Input::Wake),
                        None => Poll::Pending,
                    },
                    _ => status.poll_tick(cx).map(|_| Input::Status),
                };
                if input.is_ready() {
                    return input;
                }
            }
            Poll::Pending
        })
        .await
    }

    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Input> {
        Poll::Ready(ready!(self.port.events.poll_recv(cx)).map_or(Input::End, Input::Event))
    }

    fn poll_payment(&mut self, cx: &mut Context<'_>) -> Poll<Input> {
        if !self.outstanding.wants_more() {
            return Poll::Pending;
        }
        Poll::Ready(ready!(self.submit.poll_recv(cx)).map_or(Input::End, Input::Payment))
    }

    fn poll_question(&mut self, cx: &mut Context<'_>) -> Poll<Input> {
        Poll::Ready(ready!(self.desk.questions.poll_recv(cx)).map_or(Input::End, Input::Question))
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

    /// Leaves a node that is connected and does not do its work. It may be cut off from the others
    /// while they go on.
    fn judge_node(&mut self) {
        let Some(server) = self.desk.state.borrow().connected else { return };
        let look = Look { waits: self.outstanding.waits(), broken: self.deliveries_broken };
        let verdict = self.patience.judge(look, Instant::now());
        self.desk.state.send_if_modified(|state| {
            std::mem::replace(&mut state.stalled, verdict.stalled) != verdict.stalled
        });
        if verdict.leave {
            tracing::warn!(node = server, "node does not answer or has no leader; try another");
            // A wish that is not fetched yet is as good.
            let _ = self.port.leave.try_send(server);
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
                self.refusal = None;
                let stalled = self.desk.state.borrow().stalled;
                let state = NodeState { connected: Some(server), status: None, stalled };
                self.desk.state.send_replace(state);
                self.outstanding.connected();
                self.patience.connected(Instant::now());
                self.deliveries_broken = false;
                let cursor = *self.cursor.borrow();
                self.send(KIND_SUBSCRIBE, cursor.encode()).await;
                self.send(KIND_WATCH_FINAL, Bytes::new()).await;
                self.ask_status().await;
                self.core.directory.begin_anew();
                self.refresh_directory();
            }
            ClientSideEvent::Disconnected { server, reason } => {
                if self.desk.state.borrow().connected.is_some() {
                    tracing::warn!(node = server, %reason, "connection ended");
                } else if self.refusal.as_ref() != Some(&reason) {
                    // Once for each reason: attempts go on several times a second.
                    tracing::warn!(node = server, %reason, "cannot connect");
                    self.refusal = Some(reason);
                }
                METRICS.connected.set(0);
                // A node that was left for not answering is replaced by one that has yet to answer.
                let stalled = self.desk.state.borrow().stalled;
                self.desk.state.send_replace(NodeState { stalled, ..NodeState::default() });
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
            // Begins again at the durable cursor with the next connection.
            KIND_DELIVERIES if self.deliveries_broken => {}
            KIND_DELIVERIES => match Deliveries::decode(payload) {
                // Waiting here slows the node down, which is meant.
                Ok(deliveries) => {
                    let _ = self.deliveries.send(deliveries).await;
                }
                Err(error) => {
                    tracing::error!(
                        "deliveries cannot be read; credits wait for another connection"
                    );
                    self.deliveries_broken = true;
                    return Err(error);
                }
            },
            KIND_ANSWER => self.on_answer(QueryAnswer::decode(payload)?),
            KIND_FINAL => self.on_final(FinalAt::decode(payload)?),
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
        self.patience.answered(Instant::now());
        let core = self.core.clone();
        // Bounded: each task holds payments of the book, which is bounded.
        tokio::spawn(async move {
            if let Err(error) = original::record(&core, &items, &outcomes).await {
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

    /// What is final stays so: a node that is behind the one before it takes nothing back.
    fn on_final(&self, at: FinalAt) {
        self.desk.final_at.send_if_modified(|known| {
            let news = known.is_none_or(|known| known < at);
            if news {
                *known = Some(at);
                METRICS.final_height.set(i64::try_from(at.height).unwrap_or(i64::MAX));
            }
            news
        });
    }

    fn on_answer(&mut self, (number, answer): (u64, QueryAnswer)) {
        if number == 0 {
            if let QueryAnswer::Status(status) = answer {
                METRICS.height.set(status.height as i64);
                self.patience.status(status.height, status.leader, Instant::now());
                self.desk.state.send_modify(|state| state.status = Some(status));
            }
        } else if let Some((_, waiting)) = self.queries.remove(&number) {
            // The caller may have stopped waiting.
            let _ = waiting.send(answer);
        }
    }
}
