//! Limits, reservations, acceptance, notices and attestations in the language of the scripts.
//!
//! ```text
//! alpha: limit l1 alpha/EUR payment 100            ecb: limit l2 alpha/EUR payment 100 issuer
//! alpha: limit l3 alpha/EUR velocity 100 within 1000000000 [rolling]
//! alpha: limit l4 alpha/EUR towards beta 100 [restart]      alpha: limit l5 alpha/EUR all 100
//! alpha: reserve r1 alpha/EUR urgent 50            alpha: accept a1 alpha/EUR within 100
//! alpha: notify n1 alpha/EUR floor 10 ceiling 500  alpha: attest d1 alpha bill-of-lading
//! alpha: access a1 alpha opened t1 clerk-7 question of the court
//! beta: erase e1 beta 4 t1 officer-2 retention is over       (sealing key 4; - for none; t1! shows another document)
//! alpha: limit l6 alpha/EUR payment none           alpha: accept a2 alpha/EUR never
//! words t1                                         why t1 waits, in words
//! what-if alpha/EUR receives 50                    what-if alpha/EUR floor -50
//! what-if alpha/EUR reserves urgent 0              what-if alpha/EUR limit towards beta none
//! ```

use ledger::*;

use super::{BANKS, Network, transfer_id, word_of};

/// What stands against a waiting transfer beside cover.
pub(super) fn obstacle(
    obstacle: &Obstacle,
    name: &dyn Fn(AccountNumber) -> String,
    bank: &dyn Fn(ParticipantNumber) -> &'static str,
) -> String {
    match obstacle {
        Obstacle::Reserved { account, missing } => {
            format!("{} lacks {missing} beyond what is reserved", name(*account))
        }
        Obstacle::Limit { account, limit, towards, by, moves_on } => {
            let towards = towards.map(|who| format!(" towards {}", bank(who))).unwrap_or_default();
            let until = moves_on.map(|time| format!(" until {time}")).unwrap_or_default();
            format!("{} {limit:?}{towards} by {by}{until}", name(*account))
        }
        _ => unreachable!("the others are described elsewhere"),
    }
}

fn number(word: &str) -> Option<u64> {
    if word == "none" { None } else { Some(word.parse().unwrap()) }
}

impl Network {
    /// The lines that are no commands.
    pub(super) fn liquidity_line(&self, line: &str) -> Option<String> {
        if let Some(word) = line.strip_prefix("words ") {
            let words = self.ledger.explain_in_words(&transfer_id(word), LedgerTime(self.time));
            return Some(words.unwrap_or_else(|| "does not wait".to_owned()));
        }
        let rest = line.strip_prefix("what-if ")?;
        let words: Vec<&str> = rest.split_whitespace().collect();
        let account = self.account(words[0]);
        let change = match words[1..] {
            ["receives", amount] => WhatIf::Incoming { account, amount: amount.parse().unwrap() },
            ["floor", floor] => WhatIf::Floor { account, floor: floor.parse().unwrap() },
            ["reserves", priority, amount] => WhatIf::Reservation {
                account,
                priority: priority_of(priority),
                amount: amount.parse().unwrap(),
            },
            ["limit", ..] => {
                let (by, limit) = self.limit(&words[2..]);
                WhatIf::Limit { account, by, limit }
            }
            _ => panic!("no such question: {line}"),
        };
        let root = self.ledger.recompute_root();
        let said = match self.ledger.what_if(&change, LedgerTime(self.time)) {
            Err(refusal) => format!("{refusal:?}"),
            Ok(came) if came.is_empty() => "nothing would happen".to_owned(),
            Ok(came) => {
                let each = came.iter().map(|one| match one.answer {
                    Answer::Settled => format!("{} would settle", word_of(&one.id)),
                    other => format!("{} would become {other:?}", word_of(&one.id)),
                });
                each.collect::<Vec<_>>().join(", ")
            }
        };
        assert_eq!(self.ledger.recompute_root(), root, "a question changed something");
        Some(said)
    }

    fn limit(&self, words: &[&str]) -> (LimitSetter, Limit) {
        let has = |word| words.contains(&word);
        let by = if has("issuer") { LimitSetter::Issuer } else { LimitSetter::Owner };
        let restart = has("restart");
        let limit = match words {
            ["payment", most, ..] => Limit::Payment { most: number(most) },
            ["velocity", "none", ..] => Limit::Velocity { most: None },
            ["velocity", amount, "within", window, ..] => {
                let (amount, window) = (amount.parse().unwrap(), window.parse().unwrap());
                Limit::Velocity { most: Some(Pace { amount, window, rolling: has("rolling") }) }
            }
            ["towards", who, most, ..] => {
                let towards = self.participant(who);
                Limit::Bilateral { towards, most: number(most), restart }
            }
            ["all", most, ..] => Limit::Multilateral { most: number(most), restart },
            other => panic!("no such limit: {other:?}"),
        };
        (by, limit)
    }

    pub(super) fn liquidity_command(&self, verb: &str, rest: &str) -> Option<Command> {
        let words: Vec<&str> = rest.split_whitespace().collect();
        let id = transfer_id(words[0]);
        if verb == "attest" {
            let (participant, document) =
                (self.participant(words[1]), Digest::of(words[2].as_bytes()));
            return Some(Command::Attest(Attest { id, participant, document }));
        }
        if verb == "access" {
            let [_, who, access, payment, reader, ground @ ..] = &words[..] else {
                panic!("access ID BANK WHAT PAYMENT READER GROUND")
            };
            let found = Access::ALL.into_iter().find(|one| one.name() == *access);
            return Some(Command::RecordAccess(Box::new(RecordAccess {
                id,
                participant: self.participant(who),
                access: found.unwrap(),
                payment: (*payment != "-").then(|| transfer_id(payment)),
                what: Digest::of(payment.as_bytes()),
                reader: (*reader).to_owned(),
                ground: ground.join(" "),
            })));
        }
        if verb == "erase" {
            let [_, who, key, payment, by, ground @ ..] = &words[..] else {
                panic!("erase ID BANK KEY-OR-DASH PAYMENT BY GROUND")
            };
            // With a mark behind it: the payment with another document than it was sent with.
            let shown = payment.trim_end_matches('!');
            let mut shown = self.sent[&transfer_id(shown)].clone();
            if payment.ends_with('!') {
                shown.document = Some(Digest::of(b"another"));
            }
            return Some(Command::EraseDocument(Box::new(EraseDocument {
                id,
                participant: self.participant(who),
                destroyed: LedgerTime(7),
                sealing_key: key.parse().ok().map(|number| [number; 32]),
                by: (*by).to_owned(),
                ground: ground.join(" "),
                payment: shown,
            })));
        }
        if !["limit", "reserve", "accept", "notify"].contains(&verb) {
            return None;
        }
        let account = self.account(words[1]);
        Some(match (verb, &words[2..]) {
            ("limit", words) => {
                let (by, limit) = self.limit(words);
                Command::SetLimit(SetLimit { id, account, by, limit })
            }
            ("reserve", [priority, amount]) => Command::SetReservation(SetReservation {
                id,
                account,
                priority: priority_of(priority),
                amount: amount.parse().unwrap(),
            }),
            ("accept", ["within", time]) => {
                let within = Some(time.parse().unwrap());
                Command::SetAcceptance(SetAcceptance { id, account, within })
            }
            ("accept", ["never"]) => {
                Command::SetAcceptance(SetAcceptance { id, account, within: None })
            }
            ("notify", words) => {
                let line = |name| {
                    let at = words.iter().position(|word| *word == name)?;
                    Some(words[at + 1].parse().unwrap())
                };
                let (floor, ceiling) = (line("floor"), line("ceiling"));
                Command::SetNotices(SetNotices { id, account, floor, ceiling })
            }
            other => panic!("not understood: {other:?}"),
        })
    }

    fn name(&self, number: AccountNumber) -> String {
        let view = self.ledger.account(number).unwrap();
        let bank = BANKS[view.owner.0 as usize].0;
        view.name.to_string().replacen(&view.name.bic.to_string(), bank, 1)
    }

    /// The notices of the block.
    pub(super) fn notices(&mut self) -> Vec<String> {
        let notices = self.ledger.take_notices();
        let each = notices.iter().map(|one| {
            let (name, line, posted, available) =
                (self.name(one.account), one.line, one.posted, one.available);
            assert_eq!(one.time, LedgerTime(self.time));
            match one.kind {
                NoticeKind::BelowFloor => {
                    format!("notice: {name} below {line}, available {available}")
                }
                NoticeKind::AboveCeiling => format!("notice: {name} above {line}, posted {posted}"),
            }
        });
        each.collect()
    }

    /// What is set about accounts, and what is counted.
    pub(super) fn settings(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for view in self.ledger.accounts() {
            let Some(controls) = self.ledger.controls(view.number).filter(|one| !one.is_empty())
            else {
                continue;
            };
            let mut line = format!("{} limits:", self.name(view.number));
            for (most, whose) in controls.payment.iter().zip(["", " of the issuer"]) {
                line += &most.map(|most| format!(" payment {most}{whose}")).unwrap_or_default();
            }
            for (one, whose) in controls.velocity.iter().zip(["", " of the issuer"]) {
                if let Some(one) = one {
                    let used = one.used(LedgerTime(self.time));
                    line += &format!(" velocity {used} of {}{whose}", one.pace.amount);
                }
            }
            for (to, one) in &controls.bilateral {
                let held = self.ledger.pending_towards(view.number, Some(*to));
                let bank = BANKS[to.0 as usize].0;
                line += &format!(" towards {bank} {} and {held} of {}", one.settled, one.most);
            }
            if let Some(one) = controls.multilateral {
                let held = self.ledger.pending_towards(view.number, None);
                line += &format!(" all {} and {held} of {}", one.settled, one.most);
            }
            if controls.reserved != [0; 2] {
                let [urgent, high] = controls.reserved;
                line += &format!(" reserved {urgent} urgent {high} high");
            }
            if let Some(within) = controls.acceptance {
                line += &format!(" accepts within {within}");
            }
            if let Some(floor) = controls.notices.floor {
                line += &format!(" floor {floor}");
            }
            if let Some(ceiling) = controls.notices.ceiling {
                line += &format!(" ceiling {ceiling}");
            }
            lines.push(line);
        }
        lines
    }
}

fn priority_of(word: &str) -> Priority {
    match word {
        "urgent" => Priority::Urgent,
        "high" => Priority::High,
        "normal" => Priority::Normal,
        other => panic!("no such priority: {other}"),
    }
}
