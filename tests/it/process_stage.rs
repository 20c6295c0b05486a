//! What the tests with real processes share: a network of their own, its checks, and what is kept for a post-mortem.
//!
//! Each test runs the `corridor` program itself (the one built next to the test binary) on loopback
//! addresses, with real QUIC and real fsync below the build folder. A network that failed its test is
//! left on disk with its logs. Processes are ended by their ids only, through [`Cluster`].

use std::{
    collections::BTreeMap,
    env, fs,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use corridor::{
    chance::Chance,
    clock::now_ns,
    cluster::Cluster,
    description::{Description, PortPlan},
    http::HttpClient,
    layout::{long_account, long_bic},
    messages::{Payment, Reply, Status, StatusReport, pacs008, read_reply},
    node_api::{NodeStatus, TransferView},
};

/// Chooses another seed than the fixed one.
const SEED_VARIABLE: &str = "CORRIDOR_SEED";
const SEED: u64 = 20_020;
const START_TIME_MAX: Duration = Duration::from_secs(60);
const EQUAL_TIME_MAX: Duration = Duration::from_secs(30);
/// More than the whole network holds of it: no account can ever pay that.
pub(crate) const UNPAYABLE_MINOR: u64 = 90_000_000_000_000;

/// A running network with what a test needs around it.
pub(crate) struct Stage {
    /// The processes.
    pub(crate) cluster: Cluster,
    /// Folder of the network.
    pub(crate) folder: PathBuf,
    /// Where all choices of the test come from.
    pub(crate) seed: u64,
    /// BICs of the banks with a gateway.
    pub(crate) bics: Vec<String>,
}

/// Runs a test on a network of its own that is set up and not started. Fails with the seed and the
/// place of the logs.
pub(crate) fn on_stage(
    name: &str,
    folders: bool,
    test: impl AsyncFnOnce(&mut Stage) -> Result<()>,
) {
    on_stage_of(name, |name| network(name, folders), test);
}

/// The same on another network.
pub(crate) fn on_stage_of(
    name: &str,
    network: impl FnOnce(&str) -> Result<Description>,
    test: impl AsyncFnOnce(&mut Stage) -> Result<()>,
) {
    let seed = seed();
    let mut folder = new_folder(name).expect("make a folder below the build folder");
    // Kept until the test has passed, however it ends.
    folder.disable_cleanup(true);
    let logs = folder.path().join("network/*/log");
    println!("{name}: {SEED_VARIABLE}={seed}, logs are {}", logs.display());
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("start the runtime");
    // The processes end with the thread that starts them: this one, which outlives the test.
    let result = runtime.block_on(async {
        let mut stage = Stage::new(network(name)?, folder.path(), seed)?;
        test(&mut stage).await
    });
    if let Err(error) = result {
        let logs = logs.display();
        panic!("{name} with {SEED_VARIABLE}={seed} failed: {error:#}\nlogs: {logs}");
    }
    folder.disable_cleanup(false);
    folder.close().expect("remove the network's folder");
}

fn seed() -> u64 {
    let Ok(text) = env::var(SEED_VARIABLE) else { return SEED };
    text.parse().unwrap_or_else(|_| panic!("{SEED_VARIABLE} is `{text}`, which is no whole number"))
}

fn new_folder(name: &str) -> Result<tempfile::TempDir> {
    // The disk of the build folder: what is in memory elsewhere would make every fsync free.
    let parent = Path::new(env!("CARGO_TARGET_TMPDIR"));
    fs::create_dir_all(parent).with_context(|| format!("make {}", parent.display()))?;
    let prefix = format!("{name}-");
    tempfile::Builder::new().prefix(&prefix).tempdir_in(parent).context("make a folder")
}

/// The `corridor` program of the same build as this test.
pub(crate) fn program() -> Result<PathBuf> {
    for variable in ["CARGO_BIN_EXE_corridor", "NEXTEST_BIN_EXE_corridor"] {
        if let Some(path) = env::var_os(variable) {
            return Ok(path.into());
        }
    }
    let own = env::current_exe().context("find this test's own program")?;
    let folder = own.parent().and_then(Path::parent).context("the test lies in no build folder")?;
    let path = folder.join(format!("corridor{}", env::consts::EXE_SUFFIX));
    ensure!(
        path.is_file(),
        "{} does not exist: tests with real processes run the program itself; build it first with \
         `cargo build --bin corridor`",
        path.display()
    );
    Ok(path)
}

/// Three banks with nodes, of which the first two have gateways.
pub(crate) fn network(name: &str, folders: bool) -> Result<Description> {
    let mut description = Description::example(name, 3, 3, PortPlan::Free)?;
    description.banks[2].gateway = None;
    for gateway in description.banks.iter_mut().filter_map(|bank| bank.gateway.as_mut()) {
        gateway.folder = folders;
    }
    Ok(description)
}

impl Stage {
    fn new(description: Description, folder: &Path, seed: u64) -> Result<Self> {
        let folder = folder.join("network");
        let cluster = Cluster::create(&folder, description, &program()?)?;
        let bics = cluster.gateway_bics();
        Ok(Self { cluster, folder, seed, bics })
    }

    /// Starts every process and waits until all are ready.
    pub(crate) async fn start(&mut self) -> Result<()> {
        self.cluster.start_all_nodes()?;
        self.cluster.start_all_gateways()?;
        self.wait_ready().await
    }

    /// Waits until every running process is ready.
    pub(crate) async fn wait_ready(&mut self) -> Result<()> {
        self.cluster.wait_ready(START_TIME_MAX).await
    }

    /// Folder of a bank's gateway.
    pub(crate) fn gateway_folder(&self, bic: &str) -> Result<PathBuf> {
        Ok(self.cluster.layout().participant_dir(self.cluster.layout().bank(bic)?))
    }

    /// A client of a node, without a token.
    pub(crate) fn node_client(&self, id: u64) -> Result<HttpClient> {
        Ok(HttpClient::new(&self.cluster.node_http(id)?)?)
    }

    /// Balances in minor units as they follow from the opening ones and these settled payments.
    pub(crate) fn expected_balances<'a>(
        &self,
        settled: impl Iterator<Item = &'a Payment>,
    ) -> Result<BTreeMap<String, i128>> {
        let description = self.cluster.layout().description();
        let mut balances = BTreeMap::new();
        for account in &description.accounts {
            let (funding, _) = description.minor_units(account)?;
            balances.insert(long_account(&account.account), i128::from(funding));
        }
        for payment in settled {
            let minor = i128::from(payment.minor);
            *balances.entry(account_of(&payment.debtor_bank, payment)).or_default() -= minor;
            *balances.entry(account_of(&payment.creditor_bank, payment)).or_default() += minor;
        }
        Ok(balances)
    }

    /// Checks that all nodes agree on height, state and log, that each shows exactly these balances,
    /// and that every asset adds up on each.
    pub(crate) async fn check_nodes(
        &mut self,
        expected: &BTreeMap<String, i128>,
    ) -> Result<Vec<NodeStatus>> {
        let all = self.cluster.wait_equal(EQUAL_TIME_MAX).await?;
        ensure!(all.len() == self.cluster.node_ids().len(), "not every node answered");
        for status in &all {
            let id = status.node;
            ensure!(status.conserved, "node {id} says that its balances do not add up");
            let balances = self.cluster.balances(id).await?;
            ensure!(balances.conserved(), "the accounts of node {id} do not add up: {balances:?}");
            let actual: BTreeMap<String, i128> = balances
                .accounts
                .iter()
                .map(|account| (long_account(&account.account), account.posted))
                .collect();
            for name in expected.keys().chain(actual.keys()) {
                let wanted = expected.get(name).copied().unwrap_or_default();
                let held = actual.get(name).copied().unwrap_or_default();
                ensure!(
                    held == wanted,
                    "node {id}: {name} holds {held}, but the answers of the gateways add up to \
                     {wanted} (difference {})",
                    held - wanted
                );
            }
        }
        Ok(all)
    }

    /// Checks what a node says about a transfer; `answer` is `settled`, `refused`, or `None` for one
    /// that was never ordered.
    pub(crate) async fn check_transfer(
        &self,
        client: &mut HttpClient,
        payment: &Payment,
        answer: Option<&str>,
    ) -> Result<()> {
        let uetr = &payment.uetr;
        let got = client.get(&format!("/v1/transfers/{uetr}")).await?;
        let Some(answer) = answer else {
            ensure!(got.status == 404, "{uetr} should be unknown: {} {}", got.status, got.text());
            return Ok(());
        };
        ensure!(got.status == 200, "{uetr} should be {answer}: {} {}", got.status, got.text());
        let view: TransferView = serde_json::from_slice(&got.body)
            .with_context(|| format!("read transfer {uetr}: {}", got.text()))?;
        let [leg] = &view.legs[..] else { bail!("{uetr} has {} legs: {view:?}", view.legs.len()) };
        let fits = view.uetr == *uetr
            && view.answer == answer
            && long_account(&leg.debit) == account_of(&payment.debtor_bank, payment)
            && long_account(&leg.credit) == account_of(&payment.creditor_bank, payment)
            && leg.amount_minor == i128::from(payment.minor);
        ensure!(fits, "{uetr} should be {answer} for {payment:?}, but a node says {view:?}");
        Ok(())
    }
}

fn account_of(bic: &str, payment: &Payment) -> String {
    format!("{}/{}", long_bic(bic), payment.currency)
}

/// A payment in euro with a UETR from `chance`.
pub(crate) fn euro(chance: &mut Chance, from: &str, to: &str, minor: u64, name: &str) -> Payment {
    Payment {
        uetr: ledger::TransferId(chance.uuid()).to_string(),
        end_to_end_id: name.to_owned(),
        debtor_bank: from.to_owned(),
        creditor_bank: to.to_owned(),
        currency: "EUR".to_owned(),
        exponent: 2,
        minor,
        remittance: "Invoice".to_owned(),
    }
}

/// A message with one payment.
pub(crate) fn single(message_id: &str, payment: &Payment) -> Vec<u8> {
    pacs008(message_id, std::slice::from_ref(payment), now_ns()).into_bytes()
}

/// Reads a definitive `pacs.002` with one status a transaction.
pub(crate) fn definitive(bytes: &[u8]) -> Result<StatusReport> {
    match read_reply(bytes)? {
        Reply::Status(report) if report.is_definitive() => Ok(report),
        Reply::Status(report) => bail!("the answer is not definitive: {report:?}"),
        Reply::Unreadable { code, text } => bail!("the answer is an admi.002 {code}: {text}"),
    }
}

/// The status of the only payment of a message.
pub(crate) fn only_status(report: &StatusReport, uetr: &str) -> Result<Status> {
    let [(own, status)] = &report.transactions[..] else {
        bail!("{} transactions are answered instead of one", report.transactions.len())
    };
    ensure!(own == uetr, "the answer is for {own}, not for {uetr}");
    Ok(status.clone())
}

/// Puts a list into an order that `chance` chooses.
pub(crate) fn shuffle<T>(list: &mut [T], chance: &mut Chance) {
    for end in (1..list.len()).rev() {
        list.swap(end, chance.below(end as u64 + 1) as usize);
    }
}

/// Names in a folder, sorted; those of unfinished files (`.NAME.tmp`) are included.
pub(crate) fn names(folder: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    let entries = fs::read_dir(folder).with_context(|| format!("list {}", folder.display()))?;
    for entry in entries {
        names.push(entry.context("list a folder")?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}
