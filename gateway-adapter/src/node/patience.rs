//! When to leave a node that is connected but of no use, such as one in the smaller part of a split
//! network: it keeps the connection and says busy for ever.
//!
//! A node whose height rises is given more time, because others may then be ahead in a queue. Every
//! move without success doubles the time until the next one.

use std::time::Duration;

use tokio::time::Instant;

use crate::limits::{NODE_PATIENCE, NODE_PATIENCE_MAX};

/// A node that makes blocks is left after so many times the usual patience.
const PATIENCE_WITH_BLOCKS: u32 = 5;

/// What a look at the gateway shows.
pub(super) struct Look {
    /// Payments wait for a node.
    pub(super) waits: bool,
    /// Deliveries cannot go on over this connection.
    pub(super) broken: bool,
}

/// What follows.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Verdict {
    /// Nothing is answered now.
    pub(super) stalled: bool,
    /// Another node should be tried now.
    pub(super) leave: bool,
}

/// What the node has shown of itself.
pub(super) struct Patience {
    /// When the connection began, or it was last asked to end.
    turned: Instant,
    /// When a batch was answered or none was waiting.
    answered: Instant,
    /// When a leader was last known.
    led: Instant,
    height: u64,
    /// When the height last rose.
    rose: Instant,
    current: Duration,
}

impl Patience {
    pub(super) fn new(now: Instant) -> Self {
        let current = NODE_PATIENCE;
        Self { turned: now, answered: now, led: now, height: 0, rose: now, current }
    }

    pub(super) fn connected(&mut self, now: Instant) {
        self.turned = now;
        self.led = now;
        self.height = 0;
    }

    pub(super) fn answered(&mut self, now: Instant) {
        self.answered = now;
        self.current = NODE_PATIENCE;
    }

    pub(super) fn status(&mut self, height: u64, leader: u64, now: Instant) {
        if leader != 0 {
            self.led = now;
        }
        // The first height of a connection is no progress.
        if height > self.height {
            if self.height != 0 {
                self.rose = now;
            }
            self.height = height;
        }
    }

    pub(super) fn judge(&mut self, look: Look, now: Instant) -> Verdict {
        if !look.waits {
            self.answered = now;
        }
        let quiet = |since: Instant, limit: Duration| now.duration_since(since) >= limit;
        let useless = |limit: Duration| {
            let silent = quiet(self.answered, limit) && quiet(self.rose, limit);
            let slow = quiet(self.answered, limit * PATIENCE_WITH_BLOCKS);
            look.broken || silent || slow || quiet(self.led, limit)
        };
        let stalled = useless(NODE_PATIENCE);
        let leave = useless(self.current) && quiet(self.turned, self.current);
        if leave {
            self.turned = now;
            self.current = (self.current * 2).min(NODE_PATIENCE_MAX);
        } else if !stalled && !look.waits && quiet(self.turned, self.current) {
            self.current = NODE_PATIENCE;
        }
        Verdict { stalled, leave }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WAITS: Look = Look { waits: true, broken: false };
    const IDLE: Look = Look { waits: false, broken: false };

    fn second(start: Instant, number: u64) -> Instant {
        start + Duration::from_secs(number)
    }

    #[test]
    fn a_node_that_answers_nothing_is_left_sooner_than_one_that_makes_blocks() {
        let start = Instant::now();
        let left_at = |rising: bool| {
            let mut patience = Patience::new(start);
            patience.connected(start);
            (1..60).find(|number| {
                let now = second(start, *number);
                patience.status(if rising { 10 + number } else { 10 }, 1, now);
                patience.judge(WAITS, now).leave
            })
        };
        assert_eq!(left_at(false), Some(NODE_PATIENCE.as_secs()));
        assert_eq!(left_at(true), Some(5 * NODE_PATIENCE.as_secs()));
    }

    #[test]
    fn a_node_without_a_leader_is_left_and_every_move_takes_longer() {
        let start = Instant::now();
        let mut patience = Patience::new(start);
        patience.connected(start);
        let mut moves = Vec::new();
        for number in 1..40 {
            let now = second(start, number);
            patience.status(10, 0, now);
            if patience.judge(IDLE, now).leave {
                moves.push(number);
                patience.connected(now);
            }
        }
        assert_eq!(moves, [3, 9, 21]);
    }

    #[test]
    fn a_quiet_or_answering_node_is_kept() {
        let start = Instant::now();
        let mut patience = Patience::new(start);
        patience.connected(start);
        for number in 1..60 {
            let now = second(start, number);
            patience.status(10, 1, now);
            let look = if number < 30 {
                IDLE
            } else {
                patience.answered(now);
                WAITS
            };
            assert_eq!(patience.judge(look, now), Verdict { stalled: false, leave: false });
        }
    }
}
