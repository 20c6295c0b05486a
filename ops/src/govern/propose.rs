//! `corridor govern propose`: what the participants can be asked to decide, one thing a proposal.
//!
//! The words only make the content of the command; whether it can be carried out is the ledger's to say, when it is
//! proposed and again when enough have voted.

use anyhow::{Context, Result, bail, ensure};
use clap::{Args, ValueEnum};
use ledger::{
    ActivateRules, AddAsset, AdmitParticipant, Calendar, Command, Content, NodeDescription,
    ParticipantState, Propose, VotingPolicy,
};

use super::keys::key_of;
use crate::layout::long_bic;
use crate::ledger::{Action, Network, id, parse_time};

const DAY_NS: u64 = 86_400 * 1_000_000_000;
/// Bit 0 of a calendar's days is the first of these.
const WEEKDAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// State of a participant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum StateWord {
    /// It does everything
    Active,
    /// It pays but does not receive
    SendOnly,
    /// It receives but does not pay
    ReceiveOnly,
    /// It neither pays nor receives
    Blocked,
    /// It is gone, for ever
    Removed,
}

/// The words of `propose`; exactly one thing is proposed.
#[derive(Debug, Args)]
#[command(group(clap::ArgGroup::new("what").required(true).multiple(false)))]
pub struct ProposeWords {
    /// A bank is admitted, with the sealing key and the signing keys that `govern keys make` printed for it. It holds
    /// accounts and signs from then on; what it signs is sent by a bank whose gateway the nodes know (`ledger ... --out`)
    #[arg(long, group = "what", num_args = 4.., value_names = ["BIC", "NAME", "SEALING-KEY", "SIGNING-KEY"])]
    admit: Option<Vec<String>>,
    /// The state of a participant changes: active, send-only, receive-only, blocked, or removed
    #[arg(long, group = "what", num_args = 2, value_names = ["BIC", "STATE"])]
    state: Option<Vec<String>>,
    /// An asset is added
    #[arg(long, group = "what", num_args = 3, value_names = ["CODE", "DECIMALS", "ISSUER"])]
    asset: Option<Vec<String>>,
    /// The business hours of an asset, in UTC, such as `EUR 07:00-18:00`; `EUR always` for none. Hours that end
    /// before they begin start on the evening before: 18:45-18:00
    #[arg(long, group = "what", num_args = 2, value_names = ["CODE", "HOURS"])]
    calendar: Option<Vec<String>>,
    /// With --calendar: the days of the week that are business days
    #[arg(long, value_name = "DAYS", default_value = "mon-fri", requires = "calendar")]
    weekdays: String,
    /// With --calendar: days that are none all the same, such as 2026-12-25
    #[arg(long, value_name = "DATE", num_args = 1.., requires = "calendar")]
    holidays: Vec<String>,
    /// The most that one leg of a transfer may move changes; `none` for no limit
    #[arg(long, group = "what", num_args = 2, value_names = ["CODE", "AMOUNT"])]
    leg_limit: Option<Vec<String>>,
    /// A standby node of the genesis file gets the log, and votes once it has it: its number is enough. With all five
    /// words any node can be described; of one that the genesis file does not name the decision is recorded only
    #[arg(long, group = "what", num_args = 1..=5, value_names = ["ID", "OPERATOR", "LINK-KEY", "ADDRESS", "CLIENT-ADDRESS"])]
    add_node: Option<Vec<String>>,
    /// A node leaves for ever: it votes no more as soon as this is decided and most of the others are there
    #[arg(long, group = "what", value_name = "ID")]
    remove_node: Option<u64>,
    /// A final checkpoint shall tolerate so many faulty nodes. Recorded only: nodes and verifiers go by the policy of
    /// the genesis file (`corridor policy`) until the banks begin a new epoch
    #[arg(long, group = "what", value_name = "FAULTY")]
    finality: Option<u16>,
    /// A participant gets other keys in place of its own
    #[arg(long, group = "what", num_args = 2.., value_names = ["BIC", "KEY"])]
    replace_keys: Option<Vec<String>>,
    /// A version of the rules becomes active
    #[arg(long, group = "what", value_name = "VERSION")]
    rules: Option<u16>,
    /// So many votes carry a proposal; 0 for more than half. With --voters, of these
    #[arg(long, group = "what", value_name = "VOTES")]
    votes_needed: Option<u16>,
    /// With --votes-needed: who votes [default: all]
    #[arg(long, value_name = "BIC", num_args = 2.., requires = "votes_needed")]
    voters: Vec<String>,
    /// How long votes may be given
    #[arg(long, value_name = "TIME", default_value = "7d")]
    expires: String,
    /// Who proposes
    #[arg(long, value_name = "BIC")]
    by: String,
    /// Id of the proposal [default: a new one]
    #[arg(long, value_name = "UUID")]
    id: Option<String>,
}

impl Action for ProposeWords {
    fn command(&self, network: &Network) -> Result<Command> {
        Ok(Command::Propose(Propose {
            id: id(self.id.as_deref())?,
            proposer: network.participant(&self.by)?,
            expires: parse_time(&self.expires)?,
            content: Box::new(self.content(network)?),
        }))
    }
}

impl ProposeWords {
    fn content(&self, network: &Network) -> Result<Content> {
        if let Some([bic, name, sealing, keys @ ..]) = self.admit.as_deref() {
            return admit(bic, name, sealing, keys);
        }
        if let Some([bic, state]) = self.state.as_deref() {
            let participant = network.participant(bic)?;
            return Ok(Content::SetState { participant, state: state_of(state)? });
        }
        if let Some([code, decimals, issuer]) = self.asset.as_deref() {
            let exponent = decimals.parse().ok().and_then(ledger::Exponent::new);
            return Ok(Content::AddAsset(AddAsset {
                code: code.parse().with_context(|| format!("`{code}` is no code of an asset"))?,
                exponent: exponent.context("an asset has 0 to 18 decimals")?,
                issuer: network.participant(issuer)?,
            }));
        }
        if let Some([code, hours]) = self.calendar.as_deref() {
            let asset = network.asset(code)?;
            let calendar = calendar(hours, &self.weekdays, &self.holidays)?;
            return Ok(Content::SetCalendar { asset, calendar });
        }
        if let Some([code, amount]) = self.leg_limit.as_deref() {
            let most = match &amount[..] {
                "none" => None,
                text => Some(network.amount(text, &format!("/{code}"))?.minor()),
            };
            return Ok(Content::SetLegLimit { asset: network.asset(code)?, most });
        }
        if let Some([id]) = self.add_node.as_deref() {
            let known = network.genesis.nodes.iter().find(|node| node.id.to_string() == *id);
            let known = known.with_context(|| format!("the genesis file names no node {id}"))?;
            ensure!(known.standby, "node {id} votes from the beginning");
            let node = NodeDescription {
                operator: network.participant(&known.bic.to_string())?,
                link_key: known.link_key,
                address: known.address.to_string(),
                client_address: known.client_address.to_string(),
            };
            return Ok(Content::AddNode { id: known.id, node });
        }
        if let Some([id, operator, link_key, address, client_address]) = self.add_node.as_deref() {
            let node = NodeDescription {
                operator: network.participant(operator)?,
                link_key: key_of(link_key)?.0,
                address: socket(address)?,
                client_address: socket(client_address)?,
            };
            let id = id.parse().ok().filter(|id| *id != 0);
            return Ok(Content::AddNode { id: id.context("a node has a number from 1 on")?, node });
        }
        ensure!(self.add_node.is_none(), "a node is named by its number, or with all five words");
        if let Some(id) = self.remove_node {
            ensure!(id != 0, "a node has a number from 1 on");
            return Ok(Content::RemoveNode { id });
        }
        if let Some(faulty) = self.finality {
            return Ok(Content::SetFinality { faulty });
        }
        if let Some([bic, keys @ ..]) = self.replace_keys.as_deref() {
            let participant = network.participant(bic)?;
            let signing_keys = keys.iter().map(|key| key_of(key)).collect::<Result<_>>()?;
            return Ok(Content::ReplaceKeys { participant, signing_keys });
        }
        if let Some(version) = self.rules {
            return Ok(Content::ActivateRules(ActivateRules { version }));
        }
        if let Some(needed) = self.votes_needed {
            let voters = self.voters.iter().map(|bic| network.participant(bic));
            let mut voters = voters.collect::<Result<Vec<_>>>()?;
            voters.sort_unstable();
            return Ok(Content::SetVoting(VotingPolicy { needed, voters }));
        }
        bail!("nothing is proposed");
    }
}

fn state_of(word: &str) -> Result<ParticipantState> {
    let word = StateWord::from_str(word, true);
    Ok(match word.map_err(|error| anyhow::anyhow!("{error}"))? {
        StateWord::Active => ParticipantState::Active,
        StateWord::SendOnly => ParticipantState::SendOnly,
        StateWord::ReceiveOnly => ParticipantState::ReceiveOnly,
        StateWord::Blocked => ParticipantState::Blocked,
        StateWord::Removed => ParticipantState::Removed,
    })
}

fn admit(bic: &str, name: &str, sealing: &str, keys: &[String]) -> Result<Content> {
    let long = long_bic(&bic.to_ascii_uppercase());
    Ok(Content::Admit(AdmitParticipant {
        bic: long.parse().with_context(|| format!("`{bic}` is no BIC"))?,
        name: name.to_owned(),
        signing_keys: keys.iter().map(|key| key_of(key)).collect::<Result<_>>()?,
        sealing_key: key_of(sealing)?.0,
    }))
}

fn socket(text: &str) -> Result<String> {
    let (host, port) = text.rsplit_once(':').unwrap_or_default();
    let well = !host.is_empty() && port.parse::<u16>().is_ok();
    ensure!(well, "`{text}` is no address such as 203.0.113.7:7100");
    Ok(text.to_owned())
}

/// `07:00-18:00` on these days of the week, without holidays; `None` for `always`.
fn calendar(hours: &str, weekdays: &str, holidays: &[String]) -> Result<Option<Calendar>> {
    if hours == "always" {
        ensure!(holidays.is_empty(), "what is open always has no holidays");
        return Ok(None);
    }
    let meant = || format!("`{hours}` are no hours such as 07:00-18:00, nor `always`");
    let (opens, cut_off) = hours.split_once('-').with_context(meant)?;
    let opens = minutes(opens).filter(|opens| *opens < 24 * 60).with_context(meant)?;
    let cut_off = minutes(cut_off).filter(|cut_off| *cut_off > 0).with_context(meant)?;
    let mut days = holidays.iter().map(|date| day(date)).collect::<Result<Vec<_>>>()?;
    days.sort_unstable();
    days.dedup();
    Ok(Some(Calendar { opens, cut_off, weekdays: week(weekdays)?, holidays: days }))
}

/// Minutes of a time from 00:00 to 24:00.
fn minutes(text: &str) -> Option<u16> {
    let (hours, minutes) = text.split_once(':')?;
    let (hours, minutes): (u16, u16) = (hours.parse().ok()?, minutes.parse().ok()?);
    let sum = (hours <= 24 && minutes < 60).then(|| hours * 60 + minutes)?;
    (sum <= 24 * 60).then_some(sum)
}

/// The bits of `mon-fri` or `mon,wed,sat-sun`.
fn week(text: &str) -> Result<u8> {
    let meant = || format!("`{text}` are no days of the week such as mon-fri or sun,mon,wed");
    let place = |word: &str| WEEKDAYS.iter().position(|day| day.eq_ignore_ascii_case(word.trim()));
    let mut bits = 0;
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (mut at, last) = place(first).zip(place(last)).with_context(meant)?;
        loop {
            bits |= 1 << at;
            if at == last {
                break;
            }
            at = (at + 1) % WEEKDAYS.len();
        }
    }
    Ok(bits)
}

/// Days since 1 January 1970 of a date.
fn day(date: &str) -> Result<u32> {
    let midnight = parse_time(&format!("{date}T00:00:00Z")).ok();
    let midnight = midnight.with_context(|| format!("`{date}` is no date such as 2026-12-25"))?;
    Ok((midnight.0 / DAY_NS) as u32)
}

/// The words for the days of a calendar: what `--weekdays` takes.
pub(crate) fn weekday_words(bits: u8) -> String {
    let on = |at: usize| bits & 1 << at != 0;
    let mut parts = Vec::new();
    let mut at = 0;
    while at < WEEKDAYS.len() {
        if on(at) {
            let first = at;
            while at + 1 < WEEKDAYS.len() && on(at + 1) {
                at += 1;
            }
            parts.push(match at == first {
                true => WEEKDAYS[at].to_owned(),
                false => format!("{}-{}", WEEKDAYS[first], WEEKDAYS[at]),
            });
        }
        at += 1;
    }
    parts.join(",")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn hours_and_days_are_read_as_people_write_them() {
        let dates = ["2026-12-25".to_owned(), "2026-12-24".to_owned(), "2026-12-25".to_owned()];
        let found = calendar("18:45-18:00", "mon-fri", &dates).unwrap().unwrap();
        assert_eq!((found.opens, found.cut_off, found.weekdays), (1125, 1080, 0b001_1111));
        assert_eq!(found.holidays, [20_811, 20_812]);
        assert_eq!(calendar("always", "mon-fri", &[]).unwrap(), None);
        assert_eq!(calendar("00:00-24:00", "sat-mon", &[]).unwrap().unwrap().weekdays, 0b110_0001);
        for wrong in ["", "7", "07:00", "07:60-18:00", "24:00-18:00", "07:00-00:00", "07:00-24:01"]
        {
            assert!(calendar(wrong, "mon-fri", &[]).is_err(), "{wrong}");
        }
        for wrong in ["", "monday", "mon-", "mon,,tue"] {
            assert!(week(wrong).is_err(), "{wrong}");
        }
        assert!(day("2026-02-29").is_err() && day("25.12.2026").is_err());
        assert!(calendar("always", "mon-fri", &dates).is_err());
    }

    #[test]
    fn days_of_the_week_are_written_as_they_are_read() {
        for bits in 1..1 << 7 {
            assert_eq!(week(&weekday_words(bits)).unwrap(), bits);
        }
        assert_eq!(weekday_words(0b101_1111), "mon-fri,sun");
    }

    #[test]
    fn addresses_have_a_port() {
        assert!(socket("203.0.113.7:7100").is_ok() && socket("[::1]:7100").is_ok());
        assert!(socket("203.0.113.7").is_err() && socket(":7100").is_err());
    }
}
