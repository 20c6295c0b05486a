//! Drafts: a message as builders fill it in, before the schema has its say.

use super::{DECLARATION, escape_attribute, escape_text};
use crate::finding::excerpt;
use crate::name::MessageName;
use crate::reader::describe;
use crate::table::{self, Content, Kind, State, Step, Table, Term, TypeId};

/// One element of a message to be written: text or children, and at most a currency.
///
/// Children may be added in any order; elements that repeat keep their order among themselves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Draft {
    name: String,
    text: String,
    currency: Option<String>,
    children: Vec<Self>,
}

/// Why a draft is not a valid message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BuildError {
    /// There is no table for this message.
    #[error("{0} is not supported")]
    Unsupported(MessageName),
    /// A value does not fit the type of its element.
    #[error("{path}: {reason} Value: `{value}`")]
    Value {
        /// Where, e.g. `/Document/FIToFICstmrCdtTrf/GrpHdr/MsgId`.
        path: String,
        /// Start of the value.
        value: String,
        /// What is wrong, as one sentence.
        reason: String,
    },
    /// A required element or attribute has not been given.
    #[error("{path}: {names} is missing")]
    Missing {
        /// The element that lacks something.
        path: String,
        /// What it lacks.
        names: String,
    },
    /// An element is not known to the schema, or comes too often.
    #[error("{path} is not allowed")]
    NotAllowed {
        /// The element.
        path: String,
    },
    /// An amount cannot be paid in its currency, or is out of bounds.
    #[error("the amount {value} {currency} cannot be written: {reason}")]
    Amount {
        /// The value.
        value: String,
        /// The currency.
        currency: String,
        /// What is wrong.
        reason: &'static str,
    },
}

impl Draft {
    /// An empty element.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self { name: name.to_owned(), ..Self::default() }
    }

    /// Sets the text at a path of names, creating what is not there yet. At each step the last
    /// element of the name is taken.
    pub fn set(&mut self, path: &str, text: impl Into<String>) -> &mut Self {
        self.at(path).text = text.into();
        self
    }

    /// As [`Draft::set`]; nothing happens for `None`.
    pub fn set_some(&mut self, path: &str, text: Option<impl Into<String>>) -> &mut Self {
        if let Some(text) = text {
            self.set(path, text);
        }
        self
    }

    /// Sets an amount with its currency at a path.
    pub fn set_amount(&mut self, path: &str, text: impl Into<String>, currency: &str) -> &mut Self {
        let element = self.at(path);
        element.text = text.into();
        element.currency = Some(currency.to_owned());
        self
    }

    /// Adds one more child of this name and returns it.
    pub fn push(&mut self, name: &str) -> &mut Self {
        self.children.push(Self::new(name));
        self.children.last_mut().expect("pushed just now")
    }

    /// Adds one more child with a text.
    pub fn push_text(&mut self, name: &str, text: impl Into<String>) -> &mut Self {
        self.push(name).text = text.into();
        self
    }

    /// The element at a path, created if need be; at each step the last of the name.
    pub fn at(&mut self, path: &str) -> &mut Self {
        path.split('/').fold(self, |element, name| {
            match element.children.iter().rposition(|child| child.name == name) {
                Some(at) => &mut element.children[at],
                None => element.push(name),
            }
        })
    }

    /// Writes the draft of a whole message (named `Document` or `AppHdr`) as a document.
    ///
    /// # Errors
    /// The draft does not follow the schema.
    pub fn write(&self, message: MessageName) -> Result<Vec<u8>, BuildError> {
        let mut out = String::with_capacity(2048);
        out.push_str(DECLARATION);
        self.write_fragment(message, &mut out)?;
        Ok(out.into_bytes())
    }

    /// Writes the draft without an XML declaration, to stand in a wrapper.
    ///
    /// # Errors
    /// The draft does not follow the schema; `out` is then of no use.
    pub fn write_fragment(&self, message: MessageName, out: &mut String) -> Result<(), BuildError> {
        let (table, root) = table::root_of(message).ok_or(BuildError::Unsupported(message))?;
        let mut writer = DraftWriter { table, out, path: String::new() };
        if self.name != root.element {
            return Err(BuildError::NotAllowed { path: format!("/{}", self.name) });
        }
        writer.element(self, root.type_id, Some(message))
    }
}

struct DraftWriter<'o> {
    table: &'static Table,
    out: &'o mut String,
    path: String,
}

impl DraftWriter<'_> {
    fn element(
        &mut self,
        draft: &Draft,
        type_id: TypeId,
        namespace: Option<MessageName>,
    ) -> Result<(), BuildError> {
        let parent_length = self.path.len();
        self.path.push('/');
        self.path.push_str(&draft.name);
        self.out.push('<');
        self.out.push_str(&draft.name);
        if let Some(namespace) = namespace {
            self.out.push_str(" xmlns=\"");
            self.out.push_str(&namespace.namespace());
            self.out.push('"');
        }
        match &self.table.type_of(type_id).kind {
            Kind::Simple(_) => {
                if draft.currency.is_some() {
                    return Err(self.not_allowed("/@Ccy"));
                }
                self.out.push('>');
                self.text(draft, type_id, &draft.text)?;
                escape_text(self.out, &draft.text);
            }
            Kind::Attributed { value, attribute, attribute_type } => {
                let missing =
                    || BuildError::Missing { path: self.path.clone(), names: attribute.clone() };
                let currency = draft.currency.as_ref().ok_or_else(missing)?;
                self.text(draft, *attribute_type, currency)?;
                self.text(draft, *value, &draft.text)?;
                self.out.push(' ');
                self.out.push_str(attribute);
                self.out.push_str("=\"");
                escape_attribute(self.out, currency);
                self.out.push_str("\">");
                escape_text(self.out, &draft.text);
            }
            Kind::Complex(content) => {
                if draft.currency.is_some() || !draft.text.is_empty() {
                    return Err(self.not_allowed(""));
                }
                self.out.push('>');
                self.children(draft, content)?;
            }
        }
        self.out.push_str("</");
        self.out.push_str(&draft.name);
        self.out.push('>');
        self.path.truncate(parent_length);
        Ok(())
    }

    fn children(&mut self, draft: &Draft, content: &Content) -> Result<(), BuildError> {
        let rank = |child: &&Draft| {
            let place = content.options.iter().position(|option| option.name == child.name);
            place.unwrap_or(usize::MAX)
        };
        let mut children: Vec<&Draft> = draft.children.iter().collect();
        children.sort_by_key(rank);
        let mut state = State::START;
        for child in children {
            let option = match content.step(&mut state, &child.name) {
                Step::Accepted(option) => option,
                Step::Skipped { missing, .. } => return Err(self.missing(content, missing)),
                Step::Misplaced(_) | Step::Unknown => {
                    return Err(self.not_allowed(&format!("/{}", child.name)));
                }
            };
            match content.options[option].term {
                Term::Element(type_id) => self.element(child, type_id, None)?,
                Term::Any | Term::AnySignature => return Err(self.not_allowed("")),
            }
        }
        match content.missing_at_end(state) {
            Some(missing) => Err(self.missing(content, missing)),
            None => Ok(()),
        }
    }

    fn text(&self, draft: &Draft, type_id: TypeId, text: &str) -> Result<(), BuildError> {
        let bad = |reason: String| BuildError::Value {
            path: self.path.clone(),
            value: excerpt(text),
            reason,
        };
        if !draft.children.is_empty() {
            return Err(self.not_allowed(""));
        }
        if !text.chars().all(crate::reader::is_xml_char) {
            return Err(bad("The value holds a character that XML does not allow.".to_owned()));
        }
        let Some(simple) = self.table.simple(type_id) else { return Ok(()) };
        self.table.check(simple, text).map_err(|misfit| bad(describe(self.table, simple, misfit)))
    }

    fn missing(&self, content: &Content, option: usize) -> BuildError {
        BuildError::Missing { path: self.path.clone(), names: content.slot_names(option) }
    }

    fn not_allowed(&self, suffix: &str) -> BuildError {
        BuildError::NotAllowed { path: format!("{}{suffix}", self.path) }
    }
}
