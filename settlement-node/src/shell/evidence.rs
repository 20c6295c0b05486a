//! The thread beside the commit path that cosigns the log, gathers what others cosign, and tells what is
//! final.
//!
//! The loop hands it what the log is after each block and never waits for it. In each slot of ledger time
//! the first block is cosigned, which is the same one on every node, and the last block once none has
//! followed for a moment. What is cosigned is durable first. A node that lags cosigns the coarsest of the
//! slots that it passed, so that those who lag meet.

mod files;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use arc_swap::ArcSwapOption;
use bytes::Bytes;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TrySendError, bounded};
use link::{ClientServer, Credit, Lane, OutFrame, PeerLinks, SendResult, SessionId};
use proof::{Hash, note::SignatureLine, witness::AddCheckpoint};
use tokio::sync::oneshot;
use wire::{
    client,
    cosign::{Cosignature, FinalAt, KIND_COSIGNATURE, KIND_FINAL},
    peer,
};

use super::{Loop, quiet::Quiet};
use crate::{
    consistency::Held,
    event::Sealed,
    finality::{Certificate, Cosigning, Finality, Finding},
    limits::{
        COSIGN_AGAIN, COSIGN_QUIET, COSIGN_SLOT_NS, COSIGNATURES_PER_SECOND_MAX,
        COSIGNATURES_WAITING_MAX, SEALED_MAX, SESSIONS_MAX, WITNESS_WAITING_MAX,
    },
    store::{
        cosigned::{Cosigned, CosignedFile},
        meters::DurationMeter,
    },
    witness::{self, Verdict},
};

pub(super) use files::EvidenceFiles;

/// Own cosignatures that are followed until there is a certificate.
const GATHERING_MAX: usize = 64;

/// What the thread is told.
enum Input {
    Sealed(Sealed),
    Said { peer: u64, payload: Bytes, credit: Credit },
    Watch(SessionId),
    Gone(SessionId),
    Witness(Box<Asked>),
}

/// A checkpoint that somebody wants to have cosigned.
struct Asked {
    request: AddCheckpoint,
    /// The node that signed it as the log, and its line.
    signer: (u64, SignatureLine),
    answer: oneshot::Sender<Witnessed>,
}

/// What became of it.
pub(super) enum Witnessed {
    /// This node's line.
    Cosigned(SignatureLine),
    /// This node cosigned this size last, and not the asked log.
    Conflict(u64),
    /// It is not cosigned.
    Refused(&'static str),
    /// Perhaps later.
    NotNow,
}

/// What is known of finality, for status page, metrics and receipts.
#[derive(Default)]
pub(super) struct Known {
    /// The newest certificate.
    pub(super) certificate: ArcSwapOption<Certificate>,
    /// Leaves of the log where this node cosigned last.
    pub(super) cosigned: AtomicU64,
    /// Cosignatures of others that were verified.
    pub(super) verified: AtomicU64,
    /// Cosignatures that did not verify, or were no payload.
    pub(super) bad: AtomicU64,
    /// Abused signatures found since the start.
    pub(super) findings: AtomicU64,
    /// Nodes whose cosignatures no longer count.
    pub(super) fenced: AtomicU64,
    /// From a block's application on this node to its being final.
    pub(super) settled_to_final: DurationMeter,
    /// Parts of it: from the application of a block that is cosigned to its turn,
    pub(super) cosign_turn: DurationMeter,
    /// until the disk holds that it is cosigned,
    pub(super) cosign_sync: DurationMeter,
    /// and from there to the quorum of the others.
    pub(super) cosign_gather: DurationMeter,
}

impl Known {
    /// Up to where everything is final; nothing before the first certificate.
    pub(super) fn final_at(&self) -> Option<FinalAt> {
        self.certificate.load().as_ref().map(|certificate| certificate.at)
    }
}

/// The handle of the thread. Without a cosigning key nothing is behind it.
#[derive(Clone)]
pub(super) struct Evidence {
    inputs: Option<Sender<Input>>,
    waiting: Arc<BTreeMap<u64, AtomicUsize>>,
    /// Requests to a witness that were not looked at.
    asked: Arc<AtomicUsize>,
    pub(super) known: Arc<Known>,
    pub(super) cosigning: Option<Arc<Cosigning>>,
}

/// What the thread needs.
pub(super) struct Start {
    pub(super) cosigning: Arc<Cosigning>,
    pub(super) file: CosignedFile,
    pub(super) last: Cosigned,
    pub(super) held: Held,
    pub(super) applied: Sealed,
    pub(super) peers: Arc<PeerLinks>,
    pub(super) clients: Arc<ClientServer>,
    pub(super) files: EvidenceFiles,
    pub(super) handle: Loop,
}

impl Evidence {
    /// A node that takes no part.
    pub(super) fn off() -> Self {
        Self {
            inputs: None,
            waiting: Arc::default(),
            asked: Arc::default(),
            known: Arc::default(),
            cosigning: None,
        }
    }

    pub(super) fn start(start: Start) -> io::Result<(Self, JoinHandle<()>)> {
        let (sender, receiver) = bounded(SEALED_MAX);
        let known: Arc<Known> = Arc::default();
        let peers = start.peers.stats();
        let waiting: Arc<BTreeMap<u64, AtomicUsize>> =
            Arc::new(peers.iter().map(|peer| (peer.id, AtomicUsize::new(0))).collect());
        let cosigning = Arc::clone(&start.cosigning);
        known.cosigned.store(start.last.at.size, Ordering::Relaxed);
        let mut tally = Finality::new(&start.cosigning.members);
        for node in start.files.accused(&start.cosigning)? {
            tracing::warn!(node, "is fenced: there is evidence against it in the evidence folder");
            tally.accuse(node);
        }
        known.fenced.store(tally.fenced().len() as u64, Ordering::Relaxed);
        let asked: Arc<AtomicUsize> = Arc::default();
        let mut worker = Worker {
            tally,
            asked: Arc::clone(&asked),
            newest: start.applied.clone(),
            newest_since: Instant::now(),
            due: None,
            gathering: VecDeque::new(),
            applied: VecDeque::new(),
            sent: None,
            sent_at: Instant::now(),
            paces: BTreeMap::new(),
            watchers: BTreeSet::new(),
            told: None,
            known: Arc::clone(&known),
            waiting: Arc::clone(&waiting),
            quiet: Quiet::default(),
            start,
        };
        let thread = std::thread::Builder::new().name("evidence".to_owned()).spawn(move || {
            let handle = worker.start.handle.clone();
            if let Err(reason) = worker.turn(&receiver) {
                handle.fail(reason);
            }
        })?;
        let evidence =
            Self { inputs: Some(sender), waiting, asked, known, cosigning: Some(cosigning) };
        Ok((evidence, thread))
    }

    /// Tells what the log is after a block. What does not fit is not looked at.
    pub(super) fn sealed(&self, sealed: Sealed) {
        if let Some(inputs) = &self.inputs {
            // A full queue means a disk that lags: there will be later blocks.
            let _ = inputs.try_send(Input::Sealed(sealed));
        }
    }

    /// Hands over what another node says.
    pub(super) fn said(&self, peer: u64, payload: Bytes, credit: Credit) {
        let (Some(inputs), Some(waiting)) = (&self.inputs, self.waiting.get(&peer)) else { return };
        if waiting.fetch_add(1, Ordering::AcqRel) < COSIGNATURES_WAITING_MAX {
            match inputs.try_send(Input::Said { peer, payload, credit }) {
                Ok(()) => return,
                // It is sent again.
                Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {}
            }
        }
        waiting.fetch_sub(1, Ordering::AcqRel);
    }

    /// A session wishes to hear what is final.
    pub(super) fn watch(&self, session: SessionId) {
        if let Some(inputs) = &self.inputs {
            // A gateway that hears nothing asks again with its next connection.
            let _ = inputs.try_send(Input::Watch(session));
        }
    }

    /// Asks for a cosignature of a checkpoint that a node has signed as the log; nothing when too many ask.
    pub(super) fn witness(
        &self,
        request: AddCheckpoint,
        node: u64,
        line: SignatureLine,
    ) -> Option<oneshot::Receiver<Witnessed>> {
        let inputs = self.inputs.as_ref()?;
        let (answer, wait) = oneshot::channel();
        let asked = Asked { request, signer: (node, line), answer };
        // Whoever asks must not fill the queue of what the node cosigns by itself.
        if self.asked.fetch_add(1, Ordering::AcqRel) < WITNESS_WAITING_MAX
            && inputs.try_send(Input::Witness(Box::new(asked))).is_ok()
        {
            return Some(wait);
        }
        self.asked.fetch_sub(1, Ordering::AcqRel);
        None
    }

    /// A session is over.
    pub(super) fn gone(&self, session: SessionId) {
        if let Some(inputs) = &self.inputs {
            // What is sent to a session that is gone finds that out.
            let _ = inputs.try_send(Input::Gone(session));
        }
    }
}

/// By this node's own clock, since 1970.
fn now_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// How many cosignatures of a node may still be verified in this second.
struct Pace {
    since: Instant,
    verified: u32,
}

/// A block whose turn it is to be cosigned.
struct Due {
    slot: u64,
    sealed: Sealed,
    /// When it was applied.
    since: Instant,
}

struct Worker {
    start: Start,
    tally: Finality,
    newest: Sealed,
    newest_since: Instant,
    /// The block that should be cosigned next, and its slot.
    due: Option<Due>,
    /// Own cosignatures that have no certificate yet, by size.
    gathering: VecDeque<(u64, Instant)>,
    /// When blocks that are not final yet were applied, by size.
    applied: VecDeque<(u64, Instant)>,
    sent: Option<Bytes>,
    sent_at: Instant,
    paces: BTreeMap<u64, Pace>,
    watchers: BTreeSet<SessionId>,
    told: Option<FinalAt>,
    known: Arc<Known>,
    waiting: Arc<BTreeMap<u64, AtomicUsize>>,
    asked: Arc<AtomicUsize>,
    quiet: Quiet,
}

impl Worker {
    fn turn(&mut self, inputs: &Receiver<Input>) -> Result<(), String> {
        let root = self.newest.frontier.root();
        self.tally.voters_from(0, &self.newest.voters);
        self.tally.computed(self.newest.at, root);
        while !self.start.handle.is_stopping() {
            match inputs.recv_timeout(COSIGN_QUIET / 2) {
                Ok(input) => {
                    self.take(input)?;
                    for input in inputs.try_iter().take(SEALED_MAX) {
                        self.take(input)?;
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            }
            if self.newest_since.elapsed() >= COSIGN_QUIET
                && self.newest.at.size > self.start.last.at.size
            {
                let (sealed, since) = (self.newest.clone(), self.newest_since);
                self.due = Some(Due { slot: 0, sealed, since });
            }
            if let Some(due) = self.due.take() {
                self.known.cosign_turn.record(due.since.elapsed());
                self.cosign(&due.sealed)?;
            } else if self.sent.is_none() {
                // After a start: the others may not have what was cosigned last, and this node not what they did.
                self.cosign_again();
            }
            if self.sent_at.elapsed() >= COSIGN_AGAIN {
                self.send();
            }
            self.tell();
        }
        Ok(())
    }

    fn take(&mut self, input: Input) -> Result<(), String> {
        match input {
            Input::Sealed(sealed) => self.sealed(sealed),
            Input::Said { peer, payload, credit } => {
                if let Some(waiting) = self.waiting.get(&peer) {
                    waiting.fetch_sub(1, Ordering::AcqRel);
                }
                let taken = self.said(peer, payload);
                drop(credit);
                taken
            }
            Input::Watch(session) => {
                if self.watchers.len() < SESSIONS_MAX
                    && self.watchers.insert(session)
                    && let Some(at) = self.told
                {
                    self.tell_one(session, at);
                }
                Ok(())
            }
            Input::Gone(session) => {
                self.watchers.remove(&session);
                Ok(())
            }
            Input::Witness(asked) => {
                self.asked.fetch_sub(1, Ordering::AcqRel);
                self.witness(*asked)
            }
        }
    }

    fn sealed(&mut self, sealed: Sealed) -> Result<(), String> {
        self.start.held.check(&sealed).map_err(|error| error.to_string())?;
        let root = sealed.frontier.root();
        self.tally.voters_from(sealed.at.size, &sealed.voters);
        let findings = self.tally.computed(sealed.at, root);
        let now = Instant::now();
        let slot = sealed.time.0 / COSIGN_SLOT_NS;
        let first_of_slot = slot > self.newest.time.0 / COSIGN_SLOT_NS;
        // The coarser slot goes before, then the later one.
        let coarser = |due: &Due| slot.trailing_zeros() >= due.slot.trailing_zeros();
        if first_of_slot && self.due.as_ref().is_none_or(coarser) {
            self.due = Some(Due { slot, sealed: sealed.clone(), since: now });
        }
        if self.applied.len() == SEALED_MAX {
            self.applied.pop_front();
        }
        self.applied.push_back((sealed.at.size, now));
        (self.newest, self.newest_since) = (sealed, now);
        self.judge(findings)
    }

    fn said(&mut self, peer: u64, payload: Bytes) -> Result<(), String> {
        let Ok(said) = Cosignature::decode(payload) else {
            self.bad(peer);
            return Ok(());
        };
        if !self.tally.is_news(peer, &said) || !self.may_verify(peer) {
            return Ok(());
        }
        if !self.start.cosigning.members.verifies(peer, &said) {
            self.bad(peer);
            return Ok(());
        }
        self.known.verified.fetch_add(1, Ordering::Relaxed);
        let findings = self.tally.take(peer, said);
        self.judge(findings)
    }

    fn bad(&self, peer: u64) {
        self.known.bad.fetch_add(1, Ordering::Relaxed);
        if let Some(more) = self.quiet.speak() {
            tracing::warn!(peer, more, "a cosignature that is none");
        }
    }

    fn may_verify(&mut self, peer: u64) -> bool {
        let now = Instant::now();
        let pace = self.paces.entry(peer).or_insert(Pace { since: now, verified: 0 });
        if now.duration_since(pace.since) >= Duration::from_secs(1) {
            *pace = Pace { since: now, verified: 0 };
        }
        pace.verified += 1;
        pace.verified <= COSIGNATURES_PER_SECOND_MAX
    }

    /// Cosigns a block: durable first.
    fn cosign(&mut self, sealed: &Sealed) -> Result<(), String> {
        // Never below what was cosigned, and never again at the same size but for the same root.
        if sealed.at.size <= self.start.last.at.size {
            return Ok(());
        }
        let cosigned = Cosigned {
            at: sealed.at,
            previous_seal: sealed.previous_seal,
            frontier: sealed.frontier.clone(),
        };
        let begun = Instant::now();
        self.start.file.note(&cosigned).map_err(|error| error.to_string())?;
        self.known.cosign_sync.record(begun.elapsed());
        if self.gathering.len() == GATHERING_MAX {
            self.gathering.pop_front();
        }
        self.gathering.push_back((cosigned.at.size, Instant::now()));
        self.start.last = cosigned;
        self.known.cosigned.store(sealed.at.size, Ordering::Relaxed);
        self.sign();
        Ok(())
    }

    /// Judges what somebody wants to have cosigned, and does so only with what this node computed itself.
    fn witness(&mut self, asked: Asked) -> Result<(), String> {
        let Asked { request, signer: (node, line), answer } = asked;
        let cosigning = Arc::clone(&self.start.cosigning);
        let (size, theirs) = (request.checkpoint.size, request.checkpoint.root);
        let of = |at: FinalAt, root: Hash| (at.size, root);
        let last = of(self.start.last.at, self.start.last.frontier.root());
        let known = witness::Known {
            cosigned: last,
            newest: of(self.newest.at, self.newest.frontier.root()),
            at_size: self.tally.own_root(size),
        };
        let own = if size == last.0 { Some(last.1) } else { known.at_size };
        let verdict = witness::judge(&known, &request);
        let witnessed = match verdict {
            Verdict::Newest => {
                self.cosign(&self.newest.clone())?;
                Witnessed::NotNow
            }
            Verdict::Again | Verdict::NotNow => Witnessed::NotNow,
            Verdict::Conflict(size) => Witnessed::Conflict(size),
            Verdict::OtherRoot => Witnessed::Conflict(last.0),
            Verdict::NoProof => Witnessed::Refused("the consistency proof does not verify"),
            Verdict::NotComputed => {
                Witnessed::Refused("this node has computed another root at that size")
            }
        };
        let signs = matches!(verdict, Verdict::Newest | Verdict::Again);
        let witnessed = match signs.then(|| cosigning.cosign(size, &theirs, now_seconds())) {
            Some(said) => match cosigning.members.line(cosigning.node, &said) {
                Some(line) => Witnessed::Cosigned(line),
                None => witnessed,
            },
            None => witnessed,
        };
        // Who asked may have gone away.
        let _ = answer.send(witnessed);
        match own {
            // Only its own key can have signed as the log: whoever brings the checkpoint, it is the signer's.
            Some(own) if own != theirs && node != cosigning.node && self.tally.accuse(node) => {
                self.judge(vec![Finding::OtherLog { node, size, theirs, line, own }])
            }
            _ => Ok(()),
        }
    }

    /// Signs once more what is durable as cosigned, if the log of this life has come to it.
    fn cosign_again(&mut self) {
        let last = &self.start.last;
        if last.at.size > 0 && self.newest.at.size >= last.at.size {
            self.sign();
        }
    }

    fn sign(&mut self) {
        let cosigning = Arc::clone(&self.start.cosigning);
        let (size, root) = (self.start.last.at.size, self.start.last.frontier.root());
        let own = cosigning.cosign(size, &root, now_seconds());
        self.sent = Some(own.encode());
        self.send();
        // An own cosignature of what this node computed finds nobody out.
        self.tally.take(cosigning.node, own);
    }

    fn send(&mut self) {
        self.sent_at = Instant::now();
        let Some(payload) = &self.sent else { return };
        for peer in self.waiting.keys() {
            let frame = OutFrame::new(KIND_COSIGNATURE, peer::FRAME_VERSION, payload.clone());
            // Behind the log in the queue; what is lost is sent again.
            let _ = self.start.peers.send(*peer, Lane::Append, frame);
        }
    }

    /// Tells what has become final.
    fn tell(&mut self) {
        let Some(certificate) = self.tally.certificate() else { return };
        let at = certificate.at;
        let shown = self.known.certificate.load();
        if shown.as_ref().is_some_and(|shown| &**shown == certificate) {
            return;
        }
        self.known.certificate.store(Some(Arc::new(certificate.clone())));
        while let Some((size, since)) = self.applied.front() {
            if *size > at.size {
                break;
            }
            self.known.settled_to_final.record(since.elapsed());
            self.applied.pop_front();
        }
        while let Some((size, since)) = self.gathering.front() {
            if *size > at.size {
                break;
            }
            self.known.cosign_gather.record(since.elapsed());
            self.gathering.pop_front();
        }
        if self.told.is_some_and(|told| told >= at) {
            return;
        }
        self.told = Some(at);
        for session in self.watchers.clone() {
            self.tell_one(session, at);
        }
    }

    fn tell_one(&mut self, session: SessionId, at: FinalAt) {
        let frame = OutFrame::new(KIND_FINAL, client::FRAME_VERSION, at.encode());
        // A session with a full queue hears of a later one.
        if self.start.clients.send(session, frame) == SendResult::Gone {
            self.watchers.remove(&session);
        }
    }

    /// Writes evidence of abused signatures; an error when this node is the one that is wrong.
    fn judge(&mut self, findings: Vec<Finding>) -> Result<(), String> {
        for finding in findings {
            match self.start.files.write(&self.start.cosigning, &finding) {
                Ok(path) => tracing::error!(?finding, path, "evidence of an abused signature"),
                Err(error) => {
                    tracing::error!(?finding, %error, "evidence that could not be written");
                }
            }
            // Who sees it counted finds the file.
            self.known.findings.fetch_add(1, Ordering::Relaxed);
            self.known.fenced.store(self.tally.fenced().len() as u64, Ordering::Relaxed);
            if let Finding::Outvoted { size, .. } = finding {
                return Err(format!(
                    "more nodes than can lie have cosigned another root at {size} leaves than this node \
                     computed: its state is wrong"
                ));
            }
        }
        Ok(())
    }
}
