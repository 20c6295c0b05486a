//! `pacs.002`: what became of payments.

use super::collapsed;
use crate::message::Message;
use crate::tree::{Node, Tree};

/// A `pacs.002` of any version.
///
/// ```
/// use iso20022::{Limits, read, sample, views::Status};
///
/// let bytes = sample::schema_valid("pacs.002.001.10".parse()?, 1)?;
/// let message = read(&bytes, &Limits::message()).map_err(|error| error.to_string())?;
/// let view = Status::of(&message).ok_or("another message")?;
/// for transaction in view.transactions() {
///     println!("{:?}: {:?}", transaction.original_uetr(), transaction.status());
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Status<'a> {
    body: Option<Node<'a>>,
}

/// What a `pacs.002` says of an original message as a whole.
#[derive(Clone, Copy, Debug)]
pub struct GroupStatus<'a> {
    node: Node<'a>,
}

/// What a `pacs.002` says of one transaction.
#[derive(Clone, Copy, Debug)]
pub struct TransactionStatus<'a> {
    /// Position in the message, from 0.
    pub index: usize,
    node: Node<'a>,
    body: Node<'a>,
}

/// A reason with its explanation.
#[derive(Clone, Copy, Debug)]
pub struct Reason<'a> {
    node: Node<'a>,
}

impl<'a> Status<'a> {
    /// The view of a message; `None` when it is no `pacs.002`.
    #[must_use]
    pub fn of(message: &'a Message) -> Option<Self> {
        Self::of_tree(&message.document)
    }

    /// As [`Status::of`], from the document alone.
    #[must_use]
    pub fn of_tree(tree: &'a Tree) -> Option<Self> {
        (tree.message().family() == "pacs.002").then(|| Self { body: tree.body() })
    }

    /// `GrpHdr/MsgId`.
    #[must_use]
    pub fn msg_id(&self) -> Option<&'a str> {
        self.body?.text_at("GrpHdr/MsgId")
    }

    /// `GrpHdr/CreDtTm`.
    #[must_use]
    pub fn creation_time(&self) -> Option<&'a str> {
        collapsed(self.body?, "GrpHdr/CreDtTm")
    }

    /// Statements on original messages.
    pub fn groups(&self) -> impl Iterator<Item = GroupStatus<'a>> + use<'a> {
        self.body
            .into_iter()
            .flat_map(|body| body.children("OrgnlGrpInfAndSts"))
            .map(|node| GroupStatus { node })
    }

    /// Statements on single transactions.
    pub fn transactions(&self) -> impl Iterator<Item = TransactionStatus<'a>> + use<'a> {
        self.body.into_iter().flat_map(TransactionStatus::all)
    }
}

impl<'a> GroupStatus<'a> {
    /// The `OrgnlGrpInfAndSts` element.
    #[must_use]
    pub fn node(&self) -> Node<'a> {
        self.node
    }

    /// `OrgnlMsgId`.
    #[must_use]
    pub fn original_msg_id(&self) -> Option<&'a str> {
        self.node.text_at("OrgnlMsgId")
    }

    /// `OrgnlMsgNmId`.
    #[must_use]
    pub fn original_msg_name(&self) -> Option<&'a str> {
        self.node.text_at("OrgnlMsgNmId")
    }

    /// `GrpSts`.
    #[must_use]
    pub fn status(&self) -> Option<&'a str> {
        self.node.text_at("GrpSts")
    }

    /// Reasons of the status.
    pub fn reasons(&self) -> impl Iterator<Item = Reason<'a>> + use<'a> {
        reasons(self.node, "StsRsnInf")
    }
}

impl<'a> TransactionStatus<'a> {
    /// The statements on single transactions under one element.
    pub(super) fn all(body: Node<'a>) -> impl Iterator<Item = Self> + use<'a> {
        let nodes = body.children("TxInfAndSts").enumerate();
        nodes.map(move |(index, node)| Self { index, node, body })
    }

    /// The `TxInfAndSts` element.
    #[must_use]
    pub fn node(&self) -> Node<'a> {
        self.node
    }

    /// `StsId`.
    #[must_use]
    pub fn status_id(&self) -> Option<&'a str> {
        self.node.text_at("StsId")
    }

    /// `OrgnlMsgId` of the transaction, else of the first original group.
    #[must_use]
    pub fn original_msg_id(&self) -> Option<&'a str> {
        self.node
            .text_at("OrgnlGrpInf/OrgnlMsgId")
            .or_else(|| self.body.text_at("OrgnlGrpInfAndSts/OrgnlMsgId"))
            .or_else(|| self.body.text_at("OrgnlGrpInf/OrgnlMsgId"))
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

    /// `TxSts`, e.g. `ACSC` or `RJCT`.
    #[must_use]
    pub fn status(&self) -> Option<&'a str> {
        self.node.text_at("TxSts")
    }

    /// Reasons of the status.
    pub fn reasons(&self) -> impl Iterator<Item = Reason<'a>> + use<'a> {
        reasons(self.node, "StsRsnInf")
    }
}

impl<'a> Reason<'a> {
    /// The code, or the proprietary reason where there is no code.
    #[must_use]
    pub fn code(&self) -> Option<&'a str> {
        let reason = ["Rsn", "StsRsn", "RtrRsn"].into_iter().find_map(|n| self.node.child(n))?;
        reason.text_at("Cd").or_else(|| reason.text_at("Prtry"))
    }

    /// Lines of additional information.
    pub fn additional_information(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        let names = ["AddtlInf", "AddtlStsRsnInf", "AddtlRtrRsnInf"];
        self.node.elements().filter(move |node| names.contains(&node.name())).map(Node::text)
    }
}

/// The reasons under an element of this name.
pub(super) fn reasons<'a>(
    node: Node<'a>,
    name: &'static str,
) -> impl Iterator<Item = Reason<'a>> + use<'a> {
    node.children(name).map(|node| Reason { node })
}
