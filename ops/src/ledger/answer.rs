//! What a command says, and what was answered to it, in plain words or as JSON.

use ledger::{Answer, Command, Outcome, Refusal, TransferId};
use serde::Serialize;
use wire::client::Outcomes;

use super::look::Standing;
use super::network::Network;
use crate::clock::date_time;

/// What was answered to one command.
#[derive(Clone, Debug, Serialize)]
pub struct Told {
    /// Its kind.
    pub command: &'static str,
    /// Its own id, or that of the transfer that it is about.
    pub id: String,
    /// `settled`, `done`, `refused`, or the stage where it waits: `warehoused`, `held`, `queued`.
    pub answer: String,
    /// Number of the answer.
    pub code: u16,
    /// Name of the refusal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refusal: Option<String>,
    /// Reason in ISO 20022's ExternalStatusReason1Code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub iso_code: Option<String>,
    /// What is wrong and what to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// What the ledger saw.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operator_text: Option<String>,
    /// Whether this id was answered before, and this is that answer.
    pub repeated: bool,
    /// Its leaf in the log.
    pub leaf: u64,
    /// Block that holds it.
    pub height: u64,
    /// Ledger time of that block.
    pub time_ns: u64,
    /// How it ended after waiting, where that was waited for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end: Option<Standing>,
}

impl Told {
    pub(super) fn of(
        network: &Network,
        command: &Command,
        outcome: &Outcome,
        leaf: u64,
        outcomes: &Outcomes,
    ) -> Self {
        let refusal = match outcome.answer {
            Answer::Refused(refusal) => Some(refusal),
            _ => None,
        };
        let moves_money = matches!(
            command,
            Command::Transfer(_)
                | Command::Issue(_)
                | Command::Redeem(_)
                | Command::Exchange(_)
                | Command::ReturnExchange(_)
        );
        let answer = match outcome.answer {
            Answer::Settled if moves_money => "settled",
            Answer::Settled => "done",
            Answer::Refused(_) => "refused",
            Answer::Waiting(stage) => stage.name(),
        };
        Self {
            command: command.name(),
            id: about(network, command),
            answer: answer.to_owned(),
            code: outcome.answer.code(),
            refusal: refusal.map(|one| one.name().to_owned()),
            iso_code: refusal.map(|one| one.iso_code().to_owned()),
            text: refusal.map(|one| one.sender_text().to_owned()),
            operator_text: refusal.map(|one| one.operator_text().to_owned()),
            repeated: outcome.original.is_some(),
            leaf,
            height: outcomes.height.0,
            time_ns: outcomes.time.0,
            end: None,
        }
    }

    pub(super) fn waits(&self) -> bool {
        matches!(Answer::from_code(self.code), Some(Answer::Waiting(_)))
    }

    pub(super) fn end(&mut self, end: Standing) {
        self.end = Some(end);
    }

    /// Why it is refused or was released, if so, as a sentence.
    pub(crate) fn refused(&self) -> Option<String> {
        let released = self.end.as_ref().filter(|end| end.answer == "released");
        let refusal = match (released, Answer::from_code(self.code)) {
            (Some(end), _) => Refusal::from_code(end.code),
            (None, Some(Answer::Refused(refusal))) => Some(refusal),
            _ => None,
        }?;
        let how = if released.is_some() { "was released" } else { "is refused" };
        Some(format!("{} {} {how}: {}", self.command, self.id, reason(refusal)))
    }

    /// A line for people.
    pub(crate) fn text(&self) -> String {
        let before = if self.repeated { " (answered before)" } else { "" };
        let mut text = format!(
            "{} {}: {}{before}, leaf {} in block {} at {} UTC",
            self.command,
            self.id,
            self.answer,
            self.leaf,
            self.height,
            date_time(self.time_ns)
        );
        if let Some(end) = &self.end {
            text += &format!("\nthen {}", end.text());
        } else if self.waits() {
            text += "\nit waits; `corridor ledger explain` says what for";
        }
        text
    }
}

/// A refusal with its number, its ISO code, and both texts.
pub(super) fn reason(refusal: Refusal) -> String {
    format!(
        "{} [refusal {} {}, ISO {}: {}]",
        refusal.sender_text(),
        refusal.code(),
        refusal.name(),
        refusal.iso_code(),
        refusal.operator_text()
    )
}

fn about(network: &Network, command: &Command) -> String {
    let of = |id: &TransferId| id.to_string();
    match (command.id(), command) {
        (Some(id), _) => of(&id),
        (None, Command::Approve(one)) => of(&one.transfer),
        (None, Command::Refuse(one)) => of(&one.transfer),
        (None, Command::Reveal(one)) => of(&one.transfer),
        (None, Command::Cancel(one)) => of(&one.transfer),
        (None, Command::WithdrawQuote(one)) => of(&one.quote),
        (None, Command::ReportCredit(one)) => of(&one.transfer),
        (None, Command::Vote(one)) => of(&one.proposal),
        (None, Command::Withdraw(one)) => of(&one.id),
        (None, Command::Confirm(one)) => of(&one.id),
        (None, Command::RetireKey(one)) => one.key.to_string(),
        (None, Command::RevokeKey(one)) => one.key.to_string(),
        (None, Command::OpenAccount(one)) => network.bic(one.owner),
        (None, _) => String::new(),
    }
}

/// What a command says, for whoever is to sign it.
pub(super) fn says(network: &Network, command: &Command) -> Vec<String> {
    let Command::Transfer(transfer) = command else {
        return vec![format!("{} {}: {command:?}", command.name(), about(network, command))];
    };
    let mut lines = vec![format!("transfer {}", transfer.id)];
    for leg in transfer.legs.as_slice() {
        let from = network.account_name(leg.debit);
        let amount = network.amount_text(i128::from(leg.amount.minor()), &from);
        lines.push(format!("  moves {amount}  {from} -> {}", network.account_name(leg.credit)));
    }
    if let Some(options) = &transfer.options {
        if let Some(deadline) = options.deadline {
            lines.push(format!("  deadline {} UTC", date_time(deadline.0)));
        }
        if let Some(start) = options.not_before {
            lines.push(format!("  not before {} UTC", date_time(start.0)));
        }
        if let Some(returns) = options.returns {
            lines.push(format!("  returns {returns}"));
        }
        let conditions = options.conditions.iter();
        lines.extend(conditions.map(|one| format!("  condition {one:?}")));
    }
    lines
}
