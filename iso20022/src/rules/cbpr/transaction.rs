//! Payments in CBPR+: what holds for each transaction.

use crate::lexical;
use crate::reference::bic;
use crate::rules::payments::Transaction;
use crate::rules::values::texts::has_bad_slashes;
use crate::rules::{Context, Report, rules};
use crate::tree::Node;
use crate::views::agent_bic;

rules! {
    /// A transaction has an instruction identification.
    INSTRUCTION_ID = "cbpr.instruction-id-present", Profile, CBPR, ["CH21"], "pacs.008 pacs.009",
        "CBPR+ restriction of PaymentIdentification, as re-told";
    /// An instruction identification has at most 16 characters.
    INSTRUCTION_LENGTH = "cbpr.instruction-id-length", Profile, CBPR, ["CH16"], "pacs.008 pacs.009",
        "CBPR+ restriction of InstructionIdentification, as re-told";
    /// An instruction identification neither starts nor ends with a slash nor holds two in a row.
    INSTRUCTION_SLASHES = "cbpr.instruction-id-slashes", Profile, CBPR, ["CH16"],
        "pacs.008 pacs.009",
        "CBPR+ pattern of InstructionIdentification, as re-told";
    /// In a cover, the first 16 characters of the end-to-end identification follow the same pattern of
    /// slashes.
    COVER_SLASHES = "cbpr.cover-end-to-end", Profile, CBPR, ["CH16"], "pacs.009",
        "CBPR+ rule on EndToEndIdentification in pacs.009 COV, as re-told";
    /// A transaction carries a UETR.
    UETR = "cbpr.uetr-present", Profile, MARKET, ["CH21"], "pacs.003 pacs.008 pacs.009 pacs.010",
        "CBPR+ and HVPS+ restriction of PaymentIdentification, as re-told";
    /// The settlement date stands in the transaction.
    DATE = "cbpr.settlement-date-present", Profile, CBPR, ["DT01"], "pacs.008 pacs.009",
        "CBPR+ restriction of the transaction, as re-told";
    /// Instructing and instructed agent stand in the transaction.
    AGENTS = "cbpr.agents-present", Profile, CBPR, ["CH21"], "pacs.008 pacs.009",
        "CBPR+ restriction of the transaction, as re-told";
    /// Instructing and instructed agent are different.
    AGENTS_DIFFER = "cbpr.agents-differ", Profile, MARKET_WARNING, ["AGNT"], "pacs.008 pacs.009",
        "practice: nobody instructs itself";
    /// The charge bearer is DEBT, CRED or SHAR.
    BEARER = "cbpr.charge-bearer", Profile, CBPR, ["BE19"], "pacs.008",
        "CBPR+ restriction of ChargeBearer, as re-told";
    /// With CRED the charges are told, even if zero.
    CHARGES_CRED = "cbpr.charges-with-cred", Profile, CBPR, ["CH21"], "pacs.008",
        "CBPR+ rule on ChargesInformation, as re-told";
    /// With DEBT there is at most one entry of charges.
    CHARGES_DEBT = "cbpr.charges-with-debt", Profile, CBPR, ["CH17"], "pacs.008",
        "CBPR+ rule on ChargesInformation, as re-told";
    /// A settlement amount has at most 14 digits.
    DIGITS = "cbpr.amount-digits", Profile, CBPR_WARNING, ["AM02"], "pacs.008 pacs.009",
        "CBPR+ restriction of amounts, as generally known";
    /// There are at most three service levels.
    SERVICE_LEVELS = "cbpr.service-levels", Profile, CBPR, ["FF04"], "pacs.008 pacs.009",
        "CBPR+ restriction of ServiceLevel, as re-told";
    /// Of the service levels for tracked payments (G and three digits) only G001 stands in a customer
    /// transfer or its cover.
    GPI = "cbpr.tracked-service", Profile, CBPR, ["FF04"], "pacs.008 pacs.009",
        "CBPR+ rule on ServiceLevel, as re-told";
    /// Instructions for the creditor's agent between institutions are PHOB or TELB.
    INSTRUCTION = "cbpr.institution-instruction", Profile, CBPR, ["CH16"], "pacs.009",
        "CBPR+ restriction of InstructionForCreditorAgent in pacs.009, as re-told";
    /// A debtor without an account has an identification.
    DEBTOR = "cbpr.debtor-identified", Profile, CBPR, ["AC02"], "pacs.008",
        "CBPR+ rules on the options for the debtor, as re-told";
}

/// Longest instruction identification, in characters.
const INSTRUCTION_CHARS_MAX: usize = 16;
/// Most digits of an amount.
const DIGITS_MAX: usize = 14;
/// Most service levels.
const SERVICE_LEVELS_MAX: usize = 3;

pub(super) fn transfer(context: &Context<'_>, node: Node<'_>, report: &mut Report) {
    let transaction = Transaction::of(node);
    let customer = context.family() == "pacs.008";
    match transaction.ids.and_then(|ids| ids.child("InstrId")) {
        None => report.add(&INSTRUCTION_ID, node, "`InstrId` is missing."),
        Some(id) => {
            instruction_length(id, report);
            instruction_slashes(id, report);
        }
    }
    uetr_present(node, report);
    date(context, node, &transaction, report);
    agents(node, &transaction, report);
    agents_differ(&transaction, report);
    digits(&transaction, report);
    service_levels(&transaction, report);
    tracked_service(&transaction, customer, report);
    if customer {
        charges(node, &transaction, report);
        debtor(node, &transaction, report);
    } else {
        cover_slashes(&transaction, report);
        institution_instruction(node, report);
    }
}

/// See [`INSTRUCTION_LENGTH`].
fn instruction_length(id: Node<'_>, report: &mut Report) {
    if id.text().len() > INSTRUCTION_CHARS_MAX && id.text().chars().count() > INSTRUCTION_CHARS_MAX
    {
        report.add(&INSTRUCTION_LENGTH, id, "The identification is longer than 16 characters.");
    }
}

/// See [`INSTRUCTION_SLASHES`].
fn instruction_slashes(id: Node<'_>, report: &mut Report) {
    if has_bad_slashes(id.text()) {
        report.add(&INSTRUCTION_SLASHES, id, "The slashes of the identification are misplaced.");
    }
}

/// See [`COVER_SLASHES`].
fn cover_slashes(transaction: &Transaction<'_>, report: &mut Report) {
    let Some(id) = transaction.ids.and_then(|ids| ids.child("EndToEndId")) else { return };
    let text = id.text();
    let end = text.char_indices().nth(INSTRUCTION_CHARS_MAX).map_or(text.len(), |(at, _)| at);
    if transaction.cover.is_some() && has_bad_slashes(&text[..end]) {
        report.add(&COVER_SLASHES, id, "The slashes of the identification are misplaced.");
    }
}

/// See [`UETR`].
pub(super) fn uetr_present(node: Node<'_>, report: &mut Report) {
    if node.at("PmtId/UETR").is_none() {
        report.add(&UETR, node, "The transaction has no UETR.");
    }
}

/// See [`DATE`].
fn date(context: &Context<'_>, node: Node<'_>, transaction: &Transaction<'_>, report: &mut Report) {
    if transaction.date.is_none() {
        let elsewhere = context.body.at("GrpHdr/IntrBkSttlmDt").is_some();
        let text = if elsewhere {
            "The settlement date stands in the group header."
        } else {
            "The settlement date is missing."
        };
        report.add(&DATE, node, text);
    }
}

/// See [`AGENTS`].
fn agents(node: Node<'_>, transaction: &Transaction<'_>, report: &mut Report) {
    for (name, agent) in
        [("InstgAgt", transaction.instructing), ("InstdAgt", transaction.instructed)]
    {
        if agent.is_none() {
            report.add(&AGENTS, node, format!("`{name}` is missing in the transaction."));
        }
    }
}

/// See [`AGENTS_DIFFER`].
fn agents_differ(transaction: &Transaction<'_>, report: &mut Report) {
    if let Some(instructed) = transaction.instructed
        && let Some(left) = transaction.instructing.and_then(agent_bic)
        && let Some(right) = agent_bic(instructed)
        && bic::same(left, right)
    {
        report.add(&AGENTS_DIFFER, instructed, "Both agents are the same.");
    }
}

/// See [`DIGITS`].
fn digits(transaction: &Transaction<'_>, report: &mut Report) {
    let Some(amount) = transaction.amount else { return };
    let shape = lexical::decimal(lexical::collapse(amount.text()));
    if shape.is_some_and(|shape| shape.whole + shape.fraction > DIGITS_MAX) {
        report.add(&DIGITS, amount, "The amount has more than 14 digits.");
    }
}

/// See [`SERVICE_LEVELS`].
fn service_levels(transaction: &Transaction<'_>, report: &mut Report) {
    let Some(payment_type) = transaction.payment_type else { return };
    let count = payment_type.children("SvcLvl").count();
    if count > SERVICE_LEVELS_MAX {
        report.add(&SERVICE_LEVELS, payment_type, format!("There are {count} service levels."));
    }
}

/// See [`GPI`].
fn tracked_service(transaction: &Transaction<'_>, customer: bool, report: &mut Report) {
    let tracked = |code: &str| {
        code.len() == 4 && code.starts_with('G') && code[1..].bytes().all(|b| b.is_ascii_digit())
    };
    let Some(payment_type) = transaction.payment_type else { return };
    if !customer && transaction.cover.is_none() {
        return;
    }
    for code in payment_type.children("SvcLvl").filter_map(|level| level.child("Cd")) {
        if tracked(code.text()) && code.text() != "G001" {
            report.add(&GPI, code, "Of the tracked services only G001 is allowed here.");
        }
    }
}

fn charges(node: Node<'_>, transaction: &Transaction<'_>, report: &mut Report) {
    let Some(bearer) = transaction.bearer else { return };
    charge_bearer(bearer, report);
    charges_with_cred(node, bearer, transaction, report);
    charges_with_debt(node, bearer, report);
}

/// See [`BEARER`].
fn charge_bearer(bearer: Node<'_>, report: &mut Report) {
    if bearer.text() == "SLEV" {
        report.add(&BEARER, bearer, "SLEV belongs to schemes within one area.");
    }
}

/// See [`CHARGES_CRED`].
fn charges_with_cred(
    node: Node<'_>,
    bearer: Node<'_>,
    transaction: &Transaction<'_>,
    report: &mut Report,
) {
    if bearer.text() == "CRED" && transaction.charges.is_none() {
        report.add(&CHARGES_CRED, node, "CRED needs the charges taken, even if zero.");
    }
}

/// See [`CHARGES_DEBT`].
fn charges_with_debt(node: Node<'_>, bearer: Node<'_>, report: &mut Report) {
    if bearer.text() == "DEBT"
        && let Some(second) = node.children("ChrgsInf").nth(1)
    {
        report.add(&CHARGES_DEBT, second, "With DEBT there is one entry of charges at most.");
    }
}

/// See [`INSTRUCTION`].
fn institution_instruction(node: Node<'_>, report: &mut Report) {
    let codes = node.children("InstrForCdtrAgt").filter_map(|instruction| instruction.child("Cd"));
    for code in codes {
        if !matches!(code.text(), "PHOB" | "TELB") {
            report.add(&INSTRUCTION, code, "Between institutions only PHOB and TELB are allowed.");
        }
    }
}

/// See [`DEBTOR`].
fn debtor(node: Node<'_>, transaction: &Transaction<'_>, report: &mut Report) {
    let identified = transaction.debtor.is_some_and(|debtor| debtor.child("Id").is_some());
    if transaction.debtor_account.is_none() && !identified {
        report.add(&DEBTOR, node, "The debtor has neither an account nor an identification.");
    }
}
