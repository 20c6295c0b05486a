//! The list of all rules.

use super::{
    Rule, cbpr, corridor, header, hvps, initiation, liquidity, payments, recall, statement, status,
    values,
};

use crate::tree::Node;

const GROUPS: &[&[&Rule]] = &[
    payments::totals::RULES,
    payments::group::RULES,
    payments::amounts::RULES,
    payments::settlement::RULES,
    payments::agents::RULES,
    payments::instructions::RULES,
    payments::returns::RULES,
    status::RULES,
    recall::RULES,
    initiation::RULES,
    statement::RULES,
    liquidity::RULES,
    header::RULES,
    values::identifiers::RULES,
    values::texts::RULES,
    values::codes::RULES,
    corridor::RULES,
    cbpr::header::RULES,
    cbpr::values::RULES,
    cbpr::address::RULES,
    cbpr::parties::RULES,
    cbpr::payment::RULES,
    cbpr::transaction::RULES,
    cbpr::answers::RULES,
    hvps::RULES,
];

const COUNT: usize = {
    let (mut count, mut group) = (0, 0);
    while group < GROUPS.len() {
        count += GROUPS[group].len();
        group += 1;
    }
    count
};

/// Every rule beyond the schema, by module in the order in which they run.
pub static CATALOGUE: [&Rule; COUNT] = {
    let mut rules = [GROUPS[0][0]; COUNT];
    let (mut count, mut group) = (0, 0);
    while group < GROUPS.len() {
        let mut at = 0;
        while at < GROUPS[group].len() {
            rules[count] = GROUPS[group][at];
            count += 1;
            at += 1;
        }
        group += 1;
    }
    rules
};

/// Every rule beyond the schema; see [`CATALOGUE`].
#[must_use]
pub fn all() -> &'static [&'static Rule] {
    &CATALOGUE
}

/// Rules that compare a message with the whole of its transactions: who looks at one transaction at
/// a time does not ask them, and compares counts and sums at the end.
pub static OVER_ALL: &[&str] = &[
    payments::totals::NUMBER.id,
    payments::totals::CONTROL_SUM.id,
    payments::totals::TOTAL.id,
    initiation::NUMBER.id,
    initiation::CONTROL_SUM.id,
    initiation::BLOCK_NUMBER.id,
    initiation::BLOCK_SUM.id,
];

/// The rules on the number of transactions and on the control sum that an element states: a group
/// header, or a payment block.
pub(crate) fn counted(node: Node<'_>) -> [&'static Rule; 2] {
    let initiated = node.tree().message().family().starts_with("pain.");
    match node.name() {
        "GrpHdr" if initiated => [&initiation::NUMBER, &initiation::CONTROL_SUM],
        _ if initiated => [&initiation::BLOCK_NUMBER, &initiation::BLOCK_SUM],
        _ => [&payments::totals::NUMBER, &payments::totals::CONTROL_SUM],
    }
}

/// The rule of an identifier.
#[must_use]
pub fn find(id: &str) -> Option<&'static Rule> {
    CATALOGUE.iter().find(|rule| rule.id == id).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::Profile;

    #[test]
    fn rules_are_described_and_unique() {
        for (at, rule) in CATALOGUE.iter().enumerate() {
            assert!(!rule.codes.is_empty());
            assert!(CATALOGUE[..at].iter().all(|earlier| earlier.id != rule.id), "{}", rule.id);
            assert!(rule.text.ends_with('.'), "{}", rule.id);
            assert!(!rule.source.is_empty() && !rule.families.is_empty(), "{}", rule.id);
            let applies = Profile::ALL.iter().any(|profile| rule.severity(*profile).is_some());
            assert!(applies, "{}", rule.id);
            assert!(std::ptr::eq(find(rule.id).unwrap_or(CATALOGUE[0]), *rule) || at == 0);
        }
    }
}
