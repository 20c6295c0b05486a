//! The auditor's PostgreSQL beside the demo: a private one, or one that is there already.
//!
//! `corridor audit project` runs as a process of its own from the start, through the death of a leader as well; in the
//! end every row is recomputed from the log and compared.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::audit::{Place, verify_db};
use crate::cluster::Cluster;
use crate::postgres::{Options, PrivatePostgres};
use crate::process::Process;

const CATCH_UP_TIME_MAX: Duration = Duration::from_secs(30);
const POLL_INTERVAL: Duration = Duration::from_millis(50);
/// What asks for a private server.
const AUTO: &str = "auto";
/// File in the network's folder that says where the database is, as `psql` and `--postgres` take it.
const ADDRESS: &str = "postgres";

/// A projection that follows the demo's network.
#[derive(Debug)]
pub struct Projection {
    projector: Process,
    address_file: PathBuf,
    place: Place,
    psql: String,
    /// Ended last.
    _server: Option<PrivatePostgres>,
}

impl Projection {
    /// Starts it; nothing when a private server is asked for and no PostgreSQL is installed.
    ///
    /// # Errors
    /// When a server or the projector cannot be started, or `dir` cannot be written to.
    pub fn start(
        wish: &str,
        cluster: &Cluster,
        program: &Path,
        dir: &Path,
    ) -> Result<Option<Self>> {
        let (server, url, psql) = if wish == AUTO {
            let options = Options { durable: true, memory_mib: 64 };
            let Some(server) = PrivatePostgres::start(options)? else { return Ok(None) };
            let (url, psql) = (server.url("postgres"), server.psql());
            (Some(server), url, psql)
        } else {
            (None, wish.to_owned(), format!("psql '{wish}'"))
        };
        let node = cluster.node_http(cluster.node_ids().first().copied().unwrap_or(1))?;
        let genesis = cluster.layout().genesis();
        let file = genesis.display().to_string();
        let arguments =
            ["audit", "project", "--postgres", &url, "--node", &node, "--genesis", &file];
        let log = dir.join("projector.log");
        let projector = Process::start("the projector", program, &arguments, &log)?;
        let place = Place::new(&url, &node, genesis);
        let address_file = dir.join(ADDRESS);
        // A URL that somebody gave may hold a password.
        let mut file = fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&address_file)
            .with_context(|| format!("write {}", address_file.display()))?;
        writeln!(file, "{url}").with_context(|| format!("write {}", address_file.display()))?;
        Ok(Some(Self { projector, address_file, place, psql, _server: server }))
    }

    /// File that says where the database is.
    pub(crate) fn address_file(&self) -> &Path {
        &self.address_file
    }

    /// What a person types to look into it.
    pub(crate) fn psql(&self) -> &str {
        &self.psql
    }

    /// Waits until so many leaves are there, and compares every row; returns what differs.
    ///
    /// # Errors
    /// When they do not come, or the log cannot be read.
    pub async fn check(&mut self, leaves: u64) -> Result<Vec<String>> {
        let start = Instant::now();
        // Before its first transaction there is no schema to be asked.
        while self.place.projected().await.ok().flatten().is_none_or(|there| there < leaves) {
            self.projector.check_running()?;
            ensure!(start.elapsed() < CATCH_UP_TIME_MAX, "the projection does not catch up");
            tokio::time::sleep(POLL_INTERVAL).await;
        }
        verify_db(&self.place).await
    }
}
