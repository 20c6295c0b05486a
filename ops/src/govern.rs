//! `corridor govern`: proposals and votes of the participants, and each bank's own keys.
//!
//! Like `corridor ledger`: each command is signed by a bank and sent to a node. A bank's new key is written into its
//! folder beside the one in use; `keys use` puts it in its place, and the gateway takes it at its next start.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, bail, ensure};
use clap::{Args, Subcommand, ValueEnum};
use ed25519_dalek::SigningKey;
use ledger::{
    ActivateRules, AddAsset, AddKey, Command, Confirm, Content, ParticipantState, Propose,
    PublicKey, RetireKey, RevokeKey, SetFundingLimit, Vote, VotingPolicy, Withdraw,
};
use link::keyfile;
use serde::{Deserialize, Serialize};

use crate::clock::date_time;
use crate::init::random;
use crate::ledger::{Action, Network, Signed, first, id, parse_time};
use crate::status::NodeChoice;

/// `corridor govern ...`.
#[derive(Debug, Subcommand)]
pub enum GovernCommand {
    /// Propose something that the participants decide on
    Propose(Signed<ProposeWords>),
    /// Vote on a proposal
    Vote(Signed<VoteWords>),
    /// Withdraw an own proposal, or an act that waits for a second person
    Withdraw(Signed<IdWords>),
    /// Confirm, as the second person, an act that waits for one
    Confirm(Signed<ConfirmWords>),
    /// From which amount on the issue and redemption of an asset take two people
    FundingLimit(Signed<FundingLimitWords>),
    /// Proposals that wait for votes
    Proposals(ProposalsArguments),
    /// A bank's own signing keys
    #[command(subcommand)]
    Keys(KeysCommand),
}

/// `corridor govern keys ...`.
#[derive(Debug, Subcommand)]
pub enum KeysCommand {
    /// Make a new key in the bank's folder and register it; both are live from then on
    New(Signed<NewKey>),
    /// Put the new key into the place of the one in use; nothing is sent
    Use(UseArguments),
    /// End a key in good order
    Retire(Signed<RetireWords>),
    /// End a key at once, because it may be in wrong hands
    Revoke(Signed<RevokeWords>),
}

/// Runs `corridor govern ...`.
pub async fn run(command: GovernCommand) -> Result<()> {
    match command {
        GovernCommand::Propose(signed) => signed.run().await,
        GovernCommand::Vote(signed) => signed.run().await,
        GovernCommand::Withdraw(signed) => signed.run().await,
        GovernCommand::Confirm(signed) => signed.run().await,
        GovernCommand::FundingLimit(signed) => signed.run().await,
        GovernCommand::Proposals(arguments) => proposals(arguments).await,
        GovernCommand::Keys(KeysCommand::New(signed)) => signed.run().await,
        GovernCommand::Keys(KeysCommand::Use(arguments)) => use_new_key(&arguments),
        GovernCommand::Keys(KeysCommand::Retire(signed)) => signed.run().await,
        GovernCommand::Keys(KeysCommand::Revoke(signed)) => signed.run().await,
    }
}

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
    /// The state of a participant changes
    #[arg(long, group = "what", num_args = 2, value_names = ["BIC", "STATE"])]
    state: Option<Vec<String>>,
    /// An asset is added
    #[arg(long, group = "what", num_args = 3, value_names = ["CODE", "DECIMALS", "ISSUER"])]
    asset: Option<Vec<String>>,
    /// The most that one leg of a transfer may move changes; `none` for no limit
    #[arg(long, group = "what", num_args = 2, value_names = ["CODE", "AMOUNT"])]
    leg_limit: Option<Vec<String>>,
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
        if let Some([code, amount]) = self.leg_limit.as_deref() {
            let most = match &amount[..] {
                "none" => None,
                text => Some(network.amount(text, &format!("/{code}"))?.minor()),
            };
            return Ok(Content::SetLegLimit { asset: network.asset(code)?, most });
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

fn key_of(text: &str) -> Result<PublicKey> {
    text.parse().with_context(|| format!("`{text}` is no key of 64 hex digits"))
}

/// The words of `vote`.
#[derive(Debug, Args)]
pub struct VoteWords {
    /// Id of the proposal
    proposal: String,
    /// Against it, not in favour
    #[arg(long)]
    against: bool,
}

impl Action for VoteWords {
    fn command(&self, _: &Network) -> Result<Command> {
        let proposal = id(Some(&self.proposal))?;
        Ok(Command::Vote(Vote { proposal, in_favour: !self.against }))
    }
}

/// The words of `withdraw`.
#[derive(Debug, Args)]
pub struct IdWords {
    /// Id of the proposal or act
    id: String,
}

impl Action for IdWords {
    fn command(&self, _: &Network) -> Result<Command> {
        Ok(Command::Withdraw(Withdraw { id: id(Some(&self.id))? }))
    }
}

/// The words of `confirm`.
#[derive(Debug, Args)]
pub struct ConfirmWords {
    /// Id of the command that began it
    id: String,
}

impl Action for ConfirmWords {
    fn command(&self, _: &Network) -> Result<Command> {
        Ok(Command::Confirm(Confirm { id: id(Some(&self.id))? }))
    }
}

/// The words of `funding-limit`.
#[derive(Debug, Args)]
pub struct FundingLimitWords {
    /// Code of the asset
    asset: String,
    /// More than this takes two people; `none` for never
    above: String,
    /// Id of this command [default: a new one]
    #[arg(long, value_name = "UUID")]
    id: Option<String>,
}

impl Action for FundingLimitWords {
    fn command(&self, network: &Network) -> Result<Command> {
        let above = match &self.above[..] {
            "none" => None,
            text => Some(network.amount(text, &format!("/{}", self.asset))?),
        };
        Ok(Command::SetFundingLimit(SetFundingLimit {
            id: id(self.id.as_deref())?,
            asset: network.asset(&self.asset)?,
            above,
        }))
    }
}

/// The words of `keys new`.
#[derive(Debug, Args)]
pub struct NewKey {
    /// The bank whose key it is
    #[arg(long, value_name = "BIC")]
    of: String,
    /// Live from this time on [default: at once]
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Id of this command [default: a new one]
    #[arg(long, value_name = "UUID")]
    id: Option<String>,
}

/// Name of a key that is registered and not in use.
const NEXT_KEY: &str = "signing.next.key";
const KEY: &str = "signing.key";

impl Action for NewKey {
    fn command(&self, network: &Network) -> Result<Command> {
        let path = network.keys(&self.of)?.join(NEXT_KEY);
        // A key that was made and not registered is registered now.
        if !path.exists() {
            keyfile::write_new(&path, &random()?)?;
        }
        let key = SigningKey::from_bytes(&*keyfile::read(&path)?);
        Ok(Command::AddKey(AddKey {
            id: id(self.id.as_deref())?,
            participant: network.participant(&self.of)?,
            key: PublicKey(key.verifying_key().to_bytes()),
            from: self.from.as_deref().map(parse_time).transpose()?,
        }))
    }
}

/// Arguments of `keys use`.
#[derive(Debug, Args)]
pub struct UseArguments {
    /// The bank whose key it is
    #[arg(long, value_name = "BIC")]
    of: String,
    /// Folder of the network
    #[arg(long)]
    dir: PathBuf,
}

fn use_new_key(arguments: &UseArguments) -> Result<()> {
    let layout = crate::layout::Layout::open(&arguments.dir)?;
    let dir = layout.participant_dir(layout.bank(&arguments.of)?);
    let (key, next) = (dir.join(KEY), dir.join(NEXT_KEY));
    ensure!(next.exists(), "{} does not exist: `keys new` makes it", next.display());
    let old = SigningKey::from_bytes(&*keyfile::read(&key)?);
    let old = PublicKey(old.verifying_key().to_bytes());
    let kept = dir.join(format!("signing.{}.key", &old.to_string()[..8]));
    fs::rename(&key, &kept).with_context(|| format!("keep {}", kept.display()))?;
    fs::rename(&next, &key).with_context(|| format!("put {} in its place", key.display()))?;
    println!("the old key {old} is kept as {}", kept.display());
    println!("restart what signs for {}, then `keys retire` the old key", arguments.of);
    Ok(())
}

/// The words of `keys retire`.
#[derive(Debug, Args)]
pub struct RetireWords {
    /// The key, 64 hex digits
    key: String,
    /// The bank whose key it is
    #[arg(long, value_name = "BIC")]
    of: String,
    /// Not live from this time on [default: at once]
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
}

impl Action for RetireWords {
    fn command(&self, network: &Network) -> Result<Command> {
        Ok(Command::RetireKey(RetireKey {
            participant: network.participant(&self.of)?,
            key: key_of(&self.key)?,
            at: self.at.as_deref().map(parse_time).transpose()?,
        }))
    }
}

/// The words of `keys revoke`.
#[derive(Debug, Args)]
pub struct RevokeWords {
    /// The key, 64 hex digits
    key: String,
    /// The bank whose key it is
    #[arg(long, value_name = "BIC")]
    of: String,
}

impl Action for RevokeWords {
    fn command(&self, network: &Network) -> Result<Command> {
        let participant = network.participant(&self.of)?;
        Ok(Command::RevokeKey(RevokeKey { participant, key: key_of(&self.key)? }))
    }
}

/// Arguments of `proposals`.
#[derive(Debug, Args)]
pub struct ProposalsArguments {
    #[command(flatten)]
    nodes: NodeChoice,
    /// Print the answer as one JSON array
    #[arg(long)]
    json: bool,
}

/// A proposal, as `/v1/proposals` shows it.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct ProposalView {
    id: String,
    what: String,
    proposer: String,
    expires_ns: u64,
    in_favour: Vec<String>,
    against: Vec<String>,
    needed: usize,
}

async fn proposals(arguments: ProposalsArguments) -> Result<()> {
    let (_, found) = first::<Vec<ProposalView>>(&arguments.nodes, "/v1/proposals").await?;
    let found = found.context("the node shows no proposals")?;
    if arguments.json {
        println!("{}", serde_json::to_string(&found).context("write the answer")?);
        return Ok(());
    }
    println!("{} proposals wait for votes", found.len());
    for one in found {
        println!("{}  {}", one.id, one.what);
        println!("  by {}, until {} UTC", one.proposer, date_time(one.expires_ns));
        println!(
            "  in favour {} of {}: {}",
            one.in_favour.len(),
            one.needed,
            one.in_favour.join(", ")
        );
        if !one.against.is_empty() {
            println!("  against {}", one.against.join(", "));
        }
    }
    Ok(())
}
