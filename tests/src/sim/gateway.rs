//! Banks with a real gateway: its machine and disk, its way to the nodes, its end and its next life.
//!
//! The gateway is the real one from the bytes of a message to the bytes of its answer and from a
//! node's deliveries to the outbox; only HTTP, folder and QUIC are left out. It is killed, or loses
//! power, at any write or sync of its store and at any moment in between, also while it starts.

mod customer;
mod disk;
mod messages;
mod process;

use bytes::Bytes;
use ed25519_dalek::SigningKey;
use gateway_adapter::{
    Config, RunError,
    config::{RawLimits, Receipts},
    keyring::Keyring,
};
use ledger::ParticipantNumber;
use link::{ClientSideEvent, Frame, LinkKey, OutFrame};
use std::{sync::Arc, time::Duration};
use wire::{client::FRAME_VERSION, genesis::Genesis};

use super::{
    class::Class,
    network::{BICS, START_NS, sealing_secret},
    rng::Rng,
    world::{Owner, What, World},
};
use customer::Customer;
use disk::{Disk, Ending};
use messages::Writer;
use process::{Birth, Process};

/// Milliseconds between two looks at a gateway that nothing else calls for.
const LOOK_MS: u64 = 12;

/// Settings of one gateway, the same in each of its lives.
struct Settings {
    genesis: Genesis,
    key: SigningKey,
    batch_valid: Duration,
    limits: RawLimits,
    slow_disk: u64,
    skew_ns: i64,
}

/// A bank's gateway and all that is around it.
pub(super) struct GatewayMachine {
    pub(super) bank: usize,
    settings: Settings,
    disk: Disk,
    process: Option<Process>,
    customer: Customer,
    /// Raised at each start and end.
    life: u64,
    /// The node that it is connected to, and the session.
    session: Option<(u64, u64)>,
    connect_ms: u64,
    /// When it is looked at next, in milliseconds; a look for another time is void.
    look_ms: u64,
    /// When it is killed, in milliseconds.
    dies_ms: u64,
    deaths: u64,
    /// Ends before the gateway was up.
    failed_starts: u64,
}

/// What a look at a gateway led to.
#[derive(Default)]
struct Seen {
    frames: Vec<OutFrame>,
    leaves: bool,
    ended: bool,
}

impl GatewayMachine {
    pub(super) fn new(bank: usize, plan: &super::Plan, genesis: &Genesis, key: SigningKey) -> Self {
        let mut rng = Rng::new(super::rng::mix(plan.seed ^ (bank as u64 + 1) << 32));
        let mut limits = RawLimits::default();
        if rng.percent(25) {
            (limits.open_messages, limits.open_payments) = (6, 8);
        }
        let skew = plan.skew_ms as i64 * 1_000_000;
        let settings = Settings {
            genesis: genesis.clone(),
            key,
            batch_valid: Duration::from_secs(if rng.percent(20) { rng.range(4, 12) } else { 60 }),
            limits,
            slow_disk: if rng.percent(50) { 0 } else { rng.range(1, 10) },
            skew_ns: rng.range(0, 2 * skew as u64 + 1) as i64 - skew,
        };
        Self {
            bank,
            settings,
            disk: Disk::new(Rng::new(rng.next())),
            process: None,
            customer: Customer::new(Writer::new(bank, plan.banks), plan),
            life: 0,
            session: None,
            connect_ms: 0,
            look_ms: u64::MAX,
            dies_ms: u64::MAX,
            deaths: 0,
            failed_starts: 0,
        }
    }

    fn config(&self) -> Config {
        let settings = &self.settings;
        Config {
            bic: BICS[self.bank].parse().expect("a BIC"),
            participant: ParticipantNumber(self.bank as u32),
            genesis: settings.genesis.clone(),
            link_key: LinkKey::from_seed([self.bank as u8 + 1; 32]),
            signing_key: settings.key.clone(),
            sealing: Arc::new(
                Keyring::in_memory(
                    settings.genesis.domain.network,
                    ParticipantNumber(self.bank as u32),
                    &sealing_secret(self.bank),
                )
                .expect("any 32 bytes are a secret"),
            ),
            sealing_overlap: Duration::ZERO,
            data: std::path::PathBuf::new(),
            folder: None,
            http: None,
            token_sha256: Vec::new(),
            answer_deadline: Duration::from_secs(1),
            prefer_node: None,
            batch_valid: settings.batch_valid,
            receipts: Receipts::OnRequest,
            limits: settings.limits,
        }
    }

    pub(super) fn is_done(&self, credits: usize) -> bool {
        self.process.is_some() && self.customer.is_done(credits)
    }

    pub(super) fn missing(&self) -> String {
        let running = if self.process.is_some() { "runs" } else { "is down" };
        format!("gateway {} {running}, {:?}: {}", self.bank, self.session, self.customer.missing())
    }

    /// The connection is gone.
    pub(super) fn disconnected(&mut self, now: u64) {
        let Some((server, _)) = self.session.take() else { return };
        self.connect_ms = now / 1_000 + 30;
        self.push(ClientSideEvent::Disconnected { server, reason: "lost".to_owned() });
    }

    fn push(&mut self, event: ClientSideEvent) {
        if let Some(process) = &mut self.process {
            process.push(event);
        }
    }

    /// Messages, answers, repetitions, outbox entries, ends, ends while starting and steps of the
    /// store so far.
    pub(super) fn counts(&self) -> [u64; 7] {
        let customer = &self.customer;
        [
            customer.sent(),
            customer.answers,
            customer.repeats,
            customer.outbox(),
            self.deaths,
            self.failed_starts,
            self.disk.steps(),
        ]
    }

    /// When the last message was answered, in milliseconds.
    pub(super) fn last_answer_ms(&self) -> u64 {
        self.customer.last_answer_ms
    }
}

impl World {
    pub(super) fn start_gateway(&mut self, which: usize) {
        if self.gateways[which].process.is_some() {
            return;
        }
        let now_ms = self.now / 1_000;
        let harm = !self.healed && self.plan.gateway_crashes;
        let ending = match self.rng.range(0, 10) {
            0..5 => Ending::Power,
            5..8 => Ending::Kill,
            _ => Ending::SyncError,
        };
        // Mostly while messages are in work; sometimes while the store is opened.
        let steps = if self.rng.percent(30) { 25 } else { 400 };
        let mut end = (harm && self.rng.percent(75)).then(|| (self.rng.range(1, steps), ending));
        if let Some(step) = self.plan.gateway_first_end.filter(|_| self.gateways[which].life == 0) {
            end = Some((step, ending));
        }
        let dies_ms = now_ms + self.rng.range(200, 8_000);
        let dies = harm && self.rng.percent(50);
        let first = self.rng.range(1, LOOK_MS);
        let one = &mut self.gateways[which];
        one.dies_ms = if dies { dies_ms } else { u64::MAX };
        one.life += 1;
        (one.session, one.connect_ms) = (None, now_ms);
        let wall = START_NS + 1_000_000_000 + now_ms * 1_000_000;
        let birth = Birth {
            at_ms: now_ms,
            wall_ns: wall.saturating_add_signed(one.settings.skew_ns),
            slow_disk: if self.healed { 0 } else { one.settings.slow_disk },
            rng: Rng::new(self.rng.next()),
        };
        let bank = one.bank;
        match Process::start(one.config(), one.disk.begin(end), birth) {
            Ok(process) => {
                if one.disk.ended().is_none() {
                    one.customer.check_restart(&process, &self.truth);
                }
                one.process = Some(process);
                self.note(format!("gateway {bank} starts, its end is {end:?}"));
                self.look_at_gateway(which, now_ms + first);
            }
            Err(error) => {
                let ended = one.disk.ended();
                assert!(ended.is_some(), "gateway {bank} does not start: {error}");
                one.failed_starts += 1;
                self.note(format!("gateway {bank} ends while it starts: {ended:?}"));
                self.gateway_has_ended(which);
            }
        }
    }

    fn look_at_gateway(&mut self, which: usize, at_ms: u64) {
        let one = &mut self.gateways[which];
        one.look_ms = at_ms;
        let life = one.life;
        self.after(at_ms * 1_000 - self.now, What::Gateway { which, life, at_ms });
    }

    /// Ends the process, if it has not ended itself, and plans its next life.
    fn gateway_has_ended(&mut self, which: usize) {
        let planned = if self.rng.percent(50) { Ending::Power } else { Ending::Kill };
        // A quick restart finds the nodes as they were.
        let quick = self.rng.percent(50);
        let delay = self.rng.range(5, if quick { 150 } else { 2_500 }) * 1_000;
        // Now and then in good order; what the store then writes may still be cut off.
        let in_order = self.rng.percent(30);
        let now_ms = self.now / 1_000;
        let one = &mut self.gateways[which];
        let in_order = in_order && one.disk.ended().is_none();
        let mut process = one.process.take();
        if let Some(process) = process.take_if(|_| in_order) {
            process.stop();
        }
        one.disk.end(planned);
        // After the disk's end: a killed process closes nothing.
        drop(process);
        one.life += 1;
        one.deaths += 1;
        one.customer.disconnected(now_ms, &mut self.rng);
        if let Some((_, session)) = one.session.take() {
            self.break_session(session, true);
        }
        self.after(delay, What::GatewayStart { which });
    }

    /// Lets a gateway and its bank do what is due.
    pub(super) fn on_gateway(&mut self, which: usize, life: u64, at_ms: u64) {
        let one = &self.gateways[which];
        if one.life != life || one.look_ms != at_ms {
            return;
        }
        self.connect_gateway(which, at_ms);
        let Self { gateways, rng, truth, healed, .. } = self;
        let one = &mut gateways[which];
        let wall_ns = START_NS + 1_000_000_000 + at_ms * 1_000_000;
        let Some(process) = &mut one.process else { return };
        if *healed {
            one.disk.heal();
            one.dies_ms = u64::MAX;
            one.customer.rest();
        }
        process.run_until(at_ms);
        // A store whose disk has refused a sync can refuse everything.
        if one.disk.ended().is_none() {
            one.customer.act(process, truth, rng, at_ms, wall_ns);
        }
        process.run_until(at_ms + 1);
        // Said before the end, if it has ended meanwhile.
        one.customer.hear(process.told(), truth, rng, at_ms);
        let mut seen = Seen::default();
        if one.disk.is_dead() {
            seen.ended = true;
        } else if let Some(failure) = process.failure() {
            let store = matches!(failure, RunError::Store(_)) && one.disk.ended().is_some();
            assert!(store, "gateway {} cannot go on: {failure}", one.bank);
            seen.ended = true;
        } else {
            (seen.frames, seen.leaves) = process.sent();
            seen.ended = one.dies_ms <= at_ms;
        }
        let session = one.session.map(|(_, session)| session);
        let bank = one.bank;
        self.trace(at_ms << 8 | seen.frames.len() as u64);
        if let Some(session) = session {
            for frame in seen.frames {
                // The nodes have no keys for checkpoints: nobody would be told.
                if frame.kind == wire::cosign::KIND_WATCH_FINAL {
                    continue;
                }
                let payload = Bytes::from(frame.payload.parts().concat());
                self.send_to_node(session, frame.kind, payload);
            }
            let broken = !self.healed
                && self.plan.classes.has(Class::BrokenSession)
                && self.rng.range(0, 400) == 0;
            if seen.leaves || broken {
                self.break_session(session, true);
            }
        }
        if seen.ended {
            let how = self.gateways[which].disk.ended();
            self.note(format!("gateway {bank} ends: {how:?}"));
            return self.gateway_has_ended(which);
        }
        let next = at_ms + self.rng.range(1, 2 * LOOK_MS);
        self.look_at_gateway(which, next);
    }

    fn connect_gateway(&mut self, which: usize, now_ms: u64) {
        let one = &self.gateways[which];
        if one.process.is_none() || one.session.is_some() || one.connect_ms > now_ms {
            return;
        }
        let opened = self.open_session(Owner::Gateway(which), one.bank);
        let node = opened.and_then(|session| self.node_of(session));
        let wait = self.rng.range(20, 300);
        let one = &mut self.gateways[which];
        match (opened, node) {
            (Some(session), Some(node)) => {
                let server = node as u64 + 1;
                one.session = Some((server, session));
                one.push(ClientSideEvent::Connected { server, hello: Bytes::new() });
            }
            _ => one.connect_ms = now_ms + wait,
        }
    }

    /// A node's frame arrived at a gateway.
    pub(super) fn reach_gateway(&mut self, which: usize, kind: u8, payload: Bytes) {
        let frame = Frame { kind, version: FRAME_VERSION, payload };
        self.gateways[which].push(ClientSideEvent::Frame(frame));
        let soon = self.now / 1_000 + 1;
        if self.gateways[which].process.is_some() && self.gateways[which].look_ms > soon {
            self.look_at_gateway(which, soon);
        }
    }

    /// The last look at everything that banks were told.
    pub(super) fn check_gateways(&mut self) {
        for one in &mut self.gateways {
            let process = one.process.as_ref().expect("every gateway runs at the end");
            one.customer.check_end(process, &self.truth);
        }
    }
}
