//! Instructions for the creditor's agent, and remittance information.

use super::Transaction;
use crate::rules::{Report, rules};
use crate::tree::Node;

rules! {
    /// No code of an instruction for the creditor's agent comes twice.
    CODE_ONCE = "base.instruction-once", CrossField, STRICT_CBPR, ["CH17"],
        "pacs.008 pacs.009 pain.001",
        "CBPR+ rule on InstructionForCreditorAgent, as re-told";
    /// The creditor's agent is not told both to hold the money and to pay by cheque (HOLD, CHQB), nor
    /// both to phone and to use telecommunication (PHOB, TELB).
    CODES_CONFLICT = "base.instruction-conflict", CrossField, STRICT_CBPR, ["CH17"],
        "pacs.008 pacs.009 pain.001",
        "base message, rule InstructionForCreditorAgent; CBPR+, as re-told";
    /// A creditor that is paid by cheque (CHQB) has no account in the message.
    CHEQUE_EXCLUDES_ACCOUNT = "base.cheque-excludes-account", CrossField, WARNING, ["CH17"],
        "pacs.008 pain.001",
        "base message, rule on CHQB and CreditorAccount, as generally known";
    /// Remittance information stands in the message or is located elsewhere, not both.
    REMITTANCE_ONCE = "base.remittance-once", CrossField, STRICT_CBPR, ["RR07"],
        "pacs.003 pacs.008 pain.001",
        "CBPR+ rule on RelatedRemittanceInformation, as re-told";
}

pub(super) fn check(transaction: &Transaction<'_>, report: &mut Report) {
    if let Some(first) = transaction.instruction {
        instructions(first, transaction.creditor_account, report);
    }
    remittance_once(transaction.remittance, transaction.related, report);
}

/// Rules on the instructions from the first of them on.
pub(in crate::rules) fn instructions(
    first: Node<'_>,
    account: Option<Node<'_>>,
    report: &mut Report,
) {
    let mut seen = Codes::default();
    let parent = first.parent().unwrap_or(first);
    for instruction in parent.children("InstrForCdtrAgt") {
        for code in instruction.children("Cd") {
            code_once(&mut seen, code, report);
            cheque_excludes_account(code, account, report);
        }
    }
    codes_conflict(&seen, first, report);
}

/// The codes seen so far.
#[derive(Default)]
struct Codes {
    hold: bool,
    cheque: bool,
    phone: bool,
    telecom: bool,
}

/// See [`CODE_ONCE`].
fn code_once(seen: &mut Codes, code: Node<'_>, report: &mut Report) {
    let known = match code.text() {
        "HOLD" => &mut seen.hold,
        "CHQB" => &mut seen.cheque,
        "PHOB" => &mut seen.phone,
        "TELB" => &mut seen.telecom,
        _ => return,
    };
    if std::mem::replace(known, true) {
        report.add(&CODE_ONCE, code, "The code comes twice.");
    }
}

/// See [`CODES_CONFLICT`].
fn codes_conflict(seen: &Codes, first: Node<'_>, report: &mut Report) {
    if seen.hold && seen.cheque {
        report.add(&CODES_CONFLICT, first, "HOLD and CHQB exclude each other.");
    }
    if seen.phone && seen.telecom {
        report.add(&CODES_CONFLICT, first, "PHOB and TELB exclude each other.");
    }
}

/// See [`CHEQUE_EXCLUDES_ACCOUNT`].
fn cheque_excludes_account(code: Node<'_>, account: Option<Node<'_>>, report: &mut Report) {
    if let Some(account) = account
        && code.text() == "CHQB"
    {
        report.add(&CHEQUE_EXCLUDES_ACCOUNT, account, "Who is paid by cheque needs no account.");
    }
}

/// See [`REMITTANCE_ONCE`].
pub(in crate::rules) fn remittance_once(
    remittance: Option<Node<'_>>,
    related: Option<Node<'_>>,
    report: &mut Report,
) {
    if let (Some(_), Some(related)) = (remittance, related) {
        let text = "Remittance information stands in the message and is located elsewhere.";
        report.add(&REMITTANCE_ONCE, related, text);
    }
}
