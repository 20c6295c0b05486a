//! Looks how far the other nodes are, and notes it where the loop and the threads that check find it.
//!
//! The smoothed round trip of a link grows with the queues on it, which must not be taken for distance: the shortest of
//! the last looks counts.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use link::{PeerLinks, PeerStats};
use tokio::task::JoinHandle;

use crate::{
    limits::{DISTANCE_INTERVAL, DISTANCE_LOOKS},
    shares::Shares,
};

/// The last looks at each link, oldest first.
#[derive(Debug, Default)]
struct Looks(BTreeMap<u64, VecDeque<u64>>);

impl Looks {
    /// Takes one more look. Returns the way to the farthest node that is connected, and back; zero without any.
    fn look(&mut self, links: &[PeerStats]) -> Duration {
        let mut farthest = 0;
        for link in links {
            if !link.connected {
                // The way to a node that comes back may be another one.
                self.0.remove(&link.id);
                continue;
            }
            let looks = self.0.entry(link.id).or_default();
            if looks.len() >= DISTANCE_LOOKS {
                looks.pop_front();
            }
            looks.push_back(link.rtt_us);
            farthest = farthest.max(looks.iter().copied().min().unwrap_or(0));
        }
        Duration::from_micros(farthest)
    }
}

/// Goes on looking until the task is ended.
pub(super) fn watch(peers: Arc<PeerLinks>, shares: Arc<Shares>) -> JoinHandle<()> {
    tokio::spawn(async move {
        let mut every = tokio::time::interval(DISTANCE_INTERVAL);
        every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut looks = Looks::default();
        loop {
            every.tick().await;
            shares.set_distance(looks.look(&peers.stats()));
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(id: u64, rtt_us: u64) -> PeerStats {
        PeerStats { id, connected: true, rtt_us, sent_bytes: 0, received_bytes: 0, dropped: 0 }
    }

    #[test]
    fn the_shortest_of_the_last_looks_at_the_farthest_node_counts() {
        let mut looks = Looks::default();
        assert_eq!(looks.look(&[]), Duration::ZERO);
        assert_eq!(looks.look(&[link(1, 400), link(2, 90_000)]), Duration::from_millis(90));
        // A queue on the line is no distance.
        assert_eq!(looks.look(&[link(1, 400_000), link(2, 200_000)]), Duration::from_millis(90));
        // A line that has become longer is believed after a while, and one that is gone is forgotten.
        for _ in 0..DISTANCE_LOOKS {
            looks.look(&[link(1, 500), link(2, 150_000)]);
        }
        assert_eq!(looks.look(&[link(1, 500), link(2, 150_000)]), Duration::from_millis(150));
        let gone = PeerStats { connected: false, ..link(2, 0) };
        assert_eq!(looks.look(&[link(1, 500), gone]), Duration::from_micros(500));
    }
}
