//! A node that lies, on a real network: it holds the keys of one of four nodes, speaks their protocol over QUIC,
//! and shows other roots than the others have computed.
//!
//! To one node it contradicts its own cosignature, to another that node's root; a third is asked as a witness to
//! believe it. Each finds it out, writes evidence that convicts it offline, raises its metrics, and counts it no
//! longer, also after a restart; the others go on to be final without it. Before that, the honest network
//! answers as a witness should.

use std::{
    collections::BTreeSet,
    fs,
    path::PathBuf,
    process::{Command, Output},
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use corridor::{
    chance::Chance,
    description::{Description, PortPlan},
    gateway_api,
};
use link::{Lane, LinkKey, OutFrame, PeerAddress, PeerConfig, PeerEvent, PeerLinks, keyfile};
use proof::{
    Hash,
    checkpoint::Checkpoint,
    key::{KeyType, NoteSigner},
    note::{Note, SignatureLine},
    policy::{Accepted, Policy},
    witness::{AddCheckpoint, SIZE_TYPE},
};
use settlement_node::finality::Cosigning;
use tokio::sync::mpsc;
use wire::{
    cosign::{Cosignature, KIND_COSIGNATURE},
    genesis::Genesis,
    peer::{FRAME_VERSION, PEER_PROTOCOL},
};

use crate::process_stage::{Stage, definitive, euro, on_network, only_status, program, single};

const NODES: usize = 4;
const LIAR: u64 = 4;
const STEP_TIME_MAX: Duration = Duration::from_secs(20);
const POLL_INTERVAL: Duration = Duration::from_millis(50);

#[test]
fn a_node_that_lies_is_found_out_and_convicted() {
    let description = |name: &str| -> Result<Description> {
        let mut description = Description::example(name, NODES, NODES, PortPlan::Free)?;
        for bank in &mut description.banks[2..] {
            bank.gateway = None;
        }
        Ok(description)
    };
    on_network("process-liar", description, liar);
}

async fn liar(stage: &mut Stage) -> Result<()> {
    stage.start().await?;
    let genesis = Genesis::parse(&fs::read(stage.folder.join("genesis.toml"))?)?;
    let mut chance = Chance::new(stage.seed);
    pay(stage, &mut chance, "LIAR-1").await?;
    let honest = wait_final(stage, &[1, 2, 3, LIAR], NODES).await?;
    witnesses(stage, &honest).await.context("nodes as witnesses")?;
    metrics_are(stage, &[1, 2, 3, LIAR], 0).await?;

    // From here on somebody else has the keys of node 4.
    stage.cluster.kill_node(LIAR)?;
    let mut lies = Liar::start(stage, &genesis).await?;
    let size = honest.checkpoint.size;
    lies.tell(1, size, [0xbb; 32]).await?;
    found_out(stage, 1).await.context("node 1, which knew its cosignature")?;

    pay(stage, &mut chance, "LIAR-2").await?;
    let later = wait_final(stage, &[1, 2, 3], NODES - 1).await?;
    let checkpoint = stage.folder.join("final.note");
    fs::write(&checkpoint, note_of(stage, 2).await?.to_string())?;
    lies.tell(2, later.checkpoint.size, [0xcc; 32]).await?;
    found_out(stage, 2).await.context("node 2, which knew its own root only")?;

    let believe = lies.as_log(later.checkpoint.size, [0xdd; 32])?;
    let asked = AddCheckpoint {
        old: later.checkpoint.size,
        path: Vec::new(),
        checkpoint: Checkpoint { root: [0xdd; 32], ..later.checkpoint.clone() },
        note: believe,
    };
    let (status, _, _) = ask(stage, 3, &asked).await?;
    ensure!(status == 409, "a witness that has another root answers {status}");
    found_out(stage, 3).await.context("node 3, which was asked as a witness")?;

    // A fence outlives the process that put it up.
    stage.cluster.kill_node(1)?;
    stage.cluster.start_node(1)?;
    stage.wait_ready().await?;
    found_out(stage, 1).await.context("node 1 after a restart")?;
    pay(stage, &mut chance, "LIAR-3").await?;
    let last = wait_final(stage, &[1, 2, 3], NODES - 1).await?;
    ensure!(last.checkpoint.size > later.checkpoint.size, "nothing more became final");
    let name = format!("/node{LIAR}");
    ensure!(last.missing.iter().any(|one| one.ends_with(&name)), "the liar counts: {last:?}");
    lies.links.close().await;

    convicted(stage, 1, None)?;
    convicted(stage, 2, Some(&checkpoint))?;
    convicted(stage, 3, Some(&checkpoint))
}

async fn pay(stage: &Stage, chance: &mut Chance, name: &str) -> Result<()> {
    let payment = euro(chance, &stage.bics[0], &stage.bics[1], 4_711, name);
    let mut client = stage.cluster.gateway_client(&stage.bics[0])?;
    let answered = gateway_api::submit(&mut client, &single(name, &payment)).await?;
    let status = only_status(&definitive(&answered.bytes)?, &payment.uetr)?;
    ensure!(status.code == "ACSC", "a sound payment is answered {status:?}");
    Ok(())
}

async fn note_of(stage: &Stage, id: u64) -> Result<Note> {
    let answer = stage.node_client(id)?.get("/checkpoint").await?;
    ensure!(answer.status == 200, "{} {}", answer.status, answer.text());
    Ok(Note::parse(&answer.body)?)
}

async fn policy(stage: &Stage) -> Result<Policy> {
    let text = stage.node_client(2)?.get("/ledger.policy").await?.body;
    fs::write(stage.folder.join("ledger.policy"), &text)?;
    Ok(Policy::parse(&text)?)
}

/// Waits until these nodes have the same size, all of it final by so many cosigners.
async fn wait_final(stage: &Stage, nodes: &[u64], cosigners: usize) -> Result<Accepted> {
    let policy = policy(stage).await?;
    let until = Instant::now() + STEP_TIME_MAX;
    loop {
        let (mut seen, mut sizes) = (Vec::new(), BTreeSet::new());
        for id in nodes {
            let status = stage.cluster.node_status(*id).await?;
            sizes.insert(status.leaves);
            if status.final_height == Some(status.height) {
                seen.push(policy.judge(&note_of(stage, *id).await?)?);
            }
        }
        let whole = seen.len() == nodes.len()
            && sizes.len() == 1
            && seen.iter().all(|one| one.cosigned.len() == cosigners)
            && seen.iter().all(|one| sizes.contains(&one.checkpoint.size));
        if whole {
            return seen.pop().context("nodes were asked");
        }
        ensure!(Instant::now() < until, "of {nodes:?} at {sizes:?} only these are final: {seen:?}");
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

/// Posts a request to a witness: status, type and body of its answer.
async fn ask(stage: &Stage, id: u64, asked: &AddCheckpoint) -> Result<(u16, String, String)> {
    let mut client = stage.node_client(id)?;
    let body = asked.to_string();
    let answer = client.post("/add-checkpoint", "text/plain", body.as_bytes()).await?;
    let kind = answer.header("content-type").unwrap_or_default().to_owned();
    Ok((answer.status, kind, answer.text()))
}

/// Nodes cosign what they computed, for whoever asks, and say what is wrong with the rest.
async fn witnesses(stage: &Stage, accepted: &Accepted) -> Result<()> {
    let policy = policy(stage).await?;
    let note = note_of(stage, 1).await?;
    let checkpoint = accepted.checkpoint.clone();
    let good = AddCheckpoint { old: checkpoint.size, path: Vec::new(), checkpoint, note };
    for id in 1..=NODES as u64 {
        let (status, _, text) = ask(stage, id, &good).await?;
        ensure!(status == 200, "node {id} answers {status} {text}");
        let line = text.strip_suffix('\n').and_then(SignatureLine::parse);
        let line = line.with_context(|| format!("{text} is no signature line"))?;
        let key = policy.witnesses().iter().find(|witness| witness.key.is_named_by(&line));
        let key = key.context("a line of an unknown key")?;
        ensure!(key.name.ends_with(&format!("/node{id}")), "node {id} signs as {}", key.name);
        key.key.verify(good.note.text(), &line.signature)?;
    }
    let size = good.checkpoint.size;
    let (status, kind, text) = ask(stage, 2, &AddCheckpoint { old: 0, ..good.clone() }).await?;
    ensure!((status, kind.as_str()) == (409, SIZE_TYPE), "it answers {status} {kind}");
    ensure!(text == format!("{size}\n"), "it tells {text:?} instead of {size}");
    let idle = AddCheckpoint { path: vec![[1; 32]], ..good.clone() };
    ensure!(ask(stage, 2, &idle).await?.0 == 422, "a proof of nothing is taken");
    let of = |origin: &str, signer: &NoteSigner| -> Result<AddCheckpoint> {
        let checkpoint = Checkpoint { origin: origin.to_owned(), ..good.checkpoint.clone() };
        let text = checkpoint.to_string();
        let note = Note::new(text.clone(), vec![signer.sign(&text, 0)])?;
        Ok(AddCheckpoint { checkpoint, note, ..good.clone() })
    };
    let origin = good.checkpoint.origin.as_str();
    let stranger = NoteSigner::from_seed(origin, KeyType::Note, &[9; 32])?;
    ensure!(ask(stage, 2, &of(origin, &stranger)?).await?.0 == 403, "a stranger is believed");
    let other = of("example.com/other", &stranger)?;
    ensure!(ask(stage, 2, &other).await?.0 == 404, "another log is known");
    let answer = stage.node_client(2)?.post("/add-checkpoint", "text/plain", b"old 1\n").await?;
    ensure!(answer.status == 400, "nonsense is answered {}", answer.status);
    Ok(())
}

/// Somebody with the keys of a node.
struct Liar {
    links: PeerLinks,
    events: mpsc::Receiver<PeerEvent>,
    connected: BTreeSet<u64>,
    cosigning: Cosigning,
    origin: String,
    seed: [u8; 32],
}

impl Liar {
    async fn start(stage: &Stage, genesis: &Genesis) -> Result<Self> {
        let home = stage.cluster.layout().node_dir(LIAR);
        let link = LinkKey::from_seed(*keyfile::read(&home.join("link.key"))?);
        let seed = *keyfile::read(&home.join("cosign.key"))?;
        let cosigning = Cosigning::new(genesis, LIAR, &seed)?.context("node 4 cosigns")?;
        let (sender, events) = mpsc::channel(1_024);
        let own = genesis.nodes.iter().find(|node| node.id == LIAR).context("there is a node 4")?;
        let others = genesis.nodes.iter().filter(|node| node.id != LIAR);
        let config = PeerConfig {
            node_id: LIAR,
            listen: own.address,
            key: link,
            network_id: genesis.domain.network,
            peers: others
                .map(|node| PeerAddress { id: node.id, key: node.link_key, addr: node.address })
                .collect(),
            hello: Bytes::copy_from_slice(&PEER_PROTOCOL.to_le_bytes()),
        };
        let links = PeerLinks::start(config, Arc::new(|_, _| Ok(())), sender).await?;
        let origin = cosigning.members.origin().to_owned();
        Ok(Self { links, events, connected: BTreeSet::new(), cosigning, origin, seed })
    }

    /// Cosigns a root that nobody has computed, for one node alone.
    async fn tell(&mut self, peer: u64, size: u64, root: Hash) -> Result<()> {
        let said: Cosignature = self.cosigning.cosign(size, &root, 1_700_000_000);
        let frame = OutFrame::new(KIND_COSIGNATURE, FRAME_VERSION, said.encode());
        tokio::time::timeout(STEP_TIME_MAX, async {
            loop {
                // What the others send is dropped, and so taken.
                while let Ok(event) = self.events.try_recv() {
                    match event {
                        PeerEvent::Connected { peer } => self.connected.insert(peer),
                        PeerEvent::Disconnected { peer } => self.connected.remove(&peer),
                        PeerEvent::Frame { .. } => continue,
                    };
                }
                if self.connected.contains(&peer)
                    && self.links.send(peer, Lane::Append, frame.clone())
                {
                    return;
                }
                tokio::time::sleep(POLL_INTERVAL).await;
            }
        })
        .await
        .with_context(|| format!("no link to node {peer}"))
    }

    /// Signs as the log, as a node does for what is final.
    fn as_log(&self, size: u64, root: Hash) -> Result<Note> {
        let text = Checkpoint { origin: self.origin.clone(), size, root }.to_string();
        let signer = NoteSigner::from_seed(&self.origin, KeyType::Note, &self.seed)?;
        Ok(Note::new(text.clone(), vec![signer.sign(&text, 0)])?)
    }
}

async fn metric(stage: &Stage, id: u64, name: &str) -> Result<u64> {
    let text = stage.node_client(id)?.get("/metrics").await?.text();
    let line = text.lines().find_map(|line| line.strip_prefix(&format!("{name} ")));
    Ok(line.with_context(|| format!("node {id} has no {name}"))?.parse()?)
}

async fn metrics_are(stage: &Stage, nodes: &[u64], value: u64) -> Result<()> {
    for id in nodes {
        for name in ["corridor_signatures_abused_total", "corridor_fenced_nodes"] {
            let found = metric(stage, *id, name).await?;
            ensure!(found == value, "{name} of node {id} is {found}");
        }
    }
    Ok(())
}

/// Waits until a node has fenced the liar, and holds evidence of it.
async fn found_out(stage: &Stage, id: u64) -> Result<()> {
    let until = Instant::now() + STEP_TIME_MAX;
    while metric(stage, id, "corridor_fenced_nodes").await? == 0 {
        ensure!(Instant::now() < until, "nobody is fenced");
        tokio::time::sleep(POLL_INTERVAL).await;
    }
    let names = evidence(stage, id)?;
    let accused = format!("-node{LIAR}-");
    ensure!(
        names.iter().any(|path| path.to_string_lossy().contains(&accused)),
        "node {id} has no evidence of it, but {names:?}"
    );
    Ok(())
}

/// The files of a node's evidence folder.
fn evidence(stage: &Stage, id: u64) -> Result<Vec<PathBuf>> {
    let folder = stage.cluster.layout().node_dir(id).join("data/evidence");
    let mut paths = Vec::new();
    for entry in fs::read_dir(&folder).with_context(|| format!("list {}", folder.display()))? {
        paths.push(entry?.path());
    }
    paths.sort();
    Ok(paths)
}

/// The tool convicts the liar from the files of a node, and nobody from files that were changed.
fn convicted(stage: &Stage, id: u64, checkpoint: Option<&PathBuf>) -> Result<()> {
    let mut files = evidence(stage, id)?;
    if let Some(checkpoint) = checkpoint {
        let alone = verify(stage, &files)?;
        ensure!(!alone.status.success(), "one word against another is no proof: {alone:?}");
        files.push(checkpoint.clone());
    }
    let output = verify(stage, &files)?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure!(output.status.success(), "node {id} proves nothing: {output:?}");
    let proven: Vec<&str> = said.lines().filter(|line| line.starts_with("PROVEN: ")).collect();
    let [one] = proven[..] else { anyhow::bail!("these are convicted: {said}") };
    ensure!(one.contains(&format!("/node{LIAR} signed")), "the wrong one is convicted: {said}");
    println!("node {id}: {one}");
    let changed = stage.folder.join("changed.note");
    let mut bytes = fs::read(&files[0])?;
    let at = bytes.len() - 20;
    bytes[at] ^= 1;
    fs::write(&changed, bytes)?;
    files[0] = changed;
    let output = verify(stage, &files)?;
    ensure!(output.status.code() == Some(1), "a changed file convicts: {output:?}");
    Ok(())
}

fn verify(stage: &Stage, files: &[PathBuf]) -> Result<Output> {
    Ok(Command::new(program()?)
        .args(["verify", "evidence"])
        .args(files)
        .arg("--policy")
        .arg(stage.folder.join("ledger.policy"))
        .output()?)
}
