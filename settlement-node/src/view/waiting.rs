//! Transfers that wait, and what they wait for, as people are shown them.

use ledger::{AccountNumber, Approver, Condition, Obstacle, ParticipantNumber, Stage, Waiting};
use serde::Serialize;
use wire::genesis::hex;

use crate::chain::Chain;

/// Most transfers in one answer.
pub const WAITING_SHOWN_MAX: usize = 1_000;

/// Names of accounts and participants by their numbers.
pub struct Names {
    accounts: Vec<String>,
}

impl Names {
    /// Reads them from the applied state.
    #[must_use]
    pub fn read(chain: &Chain) -> Self {
        let accounts = chain.ledger().accounts().map(|view| view.name.to_string()).collect();
        Self { accounts }
    }

    /// An account's name; its number where there is none.
    #[must_use]
    pub fn account(&self, number: AccountNumber) -> String {
        self.accounts.get(number.0 as usize).cloned().unwrap_or_else(|| number.to_string())
    }
}

pub(super) fn account(chain: &Chain, number: AccountNumber) -> String {
    let view = chain.ledger().account(number);
    view.map_or_else(|| number.to_string(), |view| view.name.to_string())
}

pub(super) fn bic(chain: &Chain, number: ParticipantNumber) -> String {
    let found = chain.ledger().participant(number);
    found.map_or_else(|| number.to_string(), |participant| participant.bic.to_string())
}

/// A transfer that waits.
#[derive(Clone, Debug, Serialize)]
pub struct WaitingView {
    /// Its id.
    pub uetr: String,
    /// `warehoused`, `held` or `queued`.
    pub stage: &'static str,
    /// `urgent`, `high` or `normal`.
    pub priority: &'static str,
    /// Who sent it.
    pub submitter: String,
    /// After this time it is released.
    pub deadline_ns: u64,
    /// What it moves.
    pub legs: Vec<WaitingLeg>,
    /// Its release conditions.
    pub conditions: Vec<ConditionView>,
    /// What it waits for.
    pub obstacles: Vec<ObstacleView>,
}

/// A movement that waits.
#[derive(Clone, Debug, Serialize)]
pub struct WaitingLeg {
    /// Account that pays.
    pub debit: String,
    /// Account that receives.
    pub credit: String,
    /// Minor units.
    pub amount_minor: String,
}

/// A release condition.
#[derive(Clone, Debug, Serialize)]
pub struct ConditionView {
    /// In words.
    pub text: String,
    /// Whether it is met.
    pub met: bool,
}

/// Something that a transfer waits for.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum ObstacleView {
    /// Its time has not come.
    Start {
        /// When it comes.
        time_ns: u64,
    },
    /// A condition is open.
    Condition {
        /// Which, in words.
        text: String,
    },
    /// A bank that would pay has not agreed.
    Agreement {
        /// Which.
        bic: String,
    },
    /// An account lacks money.
    Cover {
        /// Which.
        account: String,
        /// How much, in minor units.
        missing_minor: String,
    },
    /// An asset is closed until its business day opens.
    Opening {
        /// When it opens.
        time_ns: u64,
    },
    /// Money of an account is kept for more urgent transfers.
    Reserved {
        /// Which.
        account: String,
        /// How much is missing, in minor units.
        missing_minor: String,
    },
    /// A limit that it would pass.
    Limit {
        /// Of which account.
        account: String,
        /// Name of the refusal that it would be.
        limit: &'static str,
        /// Of a bilateral limit: towards whom.
        #[serde(skip_serializing_if = "Option::is_none")]
        towards: Option<String>,
        /// By how much, in minor units.
        by_minor: String,
        /// Of a limit within a window: when it moves on.
        #[serde(skip_serializing_if = "Option::is_none")]
        moves_on_ns: Option<u64>,
    },
    /// A transfer of higher priority comes first.
    Behind {
        /// At which account.
        account: String,
        /// Which transfer.
        uetr: String,
    },
}

impl WaitingView {
    /// A transfer that waits, with all that it waits for now.
    #[must_use]
    pub fn of(chain: &Chain, waiting: &Waiting) -> Self {
        let (options, now) = (waiting.options(), chain.time());
        let open: Vec<usize> = waiting.open_conditions(now).collect();
        let legs = waiting.transfer.legs.as_slice().iter();
        let words = |at: usize| condition(chain, &options.conditions[at]);
        let obstacles = chain.ledger().explain(&waiting.transfer.id, now).unwrap_or_default();
        Self {
            uetr: waiting.transfer.id.to_string(),
            stage: waiting.stage.name(),
            priority: match waiting.priority {
                ledger::Priority::Urgent => "urgent",
                ledger::Priority::High => "high",
                ledger::Priority::Normal => "normal",
            },
            submitter: bic(chain, waiting.submitter),
            deadline_ns: waiting.deadline().0,
            legs: legs
                .map(|leg| WaitingLeg {
                    debit: account(chain, leg.debit),
                    credit: account(chain, leg.credit),
                    amount_minor: leg.amount.to_string(),
                })
                .collect(),
            conditions: (0..options.conditions.len())
                .map(|at| ConditionView { text: words(at), met: !open.contains(&at) })
                .collect(),
            obstacles: obstacles
                .into_iter()
                .map(|obstacle| match obstacle {
                    Obstacle::Start(time) => ObstacleView::Start { time_ns: time.0 },
                    Obstacle::Condition(at) => ObstacleView::Condition { text: words(at) },
                    Obstacle::Agreement(bank) => ObstacleView::Agreement { bic: bic(chain, bank) },
                    Obstacle::Cover { account: short, missing } => ObstacleView::Cover {
                        account: account(chain, short),
                        missing_minor: missing.to_string(),
                    },
                    Obstacle::Opening(time) => ObstacleView::Opening { time_ns: time.0 },
                    Obstacle::Reserved { account: short, missing } => ObstacleView::Reserved {
                        account: account(chain, short),
                        missing_minor: missing.to_string(),
                    },
                    Obstacle::Limit { account: of, limit, towards, by, moves_on } => {
                        ObstacleView::Limit {
                            account: account(chain, of),
                            limit: limit.name(),
                            towards: towards.map(|bank| bic(chain, bank)),
                            by_minor: by.to_string(),
                            moves_on_ns: moves_on.map(|time| time.0),
                        }
                    }
                    Obstacle::Behind { account: at, transfer } => ObstacleView::Behind {
                        account: account(chain, at),
                        uetr: transfer.to_string(),
                    },
                })
                .collect(),
        }
    }
}

fn condition(chain: &Chain, condition: &Condition) -> String {
    let approver = |one: &Approver| match one {
        Approver::Participant(participant) => bic(chain, *participant),
        Approver::Key(key) => format!("key {key}"),
    };
    match condition {
        Condition::Approval { participant } => format!("approval by {}", bic(chain, *participant)),
        Condition::KeyApproval { key } => format!("approval by key {key}"),
        Condition::Threshold { k, of } => {
            let of: Vec<String> = of.iter().map(approver).collect();
            format!("approval by {k} of {}", of.join(", "))
        }
        Condition::Preimage { sha256 } => format!("preimage of SHA-256 {}", hex(&sha256.0)),
        Condition::NotBefore(time) => format!("not before {} ns", time.0),
    }
}

/// Transfers that wait, at a height.
#[derive(Clone, Debug, Serialize)]
pub struct WaitingList {
    /// Height at which they were read.
    pub height: u64,
    /// Ledger time of that block.
    pub time_ns: u64,
    /// How many wait in all.
    pub count: usize,
    /// Those that were asked for: queued ones first, in the order of the queue; at most 1,000.
    pub transfers: Vec<WaitingView>,
}

/// Reads the transfers that wait and, if an account is named, debit or credit it.
#[must_use]
pub fn waiting(chain: &Chain, account: Option<AccountNumber>) -> WaitingList {
    let ledger = chain.ledger();
    let concerns = |one: &&Waiting| {
        let legs = one.transfer.legs.as_slice();
        account.is_none_or(|own| legs.iter().any(|leg| leg.debit == own || leg.credit == own))
    };
    let mut found: Vec<&Waiting> = ledger.all_waiting().filter(concerns).collect();
    let place = |one: &&Waiting| (one.stage != Stage::Queued, one.priority, one.order);
    found.sort_by_key(place);
    found.truncate(WAITING_SHOWN_MAX);
    WaitingList {
        height: chain.height().0,
        time_ns: chain.time().0,
        count: ledger.waiting_count(),
        transfers: found.into_iter().map(|one| WaitingView::of(chain, one)).collect(),
    }
}
