//! `head.001`: the business application header.

use super::collapsed;
use crate::message::Message;
use crate::tree::{Node, Tree};

/// A `head.001` of any version.
///
/// ```
/// use iso20022::{Limits, read_header, sample, views::Header};
///
/// let bytes = sample::schema_valid("head.001.001.02".parse()?, 1)?;
/// let header = read_header(&bytes, &Limits::message()).map_err(|error| error.to_string())?;
/// let view = Header::of_tree(&header.tree).ok_or("another message")?;
/// println!("{:?} from {:?}", view.business_message_id(), view.from_bic());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Header<'a> {
    root: Node<'a>,
}

impl<'a> Header<'a> {
    /// The header of a message; `None` when it has none.
    #[must_use]
    pub fn of(message: &'a Message) -> Option<Self> {
        message.header.as_ref().and_then(|(_, tree)| Self::of_tree(tree))
    }

    /// The view of a header's tree; `None` when it is no `head.001`.
    #[must_use]
    pub fn of_tree(tree: &'a Tree) -> Option<Self> {
        (tree.message().family() == "head.001").then(|| Self { root: tree.root() })
    }

    /// The `AppHdr` element.
    #[must_use]
    pub fn node(&self) -> Node<'a> {
        self.root
    }

    /// BIC of the sender, given as an institution or as an organisation.
    #[must_use]
    pub fn from_bic(&self) -> Option<&'a str> {
        self.party("Fr")
    }

    /// BIC of the receiver.
    #[must_use]
    pub fn to_bic(&self) -> Option<&'a str> {
        self.party("To")
    }

    /// `BizMsgIdr`: unique for the sender.
    #[must_use]
    pub fn business_message_id(&self) -> Option<&'a str> {
        self.root.text_at("BizMsgIdr")
    }

    /// `MsgDefIdr`: name of the message that follows.
    #[must_use]
    pub fn message_definition(&self) -> Option<&'a str> {
        self.root.text_at("MsgDefIdr")
    }

    /// `BizSvc`.
    #[must_use]
    pub fn business_service(&self) -> Option<&'a str> {
        self.root.text_at("BizSvc")
    }

    /// `CreDt`.
    #[must_use]
    pub fn creation_time(&self) -> Option<&'a str> {
        collapsed(self.root, "CreDt")
    }

    /// `CpyDplct`: `CODU`, `COPY` or `DUPL`.
    #[must_use]
    pub fn copy_duplicate(&self) -> Option<&'a str> {
        self.root.text_at("CpyDplct")
    }

    /// `PssblDplct`: the sender may have sent this before.
    #[must_use]
    pub fn possible_duplicate(&self) -> bool {
        matches!(collapsed(self.root, "PssblDplct"), Some("true" | "1"))
    }

    fn party(&self, name: &str) -> Option<&'a str> {
        let party = self.root.child(name)?;
        let paths = ["FIId/FinInstnId/BICFI", "OrgId/Id/OrgId/AnyBIC", "OrgId/Id/OrgId/BICOrBEI"];
        paths.into_iter().find_map(|path| party.text_at(path))
    }
}
