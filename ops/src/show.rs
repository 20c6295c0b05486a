//! `corridor show`: what became of one payment.

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::clock::date_time;
use crate::money::format_grouped;
use crate::node_api::{self, Balances, TransferView};
use crate::status::NodeChoice;

/// Arguments of `corridor show`.
#[derive(Debug, Args)]
pub struct ShowArguments {
    /// UETR of the payment
    uetr: String,
    #[command(flatten)]
    nodes: NodeChoice,
}

/// Runs `corridor show`: asks the nodes in turn until one answers.
pub async fn run(arguments: ShowArguments) -> Result<()> {
    let uetr = arguments.uetr.to_ascii_lowercase();
    let mut last = None;
    for address in arguments.nodes.addresses()? {
        match node_api::transfer(&address, &uetr).await {
            Ok(Some(transfer)) => {
                let balances = node_api::balances(&address).await?;
                print!("{}", describe(&transfer, &balances));
                return Ok(());
            }
            Ok(None) => bail!("{uetr} was never ordered, as far as {address} knows"),
            Err(error) => last = Some(error),
        }
    }
    Err(last.context("no node was named")?.context("no node answers"))
}

fn describe(transfer: &TransferView, balances: &Balances) -> String {
    let mut text = format!("UETR      {}\n", transfer.uetr);
    let reason = transfer.reason.as_deref().map(|reason| format!(": {reason}"));
    text += &format!("answer    {}{}\n", transfer.answer, reason.unwrap_or_default());
    text += &format!("block     {} at {} UTC\n", transfer.height, date_time(transfer.time_ns));
    text += &format!("record    leaf {} of the log\n", transfer.leaf);
    for leg in &transfer.legs {
        let code = leg.debit.split('/').nth(1).unwrap_or_default();
        let asset = balances.assets.iter().find(|asset| asset.code == code);
        let exponent = asset.map_or(0, |asset| asset.exponent);
        let amount = format_grouped(leg.amount_minor, exponent);
        text += &format!("moves     {code} {amount}  {} -> {}\n", leg.debit, leg.credit);
    }
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_transfer_is_described_with_its_amounts() {
        let transfer: TransferView = serde_json::from_str(
            r#"{"uetr": "u", "answer": "settled", "code": 1, "leaf": 4, "height": 2, "time_ns": 0,
                "legs": [{"debit": "A/EUR", "credit": "B/EUR", "amount_minor": "123456"}]}"#,
        )
        .unwrap();
        let balances = serde_json::from_str(
            r#"{"height": 2, "accounts": [], "assets": [{"code": "EUR", "exponent": 2,
                "issued": 0, "redeemed": 0, "sum_of_posted": 0}]}"#,
        )
        .unwrap();
        let text = describe(&transfer, &balances);
        assert!(text.contains("EUR 1,234.56  A/EUR -> B/EUR"), "{text}");
    }
}
