//! The language of the golden scripts: a line is a directive or a command in the domain's words.
//!
//! ```text
//! time 1500                       ledger time of the following commands (at first 1000)
//! valid-until 1400                validity of the following batches (at first: for ever)
//! alpha: transfer t1 alpha/EUR -> beta/EUR 100, beta/USD -> alpha/USD 110 deadline 1200
//! ecb: issue i1 alpha/EUR 1000
//! alpha+ecb: redeem r1 alpha/EUR 10
//! alpha: open alpha/EUR/fees      ecb: floor f1 alpha/EUR -500      ecb: status s1 alpha/EUR blocked
//! genesis: admit ALPHDEFF 7 Alpha     genesis: asset JPY 0 ecb     genesis: rules 2
//! alpha: transfer t2 alpha/EUR -> beta/EUR 5 needs beta hash open-sesame after 1200 any 2 of beta gamma deadline 2000
//! beta: approve t2      beta: refuse t2 AC04      alpha: reveal t2 open-sesame      alpha: cancel t2
//! alpha: reorder q1 t2 urgent first
//! why t2                          what a waiting transfer waits for
//! beta: transfer r1 beta/EUR -> alpha/EUR 5 returns t1
//! pass 2001                       the time, and a block in which nobody sends anything
//! ```
//!
//! Before the colon stand the signers, the first being the submitter; `alpha?` signs with a foreign key and
//! `#9` is a participant that does not exist; accounts may be numbers (`#99`). Each line is a batch of its own.
//! Every script starts from one network: issuers `ecb` (EUR) and `fed` (USD), banks `alpha`, `beta`, `gamma`,
//! an empty main account of each bank in each asset, and of `ecb` in EUR. A `genesis:` line adds to it.

mod fx;

use std::collections::BTreeMap;

use ledger::*;

const BANKS: [(&str, &str); 5] = [
    ("ecb", "ECBFDEFF"),
    ("fed", "FEDUUS33"),
    ("alpha", "ALPHDEFF"),
    ("beta", "BETAFRPP"),
    ("gamma", "GAMMUS33"),
];

/// A ledger that is told what to do line by line.
pub(crate) struct Network {
    pub(crate) ledger: Ledger,
    genesis: Vec<Command>,
    time: u64,
    valid_until: u64,
    height: u64,
    leaf: u64,
    /// Transfers as they were sent, for returns to show.
    sent: BTreeMap<TransferId, Transfer>,
    exchanged: BTreeMap<TransferId, Exchange>,
    /// Every refusal seen.
    pub(crate) refusals: Vec<Refusal>,
}

fn key(number: u8) -> PublicKey {
    PublicKey([number; 32])
}

fn admit(bic: &str, number: u8, name: &str) -> Command {
    Command::AdmitParticipant(AdmitParticipant {
        bic: bic.parse().unwrap(),
        name: name.to_owned(),
        signing_keys: vec![key(number)],
        sealing_key: [number; 32],
    })
}

/// What came of a batch.
type Applied = (Vec<Outcome>, Vec<Event>);

impl Network {
    pub(crate) fn new() -> Self {
        let mut genesis = Vec::new();
        for (number, (name, bic)) in (1..).zip(BANKS) {
            genesis.push(admit(bic, number, name));
        }
        for (issuer, code) in [(0, "EUR"), (1, "USD")] {
            genesis.push(Command::AddAsset(AddAsset {
                code: code.parse().unwrap(),
                exponent: Exponent::new(2).unwrap(),
                issuer: ParticipantNumber(issuer),
            }));
        }
        for (owner, asset) in [(2, 0), (3, 0), (4, 0), (2, 1), (3, 1), (4, 1), (0, 0)] {
            let (owner, asset) = (ParticipantNumber(owner), AssetNumber(asset));
            genesis.push(Command::OpenAccount(OpenAccount { owner, asset, label: Label::MAIN }));
        }
        let ledger = Ledger::genesis(LedgerTime(0), &genesis).unwrap();
        Self {
            ledger,
            genesis,
            time: 1_000,
            valid_until: u64::MAX,
            height: 0,
            leaf: 0,
            sent: BTreeMap::new(),
            exchanged: BTreeMap::new(),
            refusals: Vec::new(),
        }
    }

    /// Carries out one line; returns what is said about it, or `None` for a directive.
    pub(crate) fn line(&mut self, line: &str) -> Option<String> {
        if let Some(time) = line.strip_prefix("time ") {
            self.time = time.parse().unwrap();
            return None;
        }
        if let Some(time) = line.strip_prefix("valid-until ") {
            self.valid_until = time.parse().unwrap();
            return None;
        }
        if let Some(word) = line.strip_prefix("why ") {
            return Some(self.why(&transfer_id(word)));
        }
        if let Some(time) = line.strip_prefix("pass ") {
            self.time = time.parse().unwrap();
            let came = self.block(None).1;
            return Some(if came.is_empty() {
                "nothing was due".to_owned()
            } else {
                came.join(", ")
            });
        }
        if let Some(answer) = self.fx_question(line) {
            return Some(answer);
        }
        let (signers, words) = line.split_once(": ").unwrap_or_else(|| panic!("no signer: {line}"));
        let command = self.command(words);
        if signers == "genesis" {
            Some(self.genesis(command))
        } else {
            Some(self.batch(signers, command))
        }
    }

    fn genesis(&mut self, command: Command) -> String {
        assert_eq!(self.leaf, 0, "genesis comes first");
        self.genesis.push(command);
        match Ledger::genesis(LedgerTime(0), &self.genesis) {
            Ok(ledger) => {
                self.ledger = ledger;
                "accepted".to_owned()
            }
            Err(error) => {
                self.genesis.pop();
                match error {
                    GenesisError::Refused { refusal, .. } => self.refused(refusal),
                    GenesisError::Repeated { .. } => "repeated".to_owned(),
                }
            }
        }
    }

    fn refused(&mut self, refusal: Refusal) -> String {
        self.refusals.push(refusal);
        format!("refused {} {} {refusal:?}", refusal.code(), refusal.iso_code())
    }

    fn batch(&mut self, signers: &str, command: Command) -> String {
        let authorisations: Vec<Authorisation> = signers
            .split('+')
            .map(|signer| {
                let participant = self.participant(signer.trim_end_matches('?'));
                let foreign = if signer.ends_with('?') { 100 } else { 1 };
                Authorisation { participant, key: key(participant.0 as u8 + foreign) }
            })
            .collect();
        let batch = Batch {
            submitter: authorisations[0].participant,
            valid_until: LedgerTime(self.valid_until),
            authorisations,
            commands: vec![CheckedCommand::new(command)],
        };
        if let Command::Transfer(transfer) = &batch.commands[0].command {
            self.sent.entry(transfer.id).or_insert_with(|| transfer.clone());
        }
        if let Command::Exchange(exchange) = &batch.commands[0].command {
            self.exchanged.entry(exchange.id).or_insert_with(|| exchange.clone());
        }
        let (applied, came) = self.block(Some(batch));
        let (outcomes, events) = applied.unwrap();
        let mut said = match outcomes[0].answer {
            Answer::Settled => "settled".to_owned(),
            Answer::Refused(refusal) => self.refused(refusal),
            Answer::Waiting(stage) => stage.name().to_owned(),
        };
        if let Some(leaf) = outcomes[0].original {
            said += &format!(", as answered at leaf {leaf}");
        }
        match events.first() {
            Some(Event::AccountOpened { number, .. }) => said += &format!(", account {number}"),
            None if outcomes[0].answer.is_settled() => said += ", nothing changed",
            _ => {}
        }
        for one in came {
            said += &format!("; {one}");
        }
        said
    }

    /// One block with one batch or none; returns what came of the batch and of waiting transfers.
    fn block(&mut self, batch: Option<Batch>) -> (Option<Applied>, Vec<String>) {
        self.height += 1;
        let context = BatchContext {
            height: Height(self.height),
            time: LedgerTime(self.time),
            first_leaf: self.leaf,
        };
        self.ledger.open_block(context.time);
        let applied = batch.map(|batch| {
            let (mut outcomes, mut events) = (Vec::new(), Vec::new());
            self.ledger.apply_batch(&context, &batch, &OldIds::NONE, &mut outcomes, &mut events);
            self.leaf += 1;
            (outcomes, events)
        });
        let progress = self.ledger.close_block(self.leaf);
        let mut came: Vec<String> = progress.iter().map(|one| self.progress(one)).collect();
        came.extend(self.fx_came());
        self.leaf += progress.len() as u64;
        let root = self.ledger.seal_block();
        assert_eq!(root, self.ledger.recompute_root());
        self.ledger.check_invariants().unwrap();
        assert!(self.ledger.all_waiting().all(|one| one.deadline() >= context.time));
        (applied, came)
    }

    fn why(&self, id: &TransferId) -> String {
        let Some(obstacles) = self.ledger.explain(id, LedgerTime(self.time)) else {
            return "does not wait".to_owned();
        };
        let name = |number: AccountNumber| {
            let view = self.ledger.account(number).unwrap();
            let bank = BANKS[view.owner.0 as usize].0;
            view.name.to_string().replacen(&view.name.bic.to_string(), bank, 1)
        };
        let each = obstacles.iter().map(|obstacle| match obstacle {
            Obstacle::Start(time) => format!("starts at {time}"),
            Obstacle::Condition(number) => format!("condition {number} is open"),
            Obstacle::Agreement(who) => format!("{} has not agreed", BANKS[who.0 as usize].0),
            Obstacle::Cover { account, missing } => format!("{} lacks {missing}", name(*account)),
            Obstacle::Behind { account, transfer } => {
                format!("{} is waited for by {}", name(*account), word_of(transfer))
            }
        });
        each.collect::<Vec<_>>().join("; ")
    }

    fn progress(&mut self, one: &Progress) -> String {
        let became = match one.answer {
            Answer::Settled => "settled".to_owned(),
            Answer::Refused(refusal) => self.refused(refusal),
            Answer::Waiting(stage) => stage.name().to_owned(),
        };
        let found = self.ledger.lookup(&resolution_id(&one.id));
        assert_eq!(
            found.map(|entry| entry.answer()),
            Some(one.answer).filter(|end| end.is_final())
        );
        let together = match one.cause {
            Cause::Together(number) => format!(" together {number}"),
            _ => String::new(),
        };
        format!("{} {became}{together}", word_of(&one.id))
    }

    fn command(&self, words: &str) -> Command {
        let (verb, rest) = words.split_once(' ').unwrap();
        let mut parts = rest.split_whitespace();
        let mut next = || parts.next().unwrap_or_else(|| panic!("a word is missing: {words}"));
        match verb {
            "transfer" => self.transfer(rest),
            "issue" | "redeem" => {
                let id = transfer_id(next());
                let account = self.account(next());
                let amount = Amount::new(next().parse().unwrap());
                if verb == "issue" {
                    Command::Issue(Issue { id, account, amount })
                } else {
                    Command::Redeem(Redeem { id, account, amount })
                }
            }
            "open" => {
                let mut name = next().split('/');
                let owner = self.participant(name.next().unwrap());
                let asset = self.asset(name.next().unwrap());
                let label = name.next().unwrap_or_default().parse().unwrap();
                Command::OpenAccount(OpenAccount { owner, asset, label })
            }
            "floor" => Command::SetFloor(SetFloor {
                id: transfer_id(next()),
                account: self.account(next()),
                floor: next().parse().unwrap(),
            }),
            "status" => {
                let id = transfer_id(next());
                let account = self.account(next());
                let word = next();
                let status = (1..=5)
                    .filter_map(AccountStatus::from_number)
                    .find(|status| status_word(*status) == word)
                    .unwrap();
                Command::SetAccountStatus(SetAccountStatus { id, account, status })
            }
            "admit" => {
                let (bic, number) = (next(), next().parse().unwrap());
                admit(bic, number, &parts.collect::<Vec<_>>().join(" "))
            }
            "rules" => Command::ActivateRules(ActivateRules { version: next().parse().unwrap() }),
            "approve" => Command::Approve(Approve { transfer: transfer_id(next()) }),
            "cancel" => Command::Cancel(Cancel { transfer: transfer_id(next()) }),
            "refuse" => Command::Refuse(Refuse {
                transfer: transfer_id(next()),
                reason: next().parse().unwrap(),
            }),
            "reveal" => Command::Reveal(Reveal {
                transfer: transfer_id(next()),
                preimage: next().as_bytes().into(),
            }),
            "reorder" => Command::Reorder(Reorder {
                id: transfer_id(next()),
                transfer: transfer_id(next()),
                priority: match next() {
                    "urgent" => Priority::Urgent,
                    "high" => Priority::High,
                    "normal" => Priority::Normal,
                    other => panic!("no such priority: {other}"),
                },
                position: match next() {
                    "keep" => Position::Keep,
                    "first" => Position::First,
                    "last" => Position::Last,
                    other => panic!("no such position: {other}"),
                },
            }),
            "asset" => Command::AddAsset(AddAsset {
                code: next().parse().unwrap(),
                exponent: Exponent::new(next().parse().unwrap()).unwrap(),
                issuer: self.participant(next()),
            }),
            _ => self.fx_command(verb, rest).unwrap_or_else(|| panic!("no such command: {words}")),
        }
    }

    fn transfer(&self, words: &str) -> Command {
        let mut words = words.split_whitespace().peekable();
        let id = transfer_id(words.next().unwrap());
        let mut legs = Vec::new();
        loop {
            let debit = self.account(words.next().unwrap());
            assert_eq!(words.next(), Some("->"));
            let credit = self.account(words.next().unwrap());
            let amount = words.next().unwrap();
            let more = amount.ends_with(',');
            let amount = Amount::new(amount.trim_end_matches(',').parse().unwrap());
            legs.push(Leg { debit, credit, amount });
            if !more {
                break;
            }
        }
        let mut options = TransferOptions::default();
        let mut document = None;
        while let Some(word) = words.next() {
            let mut value = || words.next().unwrap();
            match word {
                "document" => document = Some(Digest::of(value().as_bytes())),
                "deadline" => options.deadline = Some(LedgerTime(value().parse().unwrap())),
                "not-before" => options.not_before = Some(LedgerTime(value().parse().unwrap())),
                "returns" => {
                    let id = transfer_id(value());
                    options.returns = Some(id);
                    options.original = self.sent.get(&id).cloned().map(Box::new);
                }
                "showing" => {
                    let mut shown = self.sent[&transfer_id(value())].clone();
                    shown.id = options.returns.unwrap();
                    options.original = Some(Box::new(shown));
                }
                "hash" => {
                    let sha256 = Digest::of(value().as_bytes());
                    options.conditions.push(Condition::Preimage { sha256 });
                }
                "after" => {
                    let time = LedgerTime(value().parse().unwrap());
                    options.conditions.push(Condition::NotBefore(time));
                }
                "needs-key" => {
                    let key = key(value().parse().unwrap());
                    options.conditions.push(Condition::KeyApproval { key });
                }
                "any" => {
                    let k = value().parse().unwrap();
                    assert_eq!(value(), "of");
                    let mut of = Vec::new();
                    while let Some(name) = words.next_if(|word| !OPTION_WORDS.contains(word)) {
                        of.push(match name.strip_prefix("key-") {
                            Some(number) => Approver::Key(key(number.parse().unwrap())),
                            None => Approver::Participant(self.participant(name)),
                        });
                    }
                    options.conditions.push(Condition::Threshold { k, of });
                }
                "high" => options.priority = Priority::High,
                "urgent" => options.priority = Priority::Urgent,
                "queue" => options.on_shortage = OnShortage::Queue,
                "needs" => {
                    let participant = self.participant(value());
                    options.conditions.push(Condition::Approval { participant });
                }
                _ => panic!("no such option: {word}"),
            }
        }
        let options = (options != TransferOptions::default()).then(|| Box::new(options));
        Command::Transfer(Transfer { id, legs: Legs::new(legs).unwrap(), document, options })
    }

    fn participant(&self, word: &str) -> ParticipantNumber {
        if let Some(number) = word.strip_prefix('#') {
            return ParticipantNumber(number.parse().unwrap());
        }
        let place = BANKS.iter().position(|(name, _)| *name == word);
        ParticipantNumber(place.unwrap_or_else(|| panic!("no such bank: {word}")) as u32)
    }

    fn asset(&self, word: &str) -> AssetNumber {
        match word.strip_prefix('#') {
            Some(number) => AssetNumber(number.parse().unwrap()),
            None => self.ledger.asset_by_code(&word.parse().unwrap()).unwrap().number,
        }
    }

    fn account(&self, word: &str) -> AccountNumber {
        if let Some(number) = word.strip_prefix('#') {
            return AccountNumber(number.parse().unwrap());
        }
        let (bank, rest) = word.split_once('/').unwrap();
        let bic = BANKS.iter().find(|(name, _)| *name == bank).unwrap().1;
        let name = format!("{bic}/{rest}").parse().unwrap();
        let found = self.ledger.account_by_name(&name);
        found.unwrap_or_else(|| panic!("no such account: {word}")).number
    }

    /// The accounts that are not as they were opened, the money of each asset in use, and the state root.
    pub(crate) fn describe(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for view in self.ledger.accounts() {
            let plain = view.is_empty() && view.floor == 0 && view.status == AccountStatus::Open;
            if plain {
                continue;
            }
            let bank = BANKS[view.owner.0 as usize].0;
            let name = view.name.to_string().replacen(&view.name.bic.to_string(), bank, 1);
            let mut line = format!("{name} {}", view.posted);
            if view.held.minor() != 0 {
                line += &format!(" held {} available {}", view.held, view.available());
            }
            if view.floor != 0 {
                line += &format!(" floor {} available {}", view.floor, view.available());
            }
            if view.status != AccountStatus::Open {
                line += &format!(" {}", status_word(view.status));
            }
            lines.push(line);
        }
        for waiting in self.ledger.all_waiting() {
            let word = word_of(&waiting.transfer.id);
            let open = waiting.open_conditions(LedgerTime(self.time)).count();
            let (stage, deadline) = (waiting.stage.name(), waiting.deadline());
            lines.push(format!("{word} {stage} until {deadline}, {open} conditions open"));
        }
        lines.extend(self.fx_state());
        for totals in self.ledger.conservation() {
            if totals.issued > 0 || totals.redeemed > 0 {
                let AssetTotals { code, issued, redeemed, .. } = totals;
                lines.push(format!("{code} issued {issued} redeemed {redeemed}"));
            }
        }
        lines.push(format!("root {}", self.ledger.state_root()));
        lines
    }
}

fn status_word(status: AccountStatus) -> &'static str {
    match status {
        AccountStatus::Open => "open",
        AccountStatus::CreditOnly => "credit-only",
        AccountStatus::DebitOnly => "debit-only",
        AccountStatus::Blocked => "blocked",
        AccountStatus::Closed => "closed",
    }
}

/// Words that end a list of approvers.
const OPTION_WORDS: [&str; 13] = [
    "high",
    "document",
    "deadline",
    "not-before",
    "returns",
    "urgent",
    "queue",
    "needs",
    "hash",
    "after",
    "needs-key",
    "any",
    "showing",
];

/// The short name that an id was made of.
fn word_of(id: &TransferId) -> String {
    let end = id.0.iter().position(|byte| *byte == 0).unwrap_or(id.0.len());
    String::from_utf8_lossy(&id.0[..end]).into_owned()
}

/// A short name of a script as an id: its characters, filled up with zeros.
fn transfer_id(word: &str) -> TransferId {
    let mut bytes = [0; 16];
    bytes[..word.len()].copy_from_slice(word.as_bytes());
    TransferId(bytes)
}
