//! What the demo says: numbered steps for somebody who sees the network for the first time.

use anyhow::Result;

use crate::cluster::Cluster;
use crate::messages::Status;
use crate::money::format_grouped;

use super::DemoResult;

/// Prints steps and lines.
#[derive(Debug, Default)]
pub(crate) struct Voice {
    steps: u32,
}

impl Voice {
    /// A voice that has said nothing.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Says what is to come.
    pub(crate) fn headline(&self, banks: usize) {
        println!("Corridor: {banks} banks settle payments with each other, on this machine.");
        println!(
            "Each bank runs a node (the shared ledger) and a gateway (its ISO 20022 messages)."
        );
    }

    /// Begins a numbered step.
    pub(crate) fn step(&mut self, title: &str) {
        self.steps += 1;
        println!("\n{:>2}. {title}", self.steps);
    }

    /// Says something within a step.
    pub(crate) fn line(&self, text: impl AsRef<str>) {
        println!("    {}", text.as_ref());
    }

    /// Lists banks and processes.
    pub(crate) fn network(&self, cluster: &Cluster) -> Result<()> {
        for (id, bank) in cluster.layout().nodes() {
            self.line(format!(
                "{:<27} {:<11}  node {id} {}  gateway {}",
                bank.name,
                bank.bic,
                cluster.node_http(id)?,
                cluster.gateway_http(&bank.bic)?
            ));
        }
        Ok(())
    }

    /// The verdict.
    pub(crate) fn verdict(&mut self, result: &DemoResult) {
        self.step("Result");
        let rows = [
            ("payments sent", result.payments_sent.to_string()),
            ("settled", result.settled.to_string()),
            ("refused", result.refused.to_string()),
            ("lost", result.lost.to_string()),
            ("duplicated", result.duplicated.to_string()),
            ("settled within, half of them", format!("{:.1} ms", result.settle_ms_p50)),
            (
                "settled within, 99 of 100 (outage included)",
                format!("{:.1} ms", result.settle_ms_p99),
            ),
            ("recovery after the leader's death", format!("{:.0} ms", result.recovery_ms)),
            ("every cent accounted for", yes(result.conserved)),
            ("nodes hold the same state", yes(result.nodes_equal)),
            ("wrong messages answered as they should", yes(result.refusals_as_expected)),
            ("time for all of this", format!("{:.0} s", result.seconds)),
        ];
        for (what, value) in rows {
            self.line(format!("{what:<45} {value:>10}"));
        }
        self.line(if result.all_held { "Everything held." } else { "NOT everything held." });
    }
}

fn yes(value: bool) -> String {
    if value { "yes".to_owned() } else { "NO".to_owned() }
}

/// A status as one reads it.
pub(crate) fn status_text(status: &Status) -> String {
    let meaning = match status.code.as_str() {
        "ACSC" => " (settled)",
        "RJCT" => " (refused)",
        _ => "",
    };
    let blank = if status.reason.is_empty() { "" } else { " " };
    format!("{}{meaning}{blank}{}", status.code, status.reason)
}

/// An amount with its currency.
pub(crate) fn amount_text(currency: &str, minor: u64, exponent: u8) -> String {
    format!("{currency} {}", format_grouped(i128::from(minor), exponent))
}

/// A text cut to a number of characters.
pub(crate) fn short(text: &str, characters: usize) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= characters {
        return line;
    }
    line.chars().take(characters.saturating_sub(1)).chain(['…']).collect()
}

/// Where a reader can go on.
pub(crate) fn urls(cluster: &Cluster) -> Result<()> {
    println!("\nLook around:");
    for id in cluster.node_ids() {
        println!("  node {id}: {}/", cluster.node_http(id)?);
    }
    let dir = cluster.layout().dir().display();
    println!("  corridor status --dir {dir}");
    for bank in cluster.layout().gateways() {
        println!(
            "  corridor send FILE --gateway {} --token-file {}/token",
            cluster.gateway_http(&bank.bic)?,
            cluster.layout().participant_dir(bank).display()
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_short_and_plain() {
        assert_eq!(short("a\n  b  c", 10), "a b c");
        assert_eq!(short("abcdef", 4), "abc…");
        assert_eq!(amount_text("EUR", 125_000, 2), "EUR 1,250.00");
        let refused = Status { code: "RJCT".into(), reason: "AM04".into(), text: String::new() };
        assert_eq!(status_text(&refused), "RJCT (refused) AM04");
    }
}
