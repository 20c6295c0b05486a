//! `corridor ledger`: what a bank asks of the ledger of a running network, with its signature, and how things stand.
//!
//! Every command goes one way: its words become a command of the ledger (`actions.rs`, `transfer.rs`), that is signed
//! (`sign.rs`), sent to a node over the bank's link and answered (`submit.rs`), and the answer is told (`answer.rs`).
//! Where several banks must sign, the first writes a file, the others complete it, and one sends it. Questions are
//! answered by a node's HTTP interface from one applied state (`look.rs`).

mod access;
mod actions;
mod answer;
mod hours;
mod liquidity;
mod look;
mod network;
mod sign;
mod submit;
pub(crate) mod times;
mod transfer;
mod what_if;

use anyhow::Result;
use clap::Subcommand;

pub use answer::Told;
pub(crate) use look::first;
pub use look::{Standing, end_of};
pub use network::Network;
pub(crate) use network::id;
pub use sign::{Signing, ask};
pub(crate) use times::{parse as parse_time, span as parse_span};

/// Something that can be signed: a kind of command with its words.
pub trait Action {
    /// Looks up what the command needs of the network beside its registry.
    ///
    /// # Errors
    /// A sentence for whoever typed it.
    fn prepare(&self, _network: &Network) -> impl Future<Output = Result<()>> {
        async { Ok(()) }
    }

    /// The command that it stands for, in this network.
    ///
    /// # Errors
    /// A sentence for whoever typed it.
    fn command(&self, network: &Network) -> Result<ledger::Command>;
}

/// `corridor ledger ...`.
#[derive(Debug, Subcommand)]
pub enum LedgerCommand {
    /// Move money: one leg or many, at once or under conditions
    Transfer(Signed<transfer::TransferWords>),
    /// Approve a transfer that waits for you
    Approve(Signed<actions::Approve>),
    /// Refuse a transfer that waits for you, or that would credit you
    Refuse(Signed<actions::Refuse>),
    /// Show the secret that a transfer waits for
    Reveal(Signed<actions::Reveal>),
    /// Cancel a transfer that waits
    Cancel(Signed<actions::Cancel>),
    /// Move a transfer in the queue
    Reorder(Signed<actions::Reorder>),
    /// Give back what a settled transfer moved, in part or whole
    Return(Signed<actions::Return>),
    /// Create money on an account, as the issuer of its asset
    Issue(Signed<actions::Issue>),
    /// Take money out of circulation, as issuer and owner together
    Redeem(Signed<actions::Redeem>),
    /// Open an account
    Open(Signed<actions::Open>),
    /// Set the credit line of an account, as the issuer of its asset
    Floor(Signed<actions::Floor>),
    /// Restrict, release or close an account
    Status(Signed<actions::Status>),
    /// Limit what an account pays: for each payment, in a window of time, towards one bank or all
    Limit(Signed<liquidity::Limit>),
    /// Keep money of an account for urgent or high transfers
    Reserve(Signed<liquidity::Reserve>),
    /// Have each credit of an account wait for its owner's approval, or end that
    Accept(Signed<liquidity::Accept>),
    /// Lines at which the owner of an account is told of its balance
    Notices(Signed<liquidity::Notices>),
    /// Record the digest of a document, without money
    Attest(Signed<liquidity::Attest>),
    /// Record that data of parties is read: who, what, on what ground. Do so before it is read
    Access(Signed<access::AccessWords>),
    /// Add your signature to a file that another bank has written
    Sign(sign::SignArguments),
    /// Send a file that all have signed
    Send(sign::SendArguments),
    /// What became of a command, by its id
    Show(look::IdArguments),
    /// What a transfer waits for
    Explain(look::IdArguments),
    /// Balance, credit line and status of an account
    Account(look::AccountArguments),
    /// Transfers that wait, in the order of the queue
    Queue(look::QueueArguments),
    /// What would settle if something were different; nothing is changed
    #[command(subcommand)]
    WhatIf(what_if::WhatIfCommand),
    /// The business day of each asset, and the limits that are set for all
    Day(hours::DayArguments),
}

/// The words of a command, and who signs it.
#[derive(Debug, clap::Args)]
pub struct Signed<A: clap::Args> {
    #[command(flatten)]
    action: A,
    #[command(flatten)]
    signing: Signing,
}

impl<A: clap::Args + Action> Signed<A> {
    /// Signs and sends it, or writes it to a file for others to sign.
    pub async fn run(self) -> Result<()> {
        let network = Network::open(&self.signing.dir).await?;
        self.action.prepare(&network).await?;
        let command = self.action.command(&network)?;
        sign::act(&network, &self.signing, command).await
    }
}

/// Runs `corridor ledger ...`.
pub async fn run(command: LedgerCommand) -> Result<()> {
    match command {
        LedgerCommand::Transfer(signed) => signed.run().await,
        LedgerCommand::Approve(signed) => signed.run().await,
        LedgerCommand::Refuse(signed) => signed.run().await,
        LedgerCommand::Reveal(signed) => signed.run().await,
        LedgerCommand::Cancel(signed) => signed.run().await,
        LedgerCommand::Reorder(signed) => signed.run().await,
        LedgerCommand::Return(signed) => signed.run().await,
        LedgerCommand::Issue(signed) => signed.run().await,
        LedgerCommand::Redeem(signed) => signed.run().await,
        LedgerCommand::Open(signed) => signed.run().await,
        LedgerCommand::Floor(signed) => signed.run().await,
        LedgerCommand::Status(signed) => signed.run().await,
        LedgerCommand::Limit(signed) => signed.run().await,
        LedgerCommand::Reserve(signed) => signed.run().await,
        LedgerCommand::Accept(signed) => signed.run().await,
        LedgerCommand::Notices(signed) => signed.run().await,
        LedgerCommand::Attest(signed) => signed.run().await,
        LedgerCommand::Access(signed) => signed.run().await,
        LedgerCommand::Sign(arguments) => sign::sign(arguments).await,
        LedgerCommand::Send(arguments) => sign::send(arguments).await,
        LedgerCommand::Show(arguments) => look::show(arguments).await,
        LedgerCommand::Explain(arguments) => look::explain(arguments).await,
        LedgerCommand::Account(arguments) => look::account(arguments).await,
        LedgerCommand::Queue(arguments) => look::queue(arguments).await,
        LedgerCommand::WhatIf(command) => what_if::run(command).await,
        LedgerCommand::Day(arguments) => hours::run(arguments).await,
    }
}
