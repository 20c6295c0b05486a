//! `corridor init`: from a description to a genesis file, keys and one folder for each process.
//!
//! Nothing that exists is overwritten: keys that were lost cannot be made again. Secrets come from the
//! system's random source and are readable by their owner only. The plain token of a gateway is
//! written once; its configuration holds the digest.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use ed25519_dalek::SigningKey;
use link::{LinkKey, keyfile};
use sha2::{Digest as _, Sha256};
use wire::genesis::{
    Genesis, RawAccount, RawAsset, RawFunding, RawGenesis, RawNode, RawParticipant, hex,
};

use crate::clock::now_ns;
use crate::description::{Bank, Description, PortPlan};
use crate::layout::{Layout, long_bic};

/// Arguments of `corridor init`.
#[derive(Debug, Args)]
pub struct InitArguments {
    /// Folder of the new network; created, must not hold a network yet
    dir: PathBuf,
    /// Make the network that this file describes instead of an invented one (the description.toml of
    /// any network is an example)
    #[arg(long, value_name = "FILE", conflicts_with_all = ["banks", "nodes", "standby", "base_port", "name", "rules"])]
    from: Option<PathBuf>,
    /// Number of invented banks, 2 to 26
    #[arg(long, default_value_t = 4)]
    banks: usize,
    /// How many of them run a node [default: all]
    #[arg(long)]
    nodes: Option<usize>,
    /// How many of these nodes, the last ones, vote only once they are voted in
    #[arg(long, default_value_t = 0)]
    standby: usize,
    /// First of the ports to use, four for each bank
    #[arg(long, default_value_t = 7100)]
    base_port: u16,
    /// Name of the network
    #[arg(long, default_value = "corridor")]
    name: String,
    /// Version of the ledger's rules, 1 or 2; from 2 on transfers may wait
    #[arg(long, default_value_t = ledger::RULES_LAST, value_parser = clap::value_parser!(u16).range(1..=2))]
    rules: u16,
}

/// Runs `corridor init`.
pub fn run(arguments: InitArguments) -> Result<()> {
    let description = match &arguments.from {
        Some(path) => {
            let text = fs::read_to_string(path)
                .with_context(|| format!("read description {}", path.display()))?;
            Description::parse(&text).with_context(|| format!("description {}", path.display()))?
        }
        None => {
            let nodes = arguments.nodes.unwrap_or(arguments.banks);
            let plan = PortPlan::From(arguments.base_port);
            ensure!(arguments.standby < nodes, "at least one node votes from the beginning");
            let mut example = Description::example(&arguments.name, arguments.banks, nodes, plan)?;
            let running = example.banks.iter_mut().filter_map(|bank| bank.node.as_mut());
            for node in running.skip(nodes - arguments.standby) {
                node.standby = true;
            }
            Description { rules: arguments.rules, ..example }
        }
    };
    let layout = create(&arguments.dir, description)?;
    print_summary(&layout)
}

fn print_summary(layout: &Layout) -> Result<()> {
    let dir = layout.dir().display();
    let file = fs::read(layout.genesis()).context("read the new genesis file")?;
    println!("Network `{}` is set up in {dir}.", layout.description().network);
    println!("Network id (SHA-256 of genesis.toml): {}", hex(&Sha256::digest(&file)));
    println!("\nStart each of these as a process of its own:");
    for (id, bank) in layout.nodes() {
        println!("  corridor node    --config {dir}/node-{id}/node.toml   # {}", bank.name);
    }
    for bank in layout.gateways() {
        let folder = layout.participant_dir(bank);
        println!("  corridor gateway --config {}/gateway.toml", folder.display());
    }
    println!("\nThen look at it, and send a message:");
    println!("  corridor status --dir {dir}");
    if let Some(bank) = layout.gateways().next() {
        println!(
            "  corridor send payment.xml --gateway {} --token-file {}/token",
            layout.gateway_http(&bank.bic)?,
            layout.participant_dir(bank).display()
        );
    }
    println!(
        "\nEach bank takes its own folders and genesis.toml; the *.key and token files are secret."
    );
    Ok(())
}

/// Sets a network up below `dir`, which must not hold one yet.
pub fn create(dir: &Path, description: Description) -> Result<Layout> {
    let layout = Layout::new(dir, description);
    for file in [layout.genesis(), layout.description_file()] {
        ensure!(!file.exists(), "{} exists already and is not overwritten", file.display());
    }
    make_dir(dir)?;
    let mut raw = RawGenesis {
        version: wire::genesis::VERSION,
        network: layout.description().network.clone(),
        time_ns: i64::try_from(now_ns()).context("the clock is beyond the year 2262")?,
        rules: layout.description().rules,
        nodes: Vec::new(),
        participants: Vec::new(),
        assets: Vec::new(),
        accounts: Vec::new(),
        funding: Vec::new(),
        voting: None,
    };
    for (id, bank) in layout.nodes() {
        raw.nodes.push(create_node(&layout, id, bank)?);
    }
    for bank in &layout.description().banks {
        raw.participants.push(create_participant(&layout, bank)?);
    }
    fill_accounts(layout.description(), &mut raw)?;
    let text = raw.to_text();
    let checked = Genesis::parse(text.as_bytes()).context("check the new genesis file")?;
    checked.ledger().context("check the new genesis file")?;
    let description = toml::to_string(layout.description()).context("write the description")?;
    write_new(&layout.description_file(), description.as_bytes(), 0o644)?;
    // Last, so that a folder with a genesis file is a complete one.
    write_new(&layout.genesis(), text.as_bytes(), 0o644)?;
    Ok(layout)
}

fn fill_accounts(description: &Description, raw: &mut RawGenesis) -> Result<()> {
    for asset in &description.assets {
        raw.assets.push(RawAsset {
            code: asset.code.clone(),
            exponent: asset.exponent,
            issuer: asset.issuer.clone(),
        });
    }
    for account in &description.accounts {
        let (funding, credit_line) = description.minor_units(account)?;
        let floor = i64::try_from(credit_line).ok().map(|line| -line);
        let floor = floor.with_context(|| format!("{}: credit line too large", account.account))?;
        raw.accounts.push(RawAccount { account: account.account.clone(), floor });
        if funding > 0 {
            let id = uuid_v4()?;
            raw.funding.push(RawFunding { id, account: account.account.clone(), amount: funding });
        }
    }
    Ok(())
}

fn create_node(layout: &Layout, id: u64, bank: &Bank) -> Result<RawNode> {
    let addresses = bank.node.as_ref().context("the bank runs no node")?;
    let dir = layout.node_dir(id);
    make_dir(&dir)?;
    let key = new_secret(&dir.join("link.key"))?;
    let cosign = new_secret(&dir.join("cosign.key"))?;
    let config = settlement_node::config::RawConfig {
        snapshot_bytes: settlement_node::limits::SNAPSHOT_BYTES,
        id,
        genesis: "../genesis.toml".into(),
        link_key: "link.key".into(),
        cosign_key: Some("cosign.key".into()),
        data: "data".into(),
        http: addresses.http,
        allow_remote: false,
        believe: Vec::new(),
        listen: None,
        client_listen: None,
    };
    let text = toml::to_string(&config).context("write node.toml")?;
    write_new(&dir.join("node.toml"), text.as_bytes(), 0o644)?;
    Ok(RawNode {
        id,
        bic: bank.bic.clone(),
        link_key: hex(&LinkKey::from_seed(key).public()),
        cosign_key: Some(hex(SigningKey::from_bytes(&cosign).verifying_key().as_bytes())),
        address: addresses.address.to_string(),
        client_address: addresses.client_address.to_string(),
        standby: addresses.standby,
    })
}

fn create_participant(layout: &Layout, bank: &Bank) -> Result<RawParticipant> {
    let dir = layout.participant_dir(bank);
    make_dir(&dir)?;
    let link = new_secret(&dir.join("link.key"))?;
    let signing = new_secret(&dir.join("signing.key"))?;
    let sealing = new_secret(&dir.join("sealing.key"))?;
    let sealing = gateway_adapter::seal::public_key(&sealing)
        .context("the random source gave a key that cannot be used")?;
    if let Some(addresses) = &bank.gateway {
        let token = hex(&random::<32>()?);
        write_new(&dir.join("token"), format!("{token}\n").as_bytes(), 0o600)?;
        let own_node = layout.nodes().find(|(_, other)| other.bic == bank.bic).map(|(id, _)| id);
        let config = gateway_adapter::config::RawConfig {
            bic: bank.bic.clone(),
            genesis: "../genesis.toml".into(),
            link_key: "link.key".into(),
            signing_key: "signing.key".into(),
            sealing_key: "sealing.key".into(),
            data: "data".into(),
            folder: addresses.folder.then(|| "folder".into()),
            http: Some(addresses.http),
            allow_remote: false,
            token_sha256: vec![hex(&Sha256::digest(token.as_bytes()))],
            answer_deadline_ms: 2_000,
            prefer_node: own_node,
            batch_valid_ms: 60_000,
            sealing_overlap_s: 86_400,
            receipts: Default::default(),
            limits: Default::default(),
        };
        let text = toml::to_string(&config).context("write gateway.toml")?;
        write_new(&dir.join("gateway.toml"), text.as_bytes(), 0o644)?;
    }
    Ok(RawParticipant {
        bic: long_bic(&bank.bic),
        name: bank.name.clone(),
        signing_keys: vec![hex(SigningKey::from_bytes(&signing).verifying_key().as_bytes())],
        sealing_key: hex(&sealing),
        gateway_keys: vec![hex(&LinkKey::from_seed(link).public())],
    })
}

/// Bytes from the system's random source.
pub fn random<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).context("read the system's random source")?;
    Ok(bytes)
}

/// A random UUID of version 4, lower case.
pub fn uuid_v4() -> Result<String> {
    let mut bytes = random::<16>()?;
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    Ok(ledger::TransferId(bytes).to_string())
}

fn new_secret(path: &Path) -> Result<[u8; 32]> {
    let secret = random()?;
    keyfile::write_new(path, &secret)?;
    Ok(secret)
}

fn make_dir(path: &Path) -> Result<()> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .with_context(|| format!("make folder {}", path.display()))
}

fn write_new(path: &Path, bytes: &[u8], mode: u32) -> Result<()> {
    let file = fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(path);
    let mut file = match file {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            bail!("{} exists already and is not overwritten", path.display())
        }
        other => other.with_context(|| format!("write {}", path.display()))?,
    };
    file.write_all(bytes)
        .and_then(|()| file.sync_all())
        .with_context(|| format!("write {}", path.display()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_network_is_complete_secret_and_never_overwritten() {
        let temporary = tempfile::tempdir().unwrap();
        let dir = temporary.path().join("network");
        let example = Description::example("test", 4, 3, PortPlan::From(7100)).unwrap();
        let layout = create(&dir, example.clone()).unwrap();
        let genesis = Genesis::parse(&fs::read(layout.genesis()).unwrap()).unwrap();
        assert_eq!((genesis.nodes.len(), genesis.gateways.len()), (3, 7));
        assert_eq!(Layout::open(&dir).unwrap().description(), &example);
        for (id, _) in layout.nodes() {
            settlement_node::config::NodeConfig::load(&layout.node_dir(id).join("node.toml"))
                .unwrap();
        }
        for bank in layout.gateways() {
            let own = layout.participant_dir(bank);
            gateway_adapter::config::Config::load(&own.join("gateway.toml")).unwrap();
            for secret in ["token", "link.key", "signing.key", "sealing.key"] {
                let mode = fs::metadata(own.join(secret)).unwrap().permissions().mode();
                assert_eq!(mode & 0o777, 0o600, "{secret}");
            }
            let token = layout.token(&bank.bic).unwrap();
            let config = fs::read_to_string(own.join("gateway.toml")).unwrap();
            assert!(token.len() == 64 && !config.contains(&token), "only the digest is kept");
        }
        let before = fs::read(layout.genesis()).unwrap();
        assert!(create(&dir, example).is_err());
        assert_eq!(fs::read(layout.genesis()).unwrap(), before);
    }

    #[test]
    fn ids_are_uuids_of_version_4() {
        let id = uuid_v4().unwrap();
        assert_eq!(id.as_bytes()[14], b'4');
        assert!(matches!(id.as_bytes()[19], b'8' | b'9' | b'a' | b'b'));
        assert!(id.parse::<ledger::TransferId>().is_ok());
    }
}
