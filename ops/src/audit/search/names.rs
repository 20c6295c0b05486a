//! Names of accounts and banks, from the genesis file and from the commands that opened accounts later.
//!
//! The log itself knows numbers. What genesis opened has its names from the file whose SHA-256 is the network's id;
//! an account that was opened later gets the next number, and its name as far as genesis knows bank and asset. Banks
//! that were admitted later stay numbers here.

use std::{borrow::Cow, collections::BTreeMap};

use anyhow::{Context, Result};
use ledger::{AccountName, AssetCode, Bic, OpenAccount};
use wire::genesis::Genesis;

/// An account as far as it is known.
struct Account {
    name: String,
    owner: u32,
    asset: u32,
    /// On it at genesis, in minor units.
    opening: i128,
}

/// Names by number.
pub(crate) struct Names {
    accounts: Vec<Account>,
    numbers: BTreeMap<String, u32>,
    bics: Vec<Bic>,
    assets: Vec<(AssetCode, u8)>,
}

impl Names {
    /// Those of a genesis file.
    pub(crate) fn of(genesis: &Genesis) -> Result<Self> {
        let ledger = genesis.ledger()?;
        let accounts: Vec<_> = ledger
            .accounts()
            .map(|view| Account {
                name: view.name.to_string(),
                owner: view.account.owner.0,
                asset: view.account.asset.0,
                opening: view.posted.minor(),
            })
            .collect();
        let numbers =
            accounts.iter().zip(0..).map(|(account, number)| (account.name.clone(), number));
        Ok(Self {
            numbers: numbers.collect(),
            accounts,
            bics: ledger.participants().iter().map(|one| one.bic).collect(),
            assets: ledger.assets().iter().map(|one| (one.code, one.exponent.get())).collect(),
        })
    }

    /// Takes in an account that was opened.
    pub(crate) fn open(&mut self, command: &OpenAccount) {
        let number = self.accounts.len() as u32;
        let known =
            (self.bics.get(command.owner.0 as usize), self.assets.get(command.asset.0 as usize));
        let name = match known {
            (Some(bic), Some((asset, _))) => {
                AccountName { bic: *bic, asset: *asset, label: command.label }.to_string()
            }
            _ => format!("#{number}"),
        };
        self.numbers.insert(name.clone(), number);
        let (owner, asset) = (command.owner.0, command.asset.0);
        self.accounts.push(Account { name, owner, asset, opening: 0 });
    }

    /// How many accounts there are.
    pub(crate) fn count(&self) -> usize {
        self.accounts.len()
    }

    /// Name of an account, or `#` and its number.
    pub(crate) fn account(&self, number: u32) -> Cow<'_, str> {
        match self.accounts.get(number as usize) {
            Some(account) => Cow::Borrowed(&account.name),
            None => Cow::Owned(format!("#{number}")),
        }
    }

    /// Number of an account; a head office may be written with 8 or 11 characters.
    pub(crate) fn number(&self, name: &str) -> Option<u32> {
        match name.parse::<AccountName>() {
            Ok(name) => self.numbers.get(&name.to_string()).copied(),
            // That of an account whose bank or asset genesis did not name.
            Err(_) => self.numbers.get(name).copied(),
        }
    }

    /// Number of a bank.
    ///
    /// # Errors
    /// The text is no BIC, or no bank of genesis has it.
    pub(crate) fn bank(&self, bic: &str) -> Result<u32> {
        let bic: Bic = bic.parse().with_context(|| format!("`{bic}` is no BIC"))?;
        let at = self.bics.iter().position(|known| *known == bic);
        at.map(|at| at as u32).with_context(|| format!("the genesis file names no bank {bic}"))
    }

    /// Who owns an account.
    pub(crate) fn owner(&self, account: u32) -> Option<u32> {
        self.accounts.get(account as usize).map(|account| account.owner)
    }

    /// BIC of an account's owner.
    pub(crate) fn bic(&self, account: u32) -> Option<&str> {
        let bic = self.bics.get(self.owner(account)? as usize)?;
        Some(bic.as_str())
    }

    /// Code and decimals of what an account holds.
    pub(crate) fn asset_of(&self, account: u32) -> Option<(&str, u8)> {
        let asset = self.accounts.get(account as usize)?.asset;
        let (code, exponent) = self.assets.get(asset as usize)?;
        Some((code.as_str(), *exponent))
    }

    /// Decimals of an asset.
    pub(crate) fn exponent(&self, code: &str) -> Option<u8> {
        self.assets.iter().find(|(known, _)| known.as_str() == code).map(|(_, exponent)| *exponent)
    }

    /// What an account held at genesis, in minor units.
    pub(crate) fn opening(&self, account: u32) -> i128 {
        self.accounts.get(account as usize).map_or(0, |account| account.opening)
    }
}
