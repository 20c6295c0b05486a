//! `corridor fx`: firm quotes of competing providers, and exchanges that take the best of them.
//!
//! Like `corridor ledger`: each command is signed by a bank and sent to a node. A price is what one unit of what the
//! quote gives costs, in units of what it takes.

mod look;

use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use ledger::{
    Amount, Command, CreditOutcome, Exchange, ExchangeAmount, Exponent, LedgerTime, PlaceQuote,
    Rate, ReportCredit, SetReporting, WithdrawQuote,
};
use serde::{Deserialize, Serialize};

use crate::clock::{date_time, now_ns};
use crate::ledger::{Action, Network, Signed, first, id, parse_span, parse_time};
use crate::money::format_grouped;
use crate::status::NodeChoice;

/// `corridor fx ...`.
#[derive(Debug, Subcommand)]
pub enum FxCommand {
    /// Offer to give one currency for another
    Quote(Signed<Quote>),
    /// Take a quote out of the book
    Withdraw(Signed<Withdraw>),
    /// Pay in one currency and deliver in another, at the best quotes
    Take(Signed<Take>),
    /// Report that a customer was credited, or why not
    Report(Signed<Report>),
    /// As the issuer, have the owner of an account report each credit of it, or end that
    Reporting(Signed<Reporting>),
    /// The quotes, best price first
    Book(BookArguments),
    /// What an exchange would cost now, or bring, and which quotes it would take
    Price(look::PriceArguments),
    /// How banks do in reporting credits to their customers, and what is awaited
    Scorecard(look::ScoreArguments),
}

/// Runs `corridor fx ...`.
pub async fn run(command: FxCommand) -> Result<()> {
    match command {
        FxCommand::Quote(signed) => signed.run().await,
        FxCommand::Withdraw(signed) => signed.run().await,
        FxCommand::Take(signed) => signed.run().await,
        FxCommand::Report(signed) => signed.run().await,
        FxCommand::Reporting(signed) => signed.run().await,
        FxCommand::Book(arguments) => book(arguments).await,
        FxCommand::Price(arguments) => look::price(arguments).await,
        FxCommand::Scorecard(arguments) => look::scorecard(arguments).await,
    }
}

/// The words of `quote`.
#[derive(Debug, Args)]
pub struct Quote {
    /// The provider's account that gives
    sells: String,
    /// The provider's account that receives, in another currency
    buys: String,
    /// The most that it gives
    amount: String,
    /// What one unit of what it gives costs, such as 1.0845
    price: String,
    /// The least that it gives in one take [default: one minor unit]
    #[arg(long, value_name = "AMOUNT")]
    least: Option<String>,
    /// Until when it can be taken
    #[arg(long, value_name = "TIME", default_value = "1h")]
    until: String,
    /// A quote of the same provider that goes when this one comes
    #[arg(long, value_name = "UUID")]
    replaces: Option<String>,
    /// Id of this quote [default: a new one]
    #[arg(long, value_name = "UUID")]
    id: Option<String>,
}

impl Action for Quote {
    fn command(&self, network: &Network) -> Result<Command> {
        let least =
            self.least.as_deref().map(|text| network.amount(text, &self.sells)).transpose()?;
        Ok(Command::PlaceQuote(PlaceQuote {
            id: id(self.id.as_deref())?,
            sells: network.account(&self.sells)?,
            buys: network.account(&self.buys)?,
            rate: rate(network, &self.price, &self.buys, &self.sells)?,
            amount: network.amount(&self.amount, &self.sells)?,
            least: least.unwrap_or(Amount::new(1)),
            until: parse_time(&self.until)?,
            replaces: self.replaces.as_deref().map(|text| id(Some(text))).transpose()?,
        }))
    }
}

/// The exact rate of a price: `pays` and `gets` are accounts in what the taker pays and gets.
pub(crate) fn rate(network: &Network, price: &str, pays: &str, gets: &str) -> Result<Rate> {
    let meant = || format!("`{price}` is no price, such as 1.0845");
    let (whole, decimals) = price.split_once('.').unwrap_or((price, ""));
    let number: u64 = format!("{whole}{decimals}").parse().ok().with_context(meant)?;
    let exponent = |account: &str| -> Result<Exponent> {
        Exponent::new(network.asset_of(account)?.1).context("a currency has 0 to 18 decimals")
    };
    let places = u8::try_from(decimals.len()).ok().with_context(meant)?;
    Rate::from_price(number, places, exponent(pays)?, exponent(gets)?).with_context(meant)
}

/// The words of `withdraw`.
#[derive(Debug, Args)]
pub struct Withdraw {
    /// Id of the quote
    quote: String,
}

impl Action for Withdraw {
    fn command(&self, _: &Network) -> Result<Command> {
        Ok(Command::WithdrawQuote(WithdrawQuote { quote: id(Some(&self.quote))? }))
    }
}

/// The words of `take`.
#[derive(Debug, Args)]
pub struct Take {
    /// Account that pays
    from: String,
    /// Account that receives, in another currency
    to: String,
    /// Deliver exactly this; with --at-most
    #[arg(long, value_name = "AMOUNT", requires = "at_most", required_unless_present = "spend")]
    deliver: Option<String>,
    /// Pay no more than this for it
    #[arg(long, value_name = "AMOUNT", requires = "deliver")]
    at_most: Option<String>,
    /// Pay exactly this; with --at-least
    #[arg(long, value_name = "AMOUNT", requires = "at_least", conflicts_with = "deliver")]
    spend: Option<String>,
    /// Deliver no less than this for it
    #[arg(long, value_name = "AMOUNT", requires = "spend")]
    at_least: Option<String>,
    /// Refuse when it is later than this
    #[arg(long, value_name = "TIME")]
    deadline: Option<String>,
    /// Its id [default: a new one]
    #[arg(long, value_name = "UUID")]
    id: Option<String>,
}

impl Action for Take {
    fn command(&self, network: &Network) -> Result<Command> {
        let missing = "give --deliver and --at-most, or --spend and --at-least";
        let amount = match (&self.deliver, &self.at_most, &self.spend, &self.at_least) {
            (Some(exactly), Some(most), ..) => ExchangeAmount::Deliver {
                exactly: network.amount(exactly, &self.to)?,
                at_most: network.amount(most, &self.from)?,
            },
            (_, _, Some(exactly), Some(least)) => ExchangeAmount::Spend {
                exactly: network.amount(exactly, &self.from)?,
                at_least: network.amount(least, &self.to)?,
            },
            _ => anyhow::bail!(missing),
        };
        Ok(Command::Exchange(Exchange {
            id: id(self.id.as_deref())?,
            debit: network.account(&self.from)?,
            credit: network.account(&self.to)?,
            amount,
            document: None,
            deadline: self.deadline.as_deref().map(parse_time).transpose()?,
        }))
    }
}

/// The words of `report`.
#[derive(Debug, Args)]
pub struct Report {
    /// Id of the transfer or exchange that settled
    uetr: String,
    /// The account that it credited
    account: String,
    /// Why the customer could not be credited, as a code of ISO 20022 [default: the customer is credited, now]
    #[arg(long, value_name = "CODE")]
    rejected: Option<String>,
}

impl Action for Report {
    fn command(&self, network: &Network) -> Result<Command> {
        let outcome = match &self.rejected {
            None => CreditOutcome::Credited(LedgerTime(now_ns())),
            Some(code) => CreditOutcome::Rejected(
                code.parse().with_context(|| format!("`{code}` is no reason code"))?,
            ),
        };
        Ok(Command::ReportCredit(ReportCredit {
            transfer: id(Some(&self.uetr))?,
            account: network.account(&self.account)?,
            outcome,
        }))
    }
}

/// The words of `reporting`.
#[derive(Debug, Args)]
pub struct Reporting {
    /// The account whose credits are reported
    account: String,
    /// How long the report may take, such as 20s or 2h, at most 7d; `off` ends it
    within: String,
    /// Id of this command [default: a new one]
    #[arg(long, value_name = "UUID")]
    id: Option<String>,
}

impl Action for Reporting {
    fn command(&self, network: &Network) -> Result<Command> {
        Ok(Command::SetReporting(SetReporting {
            id: id(self.id.as_deref())?,
            account: network.account(&self.account)?,
            within: if self.within == "off" { 0 } else { parse_span(&self.within)? },
        }))
    }
}

/// Arguments of `corridor fx book`.
#[derive(Debug, Args)]
pub struct BookArguments {
    /// Only quotes that take this currency
    #[arg(long, value_name = "CODE")]
    pays: Option<String>,
    /// Only quotes that give this currency
    #[arg(long, value_name = "CODE")]
    gets: Option<String>,
    #[command(flatten)]
    nodes: NodeChoice,
    /// Print the answer as one JSON array
    #[arg(long)]
    json: bool,
}

/// A quote, as `/v1/quotes` shows it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct QuoteView {
    /// Its id.
    pub(crate) quote: String,
    /// Who offers.
    pub(crate) provider: String,
    /// The account that gives.
    pub(crate) sells: String,
    /// The account that receives.
    pub(crate) buys: String,
    /// Minor units that the taker pays ...
    pub(crate) pay: u64,
    /// ... for so many that it gets.
    pub(crate) get: u64,
    /// The most that it still gives, in minor units.
    pub(crate) left_minor: String,
    /// The least that it gives in one take, in minor units.
    pub(crate) least_minor: String,
    /// Until when.
    pub(crate) until_ns: u64,
}

async fn book(arguments: BookArguments) -> Result<()> {
    let (node, found) = first::<Vec<QuoteView>>(&arguments.nodes, "/v1/quotes").await?;
    let all = found.context("the node shows no quotes")?;
    let of = |account: &str, code: &Option<String>| {
        code.as_ref().is_none_or(|code| account.split('/').nth(1) == Some(code))
    };
    let wanted =
        |one: &&QuoteView| of(&one.buys, &arguments.pays) && of(&one.sells, &arguments.gets);
    let found: Vec<&QuoteView> = all.iter().filter(wanted).collect();
    if arguments.json {
        println!("{}", serde_json::to_string(&found).context("write the answer")?);
        return Ok(());
    }
    let balances = crate::node_api::balances(&node).await?;
    let exponent = |account: &str| {
        let code = account.split('/').nth(1).unwrap_or_default();
        let asset = balances.assets.iter().find(|asset| asset.code == code);
        (code.to_owned(), asset.map_or(0, |asset| asset.exponent))
    };
    println!("{} quotes", found.len());
    for one in found {
        let ((gives, decimals), (takes, _)) = (exponent(&one.sells), exponent(&one.buys));
        let left = one.left_minor.parse().unwrap_or_default();
        println!(
            "{}  {:.8} gives up to {gives} {} for {takes}, {} minor units for {}, until {} UTC",
            one.quote,
            one.provider,
            format_grouped(left, decimals),
            one.pay,
            one.get,
            date_time(one.until_ns)
        );
    }
    Ok(())
}
