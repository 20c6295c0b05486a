//! Collecting findings up to the limits.

use super::Rule;
use crate::finding::{Finding, Severity};
use crate::limits::{FINDINGS_MAX, WARNINGS_MAX};
use crate::profile::Profile;
use crate::tree::Node;
use crate::views::finding_at;

/// Collects findings up to the limits, errors and warnings each by their own: a batch with a
/// harmless peculiarity in each transaction must neither be refused for it nor hide an error.
pub(crate) struct Report {
    pub(crate) findings: Vec<Finding>,
    profile: Profile,
    errors: usize,
    warnings: usize,
    /// True when an error was dropped. Dropped warnings do not count.
    pub(crate) truncated: bool,
}

impl Report {
    pub(crate) fn new(profile: Profile) -> Self {
        Self { findings: Vec::new(), profile, errors: 0, warnings: 0, truncated: false }
    }

    /// Reports with the rule's usual code, if the rule applies to the profile.
    pub(super) fn add(&mut self, rule: &Rule, node: Node<'_>, text: impl Into<String>) {
        self.add_coded(rule, rule.codes[0], node, text);
    }

    /// Reports with one of the rule's codes.
    pub(super) fn add_coded(
        &mut self,
        rule: &Rule,
        code: &'static str,
        node: Node<'_>,
        text: impl Into<String>,
    ) {
        debug_assert!(rule.codes.contains(&code), "{code} is not declared by {}", rule.id);
        let Some(severity) = rule.severity(self.profile) else { return };
        let (count, count_max) = match severity {
            Severity::Error => (&mut self.errors, FINDINGS_MAX),
            Severity::Warning => (&mut self.warnings, WARNINGS_MAX),
        };
        if *count < count_max {
            *count += 1;
            let found = finding_at(node, rule.layer, severity, rule.id, code, text.into());
            self.findings.push(found);
        } else if severity == Severity::Error {
            self.truncated = true;
        }
    }

    /// Puts the findings in order of layer, then place.
    pub(super) fn sort(&mut self) {
        self.findings.sort_by_key(|finding| (finding.layer, finding.offset));
    }
}
