//! `pacs.004`: money that comes back after settlement.

use super::status::{Reason, reasons};
use super::{Money, agent_bic, collapsed, finding_at};
use crate::finding::{Finding, Layer, Severity};
use crate::message::Message;
use crate::tree::{Node, Tree};

/// A `pacs.004` of any version.
///
/// ```
/// use iso20022::{Limits, read, sample, views::Return};
///
/// let bytes = sample::schema_valid("pacs.004.001.09".parse()?, 1)?;
/// let message = read(&bytes, &Limits::message()).map_err(|error| error.to_string())?;
/// let view = Return::of(&message).ok_or("another message")?;
/// for transaction in view.transactions() {
///     println!("{:?}: {:?}", transaction.original_uetr(), transaction.amount());
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Return<'a> {
    body: Option<Node<'a>>,
    group: Option<Node<'a>>,
}

/// One returned transaction.
#[derive(Clone, Copy, Debug)]
pub struct ReturnedTransaction<'a> {
    /// Position in the message, from 0.
    pub index: usize,
    node: Node<'a>,
    body: Node<'a>,
    group: Option<Node<'a>>,
}

impl<'a> Return<'a> {
    /// The view of a message; `None` when it is no `pacs.004`.
    #[must_use]
    pub fn of(message: &'a Message) -> Option<Self> {
        Self::of_tree(&message.document)
    }

    /// As [`Return::of`], from the document alone.
    #[must_use]
    pub fn of_tree(tree: &'a Tree) -> Option<Self> {
        let body = tree.body();
        (tree.message().family() == "pacs.004")
            .then(|| Self { body, group: body.and_then(|body| body.child("GrpHdr")) })
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

    /// `GrpHdr/NbOfTxs` as stated.
    #[must_use]
    pub fn number_of_transactions(&self) -> Option<u64> {
        collapsed(self.group?, "NbOfTxs")?.parse().ok()
    }

    /// `GrpHdr/TtlRtrdIntrBkSttlmAmt` as stated; `None` when absent.
    ///
    /// # Errors
    /// See [`Money::of`].
    pub fn total_amount(&self) -> Option<Result<Money<'a>, Finding>> {
        self.group?.child("TtlRtrdIntrBkSttlmAmt").map(Money::of)
    }

    /// The returned transactions in order.
    pub fn transactions(&self) -> impl Iterator<Item = ReturnedTransaction<'a>> + use<'a> {
        let group = self.group;
        self.body.into_iter().flat_map(move |body| {
            body.children("TxInf").enumerate().map(move |(index, node)| ReturnedTransaction {
                index,
                node,
                body,
                group,
            })
        })
    }
}

impl<'a> ReturnedTransaction<'a> {
    /// The `TxInf` element.
    #[must_use]
    pub fn node(&self) -> Node<'a> {
        self.node
    }

    /// Path of the transaction.
    #[must_use]
    pub fn path(&self) -> String {
        self.node.path()
    }

    /// `RtrId`: the return's own identifier.
    #[must_use]
    pub fn return_id(&self) -> Option<&'a str> {
        self.node.text_at("RtrId")
    }

    /// `OrgnlMsgId` of the transaction, else of the message.
    #[must_use]
    pub fn original_msg_id(&self) -> Option<&'a str> {
        self.node
            .text_at("OrgnlGrpInf/OrgnlMsgId")
            .or_else(|| self.body.text_at("OrgnlGrpInf/OrgnlMsgId"))
    }

    /// `OrgnlMsgNmId` of the transaction, else of the message.
    #[must_use]
    pub fn original_msg_name(&self) -> Option<&'a str> {
        self.node
            .text_at("OrgnlGrpInf/OrgnlMsgNmId")
            .or_else(|| self.body.text_at("OrgnlGrpInf/OrgnlMsgNmId"))
    }

    /// `OrgnlInstrId`.
    #[must_use]
    pub fn original_instruction_id(&self) -> Option<&'a str> {
        self.node.text_at("OrgnlInstrId")
    }

    /// `OrgnlEndToEndId`.
    #[must_use]
    pub fn original_end_to_end_id(&self) -> Option<&'a str> {
        self.node.text_at("OrgnlEndToEndId")
    }

    /// `OrgnlTxId`.
    #[must_use]
    pub fn original_tx_id(&self) -> Option<&'a str> {
        self.node.text_at("OrgnlTxId")
    }

    /// `OrgnlUETR`.
    #[must_use]
    pub fn original_uetr(&self) -> Option<&'a str> {
        self.node.text_at("OrgnlUETR")
    }

    /// `OrgnlIntrBkSttlmAmt`; `None` when absent.
    ///
    /// # Errors
    /// See [`Money::of`].
    pub fn original_amount(&self) -> Option<Result<Money<'a>, Finding>> {
        self.node.child("OrgnlIntrBkSttlmAmt").map(Money::of)
    }

    /// `RtrdIntrBkSttlmAmt`: what comes back.
    ///
    /// # Errors
    /// A finding when the amount is absent or no number; never for a schema-valid message.
    pub fn amount(&self) -> Result<Money<'a>, Finding> {
        let node = self.node.child("RtrdIntrBkSttlmAmt").ok_or_else(|| {
            let text = "The returned amount is missing.".to_owned();
            finding_at(self.node, Layer::Schema, Severity::Error, "schema.missing", "AM12", text)
        })?;
        Money::of(node)
    }

    /// `IntrBkSttlmDt` of the transaction, else of the group.
    #[must_use]
    pub fn settlement_date(&self) -> Option<&'a str> {
        collapsed(self.node, "IntrBkSttlmDt").or_else(|| collapsed(self.group?, "IntrBkSttlmDt"))
    }

    /// BIC of `InstgAgt` of the transaction, else of the group.
    #[must_use]
    pub fn instructing_agent_bic(&self) -> Option<&'a str> {
        self.agent("InstgAgt")
    }

    /// BIC of `InstdAgt` of the transaction, else of the group.
    #[must_use]
    pub fn instructed_agent_bic(&self) -> Option<&'a str> {
        self.agent("InstdAgt")
    }

    /// Why the money comes back; usually one reason.
    pub fn reasons(&self) -> impl Iterator<Item = Reason<'a>> + use<'a> {
        reasons(self.node, "RtrRsnInf")
    }

    fn agent(&self, name: &str) -> Option<&'a str> {
        let own = self.node.child(name).and_then(agent_bic);
        own.or_else(|| self.group?.child(name).and_then(agent_bic))
    }
}
