//! ISO 20022 messages: read, validate, navigate, build.
//!
//! The engine is driven by tables generated from the published schemas (`tables/*.tbl`): one
//! streaming reader runs the content model and the facets of each element and keeps an arena tree
//! from which nothing is lost. Typed views read that tree, one view for all versions of a message.
//! Builders walk the same tables, so what they emit is valid by construction.
//!
//! Reading order: [`message`] (entry point), [`finding`], [`tree`], [`views`], [`build`], then
//! [`table`] and [`xsd`] for how the tables come to be. The crate is pure: no files, no clock, no
//! randomness, and it knows nothing of the network that uses it beyond [`Profile::Corridor`].

// A finding is large because it says everything; it is returned on the rare path only.
#![allow(clippy::result_large_err)]

pub mod build;
pub mod bulk;
mod class;
pub mod codes;
pub mod finding;
mod lexical;
pub mod limits;
pub mod message;
pub mod name;
mod pattern;
pub mod profile;
mod reader;
pub mod reference;
pub mod rules;
pub mod sample;
pub mod table;
pub mod tree;
pub mod views;
pub mod writer;
pub mod xsd;

pub use finding::{Finding, Layer, Severity};
pub use limits::Limits;
pub use message::{Message, Unreadable, Validation, read, read_header};
pub use name::MessageName;
pub use profile::Profile;
pub use tree::{Node, Tree};
