//! `corridor iso explain`: what a reason code, an external code, a rule or a message is about.
//!
//! Everything is looked up in the same lists that validation and answers use, so that what is
//! explained is what happens. Nothing is guessed: what is not known is an error.

mod messages;

use std::fmt::{self, Display, Write};

use anyhow::{Result, bail};
use clap::Args;
use iso20022::rules::{self, ReaderRule, Rule};
use iso20022::{Layer, Profile, Severity, codes, table};
use ledger::Refusal;

/// Arguments of `corridor iso explain`.
#[derive(Debug, Args)]
pub struct ExplainArguments {
    /// A code (AC04), the identifier of a rule (base.control-sum) or the start of some (cbpr.), the
    /// number of a refusal (ledger.120), a code list, or a message (pacs.008, pacs.008.001.08)
    code: String,
}

/// Runs `corridor iso explain`.
pub(super) fn run(arguments: ExplainArguments) -> Result<()> {
    let asked = arguments.code.trim();
    let found = match explain(asked)? {
        // Codes are in capitals, and typed as it comes.
        None => explain(&asked.to_uppercase())?,
        found => found,
    };
    let Some(text) = found.filter(|_| !asked.is_empty()) else {
        bail!(
            "nothing is known about `{}`: neither a code of the lists of {}, nor a rule, nor a message",
            arguments.code,
            codes::edition()
        );
    };
    print!("{text}");
    Ok(())
}

/// The explanation; `None` when nothing is known.
fn explain(asked: &str) -> Result<Option<String>, fmt::Error> {
    let mut text = String::new();
    if let Some(rule) = rules::find(asked) {
        of_rule(rule, &mut text)?;
    } else if let Some(rule) = rules::READER.iter().find(|rule| rule.id == asked) {
        of_reader_rule(rule, &mut text)?;
    } else if let Some(rule) = translate::rules::ALL.iter().find(|rule| rule.id == asked) {
        of_network_rule(rule, &mut text)?;
    } else if let Some(refusal) = refusal(asked) {
        of_refusal(refusal, &mut text)?;
    } else if let Some(set) = codes::set(asked) {
        of_set(set, &mut text)?;
    } else {
        messages::explain(asked, &mut text)?;
        of_code(asked, &mut text)?;
        if text.is_empty() {
            list_rules(asked, &mut text)?;
        }
    }
    Ok((!text.is_empty()).then_some(text))
}

fn refusal(asked: &str) -> Option<Refusal> {
    Refusal::from_code(asked.strip_prefix("ledger.")?.parse().ok()?)
}

fn layer_name(layer: Layer) -> &'static str {
    match layer {
        Layer::Transport => "transport and XML",
        Layer::Schema => "schema",
        Layer::CrossField => "between elements",
        Layer::Profile => "profile",
        Layer::ReferenceData => "reference data",
        Layer::Ledger => "ledger",
    }
}

fn line(text: &mut String, label: &str, value: impl Display) -> fmt::Result {
    writeln!(text, "  {label:<9} {value}")
}

fn of_rule(rule: &Rule, text: &mut String) -> fmt::Result {
    writeln!(text, "{}: {}", rule.id, rule.text)?;
    line(text, "layer", format_args!("{} ({})", rule.layer.short(), layer_name(rule.layer)))?;
    let strength = Profile::ALL.map(|profile| match rule.severity(profile) {
        Some(Severity::Error) => format!("{profile} error"),
        Some(Severity::Warning) => format!("{profile} warning"),
        None => format!("{profile} -"),
    });
    line(text, "profiles", strength.join(", "))?;
    line(text, "messages", rule.families)?;
    for code in rule.codes {
        line(text, "code", format_args!("{code} {}", reason(code)))?;
    }
    line(text, "source", rule.source)?;
    line(text, "to do", to_do(rule.layer))
}

fn of_reader_rule(rule: &ReaderRule, text: &mut String) -> fmt::Result {
    writeln!(text, "{}: {}", rule.id, rule.text)?;
    line(text, "layer", format_args!("{} ({})", rule.layer.short(), layer_name(rule.layer)))?;
    line(text, "profiles", "all: an error")?;
    let source = match rule.layer {
        Layer::Transport => "XML 1.0 and its namespaces, and the bounds of the reader",
        _ => "the schema of the message",
    };
    line(text, "source", source)?;
    line(text, "to do", to_do(rule.layer))
}

fn of_network_rule(rule: &translate::rules::Rule, text: &mut String) -> fmt::Result {
    writeln!(text, "{}: {}", rule.id, rule.text)?;
    line(text, "layer", format_args!("{} ({})", rule.layer.short(), layer_name(rule.layer)))?;
    line(text, "code", format_args!("{} {}", rule.code, reason(rule.code)))?;
    line(text, "source", "the settlement network, in a gateway, against its directory")?;
    line(text, "to do", "correct the instruction; a payment with this finding has moved nothing")
}

fn of_refusal(refusal: Refusal, text: &mut String) -> fmt::Result {
    writeln!(text, "ledger.{}: {}", refusal.code(), refusal.name())?;
    line(text, "layer", format_args!("L5 ({})", layer_name(Layer::Ledger)))?;
    let code = refusal.iso_code();
    line(text, "code", format_args!("{code} {}", reason(code)))?;
    line(text, "to do", refusal.sender_text())
}

/// What a status reason means, where it is told.
fn reason(code: &str) -> &'static str {
    codes::meaning(STATUS_REASONS, code).unwrap_or("")
}

const STATUS_REASONS: &str = "ExternalStatusReason1Code";

fn to_do(layer: Layer) -> &'static str {
    match layer {
        Layer::Transport => "send well-formed UTF-8 XML of a supported message; nothing was read",
        Layer::Schema => {
            "correct what the path names, and validate against the schema before sending"
        }
        Layer::CrossField => "make the elements agree, and send the corrected message as a new one",
        Layer::Profile => "follow the profile, or send to somebody who does not ask for it",
        Layer::ReferenceData => {
            "look the value up at its source; it is well-formed, but not a real one"
        }
        Layer::Ledger => "see the text of the answer",
    }
}

fn of_set(set: &codes::CodeSet, text: &mut String) -> fmt::Result {
    let count = set.codes().len();
    writeln!(text, "{}: an external code list, {count} codes in {}", set.name(), codes::edition())?;
    for code in set.codes() {
        let meaning = codes::meaning(set.name(), code).unwrap_or("");
        writeln!(text, "{}", format!("  {code:<9} {meaning}").trim_end())?;
    }
    Ok(())
}

/// A code: the lists that have it, and who gives it.
fn of_code(code: &str, text: &mut String) -> fmt::Result {
    let lists: Vec<_> = codes::sets().iter().filter(|set| set.contains(code)).collect();
    if lists.is_empty() {
        return Ok(());
    }
    writeln!(text, "{code}: a code of {}", plural(lists.len(), "external list"))?;
    for set in &lists {
        let meaning =
            codes::meaning(set.name(), code).unwrap_or("listed there; its text is with the list");
        line(text, "in", format_args!("{}: {meaning}", set.name()))?;
    }
    if lists.iter().all(|set| set.name() != STATUS_REASONS) {
        return Ok(());
    }
    for rule in rules::all().iter().filter(|rule| rule.codes.contains(&code)) {
        line(text, "given by", format_args!("{} {}", rule.id, rule.text))?;
    }
    for rule in translate::rules::ALL.iter().filter(|rule| rule.code == code) {
        line(text, "given by", format_args!("{} {}", rule.id, rule.text))?;
    }
    for refusal in Refusal::ALL.iter().filter(|refusal| refusal.iso_code() == code) {
        let number = refusal.code();
        line(text, "given by", format_args!("ledger.{number} {}", refusal.sender_text()))?;
    }
    if rules::READER_CODES.contains(&code) {
        line(text, "given by", "the reader, for what is not well-formed or not in the schema")?;
    }
    line(
        text,
        "to do",
        "see the rule and the path in the answer; `corridor iso explain RULE` says more",
    )
}

fn plural(count: usize, noun: &str) -> String {
    if count == 1 { format!("one {noun}") } else { format!("{count} {noun}s") }
}

/// The rules whose identifiers start with what was asked for.
fn list_rules(start: &str, text: &mut String) -> fmt::Result {
    if start.is_empty() {
        return Ok(());
    }
    for rule in rules::all().iter().filter(|rule| rule.id.starts_with(start)) {
        writeln!(text, "{}: {}", rule.id, rule.text)?;
    }
    for rule in rules::READER.iter().filter(|rule| rule.id.starts_with(start)) {
        writeln!(text, "{}: {}", rule.id, rule.text)?;
    }
    for rule in translate::rules::ALL.iter().filter(|rule| rule.id.starts_with(start)) {
        writeln!(text, "{}: {}", rule.id, rule.text)?;
    }
    Ok(())
}

/// Every version of a message that tables are there for, as text.
fn versions(family: &str) -> String {
    let names = table::names();
    let known = names.iter().filter(|name| name.family() == family);
    known.map(|name| name.as_str()[9..].to_owned()).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn told(asked: &str) -> String {
        explain(asked).unwrap().unwrap_or_default()
    }

    #[test]
    fn everything_that_an_answer_may_name_is_explained() {
        for rule in rules::all() {
            let text = told(rule.id);
            assert!(text.starts_with(rule.id) && text.contains(rule.source), "{text}");
            for code in rule.codes {
                assert!(told(code).contains(rule.id), "{code}");
            }
        }
        for rule in rules::READER {
            assert!(told(rule.id).contains("to do"), "{}", rule.id);
        }
        for rule in translate::rules::ALL {
            assert!(told(rule.id).contains(rule.text), "{}", rule.id);
        }
        for refusal in Refusal::ALL {
            let id = format!("ledger.{}", refusal.code());
            assert!(told(&id).contains(refusal.sender_text()), "{id}");
            assert!(told(refusal.iso_code()).contains(&id), "{id}");
        }
        for code in rules::READER_CODES {
            assert!(told(code).contains("the reader"), "{code}");
        }
    }

    #[test]
    fn codes_lists_and_messages_are_explained() {
        let text = told("AC14");
        assert!(
            text.contains("ExternalStatusReason1Code")
                && text.contains("ExternalReturnReason1Code")
        );
        assert!(told("ExternalBalanceType1Code").contains("CLBD"));
        assert!(
            told("pacs.008").contains("001.08") && told("pacs.008.001.08").contains("pacs.008")
        );
        assert!(told("pacs.008.001.99").contains("not"));
        assert!(told("cbpr.address").lines().count() > 3);
        for nothing in ["", "ZZZZ", "base.nothing", "ledger.1", "pacs.999"] {
            assert_eq!(explain(nothing).unwrap(), None, "{nothing}");
        }
    }

    #[test]
    fn every_code_that_is_given_has_a_meaning() {
        for rule in rules::all() {
            for code in rule.codes {
                assert!(!reason(code).is_empty(), "{code}");
            }
        }
        let others = translate::rules::ALL.iter().map(|rule| rule.code);
        for code in others.chain(Refusal::ALL.iter().map(|refusal| refusal.iso_code())) {
            assert!(!reason(code).is_empty(), "{code}");
        }
    }
}
