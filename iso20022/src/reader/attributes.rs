//! The attributes of one start tag, split and decoded strictly.
//!
//! The tokeniser hands over what stands between the element name and `>`; this module checks
//! white space, quotes, forbidden `<`, references and the limit, which a tokeniser leaves open.

use super::names::{resolve_reference, split};
use super::{Fault, is_space};
use crate::limits::Limits;
use crate::tree::Span;

/// One attribute; `value` refers to the input or to the decoded buffer.
pub(super) struct Attribute<'s> {
    pub(super) prefix: &'s str,
    pub(super) local: &'s str,
    pub(super) name: Span,
    pub(super) value: Span,
    pub(super) offset: usize,
}

/// Splits `source[start..end]` into attributes, decoding values into `decoded` where needed.
pub(super) fn parse<'s>(
    source: &'s str,
    start: usize,
    end: usize,
    limits: &Limits,
    decoded: &mut String,
    found: &mut Vec<Attribute<'s>>,
) -> Result<(), Fault> {
    found.clear();
    let bytes = source.as_bytes();
    let malformed =
        |offset| Fault::at("xml.attribute", offset, "The attributes of a tag are malformed.");
    let skip_space = |mut at: usize| {
        while at < end && is_space(bytes[at]) {
            at += 1;
        }
        at
    };
    let mut at = start;
    loop {
        let name_start = skip_space(at);
        if name_start == end {
            return Ok(());
        }
        if name_start == at {
            return Err(malformed(at));
        }
        let name_end = (name_start..end)
            .find(|at| bytes[*at] == b'=' || is_space(bytes[*at]))
            .ok_or_else(|| malformed(name_start))?;
        let equals = skip_space(name_end);
        if equals == end || bytes[equals] != b'=' {
            return Err(malformed(name_start));
        }
        let quote_at = skip_space(equals + 1);
        let quote = *bytes[..end].get(quote_at).ok_or_else(|| malformed(name_start))?;
        if quote != b'"' && quote != b'\'' {
            return Err(malformed(name_start));
        }
        let value_start = quote_at + 1;
        let length =
            memchr::memchr(quote, &bytes[value_start..end]).ok_or_else(|| malformed(name_start))?;
        let value_end = value_start + length;
        let (prefix, local) =
            split(&source[name_start..name_end]).ok_or_else(|| malformed(name_start))?;
        if found.len() >= limits.attributes_max {
            return Err(Fault::at(
                "limit.attributes",
                name_start,
                "An element has too many attributes.",
            ));
        }
        found.push(Attribute {
            prefix,
            local,
            name: Span::source(name_start, name_end),
            value: value(source, value_start, value_end, decoded)?,
            offset: name_start,
        });
        at = value_end + 1;
    }
}

fn value(source: &str, start: usize, end: usize, decoded: &mut String) -> Result<Span, Fault> {
    let raw = &source[start..end];
    if !raw.bytes().any(|byte| matches!(byte, b'&' | b'<' | b'\t' | b'\n' | b'\r')) {
        return Ok(Span::source(start, end));
    }
    let from = decoded.len();
    let mut rest = raw;
    while let Some(next) = rest.chars().next() {
        match next {
            '<' => {
                return Err(Fault::at("xml.attribute", start, "An attribute value contains `<`."));
            }
            '&' => {
                let at = end - rest.len();
                let (name, tail) = rest[1..].split_once(';').ok_or_else(|| bad_reference(at))?;
                decoded.push(resolve_reference(name).ok_or_else(|| bad_reference(at))?);
                rest = tail;
                continue;
            }
            '\r' if rest[1..].starts_with('\n') => {}
            '\t' | '\n' | '\r' => decoded.push(' '),
            other => decoded.push(other),
        }
        rest = &rest[next.len_utf8()..];
    }
    Ok(Span::decoded(from, decoded.len()))
}

pub(super) fn bad_reference(offset: usize) -> Fault {
    Fault::at(
        "xml.entity",
        offset,
        "Only the five predefined entities and references to legal characters are allowed.",
    )
}
