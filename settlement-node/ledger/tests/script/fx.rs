//! The language of golden scripts for quotes, exchanges and reports of credit.
//!
//! ```text
//! gamma: quote q1 gives gamma/USD 100 for gamma/EUR 92 up-to 10000 least 1 until 2000 replacing q0
//! gamma: withdraw-quote q1
//! alpha: exchange x1 alpha/EUR -> beta/USD deliver 1000 at-most 950 deadline 1500
//! alpha: exchange x2 alpha/EUR -> beta/USD spend 920 at-least 990
//! beta: give-back r1 beta/USD -> alpha/USD 100 of x1
//! book EUR USD                    the quotes for who pays EUR to get USD, best first
//! price EUR USD deliver 1000      what that would cost now       price EUR USD spend 920
//! fed: reporting p1 beta/USD within 100       beta: credited x1 beta/USD at 1100
//! beta: not-credited x1 beta/USD AC04         scorecard beta
//! ```

use ledger::*;

use super::{BANKS, Network, transfer_id, word_of};

fn amount(word: &str) -> Amount {
    Amount::new(word.parse().unwrap())
}

impl Network {
    /// Answers one of the questions of this language.
    pub(super) fn fx_question(&self, line: &str) -> Option<String> {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            ["book", pays, gets] => {
                let quotes = self.ledger.quotes(self.asset(pays), self.asset(gets));
                let lines: Vec<String> = quotes.map(|quote| self.quote_line(quote)).collect();
                Some(if lines.is_empty() { "no quotes".to_owned() } else { lines.join("; ") })
            }
            ["price", pays, gets, side, number] => {
                let exact = match side {
                    "deliver" => Exact::Delivered(amount(number)),
                    "spend" => Exact::Spent(amount(number)),
                    other => panic!("no such side: {other}"),
                };
                let (pays, gets) = (self.asset(pays), self.asset(gets));
                let time = LedgerTime(self.time);
                Some(match self.ledger.exchange_price(pays, gets, exact, time) {
                    Ok(plan) => {
                        let passed = plan.passed.iter().map(|(quote, why)| {
                            format!(", passing over {} {}", word_of(quote), why_word(*why))
                        });
                        let passed: String = passed.collect();
                        let fills = self.fills_text(plan.via, &plan.fills);
                        format!("{} for {}{fills}{passed}", plan.paid, plan.delivered)
                    }
                    Err(refusal) => format!("none: {refusal:?}"),
                })
            }
            ["scorecard", bank] => {
                let card = self.ledger.scorecard(self.participant(bank));
                let Scorecard { in_time, late, rejected, missing, not_asked, delay } = card;
                Some(format!(
                    "in time {in_time}, late {late}, rejected {rejected}, missing {missing}, not asked {not_asked}, delay {delay}"
                ))
            }
            _ => None,
        }
    }

    /// Reads one of the commands of this language.
    pub(super) fn fx_command(&self, verb: &str, rest: &str) -> Option<Command> {
        let words: Vec<&str> = rest.split_whitespace().collect();
        Some(match (verb, &words[..]) {
            ("quote", [id, "gives", sells, get, "for", buys, pay, "up-to", most, options @ ..]) => {
                let mut quote = PlaceQuote {
                    id: transfer_id(id),
                    sells: self.account(sells),
                    buys: self.account(buys),
                    rate: Rate::new(pay.parse().unwrap(), get.parse().unwrap()).unwrap(),
                    amount: amount(most),
                    least: Amount::new(1),
                    until: LedgerTime(2_000),
                    replaces: None,
                };
                for pair in options.chunks(2) {
                    match pair {
                        ["least", least] => quote.least = amount(least),
                        ["until", until] => quote.until = super::gov::time_of(until),
                        ["replacing", id] => quote.replaces = Some(transfer_id(id)),
                        other => panic!("no such option: {other:?}"),
                    }
                }
                Command::PlaceQuote(quote)
            }
            ("withdraw-quote", [id]) => {
                Command::WithdrawQuote(WithdrawQuote { quote: transfer_id(id) })
            }
            (
                "exchange",
                [id, debit, "->", credit, side, exact, "at-most" | "at-least", limit, options @ ..],
            ) => {
                let (exactly, limit) = (amount(exact), amount(limit));
                let mut exchange = Exchange {
                    id: transfer_id(id),
                    debit: self.account(debit),
                    credit: self.account(credit),
                    amount: match *side {
                        "deliver" => ExchangeAmount::Deliver { exactly, at_most: limit },
                        "spend" => ExchangeAmount::Spend { exactly, at_least: limit },
                        other => panic!("no such side: {other}"),
                    },
                    document: None,
                    deadline: None,
                };
                for pair in options.chunks(2) {
                    match pair {
                        ["deadline", time] => {
                            exchange.deadline = Some(LedgerTime(time.parse().unwrap()));
                        }
                        ["document", text] => {
                            exchange.document = Some(Digest::of(text.as_bytes()));
                        }
                        other => panic!("no such option: {other:?}"),
                    }
                }
                Command::Exchange(exchange)
            }
            ("give-back", [id, debit, "->", credit, back, "of", original, options @ ..]) => {
                let shown = self.exchanged.get(&transfer_id(original)).cloned();
                // One that was never sent is shown as somebody might make it up.
                let mut shown = shown.unwrap_or(Exchange {
                    id: transfer_id(original),
                    debit: AccountNumber(0),
                    credit: self.account(debit),
                    amount: ExchangeAmount::Deliver {
                        exactly: amount(back),
                        at_most: amount(back),
                    },
                    document: None,
                    deadline: None,
                });
                let mut deadline = None;
                for pair in options.chunks(2) {
                    match pair {
                        ["deadline", time] => deadline = Some(LedgerTime(time.parse().unwrap())),
                        ["showing-limit", limit] => {
                            let (ExchangeAmount::Deliver { exactly, .. }
                            | ExchangeAmount::Spend { exactly, .. }) = shown.amount;
                            let at_most = amount(limit);
                            shown.amount = ExchangeAmount::Deliver { exactly, at_most };
                        }
                        other => panic!("no such option: {other:?}"),
                    }
                }
                assert_eq!(shown.credit, self.account(debit), "a return leads from there");
                Command::ReturnExchange(ReturnExchange {
                    id: transfer_id(id),
                    credit: self.account(credit),
                    amount: amount(back),
                    original: shown,
                    document: None,
                    deadline,
                })
            }
            ("reporting", [id, account, "within", within]) => Command::SetReporting(SetReporting {
                id: transfer_id(id),
                account: self.account(account),
                within: within.parse().unwrap(),
            }),
            ("credited", [id, account, "at", at]) => Command::ReportCredit(ReportCredit {
                transfer: transfer_id(id),
                account: self.account(account),
                outcome: CreditOutcome::Credited(LedgerTime(at.parse().unwrap())),
            }),
            ("not-credited", [id, account, reason]) => Command::ReportCredit(ReportCredit {
                transfer: transfer_id(id),
                account: self.account(account),
                outcome: CreditOutcome::Rejected(reason.parse().unwrap()),
            }),
            _ => return None,
        })
    }

    fn quote_line(&self, quote: &Quote) -> String {
        let (pays, gets) = (self.code_of(quote.buys), self.code_of(quote.sells));
        let (pay, get) = (quote.rate.pay(), quote.rate.get());
        let least = if quote.least == Amount::new(1) {
            String::new()
        } else {
            format!(" least {}", quote.least)
        };
        format!(
            "{} of {} {pay} {pays} for {get} {gets}, {} left{least} until {}",
            word_of(&quote.id),
            BANKS[quote.provider.0 as usize].0,
            quote.left,
            quote.until
        )
    }

    fn code_of(&self, account: AccountNumber) -> String {
        self.ledger.account(account).unwrap().name.asset.to_string()
    }

    fn fills_text(&self, via: Option<AssetNumber>, fills: &[Fill]) -> String {
        let via = via.map(|asset| format!(" over {}", self.ledger.asset(asset).unwrap().code));
        let fills = fills.iter().map(|fill| {
            format!(
                "{} {} {} for {} {}",
                word_of(&fill.quote),
                fill.gave,
                self.code_of(fill.sells),
                fill.took,
                self.code_of(fill.buys)
            )
        });
        format!("{}: {}", via.unwrap_or_default(), fills.collect::<Vec<_>>().join(", "))
    }

    /// What came of the block, in words.
    pub(super) fn fx_came(&mut self) -> Vec<String> {
        let outputs = self.ledger.take_fx_outputs();
        let mut lines = Vec::new();
        for one in &outputs.exchanges {
            assert!(one.check(), "{one:?}");
            let fills = self.fills_text(one.via, &one.fills);
            lines.push(format!(
                "{} pays {} for {}{fills}",
                word_of(&one.id),
                one.paid,
                one.delivered
            ));
        }
        for notice in &outputs.quotes {
            lines.push(match notice {
                QuoteNotice::Placed { quote } => format!("{} is on offer", word_of(quote)),
                QuoteNotice::Taken { quote, left, .. } if left.is_zero() => {
                    format!("{} is used up", word_of(quote))
                }
                QuoteNotice::Taken { quote, left, .. } => {
                    format!("{} has {left} left", word_of(quote))
                }
                QuoteNotice::Withdrawn { quote } => format!("{} is withdrawn", word_of(quote)),
                QuoteNotice::Replaced { quote, by } => {
                    format!("{} is replaced by {}", word_of(quote), word_of(by))
                }
                QuoteNotice::Expired { quote, left, .. } => {
                    format!("{} is over with {left} left", word_of(quote))
                }
                QuoteNotice::PassedOver { quote, by, why } => {
                    format!(
                        "{} is passed over by {}: {}",
                        word_of(quote),
                        word_of(by),
                        why_word(*why)
                    )
                }
            });
        }
        for notice in &outputs.credits {
            lines.push(match notice {
                CreditNotice::Expected { transfer, bank, by, .. } => {
                    format!("{} reports {} by {by}", BANKS[bank.0 as usize].0, word_of(transfer))
                }
                CreditNotice::Credited { transfer, at, late, .. } => {
                    let late = if *late { ", late" } else { "" };
                    format!("{} was credited at {at}{late}", word_of(transfer))
                }
                CreditNotice::Rejected { transfer, reason, .. } => {
                    format!("{} was not credited: {}", word_of(transfer), reason.as_str())
                }
                CreditNotice::Overdue { transfer, .. } => {
                    format!("the report of {} is overdue", word_of(transfer))
                }
                CreditNotice::Missing { transfer, .. } => {
                    format!("the report of {} is missing", word_of(transfer))
                }
            });
        }
        lines
    }

    /// What is on offer and what is to be reported.
    pub(super) fn fx_state(&self) -> Vec<String> {
        let quotes = self.ledger.all_quotes().map(|quote| self.quote_line(quote));
        let reports = self.ledger.awaited_reports().map(|report| {
            let overdue = if report.overdue { ", overdue" } else { "" };
            let bank = BANKS[report.bank.0 as usize].0;
            format!("{bank} is to report {} by {}{overdue}", word_of(&report.transfer), report.by)
        });
        quotes.chain(reports).collect()
    }
}

fn why_word(why: PassedOver) -> &'static str {
    match why {
        PassedOver::Expired => "over",
        PassedOver::Account => "account may not",
        PassedOver::NoCover => "no cover",
        PassedOver::BelowLeast => "below its least take",
        PassedOver::SameAccount => "same account",
    }
}
