//! Participants, assets and account names: what is looked up by people's names and seldom changes.
//!
//! Everything is append-only and dense by number; the maps beside only find numbers by name. The part that
//! every transfer touches is in `account.rs`.

use std::collections::BTreeMap;

use crate::amount::Exponent;
use crate::command::{AddAsset, AdmitParticipant, OpenAccount};
use crate::id::{AccountNumber, AssetNumber, ParticipantNumber, PublicKey};
use crate::name::{AssetCode, Bic, Label};

/// A bank in the network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Participant {
    /// Its number.
    pub number: ParticipantNumber,
    /// Its BIC.
    pub bic: Bic,
    /// Its name for people.
    pub name: String,
    /// Its live Ed25519 keys.
    pub signing_keys: Vec<PublicKey>,
    /// Its X25519 public key, to which documents are sealed.
    pub sealing_key: [u8; 32],
    /// How many accounts it ever opened.
    pub(crate) accounts_opened: u32,
}

/// What accounts hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asset {
    /// Its number.
    pub number: AssetNumber,
    /// Its code.
    pub code: AssetCode,
    /// Its decimals.
    pub exponent: Exponent,
    /// Who issues and redeems it.
    pub issuer: ParticipantNumber,
    /// What was ever issued, in minor units; at most `BALANCE_MAX`.
    pub issued: u128,
    /// What was ever redeemed, in minor units; at most `BALANCE_MAX`.
    pub redeemed: u128,
}

/// The three lists and how to find things in them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Registry {
    pub(crate) participants: Vec<Participant>,
    pub(crate) assets: Vec<Asset>,
    /// The label of each account, by account number.
    pub(crate) labels: Vec<Label>,
    by_bic: BTreeMap<Bic, ParticipantNumber>,
    by_code: BTreeMap<AssetCode, AssetNumber>,
    by_key: BTreeMap<PublicKey, ParticipantNumber>,
    by_name: BTreeMap<(ParticipantNumber, AssetNumber, Label), AccountNumber>,
}

impl Registry {
    pub(crate) fn participant(&self, number: ParticipantNumber) -> Option<&Participant> {
        self.participants.get(number.0 as usize)
    }

    pub(crate) fn asset(&self, number: AssetNumber) -> Option<&Asset> {
        self.assets.get(number.0 as usize)
    }

    pub(crate) fn participant_by_bic(&self, bic: &Bic) -> Option<&Participant> {
        self.participant(*self.by_bic.get(bic)?)
    }

    pub(crate) fn asset_by_code(&self, code: &AssetCode) -> Option<&Asset> {
        self.asset(*self.by_code.get(code)?)
    }

    pub(crate) fn owner_of_key(&self, key: &PublicKey) -> Option<ParticipantNumber> {
        self.by_key.get(key).copied()
    }

    pub(crate) fn account(
        &self,
        owner: ParticipantNumber,
        asset: AssetNumber,
        label: Label,
    ) -> Option<AccountNumber> {
        self.by_name.get(&(owner, asset, label)).copied()
    }

    /// The accounts of one owner, by asset and label.
    pub(crate) fn accounts_of(
        &self,
        owner: ParticipantNumber,
    ) -> impl Iterator<Item = AccountNumber> + '_ {
        let first = (owner, AssetNumber(0), Label::MAIN);
        self.by_name
            .range(first..)
            .take_while(move |((of, _, _), _)| *of == owner)
            .map(|(_, number)| *number)
    }

    /// Adds a participant whose BIC and keys were checked to be new.
    pub(crate) fn add_participant(&mut self, command: &AdmitParticipant) -> ParticipantNumber {
        let number = ParticipantNumber(self.participants.len() as u32);
        self.by_bic.insert(command.bic, number);
        for key in &command.signing_keys {
            self.by_key.insert(*key, number);
        }
        self.participants.push(Participant {
            number,
            bic: command.bic,
            name: command.name.clone(),
            signing_keys: command.signing_keys.clone(),
            sealing_key: command.sealing_key,
            accounts_opened: 0,
        });
        number
    }

    /// Gives a key, which was checked to be new, to a participant for ever.
    pub(crate) fn claim_key(&mut self, key: PublicKey, owner: ParticipantNumber) {
        self.by_key.insert(key, owner);
    }

    /// Adds an asset whose code was checked to be new.
    pub(crate) fn add_asset(&mut self, command: &AddAsset) -> AssetNumber {
        let number = AssetNumber(self.assets.len() as u32);
        self.by_code.insert(command.code, number);
        self.assets.push(Asset {
            number,
            code: command.code,
            exponent: command.exponent,
            issuer: command.issuer,
            issued: 0,
            redeemed: 0,
        });
        number
    }

    /// Names an account whose owner, asset and label were checked.
    pub(crate) fn add_account(&mut self, command: &OpenAccount) -> AccountNumber {
        let number = AccountNumber(self.labels.len() as u32);
        self.labels.push(command.label);
        self.by_name.insert((command.owner, command.asset, command.label), number);
        self.participants[command.owner.0 as usize].accounts_opened += 1;
        number
    }
}
