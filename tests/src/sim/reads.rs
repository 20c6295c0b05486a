//! What a machine reads from its disk for others: the log for followers, the history for subscribers.

use settlement_node::{
    event::{Event, Scan, Scanned},
    storage::Damage,
    store::wal::ReadError,
    subscribers::frames,
};
use wire::client;

use super::world::{What, World};

impl World {
    /// Begins to search the history; not behind a frame that was lost, of which the node hears first.
    pub(super) fn begin_scan(&mut self, node: usize, life: u64, scan: Scan) {
        let (session, stream, reached) = (scan.session, scan.stream, scan.after);
        let broken = self.machines[node].broken.get(&session);
        if broken.is_some_and(|broken| *broken >= stream) {
            let given_up = Scanned { session, stream, reached, blocked: true };
            return self.wake(node, Event::Scanned(given_up));
        }
        let delay = self.rng.range(500, 20_000);
        self.after(delay, What::Scan { node, life, scan });
    }

    pub(super) fn on_fetch(&mut self, node: usize, life: u64, fetch: order::Fetch) {
        if self.is_alive(node, life) {
            let (_, disk) = self.machines[node].running.as_ref().expect("alive");
            let fetched = disk.fetch(&fetch);
            if matches!(fetched, Err(ReadError::Corrupt { .. })) {
                return self.found_damage(node, Damage::Log);
            }
            let entries = fetched.ok();
            self.wake(node, Event::Fetched { token: fetch.token, entries });
        }
    }

    pub(super) fn on_scan(&mut self, node: usize, life: u64, scan: Scan) {
        if !self.is_alive(node, life) || !self.is_open(scan.session) {
            return;
        }
        let (_, disk) = self.machines[node].running.as_ref().expect("alive");
        let (items, reached) = match disk.search(&scan) {
            Ok(found) => found,
            Err(error) => {
                self.break_session(scan.session, true);
                if let Some(damage) = error.damage() {
                    self.found_damage(node, damage);
                }
                return;
            }
        };
        let (session, stream) = (scan.session, scan.stream);
        let mut done = Scanned { session, stream, reached, blocked: false };
        for (payload, after) in frames(&items, scan.after, reached) {
            if self.queue_is_full() {
                (done.reached, done.blocked) = (after, true);
                break;
            }
            self.send_to_client(session, client::KIND_DELIVERIES, payload);
        }
        self.wake(node, Event::Scanned(done));
    }
}
