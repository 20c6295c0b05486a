//! `pain.001.001.09`: what a customer orders its bank to pay. Counts and sums are those of the orders.

use super::credit_transfer::Party;
use super::{Account, Build, BuildError, agent, amount_text, known};
use crate::name::MessageName;
use crate::writer::Draft;
use rust_decimal::Decimal;

/// Orders of a customer to pay.
///
/// ```
/// use iso20022::build::{Account, Build, Party, PaymentBlock, PaymentOrder, PaymentOrders};
/// use rust_decimal::Decimal;
///
/// let message = PaymentOrders {
///     message_id: "ORDERS-1".to_owned(),
///     creation_time: "2026-11-24T06:00:00+00:00".to_owned(),
///     initiating_party: "Example Maschinen GmbH".to_owned(),
///     blocks: vec![PaymentBlock {
///         id: "ORDERS-1-1".to_owned(),
///         execution_date: "2026-11-24".to_owned(),
///         debtor: Party { name: "Example Maschinen GmbH".to_owned(), ..Party::default() },
///         debtor_account: Account::Iban("DE89370400440532013000".to_owned()),
///         debtor_agent: "ALPHDEFFXXX".to_owned(),
///         orders: vec![PaymentOrder {
///             end_to_end_id: "INVOICE-2026-117".to_owned(),
///             amount: Decimal::new(125_000, 2),
///             currency: "EUR".to_owned(),
///             creditor: Party { name: "Exemple Outils SARL".to_owned(), ..Party::default() },
///             ..PaymentOrder::default()
///         }],
///         ..PaymentBlock::default()
///     }],
/// };
/// assert!(String::from_utf8(message.build()?)?.contains("<CtrlSum>1250.00</CtrlSum>"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PaymentOrders {
    /// `GrpHdr/MsgId`, at most 35 characters.
    pub message_id: String,
    /// `GrpHdr/CreDtTm`, a date and time.
    pub creation_time: String,
    /// Name of who sends the orders, at most 140 characters.
    pub initiating_party: String,
    /// At least one block.
    pub blocks: Vec<PaymentBlock>,
}

/// Orders to be paid on one day from one account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PaymentBlock {
    /// `PmtInfId`, at most 35 characters.
    pub id: String,
    /// `ReqdExctnDt/Dt`, a date.
    pub execution_date: String,
    /// Who pays.
    pub debtor: Party,
    /// The account that is debited.
    pub debtor_account: Account,
    /// BIC of the debtor's bank.
    pub debtor_agent: String,
    /// `ChrgBr`: `DEBT`, `CRED`, `SHAR` or `SLEV`.
    pub charge_bearer: Option<String>,
    /// At least one order.
    pub orders: Vec<PaymentOrder>,
}

/// One order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PaymentOrder {
    /// `PmtId/InstrId`.
    pub instruction_id: Option<String>,
    /// `PmtId/EndToEndId`.
    pub end_to_end_id: String,
    /// `PmtId/UETR`, a lower-case version 4 UUID.
    pub uetr: Option<String>,
    /// Not negative, payable in the currency.
    pub amount: Decimal,
    /// ISO 4217 code.
    pub currency: String,
    /// BIC of the creditor's bank.
    pub creditor_agent: Option<String>,
    /// Who is paid.
    pub creditor: Party,
    /// The creditor's account.
    pub creditor_account: Option<Account>,
    /// `RmtInf/Ustrd`, at most 140 characters.
    pub remittance: Option<String>,
}

impl Build for PaymentOrders {
    fn message(&self) -> MessageName {
        known("pain.001.001.09")
    }

    fn draft(&self) -> Result<Draft, BuildError> {
        let mut draft = Draft::new("Document");
        let body = draft.at("CstmrCdtTrfInitn");
        let header = body.at("GrpHdr");
        header.set("MsgId", &self.message_id).set("CreDtTm", &self.creation_time);
        header.set("InitgPty/Nm", &self.initiating_party);
        let all = self.blocks.iter().flat_map(|block| &block.orders);
        totals(header, all)?;
        for block in &self.blocks {
            block.draft(body.push("PmtInf"))?;
        }
        Ok(draft)
    }
}

impl PaymentBlock {
    fn draft(&self, draft: &mut Draft) -> Result<(), BuildError> {
        draft.set("PmtInfId", &self.id).set("PmtMtd", "TRF");
        totals(draft, self.orders.iter())?;
        draft
            .set("ReqdExctnDt/Dt", &self.execution_date)
            .set_some("ChrgBr", self.charge_bearer.as_ref());
        self.debtor.draft(draft.at("Dbtr"));
        self.debtor_account.draft(draft, "DbtrAcct/Id");
        agent(draft, "DbtrAgt", Some(&self.debtor_agent));
        for order in &self.orders {
            order.draft(draft.push("CdtTrfTxInf"))?;
        }
        Ok(())
    }
}

impl PaymentOrder {
    fn draft(&self, draft: &mut Draft) -> Result<(), BuildError> {
        draft
            .set_some("PmtId/InstrId", self.instruction_id.as_ref())
            .set("PmtId/EndToEndId", &self.end_to_end_id)
            .set_some("PmtId/UETR", self.uetr.as_ref())
            .set_amount("Amt/InstdAmt", amount_text(self.amount, &self.currency)?, &self.currency)
            .set_some("RmtInf/Ustrd", self.remittance.as_ref());
        agent(draft, "CdtrAgt", self.creditor_agent.as_ref());
        self.creditor.draft(draft.at("Cdtr"));
        if let Some(account) = &self.creditor_account {
            account.draft(draft, "CdtrAcct/Id");
        }
        Ok(())
    }
}

/// Number and sum of orders, in whatever currencies they are.
fn totals<'a>(
    draft: &mut Draft,
    orders: impl Iterator<Item = &'a PaymentOrder>,
) -> Result<(), BuildError> {
    let (mut count, mut sum) = (0_usize, Decimal::ZERO);
    for order in orders {
        count += 1;
        // With the decimals of the currency, or the sum would look unlike its parts.
        let text = amount_text(order.amount, &order.currency)?;
        let amount = text.parse::<Decimal>().unwrap_or(order.amount);
        sum = sum.checked_add(amount).ok_or_else(|| BuildError::Amount {
            value: order.amount.to_string(),
            currency: order.currency.clone(),
            reason: "the sum of all amounts is too large",
        })?;
    }
    draft.set("NbOfTxs", count.to_string()).set("CtrlSum", sum.to_string());
    Ok(())
}
