//! Reference data that changes rarely enough to be compiled in: currencies, countries, and the
//! arithmetic of account, institution and entity identifiers.
//!
//! What changes often (which BICs exist, which banks take part, holidays) is not here: that is
//! data of the network, not of the standard.

pub mod bic;
pub mod clearing;
pub mod country;
pub mod creditor;
pub mod currency;
pub mod iban;
pub mod isin;
pub mod lei;
