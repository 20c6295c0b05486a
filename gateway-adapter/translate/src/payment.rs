//! One transaction of a payment message to one movement between two banks' settlement accounts.
//!
//! The bank that pays is the instructing agent (else the debtor's agent, else a debtor that is itself a bank) and
//! must be the bank that sends. The bank that receives is the instructed agent, else the first intermediary,
//! else the creditor's agent, else a creditor that is itself a bank. An agent that is present but not named by
//! BIC is an error and never skipped: the next one in the chain would be another bank. All objections are
//! collected, not only the first.

use std::collections::BTreeMap;

use iso20022::views::CreditTransfer;
use iso20022::{Finding, Message, Node};
use ledger::{AccountNumber, Amount, AssetCode, Leg, ParticipantNumber, TransferId};

use crate::answer::{REASONS_MAX, REFERENCE_CHARS_MAX, References, cut};
use crate::directory::{Asset, Participant};
use crate::money::{AmountError, to_minor_units};
use crate::receive::{Context, Instruction, Payment, TRANSACTION};
use crate::rules::{self, Place, Rule};

/// Who may stand for the bank that pays, first choice first.
const INSTRUCTING: [&str; 3] = ["InstgAgt", "DbtrAgt", "Dbtr"];
/// Who may stand for the bank that receives, first choice first.
const INSTRUCTED: [&str; 4] = ["InstdAgt", "IntrmyAgt1", "CdtrAgt", "Cdtr"];
/// Where the versions of the messages put the BIC of an institution, newest first.
const BIC_PATHS: [&str; 3] = ["BICFI", "BIC", "CmbndId/BIC"];

/// Translates the transactions of one message, in order.
pub(crate) struct Translator<'a> {
    name: &'a str,
    view: Option<CreditTransfer<'a>>,
    body: Node<'a>,
    group: Option<Node<'a>>,
    count: usize,
    context: &'a Context<'a>,
    /// The ids of earlier transactions, with number and line of each.
    seen: BTreeMap<TransferId, (usize, u32)>,
    lines: Lines<'a>,
}

impl<'a> Translator<'a> {
    pub(crate) fn new(
        message: &'a Message,
        body: Node<'a>,
        count: usize,
        context: &'a Context<'a>,
    ) -> Self {
        Self {
            name: message.name.as_str(),
            view: CreditTransfer::of(message),
            body,
            group: body.child("GrpHdr"),
            count,
            context,
            seen: BTreeMap::new(),
            lines: Lines { source: message.document.source(), offset: 0, line: 1 },
        }
    }

    /// The payment of a transaction on which the layers below found these errors and warnings. Translation is
    /// tried only when there are no errors.
    pub(crate) fn payment(
        &mut self,
        index: usize,
        node: Node<'a>,
        mut errors: Vec<Finding>,
        warnings: Vec<Finding>,
    ) -> Payment {
        let sent = |path: &str| node.text_at(path).map(|text| cut(text, REFERENCE_CHARS_MAX));
        let references = References {
            instruction_id: sent("PmtId/InstrId"),
            end_to_end_id: sent("PmtId/EndToEndId"),
            tx_id: sent("PmtId/TxId"),
            uetr: sent("PmtId/UETR"),
        };
        let amount = node.child("IntrBkSttlmAmt");
        let sound_below = errors.is_empty();
        let line = self.lines.at(node.offset());
        let mut transaction =
            Transaction { translator: self, index, node, line, errors: &mut errors };
        let id = transaction.id();
        let movement = if sound_below { transaction.movement() } else { None };
        let result = match (id, movement) {
            (Some(id), Some(movement)) if errors.is_empty() => Ok(Instruction {
                id,
                debtor_bank: movement.debtor_bank,
                creditor_bank: movement.creditor_bank,
                leg: movement.leg,
            }),
            _ => {
                errors.truncate(REASONS_MAX);
                Err(errors)
            }
        };
        Payment {
            index,
            references,
            id,
            amount: amount.map(|amount| cut(amount.text(), REFERENCE_CHARS_MAX)),
            currency: amount
                .and_then(|amount| amount.attribute("Ccy"))
                .map(|currency| cut(currency, REFERENCE_CHARS_MAX)),
            settlement_date: sent("IntrBkSttlmDt").or_else(|| {
                let date = self.group?.text_at("IntrBkSttlmDt")?;
                Some(cut(date, REFERENCE_CHARS_MAX))
            }),
            warnings,
            result,
        }
    }
}

/// The movement that a transaction asks for.
struct Movement {
    debtor_bank: ParticipantNumber,
    creditor_bank: ParticipantNumber,
    leg: Leg,
}

/// One transaction while it is translated.
struct Transaction<'t, 'a> {
    translator: &'t mut Translator<'a>,
    index: usize,
    node: Node<'a>,
    line: u32,
    errors: &'t mut Vec<Finding>,
}

/// An agent of a transaction as the message names it.
struct Agent<'a> {
    /// Path of the BIC from the body, e.g. `GrpHdr/InstgAgt/FinInstnId/BICFI`.
    path: String,
    /// The BIC element; `None` when the agent is not named by BIC.
    bic: Option<Node<'a>>,
}

impl<'a> Transaction<'_, 'a> {
    /// The transfer id, if it is well formed and of no earlier transaction.
    fn id(&mut self) -> Option<TransferId> {
        const PATH: &str = "PmtId/UETR";
        // The profile says the same where its list of findings was long enough; once is enough.
        let objected = !self.errors.is_empty();
        let Some(node) = self.node.at(PATH) else {
            if !objected {
                let text = "The transaction has no UETR, by which the network identifies it.";
                self.object(rules::UETR_MISSING, PATH, text.to_owned());
            }
            return None;
        };
        let Ok(id) = node.text().parse::<TransferId>() else {
            if !objected {
                self.object(
                    rules::UETR_FORM,
                    PATH,
                    "The UETR is not a lower-case UUID.".to_owned(),
                );
            }
            return None;
        };
        let place = (self.index + 1, self.line);
        let (number, line) = *self.translator.seen.entry(id).or_insert(place);
        if number == place.0 {
            return Some(id);
        }
        if !objected {
            let text = format!("Transaction {number} (line {line}) has the same UETR.");
            self.object(rules::UETR_REPEATED, PATH, text);
        }
        None
    }

    /// Banks, accounts and amount. `None` when anything of it is in the way; the objections are then recorded.
    fn movement(&mut self) -> Option<Movement> {
        self.settlement_date();
        let debtor = self.paying_bank();
        let creditor = self.bank(&INSTRUCTED).map(|(bank, _)| bank);
        let asset = self.asset();
        let amount = asset.and_then(|asset| self.amount(asset));
        let (debtor, creditor, asset) = (debtor?, creditor?, asset?);
        if debtor.number == creditor.number {
            let text = format!("{} is both the paying and the receiving bank.", debtor.bic);
            let path = self.agent(&INSTRUCTED).map_or_else(String::new, |agent| agent.path);
            self.object(rules::SAME_AGENT, &path, text);
            return None;
        }
        let debit = self.account(debtor, asset, rules::NO_DEBTOR_ACCOUNT);
        let credit = self.account(creditor, asset, rules::NO_CREDITOR_ACCOUNT);
        Some(Movement {
            debtor_bank: debtor.number,
            creditor_bank: creditor.number,
            leg: Leg { debit: debit?, credit: credit?, amount: amount? },
        })
    }

    /// Judges the transaction's own settlement date; that of the group is judged once for all.
    fn settlement_date(&mut self) {
        const PATH: &str = "IntrBkSttlmDt";
        let Some(date) = self.node.text_at(PATH) else { return };
        let dates = &self.translator.context.dates;
        if let Err(error) = dates.accept(date) {
            let text = dates.text(error, date);
            self.object(rules::of_date(error), PATH, text);
        }
    }

    fn paying_bank(&mut self) -> Option<&'a Participant> {
        let (bank, path) = self.bank(&INSTRUCTING)?;
        if bank.bic == *self.translator.context.own_bank {
            return Some(bank);
        }
        let text = format!(
            "The instructing agent is {}, but the message comes from {}.",
            bank.bic, self.translator.context.own_bank
        );
        self.object(rules::NOT_THE_SENDER, &path, text);
        None
    }

    /// The participant that the first present of these elements names, and where.
    fn bank(&mut self, candidates: &[&str]) -> Option<(&'a Participant, String)> {
        let Some(agent) = self.agent(candidates) else {
            let text = format!("None of {} names a bank.", candidates.join(", "));
            self.object(rules::AGENT_MISSING, candidates[0], text);
            return None;
        };
        let Some(bic) = agent.bic else {
            let text = "The network identifies agents by BIC, and this one has none.".to_owned();
            self.object(rules::AGENT_MISSING, &agent.path, text);
            return None;
        };
        let directory = self.translator.context.directory;
        let known = bic.text().parse().ok().and_then(|bic| directory.participant_by_bic(&bic));
        if known.is_none() {
            let text = format!("{} is not a participant of the network.", cut(bic.text(), 11));
            self.object(rules::UNKNOWN_AGENT, &agent.path, text);
        }
        known.map(|bank| (bank, agent.path))
    }

    /// The first of these elements that is there, in the transaction or for all of them in the group header.
    fn agent(&self, candidates: &[&str]) -> Option<Agent<'a>> {
        candidates.iter().find_map(|element| {
            let places = [(Some(self.node), ""), (self.translator.group, "GrpHdr/")];
            places.into_iter().find_map(|(parent, prefix)| {
                let institution = parent?.child(element)?.child("FinInstnId")?;
                let known = BIC_PATHS.iter().find_map(|path| Some((*path, institution.at(path)?)));
                let path = known.map_or(BIC_PATHS[0], |(path, _)| path);
                Some(Agent {
                    path: format!("{prefix}{element}/FinInstnId/{path}"),
                    bic: known.map(|(_, node)| node),
                })
            })
        })
    }

    fn asset(&mut self) -> Option<&'a Asset> {
        const PATH: &str = "IntrBkSttlmAmt/@Ccy";
        let currency = self.node.at("IntrBkSttlmAmt").and_then(|amount| amount.attribute("Ccy"));
        let directory = self.translator.context.directory;
        let known = currency
            .and_then(|code| code.parse::<AssetCode>().ok())
            .and_then(|code| directory.asset_by_code(&code));
        if known.is_none() {
            let text = match currency {
                Some(code) => format!("The network does not settle {}.", cut(code, 12)),
                None => "The settlement amount has no currency.".to_owned(),
            };
            self.object(rules::UNKNOWN_CURRENCY, PATH, text);
        }
        known
    }

    fn amount(&mut self, asset: &Asset) -> Option<Amount> {
        const PATH: &str = "IntrBkSttlmAmt";
        let sent = self.translator.view.as_ref().and_then(|view| view.transaction(self.index));
        let Some(money) = sent.and_then(|transaction| transaction.amount().ok()) else {
            let text = "The settlement amount is not an amount.".to_owned();
            self.object(rules::AMOUNT_INVALID, PATH, text);
            return None;
        };
        match to_minor_units(money.value, asset.exponent) {
            Ok(amount) => Some(amount),
            Err(error) => {
                let rule = match error {
                    AmountError::Zero => rules::AMOUNT_ZERO,
                    AmountError::Negative => rules::AMOUNT_INVALID,
                    AmountError::TooPrecise { .. } => rules::AMOUNT_DECIMALS,
                    AmountError::TooLarge => rules::AMOUNT_TOO_LARGE,
                };
                self.object(rule, PATH, format!("{} {}: {error}.", asset.code, money.lexical));
                None
            }
        }
    }

    fn account(&mut self, bank: &Participant, asset: &Asset, rule: Rule) -> Option<AccountNumber> {
        let account = self.translator.context.directory.main_account(bank.number, asset.number);
        if account.is_none() {
            let text = format!("{} has no settlement account in {}.", bank.bic, asset.code);
            self.object(rule, "IntrBkSttlmAmt/@Ccy", text);
        }
        account
    }

    /// Records that a rule is broken at a path that starts at the transaction, or with `GrpHdr/` at the body.
    fn object(&mut self, rule: Rule, path: &str, text: String) {
        let (element_path, attribute) = match path.split_once("/@") {
            Some((element, attribute)) => (element, Some(attribute)),
            None => (path, None),
        };
        let body = self.translator.body;
        let in_group = path.starts_with("GrpHdr/");
        let parent = if in_group { body } else { self.node };
        let found = parent.at(element_path);
        let offset = found.unwrap_or(self.node).offset();
        let value = match (found, attribute) {
            (Some(node), Some(attribute)) => node.attribute(attribute).unwrap_or_default(),
            (Some(node), None) => node.text(),
            (None, _) => "",
        };
        // Built by hand: asking the tree for a path counts the siblings, which is quadratic over a bulk file.
        let path = match (in_group, self.translator.count) {
            (true, _) => format!("/Document/{}/{path}", body.name()),
            (false, 0 | 1) => format!("/Document/{}/{TRANSACTION}/{path}", body.name()),
            (false, _) => {
                format!("/Document/{}/{TRANSACTION}[{}]/{path}", body.name(), self.index + 1)
            }
        };
        let line = if in_group {
            found.map_or(self.line, Node::line)
        } else {
            self.translator.lines.at(offset)
        };
        let place = Place { path, offset, line, value: value.to_owned() };
        self.errors.push(rule.broken(self.translator.name, place, text));
    }
}

/// Line numbers of offsets that mostly ascend, without scanning the input from its start each time.
struct Lines<'a> {
    source: &'a str,
    offset: usize,
    line: u32,
}

impl Lines<'_> {
    fn at(&mut self, offset: usize) -> u32 {
        let breaks = |from: usize, to: usize| {
            self.source.as_bytes()[from..to].iter().filter(|&&byte| byte == b'\n').count() as u32
        };
        self.line = if offset >= self.offset {
            self.line + breaks(self.offset, offset)
        } else {
            self.line - breaks(offset, self.offset)
        };
        self.offset = offset;
        self.line
    }
}
