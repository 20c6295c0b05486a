//! What a node knows about one peer, and which of several connections with it is kept.
//!
//! Both nodes dial, so two connections can be made at the same time, and a peer that restarts
//! dials while its old connection still looks alive. The rule: the connection dialled by the
//! lower id is kept, except that a peer's new process, or a peer that dials again later because
//! it lost the connection, replaces whatever there was.

use std::net::SocketAddr;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::credit::Room;
use crate::limits::*;
use crate::queue::Queue;

/// One peer: its fixed facts, its counters and its connection, if any.
pub(crate) struct PeerSlot {
    pub(crate) id: u64,
    pub(crate) addr: SocketAddr,
    pub(crate) dial: quinn::ClientConfig,
    pub(crate) sent_bytes: AtomicU64,
    pub(crate) received_bytes: AtomicU64,
    pub(crate) dropped: AtomicU64,
    /// Held while a connection is being served, so that its events are over before those of the
    /// next one begin.
    pub(crate) turn: tokio::sync::Mutex<()>,
    /// Room for frames of each lane that were not dealt with. It is the peer's and not a connection's, so
    /// that connecting again makes none.
    pub(crate) control_room: Room,
    pub(crate) append_room: Room,
    current: Mutex<Option<Arc<Active>>>,
    connected: watch::Sender<bool>,
}

/// A connection whose hellos agreed.
pub(crate) struct Active {
    pub(crate) connection: quinn::Connection,
    pub(crate) control: Queue,
    pub(crate) append: Queue,
    pub(crate) origin: Origin,
    pub(crate) since: Instant,
}

/// Where a connection comes from, as far as the choice between two needs it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Origin {
    pub(crate) dialled_by_lower: bool,
    /// The process of the peer, from its hello.
    pub(crate) instance: u64,
}

impl Active {
    pub(crate) fn new(connection: quinn::Connection, origin: Origin) -> Active {
        Active {
            connection,
            control: Queue::new(CONTROL_QUEUE_FRAMES, CONTROL_QUEUE_BYTES),
            append: Queue::new(APPEND_QUEUE_FRAMES, APPEND_QUEUE_BYTES),
            origin,
            since: Instant::now(),
        }
    }
}

/// Whether `new` takes the place of a connection `old` that is `age` old.
fn replaces(old: Origin, age: Duration, new: Origin) -> bool {
    new.instance != old.instance
        || new.dialled_by_lower
        || !old.dialled_by_lower
        || age > CROSSED_DIAL_TIME
}

impl PeerSlot {
    pub(crate) fn new(id: u64, addr: SocketAddr, dial: quinn::ClientConfig) -> PeerSlot {
        PeerSlot {
            id,
            addr,
            dial,
            sent_bytes: AtomicU64::new(0),
            received_bytes: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
            turn: tokio::sync::Mutex::new(()),
            control_room: Room::new(CONTROL_CREDIT_BYTES),
            append_room: Room::new(APPEND_CREDIT_BYTES),
            current: Mutex::new(None),
            connected: watch::Sender::new(false),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Arc<Active>>> {
        // No code that can panic runs under this lock.
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The connection in use, if any.
    pub(crate) fn current(&self) -> Option<Arc<Active>> {
        self.lock().clone()
    }

    /// Whether a connection of this origin would be kept now.
    pub(crate) fn would_adopt(&self, origin: Origin) -> bool {
        match &*self.lock() {
            Some(old) if old.connection.close_reason().is_none() => {
                replaces(old.origin, old.since.elapsed(), origin)
            }
            _ => true,
        }
    }

    /// Makes `active` the connection in use. Returns the one it replaces, which the caller
    /// closes; or an error when the one in use is kept.
    pub(crate) fn adopt(&self, active: &Arc<Active>) -> Result<Option<Arc<Active>>, KeepsOther> {
        let mut current = self.lock();
        if let Some(old) = &*current
            && old.connection.close_reason().is_none()
            && !replaces(old.origin, old.since.elapsed(), active.origin)
        {
            return Err(KeepsOther);
        }
        let old = current.replace(active.clone());
        self.connected.send_replace(true);
        Ok(old)
    }

    /// Forgets `active` unless another connection has already taken its place.
    pub(crate) fn release(&self, active: &Arc<Active>) {
        let mut current = self.lock();
        if current.as_ref().is_some_and(|current| Arc::ptr_eq(current, active)) {
            *current = None;
            self.connected.send_replace(false);
        }
    }

    /// Returns once there is no connection in use.
    pub(crate) async fn until_disconnected(&self) {
        let mut connected = self.connected.subscribe();
        // The sender lives in self, so waiting cannot fail.
        let _ = connected.wait_for(|connected| !connected).await;
    }
}

/// The connection in use is kept instead of the new one.
#[derive(Debug)]
pub(crate) struct KeepsOther;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crossed_dials_keep_the_lower_one_and_later_ones_replace() {
        let lower = Origin { dialled_by_lower: true, instance: 1 };
        let higher = Origin { dialled_by_lower: false, instance: 1 };
        let young = Duration::from_millis(100);
        let old = Duration::from_secs(10);
        assert!(!replaces(lower, young, higher));
        assert!(replaces(higher, young, lower));
        assert!(replaces(lower, young, lower), "the newer handshake of one dialler counts");
        assert!(replaces(higher, young, higher));
        assert!(replaces(lower, old, higher), "the peer dials because it lost the connection");
        assert!(replaces(lower, young, Origin { instance: 2, ..higher }), "the peer restarted");
    }
}
