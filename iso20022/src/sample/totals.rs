//! Sums, counts and the few other places where one part of a sample depends on another.

use crate::name::MessageName;
use crate::reference::currency;
use crate::views::money::decimal;
use crate::writer::Draft;
use rust_decimal::Decimal;

/// Names of the repeated part of a message that its header counts.
const TRANSACTIONS: [&str; 4] = ["CdtTrfTxInf", "TxInf", "DrctDbtTxInf", "TxInfAndSts"];
/// Names of the amount that counts in a total.
const AMOUNTS: [&str; 3] = ["IntrBkSttlmAmt", "RtrdIntrBkSttlmAmt", "RvsdIntrBkSttlmAmt"];

/// Makes the parts of a draft agree that depend on each other.
pub(super) fn settle(message: MessageName, draft: &mut Draft) {
    let Some(body) = draft.children.first_mut() else { return };
    match message.family() {
        "pacs.002" | "pacs.028" => {}
        "pain.001" | "pain.008" => initiation(body),
        family if family.starts_with("pacs.") => transfers(body),
        _ => {}
    }
}

/// What the transactions of one element add up to.
#[derive(Default)]
struct Tally {
    count: usize,
    sum: Decimal,
    currency: Option<String>,
}

/// Totals of a group of transfers. In a `pacs.010` each instruction has its own.
fn transfers(body: &mut Draft) {
    let mut tally = Tally::default();
    let instructions = body.children.iter_mut().filter(|part| part.name.as_str() == "CdtInstr");
    for instruction in instructions {
        let own = counted(instruction);
        set_totals(instruction, &own);
        tally.count += own.count;
        tally.sum += own.sum;
    }
    if tally.count == 0 {
        tally = counted(body);
    }
    if let Some(header) = body.children.iter_mut().find(|part| part.name.as_str() == "GrpHdr") {
        set_totals(header, &tally);
    }
}

/// Adds up the transactions of an element, after giving all of them the currency of the first.
fn counted(parent: &mut Draft) -> Tally {
    let mut tally = Tally::default();
    let is_transaction = |part: &&mut Draft| TRANSACTIONS.contains(&part.name.as_str());
    for part in parent.children.iter_mut().filter(is_transaction) {
        tally.count += 1;
        let amounts = part.children.iter_mut();
        for amount in amounts.filter(|one| AMOUNTS.contains(&one.name.as_str())) {
            let Some(own) = amount.currency().map(str::to_owned) else { continue };
            let code = tally.currency.get_or_insert(own);
            let value = decimal(amount.text.as_str()).unwrap_or_default().abs();
            let value = payable(value, code);
            amount.set_currency(code);
            amount.text = value.to_string().into();
            tally.sum += value;
        }
    }
    tally
}

/// Sets the totals that an element states.
fn set_totals(parent: &mut Draft, tally: &Tally) {
    for element in &mut parent.children {
        match element.name.as_str() {
            "NbOfTxs" => element.text = tally.count.to_string().into(),
            "CtrlSum" => element.text = tally.sum.to_string().into(),
            "TtlIntrBkSttlmAmt" | "TtlRtrdIntrBkSttlmAmt" | "TtlRvsdIntrBkSttlmAmt" => {
                if let Some(code) = &tally.currency {
                    element.text = tally.sum.to_string().into();
                    element.set_currency(code);
                }
            }
            _ => {}
        }
    }
}

/// A value that can be paid in a currency, and is not nothing.
fn payable(value: Decimal, code: &str) -> Decimal {
    let decimals = currency::decimals(code).unwrap_or_default();
    let mut rounded = value.trunc_with_scale(decimals);
    rounded.rescale(decimals);
    if rounded.is_zero() { Decimal::new(1, decimals) } else { rounded }
}

/// Totals of an initiation, in the header and in each payment.
fn initiation(body: &mut Draft) {
    let mut all = Tally::default();
    let payments = body.children.iter_mut().filter(|part| part.name.as_str() == "PmtInf");
    for payment in payments {
        let mut own = Tally::default();
        for transaction in &payment.children {
            if TRANSACTIONS.contains(&transaction.name.as_str()) {
                own.count += 1;
                own.sum += instructed(transaction);
            }
        }
        set_totals(payment, &own);
        all.count += own.count;
        all.sum += own.sum;
    }
    if let Some(header) = body.children.iter_mut().find(|part| part.name.as_str() == "GrpHdr") {
        set_totals(header, &all);
    }
}

fn instructed(transaction: &Draft) -> Decimal {
    let paths = ["Amt/InstdAmt", "Amt/EqvtAmt/Amt", "InstdAmt"];
    let amount = paths.iter().find_map(|path| transaction.text_at(path));
    amount.and_then(decimal).unwrap_or_default()
}
