//! The network of a run: its genesis, the banks' keys and accounts.
//!
//! Bank `b` has account `2 b` in EUR and `2 b + 1` in USD; bank 0 issues EUR and bank 1 USD.

use ed25519_dalek::SigningKey;
use ledger::{AccountNumber, ParticipantNumber};
use wire::genesis::{
    Genesis, RawAccount, RawAsset, RawFunding, RawGenesis, RawNode, RawParticipant, hex,
};

use super::{plan::Plan, rng::Rng};

/// Ledger time of genesis and wall clock at the start of a run, in nanoseconds.
pub(super) const START_NS: u64 = 1_800_000_000_000_000_000;
/// What each account holds at first, in minor units.
pub(super) const FUNDS: u64 = 20_000;
/// The credit line of every third account, as a floor.
pub(super) const FLOOR: i64 = -3_000;

pub(super) const BICS: [&str; 3] = ["ALPHDEFF", "BETAGB2L", "GAMMFRPP"];
const CODES: [&str; 2] = ["EUR", "USD"];

pub(super) struct Bank {
    pub(super) number: ParticipantNumber,
    pub(super) key: SigningKey,
}

pub(super) fn account(bank: usize, asset: usize) -> AccountNumber {
    AccountNumber((bank * CODES.len() + asset) as u32)
}

/// The secret that opens a bank's documents.
pub(super) fn sealing_secret(bank: usize) -> [u8; 32] {
    [bank as u8 + 1; 32]
}

pub(super) fn floor_of(account: usize) -> i64 {
    if account % 3 == 2 { FLOOR } else { 0 }
}

pub(super) fn make(plan: &Plan, rng: &mut Rng) -> (Genesis, Vec<Bank>) {
    let mut secret = || {
        let mut bytes = [0; 32];
        bytes.chunks_mut(8).for_each(|part| part.copy_from_slice(&rng.next().to_le_bytes()));
        SigningKey::from_bytes(&bytes)
    };
    let public = |key: &SigningKey| hex(key.verifying_key().as_bytes());
    let banks: Vec<Bank> = (0..plan.banks)
        .map(|number| Bank { number: ParticipantNumber(number as u32), key: secret() })
        .collect();
    let node = |number: usize, link_key: &SigningKey| RawNode {
        id: number as u64 + 1,
        bic: BICS[number % plan.banks].to_owned(),
        link_key: public(link_key),
        cosign_key: None,
        address: format!("127.0.0.1:{}", 2000 + number),
        client_address: format!("127.0.0.1:{}", 3000 + number),
        standby: number >= plan.nodes,
    };
    let names: Vec<String> = (0..plan.banks)
        .flat_map(|bank| CODES.map(|code| format!("{}/{code}", BICS[bank])))
        .collect();
    let raw = RawGenesis {
        version: wire::genesis::VERSION,
        network: "simulated".to_owned(),
        time_ns: START_NS as i64,
        rules: plan.rules,
        nodes: (0..plan.nodes + plan.standby).map(|number| node(number, &secret())).collect(),
        participants: banks
            .iter()
            .enumerate()
            .map(|(number, bank)| RawParticipant {
                bic: BICS[number].to_owned(),
                name: format!("Bank {number}"),
                signing_keys: vec![public(&bank.key)],
                sealing_key: hex(&gateway_adapter::seal::public_key(&sealing_secret(number))
                    .expect("these bytes are a usable secret")),
                gateway_keys: vec![public(&secret())],
            })
            .collect(),
        assets: CODES
            .iter()
            .enumerate()
            .map(|(number, code)| RawAsset {
                code: (*code).to_owned(),
                exponent: 2,
                issuer: BICS[number].to_owned(),
            })
            .collect(),
        accounts: names
            .iter()
            .enumerate()
            .map(|(number, name)| RawAccount { account: name.clone(), floor: floor_of(number) })
            .collect(),
        funding: names
            .iter()
            .enumerate()
            .map(|(number, name)| RawFunding {
                id: format!("00000000-0000-4000-8000-{number:012x}"),
                account: name.clone(),
                amount: FUNDS,
            })
            .collect(),
        voting: None,
    };
    let genesis = Genesis::parse(raw.to_text().as_bytes()).expect("the genesis is well formed");
    (genesis, banks)
}
