//! Generator: turns ISO 20022 XML Schemas into the text form of a [`crate::table::Table`].
//!
//! It reads the narrow subset of XML Schema that the standard uses (one namespace a file, global
//! types, sequences and choices of elements, one attribute on amounts) and refuses everything
//! else, so a schema that needs more is noticed when its table is made, not when a payment fails.
//! Types that are equal in several versions are written once.

mod model;

pub use model::{BadSchema, Schema};

use model::{Definition, Particle};
use std::collections::BTreeMap;
use std::fmt::Write;

/// Writes the table of several versions of one message family.
///
/// # Errors
/// A schema refers to a type that it does not define, or its types contain themselves.
pub fn table_text(schemas: &[Schema]) -> Result<String, BadSchema> {
    let mut writer = Writer::default();
    let mut roots = Vec::new();
    for schema in schemas {
        let mut names = BTreeMap::new();
        let type_name = writer.type_of(schema, &schema.root_type, &mut names, 0)?;
        roots.push(format!("R {} {}:{type_name}\n", schema.message, schema.root_element));
    }
    writer.text.extend(roots);
    Ok(writer.text)
}

/// Deepest nesting of types; a deeper one is taken for a cycle.
const TYPE_DEPTH_MAX: usize = 64;

#[derive(Default)]
struct Writer {
    text: String,
    /// Body of a definition, by its plain name, to the name under which it was written.
    written: BTreeMap<(String, String), String>,
    /// How many different definitions share a plain name.
    variants: BTreeMap<String, usize>,
}

impl Writer {
    /// Writes a type after the types that it uses; returns the name to refer to it by.
    fn type_of(
        &mut self,
        schema: &Schema,
        name: &str,
        names: &mut BTreeMap<String, String>,
        depth: usize,
    ) -> Result<String, BadSchema> {
        if let Some(known) = names.get(name) {
            return Ok(known.clone());
        }
        if depth > TYPE_DEPTH_MAX {
            return Err(schema.bad(format!("type `{name}` contains itself")));
        }
        let definition = schema
            .types
            .get(name)
            .ok_or_else(|| schema.bad(format!("type `{name}` is not defined")))?;
        let (tag, body) = match definition {
            Definition::Simple(facets) => ('S', facets.clone()),
            Definition::Attributed { value, attribute, attribute_type } => {
                let value = self.type_of(schema, value, names, depth + 1)?;
                let attribute_type = self.type_of(schema, attribute_type, names, depth + 1)?;
                ('A', format!("{value} {attribute}:{attribute_type}"))
            }
            Definition::Complex(particles) => {
                let mut parts = Vec::new();
                for particle in particles {
                    parts.push(self.particle(schema, particle, names, depth + 1)?);
                }
                ('M', parts.join(" "))
            }
        };
        let written = self.define(tag, name, body);
        names.insert(name.to_owned(), written.clone());
        Ok(written)
    }

    fn particle(
        &mut self,
        schema: &Schema,
        particle: &Particle,
        names: &mut BTreeMap<String, String>,
        depth: usize,
    ) -> Result<String, BadSchema> {
        Ok(match particle {
            Particle::Element { name, type_name, occurs } => {
                format!("{name}{occurs}:{}", self.type_of(schema, type_name, names, depth)?)
            }
            Particle::Choice(options) => {
                let mut parts = Vec::new();
                for option in options {
                    parts.push(self.particle(schema, option, names, depth)?);
                }
                format!("({})", parts.join("|"))
            }
            Particle::Any { signature: true } => "any-signature".to_owned(),
            Particle::Any { signature: false } => "any".to_owned(),
        })
    }

    fn define(&mut self, tag: char, name: &str, body: String) -> String {
        let key = (name.to_owned(), body);
        if let Some(known) = self.written.get(&key) {
            return known.clone();
        }
        let count = self.variants.entry(name.to_owned()).or_insert(0);
        *count += 1;
        let written = if *count == 1 { name.to_owned() } else { format!("{name}~{count}") };
        let line = format!("{tag} {written} {}", key.1);
        writeln!(self.text, "{}", line.trim_end()).expect("writing to a string cannot fail");
        self.written.insert(key, written.clone());
        written
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const SCHEMA: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<xs:schema xmlns="urn:iso:std:iso:20022:tech:xsd:test.001.001.01"
    xmlns:xs="http://www.w3.org/2001/XMLSchema" elementFormDefault="qualified"
    targetNamespace="urn:iso:std:iso:20022:tech:xsd:test.001.001.01">
  <xs:element name="Document" type="Document"/>
  <xs:complexType name="Document"><xs:sequence>
    <xs:element name="One" type="Text"/>
    <xs:element maxOccurs="unbounded" minOccurs="0" name="Amt" type="Amount"/>
    <xs:choice><xs:element name="A" type="Text"/><xs:element name="B" type="Code"/></xs:choice>
  </xs:sequence></xs:complexType>
  <xs:simpleType name="Text"><xs:restriction base="xs:string">
    <xs:minLength value="1"/><xs:maxLength value="35"/></xs:restriction></xs:simpleType>
  <xs:simpleType name="Code"><xs:restriction base="xs:string">
    <xs:enumeration value="X"/><xs:enumeration value="Y"/></xs:restriction></xs:simpleType>
  <xs:simpleType name="Number"><xs:restriction base="xs:decimal"><xs:minInclusive value="0"/>
    <xs:totalDigits value="18"/><xs:fractionDigits value="5"/></xs:restriction></xs:simpleType>
  <xs:complexType name="Amount"><xs:simpleContent><xs:extension base="Number">
    <xs:attribute name="Ccy" type="Code" use="required"/></xs:extension></xs:simpleContent>
  </xs:complexType>
</xs:schema>"#;

    #[test]
    fn a_small_schema() {
        let schema = Schema::parse(SCHEMA).unwrap();
        let expected = "S Text string len=1..35\n\
            S Number decimal digits=18 fraction=5 min=0\n\
            S Code string enum X Y\n\
            A Amount Number Ccy:Code\n\
            M Document One:Text Amt*:Amount (A:Text|B:Code)\n\
            R test.001.001.01 Document:Document\n";
        let text = table_text(&[schema]).unwrap();
        assert_eq!(text, expected);
        crate::table::text::parse(&text).unwrap();
    }

    #[test]
    fn what_is_outside_the_subset_is_refused() {
        for (from, to) in [
            ("xs:string", "xs:integer"),
            ("<xs:choice>", "<xs:choice maxOccurs=\"2\">"),
            ("xs:minLength", "xs:whiteSpace"),
            (" use=\"required\"", ""),
            ("type=\"Text\"", "ref=\"Text\""),
        ] {
            let text = SCHEMA.replacen(from, to, 1);
            assert!(Schema::parse(&text).is_err(), "{from} -> {to}");
        }
    }
}
