//! What most views are made of: fields by path, written once as a macro.
//!
//! A view of a message has an optional place (a broken message may lack its body), a view of a part
//! always has one. Each field looks at one or more paths and takes the first that is there.

use super::{Money, account_id, agent_bic};
use crate::finding::Finding;
use crate::lexical::collapse;
use crate::tree::Node;

/// Declares the view of a message: `view! { docs; Name, "fami.ly"...; example; fields }`.
macro_rules! view {
    (
        $(#[$doc:meta])*
        $name:ident of $($family:literal)|+, example $message:literal $($line:literal)*;
        $($fields:tt)*
    ) => {
        $(#[$doc])*
        ///
        /// ```
        #[doc = concat!("use iso20022::{Limits, read, sample, views::", stringify!($name), "};")]
        ///
        #[doc = concat!("let bytes = sample::schema_valid(\"", $message, "\".parse()?, 1)?;")]
        /// let message = read(&bytes, &Limits::message()).map_err(|error| error.to_string())?;
        #[doc = concat!(
            "let view = ", stringify!($name), "::of(&message).ok_or(\"another message\")?;"
        )]
        $(#[doc = $line])*
        /// # Ok::<(), Box<dyn std::error::Error>>(())
        /// ```
        #[derive(Clone, Copy, Debug)]
        pub struct $name<'a> {
            place: Option<$crate::tree::Node<'a>>,
            tree: &'a $crate::tree::Tree,
        }

        impl<'a> $name<'a> {
            /// The view of a message; `None` when it is another message.
            #[must_use]
            pub fn of(message: &'a $crate::message::Message) -> Option<Self> {
                Self::of_tree(&message.document)
            }

            /// As [`Self::of`], from the document alone.
            #[must_use]
            pub fn of_tree(tree: &'a $crate::tree::Tree) -> Option<Self> {
                let known = [$($family),+].contains(&tree.message().family());
                known.then(|| Self { place: tree.body(), tree })
            }

            /// Name and version of the message.
            #[must_use]
            pub fn message_name(&self) -> $crate::name::MessageName {
                self.tree.message()
            }

            fn place(&self) -> Option<$crate::tree::Node<'a>> {
                self.place
            }

            /// Every path that a field looks at.
            #[cfg(test)]
            pub(super) const PATHS: &'static [&'static str] =
                $crate::views::fields::paths!([] $($fields)*);

            $crate::views::fields::fields! { $($fields)* }
        }
    };
}

/// Declares the view of a part of a message.
macro_rules! part {
    ($(#[$doc:meta])* $name:ident; $($fields:tt)*) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug)]
        pub struct $name<'a> {
            node: $crate::tree::Node<'a>,
        }

        impl<'a> $name<'a> {
            pub(crate) fn new(node: $crate::tree::Node<'a>) -> Self {
                Self { node }
            }

            /// The element.
            #[must_use]
            pub fn node(&self) -> $crate::tree::Node<'a> {
                self.node
            }

            // Kept private: not every part has a field that needs it.
            #[allow(dead_code)]
            fn place(&self) -> Option<$crate::tree::Node<'a>> {
                Some(self.node)
            }

            /// Every path that a field looks at.
            #[cfg(test)]
            pub(super) const PATHS: &'static [&'static str] =
                $crate::views::fields::paths!([] $($fields)*);

            $crate::views::fields::fields! { $($fields)* }
        }
    };
}

/// The methods of one view; see the arms for the kinds of field.
macro_rules! fields {
    () => {};
    // Text as it was written.
    ($(#[$doc:meta])* text $name:ident: $($path:literal)|+; $($rest:tt)*) => {
        $(#[$doc])*
        #[must_use]
        pub fn $name(&self) -> Option<&'a str> {
            $crate::views::fields::text(self.place(), &[$($path),+])
        }
        $crate::views::fields::fields! { $($rest)* }
    };
    // Dates, times, numbers, codes: without white space around them.
    ($(#[$doc:meta])* value $name:ident: $($path:literal)|+; $($rest:tt)*) => {
        $(#[$doc])*
        #[must_use]
        pub fn $name(&self) -> Option<&'a str> {
            $crate::views::fields::value(self.place(), &[$($path),+])
        }
        $crate::views::fields::fields! { $($rest)* }
    };
    ($(#[$doc:meta])* number $name:ident: $($path:literal)|+; $($rest:tt)*) => {
        $(#[$doc])*
        #[must_use]
        pub fn $name(&self) -> Option<u64> {
            $crate::views::fields::value(self.place(), &[$($path),+])?.parse().ok()
        }
        $crate::views::fields::fields! { $($rest)* }
    };
    ($(#[$doc:meta])* flag $name:ident: $($path:literal)|+; $($rest:tt)*) => {
        $(#[$doc])*
        #[must_use]
        pub fn $name(&self) -> Option<bool> {
            let value = $crate::views::fields::value(self.place(), &[$($path),+])?;
            Some(matches!(value, "true" | "1"))
        }
        $crate::views::fields::fields! { $($rest)* }
    };
    ($(#[$doc:meta])* money $name:ident: $($path:literal)|+; $($rest:tt)*) => {
        $(#[$doc])*
        ///
        /// # Errors
        /// See [`Money::of`](crate::views::Money::of).
        #[must_use]
        pub fn $name(
            &self,
        ) -> Option<Result<$crate::views::Money<'a>, $crate::finding::Finding>> {
            $crate::views::fields::money(self.place(), &[$($path),+])
        }
        $crate::views::fields::fields! { $($rest)* }
    };
    // BIC of an agent or of a party, whichever way the version writes it.
    ($(#[$doc:meta])* bic $name:ident: $($path:literal)|+; $($rest:tt)*) => {
        $(#[$doc])*
        #[must_use]
        pub fn $name(&self) -> Option<&'a str> {
            let place = $crate::views::fields::node(self.place(), &[$($path),+])?;
            $crate::views::fields::party_bic(place)
        }
        $crate::views::fields::fields! { $($rest)* }
    };
    ($(#[$doc:meta])* account $name:ident: $($path:literal)|+; $($rest:tt)*) => {
        $(#[$doc])*
        #[must_use]
        pub fn $name(&self) -> Option<&'a str> {
            $crate::views::fields::account(self.place(), &[$($path),+])
        }
        $crate::views::fields::fields! { $($rest)* }
    };
    ($(#[$doc:meta])* node $name:ident: $($path:literal)|+; $($rest:tt)*) => {
        $(#[$doc])*
        #[must_use]
        pub fn $name(&self) -> Option<$crate::tree::Node<'a>> {
            $crate::views::fields::node(self.place(), &[$($path),+])
        }
        $crate::views::fields::fields! { $($rest)* }
    };
    ($(#[$doc:meta])* part $name:ident -> $part:ident: $($path:literal)|+; $($rest:tt)*) => {
        $(#[$doc])*
        #[must_use]
        pub fn $name(&self) -> Option<$part<'a>> {
            $crate::views::fields::node(self.place(), &[$($path),+]).map($part::new)
        }
        $crate::views::fields::fields! { $($rest)* }
    };
    // All elements at a path, however often each step of it repeats.
    ($(#[$doc:meta])* each $name:ident -> $part:ident: $($path:literal)|+; $($rest:tt)*) => {
        $(#[$doc])*
        pub fn $name(&self) -> impl Iterator<Item = $part<'a>> + use<'a> {
            $crate::views::fields::all(self.place(), &[$($path),+]).map($part::new)
        }
        $crate::views::fields::fields! { $($rest)* }
    };
    ($(#[$doc:meta])* texts $name:ident: $($path:literal)|+; $($rest:tt)*) => {
        $(#[$doc])*
        pub fn $name(&self) -> impl Iterator<Item = &'a str> + use<'a> {
            $crate::views::fields::all(self.place(), &[$($path),+]).map($crate::tree::Node::text)
        }
        $crate::views::fields::fields! { $($rest)* }
    };
}

/// The paths of all fields, for a test that the tables know them.
#[cfg(test)]
macro_rules! paths {
    ([$($known:literal)*]) => { &[$($known),*] };
    (
        [$($known:literal)*]
        $(#[$doc:meta])* $kind:ident $name:ident $(-> $part:ident)?: $($path:literal)|+;
        $($rest:tt)*
    ) => {
        $crate::views::fields::paths!([$($known)* $($path)+] $($rest)*)
    };
}

#[cfg(test)]
pub(super) use paths;
pub(super) use {fields, part, view};

pub(super) fn node<'a>(place: Option<Node<'a>>, paths: &[&str]) -> Option<Node<'a>> {
    let place = place?;
    paths.iter().find_map(|path| place.at(path))
}

pub(super) fn text<'a>(place: Option<Node<'a>>, paths: &[&str]) -> Option<&'a str> {
    node(place, paths).map(Node::text)
}

pub(super) fn value<'a>(place: Option<Node<'a>>, paths: &[&str]) -> Option<&'a str> {
    text(place, paths).map(collapse)
}

pub(super) fn money<'a>(
    place: Option<Node<'a>>,
    paths: &[&str],
) -> Option<Result<Money<'a>, Finding>> {
    node(place, paths).map(Money::of)
}

pub(super) fn account<'a>(place: Option<Node<'a>>, paths: &[&str]) -> Option<&'a str> {
    let place = place?;
    paths.iter().find_map(|path| {
        let account = place.at(path)?;
        // Some messages hold the identification itself in place of an account.
        account_id(account)
            .or_else(|| account.text_at("IBAN"))
            .or_else(|| account.text_at("Othr/Id"))
    })
}

/// All elements at the first path that leads anywhere.
pub(super) fn all<'a>(
    place: Option<Node<'a>>,
    paths: &[&'static str],
) -> impl Iterator<Item = Node<'a>> + use<'a> {
    let path = place.and_then(|place| paths.iter().find(|path| place.at(path).is_some()).copied());
    let mut found = Vec::new();
    if let (Some(place), Some(path)) = (place, path) {
        collect(place, path, &mut found);
    }
    found.into_iter()
}

fn collect<'a>(place: Node<'a>, path: &str, found: &mut Vec<Node<'a>>) {
    match path.split_once('/') {
        Some((first, rest)) => place.children(first).for_each(|child| collect(child, rest, found)),
        None => found.extend(place.children(path)),
    }
}

/// BIC of an agent, a party, or a choice of the two.
pub(super) fn party_bic(party: Node<'_>) -> Option<&str> {
    let organisation = ["Id/OrgId/AnyBIC", "Id/OrgId/BICOrBEI", "AnyBIC", "Id/AnyBIC"];
    agent_bic(party)
        .or_else(|| party.child("Agt").and_then(agent_bic))
        .or_else(|| party.child("FI").and_then(agent_bic))
        .or_else(|| organisation.into_iter().find_map(|path| party.text_at(path)))
        .or_else(|| organisation.into_iter().find_map(|path| party.child("Pty")?.text_at(path)))
}
