//! Random batches from a seed, for the life cycle: few banks, few ids, little money, so that everything meets.

use std::collections::BTreeMap;

use ledger::*;

use super::model::{Model, ModelTurn};

const PARTICIPANTS: u32 = 4;
const ASSETS: u32 = 2;
const ACCOUNTS: u32 = PARTICIPANTS * ASSETS;

pub(crate) fn key(participant: u32, which: u8) -> PublicKey {
    let mut bytes = [which; 32];
    bytes[0] = participant as u8;
    PublicKey(bytes)
}

pub(crate) fn id(number: u64) -> TransferId {
    let mut bytes = [0; 16];
    bytes[8..].copy_from_slice(&number.to_be_bytes());
    TransferId(bytes)
}

/// Two issuers and two banks, two assets, a main account of everybody in everything, and some money.
fn genesis_commands() -> Vec<Command> {
    let mut commands = vec![Command::ActivateRules(ActivateRules { version: RULES_LIFE_CYCLE })];
    for number in 0..PARTICIPANTS {
        commands.push(Command::AdmitParticipant(AdmitParticipant {
            bic: format!("BNK{number}DEFF").parse().unwrap(),
            name: format!("Bank {number}"),
            signing_keys: vec![key(number, 1), key(number, 2)],
            sealing_key: [number as u8; 32],
        }));
    }
    for number in 0..ASSETS {
        commands.push(Command::AddAsset(AddAsset {
            code: format!("AS{number}").parse().unwrap(),
            exponent: Exponent::new(2).unwrap(),
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
            amount: Amount::new(100),
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

/// A sequence of numbers, the same for the same seed (splitmix64).
pub(crate) struct Draw {
    state: u64,
    /// Transfers drawn so far.
    sent: BTreeMap<TransferId, Transfer>,
    /// What waits, as far as whoever draws was told.
    waiting: Vec<TransferId>,
    fresh: u64,
    /// Every second history is about the queue: few conditions, everybody asks to wait for cover.
    about_queue: bool,
}

impl Draw {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            state: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15),
            sent: BTreeMap::new(),
            waiting: Vec::new(),
            fresh: 0,
            about_queue: seed % 2 == 1,
        }
    }

    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.state ^ self.state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ mixed >> 31) % end
    }

    fn chance(&mut self, of: u64) -> bool {
        self.below(of) == 0
    }

    /// Signed by everybody or by some, now and then with a key of somebody else.
    pub(crate) fn batch(&mut self, now: u64, ledger: &Ledger) -> Batch {
        self.waiting = ledger.all_waiting().map(|one| one.transfer.id).collect();
        let mut signers: Vec<u32> = (0..PARTICIPANTS).collect();
        if !self.chance(5) {
            let kept = 1 + self.below(3) as usize;
            while signers.len() > kept {
                signers.remove(self.below(signers.len() as u64) as usize);
            }
        }
        let which = if self.chance(40) { 3 } else { 1 + self.below(2) as u8 };
        let authorisations: Vec<Authorisation> = signers
            .iter()
            .map(|&one| Authorisation { participant: ParticipantNumber(one), key: key(one, which) })
            .collect();
        let commands = 1 + self.below(5);
        Batch {
            submitter: authorisations[0].participant,
            valid_until: LedgerTime(if self.chance(30) { now - 1 } else { u64::MAX }),
            authorisations,
            commands: (0..commands).map(|_| CheckedCommand::new(self.command(now))).collect(),
        }
    }

    /// Mostly one that was never used.
    fn id(&mut self) -> TransferId {
        if self.chance(12) {
            return id(self.below(24));
        }
        self.fresh += 1;
        id(1 << 20 | self.fresh)
    }

    /// Mostly one that waits.
    fn target(&mut self) -> TransferId {
        if self.waiting.is_empty() || self.chance(8) {
            return if self.chance(2) { self.sent_id() } else { id(self.below(24)) };
        }
        let at = self.below(self.waiting.len() as u64) as usize;
        self.waiting[at]
    }

    fn sent_id(&mut self) -> TransferId {
        let count = self.sent.len() as u64;
        if count == 0 {
            return id(0);
        }
        let at = self.below(count) as usize;
        *self.sent.keys().nth(at).unwrap()
    }

    fn account(&mut self) -> AccountNumber {
        AccountNumber(self.below(u64::from(ACCOUNTS)) as u32)
    }

    fn command(&mut self, now: u64) -> Command {
        match self.below(30) {
            0..14 => self.transfer(now),
            14..19 => Command::Approve(Approve { transfer: self.target() }),
            19..21 => {
                let reason = "MS03".parse().unwrap();
                Command::Refuse(Refuse { transfer: self.target(), reason })
            }
            21 => {
                let (id, transfer) = (id(100 + self.below(50)), self.target());
                Command::Reorder(Reorder {
                    id,
                    transfer,
                    priority: Priority::from_number(1 + self.below(3) as u8).unwrap(),
                    position: Position::from_number(1 + self.below(3) as u8).unwrap(),
                })
            }
            22 => Command::Cancel(Cancel { transfer: self.target() }),
            23..25 => {
                let preimage = [self.below(2) as u8].into();
                Command::Reveal(Reveal { transfer: self.target(), preimage })
            }
            25 => {
                let (id, account) = (id(100 + self.below(50)), self.account());
                let status = AccountStatus::from_number(1 + self.below(4) as u8).unwrap();
                Command::SetAccountStatus(SetAccountStatus { id, account, status })
            }
            26 => {
                let (id, account) = (id(100 + self.below(50)), self.account());
                Command::SetFloor(SetFloor { id, account, floor: -(self.below(100) as i64) })
            }
            27 | 28 => self.giving_back(),
            _ => {
                let (id, account) = (id(100 + self.below(50)), self.account());
                let amount = Amount::new(self.below(60));
                if self.chance(2) {
                    Command::Issue(Issue { id, account, amount })
                } else {
                    Command::Redeem(Redeem { id, account, amount })
                }
            }
        }
    }

    fn leg(&mut self) -> Leg {
        let debit = self.account();
        let far = if self.chance(30) { 1 } else { ASSETS * (1 + self.below(3) as u32) };
        Leg {
            debit,
            credit: AccountNumber((debit.0 + far) % ACCOUNTS),
            amount: Amount::new(self.below(130)),
        }
    }

    fn transfer(&mut self, now: u64) -> Command {
        let id = self.id();
        let count = if self.chance(2) { 1 } else { 1 + self.below(4) };
        let legs = Legs::new((0..count).map(|_| self.leg()).collect()).unwrap();
        let options = if self.chance(4) { None } else { Some(Box::new(self.options(now, &legs))) };
        let transfer = Transfer { id, legs, document: None, options };
        self.sent.entry(id).or_insert_with(|| transfer.clone());
        Command::Transfer(transfer)
    }

    fn options(&mut self, now: u64, legs: &Legs) -> TransferOptions {
        let mut options = TransferOptions::default();
        if !self.chance(12) {
            options.deadline = Some(LedgerTime((now + 30).saturating_sub(self.below(34))));
        }
        if self.about_queue || self.chance(3) {
            options.on_shortage = OnShortage::Queue;
        }
        if self.about_queue && !self.chance(6) {
            options.priority = Priority::from_number(1 + self.below(3) as u8).unwrap();
            return options;
        }
        if self.chance(4) {
            options.not_before = Some(LedgerTime(now + self.below(20)));
        }
        options.priority = Priority::from_number(1 + self.below(3) as u8).unwrap();
        // Often the debtors, so that those who have not signed can still agree.
        for leg in legs.as_slice() {
            if self.chance(2) {
                let participant = ParticipantNumber(leg.debit.0 / ASSETS);
                options.conditions.push(Condition::Approval { participant });
            }
        }
        for _ in 0..self.below(3) {
            let condition = self.condition(now);
            options.conditions.push(condition);
        }
        options
    }

    fn approver(&mut self) -> Approver {
        let number = self.below(40).min(u64::from(PARTICIPANTS)) as u32;
        let number = if number == PARTICIPANTS && !self.chance(20) { 0 } else { number };
        if self.chance(3) {
            Approver::Key(key(number, 1 + self.below(2) as u8))
        } else {
            Approver::Participant(ParticipantNumber(number))
        }
    }

    fn condition(&mut self, now: u64) -> Condition {
        match self.below(6) {
            0 => Condition::NotBefore(LedgerTime(now + self.below(20))),
            1 => Condition::Preimage { sha256: Digest::of(&[self.below(2) as u8]) },
            2 => match self.approver() {
                Approver::Key(key) => Condition::KeyApproval { key },
                Approver::Participant(participant) => Condition::Approval { participant },
            },
            3 => Condition::Approval { participant: ParticipantNumber(self.below(4) as u32) },
            _ => {
                let of: Vec<Approver> = (0..1 + self.below(3)).map(|_| self.approver()).collect();
                Condition::Threshold { k: 1 + self.below(of.len() as u64) as u8, of }
            }
        }
    }

    /// A return of something that was sent, mostly the right way round.
    fn giving_back(&mut self) -> Command {
        let original = self.sent_id();
        let shown = self.sent.get(&original).cloned();
        let mut leg = self.leg();
        if let Some(shown) = &shown {
            let legs = shown.legs.as_slice();
            let of = legs[self.below(legs.len() as u64) as usize];
            if !self.chance(8) {
                let part = 1 + self.below(3);
                leg = Leg { debit: of.credit, credit: of.debit, amount: of.amount };
                leg.amount = Amount::new(leg.amount.minor() / part);
            }
        }
        let shown =
            shown.filter(|one| one.options.as_ref().is_none_or(|own| own.original.is_none()));
        let mut options = TransferOptions {
            returns: Some(original),
            original: shown.map(Box::new),
            ..TransferOptions::default()
        };
        if self.chance(12) {
            options.on_shortage = OnShortage::Queue;
            options.deadline = Some(LedgerTime(1 << 20));
        }
        let id = id(200 + self.below(20));
        let options = Some(Box::new(options));
        Command::Transfer(Transfer { id, legs: Legs::One(leg), document: None, options })
    }
}
