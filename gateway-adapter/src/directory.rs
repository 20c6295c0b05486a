//! The network's directory as this gateway last saw it.
//!
//! It starts with the one of the genesis file, so that payments are taken in before any node
//! answers, and is replaced after every connect and, not too often, when a message names something
//! unknown.

use std::sync::{Arc, RwLock};

use tokio::time::Instant;
use translate::{Account, Asset, Directory, Participant};
use wire::ledger::{AccountNumber, AssetNumber, Command, Exponent, ParticipantNumber};
use wire::{
    client::{DirectoryAnswer, Query, QueryAnswer},
    genesis::Genesis,
};

use crate::{limits::DIRECTORY_REFRESH_INTERVAL, node::NodeHandle};

/// The current directory.
pub struct DirectoryView {
    current: RwLock<(Arc<Directory>, Option<u64>)>,
    asked: tokio::sync::Mutex<Option<Instant>>,
}

impl DirectoryView {
    /// The directory of the genesis file.
    #[must_use]
    pub fn of_genesis(genesis: &Genesis) -> Self {
        let directory = Arc::new(from_commands(&genesis.commands));
        Self { current: RwLock::new((directory, None)), asked: tokio::sync::Mutex::new(None) }
    }

    /// The directory to translate with now.
    #[must_use]
    pub fn current(&self) -> Arc<Directory> {
        self.current.read().expect("no holder of this lock panics").0.clone()
    }

    /// Height at which a node gave it; `None` for the one of genesis.
    #[must_use]
    pub fn height(&self) -> Option<u64> {
        self.current.read().expect("no holder of this lock panics").1
    }

    /// Takes over what a node answered, unless it is older than what is known.
    pub fn replace(&self, answer: &DirectoryAnswer) {
        let directory = Arc::new(from_answer(answer));
        let mut current = self.current.write().expect("no holder of this lock panics");
        if current.1.is_none_or(|height| height <= answer.height) {
            *current = (directory, Some(answer.height));
        }
    }

    /// Asks the connected node for a newer directory, unless that was done a moment ago. Callers
    /// that come together share one question. True when a node has answered.
    pub async fn refresh(&self, node: &NodeHandle) -> bool {
        let arrived = Instant::now();
        let mut asked = self.asked.lock().await;
        if let Some(last) = *asked
            && (last >= arrived || last.elapsed() < DIRECTORY_REFRESH_INTERVAL)
        {
            return true;
        }
        let answer = node.query(Query::Directory).await;
        // Also after a failure: callers must not queue up behind a node that does not answer.
        *asked = Some(Instant::now());
        match answer {
            Some(QueryAnswer::Directory(answer)) => {
                self.replace(&answer);
                true
            }
            _ => false,
        }
    }
}

fn from_answer(answer: &DirectoryAnswer) -> Directory {
    let participants = answer.participants.iter().map(|row| Participant {
        number: row.number,
        bic: row.bic,
        name: row.name.clone(),
        sealing_key: row.sealing_key,
    });
    let assets = answer.assets.iter().filter_map(|row| {
        let exponent = Exponent::new(row.exponent)?;
        Some(Asset { number: row.number, code: row.code, exponent, issuer: row.issuer })
    });
    let accounts = answer.accounts.iter().map(|row| Account {
        number: row.number,
        owner: row.owner,
        asset: row.asset,
        label: row.label,
    });
    Directory::new(participants.collect(), assets.collect(), accounts.collect())
}

/// The ledger numbers participants, assets and accounts in the order of their commands.
fn from_commands(commands: &[Command]) -> Directory {
    let (mut participants, mut assets, mut accounts) = (Vec::new(), Vec::new(), Vec::new());
    for command in commands {
        match command {
            Command::AdmitParticipant(admitted) => participants.push(Participant {
                number: ParticipantNumber(participants.len() as u32),
                bic: admitted.bic,
                name: admitted.name.clone(),
                sealing_key: admitted.sealing_key,
            }),
            Command::AddAsset(added) => assets.push(Asset {
                number: AssetNumber(assets.len() as u32),
                code: added.code,
                exponent: added.exponent,
                issuer: added.issuer,
            }),
            Command::OpenAccount(opened) => accounts.push(Account {
                number: AccountNumber(accounts.len() as u32),
                owner: opened.owner,
                asset: opened.asset,
                label: opened.label,
            }),
            _ => {}
        }
    }
    Directory::new(participants, assets, accounts)
}
