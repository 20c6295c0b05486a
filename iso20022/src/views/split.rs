//! A credit transfer that is kept to be taken apart: one document for each transaction, on demand.
//!
//! A batch is read once and its documents are written one at a time, so that never more than one of
//! them is in memory. Writing a document costs what the document has, however large the batch is.
//! Supplementary data of the message as a whole stays behind: it belongs to the batch, and repeating
//! it in each document would multiply its size by the number of transactions.

use super::CreditTransfer;
use crate::message::Message;
use crate::tree::{Node, Tree};
use crate::writer::{self, Change};
use std::sync::Arc;

/// A `pacs.008` or `pacs.009` of any version that owns its tree. Cheap to copy.
#[derive(Clone, Debug)]
pub struct Split {
    tree: Arc<Tree>,
    /// The group header element.
    group: Option<u32>,
    /// The transactions in order.
    transactions: Arc<[u32]>,
}

impl Split {
    /// Keeps the document of a message; `None` when it is neither `pacs.008` nor `pacs.009`.
    #[must_use]
    pub fn of(message: Message) -> Option<Self> {
        let view = CreditTransfer::of(&message)?;
        let group = view.group().map(Node::id);
        let transactions = view.transactions().map(|one| one.node().id()).collect();
        Some(Self { tree: Arc::new(message.document), group, transactions })
    }

    /// Number of transactions.
    #[must_use]
    pub fn len(&self) -> usize {
        self.transactions.len()
    }

    /// True when there is no transaction, which no schema allows.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.transactions.is_empty()
    }

    /// A document of the same version with only the transaction at `index` (from 0). The group
    /// header is kept and its totals are set to this transaction; supplementary data of the message
    /// is left out, that of the transaction is kept. Valid when the message is.
    ///
    /// # Panics
    /// When there is no transaction at `index`.
    #[must_use]
    pub fn document(&self, index: usize) -> Vec<u8> {
        let group = self.group.map(|group| self.tree.node(group));
        write_alone(group, self.tree.node(self.transactions[index]))
    }
}

/// The document with this group header and this transaction; see [`Split::document`].
pub(super) fn write_alone<'a>(group: Option<Node<'a>>, kept: Node<'a>) -> Vec<u8> {
    let amount = kept.child("IntrBkSttlmAmt");
    let body = kept.parent().expect("a transaction is a child of the body");
    writer::write_selected(body, group.into_iter().chain([kept]), &|node| {
        let in_group = group.is_some() && node.parent() == group;
        match node.name() {
            "NbOfTxs" if in_group => Change::Text("1"),
            "TtlIntrBkSttlmAmt" if in_group => amount.map_or(Change::Keep, Change::ContentOf),
            "CtrlSum" if in_group => amount.map_or(Change::Keep, |a| Change::Text(a.text())),
            _ => Change::Keep,
        }
    })
}
