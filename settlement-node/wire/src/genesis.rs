//! The genesis file: the network's first page, the same bytes at every bank.
//!
//! A TOML text that names the nodes with their keys, the participants, the assets, the accounts and
//! the first funding. The network id is the SHA-256 of the file's exact bytes, so `sha256sum` shows
//! whether two banks mean the same network; it is part of everything that is signed.

use ledger::{
    AccountName, ActivateRules, AddAsset, AdmitParticipant, Amount, AssetCode, Bic, Command,
    Content, Exponent, Issue, Label, Ledger, LedgerTime, OpenAccount, Propose, PublicKey,
    RULES_FIRST, RULES_LAST, SetFloor, TransferId, VotingPolicy,
};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::net::SocketAddr;

use crate::{batch::Domain, limits::GENESIS_BYTES_MAX};

/// Version of the genesis file.
pub const VERSION: u32 = 1;

/// Why a genesis file is refused.
#[derive(Debug, thiserror::Error)]
pub enum GenesisError {
    /// The file is larger than any sensible one.
    #[error("genesis file has {0} bytes, more than is allowed")]
    TooLarge(usize),
    /// Not UTF-8.
    #[error("genesis file is not UTF-8")]
    NotUtf8,
    /// Not TOML of the expected shape.
    #[error("genesis file: {0}")]
    Toml(#[from] toml::de::Error),
    /// A version this program does not know.
    #[error("genesis file has version {0}; this program knows version {VERSION}")]
    Version(u32),
    /// A version of the ledger's rules that this program does not know.
    #[error(
        "genesis file asks for version {0} of the ledger's rules; this program knows versions {RULES_FIRST} to {RULES_LAST}"
    )]
    Rules(u16),
    /// A field has a value that is not allowed.
    #[error("genesis file: {field} `{value}`: {reason}")]
    Field {
        /// Which field.
        field: &'static str,
        /// Its value.
        value: String,
        /// What is wrong.
        reason: String,
    },
    /// The ledger refuses a command of genesis.
    #[error("genesis file: {0}")]
    Ledger(#[from] ledger::GenesisError),
}

/// The file as written. See [`Genesis`] for the checked form.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawGenesis {
    /// Version of this file's format.
    pub version: u32,
    /// Name for people.
    pub network: String,
    /// Ledger time of genesis: nanoseconds since the Unix epoch, UTC.
    pub time_ns: i64,
    /// Version of the ledger's rules; left out for the first one.
    #[serde(default = "first_rules", skip_serializing_if = "is_first_rules")]
    pub rules: u16,
    /// Voting nodes, and those that may be voted in.
    pub nodes: Vec<RawNode>,
    /// Participants.
    pub participants: Vec<RawParticipant>,
    /// Assets.
    pub assets: Vec<RawAsset>,
    /// Accounts beyond nothing; in the order of their numbers.
    pub accounts: Vec<RawAccount>,
    /// First issue of each asset.
    #[serde(default)]
    pub funding: Vec<RawFunding>,
    /// Who votes, from rule version 2 on; left out for all participants, and more than half of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub voting: Option<RawVoting>,
}

/// Who votes, and how many it takes.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawVoting {
    /// How many must be in favour beside the proposer; 0 for more than half of the voters.
    #[serde(default)]
    pub needed: u16,
    /// BICs of the voters; none for all participants.
    #[serde(default)]
    pub voters: Vec<String>,
}

const fn first_rules() -> u16 {
    ledger::RULES_FIRST
}

// By reference, as serde asks for it.
#[allow(clippy::trivially_copy_pass_by_ref)]
const fn is_first_rules(rules: &u16) -> bool {
    *rules == ledger::RULES_FIRST
}

/// A voting node.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawNode {
    /// Id, from 1.
    pub id: u64,
    /// Bank that runs it.
    pub bic: String,
    /// Ed25519 key of its link, hex.
    pub link_key: String,
    /// Ed25519 key with which it signs checkpoints, hex. Given for all nodes, or for none: then the network
    /// has no checkpoints.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cosign_key: Option<String>,
    /// Where other nodes reach it.
    pub address: String,
    /// Where gateways reach it.
    pub client_address: String,
    /// It does not vote until it is voted in; left out for those that vote from the beginning.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub standby: bool,
}

/// A participant.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawParticipant {
    /// BIC, 8 or 11 characters.
    pub bic: String,
    /// Name for people.
    pub name: String,
    /// Ed25519 keys that sign its batches, hex.
    pub signing_keys: Vec<String>,
    /// X25519 key to which documents are sealed, hex.
    pub sealing_key: String,
    /// Ed25519 keys of the links of its gateways and tools, hex.
    pub gateway_keys: Vec<String>,
}

/// An asset.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawAsset {
    /// Code, such as EUR.
    pub code: String,
    /// Decimals of the minor unit.
    pub exponent: u8,
    /// BIC of the issuer.
    pub issuer: String,
}

/// An account.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawAccount {
    /// `BIC/ASSET[/label]`.
    pub account: String,
    /// Credit line as a floor of the balance, in minor units, 0 or negative.
    #[serde(default)]
    pub floor: i64,
}

/// A first issue.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawFunding {
    /// Id of the issue, a UUID v4.
    pub id: String,
    /// Account that receives it.
    pub account: String,
    /// Amount in minor units.
    pub amount: u64,
}

/// A voting node, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GenesisNode {
    /// Id, from 1.
    pub id: u64,
    /// Bank that runs it.
    pub bic: Bic,
    /// Ed25519 key of its link.
    pub link_key: [u8; 32],
    /// Ed25519 key with which it signs checkpoints.
    pub cosign_key: Option<[u8; 32]>,
    /// Where other nodes reach it.
    pub address: SocketAddr,
    /// Where gateways reach it.
    pub client_address: SocketAddr,
    /// It does not vote until it is voted in.
    pub standby: bool,
}

/// A participant's gateways, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GenesisGateways {
    /// The participant.
    pub bic: Bic,
    /// Ed25519 keys of the links of its gateways and tools.
    pub keys: Vec<[u8; 32]>,
}

/// A checked genesis file.
#[derive(Clone, Debug)]
pub struct Genesis {
    /// Network id and epoch.
    pub domain: Domain,
    /// Name for people.
    pub name: String,
    /// Ledger time of genesis.
    pub time: LedgerTime,
    /// Voting nodes, and those that may be voted in, by rising id.
    pub nodes: Vec<GenesisNode>,
    /// Gateways of each participant, in the order of participant numbers.
    pub gateways: Vec<GenesisGateways>,
    /// What the ledger applies first.
    pub commands: Vec<Command>,
}

impl RawGenesis {
    /// The file's text.
    pub fn to_text(&self) -> String {
        toml::to_string(self).expect("a tree of tables, arrays, texts and numbers is TOML")
    }
}

impl Genesis {
    /// Checks a genesis file, all but what only the ledger can judge.
    pub fn parse(file: &[u8]) -> Result<Self, GenesisError> {
        if file.len() > GENESIS_BYTES_MAX {
            return Err(GenesisError::TooLarge(file.len()));
        }
        let text = std::str::from_utf8(file).map_err(|_| GenesisError::NotUtf8)?;
        let raw: RawGenesis = toml::from_str(text)?;
        if raw.version != VERSION {
            return Err(GenesisError::Version(raw.version));
        }
        let time = u64::try_from(raw.time_ns)
            .map_err(|_| field("time_ns", raw.time_ns, "must not be negative"))?;
        Ok(Self {
            domain: Domain { network: Sha256::digest(file).into(), epoch: 1 },
            time: LedgerTime(time),
            nodes: nodes(&raw)?,
            gateways: gateways(&raw)?,
            commands: commands(&raw)?,
            name: raw.network,
        })
    }

    /// The ledger as it is before the first block.
    pub fn ledger(&self) -> Result<Ledger, GenesisError> {
        Ok(Ledger::genesis(self.time, &self.commands)?)
    }
}

fn field(field: &'static str, value: impl ToString, reason: impl ToString) -> GenesisError {
    GenesisError::Field { field, value: value.to_string(), reason: reason.to_string() }
}

fn parsed<T: std::str::FromStr>(name: &'static str, text: &str) -> Result<T, GenesisError>
where
    T::Err: ToString,
{
    text.parse().map_err(|error: T::Err| field(name, text, error))
}

/// Reads 32 bytes of lower-case or upper-case hex.
pub fn key_from_hex(text: &str) -> Option<[u8; 32]> {
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    let mut key = [0; 32];
    for (byte, pair) in key.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        let pair = std::str::from_utf8(pair).ok()?;
        *byte = u8::from_str_radix(pair, 16).ok()?;
    }
    Some(key)
}

/// Writes bytes as lower-case hex.
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        write!(text, "{byte:02x}").expect("writing to a String cannot fail");
        text
    })
}

fn key(name: &'static str, text: &str) -> Result<[u8; 32], GenesisError> {
    key_from_hex(text).ok_or_else(|| field(name, text, "must be 64 hexadecimal digits"))
}

fn nodes(raw: &RawGenesis) -> Result<Vec<GenesisNode>, GenesisError> {
    let mut nodes = Vec::with_capacity(raw.nodes.len());
    for node in &raw.nodes {
        if node.id == 0 {
            return Err(field("nodes.id", 0, "ids start at 1"));
        }
        nodes.push(GenesisNode {
            id: node.id,
            bic: parsed("nodes.bic", &node.bic)?,
            link_key: key("nodes.link_key", &node.link_key)?,
            cosign_key: node
                .cosign_key
                .as_deref()
                .map(|text| key("nodes.cosign_key", text))
                .transpose()?,
            address: parsed("nodes.address", &node.address)?,
            client_address: parsed("nodes.client_address", &node.client_address)?,
            standby: node.standby,
        });
    }
    nodes.sort_by_key(|node| node.id);
    if let Some(pair) = nodes.windows(2).find(|pair| pair[0].id == pair[1].id) {
        return Err(field("nodes.id", pair[0].id, "two nodes have this id"));
    }
    if nodes.iter().all(|node| node.standby) {
        return Err(field("nodes", "", "a network needs at least one node that votes"));
    }
    if nodes.iter().any(|node| node.cosign_key.is_some() != nodes[0].cosign_key.is_some()) {
        return Err(field("nodes.cosign_key", "", "all nodes have one, or none"));
    }
    let mut keys: Vec<[u8; 32]> = nodes.iter().map(|node| node.link_key).collect();
    keys.extend(nodes.iter().filter_map(|node| node.cosign_key));
    keys.sort_unstable();
    if nodes[0].cosign_key.is_some() && keys.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err(field("nodes.cosign_key", "", "each key serves for one thing only"));
    }
    Ok(nodes)
}

fn gateways(raw: &RawGenesis) -> Result<Vec<GenesisGateways>, GenesisError> {
    raw.participants
        .iter()
        .map(|participant| {
            Ok(GenesisGateways {
                bic: parsed("participants.bic", &participant.bic)?,
                keys: participant
                    .gateway_keys
                    .iter()
                    .map(|text| key("participants.gateway_keys", text))
                    .collect::<Result<_, _>>()?,
            })
        })
        .collect()
}

/// The id of the command that sets an account's floor in genesis. The file names none: it follows from the
/// account's number, in the form of a UUID of version 4.
fn floor_id(account: ledger::AccountNumber) -> TransferId {
    genesis_id(b"corridor genesis floor", &account.0.to_le_bytes())
}

/// The start of a hash in the form of a UUID of version 4.
fn genesis_id(domain: &[u8], of: &[u8]) -> TransferId {
    let mut hasher = Sha256::new();
    hasher.update(domain);
    hasher.update(of);
    let digest: [u8; 32] = hasher.finalize().into();
    let mut id = [0; 16];
    id.copy_from_slice(&digest[..16]);
    id[6] = id[6] & 0x0f | 0x40;
    id[8] = id[8] & 0x3f | 0x80;
    TransferId(id)
}

fn commands(raw: &RawGenesis) -> Result<Vec<Command>, GenesisError> {
    let mut commands = Vec::new();
    if !(RULES_FIRST..=RULES_LAST).contains(&raw.rules) {
        return Err(GenesisError::Rules(raw.rules));
    }
    if raw.rules != RULES_FIRST {
        commands.push(Command::ActivateRules(ActivateRules { version: raw.rules }));
    }
    let mut banks: Vec<Bic> = Vec::new();
    for participant in &raw.participants {
        let bic = parsed("participants.bic", &participant.bic)?;
        banks.push(bic);
        commands.push(Command::AdmitParticipant(AdmitParticipant {
            bic,
            name: participant.name.clone(),
            signing_keys: participant
                .signing_keys
                .iter()
                .map(|text| key("participants.signing_keys", text).map(PublicKey))
                .collect::<Result<_, _>>()?,
            sealing_key: key("participants.sealing_key", &participant.sealing_key)?,
        }));
    }
    let number_of = |name: &'static str, bic: &Bic| {
        let position = banks.iter().position(|bank| bank == bic);
        let position = position.ok_or_else(|| field(name, bic, "is no participant"))?;
        Ok::<_, GenesisError>(ledger::ParticipantNumber(position as u32))
    };
    let mut codes: Vec<AssetCode> = Vec::new();
    for asset in &raw.assets {
        let code = parsed("assets.code", &asset.code)?;
        let issuer: Bic = parsed("assets.issuer", &asset.issuer)?;
        codes.push(code);
        commands.push(Command::AddAsset(AddAsset {
            code,
            exponent: Exponent::new(asset.exponent)
                .ok_or_else(|| field("assets.exponent", asset.exponent, "must be 0 to 18"))?,
            issuer: number_of("assets.issuer", &issuer)?,
        }));
    }
    let mut names: Vec<AccountName> = Vec::new();
    for account in &raw.accounts {
        let name: AccountName = parsed("accounts.account", &account.account)?;
        let asset = codes.iter().position(|code| *code == name.asset);
        let asset = asset.ok_or_else(|| field("accounts.account", name, "no such asset"))?;
        let number = ledger::AccountNumber(names.len() as u32);
        let label: Label = name.label;
        commands.push(Command::OpenAccount(OpenAccount {
            owner: number_of("accounts.account", &name.bic)?,
            asset: ledger::AssetNumber(asset as u32),
            label,
        }));
        if account.floor != 0 {
            let (id, floor) = (floor_id(number), account.floor);
            commands.push(Command::SetFloor(SetFloor { id, account: number, floor }));
        }
        names.push(name);
    }
    for funding in &raw.funding {
        let name: AccountName = parsed("funding.account", &funding.account)?;
        let account = names.iter().position(|known| *known == name);
        let account = account.ok_or_else(|| field("funding.account", name, "no such account"))?;
        commands.push(Command::Issue(Issue {
            id: parsed::<TransferId>("funding.id", &funding.id)?,
            account: ledger::AccountNumber(account as u32),
            amount: Amount::new(funding.amount),
        }));
    }
    if let Some(RawVoting { needed, voters }) = &raw.voting {
        let voter = |text: &String| number_of("voting.voters", &parsed("voting.voters", text)?);
        let mut voters = voters.iter().map(voter).collect::<Result<Vec<_>, _>>()?;
        voters.sort_unstable();
        commands.push(Command::Propose(Propose {
            id: genesis_id(b"corridor genesis voting", &[]),
            proposer: ledger::ParticipantNumber(0),
            expires: LedgerTime(0),
            content: Box::new(Content::SetVoting(VotingPolicy { needed: *needed, voters })),
        }));
    }
    Ok(commands)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_activated_first_and_left_out_when_they_are_the_first() {
        let text = |rules: &str| {
            format!(
                "version = 1\nnetwork = \"n\"\ntime_ns = 1\n{rules}nodes = [{{ id = 1, bic = \"ALPHDEFF\", \
                 link_key = \"{key}\", address = \"127.0.0.1:1\", client_address = \"127.0.0.1:2\" }}]\n\
                 participants = []\nassets = []\naccounts = []\n",
                key = "00".repeat(32)
            )
        };
        let first = Genesis::parse(text("").as_bytes()).expect("a genesis");
        assert_eq!(first.commands, []);
        let raw: RawGenesis = toml::from_str(&text("")).expect("a genesis");
        assert!(!raw.to_text().contains("rules"));
        let second = Genesis::parse(text("rules = 2\n").as_bytes()).expect("a genesis");
        assert_eq!(second.commands, [Command::ActivateRules(ActivateRules { version: 2 })]);
        assert_eq!(second.ledger().expect("a ledger").rules(), 2);
        for unknown in [0, 99] {
            let refused = Genesis::parse(text(&format!("rules = {unknown}\n")).as_bytes());
            let error = refused.map(|genesis| genesis.commands).expect_err("nobody knows them");
            assert!(error.to_string().contains(&format!("version {unknown} of the")), "{error}");
        }
    }

    #[test]
    fn a_voting_policy_is_part_of_the_second_rules() {
        let text = |rules: u16, voting: &str| {
            let key = "00".repeat(32);
            let bank = |number: u16| {
                let key = format!("{number:064x}");
                format!(
                    "{{ bic = \"BNK{number}DEFF\", name = \"b\", signing_keys = [\"{key}\"], sealing_key = \"{key}\", gateway_keys = [] }}"
                )
            };
            format!(
                "version = 1\nnetwork = \"n\"\ntime_ns = 1\nrules = {rules}\nnodes = [{{ id = 1, bic = \"BNK1DEFF\", \
                 link_key = \"{key}\", address = \"127.0.0.1:1\", client_address = \"127.0.0.1:2\" }}]\n\
                 participants = [{}, {}, {}]\nassets = []\naccounts = []\n{voting}",
                bank(1),
                bank(2),
                bank(3),
            )
        };
        let named = "[voting]\nneeded = 1\nvoters = [\"BNK3DEFF\", \"BNK1DEFF\"]\n";
        let ledger = |text: String| Genesis::parse(text.as_bytes()).and_then(|one| one.ledger());
        let made = ledger(text(2, named)).expect("a ledger");
        let voters = vec![ledger::ParticipantNumber(0), ledger::ParticipantNumber(2)];
        assert_eq!(made.voting_policy(), &VotingPolicy { needed: 1, voters });
        let default = ledger(text(2, "")).expect("a ledger");
        assert_eq!(default.voting_policy(), &VotingPolicy::default());
        assert!(ledger(text(1, named)).is_err());
        assert!(ledger(text(2, "[voting]\nneeded = 1\nvoters = [\"BNK9DEFF\"]\n")).is_err());
        assert!(
            ledger(text(2, "[voting]\nneeded = 2\nvoters = [\"BNK1DEFF\", \"BNK2DEFF\"]\n"))
                .is_err()
        );
        let raw: RawGenesis = toml::from_str(&text(2, named)).expect("a genesis");
        assert!(raw.to_text().contains("voting"));
    }

    /// The ids are part of the ledger's state at every bank: they never change.
    #[test]
    fn floor_ids_are_fixed_uuids_of_version_4() {
        let ids = [0, 1, 256].map(|number| floor_id(ledger::AccountNumber(number)).to_string());
        assert_eq!(
            ids,
            [
                "1c9ce40c-fd93-47bc-99de-6008a37851eb",
                "64f84945-b1ca-43b7-9c5b-23cbea65e3ca",
                "3d82fae5-a316-4230-b275-f139ddbada9c"
            ]
        );
    }
}
