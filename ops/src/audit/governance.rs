//! The rows of what banks decide together, and of acts that take two people.
//!
//! A proposal, a vote, a confirmation and a withdrawal are rows of their own kind; how a proposal or act ended is one of
//! kind `end`. The words are for people: what counts is the record of the same leaf.

use ledger::{AssetNumber, Command, Content, Ledger, ParticipantNumber, Progress, TransferId};
use wire::genesis::hex;

use super::rows::{Rows, Table};
use crate::replay::At;

/// The id that a command is about, where it is not its own.
pub(super) fn about(command: &Command) -> Option<TransferId> {
    match command {
        Command::Approve(one) => Some(one.transfer),
        Command::Refuse(one) => Some(one.transfer),
        Command::Reveal(one) => Some(one.transfer),
        Command::Cancel(one) => Some(one.transfer),
        Command::Reorder(one) => Some(one.transfer),
        Command::ReportCredit(one) => Some(one.transfer),
        Command::Vote(one) => Some(one.proposal),
        Command::Withdraw(one) => Some(one.id),
        Command::Confirm(one) => Some(one.id),
        Command::WithdrawQuote(one) => Some(one.quote),
        Command::ReturnExchange(one) => Some(one.original.id),
        _ => None,
    }
}

/// Writes the row of a command, if it is about a decision.
pub(super) fn row(
    ledger: &Ledger,
    at: At,
    submitter: ParticipantNumber,
    command: &Command,
    answer: ledger::Answer,
    rows: &mut Rows,
) {
    let (by, what, expires) = match command {
        Command::Propose(propose) => {
            let what = words(ledger, &propose.content);
            (propose.proposer, Some(what), Some(propose.expires.0))
        }
        Command::Vote(vote) => {
            let what = if vote.in_favour { "in favour" } else { "against" };
            (submitter, Some(what.to_owned()), None)
        }
        Command::Confirm(_) | Command::Withdraw(_) => (submitter, None, None),
        _ => return,
    };
    rows.row(Table::Governance)
        .big(at.leaf)
        .big(at.height)
        .time(at.time)
        .text(command.name())
        .option(command.id(), |row, id| row.bytes(&id.0))
        .option(about(command), |row, id| row.bytes(&id.0))
        .int(by.0)
        .int(answer.code().into())
        .option(what, |row, what| row.text(&what))
        .option(expires, |row, time| row.big(time));
}

/// Writes how a proposal or act ended, if that is what went on.
pub(super) fn end_row(at: At, one: &Progress, command: &Command, rows: &mut Rows) {
    let pays = matches!(command, Command::Transfer(_));
    if pays || !one.answer.is_final() {
        return;
    }
    rows.row(Table::Governance)
        .big(at.leaf)
        .big(at.height)
        .time(at.time)
        .text("end")
        .null()
        .bytes(&one.id.0)
        .null()
        .int(one.answer.code().into())
        .text(command.name())
        .null();
}

fn words(ledger: &Ledger, content: &Content) -> String {
    let bic = |number: ParticipantNumber| {
        let found = ledger.participant(number);
        found.map_or_else(|| number.to_string(), |found| found.bic.to_string())
    };
    let code = |number: AssetNumber| {
        let found = ledger.asset(number);
        found.map_or_else(|| number.to_string(), |found| found.code.to_string())
    };
    match content {
        Content::Admit(admit) => format!("admit {}", admit.bic),
        Content::SetState { participant, state } => {
            format!("state of {}: {}", bic(*participant), state.name())
        }
        Content::AddAsset(add) => format!("add asset {}, issuer {}", add.code, bic(add.issuer)),
        Content::SetCalendar { asset, calendar } => {
            let hours = if calendar.is_some() { "by calendar" } else { "always" };
            format!("hours of {}: {hours}", code(*asset))
        }
        Content::SetLegLimit { asset, most } => match most {
            Some(most) => format!("limit of a leg in {}: {most}", code(*asset)),
            None => format!("limit of a leg in {}: none", code(*asset)),
        },
        Content::AddNode { id, node } => {
            format!("node {id}: {} {}", bic(node.operator), hex(&node.link_key))
        }
        Content::RemoveNode { id } => format!("node {id}: removed"),
        Content::ActivateRules(activate) => format!("rules: version {}", activate.version),
        Content::SetFinality { faulty } => format!("finality: {faulty} faulty nodes"),
        Content::SetVoting(policy) => {
            let voters: Vec<String> = policy.voters.iter().map(|one| bic(*one)).collect();
            format!("voting: {} needed of {}", policy.needed, voters.join(" "))
        }
        Content::ReplaceKeys { participant, signing_keys } => {
            let keys: Vec<String> = signing_keys.iter().map(|key| hex(&key.0)).collect();
            format!("keys of {}: {}", bic(*participant), keys.join(" "))
        }
    }
}
