//! A small tree that can be changed and written in many ways.

use iso20022::Node;
use std::fmt::Write;

/// An element. Leaves have text, containers have children.
#[derive(Clone, Debug, Default)]
pub(crate) struct Element {
    pub(crate) name: String,
    /// Written as they are.
    pub(crate) attributes: Vec<(String, String)>,
    pub(crate) children: Vec<Element>,
    /// Content of a leaf, not yet escaped.
    pub(crate) text: String,
    /// When set, written in place of the content.
    pub(crate) raw: Option<String>,
    pub(crate) namespace: String,
}

/// A path to an element: positions of children.
pub(crate) type Place = Vec<usize>;

impl Element {
    /// A copy of a part of a message.
    pub(crate) fn of(root: Node<'_>) -> Self {
        let mut element = Self::copy(root);
        element.namespace = root.tree().message().namespace();
        element
    }

    fn copy(node: Node<'_>) -> Self {
        let children: Vec<Self> = node.elements().map(Self::copy).collect();
        Self {
            name: node.name().to_owned(),
            attributes: node
                .attributes()
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
            text: if children.is_empty() { node.text().to_owned() } else { String::new() },
            children,
            ..Self::default()
        }
    }

    pub(crate) fn leaf(name: &str, text: &str) -> Self {
        Self { name: name.to_owned(), text: text.to_owned(), ..Self::default() }
    }

    pub(crate) fn is_leaf(&self) -> bool {
        self.children.is_empty()
    }

    pub(crate) fn at(&self, place: &[usize]) -> &Self {
        place.iter().fold(self, |element, at| &element.children[*at])
    }

    pub(crate) fn at_mut(&mut self, place: &[usize]) -> &mut Self {
        place.iter().fold(self, |element, at| &mut element.children[*at])
    }

    /// All places that meet a condition, the root left out.
    pub(crate) fn places(&self, wanted: impl Fn(&Self) -> bool + Copy) -> Vec<Place> {
        let mut found = Vec::new();
        for (at, child) in self.children.iter().enumerate() {
            if wanted(child) {
                found.push(vec![at]);
            }
            found.extend(child.places(wanted).into_iter().map(|mut place| {
                place.insert(0, at);
                place
            }));
        }
        found
    }

    /// The usual form.
    pub(crate) fn write(&self) -> String {
        let mut copy = self.clone();
        copy.attributes.insert(0, ("xmlns".to_owned(), self.namespace.clone()));
        format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{}\n", copy.write_inner("", None))
    }

    /// With a prefix on each element.
    pub(crate) fn write_prefixed(&self, prefix: &str) -> String {
        let mut copy = self.clone();
        copy.attributes.insert(0, (format!("xmlns:{prefix}"), self.namespace.clone()));
        copy.write_inner(&format!("{prefix}:"), None)
    }

    /// With this white space before each tag.
    pub(crate) fn write_spaced(&self, space: &str) -> String {
        let mut copy = self.clone();
        copy.attributes.insert(0, ("xmlns".to_owned(), self.namespace.clone()));
        copy.write_inner("", Some(space))
    }

    fn write_inner(&self, prefix: &str, space: Option<&str>) -> String {
        let mut out = format!("<{prefix}{}", self.name);
        for (name, value) in &self.attributes {
            let value = escape(value).replace('"', "&quot;");
            let _ = write!(out, " {name}=\"{value}\"");
        }
        out.push('>');
        if let Some(raw) = &self.raw {
            out.push_str(raw);
        } else {
            out.push_str(&escape(&self.text));
            for child in &self.children {
                out.push_str(space.unwrap_or(""));
                out.push_str(&child.write_inner(prefix, space));
            }
            if !self.is_leaf() {
                out.push_str(space.unwrap_or(""));
            }
        }
        let _ = write!(out, "</{prefix}{}>", self.name);
        out
    }
}

pub(crate) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('\r', "&#13;")
}

/// Repeatable choices.
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % bound.max(1)
    }

    pub(crate) fn pick<'a, T>(&mut self, from: &'a [T]) -> Option<&'a T> {
        if from.is_empty() { None } else { Some(&from[self.below(from.len())]) }
    }
}
