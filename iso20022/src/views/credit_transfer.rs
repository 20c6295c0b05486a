//! `pacs.008` and `pacs.009` in one view: a group of credit transfers between institutions.

use super::split::write_alone;
use super::{Money, account_id, agent_bic, collapsed, finding_at};
use crate::finding::{Finding, Layer, Severity};
use crate::message::Message;
use crate::tree::{Node, Tree};

/// A `pacs.008` or `pacs.009` of any version.
///
/// ```
/// use iso20022::{Limits, read, sample, views::CreditTransfer};
///
/// let bytes = sample::schema_valid("pacs.008.001.08".parse()?, 1)?;
/// let message = read(&bytes, &Limits::message()).map_err(|error| error.to_string())?;
/// let view = CreditTransfer::of(&message).ok_or("another message")?;
/// for transaction in view.transactions() {
///     println!("{:?} to {:?}", transaction.debtor_name(), transaction.creditor_name());
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct CreditTransfer<'a> {
    tree: &'a Tree,
    group: Option<Node<'a>>,
    transactions: Vec<Node<'a>>,
}

/// One transaction of a [`CreditTransfer`].
#[derive(Clone, Copy, Debug)]
pub struct Transaction<'a> {
    /// Position in the message, from 0.
    pub index: usize,
    /// Transactions in the message.
    count: usize,
    node: Node<'a>,
    group: Option<Node<'a>>,
}

impl<'a> CreditTransfer<'a> {
    /// The view of a message; `None` when it is neither `pacs.008` nor `pacs.009`.
    #[must_use]
    pub fn of(message: &'a Message) -> Option<Self> {
        Self::of_tree(&message.document)
    }

    /// As [`CreditTransfer::of`], from the document alone.
    #[must_use]
    pub fn of_tree(tree: &'a Tree) -> Option<Self> {
        if !matches!(tree.message().family(), "pacs.008" | "pacs.009") {
            return None;
        }
        let body = tree.body();
        let transactions =
            body.map(|body| body.children("CdtTrfTxInf").collect()).unwrap_or_default();
        Some(Self { tree, group: body.and_then(|body| body.child("GrpHdr")), transactions })
    }

    /// True for a transfer between institutions (`pacs.009`).
    #[must_use]
    pub fn is_institutional(&self) -> bool {
        self.tree.message().family() == "pacs.009"
    }

    /// The group header element.
    #[must_use]
    pub fn group(&self) -> Option<Node<'a>> {
        self.group
    }

    /// `GrpHdr/MsgId`.
    #[must_use]
    pub fn msg_id(&self) -> Option<&'a str> {
        self.group?.text_at("MsgId")
    }

    /// `GrpHdr/CreDtTm`.
    #[must_use]
    pub fn creation_time(&self) -> Option<&'a str> {
        collapsed(self.group?, "CreDtTm")
    }

    /// `GrpHdr/NbOfTxs` as stated, not the count of transactions; see [`Self::len`].
    #[must_use]
    pub fn number_of_transactions(&self) -> Option<u64> {
        collapsed(self.group?, "NbOfTxs")?.parse().ok()
    }

    /// `GrpHdr/TtlIntrBkSttlmAmt` as stated; `None` when absent.
    ///
    /// # Errors
    /// See [`Money::of`].
    pub fn total_amount(&self) -> Option<Result<Money<'a>, Finding>> {
        self.group?.child("TtlIntrBkSttlmAmt").map(Money::of)
    }

    /// `GrpHdr/SttlmInf/SttlmMtd`: `INDA`, `INGA`, `COVE` or `CLRG`.
    #[must_use]
    pub fn settlement_method(&self) -> Option<&'a str> {
        self.group?.text_at("SttlmInf/SttlmMtd")
    }

    /// BIC of `GrpHdr/InstgAgt`.
    #[must_use]
    pub fn instructing_agent(&self) -> Option<&'a str> {
        self.group?.child("InstgAgt").and_then(agent_bic)
    }

    /// BIC of `GrpHdr/InstdAgt`.
    #[must_use]
    pub fn instructed_agent(&self) -> Option<&'a str> {
        self.group?.child("InstdAgt").and_then(agent_bic)
    }

    /// Number of transactions in the message.
    #[must_use]
    pub fn len(&self) -> usize {
        self.transactions.len()
    }

    /// True when there is no transaction, which no schema allows.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.transactions.is_empty()
    }

    /// The transactions in order.
    pub fn transactions(&self) -> impl ExactSizeIterator<Item = Transaction<'a>> + '_ {
        let (group, count) = (self.group, self.len());
        let nodes = self.transactions.iter().enumerate();
        nodes.map(move |(index, node)| Transaction { index, count, node: *node, group })
    }

    /// One transaction by position, from 0.
    #[must_use]
    pub fn transaction(&self, index: usize) -> Option<Transaction<'a>> {
        let node = *self.transactions.get(index)?;
        Some(Transaction { index, count: self.len(), node, group: self.group })
    }

    /// A document of the same version with only this transaction; see [`super::Split::document`],
    /// which does the same for a message that is kept.
    ///
    /// # Panics
    /// When there is no transaction at `index`.
    #[must_use]
    pub fn extract(&self, index: usize) -> Vec<u8> {
        write_alone(self.group, self.transactions[index])
    }
}

impl<'a> Transaction<'a> {
    /// The `CdtTrfTxInf` element.
    #[must_use]
    pub fn node(&self) -> Node<'a> {
        self.node
    }

    /// Path of the transaction, e.g. `/Document/FIToFICstmrCdtTrf/CdtTrfTxInf[2]`.
    #[must_use]
    pub fn path(&self) -> String {
        // As `Node::path`, without a walk over all earlier transactions.
        let parent = self.node.parent().map(Node::path).unwrap_or_default();
        match self.count {
            1 => format!("{parent}/{}", self.node.name()),
            _ => format!("{parent}/{}[{}]", self.node.name(), self.index + 1),
        }
    }

    /// `PmtId/InstrId`.
    #[must_use]
    pub fn instruction_id(&self) -> Option<&'a str> {
        self.node.text_at("PmtId/InstrId")
    }

    /// `PmtId/EndToEndId`.
    #[must_use]
    pub fn end_to_end_id(&self) -> Option<&'a str> {
        self.node.text_at("PmtId/EndToEndId")
    }

    /// `PmtId/TxId`.
    #[must_use]
    pub fn tx_id(&self) -> Option<&'a str> {
        self.node.text_at("PmtId/TxId")
    }

    /// `PmtId/UETR`; versions before 08 have none.
    #[must_use]
    pub fn uetr(&self) -> Option<&'a str> {
        self.node.text_at("PmtId/UETR")
    }

    /// `IntrBkSttlmAmt`: what is to be settled.
    ///
    /// # Errors
    /// A finding when the amount is absent or no number; never for a schema-valid message.
    pub fn amount(&self) -> Result<Money<'a>, Finding> {
        let node = self.node.child("IntrBkSttlmAmt").ok_or_else(|| {
            let text = "The settlement amount is missing.".to_owned();
            finding_at(self.node, Layer::Schema, Severity::Error, "schema.missing", "AM12", text)
        })?;
        Money::of(node)
    }

    /// `IntrBkSttlmDt` of the transaction, else of the group: `2024-02-29`.
    #[must_use]
    pub fn settlement_date(&self) -> Option<&'a str> {
        collapsed(self.node, "IntrBkSttlmDt").or_else(|| collapsed(self.group?, "IntrBkSttlmDt"))
    }

    /// BIC of `InstgAgt` of the transaction, else of the group.
    #[must_use]
    pub fn instructing_agent_bic(&self) -> Option<&'a str> {
        self.own_or_group("InstgAgt")
    }

    /// BIC of `InstdAgt` of the transaction, else of the group.
    #[must_use]
    pub fn instructed_agent_bic(&self) -> Option<&'a str> {
        self.own_or_group("InstdAgt")
    }

    /// BIC of the debtor's agent; where a `pacs.009` names none, of the debtor itself.
    #[must_use]
    pub fn debtor_agent_bic(&self) -> Option<&'a str> {
        self.agent("DbtrAgt").or_else(|| self.agent("Dbtr"))
    }

    /// BIC of the creditor's agent; where a `pacs.009` names none, of the creditor itself.
    #[must_use]
    pub fn creditor_agent_bic(&self) -> Option<&'a str> {
        self.agent("CdtrAgt").or_else(|| self.agent("Cdtr"))
    }

    /// Identification of the debtor's account.
    #[must_use]
    pub fn debtor_account(&self) -> Option<&'a str> {
        self.node.child("DbtrAcct").and_then(account_id)
    }

    /// Identification of the creditor's account.
    #[must_use]
    pub fn creditor_account(&self) -> Option<&'a str> {
        self.node.child("CdtrAcct").and_then(account_id)
    }

    /// Name of the debtor.
    #[must_use]
    pub fn debtor_name(&self) -> Option<&'a str> {
        self.node.text_at("Dbtr/Nm").or_else(|| self.node.text_at("Dbtr/FinInstnId/Nm"))
    }

    /// Name of the creditor.
    #[must_use]
    pub fn creditor_name(&self) -> Option<&'a str> {
        self.node.text_at("Cdtr/Nm").or_else(|| self.node.text_at("Cdtr/FinInstnId/Nm"))
    }

    /// `ChrgBr`: who bears the charges.
    #[must_use]
    pub fn charge_bearer(&self) -> Option<&'a str> {
        self.node.text_at("ChrgBr")
    }

    /// True for a `pacs.009` that covers a customer transfer.
    #[must_use]
    pub fn is_cover(&self) -> bool {
        self.node.child("UndrlygCstmrCdtTrf").is_some()
    }

    fn agent(&self, name: &str) -> Option<&'a str> {
        self.node.child(name).and_then(agent_bic)
    }

    fn own_or_group(&self, name: &str) -> Option<&'a str> {
        self.agent(name).or_else(|| self.group?.child(name).and_then(agent_bic))
    }
}
