//! `pacs.010.001.03`: an institution collects from another that has agreed.

use super::parts::group_header;
use super::{Account, Amount, Build, BuildError, agent, known};
use crate::name::MessageName;
use crate::writer::Draft;

/// A direct debit between institutions.
///
/// ```
/// use iso20022::build::{Amount, Build, InstitutionDebit, InstitutionDirectDebit};
/// use rust_decimal::Decimal;
///
/// let message = InstitutionDirectDebit {
///     message_id: "DEBIT-1".to_owned(),
///     creation_time: "2026-11-24T10:00:00+00:00".to_owned(),
///     credit_id: "MARGIN-7".to_owned(),
///     creditor: "ALPHDEFFXXX".to_owned(),
///     transactions: vec![InstitutionDebit {
///         end_to_end_id: "MARGIN-7-1".to_owned(),
///         amount: Amount::new(Decimal::new(5_000_000, 2), "EUR"),
///         debtor: "BRAVFRPPXXX".to_owned(),
///         ..InstitutionDebit::default()
///     }],
///     ..InstitutionDirectDebit::default()
/// };
/// assert!(String::from_utf8(message.build()?)?.contains("<CdtId>MARGIN-7</CdtId>"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InstitutionDirectDebit {
    /// `GrpHdr/MsgId`, at most 35 characters.
    pub message_id: String,
    /// `GrpHdr/CreDtTm`, a date and time.
    pub creation_time: String,
    /// BIC of the group's instructing agent.
    pub instructing_agent: Option<String>,
    /// BIC of the group's instructed agent.
    pub instructed_agent: Option<String>,
    /// `CdtInstr/CdtId`, at most 35 characters.
    pub credit_id: String,
    /// BIC of the institution that is paid.
    pub creditor: String,
    /// The creditor's account.
    pub creditor_account: Option<Account>,
    /// BIC of the creditor's agent.
    pub creditor_agent: Option<String>,
    /// At least one debit.
    pub transactions: Vec<InstitutionDebit>,
}

/// One debit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InstitutionDebit {
    /// `PmtId/InstrId`.
    pub instruction_id: Option<String>,
    /// `PmtId/EndToEndId`.
    pub end_to_end_id: String,
    /// `PmtId/TxId`.
    pub tx_id: Option<String>,
    /// `PmtId/UETR`, a lower-case version 4 UUID.
    pub uetr: Option<String>,
    /// What is collected.
    pub amount: Amount,
    /// `IntrBkSttlmDt`, a date.
    pub settlement_date: Option<String>,
    /// BIC of the institution that pays.
    pub debtor: String,
    /// The debtor's account.
    pub debtor_account: Option<Account>,
    /// BIC of the debtor's agent.
    pub debtor_agent: Option<String>,
    /// `RmtInf/Ustrd`, at most 140 characters.
    pub remittance: Option<String>,
}

impl Build for InstitutionDirectDebit {
    fn message(&self) -> MessageName {
        known("pacs.010.001.03")
    }

    fn draft(&self) -> Result<Draft, BuildError> {
        let mut draft = Draft::new("Document");
        let body = draft.at("FIDrctDbt");
        let (instructing, instructed) =
            (self.instructing_agent.as_ref(), self.instructed_agent.as_ref());
        group_header(body, &self.message_id, &self.creation_time, instructing, instructed);
        body.set("GrpHdr/NbOfTxs", self.transactions.len().to_string());
        let credit = body.at("CdtInstr");
        credit.set("CdtId", &self.credit_id);
        agent(credit, "CdtrAgt", self.creditor_agent.as_ref());
        agent(credit, "Cdtr", Some(&self.creditor));
        if let Some(account) = &self.creditor_account {
            account.draft(credit, "CdtrAcct/Id");
        }
        for transaction in &self.transactions {
            transaction.draft(credit.push("DrctDbtTxInf"))?;
        }
        Ok(draft)
    }
}

impl InstitutionDebit {
    fn draft(&self, draft: &mut Draft) -> Result<(), BuildError> {
        draft
            .set_some("PmtId/InstrId", self.instruction_id.as_ref())
            .set("PmtId/EndToEndId", &self.end_to_end_id)
            .set_some("PmtId/TxId", self.tx_id.as_ref())
            .set_some("PmtId/UETR", self.uetr.as_ref());
        self.amount.draft(draft, "IntrBkSttlmAmt")?;
        draft.set_some("IntrBkSttlmDt", self.settlement_date.as_ref());
        agent(draft, "Dbtr", Some(&self.debtor));
        if let Some(account) = &self.debtor_account {
            account.draft(draft, "DbtrAcct/Id");
        }
        agent(draft, "DbtrAgt", self.debtor_agent.as_ref());
        draft.set_some("RmtInf/Ustrd", self.remittance.as_ref());
        Ok(())
    }
}
