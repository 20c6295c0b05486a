//! `pacs.008.001.08` and `pacs.009.001.08`: credit transfers.

use super::{Build, BuildError, agent, amount_text, known};
use crate::name::MessageName;
use crate::writer::Draft;
use rust_decimal::Decimal;

/// How the group is settled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Settlement {
    /// `CLRG` through a clearing system with this proprietary name.
    Clearing(String),
    /// `INDA`: on the books of the instructed agent.
    Instructed,
    /// `INGA`: on the books of the instructing agent.
    Instructing,
}

impl Default for Settlement {
    fn default() -> Self {
        Self::Clearing("CORRIDOR".to_owned())
    }
}

impl Settlement {
    pub(super) fn draft(&self, group: &mut Draft) {
        let method = match self {
            Self::Clearing(name) => {
                group.set("SttlmInf/ClrSys/Prtry", name);
                "CLRG"
            }
            Self::Instructed => "INDA",
            Self::Instructing => "INGA",
        };
        group.set("SttlmInf/SttlmMtd", method);
    }
}

/// A customer credit transfer message.
///
/// ```
/// use iso20022::build::{Account, Build, CustomerCreditTransfer, CustomerTransaction, Party};
/// use rust_decimal::Decimal;
///
/// let party = |name: &str| Party {
///     name: name.to_owned(),
///     town: Some("Lyon".to_owned()),
///     country: Some("FR".to_owned()),
/// };
/// let message = CustomerCreditTransfer {
///     message_id: "EXAMPLE-1".to_owned(),
///     creation_time: "2026-11-24T10:00:00+00:00".to_owned(),
///     transactions: vec![CustomerTransaction {
///         end_to_end_id: "INVOICE-2026-117".to_owned(),
///         uetr: Some("00000000-0000-4000-8000-000000000001".to_owned()),
///         amount: Decimal::new(125_000, 2),
///         currency: "EUR".to_owned(),
///         charge_bearer: "SHAR".to_owned(),
///         debtor: party("Example Maschinen GmbH"),
///         debtor_agent: "ALPHDEFFXXX".to_owned(),
///         creditor_agent: "BRAVFRPPXXX".to_owned(),
///         creditor: party("Exemple Outils SARL"),
///         creditor_account: Some(Account::Iban("FR1420041010050500013M02606".to_owned())),
///         ..CustomerTransaction::default()
///     }],
///     ..CustomerCreditTransfer::default()
/// };
/// assert!(String::from_utf8(message.build()?)?.contains(">1250.00</IntrBkSttlmAmt>"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CustomerCreditTransfer {
    /// `GrpHdr/MsgId`, at most 35 characters.
    pub message_id: String,
    /// `GrpHdr/CreDtTm`, a date and time.
    pub creation_time: String,
    /// How the group is settled.
    pub settlement: Settlement,
    /// BIC of the group's instructing agent; leave out when transactions name theirs.
    pub instructing_agent: Option<String>,
    /// BIC of the group's instructed agent; leave out when transactions name theirs.
    pub instructed_agent: Option<String>,
    /// At least one transaction.
    pub transactions: Vec<CustomerTransaction>,
}

/// One customer credit transfer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CustomerTransaction {
    /// `PmtId/InstrId`.
    pub instruction_id: Option<String>,
    /// `PmtId/EndToEndId`.
    pub end_to_end_id: String,
    /// `PmtId/TxId`.
    pub tx_id: Option<String>,
    /// `PmtId/UETR`, a lower-case version 4 UUID.
    pub uetr: Option<String>,
    /// Settlement amount, not negative, payable in the currency.
    pub amount: Decimal,
    /// ISO 4217 code.
    pub currency: String,
    /// `IntrBkSttlmDt`, a date.
    pub settlement_date: Option<String>,
    /// `ChrgBr`: `DEBT`, `CRED`, `SHAR` or `SLEV`.
    pub charge_bearer: String,
    /// BIC of the transaction's instructing agent.
    pub instructing_agent: Option<String>,
    /// BIC of the transaction's instructed agent.
    pub instructed_agent: Option<String>,
    /// Who pays.
    pub debtor: Party,
    /// The debtor's account.
    pub debtor_account: Option<Account>,
    /// BIC of the debtor's bank.
    pub debtor_agent: String,
    /// BIC of the creditor's bank.
    pub creditor_agent: String,
    /// Who is paid.
    pub creditor: Party,
    /// The creditor's account.
    pub creditor_account: Option<Account>,
    /// `RmtInf/Ustrd`, at most 140 characters.
    pub remittance: Option<String>,
}

/// A person or organisation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Party {
    /// At most 140 characters.
    pub name: String,
    /// `PstlAdr/TwnNm`.
    pub town: Option<String>,
    /// `PstlAdr/Ctry`, ISO 3166 alpha-2.
    pub country: Option<String>,
}

/// An account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Account {
    /// An IBAN without spaces.
    Iban(String),
    /// Any other identification, at most 34 characters.
    Other(String),
}

/// A credit transfer between institutions.
///
/// ```
/// use iso20022::build::{Build, InstitutionCreditTransfer, InstitutionTransaction};
/// use rust_decimal::Decimal;
///
/// let message = InstitutionCreditTransfer {
///     message_id: "EXAMPLE-2".to_owned(),
///     creation_time: "2026-11-24T10:00:00+00:00".to_owned(),
///     transactions: vec![InstitutionTransaction {
///         end_to_end_id: "NOTPROVIDED".to_owned(),
///         amount: Decimal::new(50_000_000, 0),
///         currency: "JPY".to_owned(),
///         debtor: "ALPHDEFFXXX".to_owned(),
///         creditor: "CHARSGSGXXX".to_owned(),
///         ..InstitutionTransaction::default()
///     }],
///     ..InstitutionCreditTransfer::default()
/// };
/// assert!(String::from_utf8(message.build()?)?.contains(">50000000</IntrBkSttlmAmt>"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InstitutionCreditTransfer {
    /// `GrpHdr/MsgId`, at most 35 characters.
    pub message_id: String,
    /// `GrpHdr/CreDtTm`, a date and time.
    pub creation_time: String,
    /// How the group is settled.
    pub settlement: Settlement,
    /// BIC of the group's instructing agent.
    pub instructing_agent: Option<String>,
    /// BIC of the group's instructed agent.
    pub instructed_agent: Option<String>,
    /// At least one transaction.
    pub transactions: Vec<InstitutionTransaction>,
}

/// One credit transfer between institutions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InstitutionTransaction {
    /// `PmtId/InstrId`.
    pub instruction_id: Option<String>,
    /// `PmtId/EndToEndId`.
    pub end_to_end_id: String,
    /// `PmtId/TxId`.
    pub tx_id: Option<String>,
    /// `PmtId/UETR`, a lower-case version 4 UUID.
    pub uetr: Option<String>,
    /// Settlement amount, not negative, payable in the currency.
    pub amount: Decimal,
    /// ISO 4217 code.
    pub currency: String,
    /// `IntrBkSttlmDt`, a date.
    pub settlement_date: Option<String>,
    /// BIC of the transaction's instructing agent.
    pub instructing_agent: Option<String>,
    /// BIC of the transaction's instructed agent.
    pub instructed_agent: Option<String>,
    /// BIC of the paying institution.
    pub debtor: String,
    /// The debtor's account.
    pub debtor_account: Option<Account>,
    /// BIC of the debtor's agent.
    pub debtor_agent: Option<String>,
    /// BIC of the creditor's agent.
    pub creditor_agent: Option<String>,
    /// BIC of the institution that is paid.
    pub creditor: String,
    /// The creditor's account.
    pub creditor_account: Option<Account>,
    /// `RmtInf/Ustrd`, at most 140 characters.
    pub remittance: Option<String>,
}

/// What group headers of both messages share.
struct Group<'a> {
    message_id: &'a str,
    creation_time: &'a str,
    settlement: &'a Settlement,
    instructing_agent: Option<&'a String>,
    instructed_agent: Option<&'a String>,
    count: usize,
}

/// What transactions of both messages share.
struct Core<'a> {
    instruction_id: Option<&'a String>,
    end_to_end_id: &'a str,
    tx_id: Option<&'a String>,
    uetr: Option<&'a String>,
    amount: Decimal,
    currency: &'a str,
    settlement_date: Option<&'a String>,
    instructing_agent: Option<&'a String>,
    instructed_agent: Option<&'a String>,
    debtor_account: Option<&'a Account>,
    creditor_account: Option<&'a Account>,
    remittance: Option<&'a String>,
}

impl Group<'_> {
    fn draft(&self, body: &mut Draft) {
        let group = body.at("GrpHdr");
        group
            .set("MsgId", self.message_id)
            .set("CreDtTm", self.creation_time)
            .set("NbOfTxs", self.count.to_string());
        self.settlement.draft(group);
        agent(group, "InstgAgt", self.instructing_agent);
        agent(group, "InstdAgt", self.instructed_agent);
    }
}

impl Core<'_> {
    fn draft(&self, draft: &mut Draft) -> Result<(), BuildError> {
        let amount = amount_text(self.amount, self.currency)?;
        draft
            .set_some("PmtId/InstrId", self.instruction_id)
            .set("PmtId/EndToEndId", self.end_to_end_id)
            .set_some("PmtId/TxId", self.tx_id)
            .set_some("PmtId/UETR", self.uetr)
            .set_amount("IntrBkSttlmAmt", amount, self.currency)
            .set_some("IntrBkSttlmDt", self.settlement_date)
            .set_some("RmtInf/Ustrd", self.remittance);
        agent(draft, "InstgAgt", self.instructing_agent);
        agent(draft, "InstdAgt", self.instructed_agent);
        for (name, account) in
            [("DbtrAcct", self.debtor_account), ("CdtrAcct", self.creditor_account)]
        {
            if let Some(account) = account {
                account.draft(draft, &format!("{name}/Id"));
            }
        }
        Ok(())
    }
}

impl Party {
    pub(super) fn draft(&self, draft: &mut Draft) {
        draft
            .set("Nm", &self.name)
            .set_some("PstlAdr/TwnNm", self.town.as_ref())
            .set_some("PstlAdr/Ctry", self.country.as_ref());
    }
}

impl Build for CustomerCreditTransfer {
    fn message(&self) -> MessageName {
        known("pacs.008.001.08")
    }

    fn draft(&self) -> Result<Draft, BuildError> {
        let mut draft = Draft::new("Document");
        let body = draft.at("FIToFICstmrCdtTrf");
        Group {
            message_id: &self.message_id,
            creation_time: &self.creation_time,
            settlement: &self.settlement,
            instructing_agent: self.instructing_agent.as_ref(),
            instructed_agent: self.instructed_agent.as_ref(),
            count: self.transactions.len(),
        }
        .draft(body);
        for transaction in &self.transactions {
            let draft = body.push("CdtTrfTxInf");
            Core {
                instruction_id: transaction.instruction_id.as_ref(),
                end_to_end_id: &transaction.end_to_end_id,
                tx_id: transaction.tx_id.as_ref(),
                uetr: transaction.uetr.as_ref(),
                amount: transaction.amount,
                currency: &transaction.currency,
                settlement_date: transaction.settlement_date.as_ref(),
                instructing_agent: transaction.instructing_agent.as_ref(),
                instructed_agent: transaction.instructed_agent.as_ref(),
                debtor_account: transaction.debtor_account.as_ref(),
                creditor_account: transaction.creditor_account.as_ref(),
                remittance: transaction.remittance.as_ref(),
            }
            .draft(draft)?;
            draft.set("ChrgBr", &transaction.charge_bearer);
            transaction.debtor.draft(draft.at("Dbtr"));
            transaction.creditor.draft(draft.at("Cdtr"));
            agent(draft, "DbtrAgt", Some(&transaction.debtor_agent));
            agent(draft, "CdtrAgt", Some(&transaction.creditor_agent));
        }
        Ok(draft)
    }
}

impl Build for InstitutionCreditTransfer {
    fn message(&self) -> MessageName {
        known("pacs.009.001.08")
    }

    fn draft(&self) -> Result<Draft, BuildError> {
        let mut draft = Draft::new("Document");
        let body = draft.at("FICdtTrf");
        Group {
            message_id: &self.message_id,
            creation_time: &self.creation_time,
            settlement: &self.settlement,
            instructing_agent: self.instructing_agent.as_ref(),
            instructed_agent: self.instructed_agent.as_ref(),
            count: self.transactions.len(),
        }
        .draft(body);
        for transaction in &self.transactions {
            let draft = body.push("CdtTrfTxInf");
            Core {
                instruction_id: transaction.instruction_id.as_ref(),
                end_to_end_id: &transaction.end_to_end_id,
                tx_id: transaction.tx_id.as_ref(),
                uetr: transaction.uetr.as_ref(),
                amount: transaction.amount,
                currency: &transaction.currency,
                settlement_date: transaction.settlement_date.as_ref(),
                instructing_agent: transaction.instructing_agent.as_ref(),
                instructed_agent: transaction.instructed_agent.as_ref(),
                debtor_account: transaction.debtor_account.as_ref(),
                creditor_account: transaction.creditor_account.as_ref(),
                remittance: transaction.remittance.as_ref(),
            }
            .draft(draft)?;
            agent(draft, "Dbtr", Some(&transaction.debtor));
            agent(draft, "DbtrAgt", transaction.debtor_agent.as_ref());
            agent(draft, "CdtrAgt", transaction.creditor_agent.as_ref());
            agent(draft, "Cdtr", Some(&transaction.creditor));
        }
        Ok(draft)
    }
}
