//! Moving money between accounts: 1 to 64 legs that all happen or none.
//!
//! Who must sign: the owner of every account that a leg debits; an account without an owner is refused there,
//! before the id is used up. From rule version 2 on a debtor need not have signed that the transfer names in an
//! approval condition, if another has; it agrees by its approval. The legs are judged together: an account that
//! appears in several legs needs cover only for what it pays in sum, so a payment against payment does not
//! depend on the order of its legs. Every debited account must be allowed to pay and every credited account
//! to receive, also where the sums cancel out. The order of the checks is in `apply.rs`.

use thiserror::Error;

use crate::account::Account;
use crate::amount::Amount;
use crate::apply::Authority;
use crate::id::{AccountNumber, Digest, LedgerTime, TransferId};
use crate::limits::LEGS_MAX;
use crate::refusal::Refusal;
use crate::state::{Ledger, NetEffect};

use super::options::{Condition, TransferOptions};

/// Moves money between accounts: all legs or none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transfer {
    /// The UETR. The same id with the same content gets the first answer, with other content a refusal.
    pub id: TransferId,
    /// What moves: 1 to 64 legs.
    pub legs: Legs,
    /// Digest of the document (an encrypted payment message) that belongs to the transfer.
    pub document: Option<Digest>,
    /// What the transfer asks beyond "now or never". Boxed: rare, and the common case stays small.
    pub options: Option<Box<TransferOptions>>,
}

/// One movement inside a transfer. Both accounts hold the same asset and are different.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Leg {
    /// The account that pays.
    pub debit: AccountNumber,
    /// The account that receives.
    pub credit: AccountNumber,
    /// What moves, more than zero.
    pub amount: Amount,
}

/// The legs of a transfer; one leg, by far the most frequent case, needs no allocation.
#[derive(Debug, Clone)]
pub enum Legs {
    /// One leg.
    One(Leg),
    /// 2 to 64 legs.
    Many(Box<[Leg]>),
}

/// A number of legs that no transfer may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a transfer has 1 to {LEGS_MAX} legs, not {0}")]
pub struct LegsError(pub usize);

impl Legs {
    /// Legs from a list.
    ///
    /// # Errors
    /// `LegsError` when there are none or more than 64.
    pub fn new(legs: Vec<Leg>) -> Result<Self, LegsError> {
        match legs.len() {
            1 => Ok(Self::One(legs[0])),
            2..=LEGS_MAX => Ok(Self::Many(legs.into_boxed_slice())),
            count => Err(LegsError(count)),
        }
    }

    /// The legs in order.
    #[must_use]
    pub fn as_slice(&self) -> &[Leg] {
        match self {
            Self::One(leg) => std::slice::from_ref(leg),
            Self::Many(legs) => legs,
        }
    }
}

impl PartialEq for Legs {
    fn eq(&self, other: &Self) -> bool {
        self.as_slice() == other.as_slice()
    }
}

impl Eq for Legs {}

/// How a transfer without options goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Course {
    /// All was checked.
    Plain,
    /// An account has settings about its liquidity: they are looked at with all else.
    Controlled,
}

impl Transfer {
    /// Form, the debited accounts and the signatures of their owners; the first leg that lacks one answers.
    #[inline]
    pub(crate) fn authorise(
        &self,
        ledger: &Ledger,
        authority: &Authority<'_>,
    ) -> Result<(), Refusal> {
        let legs = self.legs.as_slice();
        if legs.is_empty() || legs.len() > LEGS_MAX {
            return Err(Refusal::Malformed);
        }
        if let Some(options) = &self.options
            && !(options.is_well_formed() && self.shows_original_well())
        {
            return Err(Refusal::Malformed);
        }
        for leg in legs {
            let debit = ledger.hot(leg.debit).ok_or(Refusal::UnknownDebitAccount)?;
            if !authority.includes(debit.owner) {
                return self.authorise_in_part(ledger, authority);
            }
        }
        Ok(())
    }

    /// Some debtor has not signed: each that has not must be asked to approve, and one must have signed.
    #[cold]
    fn authorise_in_part(&self, ledger: &Ledger, authority: &Authority<'_>) -> Result<(), Refusal> {
        let conditions = match self.options.as_deref() {
            Some(options) if ledger.has_life_cycle() => &options.conditions[..],
            _ => &[],
        };
        let asked = |owner| {
            let approval = |condition: &Condition| matches!(condition, Condition::Approval { participant } if *participant == owner);
            conditions.iter().any(approval)
        };
        let mut signed = false;
        for leg in self.legs.as_slice() {
            let owner = ledger.hot(leg.debit).ok_or(Refusal::UnknownDebitAccount)?.owner;
            if authority.includes(owner) {
                signed = true;
            } else if !asked(owner) {
                return Err(Refusal::NotAuthorised);
            }
        }
        if signed { Ok(()) } else { Err(Refusal::NotAuthorised) }
    }

    /// Rules, legs, accounts, amounts, cover. Leaves the net effects of several legs for `apply`. Where something is
    /// set about the liquidity of an account, the rest is left to `submit`.
    #[inline]
    pub(crate) fn check(&self, ledger: &mut Ledger, now: LedgerTime) -> Result<Course, Refusal> {
        if let Some(options) = &self.options {
            options.check_first_rules(now)?;
        }
        if ledger.gov.watch {
            return self.check_watched(ledger);
        }
        match &self.legs {
            Legs::One(leg) => leg.check_alone(ledger),
            Legs::Many(legs) => {
                check_together(legs, ledger)?;
                if ledger.is_controlled(self) {
                    return Ok(Course::Controlled);
                }
                ledger.check_cover(|_| true).map(|()| Course::Plain)
            }
        }
    }

    /// The same where something restricts payments: a state, a limit, or hours that are over.
    #[cold]
    fn check_watched(&self, ledger: &mut Ledger) -> Result<Course, Refusal> {
        check_together(self.legs.as_slice(), ledger)?;
        if ledger.has_life_cycle() && ledger.is_controlled(self) {
            return Ok(Course::Controlled);
        }
        ledger.check_hours(self.legs.as_slice())?;
        ledger.check_cover(|_| true).map(|()| Course::Plain)
    }

    /// True when no original is shown, or the one that the transfer returns, which shows none itself; and then the
    /// transfer has one leg and no conditions, so that its bytes stay within their limit.
    pub(crate) fn shows_original_well(&self) -> bool {
        let Some(options) = &self.options else { return true };
        options.original.as_deref().is_none_or(|original| {
            let nested = original.options.as_deref().is_some_and(|own| own.original.is_some());
            let plain = self.legs.as_slice().len() == 1 && options.conditions.is_empty();
            options.returns == Some(original.id) && !nested && plain
        })
    }

    /// Legs, accounts, amounts; not cover. Leaves the net effects, also of a single leg.
    pub(crate) fn check_legs(&self, ledger: &mut Ledger) -> Result<(), Refusal> {
        check_together(self.legs.as_slice(), ledger)
    }

    /// What the transfer does to each account in sum, in order of first mention.
    pub(crate) fn net_effects(&self, net: &mut Vec<NetEffect>) {
        sum_up(self.legs.as_slice(), net);
    }

    /// Carries out what `check` allowed.
    #[inline]
    pub(crate) fn apply(&self, ledger: &mut Ledger) {
        match &self.legs {
            Legs::One(leg) => {
                let amount = i128::from(leg.amount.minor());
                ledger.post(leg.debit, -amount);
                ledger.post(leg.credit, amount);
            }
            Legs::Many(_) => ledger.post_net(),
        }
    }
}

impl Leg {
    /// The two accounts, when the leg may use them.
    #[inline]
    fn check_accounts<'a>(
        &self,
        ledger: &'a Ledger,
    ) -> Result<(&'a Account, &'a Account), Refusal> {
        let debit = ledger.authorised(self.debit);
        let credit = ledger.hot(self.credit).ok_or(Refusal::UnknownCreditAccount)?;
        if debit.asset != credit.asset {
            return Err(Refusal::AssetMismatch);
        }
        debit.check_may_pay()?;
        credit.check_may_receive()?;
        Ok((debit, credit))
    }

    /// All checks of a transfer's only leg.
    #[inline]
    fn check_alone(&self, ledger: &Ledger) -> Result<Course, Refusal> {
        if self.debit == self.credit {
            return Err(Refusal::SameAccount);
        }
        let (debit, credit) = self.check_accounts(ledger)?;
        if self.amount.is_zero() {
            return Err(Refusal::AmountZero);
        }
        if credit.posted.checked_add(i128::from(self.amount.minor())).is_none() {
            return Err(Refusal::AmountTooLarge);
        }
        if debit.controlled | credit.controlled {
            return Ok(Course::Controlled);
        }
        if debit.covers(self.amount) { Ok(Course::Plain) } else { Err(Refusal::InsufficientCover) }
    }
}

/// All checks of several legs, each step over all of them.
fn check_together(legs: &[Leg], ledger: &mut Ledger) -> Result<(), Refusal> {
    if legs.iter().any(|leg| leg.debit == leg.credit) {
        return Err(Refusal::SameAccount);
    }
    for leg in legs {
        leg.check_accounts(ledger)?;
    }
    if ledger.gov.watch {
        legs.iter().try_for_each(|leg| ledger.check_standing(leg))?;
    }
    if legs.iter().any(|leg| leg.amount.is_zero()) {
        return Err(Refusal::AmountZero);
    }
    if ledger.gov.watch {
        ledger.check_leg_limits(legs)?;
    }
    let mut net = std::mem::take(&mut ledger.net);
    sum_up(legs, &mut net);
    ledger.net = net;
    check_bounds(ledger)
}

/// The net effects of the legs.
fn sum_up(legs: &[Leg], net: &mut Vec<NetEffect>) {
    net.clear();
    #[cfg(feature = "planted")]
    let legs = match legs {
        [kept @ .., _] if legs.len() > 1 && crate::planted::is(crate::planted::Bug::SkippedLeg) => {
            kept
        }
        all => all,
    };
    for leg in legs {
        // At most 64 amounts of 64 bits: the sums are far from the ends of an i128.
        let amount = i128::from(leg.amount.minor());
        add_effect(net, leg.debit, -amount);
        add_effect(net, leg.credit, amount);
    }
}

fn add_effect(net: &mut Vec<NetEffect>, account: AccountNumber, change: i128) {
    match net.iter_mut().find(|effect| effect.account == account) {
        Some(effect) => effect.change += change,
        None => net.push(NetEffect { account, change }),
    }
}

/// Amounts of the net effects.
pub(crate) fn check_bounds(ledger: &Ledger) -> Result<(), Refusal> {
    // Only upwards: a payer is held by its cover, far above the lower bound.
    let beyond = |effect: &NetEffect| {
        let account: &Account = ledger.authorised(effect.account);
        effect.change > 0 && account.posted.checked_add(effect.change).is_none()
    };
    if ledger.net.iter().any(beyond) { Err(Refusal::AmountTooLarge) } else { Ok(()) }
}
