//! Builders: plain structures that become valid messages.
//!
//! A builder fills a [`Draft`]; the draft is written by walking the schema table, so a structure
//! that does not make a valid message gives a [`BuildError`], never an invalid message. Times and
//! dates are texts in XML Schema form, since this crate has no clock.

mod answers;
mod changes;
mod credit_transfer;
mod direct_debit;
mod header;
mod initiation;
mod investigation;
mod liquidity;
mod orders;
mod parts;
mod payment_return;
mod queries;
mod recall;
mod rejection;
mod statement;
mod status;
mod system;

pub use answers::{
    AccountAnswer, AccountState, Answer, AnswerError, AnswerHeader, BusinessDayAnswer, DayEvent,
    LimitAnswer, LimitKind, LimitState, OrderReceipt, TransactionAnswer, TransactionState,
};
pub use changes::{
    LimitRemoval, LimitSetting, ReservationRemoval, ReservationSetting, TransactionAmendment,
    TransactionWithdrawal,
};
pub use credit_transfer::{
    Account, CustomerCreditTransfer, CustomerTransaction, InstitutionCreditTransfer,
    InstitutionTransaction, Party, Settlement,
};
pub use direct_debit::{InstitutionDebit, InstitutionDirectDebit};
pub use header::BusinessHeader;
pub use initiation::{InitiationReport, OrderStatus, PaymentOrderStatus};
pub use investigation::{InvestigationCase, InvestigationQuestion, InvestigationReply};
pub use liquidity::{ExpectationWithdrawal, ExpectedPayment, LiquidityOrder, ReceiptExpectation};
pub use orders::{PaymentBlock, PaymentOrder, PaymentOrders};
pub use parts::{Amount, OriginalPayment};
pub use payment_return::{PaymentReturn, ReturnChain, ReturnedPayment};
pub use queries::{
    AccountRequest, BusinessDayRequest, LimitRequest, ReservationRequest, StatementRequest,
    TransactionRequest,
};
pub use recall::{PaymentStatusRequest, RecallRequest, RecallResolution};
pub use rejection::MessageRejection;
pub use statement::{AccountBalance, AccountEntry, AccountStatement, StatementKind};
pub use status::{StatusReason, StatusReport, TransactionReport};
pub use system::{EventNotice, EventReceipt, ReceiptNotice, ResendOrder};

pub use crate::writer::{BuildError, Draft};

use crate::name::MessageName;
use crate::reference::currency;
use crate::writer::DECLARATION;
use rust_decimal::Decimal;

/// A structure that can be written as a message.
pub trait Build {
    /// The message that it becomes.
    fn message(&self) -> MessageName;

    /// The content, before the schema is applied.
    ///
    /// # Errors
    /// An amount that its currency cannot express.
    fn draft(&self) -> Result<Draft, BuildError>;

    /// The message as a document of its own.
    ///
    /// # Errors
    /// The content does not make a valid message.
    fn build(&self) -> Result<Vec<u8>, BuildError> {
        self.draft()?.write(self.message())
    }

    /// The message with its header in an `Envelope`. The header's `MsgDefIdr` is set to the name
    /// of this message.
    ///
    /// # Errors
    /// Content or header do not make a valid message.
    fn build_with_header(&self, header: &BusinessHeader) -> Result<Vec<u8>, BuildError> {
        let mut out = String::with_capacity(4096);
        out.push_str(DECLARATION);
        out.push_str("<Envelope>");
        header.draft(self.message()).write_fragment(header.message(), &mut out)?;
        self.draft()?.write_fragment(self.message(), &mut out)?;
        out.push_str("</Envelope>");
        Ok(out.into_bytes())
    }
}

/// A name that this crate wrote itself.
fn known(name: &str) -> MessageName {
    name.parse().expect("a literal of this crate")
}

/// The canonical text of an amount.
fn amount_text(value: Decimal, currency: &str) -> Result<String, BuildError> {
    let bad = |reason| BuildError::Amount {
        value: value.to_string(),
        currency: currency.to_owned(),
        reason,
    };
    if currency::decimals(currency).is_none() {
        return Err(bad("the currency is not known"));
    }
    currency::canonical(value, currency)
        .ok_or_else(|| bad("it is negative or finer than the currency allows"))
}

/// Adds an agent identified by its BIC.
fn agent(draft: &mut Draft, path: &str, bic: Option<&String>) {
    if let Some(bic) = bic {
        draft.set(&format!("{path}/FinInstnId/BICFI"), bic);
    }
}
