//! Whole-system tests: the parts that several of them share.

pub mod sim;
