//! `corridor directory`: who takes part in the network, and who can be paid in which asset.

use anyhow::Result;
use clap::Args;
use serde::{Deserialize, Serialize};

use crate::layout::long_bic;
use crate::question::{pages, print_json};
use crate::status::NodeChoice;

/// Arguments of `corridor directory`.
#[derive(Debug, Args)]
pub struct DirectoryArguments {
    /// The accounts of this participant [default: all participants]
    #[arg(value_name = "BIC", conflicts_with = "asset")]
    bank: Option<String>,
    /// Who can be paid in this asset, each with the account to pay to
    #[arg(long, value_name = "CODE")]
    asset: Option<String>,
    #[command(flatten)]
    nodes: NodeChoice,
    /// Print the answer as one JSON array
    #[arg(long)]
    json: bool,
}

/// A participant, as `/v1/directory` shows it.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct MemberView {
    bic: String,
    name: String,
    state: String,
    votes: bool,
    live_keys: usize,
    sealing_key: String,
    issues: Vec<String>,
}

/// An account, as `/v1/directory/{bic}` shows it.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct ReachView {
    account: String,
    receives: bool,
    pays: bool,
    accepts_within_ns: Option<u64>,
    reports_within_ns: Option<u64>,
}

/// Runs `corridor directory`.
///
/// # Errors
/// When no node answers, or there is no such participant or asset.
pub async fn run(arguments: DirectoryArguments) -> Result<()> {
    let path = match (&arguments.bank, &arguments.asset) {
        (Some(bic), _) => format!("/v1/directory/{}", long_bic(&bic.to_ascii_uppercase())),
        (None, Some(code)) => format!("/v1/reachable/{}", code.to_ascii_uppercase()),
        (None, None) => return members(&arguments).await,
    };
    let rows: Vec<ReachView> = pages(&arguments.nodes, &path).await?;
    if arguments.json {
        return print_json(&rows);
    }
    let width = rows.iter().map(|row| row.account.len()).max().unwrap_or(7).max(7);
    println!("{:<width$}  receives  pays  credits", "account");
    let yes = |yes| if yes { "yes" } else { "no" };
    for row in &rows {
        let mode = match (row.accepts_within_ns, row.reports_within_ns) {
            (None, None) => "settle at once".to_owned(),
            (accepts, reports) => {
                let accepts = accepts.map(|within| format!("accepted within {}", span(within)));
                let reports = reports.map(|within| format!("reported within {}", span(within)));
                [accepts, reports].into_iter().flatten().collect::<Vec<_>>().join(", ")
            }
        };
        let (receives, pays) = (yes(row.receives), yes(row.pays));
        println!("{:<width$}  {receives:<8}  {pays:<4}  {mode}", row.account);
    }
    Ok(())
}

async fn members(arguments: &DirectoryArguments) -> Result<()> {
    let rows: Vec<MemberView> = pages(&arguments.nodes, "/v1/directory").await?;
    if arguments.json {
        return print_json(&rows);
    }
    println!("{:<11}  {:<12}  votes  keys  {:<12}  name", "bank", "state", "issues");
    for row in &rows {
        let votes = if row.votes { "yes" } else { "no" };
        let issues = match row.issues.is_empty() {
            true => "-".to_owned(),
            false => row.issues.join(","),
        };
        println!(
            "{:<11}  {:<12}  {votes:<5}  {:<4}  {issues:<12}  {}",
            row.bic, row.state, row.live_keys, row.name
        );
    }
    Ok(())
}

/// A span of time in the largest unit that divides it.
pub(crate) fn span(nanoseconds: u64) -> String {
    const UNITS: [(u64, &str); 4] = [
        (86_400 * 1_000_000_000, "d"),
        (3_600 * 1_000_000_000, "h"),
        (60 * 1_000_000_000, "m"),
        (1_000_000_000, "s"),
    ];
    let fits = UNITS.iter().find(|(unit, _)| nanoseconds > 0 && nanoseconds.is_multiple_of(*unit));
    match fits {
        Some((unit, word)) => format!("{}{word}", nanoseconds / unit),
        None => format!("{}ms", nanoseconds / 1_000_000),
    }
}

#[cfg(test)]
mod tests {
    use super::span;

    #[test]
    fn spans_are_told_in_the_largest_unit_that_divides_them() {
        let seconds = 1_000_000_000;
        let said = [20, 90, 120, 3_600, 7_200, 86_400].map(|count| span(count * seconds));
        assert_eq!(said, ["20s", "90s", "2m", "1h", "2h", "1d"]);
        assert_eq!(span(1_500_000_000), "1500ms");
    }
}
