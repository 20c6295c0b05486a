//! Accounts, institutions, entities, countries, currencies: what check digits and lists can tell.

use crate::lexical;
use crate::reference::{bic, clearing, country, creditor, currency, iban, isin, lei};
use crate::rules::{Report, rules};
use crate::tree::Node;

rules! {
    /// An IBAN has the length of its country and check digits that fit.
    IBAN = "reference.iban", ReferenceData, ERROR, ["AC01", "AC02", "AC03"], "any",
        "ISO 13616, through the data type";
    /// The country of an IBAN is one that has IBANs.
    IBAN_COUNTRY = "reference.iban-country", ReferenceData, WARNING, ["AC01"], "any",
        "register of IBAN formats; it grows, hence a warning";
    /// An LEI has check digits that fit.
    LEI = "reference.lei", ReferenceData, WARNING, ["BE15"], "any",
        "ISO 17442, through the data type; nothing is settled by an LEI";
    /// The country in a BIC exists.
    BIC_COUNTRY = "reference.bic-country", ReferenceData, WARNING, ["RC01"], "any",
        "ISO 9362; whether a BIC can be reached is for the directory of the network to say";
    /// A BIC of live traffic is no test BIC (eighth character 0).
    BIC_TEST = "reference.bic-test", ReferenceData, MARKET_WARNING, ["RC01"], "any",
        "convention for test and training BICs, as generally known";
    /// A country code is assigned.
    COUNTRY = "reference.country", ReferenceData, ERROR, ["BE09", "BE10", "BE11"], "any",
        "ISO 3166-1, through the data type";
    /// A currency code is an active one, also where nothing is settled in it.
    CURRENCY = "reference.currency", ReferenceData, WARNING, ["AM11"], "any",
        "ISO 4217; historic currencies are allowed in some places";
    /// An amount has no fraction that its currency lacks, also where it is not settled.
    DECIMALS = "reference.amount-decimals", ReferenceData, WARNING, ["CH20"], "any",
        "base message, rule CurrencyAmount; exponents of ISO 4217";
    /// A clearing member identification has the form that its clearing system prescribes.
    MEMBER = "reference.clearing-member", ReferenceData, WARNING, ["RC08", "RC09", "RC10"], "any",
        "external list of clearing system identifications, forms as generally known";
    /// A routing number (USABA) has nine digits and a check digit that fits.
    ROUTING = "reference.routing-number", ReferenceData, STRICT, ["RC08", "RC09", "RC10"], "any",
        "routing numbers of the American Bankers Association: weights 3, 7, 1";
    /// A structured creditor reference (RF) has check digits that fit.
    CREDITOR_REFERENCE = "reference.creditor-reference", ReferenceData, WARNING, ["RR09"], "any",
        "ISO 11649";
    /// An ISIN has a check digit that fits.
    ISIN = "reference.isin", ReferenceData, WARNING, ["BE15"], "any",
        "ISO 6166, through the data type";
}

/// See [`IBAN`] and [`IBAN_COUNTRY`].
pub(super) fn account_number(node: Node<'_>, report: &mut Report) {
    match iban::check(node.text()) {
        Ok(()) => iban_country(node, report),
        Err(bad) => {
            // A malformed number has failed the schema, unless an old version allows lower case.
            let mut text = bad.to_string();
            text[..1].make_ascii_uppercase();
            let code = by_side(node, ["AC01", "AC02", "AC03"]);
            report.add_coded(&IBAN, code, node, text + ".");
        }
    }
}

/// See [`IBAN_COUNTRY`].
fn iban_country(node: Node<'_>, report: &mut Report) {
    if !iban::is_registered(node.text()) {
        report.add(&IBAN_COUNTRY, node, "No format is registered for IBANs of this country.");
    }
}

/// See [`LEI`].
pub(super) fn entity(node: Node<'_>, report: &mut Report) {
    if !lei::is_valid(node.text()) {
        report.add(&LEI, node, "The check digits of the LEI are wrong.");
    }
}

pub(super) fn institution(node: Node<'_>, report: &mut Report) {
    bic_country(node, report);
    bic_test(node, report);
}

/// See [`BIC_COUNTRY`].
fn bic_country(node: Node<'_>, report: &mut Report) {
    if let Some(code) = bic::country(node.text())
        && !country::is_known(code)
    {
        report.add(&BIC_COUNTRY, node, format!("The BIC names an unknown country {code}."));
    }
}

/// See [`BIC_TEST`].
fn bic_test(node: Node<'_>, report: &mut Report) {
    if node.text().as_bytes().get(7) == Some(&b'0') {
        report.add(&BIC_TEST, node, "This is a BIC for tests.");
    }
}

/// See [`COUNTRY`].
pub(super) fn country_code(node: Node<'_>, report: &mut Report) {
    if !country::is_known(node.text()) {
        let code = by_side(node, ["BE09", "BE10", "BE11"]);
        report.add_coded(&COUNTRY, code, node, "The country code is not assigned.");
    }
}

/// See [`CURRENCY`].
pub(super) fn currency_code(node: Node<'_>, report: &mut Report) {
    let code = node.text();
    if currency::decimals(code).is_none() && !currency::is_not_money(code) {
        report.add(&CURRENCY, node, "The currency is not an active one.");
    }
}

/// See [`CURRENCY`] and [`DECIMALS`]. Amounts that are settled have rules of their own.
pub(super) fn amount(node: Node<'_>, report: &mut Report) {
    let Some(code) = node.attribute("Ccy") else { return };
    match currency::decimals(code) {
        Some(decimals) => amount_decimals(node, decimals, report),
        None if is_settled(node) || currency::is_not_money(code) => {}
        None => report.add(&CURRENCY, node, "The currency is not an active one."),
    }
}

fn is_settled(node: Node<'_>) -> bool {
    let name = node.name();
    name.ends_with("IntrBkSttlmAmt") && !name.starts_with("Orgnl")
}

/// See [`DECIMALS`].
fn amount_decimals(node: Node<'_>, decimals: u32, report: &mut Report) {
    let shape = lexical::decimal(lexical::collapse(node.text()));
    if shape.is_some_and(|shape| shape.fraction > decimals as usize) && !is_settled(node) {
        report.add(&DECIMALS, node, format!("The currency has {decimals} decimals."));
    }
}

/// See [`MEMBER`] and [`ROUTING`].
pub(super) fn clearing_member(node: Node<'_>, report: &mut Report) {
    let Some(system) = node.text_at("ClrSysId/Cd") else { return };
    let Some(member) = node.child("MmbId") else { return };
    if system == "USABA" {
        routing_number(member, report);
    } else if !clearing::fits(system, member.text()) {
        let code = by_side(member, ["RC08", "RC09", "RC10"]);
        let text = format!("Members of {system} have identifications of another form.");
        report.add_coded(&MEMBER, code, member, text);
    }
}

/// See [`ROUTING`].
fn routing_number(member: Node<'_>, report: &mut Report) {
    if !clearing::is_routing_number(member.text()) {
        let code = by_side(member, ["RC08", "RC09", "RC10"]);
        report.add_coded(&ROUTING, code, member, "This is no routing number.");
    }
}

/// See [`CREDITOR_REFERENCE`]. Only what starts like a structured reference is looked at, since
/// other references have other rules.
pub(super) fn creditor_reference(node: Node<'_>, report: &mut Report) {
    if let Some(reference) = node.child("Ref").or_else(|| node.child("CdtrRef"))
        && let Some(code) = node.at("Tp/CdOrPrtry/Cd")
        && code.text() == "SCOR"
        && reference.text().starts_with("RF")
        && !creditor::is_valid(reference.text())
    {
        let text = "The check digits of the creditor reference are wrong.";
        report.add(&CREDITOR_REFERENCE, reference, text);
    }
}

/// See [`ISIN`].
pub(super) fn security(node: Node<'_>, report: &mut Report) {
    if !isin::is_valid(node.text()) {
        report.add(&ISIN, node, "The check digit of the ISIN is wrong.");
    }
}

/// The code for whose data an element belongs to, by the nearest enclosing party, account or agent:
/// neither's, the debtor's, the creditor's.
fn by_side(node: Node<'_>, codes: [&'static str; 3]) -> &'static str {
    let mut next = node.parent();
    while let Some(node) = next {
        match node.name() {
            "Dbtr" | "DbtrAcct" | "DbtrAgt" => return codes[1],
            "Cdtr" | "CdtrAcct" | "CdtrAgt" => return codes[2],
            _ => next = node.parent(),
        }
    }
    codes[0]
}
