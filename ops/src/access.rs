//! `corridor audit access`: who read data of parties, from a node's history.

use anyhow::Result;
use clap::Args;
use serde::{Deserialize, Serialize};

use crate::clock::date_time;
use crate::question;
use crate::status::NodeChoice;

/// Arguments of `corridor audit access`.
#[derive(Debug, Args)]
pub struct AccessArguments {
    #[command(flatten)]
    nodes: NodeChoice,
    /// Only in the house of this bank
    #[arg(long, value_name = "BIC")]
    bank: Option<String>,
    /// Only to data of this payment
    #[arg(long, value_name = "UETR")]
    payment: Option<String>,
    /// From this block on
    #[arg(long, value_name = "HEIGHT", default_value_t = 1)]
    from: u64,
    /// Up to this block [default: the newest]
    #[arg(long, value_name = "HEIGHT")]
    to: Option<u64>,
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
}

/// One access that was recorded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessRow {
    /// Block.
    pub height: u64,
    /// Its ledger time, nanoseconds since 1970.
    pub time_ns: u64,
    /// Leaf of the record.
    pub leaf: u64,
    /// Id of the record's command.
    pub id: String,
    /// BIC of the bank in whose house it was read.
    pub bank: String,
    /// `opened`, `exported`, `queried` or `erased`.
    pub access: String,
    /// UETR of the payment, where it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payment: Option<String>,
    /// Digest of what was read, hex.
    pub what: String,
    /// Who.
    pub reader: String,
    /// On what ground.
    pub ground: String,
}

#[derive(Debug, Deserialize)]
struct Page {
    to: u64,
    rows: Vec<AccessRow>,
    next: Option<u64>,
}

/// Runs `corridor audit access`.
///
/// # Errors
/// When no node answers, or a name is unknown.
pub async fn run(arguments: AccessArguments) -> Result<()> {
    let (mut from, mut to, mut count) = (arguments.from, arguments.to, 0_u64);
    loop {
        let mut path = format!("/v1/access?rows=1000&from={from}");
        if let Some(to) = to {
            path += &format!("&to={to}");
        }
        if let Some(bank) = &arguments.bank {
            path += &format!("&bank={bank}");
        }
        if let Some(payment) = &arguments.payment {
            path += &format!("&payment={}", payment.to_ascii_lowercase());
        }
        let page: Page = question::ask(&arguments.nodes, &path).await?;
        // All pages are of one height, however many blocks come meanwhile.
        to = Some(page.to);
        for row in &page.rows {
            count += 1;
            match arguments.json {
                true => question::print_json(row)?,
                false => println!("{}", line(row)),
            }
        }
        match page.next {
            Some(next) => from = next,
            None => break,
        }
    }
    if !arguments.json {
        println!("{count} accesses up to block {}", to.unwrap_or(0));
    }
    Ok(())
}

fn line(row: &AccessRow) -> String {
    let about = row.payment.as_ref().map_or_else(
        || format!("data with digest {}", row.what),
        |payment| format!("payment {payment}"),
    );
    format!(
        "{} UTC  {} {} {about}: {} (leaf {})",
        date_time(row.time_ns),
        row.bank,
        row.access,
        format_args!("{}, {}", row.reader, row.ground),
        row.leaf
    )
}
