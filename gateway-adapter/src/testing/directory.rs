//! The directory of the two banks, as the stand-in for a node answers it.

use wire::{
    client::{DirectoryAnswer, DirectoryCounts},
    ledger::ParticipantNumber,
};

use super::{PAYEE, PAYER};

pub(super) fn directory(known: DirectoryCounts) -> DirectoryAnswer {
    use wire::client::{AccountRow, AssetRow, ParticipantRow};
    fn after<T>(mut rows: Vec<T>, known: u32) -> Vec<T> {
        rows.split_off(rows.len().min(known as usize))
    }
    let participant = |number: u32, bic: &str, seed: u8| ParticipantRow {
        number: ParticipantNumber(number),
        bic: bic.parse().unwrap(),
        name: bic.to_owned(),
        sealing_key: crate::seal::public_key(&[seed; 32]).unwrap(),
    };
    let account = |number: u32| AccountRow {
        number: wire::ledger::AccountNumber(number),
        owner: ParticipantNumber(number),
        asset: wire::ledger::AssetNumber(0),
        label: wire::ledger::Label::MAIN,
        status: wire::ledger::AccountStatus::Open,
        posted: 0,
    };
    let euro = AssetRow {
        number: wire::ledger::AssetNumber(0),
        code: "EUR".parse().unwrap(),
        exponent: 2,
        issuer: ParticipantNumber(0),
    };
    DirectoryAnswer {
        height: 1,
        all: DirectoryCounts { participants: 2, assets: 1, accounts: 2 },
        participants: after(
            vec![participant(0, PAYER, 11), participant(1, PAYEE, 21)],
            known.participants,
        ),
        assets: after(vec![euro], known.assets),
        accounts: after(vec![account(0), account(1)], known.accounts),
    }
}
