//! The words of the record of an access: for what is read by other ways than a gateway, such as an export.

use anyhow::{Context, Result, ensure};
use clap::{Args, ValueEnum};
use ledger::{Access, Command, Digest, RecordAccess};

use super::Action;
use super::network::{Network, id};

/// What is done with the data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum AccessWord {
    /// A document is opened
    Opened,
    /// Data is written to a file or another system
    Exported,
    /// A question is answered
    Queried,
    /// The keys of a document are destroyed
    Erased,
}

impl From<AccessWord> for Access {
    fn from(word: AccessWord) -> Self {
        match word {
            AccessWord::Opened => Self::Opened,
            AccessWord::Exported => Self::Exported,
            AccessWord::Queried => Self::Queried,
            AccessWord::Erased => Self::Erased,
        }
    }
}

/// The words of `access`.
#[derive(Debug, Args)]
pub struct AccessWords {
    /// What is done
    access: AccessWord,
    /// SHA-256 of what is read, hex: of an export's manifest, of the words of a question, or a document's commitment
    digest: String,
    /// The bank in whose house it is read
    #[arg(long, value_name = "BIC")]
    by: String,
    /// Who reads, as the bank names its people; it is there for ever, and for all to see
    #[arg(long, value_name = "NAME")]
    reader: String,
    /// Why that is allowed; it names no party of a payment
    #[arg(long, value_name = "TEXT")]
    ground: String,
    /// The payment, where it is one
    #[arg(long, value_name = "UETR")]
    payment: Option<String>,
    /// Id of this command [default: a new one]
    #[arg(long, value_name = "UUID")]
    id: Option<String>,
}

impl Action for AccessWords {
    fn command(&self, network: &Network) -> Result<Command> {
        let digest: Result<Digest, _> = self.digest.parse();
        let payment = self.payment.as_deref().map(|uetr| id(Some(uetr))).transpose()?;
        let record = RecordAccess {
            id: id(self.id.as_deref())?,
            participant: network.participant(&self.by)?,
            access: self.access.into(),
            payment,
            what: digest.with_context(|| format!("`{}` is no SHA-256 in hex", self.digest))?,
            reader: self.reader.clone(),
            ground: self.ground.clone(),
        };
        ensure!(
            record.is_well_formed(),
            "the reader has 1 to 64 bytes, the ground 1 to 140, both in one line"
        );
        Ok(Command::RecordAccess(Box::new(record)))
    }
}
