//! A whole network of processes on one machine: for the demo, the benchmarks and the tests.
//!
//! Nodes and gateways are processes of the `corridor` program with real disks and sockets below one
//! folder. They end when the [`Cluster`] is dropped. Killing means SIGKILL: nothing is tidied up.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::description::Description;
use crate::http::HttpClient;
use crate::layout::{Layout, long_bic};
use crate::node_api::{self, Balances, NodeStatus};
use crate::process::{Process, Usage};

/// How long processes may take to become ready.
pub const READY_TIME_MAX: Duration = Duration::from_secs(30);
const PROGRAM: &str = "corridor";
const POLL_INTERVAL: Duration = Duration::from_millis(20);
const STOP_TIME_MAX: Duration = Duration::from_secs(10);

/// A network of processes.
#[derive(Debug)]
pub struct Cluster {
    layout: Layout,
    program: PathBuf,
    nodes: BTreeMap<u64, Process>,
    gateways: BTreeMap<String, Process>,
    /// What processes that have ended had used, by name.
    ended: BTreeMap<String, Usage>,
}

impl Cluster {
    /// Sets a network up below `dir` without starting anything.
    ///
    /// `program` is the `corridor` program, see [`find_program`].
    pub fn create(dir: &Path, description: Description, program: &Path) -> Result<Self> {
        Ok(Self::of(crate::init::create(dir, description)?, program))
    }

    /// A network that was set up before, nothing started.
    pub fn open(dir: &Path, program: &Path) -> Result<Self> {
        Ok(Self::of(Layout::open(dir)?, program))
    }

    fn of(layout: Layout, program: &Path) -> Self {
        Self {
            layout,
            program: program.to_owned(),
            nodes: BTreeMap::new(),
            gateways: BTreeMap::new(),
            ended: BTreeMap::new(),
        }
    }

    /// Sets a network up, starts all its nodes and gateways and waits until they are ready.
    pub async fn start(dir: &Path, description: Description, program: &Path) -> Result<Self> {
        let mut cluster = Self::create(dir, description, program)?;
        cluster.start_all_nodes()?;
        cluster.start_all_gateways()?;
        cluster.wait_ready(READY_TIME_MAX).await?;
        Ok(cluster)
    }

    /// Files and addresses of the network.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Ids of all nodes, running or not.
    pub fn node_ids(&self) -> Vec<u64> {
        self.layout.nodes().map(|(id, _)| id).collect()
    }

    /// BICs of all banks with a gateway, running or not, in long form.
    pub fn gateway_bics(&self) -> Vec<String> {
        self.layout.gateways().map(|bank| long_bic(&bank.bic)).collect()
    }

    /// Starts every node that does not run.
    pub fn start_all_nodes(&mut self) -> Result<()> {
        self.node_ids().into_iter().try_for_each(|id| self.start_node(id))
    }

    /// Starts every gateway that does not run.
    pub fn start_all_gateways(&mut self) -> Result<()> {
        self.gateway_bics().iter().try_for_each(|bic| self.start_gateway(bic))
    }

    /// Starts a node; nothing happens when it runs.
    pub fn start_node(&mut self, id: u64) -> Result<()> {
        if !self.nodes.contains_key(&id) {
            let dir = self.layout.node_dir(id);
            let process = self.spawn(&format!("node {id}"), "node", &dir.join("node.toml"))?;
            self.nodes.insert(id, process);
        }
        Ok(())
    }

    /// Starts a bank's gateway; nothing happens when it runs.
    pub fn start_gateway(&mut self, bic: &str) -> Result<()> {
        let key = long_bic(bic);
        if !self.gateways.contains_key(&key) {
            let dir = self.layout.participant_dir(self.layout.bank(bic)?);
            let process =
                self.spawn(&format!("gateway {key}"), "gateway", &dir.join("gateway.toml"))?;
            self.gateways.insert(key, process);
        }
        Ok(())
    }

    fn spawn(&self, name: &str, command: &str, config: &Path) -> Result<Process> {
        let path = config.to_str().context("the network's folder has a name that is not UTF-8")?;
        let log = config.with_file_name("log");
        Process::start(name, &self.program, &[command, "--config", path], &log)
    }

    /// Kills a node at once (SIGKILL).
    pub fn kill_node(&mut self, id: u64) -> Result<()> {
        let process = self.nodes.remove(&id).with_context(|| format!("node {id} does not run"))?;
        self.add_ended(&format!("node {id}"), |_| Ok(process.kill()))
    }

    /// Stops a node in its tracks (SIGSTOP).
    pub fn pause_node(&self, id: u64) -> Result<()> {
        self.nodes.get(&id).with_context(|| format!("node {id} does not run"))?.pause()
    }

    /// Lets a node go on after [`Cluster::pause_node`].
    pub fn resume_node(&self, id: u64) -> Result<()> {
        self.nodes.get(&id).with_context(|| format!("node {id} does not run"))?.resume()
    }

    /// Asks a node to end (SIGTERM) and waits until it has.
    pub fn stop_node(&mut self, id: u64) -> Result<()> {
        let process = self.nodes.remove(&id).with_context(|| format!("node {id} does not run"))?;
        self.add_ended(&format!("node {id}"), |name| stop(process, name))
    }

    /// Kills a bank's gateway at once (SIGKILL).
    pub fn kill_gateway(&mut self, bic: &str) -> Result<()> {
        let process = self.take_gateway(bic)?;
        self.add_ended(&format!("gateway {}", long_bic(bic)), |_| Ok(process.kill()))
    }

    /// Asks a bank's gateway to end (SIGTERM) and waits until it has.
    pub fn stop_gateway(&mut self, bic: &str) -> Result<()> {
        let process = self.take_gateway(bic)?;
        self.add_ended(&format!("gateway {}", long_bic(bic)), |name| stop(process, name))
    }

    fn take_gateway(&mut self, bic: &str) -> Result<Process> {
        let key = long_bic(bic);
        self.gateways.remove(&key).with_context(|| format!("the gateway of {key} does not run"))
    }

    fn add_ended(&mut self, name: &str, end: impl FnOnce(&str) -> Result<Usage>) -> Result<()> {
        let usage = end(name)?;
        let sum = self.ended.entry(name.to_owned()).or_default();
        sum.cpu_seconds += usage.cpu_seconds;
        sum.rss_bytes = sum.rss_bytes.max(usage.rss_bytes);
        Ok(())
    }

    /// Asks all gateways, then all nodes, to end, and waits until they have.
    pub fn stop(&mut self) -> Result<()> {
        for bic in self.gateways.keys().cloned().collect::<Vec<_>>() {
            self.stop_gateway(&bic)?;
        }
        for id in self.nodes.keys().copied().collect::<Vec<_>>() {
            self.stop_node(id)?;
        }
        Ok(())
    }

    /// Whether a node's process was started and not ended by us.
    pub fn node_runs(&self, id: u64) -> bool {
        self.nodes.contains_key(&id)
    }

    /// Fails with the reason when a process has ended by itself.
    pub fn check_running(&mut self) -> Result<()> {
        self.nodes
            .values_mut()
            .chain(self.gateways.values_mut())
            .try_for_each(Process::check_running)
    }

    /// Waits until every running process answers that it is ready.
    pub async fn wait_ready(&mut self, patience: Duration) -> Result<()> {
        let mut waiting: Vec<(String, String)> = Vec::new();
        for id in self.nodes.keys() {
            waiting.push((format!("node {id}"), self.layout.node_http(*id)?));
        }
        for bic in self.gateways.keys() {
            waiting.push((format!("gateway {bic}"), self.layout.gateway_http(bic)?));
        }
        let start = Instant::now();
        for (name, base) in waiting {
            while !is_ready(&base).await {
                self.check_running()?;
                ensure!(
                    start.elapsed() < patience,
                    "{name} ({base}) is not ready after {} s",
                    patience.as_secs()
                );
                tokio::time::sleep(POLL_INTERVAL).await;
            }
        }
        Ok(())
    }

    /// Base address of a node's HTTP.
    pub fn node_http(&self, id: u64) -> Result<String> {
        self.layout.node_http(id)
    }

    /// Base address of a gateway's HTTP.
    pub fn gateway_http(&self, bic: &str) -> Result<String> {
        self.layout.gateway_http(bic)
    }

    /// Bearer token of a gateway's HTTP.
    pub fn token(&self, bic: &str) -> Result<String> {
        self.layout.token(bic)
    }

    /// A client of a bank's gateway, with its token.
    pub fn gateway_client(&self, bic: &str) -> Result<HttpClient> {
        Ok(HttpClient::new(&self.gateway_http(bic)?)?.with_token(self.token(bic)?))
    }

    /// A node's status.
    pub async fn node_status(&self, id: u64) -> Result<NodeStatus> {
        node_api::status(&self.node_http(id)?).await
    }

    /// A node's balances.
    pub async fn balances(&self, id: u64) -> Result<Balances> {
        node_api::balances(&self.node_http(id)?).await
    }

    /// The node that leads, as it says itself; `None` when no running node does.
    pub async fn leader(&self) -> Option<u64> {
        let mut leader = None;
        let mut highest = 0;
        for id in self.nodes.keys() {
            // A leader that lost its followers unknowingly has a lower term than its successor.
            if let Ok(status) = self.node_status(*id).await
                && status.known_leader() == Some(*id)
                && status.term >= highest
            {
                highest = status.term;
                leader = Some(*id);
            }
        }
        leader
    }

    /// Waits until a running node leads.
    pub async fn wait_leader(&mut self, patience: Duration) -> Result<u64> {
        let start = Instant::now();
        loop {
            if let Some(leader) = self.leader().await {
                return Ok(leader);
            }
            self.check_running()?;
            ensure!(start.elapsed() < patience, "no leader after {} s", patience.as_secs());
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    }

    /// Waits until all nodes run at one height with one state root and one log root, and returns
    /// their states.
    pub async fn wait_equal(&mut self, patience: Duration) -> Result<Vec<NodeStatus>> {
        let start = Instant::now();
        loop {
            let mut all = Vec::new();
            for id in self.node_ids() {
                all.extend(self.node_status(id).await);
            }
            let complete = all.len() == self.node_ids().len();
            let of = |status: &NodeStatus| {
                (status.height, status.state_root.clone(), status.log_root.clone())
            };
            if complete && all.windows(2).all(|pair| of(&pair[0]) == of(&pair[1])) {
                return Ok(all);
            }
            self.check_running()?;
            if start.elapsed() >= patience {
                let seen: Vec<_> = all
                    .iter()
                    .map(|s| format!("node {} at {} ({:.12})", s.node, s.height, s.state_root))
                    .collect();
                bail!("nodes are not equal after {} s: {}", patience.as_secs(), seen.join(", "));
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    }

    /// Name and process id of every running node and gateway.
    pub fn processes(&self) -> Vec<(String, u32)> {
        let running = self.nodes.values().chain(self.gateways.values());
        running.map(|process| (process.name().to_owned(), process.id())).collect()
    }

    /// Largest memory that each running node has had, in bytes, by id.
    pub fn node_rss(&self) -> Vec<(u64, u64)> {
        self.nodes.iter().map(|(id, process)| (*id, process.usage().rss_bytes)).collect()
    }

    /// Processor time of all processes so far, ended ones included, in seconds.
    pub fn cpu_seconds(&self) -> f64 {
        let running = self.nodes.values().chain(self.gateways.values());
        running.map(|process| process.usage().cpu_seconds).sum::<f64>()
            + self.ended.values().map(|usage| usage.cpu_seconds).sum::<f64>()
    }

    /// Largest memory that any running node has had, in bytes.
    pub fn node_rss_bytes(&self) -> u64 {
        self.nodes.values().map(|process| process.usage().rss_bytes).max().unwrap_or(0)
    }
}

fn stop(process: Process, name: &str) -> Result<Usage> {
    let (status, usage) = process.stop(STOP_TIME_MAX)?;
    ensure!(status.success(), "{name} ended with an error when asked to stop ({status})");
    Ok(usage)
}

/// The `corridor` program, for callers that are another program, such as a test.
///
/// In this order: the path in the variable `CORRIDOR_PROGRAM`; this very program; the one in the
/// folder of this program or in the folder above it, where builds put it.
pub fn find_program() -> Result<PathBuf> {
    if let Some(path) = std::env::var_os("CORRIDOR_PROGRAM") {
        return Ok(path.into());
    }
    let own = std::env::current_exe().context("find this program's own file")?;
    if own.file_stem().is_some_and(|name| name == PROGRAM) {
        return Ok(own);
    }
    own.ancestors()
        .skip(1)
        .take(2)
        .map(|folder| folder.join(PROGRAM))
        .find(|path| path.is_file())
        .with_context(|| {
            format!("there is no `{PROGRAM}` beside {}: build it first", own.display())
        })
}

async fn is_ready(base: &str) -> bool {
    let Ok(client) = HttpClient::new(base) else { return false };
    let mut client = client.with_timeout(Duration::from_secs(2));
    client.get("/readyz").await.is_ok_and(|answer| answer.is_success())
}
