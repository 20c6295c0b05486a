//! Values anywhere in a message, by the class of their type: one pass over all nodes.

pub(super) mod codes;
pub(super) mod identifiers;
pub(super) mod texts;

use super::{Report, cbpr};
use crate::class::Class;
use crate::profile::Profile;
use crate::tree::Tree;

pub(super) fn check(tree: &Tree, profile: Profile, report: &mut Report) {
    let market = matches!(profile, Profile::Cbpr | Profile::Hvps);
    for node in tree.all_nodes() {
        match node.class() {
            Class::OTHER => {}
            Class::TEXT => {
                texts::check(node, report);
                if market {
                    cbpr::values::text(node, report);
                }
            }
            Class::AMOUNT => identifiers::amount(node, report),
            Class::DATE => texts::date(node, report),
            class @ (Class::DATE_TIME | Class::TIME) => {
                texts::year(node, class, report);
                if market {
                    cbpr::values::time(node, report);
                }
            }
            Class::BIC => identifiers::institution(node, report),
            Class::IBAN => identifiers::account_number(node, report),
            Class::LEI => identifiers::entity(node, report),
            Class::ISIN => identifiers::security(node, report),
            Class::COUNTRY => identifiers::country_code(node, report),
            Class::CURRENCY => identifiers::currency_code(node, report),
            Class::CLEARING_MEMBER => identifiers::clearing_member(node, report),
            Class::CREDITOR_REFERENCE => identifiers::creditor_reference(node, report),
            Class::ADDRESS if market => cbpr::address::check(node, report),
            Class::AGENT if market => cbpr::parties::agent(node, report),
            Class::PARTY if market => cbpr::parties::party(node, report),
            Class::REMITTANCE if market => cbpr::values::remittance(node, report),
            class => {
                if let Some(set) = class.code_set() {
                    codes::check(node, set, report);
                }
            }
        }
    }
}
