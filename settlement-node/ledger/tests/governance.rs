//! What no script shows: several batches in one block, bounds, business days by counting, damage in a checkpoint.
#![allow(clippy::unwrap_used, missing_docs)]

use ledger::limits::{ACTS_PER_PARTICIPANT_MAX, KEYS_EVER_MAX, PROPOSALS_PER_PARTICIPANT_MAX};
use ledger::*;
use proptest::prelude::*;

const BANKS: u32 = 4;

fn key(bank: u32, which: u16) -> PublicKey {
    let mut bytes = [bank as u8 + 1; 32];
    bytes[..2].copy_from_slice(&which.to_le_bytes());
    PublicKey(bytes)
}

fn id(number: u64) -> TransferId {
    let mut bytes = [0; 16];
    bytes[8..].copy_from_slice(&number.to_be_bytes());
    TransferId(bytes)
}

/// Four banks, the first of which issues; it has two keys.
fn genesis() -> Ledger {
    let mut commands = vec![Command::ActivateRules(ActivateRules { version: RULES_LIFE_CYCLE })];
    for bank in 0..BANKS {
        commands.push(Command::AdmitParticipant(AdmitParticipant {
            bic: format!("BNK{bank}DEFF").parse().unwrap(),
            name: format!("Bank {bank}"),
            signing_keys: vec![key(bank, 1), key(bank, 2)],
            sealing_key: [bank as u8; 32],
        }));
    }
    commands.push(Command::AddAsset(AddAsset {
        code: "EUR".parse().unwrap(),
        exponent: Exponent::new(2).unwrap(),
        issuer: ParticipantNumber(0),
    }));
    for owner in 0..BANKS {
        let (owner, asset) = (ParticipantNumber(owner), AssetNumber(0));
        commands.push(Command::OpenAccount(OpenAccount { owner, asset, label: Label::MAIN }));
    }
    Ledger::genesis(LedgerTime(0), &commands).unwrap()
}

/// A batch of one bank, signed with its first key.
fn batch(bank: u32, commands: Vec<Command>) -> Batch {
    let participant = ParticipantNumber(bank);
    Batch {
        submitter: participant,
        valid_until: LedgerTime(u64::MAX),
        authorisations: vec![Authorisation { participant, key: key(bank, 1) }],
        commands: commands.into_iter().map(CheckedCommand::new).collect(),
    }
}

/// One block of batches; the answers in order.
fn block(ledger: &mut Ledger, time: u64, leaf: &mut u64, batches: &[Batch]) -> Vec<Answer> {
    let mut outcomes = Vec::new();
    ledger.open_block(LedgerTime(time));
    for batch in batches {
        let context = BatchContext { height: Height(1), time: LedgerTime(time), first_leaf: *leaf };
        ledger.apply_batch(&context, batch, &OldIds::NONE, &mut outcomes, &mut Vec::new());
        *leaf += batch.commands.len() as u64;
    }
    *leaf += ledger.close_block(*leaf).len() as u64;
    assert_eq!(ledger.seal_block(), ledger.recompute_root());
    ledger.check_invariants().unwrap();
    outcomes.iter().map(|one| one.answer).collect()
}

fn propose(number: u64, proposer: u32, content: Content) -> Command {
    Command::Propose(Propose {
        id: id(number),
        proposer: ParticipantNumber(proposer),
        expires: LedgerTime(1_000),
        content: Box::new(content),
    })
}

fn vote(number: u64) -> Command {
    Command::Vote(Vote { proposal: id(number), in_favour: true })
}

fn payment(number: u64, debtor: u32, creditor: u32) -> Command {
    let (debit, credit) = (AccountNumber(debtor), AccountNumber(creditor));
    let legs = Legs::One(Leg { debit, credit, amount: Amount::new(1) });
    Command::Transfer(Transfer { id: id(number), legs, document: None, options: None })
}

fn issue(number: u64, bank: u32, amount: u64) -> Command {
    let (account, amount) = (AccountNumber(bank), Amount::new(amount));
    Command::Issue(Issue { id: id(number), account, amount })
}

fn block_bank(participant: u32) -> Content {
    let participant = ParticipantNumber(participant);
    Content::SetState { participant, state: ParticipantState::Blocked }
}

#[test]
fn a_bank_is_suspended_within_one_block() {
    let mut ledger = genesis();
    let mut leaf = 0;
    let fund = batch(0, vec![issue(1, 3, 100)]);
    block(&mut ledger, 1, &mut leaf, &[fund]);
    let settled = Answer::Settled;
    let answers = block(
        &mut ledger,
        2,
        &mut leaf,
        &[
            batch(3, vec![payment(2, 3, 1)]),
            batch(0, vec![propose(10, 0, block_bank(3))]),
            batch(1, vec![vote(10)]),
            // Three of four voters, without the one that proposed.
            batch(2, vec![vote(10), payment(3, 2, 3)]),
            batch(3, vec![vote(10), payment(4, 3, 1)]),
        ],
    );
    let expected = [
        settled,
        Answer::Waiting(Stage::Held),
        settled,
        settled,
        Answer::Refused(Refusal::InsufficientCover),
        settled,
        Answer::Refused(Refusal::DebtorSuspended),
    ];
    assert_eq!(answers, expected);
    // Its own vote made it enough; its payment in the same batch came after that and did not pass any more.
    assert_eq!(ledger.participant_state(ParticipantNumber(3)), ParticipantState::Blocked);
    let next = block(&mut ledger, 3, &mut leaf, &[batch(3, vec![payment(5, 3, 1)])]);
    assert_eq!(next, [Answer::Refused(Refusal::SignerSuspended)]);
}

#[test]
fn a_key_revoked_earlier_in_a_block_signs_nothing_later_in_it() {
    let mut ledger = genesis();
    let mut leaf = 0;
    block(&mut ledger, 1, &mut leaf, &[batch(0, vec![issue(1, 1, 100)])]);
    let bank = ParticipantNumber(1);
    let mut revokes =
        batch(1, vec![Command::RevokeKey(RevokeKey { participant: bank, key: key(1, 1) })]);
    revokes.authorisations[0].key = key(1, 2);
    let late = batch(1, vec![payment(2, 1, 2)]);
    let (before, revoked_at) = (leaf, leaf + 1);
    let answers =
        block(&mut ledger, 2, &mut leaf, &[batch(1, vec![payment(3, 1, 2)]), revokes, late]);
    let refused = Answer::Refused(Refusal::SignerNotLive);
    assert_eq!(answers, [Answer::Settled, Answer::Settled, refused]);
    assert!(ledger.key_was_live(bank, &key(1, 1), before));
    assert!(ledger.key_was_live(bank, &key(1, 1), revoked_at));
    assert!(!ledger.key_was_live(bank, &key(1, 1), revoked_at + 1));
    // Live for ever is only what is.
    assert!(!ledger.key_was_live(bank, &key(2, 1), before));
}

#[test]
fn proposals_acts_and_keys_are_bounded() {
    let mut ledger = genesis();
    let mut leaf = 0;
    let count = PROPOSALS_PER_PARTICIPANT_MAX as u64;
    let commands = (0..=count).map(|number| propose(number, 1, block_bank(3))).collect();
    let answers = block(&mut ledger, 1, &mut leaf, &[batch(1, commands)]);
    let (last, taken) = answers.split_last().unwrap();
    assert!(taken.iter().all(|answer| *answer == Answer::Waiting(Stage::Held)));
    assert_eq!(*last, Answer::Refused(Refusal::TooManyWaiting));

    let limit = SetFundingLimit { id: id(999), asset: AssetNumber(0), above: Some(Amount::ZERO) };
    block(&mut ledger, 2, &mut leaf, &[batch(0, vec![Command::SetFundingLimit(limit)])]);
    let count = ACTS_PER_PARTICIPANT_MAX as u64;
    let commands = (0..=count).map(|number| issue(2_000 + number, 0, 1)).collect();
    let answers = block(&mut ledger, 3, &mut leaf, &[batch(0, commands)]);
    let (last, taken) = answers.split_last().unwrap();
    assert!(taken.iter().all(|answer| *answer == Answer::Waiting(Stage::Held)));
    assert_eq!(*last, Answer::Refused(Refusal::TooManyWaiting));

    let bank = ParticipantNumber(2);
    let mut commands = Vec::new();
    for number in 3..KEYS_EVER_MAX as u16 + 2 {
        let key = key(2, number);
        let id = id(5_000 + u64::from(number));
        commands.push(Command::AddKey(AddKey { id, participant: bank, key, from: None }));
        commands.push(Command::RevokeKey(RevokeKey { participant: bank, key }));
    }
    let answers = block(&mut ledger, 4, &mut leaf, &[batch(2, commands)]);
    let refused: Vec<_> = answers.iter().filter(|answer| !answer.is_settled()).collect();
    let expected = [Refusal::LimitReached, Refusal::KeyNotLive].map(Answer::Refused);
    assert_eq!(refused, expected.iter().collect::<Vec<_>>());
    assert_eq!(ledger.key_history(bank).len(), KEYS_EVER_MAX);
}

#[test]
fn the_directory_comes_in_pages() {
    let ledger = genesis();
    let all = ledger.directory(None, 100);
    assert_eq!(all.len(), BANKS as usize);
    let mut paged = Vec::new();
    while let page = ledger.directory(paged.last().map(|one: &DirectoryEntry| one.number), 3)
        && !page.is_empty()
    {
        assert!(page.len() <= 3);
        paged.extend(page);
    }
    assert_eq!(paged, all);
    assert_eq!(all[0].issues, [AssetNumber(0)]);
    assert!(all.iter().all(|one| one.votes && one.live_keys == 2));
    let first = ledger.reachable_in(AssetNumber(0), None, 2);
    let rest = ledger.reachable_in(AssetNumber(0), Some(ParticipantNumber(1)), 100);
    let accounts: Vec<u32> = first.iter().chain(&rest).map(|one| one.account.0).collect();
    assert_eq!(accounts, [0, 1, 2, 3]);
}

fn encoded(ledger: &Ledger) -> Vec<u8> {
    let mut bytes = Vec::new();
    let append = &mut |piece: &[u8]| {
        bytes.extend_from_slice(piece);
        Ok(())
    };
    ledger.checkpoint(0).unwrap().encode(append).unwrap();
    bytes
}

/// A ledger with something in every table.
fn one_of_each() -> Ledger {
    let mut ledger = genesis();
    let mut leaf = 0;
    let node = NodeDescription {
        operator: ParticipantNumber(1),
        link_key: [7; 32],
        address: "a:1".to_owned(),
        client_address: "a:2".to_owned(),
    };
    let asset = AssetNumber(0);
    let calendar =
        Some(Calendar { opens: 1, cut_off: 2, weekdays: 0x7f, holidays: vec![3, 1 << 20] });
    let voters = vec![ParticipantNumber(1), ParticipantNumber(2), ParticipantNumber(3)];
    let participant = ParticipantNumber(3);
    let contents = [
        Content::AddNode { id: 4, node },
        Content::RemoveNode { id: 5 },
        Content::SetFinality { faulty: 1 },
        Content::SetLegLimit { asset, most: Some(5) },
        Content::SetCalendar { asset, calendar },
        Content::SetState { participant, state: ParticipantState::SendOnly },
        Content::SetVoting(VotingPolicy { needed: 2, voters }),
    ];
    let contents = contents.into_iter().enumerate();
    let decided = contents.map(|(number, content)| propose(number as u64, 1, content)).collect();
    let mut all = batch(1, decided);
    for bank in [0, 2, 3] {
        let participant = ParticipantNumber(bank);
        all.authorisations.push(Authorisation { participant, key: key(bank, 1) });
    }
    let answers = block(&mut ledger, 1, &mut leaf, &[all]);
    assert!(answers.iter().all(|answer| answer.is_settled()), "{answers:?}");
    let limit = SetFundingLimit { id: id(90), asset, above: Some(Amount::new(5)) };
    let participant = ParticipantNumber(2);
    let later = Some(LedgerTime(50));
    let (new, old) = (key(2, 3), key(2, 1));
    let keys = vec![
        Command::AddKey(AddKey { id: id(91), participant, key: new, from: later }),
        Command::RetireKey(RetireKey { participant, key: old, at: later }),
        propose(92, 2, block_bank(0)),
    ];
    let against = Command::Vote(Vote { proposal: id(92), in_favour: false });
    let batches = [
        batch(0, vec![Command::SetFundingLimit(limit), issue(93, 0, 6)]),
        batch(2, keys),
        batch(1, vec![against]),
        batch(3, vec![vote(92)]),
    ];
    let answers = block(&mut ledger, 2, &mut leaf, &batches);
    let held = Answer::Waiting(Stage::Held);
    let settled = Answer::Settled;
    // With one of the two others against it, the proposal ends; another one waits.
    assert_eq!(answers[..6], [settled, held, settled, settled, held, settled]);
    let wait = [batch(2, vec![propose(94, 2, block_bank(0))]), batch(1, vec![vote(94)])];
    assert_eq!(block(&mut ledger, 3, &mut leaf, &wait), [held, settled]);
    ledger
}

#[test]
fn damage_to_the_tables_is_refused() {
    let ledger = one_of_each();
    let bytes = encoded(&ledger);
    let restored = Ledger::restore(&mut &bytes[..], 1 << 30).unwrap();
    assert_eq!((restored.state_root(), encoded(&restored)), (ledger.state_root(), bytes.clone()));
    assert_eq!(restored.recompute_root(), ledger.state_root());
    let owners = (0..BANKS).map(ParticipantNumber);
    assert!(owners.clone().all(|one| restored.key_history(one) == ledger.key_history(one)));
    let is_section = |at: &usize| {
        let length = ((bytes.len() - at - 5) as u32).to_le_bytes();
        bytes[*at] == b'G' && bytes[at + 1..at + 5] == length
    };
    let section = (0..bytes.len() - 5).find(is_section).unwrap();
    assert!(bytes.len() - section > 300);
    for length in 0..bytes.len() {
        let read = Ledger::restore(&mut &bytes[..length], 1 << 30);
        assert!(read.is_err(), "{length} of {}", bytes.len());
    }
    // The tables are the last part.
    for at in section..bytes.len() {
        for bit in 0..8 {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1 << bit;
            assert!(Ledger::restore(&mut &flipped[..], 1 << 30).is_err(), "byte {at}, bit {bit}");
        }
    }
}

#[test]
fn a_restored_ledger_goes_on_alike() {
    let mut ledger = one_of_each();
    let bytes = encoded(&ledger);
    let mut restored = Ledger::restore(&mut &bytes[..], 1 << 30).unwrap();
    assert_eq!(restored.next_due(), ledger.next_due());
    for (at, time) in [49, 50, 51, 1_001, 90_000_000_000_000].into_iter().enumerate() {
        let leaf = 100 + at as u64;
        let batches = [
            batch(2, vec![payment(200 + leaf, 2, 1)]),
            batch(3, vec![vote(94), payment(300 + leaf, 3, 1)]),
        ];
        let (mut one, mut other) = (leaf * 10, leaf * 10);
        let answers = block(&mut ledger, time, &mut one, &batches);
        assert_eq!(block(&mut restored, time, &mut other, &batches), answers);
        assert_eq!((one, restored.state_root()), (other, ledger.state_root()));
        assert_eq!(encoded(&restored), encoded(&ledger));
    }
    assert_eq!((ledger.proposals().len(), ledger.acts().len()), (0, 0));
}

const MINUTE: u64 = 60 * 1_000_000_000;

/// Whether a session is open, from the definition: each day by itself.
fn is_open(calendar: &Calendar, minute: u64) -> bool {
    (0..40u64).any(|date| {
        let works = calendar.weekdays & 1 << ((date + 3) % 7) != 0
            && !calendar.holidays.contains(&(date as u32));
        let end = (date * 1440 + u64::from(calendar.cut_off)) as i64;
        let evening_before = calendar.opens >= calendar.cut_off;
        let day = if evening_before { date as i64 - 1 } else { date as i64 };
        let begin = day * 1440 + i64::from(calendar.opens);
        works && begin <= minute as i64 && (minute as i64) < end
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) })]

    /// A business day is found as by walking through the minutes.
    #[test]
    fn business_days_are_those_of_the_definition(
        opens in 0..1440u16,
        cut_off in 1..=1440u16,
        weekdays in 1..0x80u8,
        holidays in prop::collection::btree_set(0..12u32, 0..5),
        start in 0..14 * 1440u64,
    ) {
        let holidays = holidays.into_iter().collect();
        let calendar = Calendar { opens, cut_off, weekdays, holidays };
        let day = calendar.business_day(LedgerTime(start * MINUTE)).unwrap();
        prop_assert_eq!(day.is_open(LedgerTime(start * MINUTE)), is_open(&calendar, start));
        if !is_open(&calendar, start) {
            let next = (start..).find(|minute| is_open(&calendar, *minute)).unwrap();
            prop_assert_eq!(day.opens, LedgerTime(next * MINUTE));
        }
        prop_assert_eq!(u64::from(day.date) * 1440 + u64::from(cut_off), day.cut_off.0 / MINUTE);
    }
}
