//! `corridor iso sample`: a valid random message, the same one for the same seed.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::Args;
use iso20022::{Limits, MessageName, Profile, read, sample, table, writer};

use super::rewrite::put;

/// Versions in use between banks; of other families the newest is taken.
const IN_USE: [&str; 34] = [
    "head.001.001.02",
    "pacs.008.001.08",
    "pacs.009.001.08",
    "pacs.002.001.10",
    "pacs.004.001.09",
    "pacs.010.001.03",
    "pacs.028.001.03",
    "camt.056.001.08",
    "camt.029.001.09",
    "camt.110.001.01",
    "camt.111.001.02",
    "camt.050.001.05",
    "camt.025.001.05",
    "camt.003.001.07",
    "camt.004.001.08",
    "camt.005.001.08",
    "camt.006.001.08",
    "camt.007.001.08",
    "camt.008.001.08",
    "camt.009.001.07",
    "camt.010.001.08",
    "camt.011.001.07",
    "camt.012.001.07",
    "camt.046.001.05",
    "camt.047.001.06",
    "camt.048.001.05",
    "camt.049.001.05",
    "camt.052.001.08",
    "camt.053.001.08",
    "camt.054.001.08",
    "camt.060.001.05",
    "camt.057.001.06",
    "pain.001.001.09",
    "pain.002.001.10",
];

/// Arguments of `corridor iso sample`.
#[derive(Debug, Args)]
pub struct SampleArguments {
    /// Name of the message, e.g. pacs.008.001.08, or of its family, e.g. pacs.008
    message: String,
    /// Rules that the message keeps: base, cbpr, hvps or corridor
    #[arg(long, default_value = "base")]
    profile: Profile,
    /// Which of the random messages
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Each element on a line of its own
    #[arg(long)]
    indent: bool,
    /// Write to this file instead of standard output
    #[arg(long)]
    out: Option<PathBuf>,
}

/// Runs `corridor iso sample`.
pub(super) fn run(arguments: SampleArguments) -> Result<()> {
    let name = message_name(&arguments.message)?;
    let bytes = made(name, arguments.profile, arguments.seed, arguments.indent)?;
    put(&bytes, arguments.out.as_deref())
}

/// The message meant by a name or by the name of a family.
fn message_name(text: &str) -> Result<MessageName> {
    let names = table::names();
    let known = text.parse::<MessageName>().ok().filter(|name| names.contains(name));
    let family = || names.iter().copied().filter(|name| name.family() == text);
    let in_use = || family().find(|name| IN_USE.contains(&name.as_str()));
    known.or_else(in_use).or_else(|| family().next_back()).with_context(|| {
        format!("there is no message `{text}`; a name looks like pacs.008.001.08 or pacs.008")
    })
}

fn made(name: MessageName, profile: Profile, seed: u64, indent: bool) -> Result<Vec<u8>> {
    if name.family().starts_with("head.") {
        // The rules speak of messages, not of a header alone.
        return Ok(sample::schema_valid(name, seed)?);
    }
    let bytes = sample::valid(name, profile, seed)?;
    if !indent {
        return Ok(bytes);
    }
    let message = match read(&bytes, &Limits::batch()) {
        Ok(message) => message,
        Err(unreadable) => bail!(unreadable),
    };
    Ok(match &message.header {
        Some((_, header)) => writer::write_envelope_indented(header, &message.document),
        None => writer::write_indented(&message.document),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_family_stands_for_the_version_in_use() {
        for name in IN_USE {
            let name: MessageName = name.parse().unwrap();
            assert_eq!(message_name(name.family()).unwrap(), name);
            assert_eq!(message_name(name.as_str()).unwrap(), name);
        }
        assert!(message_name("pacs.002.001.15").is_ok() && message_name("pacs.003").is_ok());
        let error = message_name("pacs").unwrap_err().to_string();
        assert!(error.contains("`pacs`"), "{error}");
    }

    #[test]
    fn one_seed_one_message() {
        let name = "camt.056.001.08".parse().unwrap();
        let one = made(name, Profile::Base, 5, false).unwrap();
        assert_eq!(one, made(name, Profile::Base, 5, false).unwrap());
        assert_ne!(one, made(name, Profile::Base, 6, false).unwrap());
        let indented = read(&made(name, Profile::Base, 5, true).unwrap(), &Limits::message());
        assert_eq!(writer::write(&indented.unwrap().document), one);
    }
}
