//! Canonical bytes of votes, keys and funding limits: golden vectors and round trips.
#![allow(clippy::unwrap_used, missing_docs)]

use ledger::*;
use proptest::prelude::*;

fn encoded(command: &Command) -> Vec<u8> {
    let mut bytes = Vec::new();
    command.encode(&mut bytes);
    bytes
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

const ID: TransferId = TransferId([9; 16]);
const BANK: ParticipantNumber = ParticipantNumber(3);
const KEY: PublicKey = PublicKey([4; 32]);

fn propose(content: Content) -> Command {
    let (proposer, expires, content) = (BANK, LedgerTime(5), Box::new(content));
    Command::Propose(Propose { id: ID, proposer, expires, content })
}

fn golden() -> Vec<(Command, String)> {
    let (id, key) = ("09".repeat(16), "04".repeat(32));
    let calendar = Calendar { opens: 420, cut_off: 1080, weekdays: 0x1f, holidays: vec![4, 5] };
    let node = NodeDescription {
        operator: BANK,
        link_key: [4; 32],
        address: "a:1".to_owned(),
        client_address: "b:22".to_owned(),
    };
    let admit = AdmitParticipant {
        bic: "DEUTDEFF".parse().unwrap(),
        name: "B".to_owned(),
        signing_keys: vec![KEY],
        sealing_key: [4; 32],
    };
    let add = AddAsset {
        code: "JPY".parse().unwrap(),
        exponent: Exponent::new(0).unwrap(),
        issuer: BANK,
    };
    let (asset, state) = (AssetNumber(2), ParticipantState::Blocked);
    let voting = VotingPolicy { needed: 1, voters: vec![ParticipantNumber(1), BANK] };
    let contents = vec![
        (Content::Admit(admit), format!("010700010044455554444546465858580142{key}{key}")),
        (Content::SetState { participant: BANK, state }, "020300000004".to_owned()),
        (Content::AddAsset(add), "0308000000034a50590003000000".to_owned()),
        (Content::SetCalendar { asset, calendar: None }, "040200000000".to_owned()),
        (
            Content::SetCalendar { asset, calendar: Some(calendar) },
            "040200000001a40138041f02000400000005000000".to_owned(),
        ),
        (Content::SetLegLimit { asset, most: Some(7) }, "0502000000010700000000000000".to_owned()),
        (
            Content::AddNode { id: 6, node },
            format!("06060000000000000003000000{key}03613a3104623a3232"),
        ),
        (Content::RemoveNode { id: 6 }, "070600000000000000".to_owned()),
        (Content::ActivateRules(ActivateRules { version: 3 }), "08090000000300".to_owned()),
        (Content::SetFinality { faulty: 1 }, "090100".to_owned()),
        (Content::SetVoting(voting), "0a010002000100000003000000".to_owned()),
        (
            Content::ReplaceKeys { participant: BANK, signing_keys: vec![KEY] },
            format!("0b030000000100{key}"),
        ),
    ];
    let head = format!("1e000000{id}030000000500000000000000");
    let mut all: Vec<_> = contents
        .into_iter()
        .map(|(content, bytes)| (propose(content), format!("{head}{bytes}")))
        .collect();
    let (participant, at) = (BANK, Some(LedgerTime(8)));
    all.extend([
        (Command::Vote(Vote { proposal: ID, in_favour: true }), format!("1f000000{id}01")),
        (Command::Vote(Vote { proposal: ID, in_favour: false }), format!("1f000000{id}02")),
        (Command::Withdraw(Withdraw { id: ID }), format!("20000000{id}")),
        (Command::Confirm(Confirm { id: ID }), format!("21000000{id}")),
        (
            Command::AddKey(AddKey { id: ID, participant, key: KEY, from: at }),
            format!("22000000{id}03000000{key}010800000000000000"),
        ),
        (
            Command::RetireKey(RetireKey { participant, key: KEY, at: None }),
            format!("2300000003000000{key}00"),
        ),
        (Command::RevokeKey(RevokeKey { participant, key: KEY }), format!("2400000003000000{key}")),
        (
            Command::SetSealingKey(SetSealingKey { id: ID, participant, sealing_key: [4; 32] }),
            format!("25000000{id}03000000{key}"),
        ),
        (
            Command::SetFundingLimit(SetFundingLimit {
                id: ID,
                asset: AssetNumber(2),
                above: Some(Amount::new(7)),
            }),
            format!("26000000{id}02000000010700000000000000"),
        ),
    ]);
    all
}

#[test]
fn the_bytes_are_pinned_and_read_back() {
    for (command, expected) in golden() {
        let bytes = encoded(&command);
        assert_eq!(hex(&bytes), expected, "{command:?}");
        assert_eq!(Command::decode(&bytes), Ok((command, bytes.len())));
        for length in 0..bytes.len() {
            assert!(Command::decode(&bytes[..length]).is_err());
        }
    }
}

#[test]
fn values_beyond_the_limits_encode_to_bytes_that_are_refused() {
    let many = |count: u32| (0..count).map(ParticipantNumber).collect();
    let calendar = |holidays| Calendar { opens: 0, cut_off: 1, weekdays: 1, holidays };
    let asset = AssetNumber(0);
    for count in [limits::VOTERS_MAX as u32 + 1, 70_000] {
        let policy = VotingPolicy { needed: 1, voters: many(count) };
        assert!(Command::decode(&encoded(&propose(Content::SetVoting(policy)))).is_err());
    }
    for count in [limits::HOLIDAYS_MAX as u32 + 1, 70_000] {
        let calendar = Some(calendar((0..count).collect()));
        let content = Content::SetCalendar { asset, calendar };
        assert!(Command::decode(&encoded(&propose(content))).is_err());
    }
    for count in [limits::SIGNING_KEYS_MAX + 1, 70_000] {
        let content = Content::ReplaceKeys { participant: BANK, signing_keys: vec![KEY; count] };
        assert!(Command::decode(&encoded(&propose(content))).is_err());
    }
    let longest = Content::SetCalendar {
        asset,
        calendar: Some(calendar((0..limits::HOLIDAYS_MAX as u32).collect())),
    };
    let bytes = encoded(&propose(longest.clone()));
    assert!(bytes.len() <= limits::COMMAND_BYTES_MAX);
    assert_eq!(Command::decode(&bytes), Ok((propose(longest), bytes.len())));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(4_000) })]

    /// Whatever is accepted has one spelling.
    #[test]
    fn accepted_bytes_encode_to_themselves(
        which in any::<prop::sample::Index>(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
    ) {
        let all = golden();
        let mut bytes = encoded(&all[which.index(all.len())].0);
        for (at, value) in damage {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        if let Ok((command, consumed)) = Command::decode(&bytes) {
            prop_assert_eq!(encoded(&command), &bytes[..consumed]);
        }
    }
}
