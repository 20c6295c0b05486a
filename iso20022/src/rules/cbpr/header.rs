//! The business application header in CBPR+.

use crate::rules::{Context, Report, rules};
use crate::tree::Node;
use crate::views::Header;

rules! {
    /// A message comes with a business application header.
    PRESENT = "cbpr.header-present", Profile, MARKET, ["CH21"], "any",
        "CBPR+ and HVPS+: a message is a header and a document";
    /// The header is of the version in use: head.001.001.02.
    VERSION = "cbpr.header-version", Profile, CBPR_WARNING, ["CH16"], "any",
        "CBPR+ collection of message versions, as re-told";
    /// Sender and receiver are institutions with a BIC.
    BICS = "cbpr.header-bics", Profile, CBPR, ["CH21"], "any",
        "CBPR+ rule on From and To, as re-told";
    /// The header names its business service.
    SERVICE_PRESENT = "cbpr.header-service-present", Profile, CBPR, ["CH21"], "any",
        "CBPR+ rule on BusinessService, as re-told";
    /// The business service has the form `name.name.99`, in lower case.
    SERVICE_FORM = "cbpr.header-service-form", Profile, CBPR_FIRST, ["CH16"], "any",
        "CBPR+ pattern of BusinessService, as re-told";
    /// The business service of a cover payment (`cov`) heads a pacs.009 with an underlying customer
    /// transfer, and the reverse; that of an advice (`adv`) heads a pacs.009.
    SERVICE_FITS = "cbpr.header-service-fits", Profile, CBPR_WARNING, ["CH16"], "pacs.008 pacs.009",
        "CBPR+ business services, as re-told";
    /// A priority in the header is that of the instruction.
    PRIORITY = "cbpr.header-priority", Profile, CBPR, ["CH16"], "pacs.008 pacs.009",
        "CBPR+ rule on Priority, as re-told";
    /// The document is of the version in use.
    MESSAGE_VERSION = "cbpr.message-version", Profile, CBPR_WARNING, ["CH16"], "any",
        "CBPR+ collection of message versions, as re-told";
}

/// Versions in use, by family.
const VERSIONS: [&str; 23] = [
    "camt.029.001.09",
    "camt.052.001.08",
    "camt.053.001.08",
    "camt.054.001.08",
    "camt.055.001.08",
    "camt.056.001.08",
    "camt.057.001.06",
    "camt.058.001.06",
    "camt.060.001.05",
    "camt.105.001.02",
    "camt.106.001.02",
    "camt.107.001.01",
    "camt.108.001.01",
    "camt.109.001.01",
    "camt.110.001.01",
    "camt.111.001.02",
    "pacs.002.001.10",
    "pacs.003.001.08",
    "pacs.004.001.09",
    "pacs.008.001.08",
    "pacs.009.001.08",
    "pacs.010.001.03",
    "pain.001.001.09",
];

pub(super) fn check(context: &Context<'_>, report: &mut Report) {
    message_version(context, report);
    let Some(header) = &context.header else {
        report.add(&PRESENT, context.body, "The message has no header.");
        return;
    };
    header_version(header, report);
    bics(header, report);
    match header.node().child("BizSvc") {
        None => report.add(&SERVICE_PRESENT, header.node(), "`BizSvc` is missing."),
        Some(service) => {
            service_form(service, report);
            service_fits(context, service, report);
        }
    }
    priority(context, header, report);
}

/// See [`MESSAGE_VERSION`].
fn message_version(context: &Context<'_>, report: &mut Report) {
    let name = context.message.name;
    let known = VERSIONS.iter().find(|version| version.starts_with(name.family()));
    if let Some(known) = known
        && *known != name.as_str()
    {
        report.add(&MESSAGE_VERSION, context.body, format!("The version in use is {known}."));
    }
}

/// See [`VERSION`].
fn header_version(header: &Header<'_>, report: &mut Report) {
    if header.node().tree().message().version() != 2 {
        report.add(&VERSION, header.node(), "The version in use is head.001.001.02.");
    }
}

/// See [`BICS`].
fn bics(header: &Header<'_>, report: &mut Report) {
    for side in ["Fr", "To"] {
        if let Some(party) = header.node().child(side)
            && party.at("FIId/FinInstnId/BICFI").is_none()
        {
            report.add(&BICS, party, "An institution with its BIC is expected.");
        }
    }
}

/// See [`SERVICE_FORM`].
fn service_form(service: Node<'_>, report: &mut Report) {
    let parts = || service.text().split('.');
    let count = parts().count();
    let name = |part: &str| {
        (1..=10).contains(&part.len())
            && part.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
    };
    let number = |part: &str| part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit());
    let fits = count >= 3
        && parts().enumerate().all(
            |(at, part)| {
                if at + 1 == count { number(part) } else { name(part) }
            },
        );
    if !fits {
        report.add(&SERVICE_FORM, service, "The service does not have the form `name.name.99`.");
    }
}

/// See [`SERVICE_FITS`].
fn service_fits(context: &Context<'_>, service: Node<'_>, report: &mut Report) {
    let says = |part: &str| service.text().split('.').any(|known| known == part);
    let institutional = context.family() == "pacs.009";
    if !institutional && context.family() != "pacs.008" {
        return;
    }
    let cover = context.body.at("CdtTrfTxInf/UndrlygCstmrCdtTrf").is_some();
    if says("cov") != cover && (says("cov") || service.text().starts_with("swift.cbprplus.")) {
        let text = if cover { "The document is a cover." } else { "The document is no cover." };
        report.add(&SERVICE_FITS, service, text);
    }
    if says("adv") && !institutional {
        report.add(&SERVICE_FITS, service, "An advice is a pacs.009.");
    }
}

/// See [`PRIORITY`].
fn priority(context: &Context<'_>, header: &Header<'_>, report: &mut Report) {
    if let Some(stated) = header.node().child("Prty")
        && let Some(instructed) = context.body.text_at("CdtTrfTxInf/PmtTpInf/InstrPrty")
        && stated.text() != instructed
    {
        report.add(&PRIORITY, stated, format!("The instruction says {instructed}."));
    }
}
