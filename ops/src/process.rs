//! Child processes: started with their output in a file, measured, ended, never left behind.
//!
//! A child is killed when its [`Process`] is dropped, and ends by itself when its parent dies (see
//! [`die_with_parent`]), so that an interrupted demo or test leaves nothing running.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal};

/// Environment variable that asks a process to end when the process with this id ends.
pub const PARENT_VARIABLE: &str = "CORRIDOR_PARENT";

/// What a process has used so far.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Usage {
    /// User and system time in seconds.
    pub cpu_seconds: f64,
    /// Largest resident memory, in bytes.
    pub rss_bytes: u64,
}

/// A running child.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts a program whose output goes to the end of `log`.
    pub fn start(name: &str, program: &Path, arguments: &[&str], log: &Path) -> Result<Self> {
        let output = fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(log)
            .with_context(|| format!("open {}", log.display()))?;
        let errors = output.try_clone().with_context(|| format!("open {}", log.display()))?;
        let child = Command::new(program)
            .args(arguments)
            .env(PARENT_VARIABLE, std::process::id().to_string())
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(errors)
            .spawn()
            .with_context(|| format!("start {name} ({})", program.display()))?;
        Ok(Self { name: name.to_owned(), child, log: log.to_owned() })
    }

    /// What the process is called in texts.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Whether it still runs; `Err` tells how it ended and what it said last.
    pub fn check_running(&mut self) -> Result<()> {
        let Some(status) = self.child.try_wait().context("ask for a child's state")? else {
            return Ok(());
        };
        bail!("{} ended by itself ({status}); {}", self.name, last_words(&self.log))
    }

    /// Time and memory used so far; zeros once it has ended.
    pub fn usage(&self) -> Usage {
        usage_of(&self.id().to_string()).unwrap_or_default()
    }

    /// Ends it at once, as a power cut would (SIGKILL), and returns what it had used.
    pub fn kill(mut self) -> Usage {
        let usage = self.usage();
        self.end();
        usage
    }

    /// Asks it to end (SIGTERM) and waits; kills it when it takes longer than `patience`.
    pub fn stop(mut self, patience: Duration) -> Result<(ExitStatus, Usage)> {
        let usage = self.usage();
        let id = i32::try_from(self.id()).ok().and_then(Pid::from_raw).context("no process id")?;
        let asked = Instant::now();
        // An error means that it has ended already.
        let _ = rustix::process::kill_process(id, Signal::TERM);
        while asked.elapsed() < patience {
            if let Some(status) = self.child.try_wait().context("wait for a child")? {
                return Ok((status, usage));
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        bail!("{} did not end within {} s of being asked to", self.name, patience.as_secs())
    }

    /// Stops it in its tracks (SIGSTOP): it holds all it has and does nothing.
    pub fn pause(&self) -> Result<()> {
        self.signal(Signal::STOP)
    }

    /// Lets it go on after [`Process::pause`] (SIGCONT).
    pub fn resume(&self) -> Result<()> {
        self.signal(Signal::CONT)
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        let id = i32::try_from(self.id()).ok().and_then(Pid::from_raw).context("no process id")?;
        rustix::process::kill_process(id, signal)
            .with_context(|| format!("send a signal to {}", self.name))
    }

    fn end(&mut self) {
        // Both fail only when it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.end();
    }
}

/// Makes this process end with its parent if the parent asked for it by [`PARENT_VARIABLE`].
pub fn die_with_parent() -> Result<()> {
    let Ok(parent) = std::env::var(PARENT_VARIABLE) else { return Ok(()) };
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))
        .context("ask to end with the parent process")?;
    let now = rustix::process::getppid().map(|id| id.as_raw_nonzero().get().to_string());
    if now.as_deref() != Some(parent.as_str()) {
        bail!("the process that started this one is gone");
    }
    Ok(())
}

/// Time and memory this process has used so far.
pub fn own_usage() -> Usage {
    usage_of("self").unwrap_or_default()
}

/// The same of any process by its id, or of this one by `self`.
pub(crate) fn usage_of(process: &str) -> io::Result<Usage> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat"))?;
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let ticks = ticks_of(&stat).ok_or(io::ErrorKind::InvalidData)?;
    Ok(Usage {
        cpu_seconds: ticks as f64 / rustix::param::clock_ticks_per_second() as f64,
        rss_bytes: peak_memory_of(&status).unwrap_or_default(),
    })
}

/// User and system time, in clock ticks, of the text of `/proc/PID/stat`.
fn ticks_of(stat: &str) -> Option<u64> {
    // The second field is the program's name in parentheses and may hold anything.
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(user + system)
}

/// Largest resident memory, in bytes, of the text of `/proc/PID/status`.
fn peak_memory_of(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

/// The last lines of a log, for the text of an error.
fn last_words(log: &Path) -> String {
    const LINES: usize = 3;
    let text = fs::read_to_string(log).unwrap_or_default();
    let mut last: Vec<_> =
        text.lines().rev().filter(|line| !line.trim().is_empty()).take(LINES).collect();
    last.reverse();
    match last.is_empty() {
        true => format!("its log {} is empty", log.display()),
        false => format!("the end of its log {}:\n  {}", log.display(), last.join("\n  ")),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn usage_is_read_from_the_texts_of_the_system() {
        let stat = "7 (a ) b) S 1 7 7 0 -1 4194304 100 0 0 0 25 17 0 0 20 0 1 0 100 1000 50";
        assert_eq!(ticks_of(stat), Some(42));
        assert_eq!(peak_memory_of("VmPeak:\t 9 kB\nVmHWM:\t    12 kB\n"), Some(12_288));
        assert_eq!(ticks_of("7 (x"), None);
        assert!(own_usage().rss_bytes > 0);
    }

    #[test]
    fn a_child_is_stopped_killed_and_its_end_noticed() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("log");
        let shell = Path::new("/bin/sh");
        let mut sleeper = Process::start("sleeper", shell, &["-c", "exec sleep 60"], &log).unwrap();
        sleeper.check_running().unwrap();
        let (status, _) = sleeper.stop(Duration::from_secs(5)).unwrap();
        assert!(!status.success());
        let arguments = ["-c", "echo cannot go on >&2; exit 1"];
        let mut failing = Process::start("failing", shell, &arguments, &log).unwrap();
        let error = loop {
            if let Err(error) = failing.check_running() {
                break error.to_string();
            }
            std::thread::sleep(Duration::from_millis(5));
        };
        assert!(error.contains("cannot go on"), "{error}");
        Process::start("killed", shell, &["-c", "exec sleep 60"], &log).unwrap().kill();
    }
}
