//! `corridor fx price` and `scorecard`: what an exchange would cost now, and how banks report their credits.

use anyhow::{Context, Result};
use clap::Args;
use serde::{Deserialize, Serialize};

use crate::clock::date_time;
use crate::layout::long_bic;
use crate::money::{format_grouped, parse_minor};
use crate::question::{ask, print_json};
use crate::status::NodeChoice;

/// Arguments of `corridor fx price`.
#[derive(Debug, Args)]
pub struct PriceArguments {
    /// What is paid, such as EUR
    #[arg(value_name = "PAYS")]
    pays: String,
    /// What is got for it, such as USD
    #[arg(value_name = "GETS")]
    gets: String,
    /// What it costs to get exactly this
    #[arg(long, value_name = "AMOUNT", required_unless_present = "spend")]
    deliver: Option<String>,
    /// What exactly this brings
    #[arg(long, value_name = "AMOUNT", conflicts_with = "deliver")]
    spend: Option<String>,
    #[command(flatten)]
    nodes: NodeChoice,
    /// Print the answer as one JSON object
    #[arg(long)]
    json: bool,
}

/// Answer to `/v1/price`.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct PriceView {
    height: u64,
    paid_minor: String,
    delivered_minor: String,
    via: Option<String>,
    fills: Vec<FillView>,
    passed: Vec<PassedView>,
}

/// A quote that would be taken.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct FillView {
    quote: String,
    sells: String,
    buys: String,
    gave_minor: String,
    took_minor: String,
}

/// A quote that would be passed over.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct PassedView {
    quote: String,
    why: String,
}

/// What the decimals are read from: `/v1/registry`.
#[derive(Debug, Deserialize)]
struct Registry {
    assets: Vec<RegistryAsset>,
}

#[derive(Debug, Deserialize)]
struct RegistryAsset {
    code: String,
    exponent: u8,
}

impl Registry {
    fn exponent(&self, code: &str) -> Result<u8> {
        let found = self.assets.iter().find(|asset| asset.code == code);
        Ok(found.with_context(|| format!("there is no asset {code}"))?.exponent)
    }

    /// An amount of what an account or code stands for, for people.
    fn text(&self, minor: &str, code: &str) -> String {
        match (minor.parse(), self.exponent(code)) {
            (Ok(minor), Ok(exponent)) => format!("{code} {}", format_grouped(minor, exponent)),
            _ => format!("{code} {minor} minor units"),
        }
    }
}

/// Runs `corridor fx price`.
pub(super) async fn price(arguments: PriceArguments) -> Result<()> {
    let (pays, gets) = (arguments.pays.to_ascii_uppercase(), arguments.gets.to_ascii_uppercase());
    let registry: Registry = ask(&arguments.nodes, "/v1/registry").await?;
    let minor = |text: &str, code: &str| {
        let exponent = registry.exponent(code)?;
        parse_minor(text, exponent).with_context(|| {
            format!("`{text}` is no amount of {code}, which has {exponent} decimals")
        })
    };
    let side = match (&arguments.deliver, &arguments.spend) {
        (Some(exactly), _) => format!("deliver={}", minor(exactly, &gets)?),
        (None, Some(exactly)) => format!("spend={}", minor(exactly, &pays)?),
        (None, None) => anyhow::bail!("give --deliver or --spend"),
    };
    let path = format!("/v1/price?pays={pays}&gets={gets}&{side}");
    let found: PriceView = ask(&arguments.nodes, &path).await?;
    if arguments.json {
        return print_json(&found);
    }
    let (paid, got) =
        (registry.text(&found.paid_minor, &pays), registry.text(&found.delivered_minor, &gets));
    let via = found.via.as_ref().map(|via| format!(", by way of {via}")).unwrap_or_default();
    println!("{paid} pay for {got}{via}, at height {}", found.height);
    let code = |account: &str| account.split('/').nth(1).unwrap_or_default().to_owned();
    for fill in &found.fills {
        let gives = registry.text(&fill.gave_minor, &code(&fill.sells));
        let takes = registry.text(&fill.took_minor, &code(&fill.buys));
        println!("  {}  {:.11} gives {gives} for {takes}", fill.quote, fill.sells);
    }
    for passed in &found.passed {
        println!("  {}  passed over: {}", passed.quote, passed.why);
    }
    println!("nothing is reserved by asking: `corridor fx take` with a bound is what counts");
    Ok(())
}

/// Arguments of `corridor fx scorecard`.
#[derive(Debug, Args)]
pub struct ScoreArguments {
    /// Only this bank [default: all]
    #[arg(value_name = "BIC")]
    bank: Option<String>,
    #[command(flatten)]
    nodes: NodeChoice,
    /// Print the answer as one JSON object
    #[arg(long)]
    json: bool,
}

/// Answer to `/v1/scores`.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct ScoresView {
    height: u64,
    banks: Vec<ScoreView>,
    awaited: Vec<AwaitedView>,
}

/// How a bank has done.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct ScoreView {
    bic: String,
    in_time: u64,
    late: u64,
    rejected: u64,
    missing: u64,
    not_asked: u64,
    mean_ns: Option<u64>,
    awaited: usize,
}

/// A report that is awaited.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct AwaitedView {
    uetr: String,
    account: String,
    bank: String,
    settled_ns: u64,
    by_ns: u64,
    overdue: bool,
}

/// Runs `corridor fx scorecard`.
pub(super) async fn scorecard(arguments: ScoreArguments) -> Result<()> {
    let path = match &arguments.bank {
        Some(bic) => format!("/v1/scores?bank={}", long_bic(&bic.to_ascii_uppercase())),
        None => "/v1/scores".to_owned(),
    };
    let found: ScoresView = ask(&arguments.nodes, &path).await?;
    if arguments.json {
        return print_json(&found);
    }
    if found.banks.is_empty() {
        println!("nobody was asked to report a credit yet (`corridor fx reporting` sets who is)");
        return Ok(());
    }
    println!("bank         in time  late  rejected  missing  not asked  awaited  mean time");
    for one in &found.banks {
        let mean = match one.mean_ns {
            Some(mean) => format!("{}.{:03} s", mean / 1_000_000_000, mean / 1_000_000 % 1_000),
            None => "-".to_owned(),
        };
        println!(
            "{:<11}  {:>7}  {:>4}  {:>8}  {:>7}  {:>9}  {:>7}  {mean}",
            one.bic, one.in_time, one.late, one.rejected, one.missing, one.not_asked, one.awaited
        );
    }
    for one in &found.awaited {
        let overdue = if one.overdue { ", overdue" } else { "" };
        let by = date_time(one.by_ns);
        println!("awaited: {} on {}, by {by} UTC{overdue}", one.uetr, one.account);
    }
    Ok(())
}
