//! All state of the ledger and how to read it.
//!
//! Reading never changes anything; writing is done by commands (`command/*.rs`) through `apply.rs`. Accounts
//! are dense and hot; whatever writes to one goes through `account_mut`, which also notes that its hash is due.

use std::sync::Arc;

use crate::account::{Account, AccountView};
use crate::answer::Stage;
use crate::command::{OpenAccount, RULES_FIRST, RULES_LIFE_CYCLE};
use crate::digest::{HashTree, chain_name};
use crate::fx::Fx;
use crate::govern::Governance;
use crate::id::{AccountNumber, AssetNumber, Digest, LedgerTime, ParticipantNumber, TransferId};
use crate::ids::{Generation, IdEntry, Ids};
use crate::liquidity::Liquidity;
use crate::name::{AccountName, AssetCode, Bic};
use crate::progress::Progress;
use crate::registry::{Asset, Participant, Registry};
use crate::waiting::{Waiting, WaitingTable};

/// The ledger: made by `Ledger::genesis`, changed by `Ledger::apply_batch` and nothing else.
#[derive(Debug, Clone)]
pub struct Ledger {
    pub(crate) accounts: Vec<Account>,
    /// Accounts to hash again at the next seal, each once.
    pub(crate) touched: Vec<u32>,
    pub(crate) registry: Registry,
    pub(crate) ids: Ids,
    pub(crate) tree: HashTree,
    /// Running digest of the names of all accounts, in order of opening.
    pub(crate) names_digest: Digest,
    pub(crate) genesis_time: LedgerTime,
    pub(crate) genesis_digest: Digest,
    /// State root of the last sealed block.
    pub(crate) root: Digest,
    /// Net effects of the transfer at hand; kept so that transfers do not allocate.
    pub(crate) net: Vec<NetEffect>,
    /// The version of the rules that is active.
    pub(crate) rules: u16,
    /// Transfers that wait.
    pub(crate) waiting: WaitingTable,
    pub(crate) waiting_tree: HashTree,
    /// The time of the block that is open.
    pub(crate) block_time: LedgerTime,
    /// What became of waiting transfers in this block so far.
    pub(crate) progress: Vec<Progress>,
    /// What was decided by vote, keys, hours and two-person acts.
    pub(crate) gov: Governance,
    /// What is set about the liquidity of accounts.
    pub(crate) liquidity: Liquidity,
    pub(crate) liquidity_tree: HashTree,
    /// Quotes, and reports of credit.
    pub(crate) fx: Fx,
}

/// What a transfer does to one account in sum.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NetEffect {
    pub(crate) account: AccountNumber,
    pub(crate) change: i128,
}

impl Ledger {
    pub(crate) fn empty(time: LedgerTime, genesis_digest: Digest) -> Self {
        let [a, b, c, d, e, f, g, h, rest @ ..] = genesis_digest.0;
        let [i, j, k, l, m, n, o, p, ..] = rest;
        let key = [
            u64::from_le_bytes([a, b, c, d, e, f, g, h]),
            u64::from_le_bytes([i, j, k, l, m, n, o, p]),
        ];
        Self {
            accounts: Vec::new(),
            touched: Vec::new(),
            registry: Registry::default(),
            ids: Ids::new(key),
            tree: HashTree::default(),
            names_digest: Digest([0; 32]),
            genesis_time: time,
            genesis_digest,
            root: Digest([0; 32]),
            net: Vec::new(),
            rules: RULES_FIRST,
            waiting: WaitingTable::default(),
            waiting_tree: HashTree::default(),
            block_time: time,
            progress: Vec::new(),
            gov: Governance::default(),
            liquidity: Liquidity::default(),
            liquidity_tree: HashTree::default(),
            fx: Fx::default(),
        }
    }

    /// The time of genesis.
    #[must_use]
    pub const fn genesis_time(&self) -> LedgerTime {
        self.genesis_time
    }

    /// Digest of the genesis time and commands: the identity of the network.
    #[must_use]
    pub const fn genesis_digest(&self) -> Digest {
        self.genesis_digest
    }

    /// State root of the last sealed block; of genesis when none was sealed.
    #[must_use]
    pub const fn state_root(&self) -> Digest {
        self.root
    }

    /// All participants, by number.
    #[must_use]
    pub fn participants(&self) -> &[Participant] {
        &self.registry.participants
    }

    /// The participant of a number.
    #[must_use]
    pub fn participant(&self, number: ParticipantNumber) -> Option<&Participant> {
        self.registry.participant(number)
    }

    /// The participant of a BIC.
    #[must_use]
    pub fn participant_by_bic(&self, bic: &Bic) -> Option<&Participant> {
        self.registry.participant_by_bic(bic)
    }

    /// All assets, by number.
    #[must_use]
    pub fn assets(&self) -> &[Asset] {
        &self.registry.assets
    }

    /// The asset of a number.
    #[must_use]
    pub fn asset(&self, number: AssetNumber) -> Option<&Asset> {
        self.registry.asset(number)
    }

    /// The asset of a code.
    #[must_use]
    pub fn asset_by_code(&self, code: &AssetCode) -> Option<&Asset> {
        self.registry.asset_by_code(code)
    }

    /// All accounts, by number.
    pub fn accounts(&self) -> impl ExactSizeIterator<Item = AccountView> + '_ {
        (0..self.accounts.len()).map(|index| self.view(index))
    }

    /// The account of a number.
    #[must_use]
    pub fn account(&self, number: AccountNumber) -> Option<AccountView> {
        let index = number.0 as usize;
        if index < self.accounts.len() { Some(self.view(index)) } else { None }
    }

    /// The account of a name.
    #[must_use]
    pub fn account_by_name(&self, name: &AccountName) -> Option<AccountView> {
        let owner = self.registry.participant_by_bic(&name.bic)?.number;
        let asset = self.registry.asset_by_code(&name.asset)?.number;
        self.account(self.registry.account(owner, asset, name.label)?)
    }

    /// The accounts of a participant, by asset number, then label.
    pub fn accounts_of(&self, owner: ParticipantNumber) -> impl Iterator<Item = AccountView> + '_ {
        self.registry.accounts_of(owner).map(|number| self.view(number.0 as usize))
    }

    fn view(&self, index: usize) -> AccountView {
        let mut account = self.accounts[index];
        account.touched = false;
        account.queued = false;
        account.controlled = false;
        account.reports = false;
        let name = AccountName {
            bic: self.registry.participants[account.owner.0 as usize].bic,
            asset: self.registry.assets[account.asset.0 as usize].code,
            label: self.registry.labels[index],
        };
        AccountView { number: AccountNumber(index as u32), name, account }
    }

    /// The version of the rules that is active.
    #[must_use]
    pub const fn rules(&self) -> u16 {
        self.rules
    }

    /// True when transfers may wait.
    pub(crate) const fn has_life_cycle(&self) -> bool {
        self.rules >= RULES_LIFE_CYCLE
    }

    /// The waiting transfer of an id.
    #[must_use]
    pub fn waiting(&self, id: &TransferId) -> Option<&Waiting> {
        self.waiting.get(id)
    }

    /// Where the command of an id waits, if it does: a transfer, a proposal for votes, or an act for a second person.
    #[must_use]
    pub fn stage(&self, id: &TransferId) -> Option<Stage> {
        match self.waiting.get(id) {
            Some(waiting) => Some(waiting.stage),
            None => (self.proposal(id).is_some() || self.gov.acts.contains_key(id))
                .then_some(Stage::Held),
        }
    }

    /// All waiting transfers, by their place in the table.
    pub fn all_waiting(&self) -> impl Iterator<Item = &Waiting> + '_ {
        self.waiting.slots().flatten().map(AsRef::as_ref)
    }

    /// How many transfers wait.
    #[must_use]
    pub fn waiting_count(&self) -> usize {
        self.waiting.count()
    }

    /// What is remembered of an id, in the generations that are in memory.
    #[must_use]
    pub fn lookup(&self, id: &TransferId) -> Option<IdEntry> {
        self.ids.get(id)
    }

    /// How many ids were ever answered.
    #[must_use]
    pub const fn id_count(&self) -> u64 {
        self.ids.count()
    }

    /// The next full generation of ids, once each; ask after each block until it says `None`.
    ///
    /// It stays in memory and is looked up until `release_generation`. Generation `n` holds exactly the ids
    /// number `n * GENERATION_IDS` to `(n + 1) * GENERATION_IDS - 1` in order of use.
    pub fn take_full_generation(&mut self) -> Option<(u64, Arc<Generation>)> {
        self.ids.take_full()
    }

    /// Forgets a full generation: from the next batch on the caller gives its ids as `OldIds`.
    ///
    /// Drop the `Arc` first: then the next generation takes over the memory, and growing it costs nothing.
    pub fn release_generation(&mut self, number: u64) {
        self.ids.release(number);
    }

    /// The number of the generation that is being filled. All below it are full: in memory, on disk, or both.
    #[must_use]
    pub const fn current_generation(&self) -> u64 {
        self.ids.current_number()
    }

    /// How many full generations are in memory. Each takes up to 64 MiB: the caller holds back blocks when it
    /// is slow to store them.
    #[must_use]
    pub fn generations_waiting(&self) -> usize {
        self.ids.sealed_count()
    }

    /// Replaces the key that places ids in the duplicate table, by default derived from genesis.
    ///
    /// A secret of the node keeps banks from choosing ids that collide. It changes no answer and no digest.
    pub fn set_id_table_key(&mut self, key: [u64; 2]) {
        self.ids.set_key(key);
    }

    pub(crate) fn hot(&self, number: AccountNumber) -> Option<&Account> {
        self.accounts.get(number.0 as usize)
    }

    /// An account that the authorisation step has seen; accounts never cease to exist.
    pub(crate) fn authorised(&self, number: AccountNumber) -> &Account {
        &self.accounts[number.0 as usize]
    }

    /// The issuer of the asset that an account holds.
    pub(crate) fn issuer_of(&self, account: &Account) -> ParticipantNumber {
        self.registry.assets[account.asset.0 as usize].issuer
    }

    /// An account to write to; notes that it is to be hashed again.
    pub(crate) fn account_mut(&mut self, number: AccountNumber) -> &mut Account {
        let account = &mut self.accounts[number.0 as usize];
        if !account.touched {
            account.touched = true;
            self.touched.push(number.0);
        }
        account
    }

    /// Changes the balance of an account by a change that was checked to stay within the bounds.
    pub(crate) fn post(&mut self, number: AccountNumber, change: i128) {
        let account = self.account_mut(number);
        account.posted =
            account.posted.checked_add(change).expect("checked before anything was written");
        #[cfg(feature = "planted")]
        if crate::planted::is(crate::planted::Bug::ClippedOverflow) {
            let end = i128::from(u64::MAX);
            account.posted = crate::Balance::new(account.posted.minor().min(end));
        }
    }

    /// Opens an account whose owner, asset and label were checked.
    pub(crate) fn open(&mut self, command: &OpenAccount) -> AccountNumber {
        let number = self.registry.add_account(command);
        self.names_digest =
            chain_name(&self.names_digest, command.owner, command.asset, command.label);
        self.accounts.push(Account::open(command.owner, command.asset));
        self.account_mut(number);
        number
    }
}
