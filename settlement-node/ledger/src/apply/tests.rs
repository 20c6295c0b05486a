//! Bounds of amounts and totals, from a ledger that is already near them.

use super::*;
use crate::command::{AddAsset, AdmitParticipant, Issue, Leg, Legs, OpenAccount, Transfer};
use crate::id::{AccountNumber, AssetNumber, Height, PublicKey, TransferId};
use crate::limits::BALANCE_MAX;
use crate::{Amount, Answer, Balance, Exponent, Label};

/// One bank that issues one asset and has two accounts in it.
fn small_ledger() -> Ledger {
    let owner = ParticipantNumber(0);
    let open = |label: &str| {
        let label: Label = label.parse().unwrap();
        Command::OpenAccount(OpenAccount { owner, asset: AssetNumber(0), label })
    };
    let commands = [
        Command::AdmitParticipant(AdmitParticipant {
            bic: "ALPHDEFF".parse().unwrap(),
            name: "Alpha".to_owned(),
            signing_keys: vec![PublicKey([1; 32])],
            sealing_key: [1; 32],
        }),
        Command::AddAsset(AddAsset {
            code: "EUR".parse().unwrap(),
            exponent: Exponent::new(2).unwrap(),
            issuer: owner,
        }),
        open(""),
        open("second"),
    ];
    Ledger::genesis(LedgerTime(0), &commands).unwrap()
}

fn answer(ledger: &mut Ledger, command: Command) -> Answer {
    let participant = ParticipantNumber(0);
    let batch = Batch {
        submitter: participant,
        valid_until: LedgerTime(9),
        authorisations: vec![Authorisation { participant, key: PublicKey([1; 32]) }],
        commands: vec![CheckedCommand::new(command)],
    };
    let context = BatchContext { height: Height(1), time: LedgerTime(1), first_leaf: 0 };
    let mut outcomes = Vec::new();
    ledger.apply_batch(&context, &batch, &OldIds::NONE, &mut outcomes, &mut Vec::new());
    outcomes[0].answer
}

#[test]
fn amounts_beyond_the_bound_are_refused_before_any_debit() {
    let mut ledger = small_ledger();
    ledger.accounts[0].posted = Balance::new(100);
    ledger.accounts[1].posted = Balance::new(BALANCE_MAX - 5);
    let leg = |amount| Leg {
        debit: AccountNumber(0),
        credit: AccountNumber(1),
        amount: Amount::new(amount),
    };
    let transfer = |id, legs| {
        let id = TransferId([id; 16]);
        Command::Transfer(Transfer { id, legs, document: None, options: None })
    };
    let too_large = Answer::Refused(Refusal::AmountTooLarge);
    assert_eq!(answer(&mut ledger, transfer(1, Legs::One(leg(6)))), too_large);
    let two = Legs::new(vec![leg(3), leg(3)]).unwrap();
    assert_eq!(answer(&mut ledger, transfer(2, two)), too_large);
    assert_eq!(ledger.accounts[0].posted, Balance::new(100));
    assert_eq!(answer(&mut ledger, transfer(3, Legs::One(leg(5)))), Answer::Settled);
    assert_eq!(ledger.accounts[1].posted, Balance::new(BALANCE_MAX));
}

#[test]
fn totals_are_bounded_like_balances() {
    let mut ledger = small_ledger();
    ledger.registry.assets[0].issued = BALANCE_MAX.unsigned_abs();
    let (account, amount) = (AccountNumber(0), Amount::new(1));
    let issue = Command::Issue(Issue { id: TransferId([1; 16]), account, amount });
    assert_eq!(answer(&mut ledger, issue), Answer::Refused(Refusal::AmountTooLarge));
}
