//! The words of the scripts for votes, keys, hours and two people.
//!
//! ```text
//! alpha: propose p1 2000 state beta blocked       2000: when it expires; beta send-only, receive-only, removed, active
//! alpha: propose p1 2000 admit NEWBDEFF 7 New     asset JPY 0 ecb        rules 3        finality 1
//! alpha: propose p1 2000 hours EUR 07:00-18:00 mon-fri except d4        hours EUR none
//! alpha: propose p1 2000 limit EUR 500            limit EUR none         node 4 alpha   no-node 4
//! alpha: propose p1 2000 voting 2 of alpha beta gamma      voting majority of all      keys beta 30 31
//! beta: vote p1 yes       alpha: withdraw p1      ecb/20: confirm i1
//! alpha: add-key k1 alpha 20 from 2000            alpha: retire-key alpha 3 at 2000     alpha: revoke-key alpha 3
//! alpha: sealing-key s1 alpha 9                   ecb: two-people f1 EUR above 100      two-people f1 EUR never
//! keys alpha              which keys it had, from and until which leaf
//! directory               who takes part, and which accounts receive
//! hours EUR               the business day at the present time
//! ```
//!
//! `alpha/20` signs with key 20; a bank's first key is its place in the list of banks, ecb's is 1. Times may be written
//! `d4-18:00`: day 4 is Monday, 5 January 1970.

use ledger::*;

use super::{BANKS, Network, admit, key, transfer_id, word_of};

const MINUTE: u64 = 60 * 1_000_000_000;
const WEEKDAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
const STATES: [ParticipantState; 5] = [
    ParticipantState::Active,
    ParticipantState::SendOnly,
    ParticipantState::ReceiveOnly,
    ParticipantState::Blocked,
    ParticipantState::Removed,
];

/// A time: a number, or a day and a time of day.
pub(crate) fn time_of(word: &str) -> LedgerTime {
    let Some(rest) = word.strip_prefix('d') else { return LedgerTime(word.parse().unwrap()) };
    let (day, time) = rest.split_once('-').unwrap();
    let day: u64 = day.parse().unwrap();
    LedgerTime((day * 24 * 60 + u64::from(minutes(time))) * MINUTE)
}

fn minutes(time: &str) -> u16 {
    let (hours, minutes) = time.split_once(':').unwrap();
    hours.parse::<u16>().unwrap() * 60 + minutes.parse::<u16>().unwrap()
}

/// A time of the calendar in words.
fn clock(time: LedgerTime) -> String {
    let minutes = time.0 / MINUTE;
    format!("d{}-{:02}:{:02}", minutes / 1440, minutes / 60 % 24, minutes % 60)
}

fn bank(number: ParticipantNumber) -> String {
    BANKS.get(number.0 as usize).map_or(format!("#{number}"), |one| one.0.to_owned())
}

impl Network {
    /// A command of this part of the language; `None` for other words.
    pub(crate) fn govern(&self, words: &str) -> Option<Command> {
        let mut words = words.split_whitespace();
        let verb = words.next()?;
        let mut next = || words.next().unwrap_or_else(|| panic!("a word is missing after {verb}"));
        Some(match verb {
            "propose" => {
                let (id, expires) = (transfer_id(next()), time_of(next()));
                let content = self.content(&words.collect::<Vec<_>>());
                Command::Propose(Propose {
                    id,
                    proposer: ParticipantNumber(u32::MAX),
                    expires,
                    content: Box::new(content),
                })
            }
            "vote" => Command::Vote(Vote {
                proposal: transfer_id(next()),
                in_favour: match next() {
                    "yes" => true,
                    "no" => false,
                    other => panic!("no such vote: {other}"),
                },
            }),
            "withdraw" => Command::Withdraw(Withdraw { id: transfer_id(next()) }),
            "confirm" => Command::Confirm(Confirm { id: transfer_id(next()) }),
            "add-key" => Command::AddKey(AddKey {
                id: transfer_id(next()),
                participant: self.participant(next()),
                key: key(next().parse().unwrap()),
                from: words.next().map(|_| time_of(words.next().unwrap())),
            }),
            "retire-key" => Command::RetireKey(RetireKey {
                participant: self.participant(next()),
                key: key(next().parse().unwrap()),
                at: words.next().map(|_| time_of(words.next().unwrap())),
            }),
            "revoke-key" => Command::RevokeKey(RevokeKey {
                participant: self.participant(next()),
                key: key(next().parse().unwrap()),
            }),
            "sealing-key" => Command::SetSealingKey(SetSealingKey {
                id: transfer_id(next()),
                participant: self.participant(next()),
                sealing_key: [next().parse().unwrap(); 32],
            }),
            "two-people" => Command::SetFundingLimit(SetFundingLimit {
                id: transfer_id(next()),
                asset: self.asset(next()),
                above: match next() {
                    "never" => None,
                    _ => Some(Amount::new(words.next().unwrap().parse().unwrap())),
                },
            }),
            _ => return None,
        })
    }

    fn content(&self, words: &[&str]) -> Content {
        match words {
            ["admit", bic, number, name @ ..] => {
                let Command::AdmitParticipant(admit) =
                    admit(bic, number.parse().unwrap(), &name.join(" "))
                else {
                    unreachable!("that is what it makes")
                };
                Content::Admit(admit)
            }
            ["state", who, state] => Content::SetState {
                participant: self.participant(who),
                state: *STATES.iter().find(|one| one.name() == *state).unwrap(),
            },
            ["asset", code, exponent, issuer] => Content::AddAsset(AddAsset {
                code: code.parse().unwrap(),
                exponent: Exponent::new(exponent.parse().unwrap()).unwrap(),
                issuer: self.participant(issuer),
            }),
            ["hours", asset, "none"] => {
                Content::SetCalendar { asset: self.asset(asset), calendar: None }
            }
            ["hours", asset, hours, days, rest @ ..] => {
                let (opens, cut_off) = hours.split_once('-').unwrap();
                let (first, last) = days.split_once('-').unwrap();
                let place = |day: &str| WEEKDAYS.iter().position(|one| *one == day).unwrap();
                let weekdays = (place(first)..=place(last)).map(|day| 1 << day).sum();
                let holidays = rest.iter().skip(1);
                let holidays = holidays.map(|day| day[1..].parse().unwrap()).collect();
                let (opens, cut_off) = (minutes(opens), minutes(cut_off));
                let calendar = Some(Calendar { opens, cut_off, weekdays, holidays });
                Content::SetCalendar { asset: self.asset(asset), calendar }
            }
            ["limit", asset, most] => {
                Content::SetLegLimit { asset: self.asset(asset), most: most.parse().ok() }
            }
            ["node", id, operator] => Content::AddNode {
                id: id.parse().unwrap(),
                node: NodeDescription {
                    operator: self.participant(operator),
                    link_key: [7; 32],
                    address: format!("{operator}:7001"),
                    client_address: format!("{operator}:7002"),
                },
            },
            ["no-node", id] => Content::RemoveNode { id: id.parse().unwrap() },
            ["rules", version] => {
                Content::ActivateRules(ActivateRules { version: version.parse().unwrap() })
            }
            ["finality", faulty] => Content::SetFinality { faulty: faulty.parse().unwrap() },
            ["voting", needed, "of", who @ ..] => {
                let mut voters: Vec<_> = match who {
                    ["all"] => Vec::new(),
                    who => who.iter().map(|one| self.participant(one)).collect(),
                };
                voters.sort_unstable();
                Content::SetVoting(VotingPolicy { needed: needed.parse().unwrap_or(0), voters })
            }
            ["keys", who, keys @ ..] => Content::ReplaceKeys {
                participant: self.participant(who),
                signing_keys: keys.iter().map(|one| key(one.parse().unwrap())).collect(),
            },
            other => panic!("no such proposal: {other:?}"),
        }
    }

    /// A question of this part of the language; `None` for other words.
    pub(crate) fn ask(&self, words: &str) -> Option<String> {
        let parts: Vec<&str> = words.split_whitespace().collect();
        Some(match parts[..] {
            ["keys", who] => {
                let history = self.ledger.key_history(self.participant(who));
                let each = history.iter().map(|one| {
                    let mut said = format!("key {}", one.key.0[0]);
                    said += &match one.from_leaf {
                        Some(leaf) => format!(" from leaf {leaf}"),
                        None => format!(" from time {}", one.from),
                    };
                    match (one.until, one.until_leaf) {
                        (Some((_, end)), Some(leaf)) => {
                            said += &format!(" {end:?} at leaf {leaf}").to_lowercase();
                        }
                        (Some((time, _)), None) => said += &format!(" until time {time}"),
                        _ => {}
                    }
                    said
                });
                each.collect::<Vec<_>>().join("; ")
            }
            ["directory"] => {
                let entries = self.ledger.directory(None, usize::MAX);
                let each = entries.iter().map(|one| {
                    let reach = self.ledger.reach(one.number, None, usize::MAX);
                    let receives = reach.iter().filter(|one| one.receives);
                    let codes: Vec<_> = receives.map(|one| one.name.asset.to_string()).collect();
                    let codes = if codes.is_empty() { "-".to_owned() } else { codes.join(" ") };
                    format!("{} {} {codes}", bank(one.number), one.state.name())
                });
                each.collect::<Vec<_>>().join("\n")
            }
            ["hours", asset] => {
                let time = LedgerTime(self.time);
                match self.ledger.business_day(self.asset(asset), time) {
                    None => "always open".to_owned(),
                    Some(day) => {
                        let state = if day.is_open(time) { "open" } else { "closed" };
                        let (opens, cut_off) = (clock(day.opens), clock(day.cut_off));
                        format!("{state}, business day d{} from {opens} to {cut_off}", day.date)
                    }
                }
            }
            _ => return None,
        })
    }

    /// Who proposes is the submitter of the batch.
    pub(crate) fn signed_by(&self, mut command: Command, submitter: ParticipantNumber) -> Command {
        if let Command::Propose(propose) = &mut command {
            propose.proposer = submitter;
        }
        command
    }

    /// What was decided and what waits for votes or a second person.
    pub(crate) fn describe_decisions(&self) -> Vec<String> {
        let ledger = &self.ledger;
        let mut lines = Vec::new();
        for (id, one) in ledger.proposals() {
            let (word, proposer) = (word_of(id), bank(one.proposer));
            let (yes, no) = (one.in_favour.len(), one.against.len());
            lines.push(format!("{word} proposed by {proposer}, {yes} in favour, {no} against"));
        }
        for (id, of, command, _) in ledger.acts() {
            let (word, name, of) = (word_of(id), command.name(), bank(of));
            lines.push(format!("{word} {name} waits for a second person of {of}"));
        }
        for one in ledger.participants() {
            let state = ledger.participant_state(one.number);
            if state != ParticipantState::Active {
                lines.push(format!("{} is {}", bank(one.number), state.name()));
            }
        }
        for (id, node) in ledger.node_decisions() {
            let what = node.map_or("removed".to_owned(), |node| format!("at {}", node.address));
            lines.push(format!("node {id} {what}"));
        }
        for asset in ledger.assets() {
            if let Some(most) = ledger.leg_limit(asset.number) {
                lines.push(format!("{} at most {most} at once", asset.code));
            }
            if let Some(above) = ledger.funding_limit(asset.number) {
                lines.push(format!("{} above {above} takes two people", asset.code));
            }
        }
        if let Some(faulty) = ledger.finality_faulty() {
            lines.push(format!("final with {faulty} faulty"));
        }
        lines
    }
}
