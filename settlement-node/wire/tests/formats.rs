//! The formats of the wire: golden bytes, reading back what was written, and refusing everything else.
#![allow(clippy::unwrap_used)]

use bytes::Bytes;
use ed25519_dalek::SigningKey;
use ledger::{
    AccountNumber, AccountStatus, Amount, Answer, AssetNumber, Cause, Command, Digest, Exchanged,
    Fill, Height, LedgerTime, Leg, Legs, Outcome, ParticipantNumber, Progress, Rate, Refusal,
    Stage, Transfer, TransferId,
};
use proptest::prelude::*;
use wire::{
    batch::{
        Attachment, BatchBuilder, BatchError, Domain, RawSubmission, SignedBatch, encode_submission,
    },
    block::{self, RawBlock},
    client::{
        AccountRow, AssetRow, Cursor, Deliveries, Delivery, DirectoryAnswer, DirectoryCounts, End,
        NotTaken, NotTakenReason, Outcomes, ParticipantRow, Query, QueryAnswer, ReceiptFound,
        Standing, StatusAnswer, Told, TransferFound,
    },
    document,
    genesis::{Genesis, RawGenesis, hex},
    notice::{BankNotice, What},
    peer::{ForwardRefusal, ForwardRefused, RaftEntry, RaftMessage},
};

const DOMAIN: Domain = Domain { network: [3; 32], epoch: 1 };

fn key() -> SigningKey {
    SigningKey::from_bytes(&[9; 32])
}

fn transfer(number: u8, document: Option<Digest>) -> Command {
    Command::Transfer(Transfer {
        id: TransferId([number; 16]),
        legs: Legs::One(Leg {
            debit: AccountNumber(1),
            credit: AccountNumber(2),
            amount: Amount::new(100 + u64::from(number)),
        }),
        document,
        options: None,
    })
}

fn batch(commands: &[Command]) -> (Bytes, Digest) {
    let mut builder = BatchBuilder::new(&DOMAIN, ParticipantNumber(7), LedgerTime(1_000));
    for command in commands {
        builder.push(command);
    }
    builder.sign(&[(ParticipantNumber(7), &key())])
}

#[test]
fn golden_bytes_of_a_signed_batch() {
    let (bytes, digest) = batch(&[transfer(1, None)]);
    let expected_start =
        format!("0100{}0100000007000000e8030000000000000100000024000000", "03".repeat(32));
    assert!(hex(&bytes).starts_with(&expected_start), "{}", hex(&bytes));
    assert_eq!(bytes.len(), 58 + 36 + 1 + 100);
    // Ed25519 is deterministic, so the whole batch is.
    assert_eq!(
        hex(&digest.0),
        "7a3c34a931e1c255174c6cef116c16c844fac6c733b5847ab4b1961626f80d33",
        "the signed digest changed: that is a new version of the format"
    );
}

#[test]
fn a_batch_verifies_and_gives_its_commands_back() {
    let commands = [transfer(1, None), transfer(2, Some(Digest([5; 32])))];
    let (bytes, digest) = batch(&commands);
    let signed = SignedBatch::decode(bytes).unwrap();
    assert_eq!(signed.digest(), digest);
    let verified = signed.verify(&DOMAIN).unwrap();
    assert_eq!(verified.batch().submitter, ParticipantNumber(7));
    for (position, command) in commands.iter().enumerate() {
        assert_eq!(&verified.batch().commands[position].command, command);
        let mut expected = Vec::new();
        command.encode(&mut expected);
        assert_eq!(verified.command_slice(position), &expected[..]);
    }
}

#[test]
fn every_flipped_bit_of_a_batch_is_noticed() {
    let (bytes, _) = batch(&[transfer(1, None)]);
    for at in 0..bytes.len() {
        for bit in 0..8 {
            let mut damaged = bytes.to_vec();
            damaged[at] ^= 1 << bit;
            let verdict =
                SignedBatch::decode(Bytes::from(damaged)).and_then(|signed| signed.verify(&DOMAIN));
            assert!(verdict.is_err(), "bit {bit} of byte {at}");
        }
    }
}

#[test]
fn a_batch_for_another_network_or_epoch_is_refused() {
    let (bytes, _) = batch(&[transfer(1, None)]);
    for domain in [Domain { network: [4; 32], epoch: 1 }, Domain { network: [3; 32], epoch: 2 }] {
        let verdict = SignedBatch::decode(bytes.clone()).unwrap().verify(&domain);
        assert_eq!(verdict.unwrap_err(), BatchError::OtherNetwork);
    }
}

#[test]
fn the_submitter_must_sign_and_nobody_signs_twice() {
    let sign = |signers: &[(ParticipantNumber, &SigningKey)]| {
        let mut builder = BatchBuilder::new(&DOMAIN, ParticipantNumber(7), LedgerTime(1_000));
        builder.push(&transfer(1, None));
        let (bytes, _) = builder.sign(signers);
        SignedBatch::decode(bytes).and_then(|signed| signed.verify(&DOMAIN))
    };
    let key = key();
    let other = SigningKey::from_bytes(&[8; 32]);
    assert!(sign(&[(ParticipantNumber(7), &key), (ParticipantNumber(8), &other)]).is_ok());
    let missing = sign(&[(ParticipantNumber(8), &other)]).unwrap_err();
    let twice = sign(&[(ParticipantNumber(7), &key), (ParticipantNumber(7), &other)]).unwrap_err();
    let none = sign(&[]).unwrap_err();
    assert_eq!(
        [missing, twice, none],
        [BatchError::Signers, BatchError::Signers, BatchError::Signers]
    );
}

#[test]
fn a_signer_cannot_be_added_or_taken_away_by_others() {
    let other = SigningKey::from_bytes(&[8; 32]);
    let mut builder = BatchBuilder::new(&DOMAIN, ParticipantNumber(7), LedgerTime(1_000));
    builder.push(&transfer(1, None));
    let (both, _) = builder.sign(&[(ParticipantNumber(7), &key()), (ParticipantNumber(8), &other)]);
    let (alone, digest) = batch(&[transfer(1, None)]);
    // The signers of a batch begin after the header and one command of 36 bytes.
    let signers = 58 + 36;
    let without = [
        &both[..signers],
        &[1],
        &both[signers + 1..signers + 37],
        &both[signers + 73..signers + 137],
    ]
    .concat();
    let verdict = SignedBatch::decode(without.into()).unwrap().verify(&DOMAIN);
    assert_eq!(verdict.unwrap_err(), BatchError::Signature(0));
    // A stranger signs the digest that the owner has signed.
    let stranger = ed25519_dalek::Signer::sign(&other, &digest.0).to_bytes();
    let with = [
        &alone[..signers],
        &[2],
        &alone[signers + 1..signers + 37],
        &8u32.to_le_bytes(),
        other.verifying_key().as_bytes(),
        &alone[signers + 37..],
        &stranger,
    ]
    .concat();
    let verdict = SignedBatch::decode(with.into()).unwrap().verify(&DOMAIN);
    assert_eq!(verdict.unwrap_err(), BatchError::Signature(0));
}

fn submission(sealed: &'static [u8]) -> Bytes {
    let sealed = Bytes::from_static(sealed);
    let salted = document::salted_digest(&[1; 16], b"<Document/>");
    let named = document::commitment(&salted, &document::sealed_digest(&sealed));
    let (bytes, _) = batch(&[transfer(1, None), transfer(2, Some(named))]);
    encode_submission(&bytes, &[Attachment { position: 1, salted, sealed }])
}

#[test]
fn a_submission_binds_its_documents() {
    let bytes = submission(b"sealed");
    let named = wire::batch::submitter_of(&bytes);
    let checked = RawSubmission::decode(bytes.clone()).unwrap().verify(&DOMAIN).unwrap();
    assert_eq!(named, Some(checked.batch.batch().submitter));
    assert_eq!(checked.attachments.len(), 1);
    assert_eq!(checked.bytes(), &bytes);
    let mut other = bytes.to_vec();
    *other.last_mut().unwrap() ^= 1;
    let verdict = RawSubmission::decode(Bytes::from(other)).unwrap().verify(&DOMAIN);
    assert_eq!(verdict.unwrap_err(), BatchError::Attachment(1));
    // A document that is named cannot be left out.
    let length = u32::from_le_bytes(bytes[..4].try_into().unwrap()) as usize;
    let stripped = encode_submission(&bytes[4..4 + length], &[]);
    let verdict = RawSubmission::decode(stripped).unwrap().verify(&DOMAIN);
    assert_eq!(verdict.unwrap_err(), BatchError::Unattached { missing: 1 });
}

#[test]
fn a_block_reads_back_and_refuses_what_is_left_over() {
    let submissions = [submission(b"one"), submission(b"two")];
    let bytes = block::encode(LedgerTime(77), submissions.iter());
    let checked = RawBlock::decode(bytes.clone()).unwrap().verify(&DOMAIN).unwrap();
    assert_eq!(checked.time, LedgerTime(77));
    assert_eq!(checked.submissions.len(), 2);
    let mut longer = bytes.to_vec();
    longer.push(0);
    assert!(RawBlock::decode(Bytes::from(longer)).is_err());
    for end in 0..bytes.len() {
        assert!(RawBlock::decode(bytes.slice(..end)).is_err(), "cut at {end}");
    }
}

fn raft_message(data: Vec<u8>) -> RaftMessage {
    RaftMessage {
        kind: 1,
        from: 1,
        to: 2,
        term: 3,
        log_term: 4,
        index: 5,
        commit: 6,
        commit_term: 7,
        reject: true,
        reject_hint: 8,
        request_snapshot: 0,
        priority: -9,
        context: Bytes::from_static(b"read"),
        entries: vec![
            RaftEntry { index: 6, term: 4, data: Bytes::from(data) },
            RaftEntry { index: 7, term: 4, data: Bytes::new() },
        ],
    }
}

fn joined(pieces: Vec<Bytes>) -> Bytes {
    Bytes::from(pieces.concat())
}

#[test]
fn raft_messages_read_back_with_short_and_long_entries() {
    for length in [0, 1, 4095, 4096, 200_000] {
        let message = raft_message(vec![0xab; length]);
        assert_eq!(RaftMessage::decode(joined(message.encode())).unwrap(), message);
    }
}

#[test]
fn client_messages_read_back() {
    let outcomes = Outcomes {
        batch: Digest([1; 32]),
        height: Height(2),
        time: LedgerTime(3),
        first_leaf: 4,
        outcomes: vec![
            Outcome { answer: Answer::Settled, original: None },
            Outcome { answer: Answer::Refused(Refusal::ALL[0]), original: Some(9) },
        ],
    };
    assert_eq!(Outcomes::decode(outcomes.encode()).unwrap(), outcomes);
    for reason in [
        NotTakenReason::Busy { retry_after_ms: 100 },
        NotTakenReason::Invalid { text: "signature 0 of the batch does not verify".to_owned() },
    ] {
        let message = NotTaken { batch: Digest([2; 32]), reason };
        assert_eq!(NotTaken::decode(message.encode()).unwrap(), message);
    }
    for reason in [ForwardRefusal::Busy, ForwardRefusal::NotLeader] {
        let message = ForwardRefused { batch: Digest([2; 32]), reason };
        assert_eq!(ForwardRefused::decode(message.encode()).unwrap(), message);
    }
    let cursor = Cursor { height: 5, commands: 6 };
    let progress = Progress {
        id: TransferId([3; 16]),
        leaf: 2,
        answer: Answer::Refused(Refusal::RefusedByParty),
        cause: Cause::Command(8),
    };
    let deliveries = Deliveries {
        items: vec![
            Delivery {
                cursor,
                leaf: 7,
                time: LedgerTime(8),
                submitter: ParticipantNumber(9),
                command: Bytes::from_static(b"command"),
                document: Some((Digest([1; 32]), Bytes::from_static(b"sealed"))),
                told: Told::Settled,
            },
            Delivery {
                cursor,
                leaf: 9,
                time: LedgerTime(8),
                submitter: ParticipantNumber(9),
                command: Bytes::from_static(b"command"),
                document: None,
                told: Told::Moved { progress, because: Bytes::from_static(b"refuse") },
            },
            Delivery {
                cursor,
                leaf: 8,
                time: LedgerTime(8),
                submitter: ParticipantNumber(9),
                command: Bytes::from_static(b"command"),
                document: None,
                told: Told::Waits(Stage::Queued),
            },
            Delivery {
                cursor,
                leaf: 9,
                time: LedgerTime(8),
                submitter: ParticipantNumber(9),
                command: Bytes::new(),
                document: None,
                told: Told::Notice(BankNotice {
                    bank: ParticipantNumber(9),
                    what: What::QuoteExpired { quote: TransferId([5; 16]), left: Amount::new(4) },
                }),
            },
            Delivery {
                cursor,
                leaf: 9,
                time: LedgerTime(8),
                submitter: ParticipantNumber(9),
                command: Bytes::from_static(b"command"),
                document: None,
                told: Told::Exchanged(Exchanged {
                    id: TransferId([6; 16]),
                    leaf: 3,
                    paid: Amount::new(50),
                    delivered: Amount::new(80),
                    via: None,
                    first_step: 1,
                    fills: vec![Fill {
                        quote: TransferId([7; 16]),
                        sells: AccountNumber(1),
                        buys: AccountNumber(2),
                        rate: Rate::new(100, 160).unwrap(),
                        gave: Amount::new(80),
                        took: Amount::new(50),
                    }],
                }),
            },
        ],
        searched: cursor,
    };
    assert_eq!(Deliveries::decode(deliveries.encode()).unwrap(), deliveries);
    let known = DirectoryCounts { participants: 1, assets: 2, accounts: 3 };
    let id = TransferId([4; 16]);
    for query in [
        Query::Directory(known),
        Query::Status,
        Query::Transfer(id),
        Query::Receipt { id, whole: true },
        Query::Receipt { id, whole: false },
    ] {
        assert_eq!(Query::decode(query.encode(11)).unwrap(), (11, query));
    }
    let status = StatusAnswer {
        node: 1,
        leader: 2,
        height: 3,
        time: LedgerTime(4),
        leaves: 5,
        log_root: [6; 32],
        state_root: [7; 32],
        settled: 8,
        refused: 9,
    };
    let directory = DirectoryAnswer {
        height: 4,
        all: DirectoryCounts { participants: 9, assets: 8, accounts: 7 },
        participants: vec![ParticipantRow {
            number: ParticipantNumber(8),
            bic: "ABCDDEFFXXX".parse().unwrap(),
            name: "A bank".to_owned(),
            sealing_key: [4; 32],
        }],
        assets: vec![AssetRow {
            number: AssetNumber(7),
            code: "EUR".parse().unwrap(),
            exponent: 2,
            issuer: ParticipantNumber(1),
        }],
        accounts: vec![AccountRow {
            number: AccountNumber(6),
            owner: ParticipantNumber(1),
            asset: AssetNumber(2),
            label: "FEES".parse().unwrap(),
            status: AccountStatus::Open,
            posted: -5,
        }],
    };
    let answer = QueryAnswer::Directory(directory);
    assert_eq!(QueryAnswer::decode(answer.encode(3)).unwrap(), (3, answer));
    let found = TransferFound {
        answer: Answer::Settled,
        leaf: 1,
        height: 2,
        time: LedgerTime(3),
        command: Bytes::from_static(b"command"),
        standing: None,
    };
    let waits = Standing { answer: Answer::Waiting(Stage::Held), end: None };
    let end = End {
        leaf: 8,
        height: 2,
        time: LedgerTime(3),
        progress,
        because: Bytes::from_static(b"refuse"),
    };
    let ended = Standing { answer: progress.answer, end: Some(end) };
    let answer = Answer::Waiting(Stage::Queued);
    for answer in [
        QueryAnswer::Status(status),
        QueryAnswer::Transfer(None),
        QueryAnswer::Transfer(Some(TransferFound {
            answer,
            standing: Some(waits),
            ..found.clone()
        })),
        QueryAnswer::Transfer(Some(TransferFound {
            answer,
            standing: Some(ended),
            ..found.clone()
        })),
        QueryAnswer::Transfer(Some(found)),
        QueryAnswer::Failed("later".to_owned()),
        QueryAnswer::Receipt(ReceiptFound::Unknown),
        QueryAnswer::Receipt(ReceiptFound::NotFinal),
        QueryAnswer::Receipt(ReceiptFound::Final(Bytes::from_static(b"receipt"))),
    ] {
        assert_eq!(QueryAnswer::decode(answer.encode(12)).unwrap(), (12, answer));
    }
}

const GENESIS: &str = r#"
version = 1
network = "test"
time_ns = 1700000000000000000

[[nodes]]
id = 1
bic = "ALPHDEFF"
link_key = "1111111111111111111111111111111111111111111111111111111111111111"
address = "127.0.0.1:7001"
client_address = "127.0.0.1:7101"

[[participants]]
bic = "ALPHDEFF"
name = "Alpha Bank"
signing_keys = ["2222222222222222222222222222222222222222222222222222222222222222"]
sealing_key = "3333333333333333333333333333333333333333333333333333333333333333"
gateway_keys = ["4444444444444444444444444444444444444444444444444444444444444444"]

[[assets]]
code = "EUR"
exponent = 2
issuer = "ALPHDEFF"

[[accounts]]
account = "ALPHDEFF/EUR"

[[funding]]
id = "00000000-0000-4000-8000-000000000001"
account = "ALPHDEFF/EUR"
amount = 100000
"#;

#[test]
fn a_genesis_file_makes_a_ledger_and_names_the_network() {
    let genesis = Genesis::parse(GENESIS.as_bytes()).unwrap();
    let ledger = genesis.ledger().unwrap();
    let account = ledger.account(AccountNumber(0)).unwrap();
    assert_eq!(account.name.to_string(), "ALPHDEFF/EUR");
    assert_eq!(account.account.posted.minor(), 100_000);
    let other = Genesis::parse(GENESIS.replace("Alpha Bank", "Alpha bank").as_bytes()).unwrap();
    assert_ne!(genesis.domain.network, other.domain.network);
    let again: RawGenesis = toml::from_str(GENESIS).unwrap();
    Genesis::parse(again.to_text().as_bytes()).unwrap();
}

#[test]
fn a_wrong_genesis_file_says_where_and_why() {
    for (from, to, says) in [
        ("version = 1", "version = 2", "version 2"),
        ("id = 1", "id = 0", "nodes.id"),
        ("issuer = \"ALPHDEFF\"", "issuer = \"NOBODEFF\"", "assets.issuer"),
        (
            "account = \"ALPHDEFF/EUR\"\n\n[[funding",
            "account = \"ALPHDEFF/USD\"\n\n[[funding",
            "no such asset",
        ),
        ("exponent = 2", "exponent = 99", "assets.exponent"),
        ("2222222222222222", "2222", "signing_keys"),
        ("network = \"test\"", "netwrk = \"test\"", "netwrk"),
        ("127.0.0.1:7001", "localhost", "nodes.address"),
    ] {
        let text = GENESIS.replacen(from, to, 1);
        assert_ne!(text, GENESIS, "the replacement of {from} must do something");
        let error = Genesis::parse(text.as_bytes()).unwrap_err().to_string();
        assert!(error.contains(says), "{from} -> {to}: {error}");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let bytes = Bytes::from(bytes);
        let _ = SignedBatch::decode(bytes.clone()).map(|signed| signed.verify(&DOMAIN));
        let _ = RawSubmission::decode(bytes.clone());
        let _ = RawBlock::decode(bytes.clone());
        let _ = RaftMessage::decode(bytes.clone());
        let _ = ForwardRefused::decode(bytes.clone());
        let _ = Outcomes::decode(bytes.clone());
        let _ = NotTaken::decode(bytes.clone());
        let _ = Deliveries::decode(bytes.clone());
        let _ = Cursor::decode(bytes.clone());
        let _ = Query::decode(bytes.clone());
        let _ = QueryAnswer::decode(bytes.clone());
        let _ = Genesis::parse(&bytes);
    }

    #[test]
    fn damaged_messages_are_read_without_panic(at in 0usize..4000, value: u8) {
        for good in [
            submission(b"sealed"),
            block::encode(LedgerTime(1), [submission(b"sealed")].iter()),
            joined(raft_message(vec![1; 300]).encode()),
        ] {
            let mut damaged = good.to_vec();
            let length = damaged.len();
            damaged[at % length] = value;
            let damaged = Bytes::from(damaged);
            let _ = RawSubmission::decode(damaged.clone()).map(|raw| raw.verify(&DOMAIN));
            let _ = RawBlock::decode(damaged.clone()).map(|raw| raw.verify(&DOMAIN));
            let _ = RaftMessage::decode(damaged);
        }
    }
}
