//! A bad day: kills, pauses, a network that loses, delays, doubles and disorders, and splits of every kind.
//!
//! Three nodes and two gateways behind a proxy whose weather changes, under payments both ways. After
//! each blow the network must go on, and where a healthy majority is left also during it. At the
//! end everything that was answered must hold. The seed chooses order, victims and lengths.

use std::{
    env,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use corridor::{
    chance::Chance,
    udp_proxy::{UdpProxy, Weather},
};

use crate::{
    process_stage::{Stage, on_stage, shuffle},
    process_traffic::{Traffic, check_all},
};

/// How often every blow falls; more takes longer.
const ROUNDS_VARIABLE: &str = "CORRIDOR_CHAOS_ROUNDS";
/// A blow lasts this long, in milliseconds, and where the network can go on until it has.
const BLOW_MS: std::ops::Range<u64> = 1_500..3_000;
/// A pause lasts longer: all patience of the others must run out.
const PAUSE_MS: std::ops::Range<u64> = 3_000..5_000;
const ANSWERS_MIN: u64 = 8;
const PROGRESS_TIME_MAX: Duration = Duration::from_secs(30);
const LEADER_TIME_MAX: Duration = Duration::from_secs(30);
/// How soon a leader that was away must know that it leads no more.
const STEP_DOWN_TIME_MAX: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(20);

const LOSSY: Weather = Weather { lost: 50, ..Weather::CALM };
const FAR: Weather = Weather {
    delay: Duration::from_millis(45),
    jitter: Duration::from_millis(10),
    ..Weather::CALM
};
const DISORDERLY: Weather = Weather { doubled: 50, overtaken: 50, ..Weather::CALM };

/// What happens to the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Blow {
    KillLeader,
    KillFollower,
    KillGateway,
    KillAllNodes,
    PauseLeader,
    PauseFollower,
    /// 5 % of all datagrams are lost, everywhere.
    Loss,
    /// 90 to 110 ms for a round trip, everywhere.
    Distance,
    /// 5 % come twice and 5 % too late, everywhere.
    Disorder,
    /// The leader is alone.
    CutLeader,
    /// Nobody hears the leader, which hears all.
    MuteLeader,
    /// The leader hears nobody, all hear it.
    DeafLeader,
    /// Any one node is alone.
    Split,
}

const BLOWS: [Blow; 13] = [
    Blow::KillLeader,
    Blow::KillFollower,
    Blow::KillGateway,
    Blow::KillAllNodes,
    Blow::PauseLeader,
    Blow::PauseFollower,
    Blow::Loss,
    Blow::Distance,
    Blow::Disorder,
    Blow::CutLeader,
    Blow::MuteLeader,
    Blow::DeafLeader,
    Blow::Split,
];

/// What has to be undone.
#[derive(Debug, Default)]
struct Damage {
    killed: Vec<u64>,
    gateway: Option<String>,
    paused: Option<u64>,
    /// The leader that was taken away from the others.
    deposed: Option<u64>,
}

#[test]
fn nothing_is_lost_on_a_bad_day() {
    on_stage("process-chaos", false, live_through_a_bad_day);
}

async fn live_through_a_bad_day(stage: &mut Stage) -> Result<()> {
    let proxy = UdpProxy::in_front_of(stage.cluster.layout(), stage.seed)?;
    stage.start().await?;
    let start = Instant::now();
    let mut traffic = Traffic::start(stage)?;
    let mut chance = Chance::new(stage.seed);
    for _ in 0..rounds() {
        let mut blows = BLOWS;
        shuffle(&mut blows, &mut chance);
        for blow in blows {
            progress(stage, &mut traffic, Instant::now(), blow).await?;
            let text = suffer(stage, &proxy, &mut traffic, &mut chance, blow)
                .await
                .with_context(|| format!("{blow:?}"))?;
            println!("{:6.1} s {text}", start.elapsed().as_secs_f64());
        }
    }
    stage.wait_ready().await?;
    let sent = traffic.stop().await?;
    let checked = check_all(stage, &sent).await?;
    let counts = proxy.counts();
    ensure!(counts.lost > 0, "the weather took nothing: the proxy was not in the way");
    println!("{checked}; {counts:?}; all after {:.1} s", start.elapsed().as_secs_f64());
    Ok(())
}

fn rounds() -> u64 {
    let Ok(text) = env::var(ROUNDS_VARIABLE) else { return 1 };
    text.parse()
        .unwrap_or_else(|_| panic!("{ROUNDS_VARIABLE} is `{text}`, which is no whole number"))
}

/// One blow from its beginning to the end of its consequences; returns what happened in words.
async fn suffer(
    stage: &mut Stage,
    proxy: &UdpProxy,
    traffic: &mut Traffic,
    chance: &mut Chance,
    blow: Blow,
) -> Result<String> {
    let lengths = match blow {
        Blow::PauseLeader | Blow::PauseFollower => PAUSE_MS,
        _ => BLOW_MS,
    };
    let length = Duration::from_millis(lengths.start + chance.below(lengths.end - lengths.start));
    let term = highest_term(stage, None).await;
    let damage = strike(stage, proxy, chance, blow).await?;
    let begin = Instant::now();
    let before = traffic.answered();
    if blow == Blow::KillAllNodes {
        tokio::time::sleep(length).await;
    } else {
        progress(stage, traffic, begin + length, blow).await?;
    }
    let (lasted, during) = (begin.elapsed(), traffic.answered() - before);
    if let Some(old) = damage.deposed {
        let new = highest_term(stage, Some(old)).await;
        ensure!(new > term, "nobody has taken the lead of node {old}: term {new} after {term}");
    }
    heal(stage, proxy, &damage)?;
    let healed = Instant::now();
    progress(stage, traffic, healed, blow).await?;
    if let Some(old) = damage.deposed.or(damage.paused) {
        wait_caught_up(stage, old).await?;
    }
    Ok(format!(
        "{blow:?} {damage:?} for {:.1} s with {during} answers; normal after {:.2} s more",
        lasted.as_secs_f64(),
        healed.elapsed().as_secs_f64()
    ))
}

async fn strike(
    stage: &mut Stage,
    proxy: &UdpProxy,
    chance: &mut Chance,
    blow: Blow,
) -> Result<Damage> {
    let leader = stage.cluster.wait_leader(LEADER_TIME_MAX).await?;
    let nodes = stage.cluster.node_ids();
    let followers: Vec<u64> = nodes.iter().copied().filter(|id| *id != leader).collect();
    let follower = followers[chance.below(followers.len() as u64) as usize];
    let mut damage = Damage::default();
    match blow {
        Blow::KillLeader => {
            stage.cluster.kill_node(leader)?;
            damage.killed.push(leader);
        }
        Blow::KillFollower => {
            stage.cluster.kill_node(follower)?;
            damage.killed.push(follower);
        }
        Blow::KillGateway => {
            let bic = stage.bics[chance.below(stage.bics.len() as u64) as usize].clone();
            stage.cluster.kill_gateway(&bic)?;
            damage.gateway = Some(bic);
        }
        Blow::KillAllNodes => {
            for id in nodes {
                stage.cluster.kill_node(id)?;
                damage.killed.push(id);
            }
        }
        Blow::PauseLeader => {
            stage.cluster.pause_node(leader)?;
            damage.paused = Some(leader);
            damage.deposed = Some(leader);
        }
        Blow::PauseFollower => {
            stage.cluster.pause_node(follower)?;
            damage.paused = Some(follower);
        }
        Blow::Loss => proxy.set_everywhere(LOSSY),
        Blow::Distance => proxy.set_everywhere(FAR),
        Blow::Disorder => proxy.set_everywhere(DISORDERLY),
        Blow::CutLeader => proxy.part(&[leader]),
        Blow::MuteLeader => proxy.silence(&[leader]),
        Blow::DeafLeader => proxy.deafen(&[leader]),
        Blow::Split => proxy.part(&[nodes[chance.below(nodes.len() as u64) as usize]]),
    }
    if matches!(blow, Blow::CutLeader | Blow::MuteLeader | Blow::DeafLeader) {
        damage.deposed = Some(leader);
    }
    Ok(damage)
}

fn heal(stage: &mut Stage, proxy: &UdpProxy, damage: &Damage) -> Result<()> {
    proxy.calm();
    for id in &damage.killed {
        stage.cluster.start_node(*id)?;
    }
    if let Some(bic) = &damage.gateway {
        stage.cluster.start_gateway(bic)?;
    }
    if let Some(id) = damage.paused {
        stage.cluster.resume_node(id)?;
    }
    Ok(())
}

/// Waits until a point in time and until some more payments were answered.
async fn progress(
    stage: &mut Stage,
    traffic: &mut Traffic,
    until: Instant,
    blow: Blow,
) -> Result<()> {
    let before = traffic.answered();
    let begin = Instant::now();
    while Instant::now() < until || traffic.answered() < before + ANSWERS_MIN {
        traffic.check_running()?;
        stage.cluster.check_running()?;
        ensure!(
            begin.elapsed() < PROGRESS_TIME_MAX,
            "{} answers within {} s round {blow:?}",
            traffic.answered() - before,
            PROGRESS_TIME_MAX.as_secs()
        );
        tokio::time::sleep(POLL).await;
    }
    Ok(())
}

/// The highest term that any node but one knows.
async fn highest_term(stage: &Stage, but: Option<u64>) -> u64 {
    let mut highest = 0;
    for id in stage.cluster.node_ids() {
        if Some(id) != but
            && stage.cluster.node_runs(id)
            && let Ok(status) = stage.cluster.node_status(id).await
        {
            highest = highest.max(status.term);
        }
    }
    highest
}

/// Waits until a node that was away knows the term, and has applied what the others had when it came back.
async fn wait_caught_up(stage: &Stage, old: u64) -> Result<()> {
    let term = highest_term(stage, Some(old)).await;
    let mut height = 0;
    for id in stage.cluster.node_ids().into_iter().filter(|id| *id != old) {
        height = height.max(stage.cluster.node_status(id).await?.height);
    }
    let begin = Instant::now();
    loop {
        if let Ok(status) = stage.cluster.node_status(old).await
            && status.term >= term
            && status.height >= height
        {
            return Ok(());
        }
        ensure!(
            begin.elapsed() < STEP_DOWN_TIME_MAX,
            "node {old} has not caught up with term {term} and height {height} after {} s",
            STEP_DOWN_TIME_MAX.as_secs()
        );
        tokio::time::sleep(POLL).await;
    }
}
