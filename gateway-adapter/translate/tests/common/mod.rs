//! The network of the tests: three banks, three currencies.

#![allow(dead_code, clippy::unwrap_used, clippy::disallowed_methods)]

use ledger::{AccountNumber, AssetNumber, Bic, Exponent, LedgerTime, ParticipantNumber};
use translate::{Account, Asset, Directory, Participant};

/// 2026-03-04T08:30:00.250 UTC.
pub(crate) const NOW: LedgerTime = LedgerTime(1_772_613_000_250_000_000);

/// The bank whose messages are translated.
pub(crate) fn own_bank() -> Bic {
    "BANKDEFF".parse().unwrap()
}

/// BANKDEFF has EUR, JPY and USD, BANKGB2L has EUR and JPY, BANKUS33 has no main account.
pub(crate) fn directory() -> Directory {
    let participant = |(number, bic): (u32, &str)| Participant {
        number: ParticipantNumber(number),
        bic: bic.parse().unwrap(),
        name: format!("Bank {bic}"),
        sealing_key: [number as u8; 32],
    };
    let asset = |(number, code, exponent): (u32, &str, u8)| Asset {
        number: AssetNumber(number),
        code: code.parse().unwrap(),
        exponent: Exponent::new(exponent).unwrap(),
        issuer: ParticipantNumber(0),
    };
    let account = |(number, owner, asset, label): (u32, u32, u32, &str)| Account {
        number: AccountNumber(number),
        owner: ParticipantNumber(owner),
        asset: AssetNumber(asset),
        label: label.parse().unwrap(),
    };
    Directory::new(
        [(1, "BANKDEFF"), (2, "BANKGB2L"), (3, "BANKUS33")].map(participant).to_vec(),
        [(0, "EUR", 2), (1, "JPY", 0), (2, "USD", 2)].map(asset).to_vec(),
        [
            (10, 1, 0, ""),
            (11, 1, 1, ""),
            (12, 1, 2, ""),
            (20, 2, 0, ""),
            (21, 2, 1, ""),
            (30, 3, 0, "nostro"),
        ]
        .map(account)
        .to_vec(),
    )
}

/// The folder of the golden files.
pub(crate) fn golden() -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("golden")
}

/// What an answer repeats from the message that it answers, peculiar as that may be: blanks at the edges of
/// identifications, a transaction that has none, one that comes twice.
const REPEATED: [&str; 3] = ["base.text-edges", "base.status-original-named", "base.status-once"];

/// Checks that an answer is a valid message of this name, with nothing said against it but what it repeats.
pub(crate) fn assert_valid(answer: &[u8], name: &str) {
    assert_valid_but(answer, name, &[]);
}

/// The same, with these warnings allowed as well.
pub(crate) fn assert_valid_but(answer: &[u8], name: &str, allowed: &[&str]) {
    let allowed = |rule| REPEATED.contains(&rule) || allowed.contains(&rule);
    let shown = String::from_utf8_lossy(answer);
    let message = iso20022::read(answer, &iso20022::Limits::message())
        .unwrap_or_else(|error| panic!("{error}\n{shown}"));
    assert_eq!(message.name.to_string(), name, "{shown}");
    let mut findings = message.validate(iso20022::Profile::Base);
    findings.retain(|finding| finding.is_error() || !allowed(finding.rule));
    assert!(findings.is_empty(), "{findings:#?}\n{shown}");
}
