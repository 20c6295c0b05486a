//! Movements as camt.053 statements: one for each UTC day with movements, in pages of a bounded number of entries.
//!
//! Only one page is in memory. Each page is checked against schema and rules of the message before it is handed out.
//! The first page of a day has the opening balance, the last one the closing balance, pages between them an interim
//! one. The time of creation is that of the last entry: the same movements give the same bytes.

use anyhow::{Context, Result, bail, ensure};
use iso20022::{
    Limits, Profile,
    build::{
        Account, AccountBalance, AccountEntry, AccountStatement, Amount, Build, OriginalPayment,
    },
    message,
};
use rust_decimal::Decimal;

use crate::{
    audit::search::{Movement, Names},
    clock::{date, date_time},
};

/// Entries of a page: about half of the largest message.
const ENTRIES_MAX: usize = 500;

/// The pages of an account's statements.
pub(super) struct Pages {
    account: String,
    day: String,
    /// Number of the page within the day, from 1.
    page: u32,
    entries: Vec<AccountEntry>,
    /// Before the first entry of the page, and after the last.
    balances: (i128, i128),
    asset: (String, u8),
    owner: Option<String>,
    number: u32,
    last_time: String,
}

/// Name and bytes of a file.
type Page = (String, Vec<u8>);

impl Pages {
    /// Of this account.
    pub(super) fn new(account: &str) -> Self {
        Self {
            account: account.to_owned(),
            day: String::new(),
            page: 0,
            entries: Vec::new(),
            balances: (0, 0),
            asset: (String::new(), 0),
            owner: None,
            number: 0,
            last_time: String::new(),
        }
    }

    /// Takes a movement; gives a page that is full, or whose day is over.
    pub(super) fn push(&mut self, one: &Movement, names: &Names) -> Result<Option<Page>> {
        let day = date(one.row.time_ns);
        let is_new_day = day != self.day;
        let full = self.entries.len() == ENTRIES_MAX;
        let page = match !self.entries.is_empty() && (is_new_day || full) {
            true => Some(self.build(is_new_day)?),
            false => None,
        };
        let own = one.own().context("a movement is on an account")?;
        if is_new_day {
            (self.day, self.page) = (day, 0);
            let (code, exponent) = names.asset_of(own).context("the asset has no name")?;
            self.asset = (code.to_owned(), exponent);
            (self.owner, self.number) = (names.bic(own).map(str::to_owned), own);
        }
        if self.entries.is_empty() {
            self.page += 1;
            self.balances.0 = one.balance - one.change;
        }
        self.balances.1 = one.balance;
        self.last_time = format!("{}+00:00", date_time(one.row.time_ns));
        let is_credit = one.change > 0;
        let (mine, others) = (self.owner.clone(), one.other.and_then(|other| names.bic(other)));
        let others = others.map(str::to_owned);
        let (debtor, creditor) = if is_credit { (others, mine) } else { (mine, others) };
        self.entries.push(AccountEntry {
            reference: Some(one.number.to_string()),
            amount: self.amount(one.change)?,
            is_credit,
            booking_time: Some(self.last_time.clone()),
            value_date: Some(self.day.clone()),
            servicer_reference: Some(format!("{}.{}", one.row.leaf, one.row.seq)),
            transaction_code: Some(one.row.kind.to_owned()),
            payment: one.row.id.filter(is_uetr).map(|id| OriginalPayment {
                uetr: Some(id.to_string()),
                ..OriginalPayment::default()
            }),
            debtor_agent: debtor,
            creditor_agent: creditor,
            ..AccountEntry::default()
        });
        Ok(page)
    }

    /// The last page, if there is one.
    pub(super) fn end(mut self) -> Result<Option<Page>> {
        match self.entries.is_empty() {
            true => Ok(None),
            false => self.build(true).map(Some),
        }
    }

    fn amount(&self, minor: i128) -> Result<Amount> {
        let (code, exponent) = &self.asset;
        let minor = i128::try_from(minor.unsigned_abs()).context("an amount is too large")?;
        let value = Decimal::try_from_i128_with_scale(minor, u32::from(*exponent))
            .context("an amount is too large for a message")?;
        Ok(Amount::new(value, code))
    }

    fn build(&mut self, is_last: bool) -> Result<Page> {
        let (opening, closing) = self.balances;
        let balance = |kind: &str, minor: i128| -> Result<AccountBalance> {
            Ok(AccountBalance {
                is_debit: minor < 0,
                ..AccountBalance::new(kind, self.amount(minor)?, &self.day)
            })
        };
        let mut balances = Vec::new();
        if self.page == 1 {
            balances.push(balance("OPBD", opening)?);
        }
        if is_last {
            balances.push(balance("CLBD", closing)?);
        } else if self.page > 1 {
            balances.push(balance("ITBD", closing)?);
        }
        let id = format!("{}-{}-{}", self.number, self.day, self.page);
        let statement = AccountStatement {
            message_id: id.clone(),
            creation_time: self.last_time.clone(),
            statement_id: id,
            page: Some((self.page, is_last)),
            account: Account::Other(self.account.clone()),
            owner: self.owner.clone(),
            balances,
            entries: std::mem::take(&mut self.entries),
            ..AccountStatement::default()
        };
        let bytes = statement.build().context("write a camt.053")?;
        let read = message::read(&bytes, &Limits::batch()).context("read the camt.053 again")?;
        if let Some(wrong) =
            read.check(Profile::Base).findings.into_iter().find(|one| one.is_error())
        {
            bail!("the camt.053 is not valid: {} ({})", wrong.text, wrong.path);
        }
        ensure!(read.is_schema_valid(), "the camt.053 does not follow its schema");
        Ok((format!("camt053-{}-{:04}.xml", self.day, self.page), bytes))
    }
}

/// Whether an id is one that messages carry: a UUID of version 4.
fn is_uetr(id: &ledger::TransferId) -> bool {
    id.0[6] >> 4 == 4 && id.0[8] >> 6 == 0b10
}
