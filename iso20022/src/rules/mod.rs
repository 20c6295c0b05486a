//! Rules beyond the schema: cross-field rules (L2), profiles (L3), reference data (L4).
//!
//! Every rule is one [`Rule`] and one function. [`all`] lists the rules with their sentence, source,
//! reason codes, and with the profiles in which breaking them is an error or a warning. A rule that
//! is not certain, or that must not stop money, is a warning. Rules look at present elements only:
//! what the schema already refuses is not reported twice, and a broken tree never makes a rule fail.
//!
//! Messages are walked once: a family's module picks the elements that its rules need in one pass
//! over the children, and values (accounts, codes, dates, texts, addresses) are visited by the class
//! of their type. A message without a finding is checked without allocation.

mod catalogue;
mod cbpr;
mod corridor;
mod header;
mod hvps;
mod initiation;
mod liquidity;
mod payments;
mod pick;
mod reader;
mod recall;
mod report;
mod statement;
mod status;
mod values;

pub use catalogue::{CATALOGUE, OVER_ALL, all, find};
pub use reader::{READER, READER_CODES, ReaderRule};

pub(crate) use catalogue::counted;
pub(crate) use corridor::uetr_unique_in;
pub(crate) use report::Report;

use crate::finding::{Layer, Severity};
use crate::message::Message;
use crate::profile::Profile;
use crate::tree::Node;
use crate::views::Header;

/// A rule beyond the schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Identifier, stable, e.g. `base.control-sum`.
    pub id: &'static str,
    /// Layer of the findings.
    pub layer: Layer,
    /// In which profiles it speaks, and how strongly.
    pub grade: Grade,
    /// Reason codes that findings may carry; the first is the usual one.
    pub codes: &'static [&'static str],
    /// Message families that it looks at, by family name; `any` for all.
    pub families: &'static str,
    /// What it asks for, in one or two sentences.
    pub text: &'static str,
    /// Where it comes from.
    pub source: &'static str,
}

impl Rule {
    /// What breaking the rule means under a profile; `None` where the rule does not apply.
    #[must_use]
    pub const fn severity(&self, profile: Profile) -> Option<Severity> {
        self.grade.severity(profile)
    }
}

/// In which profiles a rule is an error, and in which a warning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grade {
    errors: u8,
    warnings: u8,
}

const fn bit(profile: Profile) -> u8 {
    1 << profile as u8
}

const ALL: u8 =
    bit(Profile::Base) | bit(Profile::Cbpr) | bit(Profile::Corridor) | bit(Profile::Hvps);
const MARKET: u8 = bit(Profile::Cbpr) | bit(Profile::Hvps);

impl Grade {
    /// An error everywhere.
    pub const ERROR: Self = Self { errors: ALL, warnings: 0 };
    /// A warning everywhere.
    pub const WARNING: Self = Self { errors: 0, warnings: ALL };
    /// An error in CBPR+ and HVPS+, a warning elsewhere.
    pub const STRICT: Self = Self { errors: MARKET, warnings: ALL & !MARKET };
    /// An error in CBPR+, a warning elsewhere.
    pub const STRICT_CBPR: Self =
        Self { errors: bit(Profile::Cbpr), warnings: ALL & !bit(Profile::Cbpr) };
    /// An error in the network's own profile, a warning elsewhere.
    pub const STRICT_CORRIDOR: Self =
        Self { errors: bit(Profile::Corridor), warnings: ALL & !bit(Profile::Corridor) };
    /// An error in CBPR+ and HVPS+ only.
    pub const MARKET: Self = Self { errors: MARKET, warnings: 0 };
    /// A warning in CBPR+ and HVPS+ only.
    pub const MARKET_WARNING: Self = Self { errors: 0, warnings: MARKET };
    /// An error in CBPR+, a warning in HVPS+, nothing elsewhere.
    pub const CBPR_FIRST: Self = Self { errors: bit(Profile::Cbpr), warnings: bit(Profile::Hvps) };
    /// An error in CBPR+ only.
    pub const CBPR: Self = Self { errors: bit(Profile::Cbpr), warnings: 0 };
    /// A warning in CBPR+ only.
    pub const CBPR_WARNING: Self = Self { errors: 0, warnings: bit(Profile::Cbpr) };
    /// An error in HVPS+ only.
    pub const HVPS: Self = Self { errors: bit(Profile::Hvps), warnings: 0 };
    /// An error in the network's own profile only.
    pub const CORRIDOR: Self = Self { errors: bit(Profile::Corridor), warnings: 0 };

    /// What breaking a rule of this grade means under a profile.
    #[must_use]
    pub const fn severity(self, profile: Profile) -> Option<Severity> {
        if self.errors & bit(profile) != 0 {
            Some(Severity::Error)
        } else if self.warnings & bit(profile) != 0 {
            Some(Severity::Warning)
        } else {
            None
        }
    }
}

/// Declares rules: the sentences are the doc comment.
macro_rules! rules {
    ($($(#[doc = $doc:literal])+ $name:ident = $id:literal, $layer:ident, $grade:ident,
       [$($code:literal),+], $families:literal, $source:literal;)+) => {
        $($(#[doc = $doc])+ pub(in crate::rules) static $name: $crate::rules::Rule = $crate::rules::Rule {
            id: $id,
            layer: $crate::finding::Layer::$layer,
            grade: $crate::rules::Grade::$grade,
            codes: &[$($code),+],
            families: $families,
            text: concat!($($doc),+).trim_ascii(),
            source: $source,
        };)+

        /// The rules of this module, in order.
        pub(in crate::rules) const RULES: &[&$crate::rules::Rule] = &[$(&$name),+];
    };
}
use rules;

/// A message with what several modules need of it.
pub(crate) struct Context<'a> {
    pub(crate) message: &'a Message,
    /// The child of `Document`.
    pub(crate) body: Node<'a>,
    pub(crate) header: Option<Header<'a>>,
    pub(crate) profile: Profile,
}

impl Context<'_> {
    pub(crate) fn family(&self) -> &str {
        self.message.name.family()
    }

    /// True for the profiles of correspondent banks and payment systems.
    pub(crate) fn is_market(&self) -> bool {
        matches!(self.profile, Profile::Cbpr | Profile::Hvps)
    }
}

/// Runs all rules that apply to a message.
pub(crate) fn check(message: &Message, profile: Profile) -> Report {
    let mut report = Report::new(profile);
    let header = Header::of(message);
    if let Some(body) = message.document.body() {
        let context = Context { message, body, header, profile };
        by_family(&context, &mut report);
        header::check(&context, &mut report);
        if context.is_market() {
            cbpr::check(&context, &mut report);
            hvps::check(&context, &mut report);
        }
    }
    values::check(&message.document, profile, &mut report);
    if let Some((_, header)) = &message.header {
        values::check(header, profile, &mut report);
    }
    report.sort();
    report
}

fn by_family(context: &Context<'_>, report: &mut Report) {
    match context.family() {
        "pacs.003" | "pacs.004" | "pacs.007" | "pacs.008" | "pacs.009" | "pacs.010" => {
            payments::check(context, report);
        }
        "pacs.002" | "pain.002" => status::check(context, report),
        "pacs.028" | "camt.056" | "camt.055" | "camt.029" => recall::check(context, report),
        "pain.001" | "pain.008" => initiation::check(context, report),
        "camt.052" | "camt.053" | "camt.054" => statement::check(context, report),
        "camt.050" | "camt.057" | "camt.060" | "camt.105" | "camt.106" => {
            liquidity::check(context, report);
        }
        _ => {}
    }
}
