//! What a bank is told without having asked: `camt.054` for the accounts that an exchange moved, `admi.004` for notices.
//!
//! Pure functions of what the ledger says, so that the same news always becomes the same bytes; the leaf of its record
//! makes its identification. Accounts are named `ASSET` or `ASSET/label` beside the BIC of their owner: their whole
//! name is too long for ISO 20022. What an ISO message cannot say (an asset that is no currency) is an error, and the
//! caller tells it in another form.

use iso20022::build::{
    Account, AccountEntry, AccountStatement, Amount, Build, EventNotice, OriginalPayment,
    StatementKind,
};
use iso20022::writer::BuildError;
use ledger::{
    AccountNumber, Exchange, Exchanged, LedgerTime, NoticeKind, ParticipantNumber, Transfer,
    TransferId,
};
use rust_decimal::Decimal;
use thiserror::Error;

use crate::directory::Directory;
use crate::money::to_decimal_text;
use crate::receipt::supplementary;
use crate::report::is_uuid_v4;
use crate::time::{iso_date, iso_date_time};

/// Why something cannot be told in an ISO message.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NotifyError {
    /// The directory is older than what is told.
    #[error("the directory does not know account {0}")]
    UnknownAccount(AccountNumber),
    /// It cannot be said with the message's types.
    #[error("it does not fit into an ISO message")]
    Build(#[from] BuildError),
    /// More digits than a decimal has.
    #[error("an amount has too many digits")]
    Amount,
}

/// A balance that has passed a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Passed {
    /// The account.
    pub account: AccountNumber,
    /// Which line.
    pub kind: NoticeKind,
    /// The line, in minor units.
    pub line: i64,
    /// What is posted, in minor units.
    pub posted: i128,
    /// What is available, in minor units.
    pub available: i128,
}

/// Code and decimals of what an account holds, and its name beside its owner's BIC.
struct Known {
    owner: ParticipantNumber,
    code: String,
    decimals: u32,
    name: String,
}

fn known(directory: &Directory, number: AccountNumber) -> Result<Known, NotifyError> {
    let unknown = NotifyError::UnknownAccount(number);
    let account = directory.account(number).ok_or(unknown.clone())?;
    let asset = directory.asset(account.asset).ok_or(unknown)?;
    let code = asset.code.to_string();
    let name = match account.label.is_empty() {
        true => code.clone(),
        false => format!("{code}/{}", account.label),
    };
    Ok(Known { owner: account.owner, code, decimals: asset.exponent.get().into(), name })
}

fn bic(directory: &Directory, number: ParticipantNumber) -> Option<String> {
    directory.participant(number).map(|bank| bank.bic.to_string())
}

/// The `camt.054.001.08` messages that tell a bank of an exchange: one for each of its accounts that it moved, in the
/// order of their numbers, with the account.
///
/// # Errors
/// `NotifyError` when one of the accounts is not known, or holds what is no currency.
pub fn exchange_notifications(
    directory: &Directory,
    own: ParticipantNumber,
    exchange: &Exchange,
    exchanged: &Exchanged,
    leaf: u64,
    time: LedgerTime,
) -> Result<Vec<(AccountNumber, Vec<u8>)>, NotifyError> {
    let mut moves = vec![
        (exchange.debit, false, exchanged.paid, None),
        (exchange.credit, true, exchanged.delivered, None),
    ];
    for fill in &exchanged.fills {
        moves.push((fill.sells, false, fill.gave, Some(fill.quote)));
        moves.push((fill.buys, true, fill.took, Some(fill.quote)));
    }
    let (pays, gets) = (known(directory, exchange.debit)?, known(directory, exchange.credit)?);
    let text = |amount, of: &Known| {
        let exponent = ledger::Exponent::new(of.decimals as u8).ok_or(NotifyError::Amount)?;
        Ok::<_, NotifyError>(format!("{} {}", of.code, to_decimal_text(amount, exponent)))
    };
    let both = format!(
        "{} paid, {} delivered",
        text(exchanged.paid, &pays)?,
        text(exchanged.delivered, &gets)?
    );
    let mut found: Vec<(AccountNumber, AccountStatement)> = Vec::new();
    for (number, is_credit, amount, quote) in moves {
        let account = known(directory, number)?;
        if account.owner != own {
            continue;
        }
        let at = match found.iter().position(|(other, _)| *other == number) {
            Some(at) => at,
            None => {
                found.push((number, statement(directory, &account, number, leaf, time)));
                found.len() - 1
            }
        };
        let entries = &mut found[at].1.entries;
        let quoted = quote.map(|quote| format!(", quote {quote}")).unwrap_or_default();
        let id = exchanged.id.to_string();
        entries.push(AccountEntry {
            reference: Some(format!("{leaf}-{}", entries.len() + 1)),
            amount: Amount::new(decimal(amount.minor().into(), account.decimals)?, &account.code),
            is_credit,
            booking_time: Some(iso_date_time(time)),
            value_date: Some(iso_date(time)),
            servicer_reference: Some(leaf.to_string()),
            transaction_code: Some(if quote.is_some() { "FX-QUOTE" } else { "FX" }.to_owned()),
            payment: Some(OriginalPayment {
                uetr: Some(id.clone()).filter(|id| is_uuid_v4(id)),
                ..OriginalPayment::default()
            }),
            debtor_agent: bic(directory, pays.owner),
            creditor_agent: bic(directory, gets.owner),
            information: Some(format!("Exchange {id}: {both}{quoted}.")),
            ..AccountEntry::default()
        });
    }
    found.sort_by_key(|(number, _)| *number);
    found.into_iter().map(|(number, message)| Ok((number, message.build()?))).collect()
}

/// The `camt.054.001.08` messages that tell a bank that a payment to it is final, each with the receipt: one for each of its
/// accounts that the transfer credits, in the order of their numbers, with the account. `leaf` and `time` are those of
/// its settlement.
///
/// # Errors
/// `NotifyError` when one of the accounts is not known, or holds what is no currency.
pub fn credit_notifications(
    directory: &Directory,
    own: ParticipantNumber,
    transfer: &Transfer,
    receipt: &[u8],
    leaf: u64,
    time: LedgerTime,
) -> Result<Vec<(AccountNumber, Vec<u8>)>, NotifyError> {
    let mut found: Vec<(AccountNumber, AccountStatement)> = Vec::new();
    for leg in transfer.legs.as_slice() {
        let account = known(directory, leg.credit)?;
        if account.owner != own {
            continue;
        }
        let payer = known(directory, leg.debit)?;
        let at = match found.iter().position(|(other, _)| *other == leg.credit) {
            Some(at) => at,
            None => {
                let statement = statement(directory, &account, leg.credit, leaf, time);
                found.push((leg.credit, statement));
                found.len() - 1
            }
        };
        let entries = &mut found[at].1.entries;
        let id = transfer.id.to_string();
        entries.push(AccountEntry {
            reference: Some(format!("{leaf}-{}", entries.len() + 1)),
            amount: Amount::new(
                decimal(leg.amount.minor().into(), account.decimals)?,
                &account.code,
            ),
            is_credit: true,
            booking_time: Some(iso_date_time(time)),
            value_date: Some(iso_date(time)),
            servicer_reference: Some(leaf.to_string()),
            transaction_code: Some("FINAL".to_owned()),
            payment: Some(OriginalPayment {
                uetr: Some(id.clone()).filter(|id| is_uuid_v4(id)),
                ..OriginalPayment::default()
            }),
            debtor_agent: bic(directory, payer.owner),
            creditor_agent: bic(directory, account.owner),
            information: Some(format!("Payment {id} is final. Its receipt is enclosed.")),
            ..AccountEntry::default()
        });
    }
    found.sort_by_key(|(number, _)| *number);
    let written = found.into_iter().map(|(number, message)| {
        let mut draft = message.draft()?;
        let details = draft.at("BkToCstmrDbtCdtNtfctn/Ntfctn/Ntry/NtryDtls/TxDtls");
        details.push_draft(supplementary(receipt));
        Ok((number, draft.write(message.message())?))
    });
    written.collect()
}

fn statement(
    directory: &Directory,
    account: &Known,
    number: AccountNumber,
    leaf: u64,
    time: LedgerTime,
) -> AccountStatement {
    let id = format!("54-{leaf}-{number}");
    AccountStatement {
        kind: StatementKind::Notification,
        message_id: id.clone(),
        creation_time: iso_date_time(time),
        statement_id: id,
        account: Account::Other(account.name.clone()),
        owner: bic(directory, account.owner),
        ..AccountStatement::default()
    }
}

fn decimal(minor: i128, decimals: u32) -> Result<Decimal, NotifyError> {
    Decimal::try_from_i128_with_scale(minor, decimals).map_err(|_| NotifyError::Amount)
}

/// The `admi.004.001.02` about a balance: `LOWB` when less is available than the floor, `HIGB` when more is posted
/// than the ceiling. Its parameters are the account, the line, what is posted, and what is available.
///
/// # Errors
/// `NotifyError` when the account is not known.
pub fn balance_notice(
    directory: &Directory,
    passed: &Passed,
    time: LedgerTime,
) -> Result<Vec<u8>, NotifyError> {
    let account = known(directory, passed.account)?;
    let text = |minor| {
        let value = decimal(minor, account.decimals)?;
        Ok::<_, NotifyError>(format!("{} {value}", account.code))
    };
    let (line, posted) = (text(passed.line.into())?, text(passed.posted)?);
    let available = text(passed.available)?;
    let (code, description) = match passed.kind {
        NoticeKind::BelowFloor => (
            "LOWB",
            format!(
                "{available} are available on account {}, less than its floor of {line}.",
                account.name
            ),
        ),
        NoticeKind::AboveCeiling => (
            "HIGB",
            format!(
                "{posted} are posted on account {}, more than its ceiling of {line}.",
                account.name
            ),
        ),
    };
    event(code, vec![account.name, line, posted, available], description, time)
}

/// The `admi.004.001.02` about a credit that the bank was to report: `RPTO` when the report is overdue, `RPTM` when it
/// is not waited for any longer. Its parameters are the account and, without hyphens to fit, the UETR.
///
/// # Errors
/// `NotifyError` when the account is not known.
pub fn report_notice(
    directory: &Directory,
    transfer: &TransferId,
    account: AccountNumber,
    is_missing: bool,
    time: LedgerTime,
) -> Result<Vec<u8>, NotifyError> {
    let account = known(directory, account)?.name;
    let (code, what) = match is_missing {
        false => ("RPTO", "is overdue"),
        true => ("RPTM", "never came and is not waited for any longer"),
    };
    let description =
        format!("The report that transfer {transfer} was credited on account {account} {what}.");
    event(code, vec![account, short(transfer)], description, time)
}

/// The `admi.004.001.02` about a quote whose time is over, `QUOX`. Its parameters are, without hyphens to fit, the id of
/// the quote and what it had not given, in minor units.
///
/// # Errors
/// `NotifyError::Build`, which would be a mistake in this crate.
pub fn quote_notice(
    quote: &TransferId,
    left: ledger::Amount,
    time: LedgerTime,
) -> Result<Vec<u8>, NotifyError> {
    let left = left.minor().to_string();
    let description =
        format!("The time of quote {quote} is over; {left} minor units of it were not taken.");
    event("QUOX", vec![short(quote), left], description, time)
}

/// An id in 32 characters: 36 would not fit into a parameter of 35.
fn short(id: &TransferId) -> String {
    id.to_string().replace('-', "")
}

fn event(
    code: &str,
    parameters: Vec<String>,
    description: String,
    time: LedgerTime,
) -> Result<Vec<u8>, NotifyError> {
    let notice = EventNotice {
        code: code.to_owned(),
        parameters,
        description: Some(description),
        time: Some(iso_date_time(time)),
    };
    Ok(notice.build()?)
}
