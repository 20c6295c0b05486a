//! Who takes part in the network, what is held in it, and on which accounts: the view that translation needs.
//!
//! A directory is a snapshot taken from a node; it may be older than the ledger. That is harmless: what it
//! wrongly lets through the ledger refuses, and what it wrongly stops can be sent again. Nothing is learnt from
//! messages. Lookups are binary searches over sorted lists, so that equal input gives equal order everywhere.

use ledger::{AccountNumber, AssetCode, AssetNumber, Bic, Exponent, Label, ParticipantNumber};

/// A bank of the network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Participant {
    /// The ledger's number of the bank.
    pub number: ParticipantNumber,
    /// The bank's BIC.
    pub bic: Bic,
    /// The bank's name, for people.
    pub name: String,
    /// Public key (X25519) to which documents for this bank are sealed.
    pub sealing_key: [u8; 32],
}

/// Something that accounts hold: a currency or another code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asset {
    /// The ledger's number of the asset.
    pub number: AssetNumber,
    /// The currency code or other code.
    pub code: AssetCode,
    /// How many decimals amounts of this asset have.
    pub exponent: Exponent,
    /// Who issues and redeems it.
    pub issuer: ParticipantNumber,
}

/// An account of a bank.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Account {
    /// The ledger's number of the account.
    pub number: AccountNumber,
    /// Whose account it is.
    pub owner: ParticipantNumber,
    /// What it holds.
    pub asset: AssetNumber,
    /// Which of the owner's accounts in that asset; the empty label is the main account.
    pub label: Label,
}

/// The participants, assets and accounts of the network.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Directory {
    /// Sorted by BIC.
    participants: Vec<Participant>,
    /// Positions in `participants`, sorted by participant number.
    by_number: Vec<usize>,
    /// Sorted by code.
    assets: Vec<Asset>,
    /// Sorted by number.
    accounts: Vec<Account>,
    /// Main accounts, sorted by owner and asset.
    main_accounts: Vec<(ParticipantNumber, AssetNumber, AccountNumber)>,
}

impl Directory {
    /// A directory of these entries, in any order. Of two entries with the same key the first one counts.
    #[must_use]
    pub fn new(
        mut participants: Vec<Participant>,
        mut assets: Vec<Asset>,
        mut accounts: Vec<Account>,
    ) -> Self {
        participants.sort_by_key(|participant| participant.bic);
        participants.dedup_by_key(|participant| participant.bic);
        let mut by_number: Vec<usize> = (0..participants.len()).collect();
        by_number.sort_by_key(|&at| participants[at].number);
        assets.sort_by_key(|asset| asset.code);
        assets.dedup_by_key(|asset| asset.code);
        accounts.sort_by_key(|account| account.number);
        accounts.dedup_by_key(|account| account.number);
        let mut main_accounts: Vec<_> = accounts
            .iter()
            .filter(|account| account.label.is_empty())
            .map(|account| (account.owner, account.asset, account.number))
            .collect();
        main_accounts.sort_unstable();
        Self { participants, by_number, assets, accounts, main_accounts }
    }

    /// All participants, by BIC.
    #[must_use]
    pub fn participants(&self) -> &[Participant] {
        &self.participants
    }

    /// All assets, by code.
    #[must_use]
    pub fn assets(&self) -> &[Asset] {
        &self.assets
    }

    /// All accounts, by number.
    #[must_use]
    pub fn accounts(&self) -> &[Account] {
        &self.accounts
    }

    /// The participant with this BIC; the short form of 8 characters and `...XXX` are the same BIC.
    #[must_use]
    pub fn participant_by_bic(&self, bic: &Bic) -> Option<&Participant> {
        let at = self.participants.binary_search_by_key(bic, |found| found.bic).ok()?;
        Some(&self.participants[at])
    }

    /// The participant with this number.
    #[must_use]
    pub fn participant(&self, number: ParticipantNumber) -> Option<&Participant> {
        let at = self
            .by_number
            .binary_search_by_key(&number, |&at| self.participants[at].number)
            .ok()?;
        Some(&self.participants[self.by_number[at]])
    }

    /// The asset with this code.
    #[must_use]
    pub fn asset_by_code(&self, code: &AssetCode) -> Option<&Asset> {
        let at = self.assets.binary_search_by_key(code, |asset| asset.code).ok()?;
        Some(&self.assets[at])
    }

    /// The asset with this number.
    #[must_use]
    pub fn asset(&self, number: AssetNumber) -> Option<&Asset> {
        self.assets.iter().find(|asset| asset.number == number)
    }

    /// The account with this number.
    #[must_use]
    pub fn account(&self, number: AccountNumber) -> Option<&Account> {
        let at = self.accounts.binary_search_by_key(&number, |account| account.number).ok()?;
        Some(&self.accounts[at])
    }

    /// The account `BIC/ASSET` without a label: the one through which a bank settles payments.
    #[must_use]
    pub fn main_account(
        &self,
        owner: ParticipantNumber,
        asset: AssetNumber,
    ) -> Option<AccountNumber> {
        let start = self.main_accounts.partition_point(|&(found_owner, found_asset, _)| {
            (found_owner, found_asset) < (owner, asset)
        });
        let &(found_owner, found_asset, number) = self.main_accounts.get(start)?;
        ((found_owner, found_asset) == (owner, asset)).then_some(number)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn participant(number: u32, bic: &str) -> Participant {
        Participant {
            number: ParticipantNumber(number),
            bic: bic.parse().unwrap(),
            name: format!("Bank {number}"),
            sealing_key: [number as u8; 32],
        }
    }

    fn account(number: u32, owner: u32, asset: u32, label: &str) -> Account {
        Account {
            number: AccountNumber(number),
            owner: ParticipantNumber(owner),
            asset: AssetNumber(asset),
            label: label.parse().unwrap(),
        }
    }

    #[test]
    fn every_entry_is_found_by_every_key() {
        let asset = |number, code: &str, exponent| Asset {
            number: AssetNumber(number),
            code: code.parse().unwrap(),
            exponent: Exponent::new(exponent).unwrap(),
            issuer: ParticipantNumber(0),
        };
        let directory = Directory::new(
            vec![
                participant(2, "BANKGB2L"),
                participant(0, "CENTEULX"),
                participant(1, "BANKDEFF"),
            ],
            vec![asset(0, "JPY", 0), asset(1, "EUR", 2)],
            vec![
                account(3, 1, 1, ""),
                account(1, 1, 1, "nostro"),
                account(0, 1, 0, ""),
                account(2, 2, 0, "nostro"),
            ],
        );
        let bic: Bic = "BANKDEFFXXX".parse().unwrap();
        assert_eq!(directory.participant_by_bic(&bic).unwrap().number, ParticipantNumber(1));
        for number in 0..3 {
            let found = directory.participant(ParticipantNumber(number)).unwrap();
            assert_eq!(found.name, format!("Bank {number}"));
        }
        assert!(directory.participant(ParticipantNumber(3)).is_none());
        assert_eq!(
            directory.asset_by_code(&"JPY".parse().unwrap()).unwrap().number,
            AssetNumber(0)
        );
        assert_eq!(directory.asset(AssetNumber(1)).unwrap().code.as_str(), "EUR");
        let main =
            |owner, asset| directory.main_account(ParticipantNumber(owner), AssetNumber(asset));
        assert_eq!(main(1, 1), Some(AccountNumber(3)));
        assert_eq!(main(1, 0), Some(AccountNumber(0)));
        assert_eq!(main(2, 0), None, "a labelled account is not the main account");
        assert_eq!(main(9, 9), None);
        assert_eq!(directory.account(AccountNumber(2)).unwrap().owner, ParticipantNumber(2));
        assert!(directory.account(AccountNumber(4)).is_none());
    }
}
