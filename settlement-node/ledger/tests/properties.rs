//! Random histories: the ledger against a naive model, and against itself.
#![allow(clippy::unwrap_used, missing_docs)]

mod model;

use ledger::*;
use model::{Model, ModelTurn};
use proptest::prelude::*;

const PARTICIPANTS: u32 = 4;
const ASSETS: u32 = 2;

fn key(participant: u32, which: u8) -> PublicKey {
    let mut bytes = [which; 32];
    bytes[0] = participant as u8;
    PublicKey(bytes)
}

fn id(number: u8) -> TransferId {
    let mut bytes = [0; 16];
    bytes[15] = number;
    TransferId(bytes)
}

/// Two issuers and two banks, two assets, a main account of everybody in everything, and some money.
fn genesis_commands() -> Vec<Command> {
    let mut commands = Vec::new();
    for number in 0..PARTICIPANTS {
        commands.push(Command::AdmitParticipant(AdmitParticipant {
            bic: format!("BNK{number}DEFF").parse().unwrap(),
            name: format!("Bank {number}"),
            signing_keys: vec![key(number, 1), key(number, 2)],
            sealing_key: [number as u8; 32],
        }));
    }
    for number in 0..ASSETS {
        commands.push(Command::AddAsset(AddAsset {
            code: format!("AS{number}").parse().unwrap(),
            exponent: Exponent::new(2).unwrap(),
            issuer: ParticipantNumber(number),
        }));
    }
    for owner in 0..PARTICIPANTS {
        for asset in 0..ASSETS {
            let (owner, asset) = (ParticipantNumber(owner), AssetNumber(asset));
            commands.push(Command::OpenAccount(OpenAccount { owner, asset, label: Label::MAIN }));
        }
    }
    for account in 0..PARTICIPANTS * ASSETS {
        commands.push(Command::Issue(Issue {
            id: id(200 + account as u8),
            account: AccountNumber(account),
            amount: Amount::new(300),
        }));
    }
    commands
}

fn genesis() -> (Ledger, Model) {
    let commands = genesis_commands();
    let time = LedgerTime(1);
    let ledger = Ledger::genesis(time, &commands).unwrap();
    let mut model = Model::default();
    for command in &commands {
        let turn = ModelTurn {
            submitter: 0,
            signers: None,
            now: time,
            valid_until: time,
            leaf: GENESIS_LEAF,
        };
        assert_eq!(model.apply(&turn, command), (1, None));
    }
    (ledger, model)
}

/// Mostly accounts that exist, now and then one that does not.
fn account() -> impl Strategy<Value = AccountNumber> {
    (0..11u32).prop_map(AccountNumber)
}

fn amount() -> impl Strategy<Value = Amount> {
    prop_oneof![1 => Just(0), 20 => 1..400u64, 1 => Just(u64::MAX)].prop_map(Amount::new)
}

fn leg() -> impl Strategy<Value = Leg> {
    let other_side = prop_oneof![12 => (1..4u32).prop_map(|far| far * ASSETS), 1 => 0..4u32];
    (account(), other_side, amount()).prop_map(|(debit, far, amount)| Leg {
        debit,
        credit: AccountNumber((debit.0 + far) % (PARTICIPANTS * ASSETS + 1)),
        amount,
    })
}

fn options() -> impl Strategy<Value = Option<Box<TransferOptions>>> {
    let deadline =
        |time| TransferOptions { deadline: Some(LedgerTime(time)), ..Default::default() };
    prop_oneof![
        8 => Just(None),
        2 => (0..60u64).prop_map(move |time| Some(Box::new(deadline(time)))),
        1 => Just(Some(Box::new(TransferOptions {
            on_shortage: OnShortage::Queue,
            ..deadline(1)
        }))),
    ]
}

fn command() -> impl Strategy<Value = Command> {
    let ids = || prop_oneof![3 => 0..60u8, 1 => 200..208u8].prop_map(id);
    let legs = prop_oneof![
        4 => leg().prop_map(Legs::One),
        2 => prop::collection::vec(leg(), 1..6).prop_map(|legs| Legs::new(legs).unwrap()),
    ];
    let status = (1..=5u8).prop_map(|number| AccountStatus::from_number(number).unwrap());
    prop_oneof![
        20 => (ids(), legs, options()).prop_map(|(id, legs, options)| Command::Transfer(Transfer {
            id,
            legs,
            document: None,
            options,
        })),
        2 => (ids(), account(), amount())
            .prop_map(|(id, account, amount)| Command::Issue(Issue { id, account, amount })),
        2 => (ids(), account(), amount())
            .prop_map(|(id, account, amount)| Command::Redeem(Redeem { id, account, amount })),
        1 => (0..5u32, 0..3u32, 0..2u8).prop_map(|(owner, asset, label)| {
            Command::OpenAccount(OpenAccount {
                owner: ParticipantNumber(owner),
                asset: AssetNumber(asset),
                label: if label == 0 { Label::MAIN } else { "second".parse().unwrap() },
            })
        }),
        2 => (ids(), account(), -300..20i64)
            .prop_map(|(id, account, floor)| Command::SetFloor(SetFloor { id, account, floor })),
        1 => (ids(), account(), status).prop_map(|(id, account, status)| {
            Command::SetAccountStatus(SetAccountStatus { id, account, status })
        }),
        1 => Just(genesis_commands().swap_remove(0)),
        1 => Just(genesis_commands().swap_remove(PARTICIPANTS as usize)),
    ]
}

fn batch() -> impl Strategy<Value = Batch> {
    // Few signers would make a history of refusals: mostly everybody signs.
    let all = || (0..PARTICIPANTS).collect::<Vec<u32>>();
    let signers = prop_oneof![
        5 => Just(all()),
        3 => prop::sample::subsequence(all(), 1..=PARTICIPANTS as usize),
        1 => Just(vec![0, 9]),
    ];
    let which = prop_oneof![12 => 1..3u8, 1 => Just(3u8)];
    let commands = prop::collection::vec(command(), 1..24);
    (signers, which, 0..4usize, prop_oneof![6 => Just(u64::MAX), 1 => 0..60u64], commands).prop_map(
        |(signers, which, submitter, valid_until, commands)| Batch {
            submitter: ParticipantNumber(signers.get(submitter).copied().unwrap_or(signers[0])),
            valid_until: LedgerTime(valid_until),
            authorisations: signers
                .iter()
                .map(|&number| Authorisation {
                    participant: ParticipantNumber(number),
                    key: key(number, which),
                })
                .collect(),
            commands: commands.into_iter().map(CheckedCommand::new).collect(),
        },
    )
}

/// Batches, some of them sent a second time after others have been.
fn history() -> impl Strategy<Value = Vec<Batch>> {
    let replayed = prop::option::weighted(0.2, any::<prop::sample::Index>());
    prop::collection::vec((batch(), replayed), 1..12).prop_map(|drawn| {
        let mut batches: Vec<Batch> = Vec::with_capacity(drawn.len());
        for (batch, replayed) in drawn {
            let earlier = replayed.filter(|_| !batches.is_empty());
            batches.push(earlier.map_or(batch, |index| index.get(&batches).clone()));
        }
        batches
    })
}

fn apply(ledger: &mut Ledger, context: &BatchContext, batch: &Batch) -> (Vec<Outcome>, Vec<Event>) {
    let (mut outcomes, mut events) = (Vec::new(), Vec::new());
    ledger.apply_batch(context, batch, &OldIds::NONE, &mut outcomes, &mut events);
    (outcomes, events)
}

fn encoded(checkpoint: &Checkpoint) -> Vec<u8> {
    let mut bytes = Vec::new();
    checkpoint
        .encode(&mut |piece| {
            bytes.extend_from_slice(piece);
            Ok(())
        })
        .unwrap();
    bytes
}

/// A payment never takes available below zero; only a change of the floor may.
fn check_no_overdraft(
    model: &Model,
    before: &std::collections::BTreeMap<u32, i128>,
    what: &Command,
) {
    for number in model.accounts.keys() {
        let Some(&was) = before.get(number) else { continue };
        let now = model.available(*number);
        let fell_below = now < 0 && now < was;
        assert!(!fell_below || matches!(what, Command::SetFloor(_)), "{number}: {was} to {now}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

    #[test]
    fn ledger_equals_model(batches in history()) {
        let (mut ledger, mut model) = genesis();
        let (mut twin, _) = genesis();
        twin.set_id_table_key([0xfeed, 0xbeef]);
        let mut leaf = 0;
        for (height, batch) in batches.iter().enumerate() {
            let context = BatchContext {
                height: Height(height as u64 + 1),
                time: LedgerTime(height as u64 * 5 + 2),
                first_leaf: leaf,
            };
            // Under the first rules nothing waits, so these do nothing.
            ledger.open_block(context.time);
            model.pass(context.time.0);
            model.begin_batch(batch.submitter.0, &batch.authorisations, context.time.0);
            let (outcomes, events) = apply(&mut ledger, &context, batch);
            let progress = ledger.close_block(leaf + outcomes.len() as u64);
            model.sweep();
            model.release(&progress);
            prop_assert_eq!(progress, []);
            for (checked, outcome) in batch.commands.iter().zip(&outcomes) {
                let before =
                    model.accounts.keys().map(|one| (*one, model.available(*one))).collect();
                let turn = ModelTurn {
                    submitter: batch.submitter.0,
                    signers: Some(&batch.authorisations),
                    now: context.time,
                    valid_until: batch.valid_until,
                    leaf,
                };
                let expected = model.apply(&turn, &checked.command);
                prop_assert_eq!((outcome.answer.code(), outcome.original), expected, "{:?}", checked);
                check_no_overdraft(&model, &before, &checked.command);
                leaf += 1;
            }
            prop_assert_eq!(ledger.accounts().len(), model.accounts.len());
            for (view, (number, expected)) in ledger.accounts().zip(&model.accounts) {
                prop_assert_eq!(view.number.0, *number);
                prop_assert_eq!(view.posted.minor(), expected.balance);
                prop_assert_eq!(view.available().minor(), model.available(*number));
                prop_assert_eq!(view.status, expected.status);
                prop_assert_eq!(view.name.label.as_str(), &expected.label);
            }
            for totals in ledger.conservation() {
                let expected = |of: &std::collections::BTreeMap<u32, i128>| {
                    of.get(&totals.asset.0).copied().unwrap_or(0).unsigned_abs()
                };
                prop_assert_eq!(totals.issued, expected(&model.issued));
                prop_assert_eq!(totals.redeemed, expected(&model.redeemed));
            }
            prop_assert_eq!(model.undecided(), []);
            for one in ledger.participants() {
                let expected = model.live_keys(one.number.0, context.time.0);
                prop_assert_eq!(&one.signing_keys, &expected);
            }
            prop_assert!(ledger.take_notices().is_empty() && model.notices().is_empty());
            prop_assert_eq!(ledger.check_invariants(), Ok(()));
            prop_assert_eq!(ledger.id_count(), model.answered.len() as u64);
            let root = ledger.seal_block();
            prop_assert_eq!(root, ledger.recompute_root());
            prop_assert_eq!(apply(&mut twin, &context, batch), (outcomes, events));
            prop_assert_eq!(twin.seal_block(), root);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(200) })]

    #[test]
    fn a_restored_ledger_goes_on_as_the_original(
        batches in history(),
        stop in any::<prop::sample::Index>(),
    ) {
        let (mut ledger, _) = genesis();
        let (mut twin, _) = genesis();
        twin.set_id_table_key([0xfeed, 0xbeef]);
        let stop = stop.index(batches.len() + 1);
        let mut taken = None;
        let mut leaf = 0;
        for height in 0..=batches.len() {
            if height == stop {
                let checkpoint = ledger.checkpoint(0).unwrap();
                let bytes = encoded(&checkpoint);
                prop_assert_eq!(&encoded(&twin.checkpoint(0).unwrap()), &bytes);
                let restored = Ledger::restore(&mut &bytes[..], leaf).unwrap();
                prop_assert_eq!(&encoded(&restored.checkpoint(0).unwrap()), &bytes);
                prop_assert_eq!(restored.state_root(), ledger.state_root());
                prop_assert_eq!(restored.genesis_time(), ledger.genesis_time());
                prop_assert_eq!(restored.id_count(), ledger.id_count());
                prop_assert!(restored.accounts().eq(ledger.accounts()));
                prop_assert_eq!(restored.participants(), ledger.participants());
                prop_assert_eq!(restored.assets(), ledger.assets());
                taken = Some((checkpoint, bytes, restored));
            }
            let Some(batch) = batches.get(height) else { break };
            let context = BatchContext {
                height: Height(height as u64 + 1),
                time: LedgerTime(height as u64 * 5 + 2),
                first_leaf: leaf,
            };
            leaf += batch.commands.len() as u64;
            let applied = apply(&mut ledger, &context, batch);
            let root = ledger.seal_block();
            apply(&mut twin, &context, batch);
            twin.seal_block();
            if let Some((_, _, restored)) = &mut taken {
                prop_assert_eq!(apply(restored, &context, batch), applied);
                prop_assert_eq!(restored.seal_block(), root);
            }
        }
        let (checkpoint, bytes, restored) = taken.unwrap();
        // What was applied since has changed neither the checkpoint nor told the two apart.
        prop_assert_eq!(encoded(&checkpoint), bytes);
        let last = encoded(&ledger.checkpoint(0).unwrap());
        prop_assert_eq!(encoded(&restored.checkpoint(0).unwrap()), last);
        for number in 0..=u8::MAX {
            prop_assert_eq!(restored.lookup(&id(number)), ledger.lookup(&id(number)));
        }
    }
}

#[test]
fn an_id_found_on_disk_is_a_duplicate() {
    let (mut ledger, _) = genesis();
    let transfer = CheckedCommand::new(Command::Transfer(Transfer {
        id: id(7),
        legs: Legs::One(Leg {
            debit: AccountNumber(0),
            credit: AccountNumber(2),
            amount: Amount::new(5),
        }),
        document: None,
        options: None,
    }));
    let batch = Batch {
        submitter: ParticipantNumber(0),
        valid_until: LedgerTime(u64::MAX),
        authorisations: vec![Authorisation { participant: ParticipantNumber(0), key: key(0, 1) }],
        commands: vec![transfer.clone()],
    };
    let context = BatchContext { height: Height(1), time: LedgerTime(2), first_leaf: 9_000_000 };
    let refused = Refusal::InsufficientCover;
    let same = IdEntry { leaf: 4, code: refused.code(), content: transfer.content };
    let other = IdEntry { content: ContentDigest([0; 8]), ..same };
    for (entry, expected) in [
        (same, Outcome { answer: Answer::Refused(refused), original: Some(4) }),
        (other, Outcome { answer: Answer::Refused(Refusal::DuplicateId), original: None }),
    ] {
        let before = ledger.seal_block();
        let old = [(id(7), entry)];
        let mut outcomes = Vec::new();
        ledger.apply_batch(&context, &batch, &OldIds::new(&old), &mut outcomes, &mut Vec::new());
        assert_eq!(outcomes, [expected]);
        assert_eq!(ledger.seal_block(), before);
    }
}

#[test]
fn a_batch_beyond_its_limits_is_refused_whole() {
    let (mut ledger, _) = genesis();
    let signed = Authorisation { participant: ParticipantNumber(0), key: key(0, 1) };
    let before = ledger.seal_block();
    let context = BatchContext { height: Height(1), time: LedgerTime(2), first_leaf: 0 };
    let issue = |number: u64| {
        let mut bytes = [1; 16];
        bytes[..8].copy_from_slice(&number.to_le_bytes());
        let (account, amount) = (AccountNumber(0), Amount::new(1));
        CheckedCommand::new(Command::Issue(Issue { id: TransferId(bytes), account, amount }))
    };
    let mut batch = Batch {
        submitter: ParticipantNumber(0),
        valid_until: LedgerTime(u64::MAX),
        authorisations: vec![signed],
        commands: (0..=limits::COMMANDS_PER_BATCH_MAX as u64).map(issue).collect(),
    };
    let (outcomes, _) = apply(&mut ledger, &context, &batch);
    assert!(outcomes.iter().all(|one| one.answer == Answer::Refused(Refusal::Malformed)));
    assert_eq!(ledger.seal_block(), before);
    batch.commands.pop();
    let (outcomes, _) = apply(&mut ledger, &context, &batch);
    assert!(outcomes.iter().all(|one| one.answer.is_settled()));
    batch.authorisations = vec![signed; limits::AUTHORISATIONS_PER_BATCH_MAX + 1];
    let (outcomes, _) = apply(&mut ledger, &context, &batch);
    assert_eq!(outcomes[0].answer, Answer::Refused(Refusal::Malformed));
}

#[test]
fn a_participant_has_a_bounded_number_of_accounts() {
    let (mut ledger, _) = genesis();
    let open = |number: u32| {
        let label = format!("n{number}").parse().unwrap();
        let (owner, asset) = (ParticipantNumber(2), AssetNumber(0));
        CheckedCommand::new(Command::OpenAccount(OpenAccount { owner, asset, label }))
    };
    let fits = limits::ACCOUNTS_PER_PARTICIPANT_MAX - ASSETS;
    let numbers: Vec<u32> = (0..=fits).collect();
    let mut answers = Vec::new();
    for (height, chunk) in numbers.chunks(limits::COMMANDS_PER_BATCH_MAX).enumerate() {
        let batch = Batch {
            submitter: ParticipantNumber(2),
            valid_until: LedgerTime(u64::MAX),
            authorisations: vec![Authorisation {
                participant: ParticipantNumber(2),
                key: key(2, 2),
            }],
            commands: chunk.iter().map(|&number| open(number)).collect(),
        };
        let context = BatchContext {
            height: Height(height as u64 + 1),
            time: LedgerTime(2),
            first_leaf: u64::from(chunk[0]),
        };
        answers.extend(apply(&mut ledger, &context, &batch).0.iter().map(|one| one.answer));
    }
    let refused = answers.pop().unwrap();
    assert_eq!(refused, Answer::Refused(Refusal::LimitReached));
    assert!(answers.iter().all(|answer| answer.is_settled()));
    assert_eq!(ledger.seal_block(), ledger.recompute_root());
    assert_eq!(
        ledger.accounts_of(ParticipantNumber(2)).count(),
        limits::ACCOUNTS_PER_PARTICIPANT_MAX as usize
    );
}
