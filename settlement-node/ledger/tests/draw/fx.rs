//! Random batches about quotes, exchanges and reports of credit: four banks, three assets, little money.

use std::collections::BTreeMap;

use ledger::*;

use crate::draw::{Draw, id, key};
use crate::model::{Model, ModelTurn};

pub(crate) const BANKS: u32 = 4;
pub(crate) const ASSETS: u32 = 3;
const ACCOUNTS: u32 = BANKS * ASSETS;

fn genesis_commands() -> Vec<Command> {
    let mut commands = vec![Command::ActivateRules(ActivateRules { version: RULES_LIFE_CYCLE })];
    for number in 0..BANKS {
        commands.push(Command::AdmitParticipant(AdmitParticipant {
            bic: format!("BNK{number}DEFF").parse().unwrap(),
            name: format!("Bank {number}"),
            signing_keys: vec![key(number, 1)],
            sealing_key: [number as u8; 32],
        }));
    }
    for number in 0..ASSETS {
        commands.push(Command::AddAsset(AddAsset {
            code: format!("AS{number}").parse().unwrap(),
            exponent: Exponent::new(number as u8).unwrap(),
            issuer: ParticipantNumber(number),
        }));
    }
    for account in 0..ACCOUNTS {
        commands.push(Command::OpenAccount(OpenAccount {
            owner: ParticipantNumber(account / ASSETS),
            asset: AssetNumber(account % ASSETS),
            label: Label::MAIN,
        }));
        commands.push(Command::Issue(Issue {
            id: id(1_000 + u64::from(account)),
            account: AccountNumber(account),
            amount: Amount::new(500),
        }));
    }
    commands
}

/// The ledger and its model, with the same genesis.
pub(crate) fn genesis() -> (Ledger, Model) {
    let commands = genesis_commands();
    let now = LedgerTime(1);
    let ledger = Ledger::genesis(now, &commands).unwrap();
    let mut model = Model::default();
    for command in &commands {
        let leaf = GENESIS_LEAF;
        let turn = ModelTurn { submitter: 0, signers: None, now, valid_until: now, leaf };
        assert_eq!(model.apply(&turn, command), (1, None));
    }
    (ledger, model)
}

/// What was sent so far, for those that refer to it.
#[derive(Default)]
pub(crate) struct Sent {
    quotes: Vec<TransferId>,
    exchanges: BTreeMap<TransferId, Exchange>,
    credits: Vec<(TransferId, AccountNumber)>,
    fresh: u64,
}

impl Sent {
    /// Mostly one that was never used.
    fn id(&mut self, draw: &mut Draw) -> TransferId {
        if draw.below(20) == 0 {
            return id(draw.below(20));
        }
        self.fresh += 1;
        id(1 << 20 | self.fresh)
    }

    fn quote(&self, draw: &mut Draw) -> TransferId {
        let count = self.quotes.len() as u64;
        if count == 0 { id(0) } else { self.quotes[draw.below(count) as usize] }
    }
}

impl Draw {
    fn any_account(&mut self) -> AccountNumber {
        // Now and then one that does not exist.
        AccountNumber(
            self.below(u64::from(ACCOUNTS) * 40).min(u64::from(ACCOUNTS) * 39) as u32
                % (ACCOUNTS + 1),
        )
    }

    /// Signed by everybody, or by one.
    pub(crate) fn fx_batch(&mut self, now: u64, sent: &mut Sent) -> Batch {
        let signers: Vec<u32> = if self.below(8) > 0 {
            (0..BANKS).collect()
        } else {
            vec![self.below(u64::from(BANKS)) as u32]
        };
        let authorisations: Vec<Authorisation> = signers
            .iter()
            .map(|&one| Authorisation { participant: ParticipantNumber(one), key: key(one, 1) })
            .collect();
        let count = 1 + self.below(5);
        Batch {
            submitter: authorisations[0].participant,
            valid_until: LedgerTime(if self.below(40) == 0 { now - 1 } else { u64::MAX }),
            authorisations,
            commands: (0..count).map(|_| CheckedCommand::new(self.fx_command(now, sent))).collect(),
        }
    }

    fn fx_command(&mut self, now: u64, sent: &mut Sent) -> Command {
        match self.below(44) {
            // Who accepts first is in the scripts: here nothing waits.
            40.. => loop {
                let command = self.liquidity(now);
                if !matches!(command, Command::SetAcceptance(_)) {
                    return command;
                }
            },
            0..14 => self.place_quote(now, sent),
            14 => Command::WithdrawQuote(WithdrawQuote { quote: sent.quote(self) }),
            15..27 => self.exchange(now, sent),
            27..30 => self.exchange_back(now, sent),
            30..33 => {
                let fallback = (id(0), AccountNumber(0));
                let count = sent.credits.len() as u64;
                let (transfer, account) = match count {
                    0 => fallback,
                    // Mostly the newest.
                    _ => sent.credits[(count - 1 - self.below(count.min(6))) as usize],
                };
                let outcome = if self.below(4) == 0 {
                    CreditOutcome::Rejected("AC04".parse().unwrap())
                } else {
                    CreditOutcome::Credited(LedgerTime(now + 2 - self.below(now.min(8) + 2)))
                };
                Command::ReportCredit(ReportCredit { transfer, account, outcome })
            }
            33 | 34 => {
                let within = if self.below(30) == 0 { u64::MAX } else { self.below(20) };
                let account = self.any_account();
                Command::SetReporting(SetReporting { id: sent.id(self), account, within })
            }
            35 | 36 => {
                let debit = self.below(u64::from(ACCOUNTS)) as u32;
                let credit = (debit + ASSETS * (1 + self.below(3) as u32)) % ACCOUNTS;
                let (debit, credit) = (AccountNumber(debit), AccountNumber(credit));
                let leg = Leg { debit, credit, amount: Amount::new(1 + self.below(600)) };
                let id = sent.id(self);
                sent.credits.push((id, credit));
                let legs = Legs::One(leg);
                Command::Transfer(Transfer { id, legs, document: None, options: None })
            }
            37 => {
                let status = AccountStatus::from_number(1 + self.below(4) as u8).unwrap();
                let account = AccountNumber(self.below(u64::from(ACCOUNTS)) as u32);
                // Mostly open again.
                let status = if self.below(2) == 0 { AccountStatus::Open } else { status };
                Command::SetAccountStatus(SetAccountStatus { id: sent.id(self), account, status })
            }
            38 => {
                let account = AccountNumber(self.below(u64::from(ACCOUNTS)) as u32);
                let floor = -(self.below(300) as i64);
                Command::SetFloor(SetFloor { id: sent.id(self), account, floor })
            }
            _ => {
                let account = AccountNumber(self.below(u64::from(ACCOUNTS)) as u32);
                let amount = Amount::new(self.below(900));
                Command::Issue(Issue { id: sent.id(self), account, amount })
            }
        }
    }

    fn place_quote(&mut self, now: u64, sent: &mut Sent) -> Command {
        // Often the same, so that the book of a pair fills up.
        let crowded = self.below(5) == 0;
        let sells = if crowded { AccountNumber(4) } else { self.any_account() };
        let bank = sells.0 / ASSETS;
        let buys = if self.below(12) == 0 {
            self.any_account()
        } else {
            AccountNumber(bank * ASSETS + (sells.0 + 1 + self.below(2) as u32) % ASSETS)
        };
        let small = self.below(3) == 0;
        let term = |draw: &mut Self| 1 + draw.below(if small { 4 } else { 40 });
        let amount = self.below(if small { 60 } else { 300 });
        let least = if self.below(4) == 0 { self.below(60) } else { 1 };
        let id = sent.id(self);
        let replaces = (self.below(6) == 0).then(|| sent.quote(self));
        sent.quotes.push(id);
        let far = if self.below(40) == 0 { 1 << 60 } else { 0 };
        Command::PlaceQuote(PlaceQuote {
            id,
            sells,
            buys,
            rate: Rate::new(term(self), term(self)).unwrap(),
            amount: Amount::new(amount),
            least: Amount::new(least),
            until: LedgerTime((now + 80 + far).saturating_sub(self.below(84))),
            replaces,
        })
    }

    fn exchange(&mut self, now: u64, sent: &mut Sent) -> Command {
        let debit = AccountNumber(self.below(u64::from(ACCOUNTS)) as u32);
        let credit = if self.below(20) == 0 {
            self.any_account()
        } else {
            let bank = self.below(u64::from(BANKS)) as u32;
            AccountNumber(bank * ASSETS + (debit.0 + 1 + self.below(2) as u32) % ASSETS)
        };
        let limit = |draw: &mut Self, loose| {
            Amount::new(if draw.below(6) == 0 { draw.below(300) } else { loose })
        };
        let exactly = Amount::new(self.below(200));
        let amount = if self.below(2) == 0 {
            ExchangeAmount::Deliver { exactly, at_most: limit(self, u64::MAX) }
        } else {
            ExchangeAmount::Spend { exactly, at_least: limit(self, 0) }
        };
        let deadline = (self.below(10) == 0).then(|| LedgerTime(now + 1 - self.below(3)));
        let id = sent.id(self);
        let exchange = Exchange { id, debit, credit, amount, document: None, deadline };
        sent.exchanges.entry(id).or_insert_with(|| exchange.clone());
        sent.credits.push((id, credit));
        Command::Exchange(exchange)
    }

    fn exchange_back(&mut self, now: u64, sent: &mut Sent) -> Command {
        let count = sent.exchanges.len() as u64;
        if count == 0 {
            return self.exchange(now, sent);
        }
        let at = self.below(count) as usize;
        let mut original = sent.exchanges.values().nth(at).unwrap().clone();
        if self.below(20) == 0 {
            original.deadline = Some(LedgerTime(7));
        }
        let bank = original.debit.0 / ASSETS;
        let credit = if self.below(8) == 0 {
            self.any_account()
        } else {
            AccountNumber(bank * ASSETS + original.credit.0 % ASSETS)
        };
        let id = sent.id(self);
        sent.credits.push((id, credit));
        Command::ReturnExchange(ReturnExchange {
            id,
            credit,
            amount: Amount::new(self.below(120)),
            original,
            document: None,
            deadline: (self.below(20) == 0).then(|| LedgerTime(now - 1)),
        })
    }
}
