//! Generator: turns ISO 20022 XML Schemas into the text form of a [`crate::table::Table`].
//!
//! It reads the narrow subset of XML Schema that the standard uses (one namespace a file, global
//! types, sequences and choices of elements, one attribute on amounts) and refuses everything
//! else, so a schema that needs more is noticed when its table is made, not when a payment fails.
//! A type that is equal in several schemas is written once: in the file of its message family, or
//! in the shared file when several families use it.

mod model;

pub use model::{BadSchema, Schema};

use model::{Definition, Particle};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

/// Name of the file that holds the types used by several families.
pub const SHARED: &str = "shared";

/// One generated table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableFile {
    /// A message family such as `pacs.008`, or [`SHARED`].
    pub name: String,
    /// The text form; see [`crate::table::text`].
    pub text: String,
}

/// Writes one table that stands by itself.
///
/// # Errors
/// A schema refers to a type that it does not define, or its types contain themselves.
pub fn table_text(schemas: &[Schema]) -> Result<String, BadSchema> {
    let pool = Pool::of(schemas)?;
    let mut text = String::new();
    for id in &pool.order {
        pool.write_type(&mut text, *id);
    }
    for root in &pool.roots {
        pool.write_root(&mut text, root);
    }
    Ok(text)
}

/// Writes one table for each message family, and the shared one, in order of name.
///
/// The names of types depend only on what they are, so adding a schema leaves the rest as it was,
/// except that a type which another family now uses as well moves to the shared table.
///
/// # Errors
/// As for [`table_text`].
pub fn table_files(schemas: &[Schema]) -> Result<Vec<TableFile>, BadSchema> {
    let pool = Pool::of(schemas)?;
    let mut files: BTreeMap<&str, String> = BTreeMap::new();
    let mut shared: Vec<Id> = Vec::new();
    for id in &pool.order {
        match pool.types[id].families.iter().next() {
            Some(family) if pool.types[id].families.len() == 1 => {
                pool.write_type(files.entry(family.as_str()).or_default(), *id);
            }
            _ => shared.push(*id),
        }
    }
    for root in &pool.roots {
        pool.write_root(files.entry(root.schema.message.family()).or_default(), root);
    }
    let mut lines: Vec<String> = Vec::new();
    for id in shared {
        let mut line = String::new();
        pool.write_type(&mut line, id);
        lines.push(line);
    }
    lines.sort_by(|left, right| left[2..].cmp(&right[2..]));
    files.insert(SHARED, lines.concat());
    Ok(files.into_iter().map(|(name, text)| TableFile { name: name.to_owned(), text }).collect())
}

/// Deepest nesting of types; a deeper one is taken for a cycle.
const TYPE_DEPTH_MAX: usize = 64;

/// A type by what it is: its name, its body, and the same of all types that it uses.
type Id = u64;

struct Pooled {
    tag: char,
    name: String,
    /// The body in pieces: text as it is, and references to other types.
    body: Vec<Piece>,
    /// Families whose messages use the type.
    families: BTreeSet<String>,
}

#[derive(Clone)]
enum Piece {
    Text(String),
    Type(Id),
}

struct PooledRoot<'s> {
    schema: &'s Schema,
    type_id: Id,
}

/// All types of a set of schemas, each once.
#[derive(Default)]
struct Pool<'s> {
    types: BTreeMap<Id, Pooled>,
    /// In the order in which a reader needs them: what a type uses comes before it.
    order: Vec<Id>,
    roots: Vec<PooledRoot<'s>>,
    /// How many different types share a plain name.
    variants: BTreeMap<String, usize>,
}

impl<'s> Pool<'s> {
    fn of(schemas: &'s [Schema]) -> Result<Self, BadSchema> {
        let mut pool = Self::default();
        for schema in schemas {
            let mut known = BTreeMap::new();
            let type_id = pool.add(schema, &schema.root_type, &mut known, 0)?;
            pool.roots.push(PooledRoot { schema, type_id });
        }
        Ok(pool)
    }

    /// Adds a type after the types that it uses.
    fn add(
        &mut self,
        schema: &Schema,
        name: &str,
        known: &mut BTreeMap<String, Id>,
        depth: usize,
    ) -> Result<Id, BadSchema> {
        if let Some(id) = known.get(name) {
            return Ok(*id);
        }
        if depth > TYPE_DEPTH_MAX {
            return Err(schema.bad(format!("type `{name}` contains itself")));
        }
        let definition = schema
            .types
            .get(name)
            .ok_or_else(|| schema.bad(format!("type `{name}` is not defined")))?;
        let text = |text: &str| Piece::Text(text.to_owned());
        let mut body = Vec::new();
        let tag = match definition {
            Definition::Simple(facets) => {
                body.push(text(facets));
                'S'
            }
            Definition::Attributed { value, attribute, attribute_type } => {
                body.push(Piece::Type(self.add(schema, value, known, depth + 1)?));
                body.push(Piece::Text(format!(" {attribute}:")));
                body.push(Piece::Type(self.add(schema, attribute_type, known, depth + 1)?));
                'A'
            }
            Definition::Complex(particles) => {
                for (at, particle) in particles.iter().enumerate() {
                    body.extend((at > 0).then(|| text(" ")));
                    self.particle(schema, particle, known, depth + 1, &mut body)?;
                }
                'M'
            }
        };
        let id = self.insert(schema, tag, name, body)?;
        known.insert(name.to_owned(), id);
        Ok(id)
    }

    fn particle(
        &mut self,
        schema: &Schema,
        particle: &Particle,
        known: &mut BTreeMap<String, Id>,
        depth: usize,
        body: &mut Vec<Piece>,
    ) -> Result<(), BadSchema> {
        match particle {
            Particle::Element { name, type_name, occurs } => {
                body.push(Piece::Text(format!("{name}{occurs}:")));
                body.push(Piece::Type(self.add(schema, type_name, known, depth)?));
            }
            Particle::Choice(options) => {
                for (at, option) in options.iter().enumerate() {
                    body.push(Piece::Text(if at == 0 { "(" } else { "|" }.to_owned()));
                    self.particle(schema, option, known, depth, body)?;
                }
                body.push(Piece::Text(")".to_owned()));
            }
            Particle::Any { signature: true } => body.push(Piece::Text("any-signature".to_owned())),
            Particle::Any { signature: false } => body.push(Piece::Text("any".to_owned())),
        }
        Ok(())
    }

    fn insert(
        &mut self,
        schema: &Schema,
        tag: char,
        name: &str,
        body: Vec<Piece>,
    ) -> Result<Id, BadSchema> {
        let id = identity(tag, name, &body);
        let family = schema.message.family().to_owned();
        match self.types.get_mut(&id) {
            Some(known) => {
                if known.name != name || known.tag != tag {
                    return Err(schema.bad(format!("type `{name}` collides with `{}`", known.name)));
                }
                known.families.insert(family);
            }
            None => {
                let families = BTreeSet::from([family]);
                self.types.insert(id, Pooled { tag, name: name.to_owned(), body, families });
                self.order.push(id);
                *self.variants.entry(name.to_owned()).or_insert(0) += 1;
            }
        }
        Ok(id)
    }

    /// The name in the text form: the plain one, or with a mark where several types share it.
    fn name(&self, id: Id) -> String {
        let name = &self.types[&id].name;
        if self.variants[name] == 1 { name.clone() } else { format!("{name}~{:06x}", id >> 40) }
    }

    fn write_type(&self, out: &mut String, id: Id) {
        let one = &self.types[&id];
        let mut line = format!("{} {} ", one.tag, self.name(id));
        for piece in &one.body {
            match piece {
                Piece::Text(text) => line.push_str(text),
                Piece::Type(id) => line.push_str(&self.name(*id)),
            }
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }

    fn write_root(&self, out: &mut String, root: &PooledRoot<'_>) {
        let (schema, name) = (root.schema, self.name(root.type_id));
        writeln!(out, "R {} {}:{name}", schema.message, schema.root_element)
            .expect("writing to a string cannot fail");
    }
}

/// FNV-1a over the definition; what a type uses goes in by its own identity.
fn identity(tag: char, name: &str, body: &[Piece]) -> Id {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let mut add = |bytes: &[u8]| {
        for byte in bytes {
            hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
        hash = (hash ^ 0xff).wrapping_mul(0x0100_0000_01b3);
    };
    add(&[tag as u8]);
    add(name.as_bytes());
    for piece in body {
        match piece {
            Piece::Text(text) => add(text.as_bytes()),
            Piece::Type(id) => add(&id.to_le_bytes()),
        }
    }
    hash
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
    fn types_are_shared_and_told_apart() {
        let other = SCHEMA.replace("test.001.001.01", "test.002.001.01");
        let wider = SCHEMA
            .replace("test.001.001.01", "test.001.001.02")
            .replace("xs:maxLength value=\"35\"", "xs:maxLength value=\"70\"");
        let schemas: Vec<Schema> =
            [SCHEMA, &wider, &other].iter().map(|text| Schema::parse(text).unwrap()).collect();
        let files = table_files(&schemas).unwrap();
        let names: Vec<&str> = files.iter().map(|file| file.name.as_str()).collect();
        assert_eq!(names, ["shared", "test.001", "test.002"]);
        assert!(files[0].text.contains("S Code string enum X Y\n"), "{}", files[0].text);
        assert_eq!(files[1].text.lines().filter(|line| line.starts_with("S Text~")).count(), 1);
        assert_eq!(files[2].text.lines().count(), 1, "{}", files[2].text);
        for file in &files[1..] {
            let table = crate::table::text::parse_with(&file.text, &files[0].text).unwrap();
            assert!(!table.roots.is_empty());
            assert!(crate::table::text::parse(&file.text).is_err(), "needs the shared table");
        }
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
