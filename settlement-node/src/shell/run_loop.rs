//! The thread that owns the node: wait, take all that waits, settle, perform.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use crossbeam_channel::{Receiver, RecvTimeoutError};
use ledger::LedgerTime;

use super::{Cause, Loop, perform::Performer};
use crate::{
    event::{Effects, Event},
    limits::{EVENTS_PER_ROUND_MAX, TICK},
    node::{Fatal, Node},
};

/// The only reader of the wall clock.
fn wall_clock() -> LedgerTime {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    LedgerTime(u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
}

pub(super) fn start(
    node: Node,
    performer: Performer,
    events: Receiver<Event>,
    handle: Loop,
    stopping: Arc<AtomicBool>,
) -> io::Result<JoinHandle<()>> {
    std::thread::Builder::new().name("node-loop".to_owned()).spawn(move || {
        if let Err(reason) = turn(node, performer, &events, &handle, &stopping) {
            handle.fail(reason);
        }
    })
}

fn turn(
    mut node: Node,
    mut performer: Performer,
    events: &Receiver<Event>,
    handle: &Loop,
    stopping: &AtomicBool,
) -> Result<(), String> {
    let mut persisted = 0;
    let mut next_tick = Instant::now() + TICK;
    let mut effects = Effects::default();
    while !stopping.load(Ordering::Acquire) {
        let mut first = match events.recv_deadline(next_tick) {
            Ok(event) => Some(event),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => return Ok(()),
        };
        let now = wall_clock();
        let mut taken = 0;
        while let Some(event) = first.take() {
            // Durability is read below, once for all operations that were reported.
            if !matches!(event, Event::Persisted { .. }) {
                node.on(now, event, &mut effects);
            }
            taken += 1;
            if taken < EVENTS_PER_ROUND_MAX {
                first = events.try_recv().ok();
            }
        }
        let durable = handle.persisted.load(Ordering::Acquire);
        if durable > persisted {
            persisted = durable;
            node.on(now, Event::Persisted { op: durable }, &mut effects);
        }
        if Instant::now() >= next_tick {
            node.on(now, Event::Tick, &mut effects);
            // After a pause of the process missed ticks are not made up for: they would start an
            // election against a leader that is well.
            next_tick = (next_tick + TICK).max(Instant::now());
        }
        match node.settle(&mut effects) {
            Ok(()) => {}
            Err(Fatal::OldIds(error)) => {
                handle.fail_reading("look up old ids", &error);
                return Ok(());
            }
            Err(fatal) => return Err(fatal.to_string()),
        }
        performer.perform(&mut effects)?;
        if let Some(above) = effects.mend_above.take() {
            // Nothing more is to be done by this life of the node.
            handle.mend(Cause::Behind(above));
            return Ok(());
        }
    }
    Ok(())
}
