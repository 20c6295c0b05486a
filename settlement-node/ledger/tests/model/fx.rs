//! The naive model of quotes, exchanges and reports of credit: lists, sorted anew for every question.
//!
//! Written from these words. A quote gives at most what it has left, for its price rounded up; who spends an exact
//! amount gets what it buys rounded down. Quotes are looked at by price, then by arrival. One is left out when it is
//! over, an account of it may not take part or is the taker's own, less than its least would be taken, or what is
//! taken from its account in this exchange is more than the account has, or than its settings let it pay. The best of all ways counts: directly, or
//! over each asset that is quoted on both sides; the direct one where two are equal, then the lowest asset.

use std::collections::BTreeMap;

use ledger::{
    AccountNumber, Amount, Authorisation, Command, CreditOutcome, Exact, Exchange, ExchangeAmount,
    Leg, Legs, PassedOver, PlaceQuote, Priority, Refusal, ReturnExchange, Scorecard, Transfer,
    TransferId,
};

use super::{Model, ModelTurn, pays, receives};

/// A live quote; the list is in order of arrival.
#[derive(Debug, Clone)]
pub(crate) struct ModelQuote {
    pub(crate) terms: PlaceQuote,
    pub(crate) left: u64,
}

/// A credit to be reported.
#[derive(Debug, Clone)]
pub(crate) struct ModelReport {
    pub(crate) transfer: TransferId,
    pub(crate) account: u32,
    settled: u64,
    pub(crate) by: u64,
}

/// What one quote gave: quote, gave, took.
pub(crate) type ModelFill = (TransferId, u64, u64);

/// A way that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ModelPlan {
    pub(crate) paid: u64,
    pub(crate) delivered: u64,
    pub(crate) via: Option<u32>,
    /// Of the first step, and of the second.
    pub(crate) fills: [Vec<ModelFill>; 2],
    pub(crate) passed: Vec<(TransferId, PassedOver)>,
}

#[derive(Debug, Default, Clone)]
pub(crate) struct ModelFx {
    pub(crate) quotes: Vec<ModelQuote>,
    pub(crate) reports: Vec<ModelReport>,
    pub(crate) within: BTreeMap<u32, u64>,
    pub(crate) cards: BTreeMap<u32, Scorecard>,
    /// Exchanges that settled: as they were sent, and what they took.
    pub(crate) settled: Vec<(Exchange, ModelPlan)>,
    /// Returns that settled.
    returned: Vec<ReturnExchange>,
    /// Exchanges of this block.
    pub(crate) came: Vec<(TransferId, ModelPlan)>,
}

pub(crate) fn is_about(command: &Command) -> bool {
    matches!(
        command,
        Command::PlaceQuote(_)
            | Command::WithdrawQuote(_)
            | Command::Exchange(_)
            | Command::ReturnExchange(_)
            | Command::ReportCredit(_)
            | Command::SetReporting(_)
    )
}

pub(crate) fn id_of(command: &Command) -> Option<TransferId> {
    match command {
        Command::PlaceQuote(quote) => Some(quote.id),
        Command::Exchange(exchange) => Some(exchange.id),
        Command::ReturnExchange(back) => Some(back.id),
        Command::SetReporting(set) => Some(set.id),
        _ => None,
    }
}

/// What a taker asks for.
pub(crate) struct Taker {
    pub(crate) pays: u32,
    pub(crate) gets: u32,
    pub(crate) exact: Exact,
    /// The accounts that it pays from and receives on.
    pub(crate) own: Option<(u32, u32)>,
    pub(crate) now: u64,
}

const DAY: u64 = 86_400 * 1_000_000_000;

impl Model {
    fn owner(&self, account: u32) -> Option<u32> {
        self.accounts.get(&account).map(|found| found.owner)
    }

    fn asset(&self, account: u32) -> u32 {
        self.accounts[&account].asset
    }

    pub(super) fn may_exchange(
        &self,
        command: &Command,
        signers: &[Authorisation],
    ) -> Result<(), Refusal> {
        let signed = |who: Option<u32>| signers.iter().any(|one| Some(one.participant.0) == who);
        let (unknown, who) = match command {
            Command::PlaceQuote(quote) => {
                let (sells, buys) = (self.owner(quote.sells.0), self.owner(quote.buys.0));
                if sells.is_some() && buys.is_some() && sells != buys {
                    return Err(Refusal::NotAuthorised);
                }
                if let Some(old) = quote.replaces.and_then(|id| self.live(&id))
                    && buys.is_some()
                    && self.owner(old.terms.sells.0) != sells
                    && sells.is_some()
                {
                    return Err(Refusal::NotAuthorised);
                }
                (Refusal::UnknownAccount, sells.and(buys))
            }
            Command::WithdrawQuote(withdraw) => {
                let quote = self.live(&withdraw.quote);
                (Refusal::QuoteNotLive, quote.and_then(|quote| self.owner(quote.terms.sells.0)))
            }
            Command::Exchange(exchange) => {
                (Refusal::UnknownDebitAccount, self.owner(exchange.debit.0))
            }
            Command::ReturnExchange(back) => {
                (Refusal::UnknownDebitAccount, self.owner(back.original.credit.0))
            }
            Command::ReportCredit(report) => {
                let awaited = self.awaited(&report.transfer, report.account.0);
                (Refusal::NoReportAwaited, awaited.and_then(|one| self.owner(one.account)))
            }
            Command::SetReporting(set) => {
                let account = self.accounts.get(&set.account.0);
                (Refusal::UnknownAccount, account.map(|one| self.assets[one.asset as usize].1))
            }
            other => panic!("not about exchanges: {other:?}"),
        };
        match who {
            None => Err(unknown),
            who if signed(who) => Ok(()),
            _ => Err(Refusal::NotAuthorised),
        }
    }

    fn live(&self, id: &TransferId) -> Option<&ModelQuote> {
        self.fx.quotes.iter().find(|quote| quote.terms.id == *id)
    }

    fn awaited(&self, transfer: &TransferId, account: u32) -> Option<&ModelReport> {
        let mut all = self.fx.reports.iter();
        all.find(|one| one.transfer == *transfer && one.account == account)
    }

    pub(super) fn exchanging(
        &mut self,
        turn: &ModelTurn<'_>,
        command: &Command,
    ) -> Result<(), Refusal> {
        let now = turn.now.0;
        match command {
            Command::PlaceQuote(quote) => self.place(quote, now),
            Command::WithdrawQuote(withdraw) => {
                self.fx.quotes.retain(|quote| quote.terms.id != withdraw.quote);
                Ok(())
            }
            Command::Exchange(exchange) => self.exchange(exchange, now),
            Command::ReturnExchange(back) => self.give_back(back, now),
            Command::ReportCredit(report) => {
                let awaited = self.awaited(&report.transfer, report.account.0).unwrap().clone();
                let bank = self.owner(awaited.account).unwrap();
                let card = self.fx.cards.entry(bank).or_default();
                match report.outcome {
                    CreditOutcome::Rejected(_) => card.rejected += 1,
                    CreditOutcome::Credited(at) => {
                        if at.0 < awaited.settled || at.0 > now {
                            return Err(Refusal::CreditTime);
                        }
                        card.delay += u128::from(now - awaited.settled);
                        let in_time = now <= awaited.by;
                        *if in_time { &mut card.in_time } else { &mut card.late } += 1;
                    }
                }
                self.fx.reports.retain(|one| {
                    (one.transfer, one.account) != (report.transfer, report.account.0)
                });
                Ok(())
            }
            Command::SetReporting(set) => {
                if set.within > 7 * DAY {
                    return Err(Refusal::DeadlineTooFar);
                }
                self.fx.within.insert(set.account.0, set.within);
                Ok(())
            }
            other => panic!("not about exchanges: {other:?}"),
        }
    }

    fn place(&mut self, quote: &PlaceQuote, now: u64) -> Result<(), Refusal> {
        if now > quote.until.0 {
            return Err(Refusal::DeadlinePassed);
        }
        if quote.until.0 > now + 7 * DAY {
            return Err(Refusal::DeadlineTooFar);
        }
        let (sells, buys) = (&self.accounts[&quote.sells.0], &self.accounts[&quote.buys.0]);
        if sells.asset == buys.asset {
            return Err(Refusal::SameAsset);
        }
        pays(sells)?;
        receives(buys)?;
        let (least, most) = (quote.least.minor(), quote.amount.minor());
        if least == 0 || least > most {
            return Err(Refusal::LeastTake);
        }
        if quote.replaces.is_some_and(|id| self.live(&id).is_none()) {
            return Err(Refusal::ReplacedGone);
        }
        let mut kept = self.fx.quotes.clone();
        kept.retain(|one| Some(one.terms.id) != quote.replaces);
        let same = |one: &&ModelQuote| {
            self.owner(one.terms.sells.0) == self.owner(quote.sells.0)
                && self.asset(one.terms.sells.0) == self.asset(quote.sells.0)
                && self.asset(one.terms.buys.0) == self.asset(quote.buys.0)
        };
        if kept.iter().filter(same).count() >= 4 {
            return Err(Refusal::QuoteBookFull);
        }
        kept.push(ModelQuote { terms: quote.clone(), left: most });
        self.fx.quotes = kept;
        Ok(())
    }

    fn exchange(&mut self, exchange: &Exchange, now: u64) -> Result<(), Refusal> {
        if exchange.deadline.is_some_and(|deadline| now > deadline.0) {
            return Err(Refusal::DeadlinePassed);
        }
        let debit = &self.accounts[&exchange.debit.0];
        let credit = self.accounts.get(&exchange.credit.0).ok_or(Refusal::UnknownCreditAccount)?;
        if debit.asset == credit.asset {
            return Err(Refusal::SameAsset);
        }
        pays(debit)?;
        receives(credit)?;
        let (exact, limit) = match exchange.amount {
            ExchangeAmount::Deliver { exactly, at_most } => (Exact::Delivered(exactly), at_most),
            ExchangeAmount::Spend { exactly, at_least } => (Exact::Spent(exactly), at_least),
        };
        let taker = Taker {
            pays: debit.asset,
            gets: credit.asset,
            exact,
            own: Some((exchange.debit.0, exchange.credit.0)),
            now,
        };
        let plan = self.best_way(&taker)?;
        let acceptable = match exact {
            Exact::Delivered(_) => plan.paid <= limit.minor(),
            Exact::Spent(_) => plan.delivered >= limit.minor(),
        };
        if !acceptable {
            return Err(Refusal::PriceBeyondLimit);
        }
        let transfer = self.as_legs(exchange, &plan);
        self.allows(&transfer)?;
        self.note_settled(&transfer);
        let mut post = |account: u32, change: i128| {
            self.accounts.entry(account).and_modify(|one| one.balance += change);
        };
        post(exchange.debit.0, -i128::from(plan.paid));
        post(exchange.credit.0, i128::from(plan.delivered));
        for (id, gave, took) in plan.fills.iter().flatten() {
            let quote = self.fx.quotes.iter_mut().find(|quote| quote.terms.id == *id).unwrap();
            post(quote.terms.sells.0, -i128::from(*gave));
            post(quote.terms.buys.0, i128::from(*took));
            quote.left -= gave;
        }
        self.fx.quotes.retain(|quote| quote.left >= quote.terms.least.minor());
        self.fx.settled.push((exchange.clone(), plan.clone()));
        self.fx.came.push((exchange.id, plan));
        self.credit(exchange.id, exchange.credit.0, now);
        Ok(())
    }

    /// The best way for a taker.
    pub(crate) fn best_way(&self, taker: &Taker) -> Result<ModelPlan, Refusal> {
        let (Exact::Delivered(amount) | Exact::Spent(amount)) = taker.exact;
        if amount.is_zero() {
            return Err(Refusal::AmountZero);
        }
        let quoted = |pays: u32, gets: u32| !self.of_pair(pays, gets).is_empty();
        let mut ways = Vec::new();
        if quoted(taker.pays, taker.gets) {
            ways.push(None);
        }
        for via in 0..self.assets.len() as u32 {
            if quoted(taker.pays, via) && quoted(via, taker.gets) {
                ways.push(Some(via));
            }
        }
        if ways.is_empty() {
            return Err(Refusal::NoQuotes);
        }
        let mut found: Vec<ModelPlan> =
            ways.into_iter().filter_map(|via| self.way(taker, via)).collect();
        // A stable order: the first of equal ones stays first.
        found.sort_by_key(|plan| (plan.paid, std::cmp::Reverse(plan.delivered)));
        found.into_iter().next().ok_or(Refusal::QuotesTooSmall)
    }

    fn way(&self, taker: &Taker, via: Option<u32>) -> Option<ModelPlan> {
        let mut given = BTreeMap::new();
        let mut passed = Vec::new();
        let mut step = |pays, gets, exact, count| {
            self.step(taker, (pays, gets), exact, &mut given, &mut passed, count)
        };
        let (Taker { pays, gets, exact, .. }, Some(via)) = (taker, via) else {
            let (fills, other) = step(taker.pays, taker.gets, taker.exact, 0)?;
            let (paid, delivered) = match taker.exact {
                Exact::Delivered(amount) => (other, amount.minor()),
                Exact::Spent(amount) => (amount.minor(), other),
            };
            return Some(ModelPlan { paid, delivered, via: None, fills: [fills, vec![]], passed });
        };
        let (paid, delivered, fills) = match exact {
            Exact::Delivered(amount) => {
                let (second, between) = step(via, *gets, *exact, 0)?;
                let between = Exact::Delivered(ledger::Amount::new(between));
                let (first, paid) = step(*pays, via, between, second.len())?;
                (paid, amount.minor(), [first, second])
            }
            Exact::Spent(amount) => {
                let (first, between) = step(*pays, via, *exact, 0)?;
                let between = Exact::Spent(ledger::Amount::new(between));
                let (second, delivered) = step(via, *gets, between, first.len())?;
                (amount.minor(), delivered, [first, second])
            }
        };
        Some(ModelPlan { paid, delivered, via: Some(via), fills, passed })
    }

    /// The quotes for who pays one asset to get another, the best first.
    pub(crate) fn of_pair(&self, pays: u32, gets: u32) -> Vec<&ModelQuote> {
        let fits = |quote: &&ModelQuote| {
            (self.asset(quote.terms.buys.0), self.asset(quote.terms.sells.0)) == (pays, gets)
        };
        let mut quotes: Vec<&ModelQuote> = self.fx.quotes.iter().filter(fits).collect();
        let price = |quote: &ModelQuote| {
            let rate = quote.terms.rate;
            (u128::from(rate.pay()), u128::from(rate.get()))
        };
        quotes.sort_by(|one, other| {
            let ((pay, get), (other_pay, other_get)) = (price(one), price(other));
            (pay * other_get).cmp(&(other_pay * get))
        });
        quotes
    }

    /// What is taken of each quote of a pair, and the sum of the other side.
    fn step(
        &self,
        taker: &Taker,
        (from, to): (u32, u32),
        exact: Exact,
        given: &mut BTreeMap<u32, i128>,
        passed: &mut Vec<(TransferId, PassedOver)>,
        taken_before: usize,
    ) -> Option<(Vec<ModelFill>, u64)> {
        let mut fills: Vec<ModelFill> = Vec::new();
        let (Exact::Delivered(amount) | Exact::Spent(amount)) = exact;
        let mut open = u128::from(amount.minor());
        let mut sum = 0;
        let last = taker.own.filter(|_| to == taker.gets);
        let receiver = last.and_then(|(_, credit)| self.owner(credit));
        for quote in self.of_pair(from, to) {
            if taken_before + fills.len() == 16 {
                return None;
            }
            let terms = &quote.terms;
            let (pay, get) = (u128::from(terms.rate.pay()), u128::from(terms.rate.get()));
            let left = u128::from(quote.left);
            let price = |gave: u128| (gave * pay).div_ceil(get);
            let (gave, took) = match exact {
                Exact::Delivered(_) => (open.min(left), price(open.min(left))),
                Exact::Spent(_) if open * get / pay < left => (open * get / pay, open),
                Exact::Spent(_) => {
                    let rest = open - price(left);
                    // A rest that buys nothing goes to the provider.
                    let rest = if rest * get / pay == 0 { rest } else { 0 };
                    (left, price(left) + rest)
                }
            };
            let (sells, buys) = (terms.sells.0, terms.buys.0);
            let of_account = given.entry(sells).or_default();
            let why = if taker.now > terms.until.0 {
                Some(PassedOver::Expired)
            } else if taker.own.is_some_and(|(debit, credit)| buys == debit || sells == credit) {
                Some(PassedOver::SameAccount)
            } else if pays(&self.accounts[&sells]).is_err()
                || receives(&self.accounts[&buys]).is_err()
            {
                Some(PassedOver::Account)
            } else if gave < u128::from(terms.least.minor()) {
                Some(PassedOver::BelowLeast)
            } else if self.available(sells) < *of_account + gave as i128 {
                Some(PassedOver::NoCover)
            } else if self.room(sells, receiver) < *of_account + gave as i128 {
                Some(PassedOver::Account)
            } else {
                None
            };
            if let Some(why) = why {
                passed.push((terms.id, why));
                continue;
            }
            *of_account += gave as i128;
            fills.push((terms.id, gave as u64, took as u64));
            let (done, other) = match exact {
                Exact::Delivered(_) => (gave, took),
                Exact::Spent(_) => (took, gave),
            };
            open -= done;
            sum += other as u64;
            if open == 0 {
                return Some((fills, sum));
            }
        }
        None
    }

    /// Limits, cover and reservations of all who pay.
    fn allows(&self, transfer: &Transfer) -> Result<(), Refusal> {
        self.payment_limit(transfer, |_| true)?;
        self.objection(&[(transfer, Priority::Normal)], |_| true).map_or(Ok(()), Err)
    }

    /// Who pays whom in an exchange; between the two steps everybody from the front.
    fn as_legs(&self, exchange: &Exchange, plan: &ModelPlan) -> Transfer {
        let terms = |id: &TransferId| self.live(id).unwrap().terms.clone();
        let (mut legs, mut gives, mut takes) = (Vec::new(), Vec::new(), Vec::new());
        let last = usize::from(plan.via.is_some());
        let leg = |debit, credit, amount| Leg { debit, credit, amount: Amount::new(amount) };
        for (id, gave, took) in &plan.fills[0] {
            legs.push(leg(exchange.debit, terms(id).buys, *took));
            gives.extend((0..*gave).map(|_| terms(id).sells));
        }
        for (id, gave, took) in &plan.fills[last] {
            legs.push(leg(terms(id).sells, exchange.credit, *gave));
            takes.extend((0..*took).map(|_| terms(id).buys));
        }
        if last == 1 {
            // Minor unit by minor unit.
            let units = gives.into_iter().zip(takes).filter(|(from, to)| from != to);
            let mut sums = BTreeMap::new();
            units.for_each(|pair| *sums.entry(pair).or_insert(0) += 1);
            legs.extend(sums.into_iter().map(|((from, to), sum)| leg(from, to, sum)));
        }
        Transfer { id: exchange.id, legs: Legs::new(legs).unwrap(), document: None, options: None }
    }

    fn give_back(&mut self, back: &ReturnExchange, now: u64) -> Result<(), Refusal> {
        if back.deadline.is_some_and(|deadline| now > deadline.0) {
            return Err(Refusal::DeadlinePassed);
        }
        let (from, to) = (back.original.credit.0, back.credit.0);
        if from == to {
            return Err(Refusal::SameAccount);
        }
        let debit = &self.accounts[&from];
        let credit = self.accounts.get(&to).ok_or(Refusal::UnknownCreditAccount)?;
        if debit.asset != credit.asset {
            return Err(Refusal::AssetMismatch);
        }
        pays(debit)?;
        receives(credit)?;
        super::positive(back.amount.minor())?;
        let original = self.fx.settled.iter().find(|(sent, _)| *sent == back.original);
        let (sent, plan) = original.ok_or(Refusal::OriginalUnknown)?;
        if self.owner(to) != self.owner(sent.debit.0) {
            return Err(Refusal::NotTheReverse);
        }
        let before: Vec<u64> = self
            .fx
            .returned
            .iter()
            .filter(|one| one.original.id == sent.id)
            .map(|one| one.amount.minor())
            .collect();
        let sum = before.iter().sum::<u64>() + back.amount.minor();
        if sum > plan.delivered || before.len() >= 16 {
            return Err(Refusal::ReturnTooLarge);
        }
        let amount = i128::from(back.amount.minor());
        let leg =
            Leg { debit: AccountNumber(from), credit: AccountNumber(to), amount: back.amount };
        let transfer =
            Transfer { id: back.id, legs: Legs::One(leg), document: None, options: None };
        self.allows(&transfer)?;
        self.note_settled(&transfer);
        self.accounts.entry(from).and_modify(|one| one.balance -= amount);
        self.accounts.entry(to).and_modify(|one| one.balance += amount);
        self.fx.returned.push(back.clone());
        self.credit(back.id, to, now);
        Ok(())
    }

    /// A transfer has settled: its credits are to be reported where the account asks for it.
    pub(super) fn credited(&mut self, transfer: &ledger::Transfer, now: u64) {
        for leg in transfer.legs.as_slice() {
            self.credit(transfer.id, leg.credit.0, now);
        }
    }

    fn credit(&mut self, transfer: TransferId, account: u32, settled: u64) {
        let within = self.fx.within.get(&account).copied().unwrap_or(0);
        if within > 0 && self.awaited(&transfer, account).is_none() {
            let by = settled + within;
            self.fx.reports.push(ModelReport { transfer, account, settled, by });
        }
    }

    /// A block begins: what is over goes.
    pub(crate) fn fx_pass(&mut self, now: u64) {
        self.fx.came.clear();
        self.fx.quotes.retain(|quote| quote.terms.until.0 >= now);
        let missing = |one: &ModelReport| now > one.by + (one.by - one.settled);
        for one in self.fx.reports.iter().filter(|one| missing(one)) {
            let bank = self.accounts[&one.account].owner;
            self.fx.cards.entry(bank).or_default().missing += 1;
        }
        self.fx.reports.retain(|one| !missing(one));
    }
}
