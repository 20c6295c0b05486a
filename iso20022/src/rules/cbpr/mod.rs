//! Cross-border payments and reporting (CBPR+), as of November 2026, as far as one message shows.
//!
//! The usage guidelines are not public: rules are as re-told by those who apply them, and a doubtful
//! one is a warning. Many of them hold for high-value payment systems (HVPS+) as well, by grade.

pub(super) mod address;
pub(super) mod answers;
pub(super) mod header;
pub(super) mod parties;
pub(super) mod payment;
pub(super) mod transaction;
pub(super) mod values;

use super::{Context, Report};

pub(super) fn check(context: &Context<'_>, report: &mut Report) {
    header::check(context, report);
    match context.family() {
        "pacs.008" | "pacs.009" | "pacs.003" | "pacs.010" => payment::check(context, report),
        "pacs.002" | "pacs.004" | "pacs.028" | "camt.029" | "camt.056" | "camt.052"
        | "camt.053" | "camt.054" => answers::check(context, report),
        _ => {}
    }
}
