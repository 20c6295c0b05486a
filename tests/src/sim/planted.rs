//! The bugs that can be planted in the nodes, by name, so that it can be shown that each is found.

use gateway_adapter::planted as gateway_bugs;
use order::planted as order_bugs;
use settlement_node::planted as node_bugs;

/// A bug that can be planted.
#[derive(Clone, Copy, Debug)]
pub struct Planted {
    /// Its name on the command line.
    pub name: &'static str,
    bug: Bug,
}

#[derive(Clone, Copy, Debug)]
enum Bug {
    Ledger(ledger::planted::Bug),
    Order(order_bugs::Bug),
    Node(node_bugs::Bug),
    /// One mistake that two crates must make.
    Both(node_bugs::Bug, ledger::planted::Bug),
    Gateway(u8),
}

/// All of them.
pub const ALL: [Planted; 12] = [
    Planted { name: "ack-before-fsync", bug: Bug::Node(node_bugs::Bug::AckBeforeFsync) },
    Planted { name: "votes-before-fsync", bug: Bug::Order(order_bugs::Bug::VotesBeforeFsync) },
    Planted {
        name: "no-duplicate-check",
        bug: Bug::Ledger(ledger::planted::Bug::NoDuplicateCheck),
    },
    Planted { name: "skipped-leg", bug: Bug::Ledger(ledger::planted::Bug::SkippedLeg) },
    Planted { name: "clipped-overflow", bug: Bug::Ledger(ledger::planted::Bug::ClippedOverflow) },
    Planted { name: "stale-read", bug: Bug::Node(node_bugs::Bug::StaleRead) },
    Planted {
        name: "deadline-never-fires",
        bug: Bug::Ledger(ledger::planted::Bug::DeadlineNeverFires),
    },
    Planted {
        name: "duplicate-table-lost-in-a-snapshot",
        bug: Bug::Ledger(ledger::planted::Bug::IdsLostInCheckpoint),
    },
    Planted {
        name: "snapshot-installed-unverified",
        bug: Bug::Both(
            node_bugs::Bug::SnapshotUnverified,
            ledger::planted::Bug::CheckpointBelieved,
        ),
    },
    Planted {
        name: "truncation-on-corruption",
        bug: Bug::Node(node_bugs::Bug::TruncatedOnCorruption),
    },
    Planted { name: "lost-outbox-row", bug: Bug::Gateway(gateway_bugs::LOST_OUTBOX_ROW) },
    Planted {
        name: "gateway-answers-before-commit",
        bug: Bug::Gateway(gateway_bugs::ANSWER_BEFORE_COMMIT),
    },
];

/// Plants one bug in the whole process, or none.
pub fn plant(planted: Option<Planted>) {
    ledger::planted::choose(None);
    order_bugs::choose(None);
    node_bugs::choose(None);
    gateway_bugs::plant(gateway_bugs::NONE);
    match planted.map(|planted| planted.bug) {
        None => {}
        Some(Bug::Ledger(bug)) => ledger::planted::choose(Some(bug)),
        Some(Bug::Order(bug)) => order_bugs::choose(Some(bug)),
        Some(Bug::Node(bug)) => node_bugs::choose(Some(bug)),
        Some(Bug::Both(node, ledger)) => {
            node_bugs::choose(Some(node));
            ledger::planted::choose(Some(ledger));
        }
        Some(Bug::Gateway(number)) => gateway_bugs::plant(number),
    }
}
