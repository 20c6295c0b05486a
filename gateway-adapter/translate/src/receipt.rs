//! Receipts in messages: how a C2SP tlog-proof travels in the supplementary data of an ISO 20022 message.
//!
//! ```xml
//! <SplmtryData><Envlp><Rcpt xmlns="urn:corridor:receipt:1"><Cntt>base64 of the receipt's bytes</Cntt></Rcpt></Envlp></SplmtryData>
//! ```
//! In base64, because a receipt is lines of text and messages are re-indented on their way. Any message can carry it;
//! [`receipts_in`] finds it wherever it stands, under whatever prefix. Nothing is verified here.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use iso20022::writer::Draft;
use iso20022::{Limits, Node};
use thiserror::Error;

/// Namespace of the envelope's content.
pub const RECEIPT_NAMESPACE: &str = "urn:corridor:receipt:1";
const ELEMENT: &str = "Rcpt";
const CONTENT: &str = "Cntt";
/// Elements that can name the payment, beside or above the supplementary data.
const UETR_PATHS: [&str; 2] = ["OrgnlUETR", "Refs/UETR"];

/// Why no receipts can be taken out of a message.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ReceiptInMessageError {
    /// Not a message.
    #[error("the message cannot be read: {0}")]
    Unreadable(String),
    /// The envelope holds something else.
    #[error("{path}: the envelope of a receipt does not hold base64")]
    Form {
        /// Where.
        path: String,
    },
}

/// A receipt that was found in a message. Nothing in it is verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundReceipt {
    /// Where it stands.
    pub path: String,
    /// The payment that the message says it is of, where it says one.
    pub uetr: Option<String>,
    /// The receipt.
    pub receipt: Vec<u8>,
}

/// The supplementary data that carries a receipt.
pub(crate) fn supplementary(receipt: &[u8]) -> Draft {
    let mut content = Draft::foreign(RECEIPT_NAMESPACE, ELEMENT);
    content.push_text(CONTENT, STANDARD.encode(receipt));
    let mut data = Draft::new("SplmtryData");
    data.push("Envlp").push_draft(content);
    data
}

/// All receipts in a message, in the order of the text.
///
/// # Errors
/// `ReceiptInMessageError` when it is no message, or an envelope is damaged.
pub fn receipts_in(
    xml: &[u8],
    limits: &Limits,
) -> Result<Vec<FoundReceipt>, ReceiptInMessageError> {
    let message = iso20022::read(xml, limits)
        .map_err(|error| ReceiptInMessageError::Unreadable(error.to_string()))?;
    let mut found = Vec::new();
    collect(message.document.root(), &mut found)?;
    Ok(found)
}

/// Depth is bounded by the reader's limit.
fn collect(node: Node<'_>, found: &mut Vec<FoundReceipt>) -> Result<(), ReceiptInMessageError> {
    if node.name() == "Envlp" {
        for content in node.elements().filter(|one| is_receipt(*one)) {
            let form = || ReceiptInMessageError::Form { path: content.path() };
            let text = content.elements().find(|one| local(one.name()) == CONTENT);
            let text: String = text.ok_or_else(form)?.text().split_whitespace().collect();
            let receipt = STANDARD.decode(text).map_err(|_| form())?;
            found.push(FoundReceipt { path: content.path(), uetr: uetr(node), receipt });
        }
        return Ok(());
    }
    node.elements().try_for_each(|child| collect(child, found))
}

fn local(name: &str) -> &str {
    name.rsplit_once(':').map_or(name, |(_, local)| local)
}

/// The topmost element under a wildcard carries all declarations that it depends on.
fn is_receipt(node: Node<'_>) -> bool {
    let declaration = match node.name().split_once(':') {
        Some((prefix, _)) => format!("xmlns:{prefix}"),
        None => "xmlns".to_owned(),
    };
    local(node.name()) == ELEMENT && node.attribute(&declaration) == Some(RECEIPT_NAMESPACE)
}

/// The UETR that the nearest enclosing element names.
fn uetr(mut node: Node<'_>) -> Option<String> {
    while let Some(parent) = node.parent() {
        if let Some(text) = UETR_PATHS.iter().find_map(|path| parent.text_at(path)) {
            return Some(text.trim().to_owned());
        }
        node = parent;
    }
    None
}
