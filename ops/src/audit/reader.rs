//! Who reads, and why: an auditor's question or export as a record of the log, made before anything is shown.
//!
//! The bank in whose house it is read signs; what is recorded is the digest of the question's words, or of an export's
//! manifest. Who goes away in between leaves a record of something that was not read, never the other way round. A log
//! that is read without a bank's key, as its tiles or as a mirror, leaves no record: nobody is there to make one.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use clap::Args;
use ledger::{Access, Command, Digest, RecordAccess, TransferId};
use serde::Serialize;
use sha2::Digest as _;

use super::search::LedgerPlace;
use crate::ledger::{Network, Told, ask, id};

/// Who reads.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct ReaderArguments {
    /// Why it is read: the ledger records reader and ground first, for ever and for all to see; name no party of a payment
    #[arg(long, value_name = "TEXT", requires_all = ["reader", "house", "dir"])]
    ground: Option<String>,
    /// Who reads, as the bank names its people
    #[arg(long, value_name = "NAME", requires = "ground")]
    reader: Option<String>,
    /// The bank in whose house it is read, and which signs that
    #[arg(long = "as", id = "house", value_name = "BIC", requires = "ground")]
    house: Option<String>,
}

impl ReaderArguments {
    /// Whether the reading is to be recorded.
    pub(super) fn is_named(&self) -> bool {
        self.ground.is_some()
    }

    /// Has a question recorded, if its reader is named. What is digested are its words as JSON.
    ///
    /// # Errors
    /// When it is not known to be recorded: then nothing may be shown.
    pub(super) fn question(
        &self,
        place: &LedgerPlace,
        words: &impl Serialize,
        payment: Option<&str>,
    ) -> Result<()> {
        let words = serde_json::to_string(words).context("write the question")?;
        if let Some(told) = self.record(place, Access::Queried, payment, words.as_bytes())? {
            eprintln!("recorded as access {}, leaf {}: {words}", told.id, told.leaf);
        }
        Ok(())
    }

    /// Has the reading of what has these bytes recorded, if its reader is named. Blocking, within a runtime.
    ///
    /// # Errors
    /// When it is not known to be recorded: then nothing may be shown.
    pub(super) fn record(
        &self,
        place: &LedgerPlace,
        access: Access,
        payment: Option<&str>,
        bytes: &[u8],
    ) -> Result<Option<Told>> {
        let (Some(ground), Some(reader), Some(house), Some(dir)) =
            (&self.ground, &self.reader, &self.house, &place.dir)
        else {
            return Ok(None);
        };
        let payment = payment.map(|uetr| uetr.to_ascii_lowercase().parse::<TransferId>());
        let record = Record {
            access,
            payment: payment.transpose().context("the payment is no UETR")?,
            what: Digest(sha2::Sha256::digest(bytes).into()),
            reader,
            ground,
        };
        let runtime = tokio::runtime::Handle::current();
        runtime
            .block_on(record.ask(dir, house))
            .context("not recorded, so nothing is shown")
            .map(Some)
    }
}

struct Record<'a> {
    access: Access,
    payment: Option<TransferId>,
    what: Digest,
    reader: &'a str,
    ground: &'a str,
}

impl Record<'_> {
    async fn ask(self, dir: &Path, house: &str) -> Result<Told> {
        let network = Network::open(dir).await?;
        let record = RecordAccess {
            id: id(None)?,
            participant: network.participant(house)?,
            access: self.access,
            payment: self.payment,
            what: self.what,
            reader: self.reader.to_owned(),
            ground: self.ground.to_owned(),
        };
        ensure!(
            record.is_well_formed(),
            "the reader has 1 to 64 bytes, the ground 1 to 140, both in one line"
        );
        let told = ask(&network, house, Command::RecordAccess(Box::new(record))).await?;
        ensure!(told.refusal.is_none(), "the ledger refuses it: {}", told.text.unwrap_or_default());
        Ok(told)
    }
}
