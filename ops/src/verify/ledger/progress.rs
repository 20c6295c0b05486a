//! A progress bar on standard error, when that is a terminal: how far, how fast, how long still.

use std::{
    io::{IsTerminal as _, Write as _, stderr},
    time::{Duration, Instant},
};

const WIDTH: u64 = 30;
const INTERVAL: Duration = Duration::from_millis(100);

/// The bar.
pub(crate) struct Progress {
    shown: bool,
    started: Instant,
    last: Option<Instant>,
}

impl Progress {
    /// A bar that is only shown when `wanted`, and to people.
    pub(crate) fn new(wanted: bool) -> Self {
        Self { shown: wanted && stderr().is_terminal(), started: Instant::now(), last: None }
    }

    /// Shows `done` of `total`, and how many of `count` there were a second.
    pub(crate) fn show(&mut self, what: &str, done: u64, total: u64, count: u64) {
        if !self.shown || self.last.is_some_and(|last| last.elapsed() < INTERVAL) {
            return;
        }
        self.last = Some(Instant::now());
        // A terminal that is gone is no reason to stop.
        let _ =
            write!(stderr(), "\r{}\x1b[K", line(what, done, total, count, self.started.elapsed()));
    }

    /// Removes the bar, and begins anew.
    pub(crate) fn end(&mut self) {
        if self.shown && self.last.take().is_some() {
            let _ = write!(stderr(), "\r\x1b[K");
        }
        self.started = Instant::now();
    }
}

fn line(what: &str, done: u64, total: u64, count: u64, elapsed: Duration) -> String {
    let (done, total) = (done.min(total), total.max(1));
    let share = |of: u64| (u128::from(done) * u128::from(of) / u128::from(total)) as u64;
    let full = share(WIDTH) as usize;
    let bar: String = (0..WIDTH as usize).map(|at| if at < full { '#' } else { '.' }).collect();
    let millis = elapsed.as_millis().max(1);
    let rate = u128::from(count) * 1_000 / millis;
    let left = match done {
        0 => String::new(),
        _ => format!(", {} s left", millis * u128::from(total - done) / u128::from(done) / 1_000),
    };
    format!("[{bar}] {} % {what}: {count}, {rate} a second{left}", share(100))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_how_far_how_fast_and_how_long() {
        let half = line("verified", 50, 100, 1_000, Duration::from_secs(2));
        assert_eq!(
            half,
            "[###############...............] 50 % verified: 1000, 500 a second, 2 s left"
        );
        assert!(line("fetched", 0, 0, 0, Duration::ZERO).contains("0 % fetched"));
    }
}
