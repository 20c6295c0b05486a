//! XML characters and names, and the namespace declarations in scope.

use super::Fault;
use crate::limits::NAMESPACES_MAX;
use std::borrow::Cow;

/// Number of a namespace within one message.
pub(super) type NamespaceId = u32;

pub(super) const NO_NAMESPACE: NamespaceId = 0;
const XML: NamespaceId = 1;
const XMLNS: NamespaceId = 2;
pub(super) const INSTANCE: NamespaceId = 3;
pub(super) const SIGNATURE: NamespaceId = 4;

const WELL_KNOWN: [&str; 5] = [
    "",
    "http://www.w3.org/XML/1998/namespace",
    "http://www.w3.org/2000/xmlns/",
    "http://www.w3.org/2001/XMLSchema-instance",
    "http://www.w3.org/2000/09/xmldsig#",
];

/// Declarations in scope, innermost last.
pub(super) struct Namespaces<'s> {
    uris: Vec<Cow<'static, str>>,
    bindings: Vec<(&'s str, NamespaceId)>,
}

/// A mark to return to when an element ends.
#[derive(Clone, Copy)]
pub(super) struct Scope {
    bindings: usize,
    pub(super) default: NamespaceId,
}

impl Scope {
    pub(super) const OUTER: Self = Self { bindings: 0, default: NO_NAMESPACE };
}

impl<'s> Namespaces<'s> {
    pub(super) fn new() -> Self {
        Self { uris: WELL_KNOWN.map(Cow::Borrowed).to_vec(), bindings: Vec::new() }
    }

    pub(super) fn uri(&self, id: NamespaceId) -> &str {
        &self.uris[id as usize]
    }

    /// Adds a declaration; returns the scope that includes it.
    pub(super) fn declare(
        &mut self,
        scope: Scope,
        prefix: &'s str,
        uri: &str,
        offset: usize,
    ) -> Result<Scope, Fault> {
        let bad = |text| Fault::at("xml.namespace", offset, text);
        if prefix == "xml" || prefix == "xmlns" {
            return if prefix == "xml" && uri == WELL_KNOWN[XML as usize] {
                Ok(scope)
            } else {
                Err(bad("The prefixes `xml` and `xmlns` cannot be declared."))
            };
        }
        if uri.is_empty() && !prefix.is_empty() {
            return Err(bad("A prefix cannot be declared for no namespace."));
        }
        if uri == WELL_KNOWN[XML as usize] || uri == WELL_KNOWN[XMLNS as usize] {
            return Err(bad("The namespaces of `xml` and `xmlns` cannot have another prefix."));
        }
        let id = self.intern(uri);
        if self.bindings.len() >= NAMESPACES_MAX || self.uris.len() > NAMESPACES_MAX {
            let text = "The message declares too many namespaces.";
            return Err(Fault::at("limit.namespaces", offset, text));
        }
        if prefix.is_empty() {
            return Ok(Scope { default: id, ..scope });
        }
        self.bindings.push((prefix, id));
        Ok(Scope { bindings: self.bindings.len(), ..scope })
    }

    fn intern(&mut self, uri: &str) -> NamespaceId {
        let known = self.uris.iter().position(|known| known == uri);
        let at = known.unwrap_or_else(|| {
            self.uris.push(Cow::Owned(uri.to_owned()));
            self.uris.len() - 1
        });
        at as NamespaceId
    }

    pub(super) fn leave(&mut self, scope: Scope) {
        self.bindings.truncate(scope.bindings);
    }

    /// Namespace of a prefix that is not empty.
    pub(super) fn resolve(&self, prefix: &str) -> Option<NamespaceId> {
        match prefix {
            "xml" => Some(XML),
            "xmlns" => Some(XMLNS),
            _ => self.bindings.iter().rev().find(|(known, _)| *known == prefix).map(|(_, id)| *id),
        }
    }

    /// Prefixes in scope with their namespaces, each prefix once with its innermost meaning.
    pub(super) fn in_scope(&self) -> Vec<(&'s str, NamespaceId)> {
        let mut found: Vec<(&'s str, NamespaceId)> = Vec::new();
        for (prefix, id) in self.bindings.iter().rev() {
            if found.iter().all(|(known, _)| known != prefix) {
                found.push((prefix, *id));
            }
        }
        found.reverse();
        found
    }
}

/// Splits a qualified name. `None` when it is not one.
pub(super) fn split(name: &str) -> Option<(&str, &str)> {
    match memchr::memchr(b':', name.as_bytes()) {
        None => is_local_name(name).then_some(("", name)),
        Some(at) => {
            let (prefix, local) = (&name[..at], &name[at + 1..]);
            (is_local_name(prefix) && is_local_name(local)).then_some((prefix, local))
        }
    }
}

/// True for a name without colon.
pub(super) fn is_local_name(name: &str) -> bool {
    let bytes = name.as_bytes();
    let Some(first) = bytes.first() else { return false };
    let plain_start = first.is_ascii_alphabetic() || *first == b'_';
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    if plain_start && bytes.iter().all(plain) {
        return true;
    }
    let mut characters = name.chars();
    characters.next().is_some_and(is_name_start) && characters.all(is_name_part)
}

fn is_name_start(character: char) -> bool {
    matches!(character,
        'A'..='Z' | 'a'..='z' | '_'
        | '\u{C0}'..='\u{D6}' | '\u{D8}'..='\u{F6}' | '\u{F8}'..='\u{2FF}'
        | '\u{370}'..='\u{37D}' | '\u{37F}'..='\u{1FFF}' | '\u{200C}'..='\u{200D}'
        | '\u{2070}'..='\u{218F}' | '\u{2C00}'..='\u{2FEF}' | '\u{3001}'..='\u{D7FF}'
        | '\u{F900}'..='\u{FDCF}' | '\u{FDF0}'..='\u{FFFD}' | '\u{10000}'..='\u{EFFFF}')
}

fn is_name_part(character: char) -> bool {
    is_name_start(character)
        || matches!(character,
            '0'..='9' | '-' | '.' | '\u{B7}' | '\u{300}'..='\u{36F}' | '\u{203F}'..='\u{2040}')
}

/// True for a character that XML 1.0 allows in a document.
pub(crate) fn is_xml_char(character: char) -> bool {
    matches!(character,
        '\t' | '\n' | '\r' | '\u{20}'..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..)
}

/// Offset of the first character that XML 1.0 does not allow.
pub(super) fn forbidden_char(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let control = |byte: &u8| *byte < 0x20 && !matches!(byte, b'\t' | b'\n' | b'\r');
    // Two passes: the first has no early exit, so the compiler can use wide registers.
    let any_control = bytes.iter().fold(false, |found, byte| found | control(byte));
    if any_control {
        return bytes.iter().position(control);
    }
    // U+FFFE and U+FFFF are the only forbidden characters above the controls.
    memchr::memchr_iter(0xEF, bytes)
        .find(|at| matches!(bytes.get(at + 1..at + 3), Some([0xBF, 0xBE | 0xBF])))
}

/// The character or text that a reference (without `&` and `;`) stands for.
pub(super) fn resolve_reference(name: &str) -> Option<char> {
    match name {
        "lt" => return Some('<'),
        "gt" => return Some('>'),
        "amp" => return Some('&'),
        "apos" => return Some('\''),
        "quot" => return Some('"'),
        _ => {}
    }
    let number = name.strip_prefix('#')?;
    let (digits, radix) = match number.strip_prefix('x') {
        Some(digits) => (digits, 16),
        None => (number, 10),
    };
    if digits.is_empty() || !digits.chars().all(|digit| digit.is_digit(radix)) {
        return None;
    }
    let value = u32::from_str_radix(digits, radix).ok()?;
    char::from_u32(value).filter(|character| is_xml_char(*character))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for name in ["a", "_a-1.b", "é", "saa:DataPDU"] {
            assert!(split(name).is_some(), "{name}");
        }
        for name in ["", "1a", "a:b:c", ":a", "a:", "a/", "-a", "a b", "a:1"] {
            assert!(split(name).is_none(), "{name}");
        }
    }

    #[test]
    fn references() {
        assert_eq!(resolve_reference("amp"), Some('&'));
        assert_eq!(resolve_reference("#x41"), Some('A'));
        assert_eq!(resolve_reference("#65"), Some('A'));
        for name in ["", "nbsp", "#", "#x", "#0", "#xD800", "#x110000", "#+65", "#X41", "#xFFFE"] {
            assert_eq!(resolve_reference(name), None, "{name}");
        }
    }

    #[test]
    fn characters() {
        assert_eq!(forbidden_char("a\tb\r\n é \u{FFFD}"), None);
        assert_eq!(forbidden_char("a\u{0}"), Some(1));
        assert_eq!(forbidden_char("ab\u{FFFE}"), Some(2));
        assert_eq!(forbidden_char("\u{1F}"), Some(0));
    }
}
