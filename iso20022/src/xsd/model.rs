//! The part of an XML Schema that matters to a table, read from its text.
//!
//! The file is first read into a plain element tree and then interpreted top-down; both steps are
//! strict, since schemas are trusted input but a misunderstood one is worse than a refused one.

use crate::name::MessageName;
use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};
use std::collections::BTreeMap;
use std::fmt::Write;

const SIGNATURE_NAMESPACE: &str = "http://www.w3.org/2000/09/xmldsig#";

/// Why a schema cannot be turned into a table.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("schema {schema}: {reason}")]
pub struct BadSchema {
    /// Message name or `?` when not known yet.
    pub schema: String,
    /// What is wrong.
    pub reason: String,
}

/// One schema file.
#[derive(Clone, Debug)]
pub struct Schema {
    /// The message that it defines.
    pub message: MessageName,
    /// `Document` or `AppHdr`.
    pub root_element: String,
    pub(super) root_type: String,
    pub(super) types: BTreeMap<String, Definition>,
}

#[derive(Clone, Debug)]
pub(super) enum Definition {
    /// Base and facets in table form.
    Simple(String),
    Attributed {
        value: String,
        attribute: String,
        attribute_type: String,
    },
    Complex(Vec<Particle>),
}

#[derive(Clone, Debug)]
pub(super) enum Particle {
    Element { name: String, type_name: String, occurs: String },
    Choice(Vec<Particle>),
    Any { signature: bool },
}

/// An element of the schema file; `tag` without the `xs:` prefix.
struct Raw {
    tag: String,
    attributes: BTreeMap<String, String>,
    children: Vec<Raw>,
}

type Refusal = String;

impl Schema {
    /// Reads one schema file.
    ///
    /// # Errors
    /// The file is not a schema, or uses a construct outside the subset of the standard.
    pub fn parse(text: &str) -> Result<Self, BadSchema> {
        let unnamed = |reason| BadSchema { schema: "?".to_owned(), reason };
        let root = read(text).map_err(unnamed)?;
        let namespace = root.get("targetNamespace").map_err(unnamed)?;
        let message = MessageName::from_namespace(namespace)
            .ok_or_else(|| unnamed(format!("namespace `{namespace}` names no message")))?;
        let named = |reason| BadSchema { schema: message.to_string(), reason };
        let mut types = BTreeMap::new();
        let mut roots = Vec::new();
        for child in &root.children {
            let name = child.get("name").map_err(named)?.to_owned();
            let definition = match child.tag.as_str() {
                "element" => {
                    roots.push((name, child.get("type").map_err(named)?.to_owned()));
                    continue;
                }
                "simpleType" => simple_type(child),
                "complexType" => complex_type(child),
                other => Err(format!("`{other}` at the top is not supported")),
            };
            let definition = definition.map_err(|reason| named(format!("{name}: {reason}")))?;
            types.insert(name, definition);
        }
        let [(root_element, root_type)] = roots.as_slice() else {
            return Err(named("expected exactly one global element".to_owned()));
        };
        let (root_element, root_type) = (root_element.clone(), root_type.clone());
        Ok(Self { message, root_element, root_type, types })
    }

    pub(super) fn bad(&self, reason: String) -> BadSchema {
        BadSchema { schema: self.message.to_string(), reason }
    }
}

impl Raw {
    fn get(&self, name: &str) -> Result<&str, Refusal> {
        let missing = || format!("`{}` lacks `{name}`", self.tag);
        self.attributes.get(name).map(String::as_str).ok_or_else(missing)
    }

    /// Refuses attributes and children that the caller does not look at.
    fn only(&self, attributes: &[&str], children: &[&str]) -> Result<(), Refusal> {
        if let Some(name) = self.attributes.keys().find(|name| !attributes.contains(&name.as_str()))
        {
            return Err(format!("attribute `{name}` of `{}` is not supported", self.tag));
        }
        match self.children.iter().find(|child| !children.contains(&child.tag.as_str())) {
            Some(child) => Err(format!("`{}` in `{}` is not supported", child.tag, self.tag)),
            None => Ok(()),
        }
    }

    fn single(&self) -> Result<&Self, Refusal> {
        match self.children.as_slice() {
            [only] => Ok(only),
            _ => Err(format!("`{}` must have exactly one child", self.tag)),
        }
    }
}

fn read(text: &str) -> Result<Raw, Refusal> {
    let mut reader = Reader::from_str(text);
    reader.config_mut().expand_empty_elements = true;
    let mut open: Vec<Raw> = Vec::new();
    loop {
        match reader.read_event().map_err(|error| error.to_string())? {
            Event::Start(start) => open.push(raw(&start)?),
            Event::End(_) => {
                let done = open.pop().ok_or("unbalanced end")?;
                match open.last_mut() {
                    // Documentation has no bearing on validity.
                    Some(_) if done.tag == "annotation" => {}
                    Some(parent) => parent.children.push(done),
                    None if done.tag == "schema" => return Ok(done),
                    None => return Err("the root is not `schema`".to_owned()),
                }
            }
            Event::Eof => return Err("unexpected end of file".to_owned()),
            Event::DocType(_) => return Err("DOCTYPE is not supported".to_owned()),
            _ => {}
        }
    }
}

fn raw(start: &BytesStart<'_>) -> Result<Raw, Refusal> {
    let name = start.name();
    let name: &str = name.as_ref();
    let tag = name.strip_prefix("xs:").ok_or_else(|| format!("`{name}` is not `xs:`"))?;
    let mut attributes = BTreeMap::new();
    for attribute in start.attributes() {
        let attribute = attribute.map_err(|error| error.to_string())?;
        let value = quick_xml::escape::unescape(&attribute.value).map_err(|e| e.to_string())?;
        let key: &str = attribute.key.as_ref();
        attributes.insert(key.to_owned(), value.into_owned());
    }
    Ok(Raw { tag: tag.to_owned(), attributes, children: Vec::new() })
}

fn simple_type(raw: &Raw) -> Result<Definition, Refusal> {
    raw.only(&["name"], &["restriction"])?;
    let restriction = raw.single()?;
    restriction.only(
        &["base"],
        &[
            "minLength",
            "maxLength",
            "length",
            "pattern",
            "enumeration",
            "totalDigits",
            "fractionDigits",
            "minInclusive",
            "maxInclusive",
        ],
    )?;
    let base = restriction.get("base")?;
    let known = [
        "string",
        "decimal",
        "boolean",
        "dateTime",
        "date",
        "time",
        "gYear",
        "gYearMonth",
        "base64Binary",
    ];
    let base = base
        .strip_prefix("xs:")
        .filter(|base| known.contains(base))
        .ok_or_else(|| format!("base `{base}` is not supported"))?;
    let facet = |tag: &str| -> Result<Option<&str>, Refusal> {
        let mut found = restriction.children.iter().filter(|child| child.tag == tag);
        let first = found.next().map(|child| child.get("value")).transpose()?;
        if found.next().is_some() {
            return Err(format!("more than one `{tag}`"));
        }
        Ok(first)
    };
    let mut text = base.to_owned();
    let length = facet("length")?;
    let (low, high) = (length.or(facet("minLength")?), length.or(facet("maxLength")?));
    if low.is_some() || high.is_some() {
        let _ = write!(text, " len={}..{}", low.unwrap_or(""), high.unwrap_or(""));
    }
    for (tag, short) in [("totalDigits", "digits"), ("fractionDigits", "fraction")] {
        if let Some(value) = facet(tag)? {
            let _ = write!(text, " {short}={value}");
        }
    }
    for (tag, short) in [("minInclusive", "min"), ("maxInclusive", "max")] {
        if let Some(value) = facet(tag)? {
            let value: u32 =
                value.parse().map_err(|_| format!("`{tag}` is not a small whole number"))?;
            let _ = write!(text, " {short}={value}");
        }
    }
    let codes: Vec<&str> = restriction
        .children
        .iter()
        .filter(|child| child.tag == "enumeration")
        .map(|child| child.get("value"))
        .collect::<Result<_, _>>()?;
    if codes.iter().any(|code| code.contains(char::is_whitespace) || code.is_empty()) {
        return Err("an enumeration value with white space".to_owned());
    }
    let pattern = facet("pattern")?;
    match (codes.is_empty(), pattern) {
        (true, Some(pattern)) => {
            let _ = write!(text, " pattern {pattern}");
        }
        (false, None) => {
            let _ = write!(text, " enum {}", codes.join(" "));
        }
        (true, None) => {}
        (false, Some(_)) => return Err("pattern together with enumeration".to_owned()),
    }
    Ok(Definition::Simple(text))
}

fn complex_type(raw: &Raw) -> Result<Definition, Refusal> {
    raw.only(&["name"], &["sequence", "choice", "simpleContent"])?;
    if raw.children.is_empty() {
        return Ok(Definition::Complex(Vec::new()));
    }
    let inner = raw.single()?;
    inner.only(&[], &["element", "choice", "any", "extension"])?;
    match inner.tag.as_str() {
        "simpleContent" => simple_content(inner),
        "choice" => Ok(Definition::Complex(vec![choice(inner)?])),
        _ => {
            let particles = inner.children.iter().map(|child| match child.tag.as_str() {
                "element" => element(child),
                "choice" => choice(child),
                "any" => wildcard(child),
                other => Err(format!("`{other}` in a sequence")),
            });
            Ok(Definition::Complex(particles.collect::<Result<_, _>>()?))
        }
    }
}

fn simple_content(raw: &Raw) -> Result<Definition, Refusal> {
    let extension = raw.single()?;
    extension.only(&["base"], &["attribute"])?;
    let attribute = extension.single()?;
    attribute.only(&["name", "type", "use"], &[])?;
    if attribute.get("use")? != "required" {
        return Err("an optional attribute".to_owned());
    }
    Ok(Definition::Attributed {
        value: extension.get("base")?.to_owned(),
        attribute: attribute.get("name")?.to_owned(),
        attribute_type: attribute.get("type")?.to_owned(),
    })
}

fn choice(raw: &Raw) -> Result<Particle, Refusal> {
    raw.only(&[], &["element"])?;
    Ok(Particle::Choice(raw.children.iter().map(element).collect::<Result<_, _>>()?))
}

fn element(raw: &Raw) -> Result<Particle, Refusal> {
    raw.only(&["name", "type", "minOccurs", "maxOccurs"], &[])?;
    let min = raw.get("minOccurs").unwrap_or("1");
    let max = raw.get("maxOccurs").unwrap_or("1");
    let occurs = match (min, max) {
        ("1", "1") => String::new(),
        ("0", "1") => "?".to_owned(),
        ("0", "unbounded") => "*".to_owned(),
        ("1", "unbounded") => "+".to_owned(),
        (_, "unbounded") => format!("{{{min},}}"),
        _ => format!("{{{min},{max}}}"),
    };
    let (name, type_name) = (raw.get("name")?.to_owned(), raw.get("type")?.to_owned());
    Ok(Particle::Element { name, type_name, occurs })
}

fn wildcard(raw: &Raw) -> Result<Particle, Refusal> {
    raw.only(&["namespace", "processContents"], &[])?;
    match (raw.get("namespace")?, raw.get("processContents")?) {
        // `lax` checks more than `skip` only where a whole message stands inside of itself.
        ("##any", "lax" | "skip") => Ok(Particle::Any { signature: false }),
        (SIGNATURE_NAMESPACE, "lax") => Ok(Particle::Any { signature: true }),
        (namespace, process) => Err(format!("wildcard `{namespace}` `{process}`")),
    }
}
