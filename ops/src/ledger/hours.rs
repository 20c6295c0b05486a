//! `corridor ledger day`: the business day of each asset, and what else is set for it.

use anyhow::{Result, ensure};
use clap::Args;
use serde::{Deserialize, Serialize};

use crate::clock::{date, date_time};
use crate::govern::weekday_words;
use crate::money::format_grouped;
use crate::question::{ask, print_json};
use crate::status::NodeChoice;

/// Arguments of `corridor ledger day`.
#[derive(Debug, Args)]
pub struct DayArguments {
    /// Only this asset [default: all]
    #[arg(value_name = "CODE")]
    asset: Option<String>,
    #[command(flatten)]
    nodes: NodeChoice,
    /// Print the answer as one JSON array
    #[arg(long)]
    json: bool,
}

/// An asset, as `/v1/hours` shows it.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct HoursView {
    asset: String,
    exponent: u8,
    open: bool,
    day: Option<DayView>,
    leg_limit_minor: Option<String>,
    funding_limit_minor: Option<String>,
}

/// A business day.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct DayView {
    date_ns: u64,
    opens_ns: u64,
    cut_off_ns: u64,
    opens_minutes: u16,
    cut_off_minutes: u16,
    weekdays: u8,
    holidays_ns: Vec<u64>,
}

/// Runs `corridor ledger day`.
pub(super) async fn run(arguments: DayArguments) -> Result<()> {
    let mut found: Vec<HoursView> = ask(&arguments.nodes, "/v1/hours").await?;
    if let Some(code) = &arguments.asset {
        found.retain(|one| one.asset.eq_ignore_ascii_case(code));
        ensure!(!found.is_empty(), "there is no asset {code}");
    }
    if arguments.json {
        return print_json(&found);
    }
    for one in &found {
        println!("{}  {}", one.asset, if one.open { "open" } else { "closed" });
        match &one.day {
            None => println!("  open always"),
            Some(day) => tell(day),
        }
        let amount = |minor: &Option<String>| {
            let minor = minor.as_ref().and_then(|minor| minor.parse().ok());
            minor.map(|minor| format!("{} {}", one.asset, format_grouped(minor, one.exponent)))
        };
        if let Some(most) = amount(&one.leg_limit_minor) {
            println!("  one leg of a transfer moves at most {most}");
        }
        if let Some(above) = amount(&one.funding_limit_minor) {
            println!("  issuing or redeeming more than {above} takes two people");
        }
    }
    Ok(())
}

fn tell(day: &DayView) {
    println!("  business day {}", date(day.date_ns));
    let (opens, ends) = (date_time(day.opens_ns), date_time(day.cut_off_ns));
    println!("  from {opens} UTC to {ends} UTC");
    let clock = |minutes: u16| format!("{:02}:{:02}", minutes / 60, minutes % 60);
    let (opens, cut_off) = (clock(day.opens_minutes), clock(day.cut_off_minutes));
    println!("  as a rule {opens}-{cut_off}, {}", weekday_words(day.weekdays));
    if !day.holidays_ns.is_empty() {
        let next: Vec<String> = day.holidays_ns.iter().take(5).map(|one| date(*one)).collect();
        println!("  {} holidays to come: {}", day.holidays_ns.len(), next.join(", "));
    }
}
