//! Twenty sudden deaths under traffic: nodes and gateways are killed and restarted while eight clients pay both ways.
//!
//! Whatever dies, each payment has one answer for ever, money moves exactly once for each `ACSC`, its
//! document arrives exactly once, and the nodes end equal. At no time is more than one of three nodes down.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use corridor::chance::Chance;

use crate::{
    process_stage::{Stage, on_stage, shuffle},
    process_traffic::{Traffic, check_all},
};

const LEADER_KILLS: usize = 7;
const FOLLOWER_KILLS: usize = 5;
const GATEWAY_KILLS: usize = 8;
const KILLS: usize = LEADER_KILLS + FOLLOWER_KILLS + GATEWAY_KILLS;
/// A killed process stays down for at most this long, in milliseconds.
const DOWN_MS_MAX: u64 = 1_000;
/// Traffic runs this long between two kills, in milliseconds, and until some payments were answered.
const CALM_MS: std::ops::Range<u64> = 200..900;
const ANSWERS_BETWEEN_KILLS: u64 = 8;
const PROGRESS_TIME_MAX: Duration = Duration::from_secs(30);
const LEADER_TIME_MAX: Duration = Duration::from_secs(30);
/// Fewer would mean that the traffic stood still.
const SETTLED_MIN: usize = 200;

/// Who is killed next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Victim {
    Leader,
    Follower,
    Gateway(usize),
}

/// A process that is down.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Down {
    Node(u64),
    Gateway(String),
}

#[test]
fn twenty_kills_lose_and_double_nothing() {
    on_stage("process-kill", false, kill_and_check);
}

async fn kill_and_check(stage: &mut Stage) -> Result<()> {
    stage.start().await?;
    let start = Instant::now();
    let mut traffic = Traffic::start(stage)?;
    let kills = kill_all(stage, &mut traffic).await?;
    ensure!(kills.len() == KILLS, "only {} kills", kills.len());
    let sent = traffic.stop().await?;
    let traffic_time = start.elapsed();

    let checked = check_all(stage, &sent).await?;
    ensure!(checked.settled >= SETTLED_MIN, "only {} payments settled", checked.settled);
    println!(
        "{checked}; {KILLS} kills ({}) in {:.1} s, checked after {:.1} s",
        kills.join(", "),
        traffic_time.as_secs_f64(),
        start.elapsed().as_secs_f64(),
    );
    Ok(())
}

/// All victims in an order that the seed chooses.
fn victims(chance: &mut Chance) -> Vec<Victim> {
    let mut victims = vec![Victim::Leader; LEADER_KILLS];
    victims.extend([Victim::Follower; FOLLOWER_KILLS]);
    victims.extend((0..GATEWAY_KILLS).map(|number| Victim::Gateway(number % 2)));
    shuffle(&mut victims, chance);
    victims
}

/// Kills and restarts until the list is done and everybody runs; returns who was killed, in order.
async fn kill_all(stage: &mut Stage, traffic: &mut Traffic) -> Result<Vec<String>> {
    let mut chance = Chance::new(stage.seed);
    let mut down = Downs::default();
    let mut killed = Vec::new();
    let mut leaders_killed = 0;
    for victim in victims(&mut chance) {
        let before = traffic.answered();
        let calm = CALM_MS.start + chance.below(CALM_MS.end - CALM_MS.start);
        down.restart_until(stage, Instant::now() + Duration::from_millis(calm)).await?;
        let start = Instant::now();
        while traffic.answered() < before + ANSWERS_BETWEEN_KILLS {
            traffic.check_running()?;
            stage.cluster.check_running()?;
            ensure!(
                start.elapsed() < PROGRESS_TIME_MAX,
                "no traffic for {} s after {killed:?}",
                PROGRESS_TIME_MAX.as_secs()
            );
            down.restart_until(stage, Instant::now() + Duration::from_millis(20)).await?;
        }
        let target = match victim {
            Victim::Gateway(number) => Down::Gateway(stage.bics[number].clone()),
            Victim::Leader | Victim::Follower => {
                down.wait_for_nodes(stage).await?;
                let leader = stage.cluster.wait_leader(LEADER_TIME_MAX).await?;
                let others: Vec<u64> =
                    stage.cluster.node_ids().into_iter().filter(|id| *id != leader).collect();
                let follower = others[chance.below(others.len() as u64) as usize];
                leaders_killed += usize::from(victim == Victim::Leader);
                Down::Node(if victim == Victim::Leader { leader } else { follower })
            }
        };
        down.wait_for(stage, &target).await?;
        let name = match &target {
            Down::Node(id) => {
                stage.cluster.kill_node(*id)?;
                format!("{victim:?} {id}")
            }
            Down::Gateway(bic) => {
                stage.cluster.kill_gateway(bic)?;
                format!("{bic:.4}")
            }
        };
        killed.push(name);
        let due = Instant::now() + Duration::from_millis(chance.below(DOWN_MS_MAX + 1));
        down.0.push((due, target));
    }
    ensure!(leaders_killed >= 5, "only {leaders_killed} leaders were killed");
    while !down.0.is_empty() {
        down.restart_next(stage).await?;
    }
    stage.wait_ready().await?;
    stage.cluster.check_running()?;
    traffic.check_running()?;
    Ok(killed)
}

/// Who is down, and when each is started again.
#[derive(Default)]
struct Downs(Vec<(Instant, Down)>);

impl Downs {
    /// Sleeps until a point in time and starts on the way what is due.
    async fn restart_until(&mut self, stage: &mut Stage, end: Instant) -> Result<()> {
        while self.0.iter().any(|(due, _)| *due <= end) {
            self.restart_next(stage).await?;
        }
        tokio::time::sleep_until(end.into()).await;
        Ok(())
    }

    /// Waits for the next restart and does it.
    async fn restart_next(&mut self, stage: &mut Stage) -> Result<()> {
        let next = (0..self.0.len()).min_by_key(|place| self.0[*place].0);
        let (due, down) = self.0.swap_remove(next.context("nobody is down")?);
        tokio::time::sleep_until(due.into()).await;
        match down {
            Down::Node(id) => stage.cluster.start_node(id),
            Down::Gateway(bic) => stage.cluster.start_gateway(&bic),
        }
    }

    /// Waits until this process runs.
    async fn wait_for(&mut self, stage: &mut Stage, wanted: &Down) -> Result<()> {
        while self.0.iter().any(|(_, down)| down == wanted) {
            self.restart_next(stage).await?;
        }
        Ok(())
    }

    /// Waits until all nodes run.
    async fn wait_for_nodes(&mut self, stage: &mut Stage) -> Result<()> {
        while self.0.iter().any(|(_, down)| matches!(down, Down::Node(_))) {
            self.restart_next(stage).await?;
        }
        Ok(())
    }
}
