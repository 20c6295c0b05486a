//! Money that goes back: returns (`pacs.004`) and reversals (`pacs.007`).

use super::Transaction;
use super::amounts::Amount;
use crate::rules::{Context, Report, rules};
use crate::tree::Node;

rules! {
    /// A return is never more than the original amount, unless it holds a compensation.
    NOT_MORE = "base.return-not-more", CrossField, ERROR, ["AM09"], "pacs.004 pacs.007",
        "base message, definition of ReturnedInterbankSettlementAmount";
    /// A return is in the currency of the original, unless an exchange rate or a compensation says
    /// why not.
    CURRENCY = "base.return-currency", CrossField, WARNING, ["AM11"], "pacs.004 pacs.007",
        "practice of returns, as generally known";
    /// A return names what it returns: an identification of the original transaction or message.
    ORIGINAL_NAMED = "base.return-original-named", CrossField, STRICT, ["CH21"],
        "pacs.004 pacs.007",
        "base message, definition of the original identifications";
    /// A return says why: a reason for the transaction or for the group.
    REASON_PRESENT = "base.return-reason-present", CrossField, STRICT_CBPR, ["CH21"],
        "pacs.004 pacs.007",
        "base message, rule on ReturnReasonInformation; CBPR+ makes it mandatory";
    /// A return for the reason NARR explains it in the additional information.
    REASON_TEXT = "base.return-narrative-text", CrossField, STRICT_CBPR, ["CH21"],
        "pacs.004 pacs.007",
        "base message, rule on the reason NARR";
    /// With the charge bearer CRED the charges taken from a return are told.
    CHARGES_TOLD = "base.return-charges-told", CrossField, STRICT_CBPR, ["CH21"],
        "pacs.004",
        "CBPR+ rule on the charges of a return, as re-told";
    /// The amount and the date of the original are quoted once: not in the transaction and again in
    /// the reference to the original.
    QUOTED_ONCE = "base.return-quoted-once", CrossField, STRICT_CBPR, ["CH17"],
        "pacs.004",
        "CBPR+ rule on OriginalTransactionReference, as re-told";
}

pub(super) fn check(
    context: &Context<'_>,
    group: Option<Node<'_>>,
    node: Node<'_>,
    transaction: &Transaction<'_>,
    money: Option<Amount<'_>>,
    report: &mut Report,
) {
    if let Some(money) = money
        && let Some(original) = transaction.original_amount.and_then(Amount::of)
    {
        not_more(transaction, &original, &money, report);
        currency(transaction, &original, &money, report);
    }
    original_named(group, node, transaction, report);
    reason_present(group, node, transaction, report);
    reason_text(transaction, report);
    if context.family() == "pacs.004" {
        charges_told(node, transaction, report);
        quoted_once(transaction, report);
    }
}

/// See [`NOT_MORE`].
fn not_more(
    transaction: &Transaction<'_>,
    original: &Amount<'_>,
    returned: &Amount<'_>,
    report: &mut Report,
) {
    if original.currency == returned.currency
        && returned.value > original.value
        && transaction.compensation.is_none()
    {
        let text = format!("The original amount is {}.", original.value);
        report.add(&NOT_MORE, returned.node, text);
    }
}

/// See [`CURRENCY`].
fn currency(
    transaction: &Transaction<'_>,
    original: &Amount<'_>,
    returned: &Amount<'_>,
    report: &mut Report,
) {
    if original.currency != returned.currency
        && transaction.rate.is_none()
        && transaction.compensation.is_none()
    {
        let text = format!("The original amount is in {}.", original.currency);
        report.add(&CURRENCY, returned.node, text);
    }
}

/// See [`ORIGINAL_NAMED`].
fn original_named(
    group: Option<Node<'_>>,
    node: Node<'_>,
    transaction: &Transaction<'_>,
    report: &mut Report,
) {
    let own = transaction.original_id.or(transaction.original_uetr).or(transaction.original_group);
    if own.or(group).is_none() {
        report.add(&ORIGINAL_NAMED, node, "Nothing says which payment this is about.");
    }
}

/// See [`REASON_PRESENT`].
fn reason_present(
    group: Option<Node<'_>>,
    node: Node<'_>,
    transaction: &Transaction<'_>,
    report: &mut Report,
) {
    let stated = |reason: Node<'_>| {
        reason.elements().any(|part| matches!(part.name(), "Rsn" | "RtrRsn" | "RvslRsn"))
    };
    let of_group = group.is_some_and(|group| {
        group.elements().any(|one| matches!(one.name(), "RtrRsnInf" | "RvslRsnInf") && stated(one))
    });
    if !of_group && !transaction.reason.is_some_and(stated) {
        report.add(&REASON_PRESENT, node, "A return should say why.");
    }
}

/// See [`REASON_TEXT`].
fn reason_text(transaction: &Transaction<'_>, report: &mut Report) {
    let Some(reason) = transaction.reason else { return };
    let code = reason.text_at("Rsn/Cd");
    if code == Some("NARR") && reason.child("AddtlInf").is_none() {
        report.add(&REASON_TEXT, reason, "NARR should come with additional information.");
    }
}

/// See [`CHARGES_TOLD`].
fn charges_told(node: Node<'_>, transaction: &Transaction<'_>, report: &mut Report) {
    if transaction.bearer.is_some_and(|bearer| bearer.text() == "CRED")
        && transaction.charges.is_none()
    {
        report.add(&CHARGES_TOLD, node, "CRED should come with the charges taken, even if zero.");
    }
}

/// See [`QUOTED_ONCE`].
fn quoted_once(transaction: &Transaction<'_>, report: &mut Report) {
    let Some(reference) = transaction.original else { return };
    for (name, quoted) in [
        ("IntrBkSttlmAmt", transaction.original_amount),
        ("IntrBkSttlmDt", transaction.original_date),
    ] {
        if quoted.is_some()
            && let Some(again) = reference.child(name)
        {
            report.add(&QUOTED_ONCE, again, "This is quoted in the transaction already.");
        }
    }
}
