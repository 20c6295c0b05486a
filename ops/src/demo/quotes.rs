//! A scene of the demo: two providers quote dollars for euro, and an exchange takes the cheaper one first.

use anyhow::{Context, Result, ensure};
use ledger::{Amount, Command, Exchange, ExchangeAmount, LedgerTime, PlaceQuote, Rate, TransferId};

use crate::clock::now_ns;
use crate::init::uuid_v4;
use crate::ledger::{Network, ask};
use crate::money::format_grouped;

use super::scenario::{Stage, locked};

/// Dollars that are wanted, and the most that is paid for them in euro.
const WANTED: u64 = 100_000_000;
const AT_MOST: u64 = 97_000_000;
/// What each provider gives at most, its price in tenths of a cent for a dollar, and what is taken of it.
const QUOTES: [(u64, u64, u64); 2] =
    [(100_000_000, 961, 40_000_000), (60_000_000, 959, 60_000_000)];
const HOUR_NS: u64 = 3_600_000_000_000;

impl Stage {
    /// An exchange at the quotes of two competing providers.
    pub(crate) async fn competing_quotes(&mut self) -> Result<()> {
        self.voice
            .step("Exchange: two providers quote dollars for euro, the cheaper one goes first");
        let network = Network::open(self.cluster.layout().dir()).await?;
        let bics: Vec<String> = self.banks.iter().map(|bank| bank.bic.clone()).collect();
        let account = |bic: &str, code: &str| format!("{bic}/{code}");
        for (provider, (most, price, _)) in bics[1..].iter().zip(QUOTES) {
            let quote = Command::PlaceQuote(PlaceQuote {
                id: new_id()?,
                sells: network.account(&account(provider, "USD"))?,
                buys: network.account(&account(provider, "EUR"))?,
                rate: Rate::new(price, 1_000).context("a rate")?,
                amount: Amount::new(most),
                least: Amount::new(1),
                until: LedgerTime(now_ns() + HOUR_NS),
                replaces: None,
            });
            let told = ask(&network, provider, quote).await?;
            ensure!(told.answer == "done", "the quote is answered {told:?}");
            self.voice.line(format!(
                "{provider:.4} sells up to USD {} at EUR 0.{price} each",
                format_grouped(i128::from(most), 2)
            ));
        }
        let payer = &bics[0];
        // With three banks nobody is left who has not quoted: the payer buys for itself.
        let receiver = if bics.len() > 3 { &bics[bics.len() - 1] } else { payer };
        let exchange = Command::Exchange(Exchange {
            id: new_id()?,
            debit: network.account(&account(payer, "EUR"))?,
            credit: network.account(&account(receiver, "USD"))?,
            amount: ExchangeAmount::Deliver {
                exactly: Amount::new(WANTED),
                at_most: Amount::new(AT_MOST),
            },
            document: None,
            deadline: None,
        });
        let told = ask(&network, payer, exchange).await?;
        ensure!(told.answer == "settled", "the exchange is answered {told:?}");
        let mut paid = 0;
        {
            let mut book = locked(&self.book);
            for (provider, (_, price, taken)) in bics[1..].iter().zip(QUOTES) {
                let cost = taken * price / 1_000;
                paid += cost;
                book.moved(&account(provider, "USD"), -i128::from(taken));
                book.moved(&account(provider, "EUR"), i128::from(cost));
            }
            book.moved(&account(payer, "EUR"), -i128::from(paid));
            book.moved(&account(receiver, "USD"), i128::from(WANTED));
        }
        let [(_, dear, of_dear), (_, cheap, of_cheap)] = QUOTES;
        self.voice.line(format!(
            "{payer:.4} has USD {} delivered to {receiver:.4} and pays EUR {}: USD {} at 0.{cheap}, USD {} at 0.{dear}",
            format_grouped(i128::from(WANTED), 2),
            format_grouped(i128::from(paid), 2),
            format_grouped(i128::from(of_cheap), 2),
            format_grouped(i128::from(of_dear), 2)
        ));
        self.voice.line("(one record holds the exchange with its rates, to the last cent)");
        self.say_accounts("after", payer, &bics[1]).await
    }
}

fn new_id() -> Result<TransferId> {
    uuid_v4()?.parse().context("a UUID is an id")
}
