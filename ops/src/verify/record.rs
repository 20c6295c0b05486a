//! A record of the log in plain words. Accounts and participants are numbers in it; with the
//! network's genesis file those that it opened get their names.

use ledger::{
    AccountNumber, Answer, Cause, Command, Digest, LedgerTime, NoticeKind, ParticipantNumber,
    TransferId,
};
use proof::record::{self, Record};
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use wire::{codec::Reader, genesis::Genesis, notice::What};

use crate::{clock::date_time, money::format_grouped};

/// Names of what genesis opened; none of what came later.
#[derive(Debug, Default)]
pub struct Names {
    /// Name, asset and its decimals, by account number.
    accounts: Vec<(String, String, u8)>,
    /// BICs by participant number.
    participants: Vec<String>,
}

impl Names {
    /// The names of a genesis file.
    pub fn of(genesis: &Genesis) -> anyhow::Result<Self> {
        let ledger = genesis.ledger()?;
        let account = |view: ledger::AccountView| {
            let asset = ledger.asset(view.account.asset);
            let exponent = asset.map_or(0, |asset| asset.exponent.get());
            let code = asset.map_or(String::new(), |asset| asset.code.to_string());
            (view.name.to_string(), code, exponent)
        };
        let accounts = ledger.accounts().map(account).collect();
        let bic = |participant: &ledger::Participant| participant.bic.to_string();
        Ok(Self { accounts, participants: ledger.participants().iter().map(bic).collect() })
    }

    fn account(&self, number: AccountNumber) -> String {
        let name = self.accounts.get(number.0 as usize);
        name.map_or_else(|| format!("account {}", number.0), |(name, ..)| name.clone())
    }

    fn amount(&self, account: AccountNumber, minor: u64) -> String {
        match self.accounts.get(account.0 as usize) {
            Some((_, code, exponent)) => {
                format!("{code} {}", format_grouped(minor.into(), *exponent))
            }
            None => format!("{minor} minor units"),
        }
    }

    fn participant(&self, number: ParticipantNumber) -> String {
        let name = self.participants.get(number.0 as usize);
        name.cloned().unwrap_or_else(|| format!("participant {}", number.0))
    }
}

/// What a certificate of erasure says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Erased {
    /// UETR of the payment whose document it was.
    pub payment: String,
    /// The bank that certifies, or its number.
    pub bank: String,
    /// Who ordered it.
    pub by: String,
    /// Why.
    pub ground: String,
    /// When its keys were destroyed, by the bank's own clock, nanoseconds since 1970.
    pub destroyed_ns: u64,
}

/// What a record says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Facts {
    /// `command`, `batch`, `progress`, `seal` or `genesis`.
    pub kind: &'static str,
    /// Which command, for a command.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<&'static str>,
    /// The transfer or other thing that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// `settled`, `refused`, `warehoused`, `held` or `queued`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answer: Option<&'static str>,
    /// The answer's number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<u16>,
    /// SHA-256 commitment to the sealed document, in hex.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub document: Option<String>,
    /// Of a certificate of erasure; `document` is that of the payment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub erased: Option<Erased>,
    /// Sentences for people.
    pub sentences: Vec<String>,
}

/// Reads a record. An error is a sentence.
pub(crate) fn describe(bytes: &[u8], names: &Names) -> Result<Facts, String> {
    match record::decode(bytes).map_err(|error| error.to_string())? {
        Record::Command { answer, original, command } => {
            let (command, length) = Command::decode(command).map_err(|error| error.to_string())?;
            let whole = bytes.len() - command_start(original) == length;
            if !whole {
                return Err("bytes are left over after the command".to_owned());
            }
            command_facts(&command, answer, original, names)
        }
        Record::Progress(body) => {
            let mut reader = Reader::new(bytes::Bytes::copy_from_slice(body));
            let progress = wire::progress::read(&mut reader).map_err(|error| error.to_string())?;
            let cause = match progress.cause {
                Cause::Command(leaf) => format!("by the command at leaf {leaf}"),
                Cause::Time => "because its time had come".to_owned(),
                Cause::Cover => "when cover had come in".to_owned(),
                Cause::Together(number) => format!("together with others, as group {number}"),
                Cause::Till => "by the time at which its debtor asked to be warned".to_owned(),
            };
            let (id, first) = (progress.id.to_string(), progress.leaf);
            let answer = progress.answer;
            let sentences = vec![
                format!(
                    "Transfer {id}, which was first answered at leaf {first}, {}.",
                    became(answer)
                ),
                format!("That was brought about {cause}."),
            ];
            let (word, code) = (Some(word(answer)), Some(answer.code()));
            let id = Some(id);
            Ok(Facts { kind: "progress", id, answer: word, code, sentences, ..Facts::default() })
        }
        Record::Exchange(body) => {
            let mut reader = Reader::new(bytes::Bytes::copy_from_slice(body));
            let one = wire::exchanged::read(&mut reader).map_err(|error| error.to_string())?;
            let mut sentences = vec![format!(
                "Exchange {}, ordered at leaf {}, settled: {} minor units were paid and {} delivered.",
                one.id,
                one.leaf,
                one.paid.minor(),
                one.delivered.minor()
            )];
            sentences.extend(one.fills.iter().map(|fill| {
                let (gave, took) = (fill.gave.minor(), fill.took.minor());
                let (pay, get) = (fill.rate.pay(), fill.rate.get());
                format!("Quote {} gave {gave} for {took}, at {pay} for {get}.", fill.quote)
            }));
            if !one.check() {
                return Err("the fills do not account for what was paid and delivered".to_owned());
            }
            let id = Some(one.id.to_string());
            Ok(Facts { kind: "exchange", id, sentences, ..Facts::default() })
        }
        Record::Step { node, seat } => {
            let what = match seat {
                1 => "gets the log from this block on, and does not vote yet",
                2 => "votes from this block on",
                _ => "has left with this block, for ever",
            };
            let sentences = vec![format!("Node {node} {what}, as the participants decided.")];
            Ok(Facts { kind: "step", sentences, ..Facts::default() })
        }
        Record::Notice(body) => {
            let mut reader = Reader::new(bytes::Bytes::copy_from_slice(body));
            let one = wire::notice::read(&mut reader).map_err(|error| error.to_string())?;
            let bank = names.participant(one.bank);
            let account = |number| names.account(number);
            let (id, sentence) = match one.what {
                What::Line { account: number, kind, line, posted, available } => {
                    let passed = match kind {
                        NoticeKind::BelowFloor => "less is available than the floor",
                        NoticeKind::AboveCeiling => "more is posted than the ceiling",
                    };
                    let on = account(number);
                    (
                        None,
                        format!(
                            "{bank} is told that on {on} {passed} {line}: {posted} minor units are posted, {available} available."
                        ),
                    )
                }
                What::ReportOverdue { transfer, account: number } => {
                    let on = account(number);
                    (
                        Some(transfer),
                        format!("{bank} is told that its report of {transfer} on {on} is overdue."),
                    )
                }
                What::ReportMissing { transfer, account: number } => {
                    let on = account(number);
                    (
                        Some(transfer),
                        format!(
                            "{bank} is told that its report of {transfer} on {on} is not waited for any longer."
                        ),
                    )
                }
                What::Credited { transfer, account: number, at } => {
                    let (on, at) = (account(number), date_time(at.0));
                    (
                        Some(transfer),
                        format!(
                            "{bank} is told that the customer has the money of {transfer} on {on} since {at} UTC."
                        ),
                    )
                }
                What::NotCredited { transfer, account: number, reason } => {
                    let on = account(number);
                    (
                        Some(transfer),
                        format!(
                            "{bank} is told that the customer could not be credited with {transfer} on {on}: {}.",
                            reason.as_str()
                        ),
                    )
                }
                What::QuoteExpired { quote, left } => (
                    Some(quote),
                    format!(
                        "{bank} is told that the time of its quote {quote} is over, with {} minor units left.",
                        left.minor()
                    ),
                ),
            };
            let id = id.map(|id| id.to_string());
            Ok(Facts { kind: "notice", id, sentences: vec![sentence], ..Facts::default() })
        }
        Record::Batch(body) => {
            let digest: [u8; 32] = Sha256::digest(body).into();
            let sentence = format!(
                "Header and signatures of a batch of commands, {} bytes with SHA-256 {}.",
                body.len(),
                wire::genesis::hex(&digest)
            );
            Ok(Facts { kind: "batch", sentences: vec![sentence], ..Facts::default() })
        }
        Record::Seal(seal) => {
            let sentences = vec![
                format!("Seal of block {} of {} UTC.", seal.height, date_time(seal.time)),
                format!(
                    "The block has {} records from leaf {} on, {} of them commands.",
                    seal.records, seal.first_leaf, seal.commands
                ),
                format!("State root after it: {}.", wire::genesis::hex(&seal.state_root)),
            ];
            Ok(Facts { kind: "seal", sentences, ..Facts::default() })
        }
        Record::Genesis { network, state_root } => {
            let sentences = vec![
                format!("Genesis of the network {}.", wire::genesis::hex(&network)),
                format!("State root after it: {}.", wire::genesis::hex(&state_root)),
            ];
            Ok(Facts { kind: "genesis", sentences, ..Facts::default() })
        }
    }
}

/// Bytes of a command record before the command.
fn command_start(original: Option<u64>) -> usize {
    if original.is_some() { 14 } else { 6 }
}

fn command_facts(
    command: &Command,
    code: u16,
    original: Option<u64>,
    names: &Names,
) -> Result<Facts, String> {
    let answer = Answer::from_code(code).ok_or_else(|| format!("{code} is no answer"))?;
    let mut facts = Facts {
        kind: "command",
        command: Some(command.name()),
        id: about(command).map(|id| id.to_string()),
        answer: Some(word(answer)),
        code: Some(code),
        ..Facts::default()
    };
    let what = command.name().replace('-', " ");
    let subject = match &facts.id {
        Some(id) => format!("The {what} {id}"),
        None => format!("The command to {what}"),
    };
    facts.sentences.push(format!("{subject} {}.", became(answer)));
    if let Answer::Refused(refusal) = answer {
        facts.sentences.push(format!("Reason {}: {}", refusal.iso_code(), refusal.sender_text()));
    }
    if let Some(leaf) = original {
        facts.sentences.push(format!(
            "It repeats the command at leaf {leaf}, whose answer it gives again; it changed nothing."
        ));
    }
    if let Command::Transfer(transfer) = command {
        for leg in transfer.legs.as_slice() {
            facts.sentences.push(format!(
                "{} from {} to {}.",
                names.amount(leg.debit, leg.amount.minor()),
                names.account(leg.debit),
                names.account(leg.credit)
            ));
        }
        if let Some(Digest(digest)) = transfer.document {
            let digest = wire::genesis::hex(&digest);
            facts.sentences.push(format!("Its document is sealed under the commitment {digest}."));
            facts.document = Some(digest);
        }
        let deadline = transfer.options.as_ref().and_then(|options| options.deadline);
        if let Some(LedgerTime(deadline)) = deadline {
            facts.sentences.push(format!("Its deadline was {} UTC.", date_time(deadline)));
        }
    }
    match command {
        Command::Issue(issue) => facts.sentences.push(format!(
            "{} issued to {}.",
            names.amount(issue.account, issue.amount.minor()),
            names.account(issue.account)
        )),
        Command::Redeem(redeem) => facts.sentences.push(format!(
            "{} taken from {}.",
            names.amount(redeem.account, redeem.amount.minor()),
            names.account(redeem.account)
        )),
        Command::OpenAccount(open) => facts
            .sentences
            .push(format!("An account of {} was asked for.", names.participant(open.owner))),
        Command::Attest(attest) => {
            let digest = wire::genesis::hex(&attest.document.0);
            let bank = names.participant(attest.participant);
            facts.sentences.push(format!("{bank} attests a document with digest {digest}."));
            facts.document = Some(digest);
        }
        Command::RecordAccess(record) => {
            let payment = record.payment.map(|id| format!(" of payment {id}")).unwrap_or_default();
            facts.sentences.push(format!(
                "At {}, {} {} data{payment} with digest {}, on the ground: {}.",
                names.participant(record.participant),
                record.reader,
                record.access.name(),
                record.what,
                record.ground
            ));
        }
        Command::EraseDocument(erase) => {
            let document = erase.document().unwrap_or(ledger::Digest([0; 32])).to_string();
            let key = erase.sealing_key.map(|key| {
                format!(" The sealing key {} is destroyed as well.", wire::genesis::hex(&key))
            });
            facts.sentences.push(format!(
                "{} certifies that its keys to the document of payment {} with digest {document} were destroyed at {}, \
                 by {}, on the ground: {}.{} It proves no more than that {} says so: a reader may have kept a copy.",
                names.participant(erase.participant),
                erase.payment.id,
                erase.destroyed,
                erase.by,
                erase.ground,
                key.unwrap_or_default(),
                names.participant(erase.participant),
            ));
            facts.document = Some(document);
            facts.erased = Some(Erased {
                payment: erase.payment.id.to_string(),
                bank: names.participant(erase.participant),
                by: erase.by.clone(),
                ground: erase.ground.clone(),
                destroyed_ns: erase.destroyed.0,
            });
        }
        _ => {}
    }
    Ok(facts)
}

/// What a command is about: its own id, or the transfer that it speaks of.
fn about(command: &Command) -> Option<TransferId> {
    match command {
        Command::Approve(approve) => Some(approve.transfer),
        Command::Refuse(refuse) => Some(refuse.transfer),
        Command::Reveal(reveal) => Some(reveal.transfer),
        Command::Cancel(cancel) => Some(cancel.transfer),
        other => other.id(),
    }
}

fn word(answer: Answer) -> &'static str {
    match answer {
        Answer::Settled => "settled",
        Answer::Refused(_) => "refused",
        Answer::Waiting(stage) => stage.name(),
    }
}

fn became(answer: Answer) -> String {
    match answer {
        Answer::Settled => "was settled".to_owned(),
        Answer::Refused(_) => "was refused".to_owned(),
        Answer::Waiting(stage) => format!("was {}: it waited then", stage.name()),
    }
}
