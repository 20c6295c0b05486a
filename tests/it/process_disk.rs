//! A leader whose disk fills up under load: it makes way, says why, loses nothing, and comes back.
//!
//! Its data folder is a file system of its own in memory, filled by a ballast file, first nearly and
//! then to the last byte. Needs the right to mount; without it the test says so and ends.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use corridor::{http::HttpClient, node_api::NodeStatus};
use rustix::fs::{FallocateFlags, fallocate, statvfs};

use crate::{
    process_stage::{Stage, on_stage},
    process_traffic::{Traffic, check_all},
};

/// The node with the small disk.
const NODE: u64 = 1;
const DISK_BYTES: u64 = 512 << 20;
/// What the first ballast leaves: less than the reserve.
const LEFT_BYTES: u64 = 90 << 20;
const LEADER_TIME_MAX: Duration = Duration::from_secs(30);
/// How soon the node must say that its disk is full, and have handed the lead over.
const NOTICE_TIME_MAX: Duration = Duration::from_secs(10);
/// How soon it must be well again once there is room.
const RETURN_TIME_MAX: Duration = Duration::from_secs(10);
const PROGRESS_TIME_MAX: Duration = Duration::from_secs(30);
const ANSWERS_MIN: u64 = 50;
const POLL: Duration = Duration::from_millis(20);

/// A file system in memory. Taken away when dropped, whoever still uses it.
struct SmallDisk {
    path: PathBuf,
}

impl SmallDisk {
    /// `None` when this user may not mount.
    fn mount(path: &Path) -> Result<Option<Self>> {
        fs::create_dir_all(path).with_context(|| format!("make {}", path.display()))?;
        let size = format!("size={DISK_BYTES},mode=700");
        let output = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &size, "corridor-test"])
            .arg(path)
            .output()
            .context("run mount")?;
        if output.status.success() {
            return Ok(Some(Self { path: path.to_owned() }));
        }
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let permitted = rustix::process::geteuid().is_root()
            && !said.contains("permission denied")
            && !said.contains("not permitted");
        ensure!(!permitted, "mount failed: {said}");
        println!("SKIPPED: a full disk needs the right to mount: {said}");
        Ok(None)
    }

    fn free_bytes(&self) -> Result<u64> {
        let disk = statvfs(&self.path).context("ask for the room on the small disk")?;
        Ok(disk.f_bavail * disk.f_frsize)
    }

    /// Fills the disk until so many bytes are left; more ballast replaces none that is there.
    fn fill(&self, name: &str, left: u64) -> Result<()> {
        let file = File::create(self.path.join(name)).context("make a ballast file")?;
        let mut filled = 0;
        loop {
            let bytes = self.free_bytes()?.saturating_sub(left);
            if bytes == 0 {
                return Ok(());
            }
            match fallocate(&file, FallocateFlags::empty(), filled, bytes) {
                Ok(()) => filled += bytes,
                // The node was faster; what is left now is looked at again.
                Err(rustix::io::Errno::NOSPC) => {}
                Err(error) => return Err(error).context("fill the small disk"),
            }
        }
    }

    fn empty(&self, name: &str) -> Result<()> {
        fs::remove_file(self.path.join(name)).context("remove the ballast file")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: the node may still run when a test fails. It goes with the last file closed.
        match Command::new("umount").arg("-l").arg(&self.path).status() {
            Ok(status) if status.success() => {}
            other => eprintln!("cannot unmount {}: {other:?}", self.path.display()),
        }
    }
}

#[test]
fn a_full_disk_stops_nobody_and_loses_nothing() {
    on_stage("process-disk", false, fill_the_disk);
}

async fn fill_the_disk(stage: &mut Stage) -> Result<()> {
    let data = stage.cluster.layout().node_dir(NODE).join("data");
    let Some(disk) = SmallDisk::mount(&data)? else { return Ok(()) };
    stage.start().await?;
    lead(stage).await?;
    let mut traffic = Traffic::start(stage)?;
    progress(stage, &mut traffic).await?;

    // Nearly full: the leader makes way before any write fails.
    let filled = Instant::now();
    disk.fill("ballast", LEFT_BYTES)?;
    let text = wait_for(stage, "to notice", NOTICE_TIME_MAX, |ready, status| {
        !ready.0 && status.known_leader().is_some_and(|leader| leader != NODE)
    })
    .await?;
    let noticed = filled.elapsed();
    ensure!(text.contains("disk") && text.contains("bytes are free"), "/readyz says {text}");
    let mut client = stage.node_client(NODE)?;
    // It may have noticed, and made way, while the ballast was still growing.
    loop {
        let metrics = client.get("/metrics").await?.text();
        let free = metric(&metrics, "corridor_disk_free_bytes")?;
        if free <= LEFT_BYTES as f64 {
            break;
        }
        ensure!(filled.elapsed() < NOTICE_TIME_MAX, "{free} bytes are said to be free");
        tokio::time::sleep(POLL).await;
    }
    progress(stage, &mut traffic).await?;

    // To the last byte, for a while.
    disk.fill("more", 0)?;
    progress(stage, &mut traffic).await?;
    tokio::time::sleep(Duration::from_secs(2)).await;
    ensure!(disk.free_bytes()? < 1 << 20, "the small disk was not full");
    stage.cluster.check_running()?;

    // A start on a full disk is no crash loop.
    stage.cluster.kill_node(NODE)?;
    stage.cluster.start_node(NODE)?;
    wait_for(stage, "to start", NOTICE_TIME_MAX, |ready, _| !ready.0 && ready.1.contains("disk"))
        .await?;
    progress(stage, &mut traffic).await?;

    // Room again.
    disk.empty("more")?;
    disk.empty("ballast")?;
    let height = stage.cluster.node_status(next_to(NODE)).await?.height;
    let returned = Instant::now();
    wait_for(stage, "to return", RETURN_TIME_MAX, |ready, status| {
        ready.0 && status.height >= height
    })
    .await?;
    let returned = returned.elapsed();
    progress(stage, &mut traffic).await?;

    // To the last byte at once, under the leader's hands: writers wait, nothing ends.
    lead(stage).await?;
    disk.fill("all", 0)?;
    progress(stage, &mut traffic).await?;
    wait_for(stage, "to make way", NOTICE_TIME_MAX, |ready, status| {
        !ready.0 && status.known_leader().is_some_and(|leader| leader != NODE)
    })
    .await?;
    progress(stage, &mut traffic).await?;
    disk.empty("all")?;
    let height = stage.cluster.node_status(next_to(NODE)).await?.height;
    wait_for(stage, "to return", RETURN_TIME_MAX, |ready, status| {
        ready.0 && status.height >= height
    })
    .await?;
    progress(stage, &mut traffic).await?;
    let sent = traffic.stop().await?;
    let checked = check_all(stage, &sent).await?;
    println!(
        "{checked}; made way after {:.1} s, well again {:.1} s after there was room",
        noticed.as_secs_f64(),
        returned.as_secs_f64()
    );
    stage.cluster.stop()
}

fn next_to(id: u64) -> u64 {
    id + 1
}

/// Makes the node with the small disk the leader.
async fn lead(stage: &mut Stage) -> Result<()> {
    for _ in 0..20 {
        let leader = stage.cluster.wait_leader(LEADER_TIME_MAX).await?;
        if leader == NODE {
            return Ok(());
        }
        stage.cluster.stop_node(leader)?;
        stage.cluster.wait_leader(LEADER_TIME_MAX).await?;
        stage.cluster.start_node(leader)?;
        stage.wait_ready().await?;
    }
    anyhow::bail!("node {NODE} was never made the leader")
}

/// Waits for a state of the node; returns what it said about being ready.
async fn wait_for(
    stage: &mut Stage,
    what: &str,
    limit: Duration,
    reached: impl Fn((bool, &str), &NodeStatus) -> bool,
) -> Result<String> {
    let start = Instant::now();
    let mut client: HttpClient = stage.node_client(NODE)?;
    let mut last = String::new();
    while start.elapsed() < limit {
        stage.cluster.check_running()?;
        // A node that has just been started answers nothing for a moment.
        if let Ok(ready) = client.get("/readyz").await
            && let Ok(status) = stage.cluster.node_status(NODE).await
        {
            let text = ready.text();
            if reached((ready.is_success(), &text), &status) {
                return Ok(text);
            }
            last = format!("ready says {text:?}, {status:?}");
        }
        tokio::time::sleep(POLL).await;
    }
    anyhow::bail!("node {NODE} takes more than {} s {what}: {last}", limit.as_secs())
}

/// Waits until some more payments were answered.
async fn progress(stage: &mut Stage, traffic: &mut Traffic) -> Result<()> {
    let before = traffic.answered();
    let start = Instant::now();
    while traffic.answered() < before + ANSWERS_MIN {
        traffic.check_running()?;
        stage.cluster.check_running()?;
        ensure!(
            start.elapsed() < PROGRESS_TIME_MAX,
            "{} answers within {} s",
            traffic.answered() - before,
            PROGRESS_TIME_MAX.as_secs()
        );
        tokio::time::sleep(POLL).await;
    }
    Ok(())
}

fn metric(text: &str, name: &str) -> Result<f64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    let value = line.with_context(|| format!("there is no metric {name}"))?;
    value.trim().parse().with_context(|| format!("{name} is `{value}`"))
}
