//! The network's directory as this gateway last saw it.
//!
//! It starts with the one of the genesis file, so that payments are taken in before any node
//! answers, and goes on after every connect and, not too often, when a message names something
//! unknown. A node gives it in parts: what is known already is not sent again, but for another node, whose
//! word counts for all of it.

use std::sync::{
    Arc, RwLock,
    atomic::{AtomicBool, Ordering},
};
use std::time::Duration;

use tokio::time::Instant;
use translate::{Account, Asset, Directory, Participant};
use wire::ledger::{AccountNumber, AssetNumber, Command, Exponent, ParticipantNumber};
use wire::{
    client::{DirectoryAnswer, DirectoryCounts, Query, QueryAnswer},
    genesis::Genesis,
};

use crate::{
    limits::{
        DIRECTORY_KEEP_INTERVAL, DIRECTORY_PART_WAIT, DIRECTORY_REFRESH_INTERVAL,
        DIRECTORY_REFUSALS_MAX,
    },
    node::NodeHandle,
};

/// The current directory.
pub struct DirectoryView {
    genesis: Rows,
    current: RwLock<Known>,
    /// Set when another node is to answer.
    anew: AtomicBool,
    asked: tokio::sync::Mutex<Asked>,
}

struct Asked {
    last: Option<Instant>,
    /// Whether the node that answers now has not given all of it yet.
    whole: bool,
}

struct Known {
    directory: Arc<Directory>,
    rows: Arc<Rows>,
    height: Option<u64>,
}

/// What the ledger numbers, each in order of its numbers from 0 on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Rows {
    participants: Vec<Participant>,
    assets: Vec<Asset>,
    accounts: Vec<Account>,
}

impl DirectoryView {
    /// The directory of the genesis file.
    #[must_use]
    pub fn of_genesis(genesis: &Genesis) -> Self {
        let genesis = Rows::of_commands(&genesis.commands);
        let known = Known {
            directory: Arc::new(genesis.directory()),
            rows: Arc::new(genesis.clone()),
            height: None,
        };
        Self {
            genesis,
            current: RwLock::new(known),
            anew: AtomicBool::new(false),
            asked: tokio::sync::Mutex::new(Asked { last: None, whole: true }),
        }
    }

    /// The directory to translate with now.
    #[must_use]
    pub fn current(&self) -> Arc<Directory> {
        self.current.read().expect("no holder of this lock panics").directory.clone()
    }

    /// Height at which a node gave it; `None` for the one of genesis.
    #[must_use]
    pub fn height(&self) -> Option<u64> {
        self.current.read().expect("no holder of this lock panics").height
    }

    /// Another node is to answer: the next refresh asks it for all of the directory.
    pub fn begin_anew(&self) {
        self.anew.store(true, Ordering::Release);
    }

    /// Takes over what a node answered, unless it is older than what is known.
    fn replace(&self, rows: Rows, height: u64) {
        let directory = Arc::new(rows.directory());
        let mut current = self.current.write().expect("no holder of this lock panics");
        if current.height.is_none_or(|known| known <= height) {
            *current = Known { directory, rows: Arc::new(rows), height: Some(height) };
        }
    }

    /// Reads it now and then, so that what changes in it is known soon: the keys to which documents are sealed.
    pub(crate) async fn keep_fresh(&self, node: &NodeHandle) {
        loop {
            tokio::time::sleep(DIRECTORY_KEEP_INTERVAL).await;
            self.refresh(node).await;
        }
    }

    /// Asks the connected node for a newer directory, unless that was done a moment ago. Callers
    /// that come together share one question. True when a node has answered.
    pub async fn refresh(&self, node: &NodeHandle) -> bool {
        let arrived = Instant::now();
        let mut asked = self.asked.lock().await;
        if self.anew.swap(false, Ordering::AcqRel) {
            *asked = Asked { last: None, whole: true };
        }
        if let Some(last) = asked.last
            && (last >= arrived || last.elapsed() < DIRECTORY_REFRESH_INTERVAL)
        {
            return true;
        }
        let mut rows = if asked.whole {
            self.genesis.clone()
        } else {
            let current = self.current.read().expect("no holder of this lock panics");
            Rows::clone(&current.rows)
        };
        // Banks change their sealing keys; they are few, and read anew each time.
        rows.participants.clear();
        let loaded =
            load(rows, DIRECTORY_PART_WAIT, |known| node.query(Query::Directory(known))).await;
        // Also after a failure: callers must not queue up behind a node that does not answer.
        asked.last = Some(Instant::now());
        let Some((rows, height)) = loaded else { return false };
        asked.whole = false;
        self.replace(rows, height);
        true
    }
}

/// Asks part after part until nothing is missing. The height is that of the first part: all that was there
/// then is there in the end. After a refusal it waits for `pause`. `None` when the node does not answer, or answers what cannot be.
async fn load<F: Future<Output = Option<QueryAnswer>>>(
    mut rows: Rows,
    pause: Duration,
    mut ask: impl FnMut(DirectoryCounts) -> F,
) -> Option<(Rows, u64)> {
    let (mut height, mut refused) = (None, 0);
    loop {
        let known = rows.counts();
        match ask(known).await? {
            QueryAnswer::Directory(part) => {
                let height = *height.get_or_insert(part.height);
                rows.add(&part)?;
                let counts = rows.counts();
                if counts.covers(&part.all) {
                    return Some((rows, height));
                }
                if counts == known {
                    return None;
                }
            }
            // It gives only so much at a time.
            QueryAnswer::Failed(_) if refused < DIRECTORY_REFUSALS_MAX => {
                refused += 1;
                tokio::time::sleep(pause).await;
            }
            _ => return None,
        }
    }
}

impl Rows {
    fn directory(&self) -> Directory {
        Directory::new(self.participants.clone(), self.assets.clone(), self.accounts.clone())
    }

    fn counts(&self) -> DirectoryCounts {
        DirectoryCounts {
            participants: self.participants.len() as u32,
            assets: self.assets.len() as u32,
            accounts: self.accounts.len() as u32,
        }
    }

    /// Adds what follows; `None` if it does not follow.
    fn add(&mut self, part: &DirectoryAnswer) -> Option<()> {
        for row in &part.participants {
            (row.number.0 as usize == self.participants.len()).then_some(())?;
            self.participants.push(Participant {
                number: row.number,
                bic: row.bic,
                name: row.name.clone(),
                sealing_key: row.sealing_key,
            });
        }
        for row in &part.assets {
            (row.number.0 as usize == self.assets.len()).then_some(())?;
            let exponent = Exponent::new(row.exponent)?;
            let (number, code, issuer) = (row.number, row.code, row.issuer);
            self.assets.push(Asset { number, code, exponent, issuer });
        }
        for row in &part.accounts {
            (row.number.0 as usize == self.accounts.len()).then_some(())?;
            let (number, owner, asset, label) = (row.number, row.owner, row.asset, row.label);
            self.accounts.push(Account { number, owner, asset, label });
        }
        Some(())
    }

    /// The ledger numbers participants, assets and accounts in the order of their commands.
    fn of_commands(commands: &[Command]) -> Self {
        let Self { mut participants, mut assets, mut accounts } = Self::default();
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
        Self { participants, assets, accounts }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::future::ready;
    use wire::{client::AccountRow, ledger::AccountStatus, ledger::Label};

    fn account(number: u32) -> AccountRow {
        AccountRow {
            number: AccountNumber(number),
            owner: ParticipantNumber(0),
            asset: AssetNumber(0),
            label: Label::MAIN,
            status: AccountStatus::Open,
            posted: 0,
        }
    }

    fn part(height: u64, all: u32, rows: std::ops::Range<u32>) -> QueryAnswer {
        QueryAnswer::Directory(DirectoryAnswer {
            height,
            all: DirectoryCounts { accounts: all, ..DirectoryCounts::default() },
            accounts: rows.map(account).collect(),
            ..DirectoryAnswer::default()
        })
    }

    #[tokio::test]
    async fn parts_are_asked_for_until_nothing_is_missing() {
        // It grows while it is read, and the node wants a rest now and then.
        let mut asked = Vec::new();
        let loaded = load(Rows::default(), Duration::ZERO, |known| {
            let from = known.accounts;
            asked.push(from);
            let all = 9_000 + from / 1_000;
            ready(Some(match asked.len() % 2 {
                0 => QueryAnswer::Failed("later".to_owned()),
                _ => part(u64::from(5 + from), all, from..all.min(from + 4_096)),
            }))
        })
        .await;
        let (rows, height) = loaded.unwrap();
        assert_eq!((rows.accounts.len(), height), (9_008, 5));
        assert_eq!(asked, [0, 4_096, 4_096, 8_192, 8_192]);
        // What is known is not asked for again, and a node that is behind takes nothing away.
        let (same, _) = load(rows.clone(), Duration::ZERO, |known| {
            assert_eq!(known.accounts, 9_008);
            ready(Some(part(3, 100, 0..0)))
        })
        .await
        .unwrap();
        assert_eq!(same, rows);
    }

    #[tokio::test]
    async fn answers_that_cannot_be_end_it() {
        let of = async |answer: Option<QueryAnswer>| {
            load(Rows::default(), Duration::ZERO, |_| ready(answer.clone())).await.is_some()
        };
        assert!(of(Some(part(1, 3, 0..3))).await);
        assert!(!of(None).await);
        assert!(!of(Some(part(1, 3, 0..0))).await, "no progress");
        assert!(!of(Some(part(1, 9, 0..3))).await, "the same again");
        assert!(!of(Some(part(1, 3, 1..3))).await, "a gap");
        assert!(!of(Some(QueryAnswer::Failed("no".to_owned()))).await);
    }
}
