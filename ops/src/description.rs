//! A network before it has keys: who takes part, what they hold, where their processes listen.
//!
//! A TOML file that people write or that [`Description::example`] makes up. [`crate::init`] turns it
//! into a genesis file, keys and one folder for each process. Amounts are texts in the currency's
//! own unit (`"1250.00"`), so that nobody has to count zeros.

use std::net::SocketAddr;

use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Serialize};

use crate::money::parse_minor;
use crate::ports::Ports;

/// Most banks that [`Description::example`] invents.
pub const BANKS_MAX: usize = 26;

/// A network to be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Description {
    /// Name for people.
    pub network: String,
    /// Version of the ledger's rules; left out for the first one. From 2 on transfers may wait.
    #[serde(default = "first_rules", skip_serializing_if = "is_first_rules")]
    pub rules: u16,
    /// Participants; those with a `node` run one, in this order from id 1.
    pub banks: Vec<Bank>,
    /// What can be held.
    pub assets: Vec<Asset>,
    /// Who holds it.
    pub accounts: Vec<Account>,
}

/// A participant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bank {
    /// BIC, 8 or 11 characters.
    pub bic: String,
    /// Name for people.
    pub name: String,
    /// Where its node listens, if it runs one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<NodeAddresses>,
    /// Where its gateway takes messages, if it runs one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway: Option<GatewayAddresses>,
}

/// Where a node listens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeAddresses {
    /// For other nodes (QUIC).
    pub address: SocketAddr,
    /// For gateways and tools (QUIC).
    pub client_address: SocketAddr,
    /// For operators (HTTP).
    pub http: SocketAddr,
    /// It does not vote until it is voted in (`corridor govern propose --add-node`).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub standby: bool,
}

/// Where a gateway takes messages.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GatewayAddresses {
    /// For the bank's own systems (HTTP).
    pub http: SocketAddr,
    /// Whether messages may also come and go as files in a folder of the gateway.
    #[serde(default = "yes")]
    pub folder: bool,
}

/// Something that can be held.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asset {
    /// Code, such as EUR.
    pub code: String,
    /// Decimals of the minor unit, 0 to 18.
    pub exponent: u8,
    /// BIC of the participant that issues and redeems it.
    pub issuer: String,
}

/// An account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Account {
    /// `BIC/ASSET[/label]`.
    pub account: String,
    /// First issue to this account, in the asset's unit.
    #[serde(default = "zero")]
    pub funding: String,
    /// How far the account may go below zero, in the asset's unit.
    #[serde(default = "zero")]
    pub credit_line: String,
}

const fn first_rules() -> u16 {
    ledger::RULES_FIRST
}

// By reference, as serde asks for it.
#[allow(clippy::trivially_copy_pass_by_ref)]
const fn is_first_rules(rules: &u16) -> bool {
    *rules == ledger::RULES_FIRST
}

fn yes() -> bool {
    true
}

fn zero() -> String {
    "0".to_owned()
}

/// Where the processes of an invented network listen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PortPlan {
    /// Ports that were free a moment ago.
    Free,
    /// Ports from this one upwards, four for each bank.
    From(u16),
}

/// Names of invented banks; the BIC is made of the first four letters and the place.
const NAMES: [&str; BANKS_MAX] = [
    "Alpha", "Bravo", "Charlie", "Delta", "Echo", "Foxtrot", "Golf", "Hotel", "India", "Juliett",
    "Kilo", "Lima", "Mike", "November", "Oscar", "Papa", "Quebec", "Romeo", "Sierra", "Tango",
    "Uniform", "Victor", "Whiskey", "Xray", "Yankee", "Zulu",
];
/// Country and place of invented banks, and what they call themselves.
const PLACES: [(&str, &str); 6] = [
    ("DEFF", "Bank AG, Frankfurt"),
    ("FRPP", "Banque, Paris"),
    ("GB2L", "Bank plc, London"),
    ("JPJT", "Ginko, Tokyo"),
    ("US33", "Bank NA, New York"),
    ("CHZZ", "Bank AG, Zurich"),
];
/// Code, decimals, issuer's BIC and name, and what each bank holds at the start.
const ASSETS: [(&str, u8, &str, &str, &str); 3] = [
    ("EUR", 2, "EUROBEBBXXX", "Issuer of euro", "50000000.00"),
    ("USD", 2, "USDOUS33XXX", "Issuer of dollars", "50000000.00"),
    ("JPY", 0, "YENOJPJTXXX", "Issuer of yen", "8000000000"),
];

impl Description {
    /// An invented network of `banks` banks (2 to 26), of which the first `nodes` run a node.
    ///
    /// It runs the newest rules of the ledger. Each bank has a gateway and a funded account in EUR, USD and JPY; the issuers are
    /// participants of their own that run nothing.
    pub fn example(network: &str, banks: usize, nodes: usize, plan: PortPlan) -> Result<Self> {
        ensure!((2..=BANKS_MAX).contains(&banks), "a network needs 2 to {BANKS_MAX} banks");
        ensure!((1..=banks).contains(&nodes), "{nodes} nodes cannot be run by {banks} banks");
        let mut ports = Ports::new(plan);
        let mut description = Self {
            network: network.to_owned(),
            rules: ledger::RULES_LAST,
            banks: Vec::new(),
            assets: Vec::new(),
            accounts: Vec::new(),
        };
        for (number, name) in NAMES.iter().take(banks).enumerate() {
            let (place, kind) = PLACES[number % PLACES.len()];
            let node = NodeAddresses {
                address: ports.udp()?,
                client_address: ports.udp()?,
                http: ports.tcp()?,
                standby: false,
            };
            description.banks.push(Bank {
                bic: format!("{}{place}XXX", name[..4].to_uppercase()),
                name: format!("{name} {kind}"),
                node: (number < nodes).then_some(node),
                gateway: Some(GatewayAddresses { http: ports.tcp()?, folder: true }),
            });
        }
        for (code, exponent, issuer, name, funding) in ASSETS {
            description.accounts.extend(description.banks.iter().take(banks).map(|bank| Account {
                account: format!("{}/{code}", bank.bic),
                funding: funding.to_owned(),
                credit_line: zero(),
            }));
            description.banks.push(Bank {
                bic: issuer.to_owned(),
                name: name.to_owned(),
                node: None,
                gateway: None,
            });
            description.assets.push(Asset {
                code: code.to_owned(),
                exponent,
                issuer: issuer.to_owned(),
            });
        }
        Ok(description)
    }

    /// Reads a description from its TOML text and checks what concerns the description alone.
    pub fn parse(text: &str) -> Result<Self> {
        let description: Self = toml::from_str(text)?;
        description.check()?;
        Ok(description)
    }

    fn check(&self) -> Result<()> {
        if self.banks.iter().all(|bank| bank.node.is_none()) {
            bail!("no bank runs a node: a network needs at least one");
        }
        for (position, bank) in self.banks.iter().enumerate() {
            let repeated = self.banks[..position].iter().any(|other| other.bic == bank.bic);
            ensure!(!repeated, "bank {} is listed twice", bank.bic);
            let plain = bank.bic.bytes().all(|byte| byte.is_ascii_alphanumeric());
            ensure!(plain, "`{}` is not a BIC", bank.bic);
        }
        self.accounts.iter().try_for_each(|account| self.minor_units(account).map(drop))
    }

    /// Funding and credit line of an account in minor units.
    pub fn minor_units(&self, account: &Account) -> Result<(u64, u64)> {
        let name = &account.account;
        let code = name.split('/').nth(1).unwrap_or_default();
        let asset = self.assets.iter().find(|asset| asset.code == code);
        let asset = asset.with_context(|| format!("account {name}: there is no asset `{code}`"))?;
        let minor = |what: &str, text: &str| {
            parse_minor(text, asset.exponent).with_context(|| {
                format!(
                    "account {name}: {what} `{text}` is not an amount with at most {} decimals",
                    asset.exponent
                )
            })
        };
        Ok((minor("funding", &account.funding)?, minor("credit line", &account.credit_line)?))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_example_survives_its_own_text() {
        let example = Description::example("test", 4, 3, PortPlan::From(7100)).unwrap();
        assert_eq!(example.banks.len(), 7);
        assert_eq!(example.accounts.len(), 12);
        let bics: Vec<_> = example.banks.iter().take(4).map(|bank| bank.bic.as_str()).collect();
        assert_eq!(bics, ["ALPHDEFFXXX", "BRAVFRPPXXX", "CHARGB2LXXX", "DELTJPJTXXX"]);
        assert!(example.banks[3].node.is_none() && example.banks[3].gateway.is_some());
        let text = toml::to_string(&example).unwrap();
        assert_eq!(Description::parse(&text).unwrap(), example);
        let units = example.minor_units(&example.accounts[0]).unwrap();
        assert_eq!(units, (5_000_000_000, 0));
    }

    #[test]
    fn mistakes_are_named() {
        let mut example = Description::example("test", 2, 2, PortPlan::From(7100)).unwrap();
        example.accounts[0].funding = "1.234".to_owned();
        let text = toml::to_string(&example).unwrap();
        let error = Description::parse(&text).unwrap_err().to_string();
        assert!(error.contains("ALPHDEFFXXX/EUR") && error.contains("1.234"), "{error}");
        assert!(Description::example("test", 1, 1, PortPlan::From(7100)).is_err());
        assert!(Description::example("test", 2, 3, PortPlan::From(7100)).is_err());
    }
}
