//! The naive model of votes, states, keys, hours and two people: lists, counted anew for every question.

mod content;

use ledger::{
    Authorisation, Calendar, Command, Content, LedgerTime, OnShortage, ParticipantNumber,
    ParticipantState, PublicKey, Refusal, Transfer, TransferId,
};

use super::{Model, ModelTurn};

const MINUTE: u64 = 60 * 1_000_000_000;
const DAY: u64 = 24 * 60 * MINUTE;

#[derive(Debug, Clone)]
pub(crate) struct ModelKey {
    pub(crate) key: PublicKey,
    from: u64,
    until: Option<u64>,
}

#[derive(Debug, Clone)]
struct ModelProposal {
    id: TransferId,
    content: Content,
    proposer: u32,
    expires: u64,
    yes: Vec<u32>,
    no: Vec<u32>,
}

#[derive(Debug, Clone)]
struct ModelAct {
    id: TransferId,
    command: Command,
    of: u32,
    makers: Vec<PublicKey>,
    deadline: u64,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct ModelGov {
    needed: usize,
    voters: Vec<u32>,
    proposals: Vec<ModelProposal>,
    acts: Vec<ModelAct>,
    states: Vec<(u32, ParticipantState)>,
    /// Keys of each participant, ever.
    pub(crate) keys: Vec<Vec<ModelKey>>,
    sealing: Vec<(u32, [u8; 32])>,
    calendars: Vec<(u32, Calendar)>,
    leg_limits: Vec<(u32, u64)>,
    funding: Vec<(u32, u64)>,
    nodes: Vec<(u64, Option<ledger::NodeDescription>)>,
    finality: Option<u16>,
    /// Removed in this block.
    removed: Vec<u32>,
    /// What was found about the signers when the batch began: wrong, or somebody blocked among them.
    batch: Option<Result<bool, Refusal>>,
}

/// What a key is from its owner's admission on.
pub(crate) fn first_keys(keys: &[PublicKey], now: u64) -> Vec<ModelKey> {
    keys.iter().map(|key| ModelKey { key: *key, from: now, until: None }).collect()
}

fn found<K: PartialEq, V>(list: &[(K, V)], key: &K) -> Option<usize> {
    list.iter().position(|(known, _)| known == key)
}

fn set<K: PartialEq, V>(list: &mut Vec<(K, V)>, key: K, value: Option<V>) {
    list.retain(|(known, _)| *known != key);
    list.extend(value.map(|value| (key, value)));
}

impl Model {
    pub(crate) fn state(&self, who: u32) -> ParticipantState {
        let at = found(&self.gov.states, &who);
        at.map_or(ParticipantState::Active, |at| self.gov.states[at].1)
    }

    fn takes_part(&self, who: u32) -> bool {
        !matches!(self.state(who), ParticipantState::Blocked | ParticipantState::Removed)
    }

    fn key_is_live(&self, who: u32, key: &PublicKey, now: u64) -> bool {
        let keys = self.gov.keys.get(who as usize).map_or(&[][..], |keys| keys);
        let live = |one: &ModelKey| {
            one.key == *key && one.from <= now && one.until.is_none_or(|until| now < until)
        };
        self.state(who) != ParticipantState::Removed && keys.iter().any(live)
    }

    pub(crate) fn is_anybodys_key(&self, key: &PublicKey, now: u64) -> bool {
        (0..self.gov.keys.len() as u32).any(|who| self.key_is_live(who, key, now))
    }

    /// Who signed a batch is judged once, before its first command.
    pub(crate) fn begin_batch(&mut self, submitter: u32, signers: &[Authorisation], now: u64) {
        self.gov.batch = Some(self.judge_signers(submitter, signers, now));
    }

    fn judge_signers(
        &self,
        submitter: u32,
        signers: &[Authorisation],
        now: u64,
    ) -> Result<bool, Refusal> {
        let submitted = signers.iter().any(|one| one.participant.0 == submitter);
        let live = |one: &Authorisation| self.key_is_live(one.participant.0, &one.key, now);
        if !submitted || !signers.iter().all(live) {
            return Err(Refusal::SignerNotLive);
        }
        Ok(signers.iter().any(|one| !self.takes_part(one.participant.0)))
    }

    pub(crate) fn may_sign(&self, turn: &ModelTurn<'_>, command: &Command) -> Result<(), Refusal> {
        let Some(signers) = turn.signers else { return Ok(()) };
        let judged = || self.judge_signers(turn.submitter, signers, turn.now.0);
        let blocked = self.gov.batch.unwrap_or_else(judged)?;
        let ends = matches!(
            command,
            Command::Refuse(_) | Command::Cancel(_) | Command::Withdraw(_) | Command::RevokeKey(_)
        );
        if blocked && !ends { Err(Refusal::SignerSuspended) } else { Ok(()) }
    }

    fn voters(&self) -> Vec<u32> {
        let all = 0..self.participants.len() as u32;
        let named = |who: &u32| self.gov.voters.is_empty() || self.gov.voters.contains(who);
        all.filter(named).filter(|who| self.takes_part(*who)).collect()
    }

    fn votes_needed(&self) -> Result<usize, Refusal> {
        let count = self.voters().len();
        if count < 2 {
            return Err(Refusal::VotersTooFew);
        }
        let needed = if self.gov.needed == 0 { count / 2 + 1 } else { self.gov.needed };
        Ok(needed.min(count - 1))
    }

    /// `None` for commands of other parts.
    pub(crate) fn may_govern(
        &self,
        command: &Command,
        signers: &[Authorisation],
    ) -> Option<Result<(), Refusal>> {
        let signed = |who: u32| signers.iter().any(|one| one.participant.0 == who);
        let owner = |who: ParticipantNumber| {
            if signed(who.0) { Ok(()) } else { Err(Refusal::NotAuthorised) }
        };
        Some(match command {
            Command::Propose(propose) => {
                if let Content::ReplaceKeys { signing_keys, .. } = &*propose.content
                    && !(1..=8).contains(&signing_keys.len())
                {
                    Err(Refusal::Malformed)
                } else if !signed(propose.proposer.0) {
                    Err(Refusal::NotAuthorised)
                } else if !self.voters().contains(&propose.proposer.0) {
                    Err(Refusal::NotAVoter)
                } else {
                    Ok(())
                }
            }
            Command::Vote(vote) => match self.proposal(&vote.proposal) {
                None => Err(Refusal::NotWaiting),
                Some(one) => {
                    let checkers = self.checkers(one, signers);
                    let maker = signed(one.proposer);
                    match (checkers.is_empty(), maker) {
                        (false, _) => Ok(()),
                        (true, true) => Err(Refusal::MakerIsChecker),
                        (true, false) => Err(Refusal::NotAVoter),
                    }
                }
            },
            Command::Withdraw(withdraw) => {
                let proposer = self.proposal(&withdraw.id).map(|one| one.proposer);
                match proposer.or_else(|| self.act(&withdraw.id).map(|one| one.of)) {
                    None => Err(Refusal::NotWaiting),
                    Some(who) => owner(ParticipantNumber(who)),
                }
            }
            Command::Confirm(confirm) => match self.act(&confirm.id) {
                None => Err(Refusal::NotWaiting),
                Some(act) => {
                    let keys = signers.iter().filter(|one| one.participant.0 == act.of);
                    let keys: Vec<_> = keys.map(|one| one.key).collect();
                    if keys.is_empty() {
                        Err(Refusal::NotAuthorised)
                    } else if keys.iter().any(|key| act.makers.contains(key)) {
                        Err(Refusal::MakerIsChecker)
                    } else {
                        Ok(())
                    }
                }
            },
            Command::AddKey(add) => owner(add.participant),
            Command::RetireKey(retire) => owner(retire.participant),
            Command::RevokeKey(revoke) => owner(revoke.participant),
            Command::SetSealingKey(set) => owner(set.participant),
            Command::SetFundingLimit(set) => match self.assets.get(set.asset.0 as usize) {
                Some((_, issuer)) => owner(ParticipantNumber(*issuer)),
                None => Err(Refusal::NotAuthorised),
            },
            _ => return None,
        })
    }

    fn proposal(&self, id: &TransferId) -> Option<&ModelProposal> {
        self.gov.proposals.iter().find(|one| one.id == *id)
    }

    fn act(&self, id: &TransferId) -> Option<&ModelAct> {
        self.gov.acts.iter().find(|one| one.id == *id)
    }

    /// Voters among the signers, but for the proposer.
    fn checkers(&self, of: &ModelProposal, signers: &[Authorisation]) -> Vec<u32> {
        let voters = self.voters();
        let each = signers.iter().map(|one| one.participant.0);
        each.filter(|who| *who != of.proposer && voters.contains(who)).collect()
    }

    /// Whose second person is asked for.
    fn second(&self, command: &Command) -> Option<u32> {
        let limit = |asset: u32| found(&self.gov.funding, &asset).map(|at| self.gov.funding[at].1);
        let (asset, needs) = match command {
            Command::Issue(issue) => {
                let asset = self.accounts[&issue.account.0].asset;
                (asset, limit(asset).is_some_and(|limit| issue.amount.minor() > limit))
            }
            Command::Redeem(redeem) => {
                let asset = self.accounts[&redeem.account.0].asset;
                (asset, limit(asset).is_some_and(|limit| redeem.amount.minor() > limit))
            }
            Command::SetFundingLimit(set) => {
                let above = set.above.map_or(u128::MAX, |above| u128::from(above.minor()));
                (set.asset.0, limit(set.asset.0).is_some_and(|limit| above > u128::from(limit)))
            }
            Command::AddKey(add) => {
                return (self.keys_needed(add.participant.0) == 2).then_some(add.participant.0);
            }
            _ => return None,
        };
        needs.then(|| self.assets[asset as usize].1)
    }

    fn keys_needed(&self, who: u32) -> usize {
        let issues = |(asset, _): &(u32, u64)| self.assets[*asset as usize].1 == who;
        if self.gov.funding.iter().any(issues) { 2 } else { 1 }
    }

    /// `None` where no second person is asked for; otherwise the answer.
    pub(crate) fn wait_for_second(
        &mut self,
        turn: &ModelTurn<'_>,
        command: &Command,
    ) -> Option<Result<u16, Refusal>> {
        let signers = turn.signers?;
        let of = self.second(command)?;
        if let Err(refusal) = self.clone().carry_out_at_once(turn, command) {
            return Some(Err(refusal));
        }
        let keys = signers.iter().filter(|one| one.participant.0 == of).map(|one| one.key);
        self.gov.acts.push(ModelAct {
            id: super::id_of(command).unwrap(),
            command: command.clone(),
            of,
            makers: keys.collect(),
            deadline: turn.now.0 + DAY,
        });
        Some(Ok(3))
    }

    /// `None` for commands of other parts.
    pub(crate) fn govern(
        &mut self,
        turn: &ModelTurn<'_>,
        command: &Command,
    ) -> Option<Result<u16, Refusal>> {
        Some(match command {
            Command::Propose(propose) => self.propose(turn, propose),
            Command::Vote(vote) => self.vote(turn, vote).map(|()| 1),
            Command::Confirm(confirm) => self.confirm(turn, &confirm.id).map(|()| 1),
            Command::Withdraw(withdraw) => {
                self.gov.proposals.retain(|one| one.id != withdraw.id);
                self.gov.acts.retain(|one| one.id != withdraw.id);
                self.ends(withdraw.id, Refusal::Withdrawn.code());
                Ok(1)
            }
            _ => return None,
        })
    }

    fn ends(&mut self, id: TransferId, code: u16) {
        self.came.push((id, code));
        self.ended.push((id, code));
    }

    fn propose(&mut self, turn: &ModelTurn<'_>, propose: &ledger::Propose) -> Result<u16, Refusal> {
        let now = turn.now.0;
        let Some(signers) = turn.signers else {
            self.judge_content(&propose.content)?;
            self.bring_about(&propose.content, now);
            return Ok(1);
        };
        if now > propose.expires.0 {
            return Err(Refusal::DeadlinePassed);
        }
        let needed = self.votes_needed()?;
        let own = |one: &&ModelProposal| one.proposer == propose.proposer.0;
        if self.gov.proposals.iter().filter(own).count() >= 16 {
            return Err(Refusal::TooManyWaiting);
        }
        self.judge_content(&propose.content)?;
        let mut new = ModelProposal {
            id: propose.id,
            content: (*propose.content).clone(),
            proposer: propose.proposer.0,
            expires: propose.expires.0,
            yes: Vec::new(),
            no: Vec::new(),
        };
        new.yes = self.checkers(&new, signers);
        if new.yes.len() >= needed {
            self.bring_about(&new.content, now);
            return Ok(1);
        }
        self.gov.proposals.push(new);
        Ok(3)
    }

    fn vote(&mut self, turn: &ModelTurn<'_>, vote: &ledger::Vote) -> Result<(), Refusal> {
        let needed = self.votes_needed()?;
        let voters = self.voters();
        let at = self.gov.proposals.iter().position(|one| one.id == vote.proposal).unwrap();
        let mut one = self.gov.proposals[at].clone();
        if turn.now.0 > one.expires {
            return Err(Refusal::DeadlinePassed);
        }
        for who in self.checkers(&one, turn.signers.unwrap_or_default()) {
            let (own, other) =
                if vote.in_favour { (&mut one.yes, &one.no) } else { (&mut one.no, &one.yes) };
            if other.contains(&who) {
                return Err(Refusal::AlreadyAnswered);
            }
            if !own.contains(&who) {
                own.push(who);
            }
        }
        let counted = |list: &[u32]| list.iter().filter(|who| voters.contains(who)).count();
        let undecided = voters.iter().filter(|who| **who != one.proposer).count();
        let new = one.yes.len() + one.no.len()
            > self.gov.proposals[at].yes.len() + self.gov.proposals[at].no.len();
        self.gov.proposals[at] = one.clone();
        if !new {
            return Ok(());
        }
        if counted(&one.yes) >= needed {
            self.gov.proposals.remove(at);
            let code = match self.judge_content(&one.content) {
                Ok(()) => {
                    self.bring_about(&one.content, turn.now.0);
                    1
                }
                Err(refusal) => refusal.code(),
            };
            self.ends(one.id, code);
        } else if undecided - counted(&one.no) < needed {
            self.gov.proposals.remove(at);
            self.ends(one.id, Refusal::VotedDown.code());
        }
        Ok(())
    }

    fn confirm(&mut self, turn: &ModelTurn<'_>, id: &TransferId) -> Result<(), Refusal> {
        let act = self.act(id).unwrap().clone();
        if turn.now.0 > act.deadline {
            return Err(Refusal::DeadlinePassed);
        }
        self.carry_out_at_once(turn, &act.command)?;
        self.gov.acts.retain(|one| one.id != *id);
        self.ends(*id, 1);
        Ok(())
    }

    /// Keys, sealing keys and funding limits. `None` for commands of other parts.
    pub(crate) fn own_business(
        &mut self,
        now: u64,
        command: &Command,
    ) -> Option<Result<(), Refusal>> {
        Some(match command {
            Command::AddKey(add) => self.add_key(add, now),
            Command::RetireKey(one) => self.end_key(one.participant.0, &one.key, one.at, now),
            Command::RevokeKey(one) => self.end_key(one.participant.0, &one.key, None, now),
            Command::SetSealingKey(set_key) => {
                set(&mut self.gov.sealing, set_key.participant.0, Some(set_key.sealing_key));
                Ok(())
            }
            Command::SetFundingLimit(one) => {
                let issuer = self.assets[one.asset.0 as usize].1;
                let keys = self.gov.keys[issuer as usize].iter();
                let lasting = keys.filter(|key| key.from <= now && key.until.is_none());
                if one.above.is_some() && lasting.count() < 2 {
                    return Some(Err(Refusal::KeyNeeded));
                }
                set(&mut self.gov.funding, one.asset.0, one.above.map(ledger::Amount::minor));
                Ok(())
            }
            _ => return None,
        })
    }

    fn used_ever(&self, key: &PublicKey) -> bool {
        self.gov.keys.iter().flatten().any(|one| one.key == *key)
    }

    fn add_key(&mut self, add: &ledger::AddKey, now: u64) -> Result<(), Refusal> {
        if add.from.is_some_and(|from| from.0 <= now) {
            return Err(Refusal::TimeOutOfRange);
        }
        if self.used_ever(&add.key) {
            return Err(Refusal::KeyInUse);
        }
        let keys = &mut self.gov.keys[add.participant.0 as usize];
        if keys.iter().filter(|one| one.until.is_none_or(|until| until > now)).count() >= 8 {
            return Err(Refusal::LimitReached);
        }
        let from = add.from.map_or(now, |from| from.0);
        keys.push(ModelKey { key: add.key, from, until: None });
        Ok(())
    }

    fn end_key(
        &mut self,
        who: u32,
        key: &PublicKey,
        at: Option<LedgerTime>,
        now: u64,
    ) -> Result<(), Refusal> {
        let needed = self.keys_needed(who);
        let keys = &mut self.gov.keys[who as usize];
        let place = keys.iter().position(|one| one.key == *key);
        let place = place.filter(|at| keys[*at].until.is_none_or(|until| until > now));
        let place = place.ok_or(Refusal::KeyNotLive)?;
        if at.is_some_and(|at| at.0 <= now) {
            return Err(Refusal::TimeOutOfRange);
        }
        let time = at.map_or(now, |at| at.0);
        if at.is_some() && (keys[place].until.is_some() || time <= keys[place].from) {
            return Err(Refusal::KeyNotLive);
        }
        let lasting = keys.iter().filter(|one| {
            one.key != *key && one.until.is_none() && (one.from <= now || one.from < time)
        });
        if lasting.count() < needed {
            return Err(Refusal::KeyNeeded);
        }
        keys[place].until = Some(time);
        Ok(())
    }

    /// What the owners of the accounts of each leg may.
    pub(crate) fn standing(&self, transfer: &Transfer) -> Result<(), Refusal> {
        transfer.legs.as_slice().iter().try_for_each(|leg| {
            self.may_pay(self.accounts[&leg.debit.0].owner)?;
            self.may_receive(self.accounts[&leg.credit.0].owner)
        })
    }

    pub(crate) fn may_pay(&self, who: u32) -> Result<(), Refusal> {
        match self.state(who) {
            ParticipantState::Active | ParticipantState::SendOnly => Ok(()),
            _ => Err(Refusal::DebtorSuspended),
        }
    }

    pub(crate) fn may_receive(&self, who: u32) -> Result<(), Refusal> {
        match self.state(who) {
            ParticipantState::Active | ParticipantState::ReceiveOnly => Ok(()),
            _ => Err(Refusal::CreditorSuspended),
        }
    }

    pub(crate) fn within_limits(&self, transfer: &Transfer) -> Result<(), Refusal> {
        let beyond = transfer.legs.as_slice().iter().any(|leg| {
            let asset = self.accounts[&leg.debit.0].asset;
            let limit = found(&self.gov.leg_limits, &asset);
            limit.is_some_and(|at| leg.amount.minor() > self.gov.leg_limits[at].1)
        });
        if beyond { Err(Refusal::AboveNetworkLimit) } else { Ok(()) }
    }

    /// When all assets of the transfer that are closed now are open again.
    pub(crate) fn opening(&self, transfer: &Transfer, now: u64) -> Option<u64> {
        let each = transfer.legs.as_slice().iter().filter_map(|leg| {
            let asset = self.accounts[&leg.debit.0].asset;
            let calendar = &self.gov.calendars[found(&self.gov.calendars, &asset)?].1;
            if is_open(calendar, now) {
                return None;
            }
            // Hours begin with a minute.
            let minutes = (now / MINUTE + 1..).map(|minute| minute * MINUTE);
            minutes.take(900 * 24 * 60).find(|time| is_open(calendar, *time))
        });
        each.max()
    }

    /// A new transfer that comes outside the hours: refused, or when it is looked at again.
    pub(crate) fn hours(&self, transfer: &Transfer, now: u64) -> Result<Option<u64>, Refusal> {
        let Some(opening) = self.opening(transfer, now) else { return Ok(None) };
        let options = transfer.options.as_ref();
        let waits = options.filter(|options| options.on_shortage == OnShortage::Queue);
        match waits.and_then(|options| options.deadline) {
            Some(deadline) if opening <= deadline.0 => Ok(Some(opening)),
            _ => Err(Refusal::CutOffPassed),
        }
    }

    /// The beginning of a block: what expires, the earliest first.
    pub(crate) fn expire(&mut self, now: u64) {
        self.gov.batch = None;
        let proposals = self.gov.proposals.iter();
        let mut over: Vec<_> = proposals
            .map(|one| (one.expires, one.id, Refusal::ProposalExpired))
            .chain(self.gov.acts.iter().map(|one| (one.deadline, one.id, Refusal::NotConfirmed)))
            .filter(|(time, ..)| *time < now)
            .collect();
        over.sort_unstable();
        for (_, id, reason) in over {
            self.gov.proposals.retain(|one| one.id != id);
            self.gov.acts.retain(|one| one.id != id);
            self.ends(id, reason.code());
        }
    }

    /// The end of a block: what waits for those who were removed in it.
    pub(crate) fn sweep(&mut self) {
        let mut removed = std::mem::take(&mut self.gov.removed);
        removed.sort_unstable();
        for who in removed {
            self.end_all_of(who);
        }
    }

    /// Proposals and acts that wait, and the states, for comparison.
    pub(crate) fn undecided(&self) -> Vec<TransferId> {
        let proposals = self.gov.proposals.iter().map(|one| one.id);
        let mut all: Vec<_> = proposals.chain(self.gov.acts.iter().map(|one| one.id)).collect();
        all.sort_unstable();
        all
    }

    pub(crate) fn live_keys(&self, who: u32, now: u64) -> Vec<PublicKey> {
        let keys = self.gov.keys[who as usize].iter();
        keys.filter(|one| one.from <= now && one.until.is_none_or(|until| now < until))
            .map(|one| one.key)
            .collect()
    }
}

/// Some business day's session is open: looked for among the days around.
pub(crate) fn is_open(calendar: &Calendar, now: u64) -> bool {
    let today = now / DAY;
    (today.saturating_sub(1)..=today + 1).any(|date| {
        // 1 January 1970 was a Thursday, bit 3.
        let weekday = (date + 3) % 7;
        let works = calendar.weekdays & 1 << weekday != 0
            && !calendar.holidays.iter().any(|holiday| u64::from(*holiday) == date);
        let (opens, cut_off) = (u64::from(calendar.opens), u64::from(calendar.cut_off));
        let end = date * DAY + cut_off * MINUTE;
        let begin = (date * DAY + opens * MINUTE) as i128;
        let begin = if opens >= cut_off { begin - DAY as i128 } else { begin };
        works && begin <= now as i128 && now < end
    })
}
