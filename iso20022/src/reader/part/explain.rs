//! Words for values that do not fit their types.

use crate::table::{Base, Misfit, Simple, Table};

/// Identifier of the rule that a value breaks.
pub(super) fn rule_of(misfit: Misfit) -> &'static str {
    match misfit {
        Misfit::Base => "schema.type",
        Misfit::TooShort | Misfit::TooLong => "schema.length",
        Misfit::Pattern => "schema.pattern",
        Misfit::Enumeration => "schema.enumeration",
        Misfit::TotalDigits | Misfit::FractionDigits => "schema.digits",
        Misfit::TooSmall => "schema.minimum",
        Misfit::TooLarge => "schema.maximum",
    }
}

/// Says what is wrong with a value, in one sentence.
pub(crate) fn describe(table: &Table, simple: &Simple, misfit: Misfit) -> String {
    match misfit {
        Misfit::Base => {
            let base = match simple.base {
                Base::String => "text",
                Base::Decimal => "a decimal number",
                Base::Boolean => "a boolean",
                Base::DateTime => "a date and time",
                Base::Date => "a date",
                Base::Time => "a time",
                Base::Year => "a year",
                Base::YearMonth => "a year and month",
                Base::Base64 => "base64 data",
            };
            format!("The value is not {base}.")
        }
        Misfit::TooShort => format!("The value is shorter than {}.", simple.length_min),
        Misfit::TooLong => format!("The value is longer than {}.", simple.length_max),
        Misfit::Pattern => {
            let pattern = simple.pattern.map_or("", |at| &table.pattern_texts[at]);
            format!("The value does not match `{pattern}`.")
        }
        Misfit::Enumeration => "The value is not one of the allowed codes.".to_owned(),
        Misfit::TotalDigits => format!("The value has more than {} digits.", simple.total_digits),
        Misfit::FractionDigits => {
            format!("The value has more than {} fraction digits.", simple.fraction_digits)
        }
        Misfit::TooSmall => "The value is below the minimum.".to_owned(),
        Misfit::TooLarge => "The value is above the maximum.".to_owned(),
    }
}
