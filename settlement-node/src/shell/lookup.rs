//! What became of a transfer, as the JSON interface shows it to this node's operator.
//!
//! What memory knows is read from the loop in one look ([`Seen`]); the rest comes from the history and the runs of old
//! ids. Where a transfer had to wait, its answer here is the one of now: where it waits, or how it ended.

use ledger::{Answer, Cause, Command, IdEntry, Leg, Stage, Transfer, TransferId, resolution_id};
use serde::Serialize;
use wire::genesis::hex;

use crate::{
    chain::Chain,
    past::{Past, PastError},
    view::{Names, WaitingView},
};

/// A transfer as the status page and the JSON interface show it.
#[derive(Debug, Serialize)]
pub(super) struct TransferView {
    uetr: String,
    /// Where it stands now.
    answer: &'static str,
    code: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    iso_code: Option<&'static str>,
    /// For operators.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    /// Of the first answer.
    leaf: u64,
    height: u64,
    time_ns: u64,
    legs: Vec<LegView>,
    /// Which command it is.
    kind: &'static str,
    /// Its canonical bytes, hex.
    command: String,
    /// Where it waited at first.
    #[serde(skip_serializing_if = "Option::is_none")]
    waited: Option<&'static str>,
    /// How its waiting ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    end: Option<EndView>,
    /// What it waits for.
    #[serde(skip_serializing_if = "Option::is_none")]
    waiting: Option<WaitingView>,
}

/// The end of a transfer that had to wait.
#[derive(Debug, Serialize)]
struct EndView {
    leaf: u64,
    height: u64,
    time_ns: u64,
    /// `command`, `time`, `cover` or `together`.
    cause: &'static str,
    /// Leaf of the command, or the number that those share that settled together.
    #[serde(skip_serializing_if = "Option::is_none")]
    number: Option<u64>,
    /// The kind of that command.
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<&'static str>,
    /// The reason that a bank gave for its refusal.
    #[serde(skip_serializing_if = "Option::is_none")]
    by_reason: Option<String>,
}

/// One leg of a transfer.
#[derive(Debug, Serialize)]
pub(super) struct LegView {
    debit: String,
    credit: String,
    amount_minor: u64,
}

/// The legs of a transfer.
pub(super) fn legs(transfer: &Transfer, names: &Names) -> Vec<LegView> {
    let leg = |leg: &Leg| LegView {
        debit: names.account(leg.debit),
        credit: names.account(leg.credit),
        amount_minor: leg.amount.minor(),
    };
    transfer.legs.as_slice().iter().map(leg).collect()
}

/// What the loop knows of an id.
pub(super) struct Seen {
    entry: Option<IdEntry>,
    stage: Option<Stage>,
    end: Option<IdEntry>,
    waiting: Option<WaitingView>,
    names: Names,
}

impl Seen {
    /// Reads it from the applied state.
    pub(super) fn read(chain: &Chain, id: &TransferId) -> Self {
        let ledger = chain.ledger();
        let waiting = ledger.waiting(id);
        Self {
            entry: ledger.lookup(id),
            stage: ledger.stage(id),
            end: ledger.lookup(&resolution_id(id)),
            waiting: waiting.map(|waiting| WaitingView::of(chain, waiting)),
            names: Names::read(chain),
        }
    }
}

/// Looks transfers up for this node's operator.
#[derive(Clone)]
pub(super) struct Lookup {
    pub(super) past: Past,
}

impl Lookup {
    /// The transfer; blocking.
    pub(super) fn find(
        &self,
        id: &TransferId,
        seen: Seen,
    ) -> Result<Option<TransferView>, PastError> {
        let Some(entry) = self.past.entry(id, seen.entry)? else { return Ok(None) };
        let past = self.past.block_of_leaf(entry.leaf)?;
        let (height, time_ns) = past.as_ref().map_or((0, 0), |past| (past.height, past.time.0));
        let (mut legs, mut kind, mut command) = (Vec::new(), "", String::new());
        if let Some(applied) = past.as_ref().and_then(|past| past.command(entry.leaf)) {
            kind = applied.command().name();
            command = hex(&applied.submission.batch.command_bytes(applied.position));
            if let Command::Transfer(transfer) = applied.command() {
                legs = self::legs(transfer, &seen.names);
            }
        }
        let (mut now, mut waited, mut end) = (entry.answer(), None, None);
        if let Answer::Waiting(first) = now {
            waited = Some(first.name());
            if let Some(standing) = self.past.standing(id, seen.stage, seen.end)? {
                now = standing.answer;
                end = standing.end.as_ref().map(EndView::of);
            }
        }
        let (answer, refusal) = match now {
            Answer::Settled => ("settled", None),
            Answer::Refused(refusal) if waited.is_some() => ("released", Some(refusal)),
            Answer::Refused(refusal) => ("refused", Some(refusal)),
            Answer::Waiting(stage) => (stage.name(), None),
        };
        Ok(Some(TransferView {
            uetr: id.to_string(),
            answer,
            code: now.code(),
            iso_code: refusal.map(|refusal| refusal.iso_code()),
            reason: refusal.map(|refusal| refusal.operator_text()),
            leaf: entry.leaf,
            height,
            time_ns,
            legs,
            kind,
            command,
            waited,
            end,
            waiting: seen.waiting,
        }))
    }
}

impl EndView {
    fn of(end: &wire::client::End) -> Self {
        let (cause, number) = match end.progress.cause {
            Cause::Command(leaf) => ("command", Some(leaf)),
            Cause::Time => ("time", None),
            Cause::Cover => ("cover", None),
            Cause::Till => ("till", None),
            Cause::Together(number) => ("together", Some(u64::from(number))),
        };
        let by = Command::decode(&end.because).ok().map(|(command, _)| command);
        let by_reason = match &by {
            Some(Command::Refuse(refuse)) => Some(refuse.reason.to_string()),
            _ => None,
        };
        Self {
            leaf: end.leaf,
            height: end.height,
            time_ns: end.time.0,
            cause,
            number,
            by: by.as_ref().map(Command::name),
            by_reason,
        }
    }
}
