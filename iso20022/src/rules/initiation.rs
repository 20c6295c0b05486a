//! What customers send: credit transfer and direct debit initiation (`pain.001`, `pain.008`).

use super::payments::{agents, instructions};
use super::pick::picked;
use super::{Context, Report, Rule, rules};
use crate::tree::Node;
use crate::views::money::decimal;
use rust_decimal::Decimal;

rules! {
    /// `NbOfTxs` of the group is the number of transactions in the message.
    NUMBER = "base.initiation-number", CrossField, ERROR, ["AM18"], "pain.001 pain.008",
        "base message, definition of GroupHeader/NumberOfTransactions";
    /// `CtrlSum` of the group is the sum of all instructed amounts as plain numbers.
    CONTROL_SUM = "base.initiation-control-sum", CrossField, ERROR, ["AM10"], "pain.001 pain.008",
        "base message, definition of GroupHeader/ControlSum";
    /// `NbOfTxs` of a payment block is the number of its transactions.
    BLOCK_NUMBER = "base.block-number", CrossField, ERROR, ["AM20"], "pain.001 pain.008",
        "base message, definition of PaymentInformation/NumberOfTransactions";
    /// `CtrlSum` of a payment block is the sum of its instructed amounts as plain numbers.
    BLOCK_SUM = "base.block-control-sum", CrossField, ERROR, ["AM17"], "pain.001 pain.008",
        "base message, definition of PaymentInformation/ControlSum";
    /// Payment type information stands in the payment block or in its transactions, not in both.
    TYPE_ONCE = "base.initiation-payment-type-once", CrossField, ERROR, ["CH17"], "pain.001 pain.008",
        "base message, rule PaymentTypeInformation";
    /// The charge bearer stands in the payment block or in its transactions, not in both.
    BEARER_ONCE = "base.initiation-charge-bearer-once", CrossField, ERROR, ["CH17"],
        "pain.001 pain.008",
        "base message, rule ChargeBearer";
    /// The ultimate debtor (of a direct debit: the ultimate creditor) stands in the payment block or
    /// in its transactions, not in both.
    ULTIMATE_ONCE = "base.initiation-ultimate-once", CrossField, ERROR, ["CH17"],
        "pain.001 pain.008",
        "base message, rules UltimateDebtor and UltimateCreditor";
    /// The agent of a charges account comes with the account.
    CHARGES_AGENT = "base.charges-agent-needs-account", CrossField, ERROR, ["CH21"],
        "pain.001 pain.008",
        "base message, rule ChargesAccountAgent";
    /// Instructions for a cheque stand only in payments by cheque.
    CHEQUE_METHOD = "base.cheque-needs-method", CrossField, ERROR, ["CH17"], "pain.001",
        "base message, rule ChequeInstruction and PaymentMethod";
    /// Identifications of payment blocks are unique in a message.
    BLOCK_ID = "base.block-identification-once", CrossField, ERROR, ["DU02"], "pain.001 pain.008",
        "base message, definition of PaymentInformationIdentification";
    /// A payment by transfer names the creditor's account and the creditor.
    CREDITOR_NAMED = "base.transfer-needs-creditor", CrossField, WARNING, ["BE22"], "pain.001",
        "base message, rules on Creditor and CreditorAccount for transfers, as generally known";
    /// An equivalent amount is in another currency than the transfer.
    EQUIVALENT = "base.equivalent-currency", CrossField, WARNING, ["AM11"], "pain.001",
        "base message, definition of EquivalentAmount";
    /// An instructed amount is not zero.
    NOT_ZERO = "base.instructed-amount-not-zero", CrossField, ERROR, ["AM01"],
        "pain.001 pain.008",
        "reason code AM01; nothing of no value is initiated";
}

picked! {
    Block {
        id: "PmtInfId",
        method: "PmtMtd",
        number: "NbOfTxs",
        sum: "CtrlSum",
        payment_type: "PmtTpInf",
        bearer: "ChrgBr",
        ultimate: "UltmtDbtr",
        ultimate_creditor: "UltmtCdtr",
        charges_account: "ChrgsAcct",
        charges_agent: "ChrgsAcctAgt",
    }
}

picked! {
    One {
        payment_type: "PmtTpInf",
        amount: "Amt",
        instructed: "InstdAmt",
        bearer: "ChrgBr",
        cheque: "ChqInstr",
        ultimate: "UltmtDbtr",
        ultimate_creditor: "UltmtCdtr",
        creditor: "Cdtr",
        account: "CdtrAcct",
        instruction: "InstrForCdtrAgt",
        remittance: "RmtInf",
        related: "RltdRmtInf",
    }
}

pub(super) fn check(context: &Context<'_>, report: &mut Report) {
    let debit = context.family() == "pain.008";
    let name = if debit { "DrctDbtTxInf" } else { "CdtTrfTxInf" };
    let (mut count, mut sum) = (0_usize, Some(Decimal::ZERO));
    let mut ids = Vec::new();
    for node in context.body.children("PmtInf") {
        let block = Block::of(node);
        let (mut own_count, mut own_sum) = (0_usize, Some(Decimal::ZERO));
        for transaction in node.children(name) {
            own_count += 1;
            let amount = one(&block, transaction, debit, report);
            own_sum = own_sum.zip(amount).and_then(|(sum, amount)| sum.checked_add(amount));
        }
        stated_number(block.number, own_count, &BLOCK_NUMBER, report);
        stated_sum(block.sum, own_sum, &BLOCK_SUM, report);
        charges_agent(&block, report);
        block_id(&block, &mut ids, report);
        count += own_count;
        sum = sum.zip(own_sum).and_then(|(sum, own)| sum.checked_add(own));
    }
    let group = context.body.child("GrpHdr");
    stated_number(group.and_then(|g| g.child("NbOfTxs")), count, &NUMBER, report);
    stated_sum(group.and_then(|g| g.child("CtrlSum")), sum, &CONTROL_SUM, report);
}

fn one(block: &Block<'_>, node: Node<'_>, debit: bool, report: &mut Report) -> Option<Decimal> {
    let one = One::of(node);
    both(block.payment_type, one.payment_type, &TYPE_ONCE, report);
    both(block.bearer, one.bearer, &BEARER_ONCE, report);
    // The side that a block is for stands in the block; the other side belongs to transactions.
    let (of_block, own) = match debit {
        true => (block.ultimate_creditor, one.ultimate_creditor),
        false => (block.ultimate, one.ultimate),
    };
    both(of_block, own, &ULTIMATE_ONCE, report);
    agents::chain(node, report);
    if let Some(first) = one.instruction {
        instructions::instructions(first, one.account, report);
    }
    instructions::remittance_once(one.remittance, one.related, report);
    if !debit {
        cheque_method(block, &one, report);
        creditor_named(block, node, &one, report);
    }
    let amount = amount_of(&one, report)?;
    let value = decimal(amount.text())?;
    not_zero(amount, value, report);
    Some(value)
}

/// The amount that counts: the instructed one, or the one that an equivalent is given for.
fn amount_of<'a>(one: &One<'a>, report: &mut Report) -> Option<Node<'a>> {
    let Some(choice) = one.amount else { return one.instructed };
    if let Some(equivalent) = choice.child("EqvtAmt") {
        equivalent_currency(equivalent, report);
        return equivalent.child("Amt");
    }
    choice.child("InstdAmt")
}

/// See [`NUMBER`] and [`BLOCK_NUMBER`].
fn stated_number(node: Option<Node<'_>>, count: usize, rule: &Rule, report: &mut Report) {
    if let Some(node) = node
        && node.text().trim().parse() != Ok(count)
    {
        report.add(rule, node, format!("There are {count} transactions."));
    }
}

/// See [`CONTROL_SUM`] and [`BLOCK_SUM`].
fn stated_sum(node: Option<Node<'_>>, sum: Option<Decimal>, rule: &Rule, report: &mut Report) {
    if let (Some(node), Some(sum)) = (node, sum)
        && decimal(node.text()).is_some_and(|stated| stated != sum)
    {
        report.add(rule, node, format!("The transactions sum up to {sum}."));
    }
}

/// See [`TYPE_ONCE`], [`BEARER_ONCE`] and [`ULTIMATE_ONCE`].
fn both(block: Option<Node<'_>>, own: Option<Node<'_>>, rule: &Rule, report: &mut Report) {
    if let (Some(_), Some(node)) = (block, own) {
        let text = format!("`{}` already stands in the payment block.", node.name());
        report.add(rule, node, text);
    }
}

/// See [`CHARGES_AGENT`].
fn charges_agent(block: &Block<'_>, report: &mut Report) {
    if let (Some(agent), None) = (block.charges_agent, block.charges_account) {
        report.add(&CHARGES_AGENT, agent, "The charges account of this agent is missing.");
    }
}

/// See [`BLOCK_ID`].
fn block_id<'a>(block: &Block<'a>, seen: &mut Vec<&'a str>, report: &mut Report) {
    let Some(id) = block.id else { return };
    if seen.contains(&id.text()) {
        report.add(&BLOCK_ID, id, "An earlier payment block has the same identification.");
    } else if seen.len() < BLOCKS_COMPARED_MAX {
        seen.push(id.text());
    }
}

/// Blocks beyond this many are not compared with one another: real files have a handful.
const BLOCKS_COMPARED_MAX: usize = 1_000;

/// See [`CHEQUE_METHOD`].
fn cheque_method(block: &Block<'_>, one: &One<'_>, report: &mut Report) {
    let by_cheque = block.method.is_none_or(|method| method.text() == "CHK");
    if let Some(cheque) = one.cheque
        && !by_cheque
    {
        report.add(&CHEQUE_METHOD, cheque, "The payment method is not CHK.");
    }
}

/// See [`CREDITOR_NAMED`].
fn creditor_named(block: &Block<'_>, node: Node<'_>, one: &One<'_>, report: &mut Report) {
    let by_transfer = block.method.is_some_and(|method| method.text() == "TRF");
    if by_transfer && (one.creditor.is_none() || one.account.is_none()) {
        report.add(&CREDITOR_NAMED, node, "A transfer should name the creditor and its account.");
    }
}

/// See [`EQUIVALENT`].
fn equivalent_currency(equivalent: Node<'_>, report: &mut Report) {
    if let (Some(amount), Some(currency)) = (equivalent.child("Amt"), equivalent.child("CcyOfTrf"))
        && amount.attribute("Ccy") == Some(currency.text())
    {
        report.add(&EQUIVALENT, currency, "The equivalent is in the same currency.");
    }
}

/// See [`NOT_ZERO`].
fn not_zero(node: Node<'_>, value: Decimal, report: &mut Report) {
    if value.is_zero() {
        report.add(&NOT_ZERO, node, "The amount is zero.");
    }
}
