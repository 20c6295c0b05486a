//! Agents and parties: who must be named how.

use crate::rules::pick::picked;
use crate::rules::{Report, rules};
use crate::tree::Node;

rules! {
    /// The instructing and the instructed agent are named by BIC.
    NETWORK_BIC = "cbpr.network-agent-bic", Profile, CBPR_FIRST, ["RC05"], "any",
        "CBPR+ data type of agents on the network, as re-told";
    /// The instructing and the instructed agent have neither name nor address.
    NETWORK_PLAIN = "cbpr.network-agent-plain", Profile, CBPR_FIRST, ["CH17"], "any",
        "CBPR+ data type of agents on the network, as re-told";
    /// An agent with a name has an address, and the reverse.
    NAME_ADDRESS = "cbpr.agent-name-address", Profile, CBPR_FIRST, ["CH21"], "any",
        "CBPR+ rules on agents, as re-told";
    /// An agent without a BIC has a name and an address, or a clearing member identification.
    IDENTIFIED = "cbpr.agent-identified", Profile, CBPR_FIRST, ["RC01"], "any",
        "CBPR+ rules on the options for agents, as re-told";
    /// A clearing member identification alone names an agent only within one country.
    CLEARING_ALONE = "cbpr.agent-clearing-alone", Profile, CBPR_WARNING, ["RC08"], "any",
        "CBPR+ rules on the options for agents, as re-told";
    /// A party with an address has a name.
    PARTY_NAME = "cbpr.party-name", Profile, CBPR_FIRST, ["BE21", "BE22", "BE08"], "any",
        "CBPR+ rules on parties, as re-told";
    /// A debtor or creditor without a BIC has a name.
    PARTY_NAMED = "cbpr.party-named", Profile, CBPR_FIRST, ["BE21", "BE22", "BE08"], "any",
        "CBPR+ rules on the options for debtor and creditor, as re-told";
    /// A party with a BIC has neither name nor address; in conflict the BIC wins.
    BIC_ALONE = "cbpr.party-bic-alone", Profile, CBPR_WARNING, ["CH17"], "any",
        "CBPR+ rules of the release of 2026 on AnyBIC, as re-told";
    /// A debtor or creditor with a name has an address, except within one country or the EEA.
    PARTY_ADDRESS = "cbpr.party-address", Profile, CBPR_WARNING, ["BE04", "BE07"], "any",
        "CBPR+ rules on the options for debtor and creditor, as re-told";
}

picked! {
    Institution {
        bic: "BICFI" | "BIC",
        member: "ClrSysMmbId",
        lei: "LEI",
        name: "Nm",
        address: "PstlAdr",
    }
}

/// Rules on one agent, whatever its place. The parties of a header have rules of their own.
pub(in crate::rules) fn agent(node: Node<'_>, report: &mut Report) {
    let Some(inner) = node.child("FinInstnId") else { return };
    let institution = Institution::of(inner);
    match node.name() {
        "FIId" => {}
        "InstgAgt" | "InstdAgt" if !is_report(node) => {
            network_bic(node, &institution, report);
            network_plain(&institution, report);
        }
        _ => {
            name_address(node, &institution, report);
            identified(node, &institution, report);
            clearing_alone(node, &institution, report);
        }
    }
}

/// True for what an account report tells of the agents of some payment.
fn is_report(node: Node<'_>) -> bool {
    node.parent().is_some_and(|parent| parent.name() == "RltdAgts")
}

/// See [`NETWORK_BIC`].
fn network_bic(node: Node<'_>, institution: &Institution<'_>, report: &mut Report) {
    if institution.bic.is_none() {
        report.add(&NETWORK_BIC, node, "The agent has no BIC.");
    }
}

/// See [`NETWORK_PLAIN`].
fn network_plain(institution: &Institution<'_>, report: &mut Report) {
    for extra in [institution.name, institution.address].into_iter().flatten() {
        report.add(&NETWORK_PLAIN, extra, "The BIC says it already.");
    }
}

/// See [`NAME_ADDRESS`].
fn name_address(node: Node<'_>, institution: &Institution<'_>, report: &mut Report) {
    match (institution.name, institution.address) {
        (Some(_), None) => report.add(&NAME_ADDRESS, node, "The agent has a name, but no address."),
        (None, Some(_)) => {
            report.add(&NAME_ADDRESS, node, "The agent has an address, but no name.")
        }
        _ => {}
    }
}

/// See [`IDENTIFIED`].
fn identified(node: Node<'_>, institution: &Institution<'_>, report: &mut Report) {
    let named = institution.name.is_some() && institution.address.is_some();
    if institution.bic.is_none() && institution.member.is_none() && !named {
        report.add(&IDENTIFIED, node, "Nothing says for sure which institution this is.");
    }
}

/// See [`CLEARING_ALONE`].
fn clearing_alone(node: Node<'_>, institution: &Institution<'_>, report: &mut Report) {
    let alone = institution.bic.is_none() && institution.name.is_none();
    if institution.member.is_some() && alone {
        report.add(&CLEARING_ALONE, node, "The identification is known in one country only.");
    }
}

picked! {
    Party {
        name: "Nm",
        address: "PstlAdr",
        id: "Id",
    }
}

/// Rules on one party, whatever its place.
pub(in crate::rules) fn party(node: Node<'_>, report: &mut Report) {
    let party = Party::of(node);
    let bic = party.id.and_then(|id| id.at("OrgId/AnyBIC"));
    party_name(node, &party, report);
    if matches!(node.name(), "Dbtr" | "Cdtr") {
        party_named(node, &party, bic, report);
        party_address(node, &party, bic, report);
    }
    if bic.is_some() {
        bic_alone(&party, report);
    }
}

fn name_code(node: Node<'_>) -> &'static str {
    match node.name() {
        "Dbtr" => "BE08",
        "Cdtr" => "BE22",
        _ => "BE21",
    }
}

/// See [`PARTY_NAME`].
fn party_name(node: Node<'_>, party: &Party<'_>, report: &mut Report) {
    if party.address.is_some() && party.name.is_none() {
        let code = name_code(node);
        report.add_coded(&PARTY_NAME, code, node, "The party has an address, but no name.");
    }
}

/// See [`PARTY_NAMED`].
fn party_named(node: Node<'_>, party: &Party<'_>, bic: Option<Node<'_>>, report: &mut Report) {
    if bic.is_none() && party.name.is_none() && party.address.is_none() {
        report.add_coded(&PARTY_NAMED, name_code(node), node, "The party has no name and no BIC.");
    }
}

/// See [`PARTY_ADDRESS`].
fn party_address(node: Node<'_>, party: &Party<'_>, bic: Option<Node<'_>>, report: &mut Report) {
    if bic.is_none() && party.name.is_some() && party.address.is_none() {
        let code = if node.name() == "Cdtr" { "BE04" } else { "BE07" };
        report.add_coded(&PARTY_ADDRESS, code, node, "The party has a name, but no address.");
    }
}

/// See [`BIC_ALONE`].
fn bic_alone(party: &Party<'_>, report: &mut Report) {
    for extra in [party.name, party.address].into_iter().flatten() {
        report.add(&BIC_ALONE, extra, "The BIC says it already.");
    }
}
