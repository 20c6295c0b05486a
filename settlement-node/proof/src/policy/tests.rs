//! Policies: what is read, what is refused, and who makes a quorum.

#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;
use crate::key::{KeyType, NoteSigner};

const ORIGIN: &str = "log.example/1";

fn signer(name: &str, kind: KeyType, seed: u8) -> NoteSigner {
    NoteSigner::from_seed(name, kind, &[seed; 32]).unwrap()
}

fn log_key() -> NoteSigner {
    signer(ORIGIN, KeyType::Note, 1)
}

fn witness(number: u8) -> NoteSigner {
    signer(&format!("w.example/{number}"), KeyType::Cosignature, 10 + number)
}

/// The two-level example of the specification, with keys.
fn example() -> String {
    let mut text = format!("# a comment \u{e9}\n\n  log {}\n", log_key().verifier());
    for number in 1..=6 {
        let name = if number <= 3 { format!("X{number}") } else { format!("Y{}", number - 3) };
        text += &format!("witness\t{name}  {} https://w.example\n", witness(number).verifier());
    }
    text += "group X-witnesses 2 X1 X2 X3\ngroup Y-witnesses any Y1 Y2 Y3\n";
    text + "group X-and-Y all X-witnesses Y-witnesses\nquorum X-and-Y\n"
}

fn checkpoint() -> Checkpoint {
    Checkpoint { origin: ORIGIN.into(), size: 5, root: [9; 32] }
}

fn note(cosigners: &[u8]) -> Note {
    let text = checkpoint().to_string();
    let mut lines = vec![log_key().sign(&text, 0)];
    lines.extend(cosigners.iter().map(|number| witness(*number).sign(&text, 1000)));
    Note::new(text, lines).unwrap()
}

#[test]
fn the_example_of_the_specification_counts_as_it_says() {
    let policy = Policy::parse(example().as_bytes()).unwrap();
    assert_eq!(policy.logs().len(), 1);
    assert_eq!(policy.witnesses()[0].url.as_deref(), Some("https://w.example"));
    for set in 0..64u8 {
        let cosigners: Vec<u8> = (1..=6).filter(|number| set & (1 << (number - 1)) != 0).collect();
        let enough = (set & 0b111).count_ones() >= 2 && set >> 3 != 0;
        let judged = policy.judge(&note(&cosigners));
        assert_eq!(judged.is_ok(), enough, "{cosigners:?}");
        match judged {
            Ok(accepted) => {
                assert_eq!(accepted.checkpoint, checkpoint());
                assert_eq!(accepted.cosigned.len(), cosigners.len());
                assert_eq!(accepted.cosigned.len() + accepted.missing.len(), 6);
            }
            Err(refused) => assert!(matches!(refused, Refused::Quorum { .. })),
        }
    }
}

#[test]
fn none_one_and_groups_of_one_are_quorums() {
    let log = format!("log {}\n", log_key().verifier());
    let one = format!("{log}witness w {}\n", witness(1).verifier());
    for (policy, without, with) in [
        (format!("{log}quorum none\n"), true, true),
        (format!("{one}quorum w\n"), false, true),
        (format!("{one}group g 1 w\nquorum g\n"), false, true),
    ] {
        let policy = Policy::parse(policy.as_bytes()).unwrap();
        assert_eq!(policy.judge(&note(&[])).is_ok(), without);
        assert_eq!(policy.judge(&note(&[1])).is_ok(), with);
    }
}

#[test]
fn signatures_are_judged_one_by_one() {
    let policy = Policy::parse(example().as_bytes()).unwrap();
    let good = note(&[1, 2, 4]);
    let changed = |change: &dyn Fn(&mut Vec<crate::note::SignatureLine>)| {
        let mut lines = good.signatures().to_vec();
        change(&mut lines);
        policy.judge(&Note::new(good.text().to_owned(), lines).unwrap())
    };
    assert!(changed(&|_| ()).is_ok());
    // Unknown keys are passed over, whatever they sign.
    let stranger = signer("stranger", KeyType::Cosignature, 99).sign("other\n", 5);
    assert!(changed(&|lines| lines.push(stranger.clone())).is_ok());
    // A known key that does not verify condemns the note, even beyond the quorum.
    let wrong = changed(&|lines| lines.push(witness(5).sign("other\n", 5)));
    assert!(matches!(wrong, Err(Refused::Signature { .. })), "{wrong:?}");
    let unsigned = changed(&|lines| drop(lines.remove(0)));
    assert_eq!(unsigned, Err(Refused::NotSigned(ORIGIN.into())));
    // Twice the same witness is one witness.
    let twice = changed(&|lines| lines[2] = lines[1].clone());
    assert!(matches!(twice, Err(Refused::Quorum { .. })));
    let text = Checkpoint { origin: "other".into(), ..checkpoint() }.to_string();
    let other = Note::new(text.clone(), vec![log_key().sign(&text, 0)]).unwrap();
    assert_eq!(policy.judge(&other), Err(Refused::Origin("other".into())));
}

#[test]
fn what_is_no_policy_is_refused() {
    let w = |number| format!("witness w{number} {}\n", witness(number).verifier());
    let (one, two) = (w(1), w(2));
    let bad = [
        String::new(),
        "quorum".into(),
        "quorum none".into(),
        "quorum none\nquorum none\n".into(),
        "quorum none extra\n".into(),
        "quorum w\n".into(),
        "Quorum none\n".into(),
        "quorum\u{a0}none\n".into(),
        "quorum none\r\n".into(),
        "quorum none\u{7f}\n".into(),
        format!("quorum w1\n{one}"),
        format!("{one}{one}quorum none\n"),
        format!("{one}{}quorum none\n", w(2).replace("w2 ", "w1 ")),
        format!("{}quorum none\n", one.replace("w1", "none")),
        format!("{one}group w1 all w1\nquorum none\n"),
        format!("{one}group g all w1 w1\nquorum g\n"),
        format!("{one}group g all w1\ngroup h all w1\nquorum g\n"),
        format!("{one}group g all w1 g\nquorum g\n"),
        format!("{one}group g 0 w1\nquorum g\n"),
        format!("{one}group g 2 w1\nquorum g\n"),
        format!("{one}group g 01 w1\nquorum g\n"),
        format!("{one}group g most w1\nquorum g\n"),
        format!("{one}group g all\nquorum g\n"),
        format!("{one}group g all w2\n{two}quorum g\n"),
        format!("log {}\nquorum none\n", witness(1).verifier()),
        format!("witness w {}\nquorum none\n", log_key().verifier()),
        format!("log {0}\nlog {0}\nquorum none\n", log_key().verifier()),
        format!("log {} a b\nquorum none\n", log_key().verifier()),
        format!("quorum none\n#{}\n", "x".repeat(POLICY_BYTES_MAX)),
    ];
    for text in bad {
        let read = Policy::parse(text.as_bytes());
        assert!(read.is_err(), "{text:?}");
    }
    assert!(Policy::parse(b"# \xff is fine here\nquorum none\n").is_ok());
    assert!(Policy::parse(b"quorum \xff\n").is_err());
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = Policy::parse(&bytes);
    }

    #[test]
    fn damaged_policies_are_read_without_panic(
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
    ) {
        let mut bytes = example().into_bytes();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Ok(policy) = Policy::parse(&bytes) {
            let _ = policy.judge(&note(&[1, 2, 4]));
        }
    }
}
