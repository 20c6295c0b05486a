//! What is asked: which rows, up to which block, and the sums over them.
//!
//! A query selects from rows whose order and content are fixed by the log, so the same query as of the same block has
//! the same rows, count and sums for ever, whoever asks. As of a block means: as if the log ended there.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use ledger::TransferId;
use serde::{Deserialize, Serialize};

use super::{
    names::Names,
    rows::{Block, Row},
};
use crate::{ledger::times::date_time_ns, money::parse_minor};

/// Filters; all that are given must hold.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Query {
    /// UETR, or the id of another command
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) uetr: Option<String>,
    /// Account that pays or receives, such as ALPHDEFFXXX/EUR
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) account: Option<String>,
    /// Account on the other side
    #[arg(long, requires = "account")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) counterparty: Option<String>,
    /// BIC of a bank with an account on either side
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) bank: Option<String>,
    /// Asset, such as EUR
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) asset: Option<String>,
    /// Least amount, in the unit of the asset
    #[arg(long, requires = "asset", value_name = "AMOUNT")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) min: Option<String>,
    /// Largest amount, in the unit of the asset
    #[arg(long, requires = "asset", value_name = "AMOUNT")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) max: Option<String>,
    /// Kind of command, such as transfer
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) kind: Option<String>,
    /// settled, refused, held, queued or warehoused
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) status: Option<String>,
    /// Number of the answer, such as 1 for settled; 100 and above are refusals
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) code: Option<u16>,
    /// From this ledger time on, in UTC: 2026-11-22 or 2026-11-22T12:00:00Z
    #[arg(long, value_name = "TIME")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) from: Option<String>,
    /// Before this ledger time
    #[arg(long, value_name = "TIME")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) before: Option<String>,
    /// As if the log ended with this block; the last final one when left out
    #[arg(long, value_name = "HEIGHT")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) as_of: Option<u64>,
}

/// Nanoseconds since 1970 of a date, or of a date and time, in UTC.
fn time(text: Option<&str>, missing: u64) -> Result<u64> {
    let Some(text) = text else { return Ok(missing) };
    let whole = if text.contains('T') { text.to_owned() } else { format!("{text}T00:00:00Z") };
    date_time_ns(&whole)
        .with_context(|| format!("`{text}` is no time: write 2026-11-22 or 2026-11-22T12:00:00Z"))
}

/// A name that is looked for, and its number once that is known.
struct Wanted {
    name: String,
    number: Option<u32>,
}

impl Wanted {
    fn of(name: Option<&String>) -> Option<Self> {
        name.map(|name| Self { name: name.clone(), number: None })
    }
}

/// Sums over the rows of a query.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Totals {
    /// Rows.
    pub(crate) rows: u64,
    /// Sum of the amounts of settled rows by asset, in minor units.
    pub(crate) settled_minor: BTreeMap<String, String>,
    /// On the account before the first row, in minor units; of a statement only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) opening_minor: Option<String>,
    /// On the account after the last row.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) closing_minor: Option<String>,
}

/// One line of the answer.
pub(crate) enum Line<'a> {
    /// A row of a search.
    Row(&'a Row),
    /// A movement on the account of a statement.
    Movement(&'a Movement),
}

/// What a row did to an account.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Movement {
    /// The row.
    pub(crate) row: Row,
    /// Number of the movement among those of the statement, from 1.
    pub(crate) number: u64,
    /// The other account.
    pub(crate) other: Option<u32>,
    /// Minor units.
    pub(crate) change: i128,
    /// Minor units, after it.
    pub(crate) balance: i128,
}

impl Movement {
    /// The account that it is on.
    pub(crate) fn own(&self) -> Option<u32> {
        if self.change < 0 { self.row.debit } else { self.row.credit }
    }
}

/// The running balance of a statement.
struct Running {
    /// Before the first movement.
    opening: i128,
    /// The opening was told by whoever has seen what was before.
    told: bool,
    balance: i128,
}

/// Selects rows.
pub(crate) struct Picker {
    id: Option<TransferId>,
    account: Option<Wanted>,
    counterparty: Option<Wanted>,
    bank: Option<u32>,
    asset: Option<String>,
    amounts: Option<(u64, u64)>,
    kind: Option<String>,
    status: Option<String>,
    code: Option<u16>,
    from: u64,
    before: u64,
    as_of: u64,
    /// Accounts that were known when names were last looked up.
    known: usize,
    running: Option<Running>,
    rows: u64,
    sums: BTreeMap<String, u128>,
}

impl Picker {
    /// A query on a network. `opening`: for a statement whose beginning somebody else has seen.
    ///
    /// # Errors
    /// A filter cannot be read.
    pub(crate) fn new(
        query: &Query,
        statement: bool,
        opening: Option<i128>,
        names: &Names,
    ) -> Result<Self> {
        if let Some(status) = &query.status {
            let known = ["settled", "refused", "held", "queued", "warehoused"];
            ensure!(
                known.contains(&status.as_str()),
                "`{status}` is no status: {}",
                known.join(", ")
            );
        }
        // What would be ignored must not stand in a manifest as if it had been asked.
        ensure!(
            query.asset.is_some() || query.min.is_none() && query.max.is_none(),
            "amounts are compared in one asset: which?"
        );
        ensure!(
            query.account.is_some() || query.counterparty.is_none(),
            "a counterparty is that of an account: which?"
        );
        if statement {
            let Query { account, from, before, as_of, .. } = query.clone();
            ensure!(account.is_some(), "a statement is of one account");
            let plain = Query { account, from, before, as_of, ..Query::default() };
            ensure!(*query == plain, "a statement has no filters but times");
        }
        let id = query.uetr.as_ref().map(|text| {
            text.to_ascii_lowercase().parse().with_context(|| format!("`{text}` is no UETR"))
        });
        let amounts = match (&query.min, &query.max, &query.asset) {
            (None, None, _) | (_, _, None) => None,
            (min, max, Some(asset)) => {
                let exponent = names
                    .exponent(asset)
                    .with_context(|| format!("the genesis file names no asset {asset}"))?;
                let minor = |text: &Option<String>, missing: u64| match text {
                    None => Ok(missing),
                    Some(text) => parse_minor(text, exponent)
                        .with_context(|| format!("`{text}` is no amount in {asset}")),
                };
                Some((minor(min, 0)?, minor(max, u64::MAX)?))
            }
        };
        let mut picker = Self {
            id: id.transpose()?,
            account: Wanted::of(query.account.as_ref()),
            counterparty: Wanted::of(query.counterparty.as_ref()),
            bank: query.bank.as_ref().map(|bic| names.bank(bic)).transpose()?,
            asset: query.asset.clone(),
            amounts,
            kind: query.kind.clone(),
            status: query.status.clone(),
            code: query.code,
            from: time(query.from.as_deref(), 0)?,
            before: time(query.before.as_deref(), u64::MAX)?,
            as_of: query.as_of.unwrap_or(u64::MAX),
            known: usize::MAX,
            running: None,
            rows: 0,
            sums: BTreeMap::new(),
        };
        picker.look_up(names);
        if statement {
            let account = picker.account.as_ref().and_then(|account| account.number);
            let genesis = account.map_or(0, |number| names.opening(number));
            let (told, opening) = (opening.is_some(), opening.unwrap_or(genesis));
            picker.running = Some(Running { opening, told, balance: opening });
        }
        Ok(picker)
    }

    /// Accounts may be opened while the log goes on.
    fn look_up(&mut self, names: &Names) {
        if self.known == names.count() {
            return;
        }
        self.known = names.count();
        for wanted in [&mut self.account, &mut self.counterparty].into_iter().flatten() {
            wanted.number = names.number(&wanted.name);
        }
    }

    /// Hands out the lines of a block, and says which of its records they rest on; nothing when on none.
    ///
    /// # Errors
    /// Those of `each`, and rows that lead out of the bounds of money.
    pub(crate) fn block(
        &mut self,
        block: &Block,
        names: &Names,
        each: &mut dyn FnMut(&Line<'_>, &Names) -> Result<()>,
    ) -> Result<Option<Vec<bool>>> {
        if block.height > self.as_of {
            return Ok(None);
        }
        self.look_up(names);
        let mut needed: Option<Vec<bool>> = None;
        let mut need = |at: usize| {
            let needed = needed.get_or_insert_with(|| vec![false; block.len()]);
            needed[at] = true;
            // Height and time of the others.
            needed[block.len() - 1] = true;
        };
        block.opened.iter().for_each(|at| need(*at));
        for row in &block.rows {
            if !self.matches(row, names) {
                continue;
            }
            let at = block.place(row.leaf).context("a row has its record")?;
            if matches!(row.answer, ledger::Answer::Waiting(_)) && row.from.is_none() {
                // Whatever becomes of it later rests on this record.
                need(at);
            }
            let in_time = row.time_ns >= self.from && row.time_ns < self.before;
            let status = self.status.as_ref().is_none_or(|status| status == row.status())
                && self.code.is_none_or(|code| code == row.answer.code());
            let taken = match self.running {
                Some(_) => row.answer.is_settled() && self.moved(row, in_time, names, each)?,
                None if in_time && status => {
                    self.count(row, names)?;
                    each(&Line::Row(row), names)?;
                    true
                }
                None => false,
            };
            if taken {
                need(at);
                // What waited long ago was needed then.
                row.from.and_then(|leaf| block.place(leaf)).into_iter().for_each(&mut need);
            }
        }
        Ok(needed)
    }

    /// What cannot change while a transfer waits.
    fn matches(&self, row: &Row, names: &Names) -> bool {
        let sides = [row.debit, row.credit];
        let touches = |wanted: &Option<Wanted>| {
            wanted.as_ref().is_none_or(|one| one.number.is_some() && sides.contains(&one.number))
        };
        let account = row.debit.or(row.credit);
        let asset = |wanted: &String| {
            account.and_then(|one| names.asset_of(one)).is_some_and(|(code, _)| code == wanted)
        };
        let bank = |bank: u32| {
            sides.into_iter().flatten().any(|account| names.owner(account) == Some(bank))
        };
        let amount =
            |(min, max): (u64, u64)| row.minor.is_some_and(|minor| (min..=max).contains(&minor));
        touches(&self.account)
            && touches(&self.counterparty)
            && self.id.is_none_or(|id| row.id == Some(id))
            && self.kind.as_ref().is_none_or(|kind| kind == row.kind)
            && self.bank.is_none_or(bank)
            && self.asset.as_ref().is_none_or(asset)
            && self.amounts.is_none_or(amount)
    }

    fn count(&mut self, row: &Row, names: &Names) -> Result<()> {
        self.rows += 1;
        let (Some(minor), true) = (row.minor, row.answer.is_settled()) else { return Ok(()) };
        let asset = row.debit.or(row.credit).and_then(|account| names.asset_of(account));
        let code = asset.map_or("?", |(code, _)| code);
        let sum = match self.sums.get_mut(code) {
            Some(sum) => sum,
            None => self.sums.entry(code.to_owned()).or_default(),
        };
        *sum = sum.checked_add(minor.into()).context("a sum is too large")?;
        Ok(())
    }

    /// Hands out what a settled row did to the account of the statement; whether it is one of its movements.
    fn moved(
        &mut self,
        row: &Row,
        in_time: bool,
        names: &Names,
        each: &mut dyn FnMut(&Line<'_>, &Names) -> Result<()>,
    ) -> Result<bool> {
        let account = self.account.as_ref().and_then(|account| account.number);
        let Some(minor) = row.minor.map(i128::from) else { return Ok(false) };
        let sides = [(row.debit, row.credit, -minor), (row.credit, row.debit, minor)];
        let overflow = "a balance overflows";
        for (_, other, change) in sides.into_iter().filter(|(own, ..)| *own == account) {
            if in_time {
                self.count(row, names)?;
            }
            let running = self.running.as_mut().context("a statement has a balance")?;
            // Time only grows from block to block.
            if row.time_ns < self.from && !running.told {
                running.opening = running.opening.checked_add(change).context(overflow)?;
                running.balance = running.opening;
            } else if in_time {
                running.balance = running.balance.checked_add(change).context(overflow)?;
                let (number, balance) = (self.rows, running.balance);
                let movement = Movement { row: *row, number, other, change, balance };
                each(&Line::Movement(&movement), names)?;
            }
        }
        Ok(in_time)
    }

    /// The sums so far.
    pub(crate) fn totals(&self) -> Totals {
        let running = self.running.as_ref();
        let sums = self.sums.iter().map(|(code, sum)| (code.clone(), sum.to_string()));
        Totals {
            rows: self.rows,
            settled_minor: sums.collect(),
            opening_minor: running.map(|running| running.opening.to_string()),
            closing_minor: running.map(|running| running.balance.to_string()),
        }
    }

    /// Whether the accounts that were asked for exist.
    ///
    /// # Errors
    /// Names the one that does not.
    pub(crate) fn check(&self) -> Result<()> {
        for wanted in [&self.account, &self.counterparty].into_iter().flatten() {
            if wanted.number.is_none() {
                bail!("there is no account {}", wanted.name);
            }
        }
        Ok(())
    }
}
