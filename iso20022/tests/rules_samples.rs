//! Rules on messages that nobody here wrote and that others publish as good.
//!
//! The samples are not part of the repository: the test reads them from the folder named by the
//! environment variable `CORRIDOR_ISO_DIR` and says that it is skipped when it is not set.
#![allow(clippy::unwrap_used, missing_docs)]

use iso20022::{Finding, Limits, Profile, read};
use std::collections::BTreeMap;
use std::path::Path;

/// Samples that follow their schema and are wrong all the same, as a look at each has shown: sums that
/// do not add up, wrong check digits, elements in two places, headers of other messages.
const WRONG: &[(&str, &str)] = &[
    ("camt.052.001.08/ballerina-mt2mx__mt942_camt_052_A_B.xml", "reference.iban"),
    ("pacs.002.001.10/phoughton__pacs_002_2026_invalid.xml", "header.message-definition"),
    ("pacs.004.001.09/phoughton__pacs.004.max.xml", "base.exchange-rate-superfluous"),
    ("pacs.008.001.01/sebastienrousseau__pacs.008.001.01.xml", "base.settlement-date-once"),
    ("pacs.008.001.07/prowide__pacs.008.001.07.xml", "base.control-sum"),
    ("pacs.008.001.07/prowide__pacs.008.001.07.xml", "base.settlement-date-once"),
    ("pacs.008.001.07/prowide__pacs.008.001.07.xml", "base.total-amount"),
    ("pacs.008.001.07/prowide__pacs.008.001.07_ClrSysMmbId.xml", "base.control-sum"),
    ("pacs.008.001.07/prowide__pacs.008.001.07_ClrSysMmbId.xml", "base.settlement-date-once"),
    ("pacs.008.001.07/prowide__pacs.008.001.07_ClrSysMmbId.xml", "base.total-amount"),
    ("pacs.008.001.07/prowide__pacs.008.001.07__resources.xml", "base.control-sum"),
    ("pacs.008.001.07/prowide__pacs.008.001.07__resources.xml", "base.settlement-date-once"),
    ("pacs.008.001.07/prowide__pacs.008.001.07__resources.xml", "base.total-amount"),
    ("pacs.008.001.08/moov-io__CustomerCreditTransfer_Variation5_pacs.008.xml", "reference.iban"),
    ("pacs.008.001.08/moov-io__CustomerCreditTransfer_Variation6_pacs.008.xml", "reference.iban"),
    (
        "pacs.008.001.08/phoughton__cbprplus_pacs008_sample_dodgy_IBAN_and_bic_mismatch.xml",
        "reference.iban",
    ),
    ("pacs.008.001.08/phoughton__pacs.008_stp.max__y2026.xml", "base.exchange-rate-superfluous"),
    ("pacs.008.001.08/phoughton__pacs.008_stp.max__y2026.xml", "base.settlement-method-excludes"),
    ("pacs.008.001.13/socrates8300__schemes.rs_1.xml", "base.number-of-transactions"),
    ("pacs.009.001.08/phoughton__pacs_009_adv_2025_invalid.xml", "base.currency-is-money"),
    ("pacs.009.001.08/phoughton__pacs_009_adv_2025_invalid.xml", "header.message-definition"),
    ("pacs.009.001.08/phoughton__pacs_009_cov_2025_invalid.xml", "base.currency-is-money"),
    ("pacs.009.001.08/phoughton__pacs_009_cov_2026_invalid.xml", "base.currency-is-money"),
    ("pain.001.001.03/svapnil__sepa_pain_001_v3.xml", "reference.iban"),
];

fn valid_samples() -> Option<Vec<(String, Vec<u8>)>> {
    let Ok(folder) = std::env::var("CORRIDOR_ISO_DIR") else {
        println!("skipped: CORRIDOR_ISO_DIR is not set");
        return None;
    };
    let folder = Path::new(&folder).join("samples");
    let text = std::fs::read_to_string(folder.join("table.json")).unwrap();
    let table: serde_json::Value = serde_json::from_str(&text).unwrap();
    let rows = table.as_array().unwrap().iter().filter(|row| row["doc"] == "valid");
    let names = rows.map(|row| row["file"].as_str().unwrap().to_owned());
    Some(names.map(|name| (name.clone(), std::fs::read(folder.join(&name)).unwrap())).collect())
}

#[test]
fn rules_do_not_cry_wolf() {
    let Some(samples) = valid_samples() else { return };
    let mut counts: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut wrong = Vec::new();
    let mut read_count = 0;
    for (name, bytes) in &samples {
        let Ok(message) = read(bytes, &Limits::batch()) else { continue };
        read_count += 1;
        for profile in Profile::ALL {
            for finding in message.validate(profile) {
                let key = format!("{profile} {:?} {}", finding.severity, finding.rule);
                let place = format!("{name} {} `{}` {}", finding.path, finding.value, finding.text);
                counts.entry(key).or_default().push(place.clone());
                let beyond = finding.layer > iso20022::Layer::Schema;
                if profile == Profile::Base
                    && beyond
                    && finding.is_error()
                    && !known(name, &finding)
                {
                    wrong.push(format!("{} {place}", finding.rule));
                }
            }
        }
    }
    for (rule, places) in &counts {
        println!("{rule}: {}", places.len());
        for place in places.iter().take(12) {
            println!("    {place}");
        }
    }
    println!("{read_count} of {} valid samples read", samples.len());
    assert!(read_count > 60);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    for (part, rule) in WRONG {
        let seen = counts.iter().any(|(key, places)| {
            key.ends_with(rule) && places.iter().any(|place| place.contains(part))
        });
        assert!(seen, "{part} does not break {rule} any more");
    }
}

fn known(name: &str, finding: &Finding) -> bool {
    WRONG.iter().any(|(part, rule)| name.contains(part) && finding.rule == *rule)
}
