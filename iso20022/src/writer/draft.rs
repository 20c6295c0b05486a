//! Drafts: a message as builders fill it in, before the schema has its say.

use super::short::{Short, Text};
use super::{DECLARATION, escape_attribute, escape_text};
use crate::finding::excerpt;
use crate::name::{MessageName, NAMESPACE_PREFIX};
use crate::reader::describe;
use crate::table::{self, Content, Kind, Simple, State, Step, Table, Term, TypeId};

const SIGNATURE_NAMESPACE: &str = "http://www.w3.org/2000/09/xmldsig#";

/// One element of a message to be written: text or children, and at most a currency.
///
/// Children may be added in any order; elements that repeat keep their order among themselves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Draft {
    pub(crate) name: Name,
    pub(crate) text: Text,
    pub(crate) children: Vec<Self>,
    /// What few elements have, apart so that the others stay small.
    extra: Option<Box<Extra>>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Extra {
    currency: Option<String>,
    /// Namespace of an element that the schema does not describe.
    foreign: Option<String>,
}

type Name = Short<22>;

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
        Self { name: name.into(), ..Self::default() }
    }

    /// An element to stand under a wildcard (`SplmtryData/Envlp`, `Sgntr`), in a namespace of its
    /// own that its children share. The schema describes no more of it than that it is one element.
    #[must_use]
    pub fn foreign(namespace: &str, name: &str) -> Self {
        let foreign = Some(namespace.to_owned());
        Self { extra: Some(Box::new(Extra { foreign, currency: None })), ..Self::new(name) }
    }

    /// Sets the text at a path of names, creating what is not there yet. At each step the last
    /// element of the name is taken.
    pub fn set(&mut self, path: &str, text: impl Into<Text>) -> &mut Self {
        self.at(path).text = text.into();
        self
    }

    /// As [`Draft::set`]; nothing happens for `None`.
    pub fn set_some(&mut self, path: &str, text: Option<impl Into<Text>>) -> &mut Self {
        if let Some(text) = text {
            self.set(path, text);
        }
        self
    }

    /// Sets an amount with its currency at a path.
    pub fn set_amount(&mut self, path: &str, text: impl Into<Text>, currency: &str) -> &mut Self {
        let element = self.at(path);
        element.text = text.into();
        element.set_currency(currency);
        self
    }

    pub(crate) fn set_currency(&mut self, currency: &str) {
        self.extra.get_or_insert_default().currency = Some(currency.to_owned());
    }

    pub(crate) fn currency(&self) -> Option<&str> {
        self.extra.as_ref()?.currency.as_deref()
    }

    fn foreign_namespace(&self) -> Option<&str> {
        self.extra.as_ref()?.foreign.as_deref()
    }

    /// Adds one more child of this name and returns it.
    pub fn push(&mut self, name: &str) -> &mut Self {
        self.children.push(Self::new(name));
        self.children.last_mut().expect("pushed just now")
    }

    /// Adds a child that was made on its own.
    pub fn push_draft(&mut self, child: Self) -> &mut Self {
        self.children.push(child);
        self
    }

    /// Adds one more child with a text.
    pub fn push_text(&mut self, name: &str, text: impl Into<Text>) -> &mut Self {
        self.push(name).text = text.into();
        self
    }

    /// The element at a path, created if need be; at each step the last of the name.
    pub fn at(&mut self, path: &str) -> &mut Self {
        path.split('/').fold(self, |element, name| {
            match element.children.iter().rposition(|child| child.name.is(name)) {
                Some(at) => &mut element.children[at],
                None => element.push(name),
            }
        })
    }

    /// The first element at a path of names; `*` stands for any name.
    pub(crate) fn get(&self, path: &str) -> Option<&Self> {
        path.split('/').try_fold(self, |element, name| {
            let takes = |child: &&Self| name == "*" || child.name.is(name);
            element.children.iter().find(takes)
        })
    }

    /// The text at a path; see [`Draft::get`].
    pub(crate) fn text_at(&self, path: &str) -> Option<&str> {
        self.get(path).map(|element| element.text.as_str())
    }

    /// True when there is an element at a path; see [`Draft::get`].
    pub(crate) fn has(&self, path: &str) -> bool {
        self.get(path).is_some()
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
        if !self.name.is(&root.element) {
            let path = format!("/{}", self.name.as_str());
            return Err(BuildError::NotAllowed { path });
        }
        writer.element(self, &root.element, root.type_id, Some(message))
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
        name: &str,
        type_id: TypeId,
        namespace: Option<MessageName>,
    ) -> Result<(), BuildError> {
        let parent_length = self.path.len();
        self.path.push('/');
        self.path.push_str(name);
        self.out.push('<');
        self.out.push_str(name);
        if let Some(namespace) = namespace {
            self.out.push_str(" xmlns=\"");
            self.out.push_str(NAMESPACE_PREFIX);
            self.out.push_str(namespace.as_str());
            self.out.push('"');
        }
        let table = self.table;
        match &table.type_of(type_id).kind {
            Kind::Simple(simple) => {
                if draft.currency().is_some() {
                    return Err(self.not_allowed("/@Ccy"));
                }
                self.out.push('>');
                let text = draft.text.as_str();
                self.check(draft, simple, text)?;
                escape_text(self.out, text);
            }
            Kind::Attributed { value, attribute, attribute_type } => {
                let missing =
                    || BuildError::Missing { path: self.path.clone(), names: attribute.clone() };
                let currency = draft.currency().ok_or_else(missing)?;
                let value_text = draft.text.as_str();
                for (type_id, text) in [(*attribute_type, currency), (*value, value_text)] {
                    if let Some(simple) = table.simple(type_id) {
                        self.check(draft, simple, text)?;
                    }
                }
                self.out.push(' ');
                self.out.push_str(attribute);
                self.out.push_str("=\"");
                escape_attribute(self.out, currency);
                self.out.push_str("\">");
                escape_text(self.out, value_text);
            }
            Kind::Complex(content) => {
                if draft.currency().is_some() || !draft.text.is_empty() {
                    return Err(self.not_allowed(""));
                }
                self.out.push('>');
                self.children(draft, content)?;
            }
        }
        self.out.push_str("</");
        self.out.push_str(name);
        self.out.push('>');
        self.path.truncate(parent_length);
        Ok(())
    }

    fn children(&mut self, draft: &Draft, content: &Content) -> Result<(), BuildError> {
        if content.is_wildcard() {
            return self.wildcard(draft, content);
        }
        let mut state = State::START;
        // Children mostly come in the order of the schema: then nothing has to be sorted.
        let mut place = 0;
        let in_order = draft.children.iter().all(|child| {
            let last = place;
            place = rank(content, last, child);
            place >= last
        });
        if in_order {
            let mut place = 0;
            for child in &draft.children {
                place = rank(content, place, child);
                self.child(child, content, place, &mut state)?;
            }
        } else {
            let mut children: Vec<(usize, &Draft)> =
                draft.children.iter().map(|child| (rank(content, 0, child), child)).collect();
            children.sort_by_key(|(place, _)| *place);
            for (place, child) in children {
                self.child(child, content, place, &mut state)?;
            }
        }
        match content.missing_at_end(state) {
            Some(missing) => Err(self.missing(content, missing)),
            None => Ok(()),
        }
    }

    fn child(
        &mut self,
        child: &Draft,
        content: &Content,
        place: usize,
        state: &mut State,
    ) -> Result<(), BuildError> {
        let refused = |writer: &Self| Err(writer.not_allowed(&format!("/{}", child.name.as_str())));
        let Some(option) = content.options.get(place) else { return refused(self) };
        match content.step_to(state, place) {
            Step::Accepted(_) => {}
            Step::Skipped { missing, .. } => return Err(self.missing(content, missing)),
            Step::Misplaced(_) | Step::Unknown => return refused(self),
        }
        match option.term {
            Term::Element(type_id) if child.foreign_namespace().is_none() => {
                self.element(child, &option.name, type_id, None)
            }
            _ => refused(self),
        }
    }

    /// The one element of another namespace that a wildcard takes.
    fn wildcard(&mut self, draft: &Draft, content: &Content) -> Result<(), BuildError> {
        let mut state = State::START;
        for child in &draft.children {
            let refused = || self.not_allowed(&format!("/{}", child.name.as_str()));
            let namespace = child.foreign_namespace().ok_or_else(refused)?;
            let signature = namespace == SIGNATURE_NAMESPACE;
            content.step_wildcard(&mut state, signature).ok_or_else(refused)?;
            self.foreign(child, Some(namespace))?;
        }
        match content.missing_at_end(state) {
            Some(missing) => Err(self.missing(content, missing)),
            None => Ok(()),
        }
    }

    fn foreign(&mut self, draft: &Draft, namespace: Option<&str>) -> Result<(), BuildError> {
        let name = draft.name.as_str();
        let parent_length = self.path.len();
        self.path.push('/');
        self.path.push_str(name);
        let namespaced = namespace.is_some() == draft.foreign_namespace().is_some();
        if !is_plain_name(name) || !namespaced || draft.currency().is_some() {
            return Err(self.not_allowed(""));
        }
        self.characters(namespace.unwrap_or_default())?;
        self.characters(draft.text.as_str())?;
        self.out.push('<');
        self.out.push_str(name);
        if let Some(namespace) = namespace {
            self.out.push_str(" xmlns=\"");
            escape_attribute(self.out, namespace);
            self.out.push('"');
        }
        self.out.push('>');
        escape_text(self.out, draft.text.as_str());
        for child in &draft.children {
            self.foreign(child, None)?;
        }
        self.out.push_str("</");
        self.out.push_str(name);
        self.out.push('>');
        self.path.truncate(parent_length);
        Ok(())
    }

    fn check(&self, draft: &Draft, simple: &Simple, text: &str) -> Result<(), BuildError> {
        if !draft.children.is_empty() {
            return Err(self.not_allowed(""));
        }
        self.characters(text)?;
        self.table
            .check(simple, text)
            .map_err(|misfit| self.bad(text, describe(self.table, simple, misfit)))
    }

    /// Refuses characters that cannot stand in XML.
    fn characters(&self, text: &str) -> Result<(), BuildError> {
        let plain = text.bytes().all(|byte| (b' '..0x7f).contains(&byte));
        if plain || text.chars().all(crate::reader::is_xml_char) {
            return Ok(());
        }
        Err(self.bad(text, "The value holds a character that XML does not allow.".to_owned()))
    }

    fn bad(&self, text: &str, reason: String) -> BuildError {
        BuildError::Value { path: self.path.clone(), value: excerpt(text), reason }
    }

    fn missing(&self, content: &Content, option: usize) -> BuildError {
        BuildError::Missing { path: self.path.clone(), names: content.slot_names(option) }
    }

    fn not_allowed(&self, suffix: &str) -> BuildError {
        BuildError::NotAllowed { path: format!("{}{suffix}", self.path) }
    }
}

/// Place of a child in the content model, looked for first from `start` on; beyond all for a child
/// that the model does not know.
fn rank(content: &Content, start: usize, child: &Draft) -> usize {
    let takes = |at: &usize| child.name.is(&content.options[*at].name);
    let later = (start..content.options.len()).find(takes);
    later.or_else(|| (0..start.min(content.options.len())).find(takes)).unwrap_or(usize::MAX)
}

/// A name of letters and digits: enough for data that this crate writes into wildcards.
fn is_plain_name(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric())
}
