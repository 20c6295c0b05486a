//! `corridor iso`: ISO 20022 messages on the command line, without a network.
//!
//! One module a subcommand. Nothing here talks to a node or a gateway: everything is done by the
//! crate `iso20022`, with files in and text or JSON out.

mod codes;
mod explain;
mod folder;
mod rewrite;
mod sample;
mod show;
mod tables;
mod validate;

use anyhow::Result;
use clap::Subcommand;

/// What to do with messages.
#[derive(Debug, Subcommand)]
pub enum IsoCommand {
    /// Validate messages: against the schema, and by the rules of a profile
    Validate(validate::ValidateArguments),
    /// Say what is in a message: who pays whom, how much, with which references
    Show(show::ShowArguments),
    /// Read a message and write it back in canonical form
    Rewrite(rewrite::RewriteArguments),
    /// Make a valid random message, the same one for the same seed
    Sample(sample::SampleArguments),
    /// Explain a reason code, the identifier of a rule, an external code or the name of a message
    Explain(explain::ExplainArguments),
    /// Generate the file of external code lists from a folder of JSON files
    Codes(codes::CodesArguments),
    /// Generate schema tables from a folder of XML Schemas
    Tables(tables::TablesArguments),
}

/// Runs `corridor iso`.
///
/// # Errors
/// What was asked for could not be done, or a validated message is not valid.
pub fn run(command: IsoCommand) -> Result<()> {
    match command {
        IsoCommand::Validate(arguments) => validate::run(arguments),
        IsoCommand::Show(arguments) => show::run(arguments),
        IsoCommand::Rewrite(arguments) => rewrite::run(arguments),
        IsoCommand::Sample(arguments) => sample::run(arguments),
        IsoCommand::Explain(arguments) => explain::run(arguments),
        IsoCommand::Codes(arguments) => codes::run(arguments),
        IsoCommand::Tables(arguments) => tables::run(arguments),
    }
}
