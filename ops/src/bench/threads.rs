//! Processor time by stage: each thread of each process is one stage's, by its name.
//!
//! Read from the system before and after a run. What threads used that have ended since is known only
//! for all of them together: it is the difference to what their process used.

use std::collections::BTreeMap;
use std::fs;

use serde::Serialize;

use super::measure::rounded;
use crate::process::usage_of;

/// Name of the load generator in the rows.
const CLIENT: &str = "client";
/// Stage of the threads that have ended.
const ENDED: &str = "ended threads";
/// Stages by the beginning of a thread's name, as the system cuts it: at most 15 bytes.
const STAGES: &[(&str, &str)] = &[
    ("tokio-rt", "network"),
    ("checker", "checks"),
    ("node-loop", "order and apply"),
    ("log-", "log writer"),
    ("history-", "history writer"),
    ("disk-runs", "runs of ids"),
    ("disk-", "disk readers"),
    ("gateway-store", "store"),
    ("sign-", "signing"),
];

/// Nanoseconds of processor time by process and stage.
#[derive(Clone, Debug, Default)]
pub(crate) struct ThreadTimes(BTreeMap<(String, &'static str), u64>);

/// One row of the table.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct StageCost {
    /// `leader`, `follower` (the mean of all followers), a gateway, or `client`.
    pub(crate) role: String,
    /// What the threads do.
    pub(crate) stage: &'static str,
    /// Microseconds of processor time for each transfer or payment.
    pub(crate) us: f64,
}

impl ThreadTimes {
    /// What the threads of these processes and of this one have used so far.
    pub(crate) fn now(processes: &[(String, u32)]) -> Self {
        let mut times = Self::default();
        for (name, id) in processes {
            times.read(name, &id.to_string());
        }
        times.read(CLIENT, "self");
        times
    }

    fn read(&mut self, process: &str, id: &str) {
        let Ok(threads) = fs::read_dir(format!("/proc/{id}/task")) else { return };
        let mut sum = 0;
        for thread in threads.flatten() {
            let path = thread.path();
            let Ok(name) = fs::read_to_string(path.join("comm")) else { continue };
            let Ok(times) = fs::read_to_string(path.join("schedstat")) else { continue };
            let used = times.split_ascii_whitespace().next().and_then(|text| text.parse().ok());
            let key = (process.to_owned(), stage_of(&name));
            let used: u64 = used.unwrap_or(0);
            *self.0.entry(key).or_default() += used;
            sum += used;
        }
        let all = usage_of(id).map_or(0, |usage| (usage.cpu_seconds * 1e9) as u64);
        self.0.insert((process.to_owned(), ENDED), all.saturating_sub(sum));
    }

    /// What was used since `before` for each of `count` units, largest first within a role.
    ///
    /// `role_of` names the role of a process; processes of one role are averaged.
    pub(crate) fn since(
        &self,
        before: &Self,
        count: u64,
        role_of: impl Fn(&str) -> String,
    ) -> Vec<StageCost> {
        let mut members: BTreeMap<String, Vec<&str>> = BTreeMap::new();
        let mut used: BTreeMap<(String, &'static str), u64> = BTreeMap::new();
        for ((process, stage), now) in &self.0 {
            let role = if process == CLIENT { CLIENT.to_owned() } else { role_of(process) };
            let names = members.entry(role.clone()).or_default();
            if !names.contains(&process.as_str()) {
                names.push(process);
            }
            let earlier = before.0.get(&(process.clone(), *stage)).copied().unwrap_or(0);
            *used.entry((role, *stage)).or_default() += now.saturating_sub(earlier);
        }
        let mut rows: Vec<StageCost> = used
            .into_iter()
            .map(|((role, stage), ns)| {
                let processes = members.get(&role).map_or(1, Vec::len).max(1) as f64;
                let us = rounded(ns as f64 / 1_000.0 / processes / count.max(1) as f64);
                StageCost { role, stage, us }
            })
            // The system counts whole processes in steps of ten milliseconds.
            .filter(|row| row.us > if row.stage == ENDED { 0.1 } else { 0.0 })
            .collect();
        let order = |role: &str| match role {
            "leader" => 0,
            "follower" => 1,
            CLIENT => 3,
            _ => 2,
        };
        rows.sort_by(|one, other| {
            (order(&one.role), &one.role)
                .cmp(&(order(&other.role), &other.role))
                .then(other.us.total_cmp(&one.us))
        });
        rows
    }
}

fn stage_of(name: &str) -> &'static str {
    STAGES.iter().find(|(start, _)| name.starts_with(start)).map_or("other", |(_, stage)| stage)
}

/// Prints the rows, a line a role.
pub(crate) fn print(rows: &[StageCost], unit: &str) {
    println!("microseconds of processor time for each {unit}, by stage:");
    let mut roles: Vec<&str> = rows.iter().map(|row| row.role.as_str()).collect();
    roles.dedup();
    for role in roles {
        let own: Vec<&StageCost> = rows.iter().filter(|row| row.role == role).collect();
        let sum: f64 = own.iter().map(|row| row.us).sum();
        let stages: Vec<String> =
            own.iter().map(|row| format!("{} {:.3}", row.stage, row.us)).collect();
        println!("  {role:<20} {sum:>9.3} = {}", stages.join(" + "));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(rows: &[(&str, &'static str, u64)]) -> ThreadTimes {
        ThreadTimes(rows.iter().map(|(p, s, ns)| (((*p).to_owned(), *s), *ns)).collect())
    }

    #[test]
    fn followers_are_averaged_and_the_largest_stage_comes_first() {
        let before = times(&[("node 1", "checks", 1_000_000)]);
        let after = times(&[
            ("node 1", "checks", 3_000_000),
            ("node 1", "network", 8_000_000),
            ("node 2", "checks", 2_000_000),
            ("node 3", "checks", 4_000_000),
            ("client", "signing", 1_000_000),
        ]);
        let role = |process: &str| if process == "node 1" { "leader" } else { "follower" };
        let rows = after.since(&before, 1_000, |process| role(process).to_owned());
        let seen: Vec<(&str, &str, f64)> =
            rows.iter().map(|row| (row.role.as_str(), row.stage, row.us)).collect();
        assert_eq!(
            seen,
            [
                ("leader", "network", 8.0),
                ("leader", "checks", 2.0),
                ("follower", "checks", 3.0),
                ("client", "signing", 1.0)
            ]
        );
    }

    #[test]
    fn this_process_is_seen_with_its_threads() {
        std::thread::Builder::new()
            .name("sign-7".to_owned())
            .spawn(|| {
                let own = (CLIENT.to_owned(), "signing");
                let since = std::time::Instant::now();
                let mut sum = 0u64;
                // The system brings a thread's time up to date when it likes, at the latest at a tick.
                while ThreadTimes::now(&[]).0.get(&own).copied().unwrap_or(0) == 0 {
                    assert!(since.elapsed().as_secs() < 10, "no time was seen");
                    for number in 0..1_000_000u64 {
                        sum = std::hint::black_box(sum.wrapping_add(number * number));
                    }
                }
            })
            .expect("a thread starts")
            .join()
            .expect("the thread saw its own time");
    }
}
