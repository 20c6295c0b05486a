//! Messages that move money between institutions: `pacs.003`, `004`, `007`, `008`, `009`, `010`.
//!
//! One pass over the body. Each transaction is picked apart once, its rules run, and its amount is
//! added to the running totals, so that a batch of any size needs no memory of its own.

pub(super) mod agents;
pub(super) mod amounts;
pub(super) mod group;
pub(super) mod instructions;
pub(super) mod returns;
pub(super) mod settlement;
pub(super) mod totals;

use super::pick::picked;
use super::{Context, Report, corridor};
use crate::tree::Node;
use totals::Totals;

picked! {
    /// The group header, or the credit instruction of a `pacs.010`.
    Group {
        id: "MsgId",
        number: "NbOfTxs",
        sum: "CtrlSum",
        total: "TtlIntrBkSttlmAmt" | "TtlRtrdIntrBkSttlmAmt" | "TtlRvsdIntrBkSttlmAmt",
        date: "IntrBkSttlmDt",
        settlement: "SttlmInf",
        payment_type: "PmtTpInf",
        instructing: "InstgAgt",
        instructed: "InstdAgt",
        whole: "GrpRtr" | "GrpRvsl",
    }
}

picked! {
    /// What one transaction has for the rules.
    Transaction {
        ids: "PmtId",
        payment_type: "PmtTpInf",
        amount: "IntrBkSttlmAmt" | "RtrdIntrBkSttlmAmt" | "RvsdIntrBkSttlmAmt",
        date: "IntrBkSttlmDt",
        instructed_amount: "InstdAmt" | "RtrdInstdAmt" | "RvsdInstdAmt",
        rate: "XchgRate",
        compensation: "CompstnAmt",
        bearer: "ChrgBr",
        charges: "ChrgsInf",
        instructing: "InstgAgt",
        instructed: "InstdAgt",
        debtor: "Dbtr",
        debtor_account: "DbtrAcct",
        creditor_agent: "CdtrAgt",
        creditor: "Cdtr",
        creditor_account: "CdtrAcct",
        instruction: "InstrForCdtrAgt",
        remittance: "RmtInf",
        related: "RltdRmtInf",
        cover: "UndrlygCstmrCdtTrf",
        original_group: "OrgnlGrpInf",
        original_id: "OrgnlInstrId" | "OrgnlEndToEndId" | "OrgnlTxId" | "OrgnlClrSysRef",
        original_uetr: "OrgnlUETR",
        original_amount: "OrgnlIntrBkSttlmAmt",
        original_date: "OrgnlIntrBkSttlmDt",
        original: "OrgnlTxRef",
        reason: "RtrRsnInf" | "RvslRsnInf",
        chain: "RtrChain",
    }
}

/// How the families name things.
#[derive(Clone, Copy)]
pub(super) struct Family {
    pub(super) transaction: &'static str,
    /// True for messages that send money back.
    pub(super) is_reverse: bool,
}

pub(super) fn family_of(name: &str) -> Family {
    match name {
        "pacs.008" | "pacs.009" => Family { transaction: "CdtTrfTxInf", is_reverse: false },
        "pacs.003" | "pacs.010" => Family { transaction: "DrctDbtTxInf", is_reverse: false },
        _ => Family { transaction: "TxInf", is_reverse: true },
    }
}

pub(super) fn check(context: &Context<'_>, report: &mut Report) {
    let family = family_of(context.family());
    let group_node = context.body.child("GrpHdr");
    let group = group_node.map(Group::of).unwrap_or_default();
    if let Some(settlement) = group.settlement {
        settlement::check(settlement, context.family() != "pacs.009", report);
    }
    let original = family.is_reverse.then(|| context.body.child("OrgnlGrpInf")).flatten();
    let mut totals = Totals::default();
    let mut uetrs = corridor::Uetrs::default();
    for child in context.body.elements() {
        let name = child.name();
        if name == family.transaction {
            one(context, family, &group, original, child, &mut totals, &mut uetrs, report);
        } else if name == "CdtInstr" {
            instruction(context, family, &group, child, &mut totals, &mut uetrs, report);
        }
    }
    totals::number(&group, &totals, report);
    totals::sums(&group, &totals, report);
}

/// One credit instruction of a `pacs.010` with its transactions: totals of its own, and its amounts
/// count for the group as well.
fn instruction<'a>(
    context: &Context<'a>,
    family: Family,
    group: &Group<'a>,
    node: Node<'a>,
    totals: &mut Totals<'a>,
    uetrs: &mut corridor::Uetrs<'a>,
    report: &mut Report,
) {
    let own = Group::of(node);
    group::agents_once(group, own.instructing, own.instructed, report);
    agents::chain(node, report);
    let mut inner = Totals::default();
    for child in node.elements().filter(|child| child.name() == family.transaction) {
        one(context, family, &own, None, child, &mut inner, uetrs, report);
    }
    totals::sums(&own, &inner, report);
    totals.join(&inner);
}

#[allow(clippy::too_many_arguments)]
fn one<'a>(
    context: &Context<'a>,
    family: Family,
    group: &Group<'a>,
    original: Option<Node<'a>>,
    node: Node<'a>,
    totals: &mut Totals<'a>,
    uetrs: &mut corridor::Uetrs<'a>,
    report: &mut Report,
) {
    let transaction = Transaction::of(node);
    let money = transaction.amount.and_then(amounts::Amount::of);
    totals.add(money);
    totals.dated += usize::from(transaction.date.is_some());
    group::once(group, &transaction, report);
    group::agents_once(group, transaction.instructing, transaction.instructed, report);
    if let Some(money) = money {
        amounts::settled(&money, report);
        amounts::instructed(&transaction, &money, family.is_reverse, report);
    }
    agents::chain(node, report);
    instructions::check(&transaction, report);
    if family.is_reverse {
        returns::check(context, original, node, &transaction, money, report);
    } else {
        corridor::uetr(context, node, &transaction, uetrs, report);
    }
}
