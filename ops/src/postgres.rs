//! A PostgreSQL of one's own: for the demo, the benchmark and the tests. No port, no password, gone with its owner.
//!
//! It is made from the programs that the system has, listens on a socket that only its user can open, and ends with the
//! thread that started it. A server refuses to run as root: then it runs as the user `postgres`, which the system's
//! package makes.

use std::{
    fs,
    os::unix::{fs::chown, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, Signal};

use crate::init::random;

/// Where systems keep the programs of each version.
const PLACES: [&str; 2] = ["/usr/lib/postgresql", "/usr/pgsql"];
const START_TIME_MAX: Duration = Duration::from_secs(60);
const STOP_TIME_MAX: Duration = Duration::from_secs(60);
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// How a server runs.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Whether each commit is on the disk before it is answered; without, only a test's data is safe with it.
    pub durable: bool,
    /// Memory for pages, in MiB.
    pub memory_mib: u32,
}

/// A running server. Its superuser is `postgres`.
#[derive(Debug)]
pub struct PrivatePostgres {
    folder: PathBuf,
    programs: PathBuf,
    user: Option<(u32, u32)>,
    options: Options,
    server: Option<Child>,
}

impl PrivatePostgres {
    /// Makes and starts one; nothing where none is installed. It ends with the thread that calls this.
    ///
    /// # Errors
    /// When it is installed and cannot be started.
    pub fn start(options: Options) -> Result<Option<Self>> {
        let Some(programs) = programs() else { return Ok(None) };
        let user = match rustix::process::geteuid().is_root() {
            true => Some(user_postgres()?),
            false => None,
        };
        let name = format!("corridor-postgres-{}", wire::genesis::hex(&random::<6>()?));
        let folder = std::env::temp_dir().join(name);
        fs::create_dir(&folder).with_context(|| format!("make folder {}", folder.display()))?;
        let mut this = Self { folder, programs, user, options, server: None };
        if let Some((uid, gid)) = user {
            chown(&this.folder, Some(uid), Some(gid)).context("give a folder to PostgreSQL")?;
        }
        let data = this.data();
        let log = fs::File::create(this.log()).context("write the log of PostgreSQL")?;
        let errors = log.try_clone().context("write the log of PostgreSQL")?;
        let status = this
            .command("initdb")
            .args(["-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync", "-D"])
            .arg(data)
            .stdout(log)
            .stderr(errors)
            .status()
            .context("run initdb")?;
        ensure!(status.success(), "initdb failed: {}", this.last_words());
        this.go_on()?;
        Ok(Some(this))
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    fn log(&self) -> PathBuf {
        self.folder.join("log")
    }

    fn last_words(&self) -> String {
        let text = fs::read_to_string(self.log()).unwrap_or_default();
        text.lines().last().unwrap_or("it said nothing").to_owned()
    }

    fn command(&self, program: &str) -> Command {
        self.with_user(Command::new(self.programs.join(program)))
    }

    fn with_user(&self, mut command: Command) -> Command {
        if let Some((uid, gid)) = self.user {
            command.uid(uid).gid(gid);
        }
        command.current_dir(&self.folder).env("LC_ALL", "C").stdin(Stdio::null());
        command
    }

    /// Starts it again after [`PrivatePostgres::stop`].
    ///
    /// # Errors
    /// When it does not start, with what it said last.
    pub fn go_on(&mut self) -> Result<()> {
        let log = fs::OpenOptions::new().append(true).open(self.log()).context("open the log")?;
        let errors = log.try_clone().context("open the log")?;
        let program = self.programs.join("postgres");
        // So that nothing is left when this process is killed; where the program is not there, it has to be stopped.
        let mut command = match Path::new("/usr/bin/setpriv").exists() {
            true => {
                let mut command = Command::new("/usr/bin/setpriv");
                command.args(["--pdeathsig", "INT", "--"]).arg(program);
                self.with_user(command)
            }
            false => self.command("postgres"),
        };
        command.arg("-D").arg(self.data());
        let folder = self.folder.display();
        let memory = self.options.memory_mib;
        let fsync = if self.options.durable { "on" } else { "off" };
        for setting in [
            "listen_addresses=".to_owned(),
            format!("unix_socket_directories={folder}"),
            "unix_socket_permissions=0700".to_owned(),
            "max_connections=20".to_owned(),
            format!("shared_buffers={memory}MB"),
            "max_wal_size=4GB".to_owned(),
            "checkpoint_timeout=15min".to_owned(),
            "jit=off".to_owned(),
            format!("fsync={fsync}"),
        ] {
            command.arg("-c").arg(setting);
        }
        let child = command.stdout(log).stderr(errors).spawn().context("start PostgreSQL")?;
        self.server = Some(child);
        let asked = Instant::now();
        loop {
            let ready = self.command("pg_isready").arg("-q").arg("-h").arg(&self.folder).status();
            if ready.context("run pg_isready")?.success() {
                return Ok(());
            }
            let ended = match &mut self.server {
                Some(child) => child.try_wait().context("ask for PostgreSQL's state")?,
                None => None,
            };
            if ended.is_some() || asked.elapsed() > START_TIME_MAX {
                bail!("PostgreSQL does not start: {}", self.last_words());
            }
            std::thread::sleep(POLL_INTERVAL);
        }
    }

    /// Stops it at once, as by a power cut.
    ///
    /// # Errors
    /// When it does not end.
    pub fn stop(&mut self) -> Result<()> {
        let Some(mut child) = self.server.take() else { return Ok(()) };
        let id = i32::try_from(child.id()).ok().and_then(Pid::from_raw).context("no process id")?;
        // An error means that it has ended already.
        let _ = rustix::process::kill_process(id, Signal::QUIT);
        let asked = Instant::now();
        while child.try_wait().context("wait for PostgreSQL")?.is_none() {
            if asked.elapsed() > STOP_TIME_MAX {
                child.kill().context("kill PostgreSQL")?;
            }
            std::thread::sleep(POLL_INTERVAL);
        }
        Ok(())
    }

    /// Where a user finds its database `postgres`.
    #[must_use]
    pub fn url(&self, user: &str) -> String {
        format!("host={} user={user} dbname=postgres", self.folder.display())
    }

    /// What a person types to look into it.
    #[must_use]
    pub fn psql(&self) -> String {
        format!("psql -h {} -U postgres postgres", self.folder.display())
    }
}

impl Drop for PrivatePostgres {
    fn drop(&mut self) {
        // Nothing can be done about a failure here, and the folder is temporary.
        let _ = self.stop();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// The programs of the newest version that is installed.
fn programs() -> Option<PathBuf> {
    let versions =
        PLACES.iter().flat_map(|place| fs::read_dir(place).into_iter().flatten().flatten());
    let number = |path: &Path| -> Option<u32> { path.file_name()?.to_str()?.parse().ok() };
    let found = versions.map(|version| version.path());
    let newest =
        found.filter(|path| path.join("bin/initdb").exists()).max_by_key(|path| number(path));
    newest.map(|path| path.join("bin"))
}

/// User and group of the system's user `postgres`.
fn user_postgres() -> Result<(u32, u32)> {
    let users = fs::read_to_string("/etc/passwd").context("read /etc/passwd")?;
    let line = users.lines().find(|line| line.starts_with("postgres:"));
    let line =
        line.context("PostgreSQL refuses to run as root, and there is no user `postgres`")?;
    let mut fields = line.split(':').skip(2);
    let mut number = || fields.next().and_then(|field| field.parse().ok());
    number().zip(number()).context("the user `postgres` has no numbers")
}
