//! Looks how far the other nodes are, and notes it where the loop and the threads that check find it.
//!
//! The smoothed round trip of a link grows with the queues on it, which must not be taken for distance: the shortest of
//! the last looks counts. What a payment waits for is a majority, so the farthest node of the nearest majority counts: one
//! that is far away, or answers late, changes nothing for the others.

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
    /// Takes one more look at the links to all other nodes. Returns the way to the farthest of the nearest majority,
    /// and back, as far as so many are connected; zero without any.
    fn look(&mut self, links: &[PeerStats]) -> Duration {
        let mut ways = Vec::new();
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
            ways.extend(looks.iter().copied().min());
        }
        ways.sort_unstable();
        // With this node itself they are more than half.
        let needed = links.len().div_ceil(2);
        let way = ways.get(needed.saturating_sub(1)).or(ways.last());
        Duration::from_micros(way.copied().unwrap_or(0))
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
    fn the_shortest_of_the_last_looks_counts() {
        let mut looks = Looks::default();
        assert_eq!(looks.look(&[]), Duration::ZERO);
        assert_eq!(looks.look(&[link(1, 90_000)]), Duration::from_millis(90));
        // A queue on the line is no distance.
        assert_eq!(looks.look(&[link(1, 400_000)]), Duration::from_millis(90));
        // A line that has become longer is believed after a while, and one that is gone is forgotten.
        for _ in 0..DISTANCE_LOOKS {
            looks.look(&[link(1, 150_000)]);
        }
        assert_eq!(looks.look(&[link(1, 150_000)]), Duration::from_millis(150));
        let gone = PeerStats { connected: false, ..link(1, 0) };
        assert_eq!(looks.look(&[gone]), Duration::ZERO);
        assert_eq!(looks.look(&[link(1, 500)]), Duration::from_micros(500));
    }

    #[test]
    fn the_farthest_of_the_nearest_majority_counts() {
        let look = |ways: &[u64]| {
            let links: Vec<_> = ways.iter().zip(1..).map(|(ms, id)| link(id, ms * 1_000)).collect();
            Looks::default().look(&links).as_millis()
        };
        assert_eq!(look(&[150, 1]), 1, "one far node of three holds nobody up");
        assert_eq!(look(&[150, 1, 2]), 2);
        assert_eq!(look(&[150, 1, 300, 2]), 2);
        assert_eq!(look(&[150, 300, 1]), 150, "two of four are no majority");
        let gone = PeerStats { connected: false, ..link(1, 1_000) };
        let way = Looks::default().look(&[link(2, 150_000), gone]);
        assert_eq!(way.as_millis(), 150, "a majority needs the far one now");
    }
}
