//! A naive ledger to compare with: maps and lists, no speed, nothing shared with the crate but its types.
//!
//! It is written from the rules as people state them. Where it and the ledger disagree, one of them is wrong.

pub(crate) mod fx;
pub(crate) mod gov;
pub(crate) mod liq;
pub(crate) mod waiting;

use std::collections::BTreeMap;

use gov::{ModelGov, first_keys};
use ledger::{
    AccountStatus, Authorisation, Command, Condition, LedgerTime, OnShortage, ParticipantNumber,
    ParticipantState, Priority, PublicKey, Refusal, Transfer, TransferId,
};
use waiting::ModelWaiting;

#[derive(Debug, Clone)]
pub(crate) struct ModelAccount {
    pub(crate) owner: u32,
    pub(crate) asset: u32,
    pub(crate) label: String,
    pub(crate) balance: i128,
    pub(crate) floor: i128,
    pub(crate) status: AccountStatus,
}

#[derive(Debug, Default, Clone)]
pub(crate) struct Model {
    pub(crate) participants: Vec<(String, Vec<PublicKey>)>,
    /// Code and issuer.
    pub(crate) assets: Vec<(String, u32)>,
    pub(crate) accounts: BTreeMap<u32, ModelAccount>,
    pub(crate) issued: BTreeMap<u32, i128>,
    pub(crate) redeemed: BTreeMap<u32, i128>,
    /// Every id ever answered: command, code, leaf.
    pub(crate) answered: Vec<(TransferId, Command, u16, u64)>,
    /// The version of the rules; 0 is 1.
    pub(crate) rules: u16,
    pub(crate) waiting: Vec<ModelWaiting>,
    pub(crate) next_order: i64,
    /// What became of waiting transfers: id and code, in this block, and of those that ended, ever.
    pub(crate) came: Vec<(TransferId, u16)>,
    pub(crate) ended: Vec<(TransferId, u16)>,
    /// Returns that settled: the id of the original, and the return.
    pub(crate) returned: Vec<(TransferId, Transfer)>,
    pub(crate) gov: ModelGov,
    pub(crate) liquidity: liq::ModelLiquidity,
    /// Quotes, exchanges, and reports of credit.
    pub(crate) fx: fx::ModelFx,
}

/// Where and for whom one command is applied. `signers` is `None` in genesis.
pub(crate) struct ModelTurn<'a> {
    pub(crate) submitter: u32,
    pub(crate) signers: Option<&'a [Authorisation]>,
    pub(crate) now: LedgerTime,
    pub(crate) valid_until: LedgerTime,
    pub(crate) leaf: u64,
}

impl Model {
    /// The code of the answer, and the leaf of the first time when this is a repetition.
    pub(crate) fn apply(&mut self, turn: &ModelTurn<'_>, command: &Command) -> (u16, Option<u64>) {
        self.liquidity.now = turn.now.0;
        if let Err(refusal) = self.may(turn, command) {
            return (refusal.code(), None);
        }
        let id = id_of(command);
        if let Some((_, first, code, leaf)) =
            self.answered.iter().find(|(known, ..)| Some(*known) == id)
        {
            return if first == command {
                (*code, Some(*leaf))
            } else {
                (Refusal::DuplicateId.code(), None)
            };
        }
        let result = if turn.now > turn.valid_until {
            Err(Refusal::ValidityPassed)
        } else {
            self.carry_out(turn, command)
        };
        let code = match result {
            Ok(code) => code,
            Err(refusal) => refusal.code(),
        };
        if let Some(id) = id {
            self.answered.push((id, command.clone(), code, turn.leaf));
        }
        (code, None)
    }

    fn may(&self, turn: &ModelTurn<'_>, command: &Command) -> Result<(), Refusal> {
        let Some(signers) = turn.signers else { return Ok(()) };
        self.may_sign(turn, command)?;
        let signed = |who: u32| signers.iter().any(|one| one.participant.0 == who);
        let owner = |account: u32| self.accounts.get(&account).map(|found| found.owner);
        let issuer = |account: u32| {
            self.accounts.get(&account).map(|found| self.assets[found.asset as usize].1)
        };
        // Who must sign, in order; `None` where an account that does not exist has nobody to ask.
        let mut needed: Vec<Option<u32>> = Vec::new();
        let mut unknown = Refusal::UnknownAccount;
        match command {
            Command::Transfer(transfer) => {
                unknown = Refusal::UnknownDebitAccount;
                let debtors = transfer.legs.as_slice().iter().map(|leg| owner(leg.debit.0));
                let asked = |who: u32| {
                    self.rules >= 2
                        && transfer.options.as_ref().is_some_and(|options| {
                            let participant = ParticipantNumber(who);
                            options.conditions.contains(&Condition::Approval { participant })
                        })
                };
                let one_signed = debtors.clone().flatten().any(signed);
                needed.extend(debtors.filter(|who| match who {
                    Some(who) => !(one_signed && asked(*who)),
                    None => true,
                }));
            }
            Command::Issue(issue) => needed.push(issuer(issue.account.0)),
            Command::Redeem(redeem) => {
                unknown = Refusal::UnknownDebitAccount;
                needed.push(issuer(redeem.account.0));
                let owner = owner(redeem.account.0);
                let gone = ParticipantState::Removed;
                needed
                    .extend(Some(owner).filter(|who| who.map(|who| self.state(who)) != Some(gone)));
            }
            Command::OpenAccount(open) => needed.push(Some(open.owner.0)),
            Command::SetFloor(set) => needed.push(issuer(set.account.0)),
            Command::SetAccountStatus(set) => {
                let own_closing =
                    set.status == AccountStatus::Closed && owner(set.account.0).is_some_and(signed);
                if !own_closing {
                    needed.push(issuer(set.account.0));
                }
            }
            Command::AdmitParticipant(_) | Command::AddAsset(_) | Command::ActivateRules(_) => {}
            _ if self.rules < 2 => {}
            other if self.signs_settings(other).is_some() => {
                needed.extend(self.signs_settings(other));
            }
            other if fx::is_about(other) => self.may_exchange(other, signers)?,
            other => match self.may_govern(other, signers) {
                Some(verdict) => verdict?,
                None => self.may_speak(other, signers)?,
            },
        }
        needed.into_iter().try_for_each(|who| match who {
            None => Err(unknown),
            Some(who) if signed(who) => Ok(()),
            Some(_) => Err(Refusal::NotAuthorised),
        })
    }

    fn carry_out(&mut self, turn: &ModelTurn<'_>, command: &Command) -> Result<u16, Refusal> {
        match command {
            Command::Transfer(transfer)
                if self.rules >= 2
                    && (transfer.options.is_some() || self.has_settings(transfer)) =>
            {
                let code = self.submit(turn, transfer)?;
                if code == 1 {
                    self.credited(transfer, turn.now.0);
                }
                Ok(code)
            }
            other => {
                if self.rules >= 2
                    && let Some(waits) = self.wait_for_second(turn, other)
                {
                    return waits;
                }
                match self.govern(turn, other) {
                    Some(answer) if self.rules >= 2 => answer,
                    _ => self.carry_out_at_once(turn, other).map(|()| 1),
                }
            }
        }
    }

    fn carry_out_at_once(
        &mut self,
        turn: &ModelTurn<'_>,
        command: &Command,
    ) -> Result<(), Refusal> {
        match command {
            Command::Transfer(transfer) => self.transfer(turn.now, transfer),
            Command::Issue(issue) => {
                let account = self.accounts.get(&issue.account.0).ok_or(Refusal::UnknownAccount)?;
                receives(account)?;
                self.may_receive(self.accounts[&issue.account.0].owner)?;
                let account = self.accounts.get_mut(&issue.account.0).unwrap();
                positive(issue.amount.minor())?;
                account.balance += i128::from(issue.amount.minor());
                *self.issued.entry(account.asset).or_default() += i128::from(issue.amount.minor());
                Ok(())
            }
            Command::Redeem(redeem) => {
                let number = redeem.account.0;
                let account = self.accounts.get(&number).ok_or(Refusal::UnknownDebitAccount)?;
                pays(account)?;
                if self.state(account.owner) != ParticipantState::Removed {
                    self.may_pay(account.owner)?;
                }
                positive(redeem.amount.minor())?;
                let amount = i128::from(redeem.amount.minor());
                if self.available(number) < amount {
                    return Err(Refusal::InsufficientCover);
                }
                let account = self.accounts.get_mut(&number).unwrap();
                account.balance -= amount;
                *self.redeemed.entry(account.asset).or_default() += amount;
                Ok(())
            }
            Command::OpenAccount(open) => {
                if open.owner.0 as usize >= self.participants.len() {
                    return Err(Refusal::UnknownParticipant);
                }
                if open.asset.0 as usize >= self.assets.len() {
                    return Err(Refusal::UnknownAsset);
                }
                let label = open.label.as_str().to_owned();
                let same = |account: &ModelAccount| {
                    (account.owner, account.asset) == (open.owner.0, open.asset.0)
                        && account.label == label
                };
                if self.accounts.values().any(same) {
                    return Err(Refusal::AccountExists);
                }
                let account = ModelAccount {
                    owner: open.owner.0,
                    asset: open.asset.0,
                    label,
                    balance: 0,
                    floor: 0,
                    status: AccountStatus::Open,
                };
                self.accounts.insert(self.accounts.len() as u32, account);
                Ok(())
            }
            Command::SetFloor(set) => {
                let account =
                    self.accounts.get_mut(&set.account.0).ok_or(Refusal::UnknownAccount)?;
                if account.status == AccountStatus::Closed {
                    return Err(Refusal::AccountClosed);
                }
                if set.floor > 0 {
                    return Err(Refusal::FloorPositive);
                }
                account.floor = i128::from(set.floor);
                Ok(())
            }
            Command::SetAccountStatus(set) => {
                let held = self.accounts.contains_key(&set.account.0);
                let held = if held { self.held(set.account.0) } else { 0 };
                let account =
                    self.accounts.get_mut(&set.account.0).ok_or(Refusal::UnknownAccount)?;
                match (account.status, set.status) {
                    (old, new) if old == new => {}
                    (AccountStatus::Closed, _) => return Err(Refusal::AccountClosed),
                    (_, AccountStatus::Closed) if account.balance != 0 || held != 0 => {
                        return Err(Refusal::AccountNotEmpty);
                    }
                    (_, new) => account.status = new,
                }
                Ok(())
            }
            Command::AdmitParticipant(admit) => {
                if turn.signers.is_some() {
                    return Err(Refusal::RuleNotActive);
                }
                self.participants.push((admit.bic.to_string(), admit.signing_keys.clone()));
                self.gov.keys.push(first_keys(&admit.signing_keys, turn.now.0));
                Ok(())
            }
            Command::AddAsset(add) => {
                if turn.signers.is_some() {
                    return Err(Refusal::RuleNotActive);
                }
                self.assets.push((add.code.to_string(), add.issuer.0));
                Ok(())
            }
            Command::ActivateRules(activate) => {
                if turn.signers.is_some() {
                    return Err(Refusal::RuleNotActive);
                }
                self.rules = activate.version;
                Ok(())
            }
            _ if self.rules < 2 => Err(Refusal::RuleNotActive),
            other if self.signs_settings(other).is_some() => self.set(other),
            other if fx::is_about(other) => self.exchanging(turn, other),
            other => match self.own_business(turn.now.0, other) {
                Some(answer) => answer,
                None => self.answer(turn, other),
            },
        }
    }

    fn transfer(&mut self, now: LedgerTime, transfer: &Transfer) -> Result<(), Refusal> {
        if let Some(options) = &transfer.options {
            if options.not_before.is_some()
                || options.priority != Priority::Normal
                || options.on_shortage != OnShortage::Refuse
                || options.returns.is_some()
                || !options.conditions.is_empty()
            {
                return Err(Refusal::RuleNotActive);
            }
            if options.deadline.is_some_and(|deadline| now > deadline) {
                return Err(Refusal::DeadlinePassed);
            }
        }
        self.legs(transfer)?;
        self.hours(transfer, now.0)?;
        let sums = waiting::net(transfer);
        for (number, sum) in &sums {
            if *sum < 0 && self.available(*number) < -sum {
                return Err(Refusal::InsufficientCover);
            }
        }
        for (number, sum) in sums {
            self.accounts.entry(number).and_modify(|account| account.balance += sum);
        }
        self.note_settled(transfer);
        self.credited(transfer, now.0);
        Ok(())
    }
}

fn id_of(command: &Command) -> Option<TransferId> {
    match command {
        Command::Transfer(transfer) => Some(transfer.id),
        Command::Issue(issue) => Some(issue.id),
        Command::Redeem(redeem) => Some(redeem.id),
        Command::SetFloor(set) => Some(set.id),
        Command::SetAccountStatus(set) => Some(set.id),
        Command::Reorder(reorder) => Some(reorder.id),
        Command::Propose(propose) => Some(propose.id),
        Command::AddKey(add) => Some(add.id),
        Command::SetSealingKey(set) => Some(set.id),
        Command::SetFundingLimit(set) => Some(set.id),
        Command::SetLimit(set) => Some(set.id),
        Command::SetReservation(set) => Some(set.id),
        Command::SetAcceptance(set) => Some(set.id),
        Command::SetNotices(set) => Some(set.id),
        Command::Attest(attest) => Some(attest.id),
        Command::RecordAccess(access) => Some(access.id),
        Command::EraseDocument(erase) => Some(erase.id),
        other => fx::id_of(other),
    }
}

fn pays(account: &ModelAccount) -> Result<(), Refusal> {
    Err(match account.status {
        AccountStatus::Open | AccountStatus::DebitOnly => return Ok(()),
        AccountStatus::CreditOnly => Refusal::DebitNotAllowed,
        AccountStatus::Blocked => Refusal::DebitAccountBlocked,
        AccountStatus::Closed => Refusal::DebitAccountClosed,
    })
}

fn receives(account: &ModelAccount) -> Result<(), Refusal> {
    Err(match account.status {
        AccountStatus::Open | AccountStatus::CreditOnly => return Ok(()),
        AccountStatus::DebitOnly => Refusal::CreditNotAllowed,
        AccountStatus::Blocked => Refusal::CreditAccountBlocked,
        AccountStatus::Closed => Refusal::CreditAccountClosed,
    })
}

fn positive(amount: u64) -> Result<(), Refusal> {
    if amount == 0 { Err(Refusal::AmountZero) } else { Ok(()) }
}
