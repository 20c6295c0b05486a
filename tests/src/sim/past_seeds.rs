//! The seeds that have failed once: they run again each time, whatever else runs.

/// A seed that failed, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PastSeed {
    /// The seed.
    pub seed: u64,
    /// The version of the plan with which it failed; with another one it is some other run.
    pub version: u32,
    /// What was wrong.
    pub why: &'static str,
}

/// The list that is kept beside this file: one line a seed, `version seed why`, `#` for remarks.
///
/// # Panics
/// When a line is none of that.
#[must_use]
pub fn past_seeds() -> Vec<PastSeed> {
    include_str!("past_seeds.txt")
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| parse(line).unwrap_or_else(|| panic!("past seed: {line}")))
        .collect()
}

fn parse(line: &'static str) -> Option<PastSeed> {
    let (version, rest) = line.split_once(' ')?;
    let (seed, why) = rest.split_once(' ')?;
    Some(PastSeed { seed: seed.parse().ok()?, version: version.parse().ok()?, why })
}
