//! Reading a policy: lines of items, names before they are used, each thing once.

use std::collections::{BTreeMap, BTreeSet};

use super::{Group, Log, Member, NAMES_MAX, NONE, POLICY_BYTES_MAX, Policy, PolicyError, Witness};
use crate::{
    key::{KeyType, VerifierKey},
    text::decimal,
};

/// What was read so far.
#[derive(Default)]
struct Reading {
    logs: Vec<Log>,
    witnesses: Vec<Witness>,
    groups: Vec<Group>,
    names: BTreeMap<String, Member>,
    /// Members of some group: each may be in one only.
    used: BTreeSet<Member>,
    quorum: Option<Option<Member>>,
}

pub(super) fn policy(bytes: &[u8]) -> Result<Policy, PolicyError> {
    if bytes.len() > POLICY_BYTES_MAX {
        return Err(PolicyError::TooLong(bytes.len()));
    }
    let mut reading = Reading::default();
    let mut rest = bytes;
    for line in 1.. {
        if rest.is_empty() {
            break;
        }
        let end = rest.iter().position(|byte| *byte == b'\n').ok_or(PolicyError::Text(line))?;
        let text = &rest[..end];
        rest = &rest[end + 1..];
        let control = |byte: &u8| (*byte < 0x20 && *byte != b'\t') || *byte == 0x7f;
        if text.iter().any(control) {
            return Err(PolicyError::Text(line));
        }
        let trimmed = text.trim_ascii();
        // Comments are opaque: they may be in any character set.
        if trimmed.is_empty() || trimmed[0] == b'#' {
            continue;
        }
        let text = str::from_utf8(trimmed).map_err(|_| PolicyError::Text(line))?;
        let items: Vec<&str> = text.split([' ', '\t']).filter(|item| !item.is_empty()).collect();
        reading.line(line, &items)?;
    }
    let quorum = reading.quorum.ok_or(PolicyError::NoQuorum)?;
    let Reading { logs, witnesses, groups, .. } = reading;
    Ok(Policy { logs, witnesses, groups, quorum })
}

impl Reading {
    fn line(&mut self, line: usize, items: &[&str]) -> Result<(), PolicyError> {
        let wrong = |what: String| PolicyError::Line { line, what };
        match items {
            ["log", key, url @ ..] if url.len() < 2 => {
                let key = read_key(line, key, KeyType::Note)?;
                if self.logs.iter().any(|log| log.key.public() == key.public()) {
                    return Err(wrong("the key of this log is listed twice".to_owned()));
                }
                self.logs.push(Log { key, url: url.first().map(|url| (*url).to_owned()) });
                bounded(line, self.logs.len())
            }
            ["witness", name, key, url @ ..] if url.len() < 2 => {
                let key = read_key(line, key, KeyType::Cosignature)?;
                if self.witnesses.iter().any(|witness| witness.key.public() == key.public()) {
                    return Err(wrong("the key of this witness is listed twice".to_owned()));
                }
                self.define(line, name, Member::Witness(self.witnesses.len()))?;
                let url = url.first().map(|url| (*url).to_owned());
                self.witnesses.push(Witness { name: (*name).to_owned(), key, url });
                bounded(line, self.witnesses.len())
            }
            ["group", name, threshold, members @ ..] if !members.is_empty() => {
                let members = members.iter().map(|name| self.member(line, name)).collect::<Result<
                    Vec<_>,
                    _,
                >>(
                )?;
                for member in &members {
                    if !self.used.insert(*member) {
                        return Err(wrong("a member is in a group already".to_owned()));
                    }
                }
                let threshold = match *threshold {
                    "all" => Some(members.len()),
                    "any" => Some(1),
                    number => decimal(number)
                        .and_then(|number| usize::try_from(number).ok())
                        .filter(|number| (1..=members.len()).contains(number)),
                };
                let threshold = threshold.ok_or_else(|| {
                    wrong(
                        "a group needs `all`, `any` or a number from 1 to that of its members"
                            .into(),
                    )
                })?;
                self.define(line, name, Member::Group(self.groups.len()))?;
                self.groups.push(Group { name: (*name).to_owned(), threshold, members });
                bounded(line, self.groups.len())
            }
            ["quorum", name] => {
                if self.quorum.is_some() {
                    return Err(wrong("there is a quorum already".to_owned()));
                }
                let quorum = if *name == NONE { None } else { Some(self.member(line, name)?) };
                self.quorum = Some(quorum);
                Ok(())
            }
            _ => Err(wrong("this is no line of a policy".to_owned())),
        }
    }

    fn define(&mut self, line: usize, name: &str, member: Member) -> Result<(), PolicyError> {
        if name == NONE || self.names.insert(name.to_owned(), member).is_some() {
            return Err(PolicyError::Line { line, what: format!("the name {name} is taken") });
        }
        Ok(())
    }

    fn member(&self, line: usize, name: &str) -> Result<Member, PolicyError> {
        self.names.get(name).copied().ok_or_else(|| PolicyError::Line {
            line,
            what: format!("nothing before this line is called {name}"),
        })
    }
}

fn read_key(line: usize, text: &str, kind: KeyType) -> Result<VerifierKey, PolicyError> {
    let key = VerifierKey::parse(text).map_err(|error| PolicyError::Key { line, error })?;
    if key.kind() == kind {
        Ok(key)
    } else {
        let what = format!(
            "a key of type {:#04x} is needed here; this one is of type {:#04x}",
            kind.code(),
            key.kind().code()
        );
        Err(PolicyError::Line { line, what })
    }
}

fn bounded(line: usize, count: usize) -> Result<(), PolicyError> {
    if count > NAMES_MAX {
        return Err(PolicyError::Line { line, what: format!("more than {NAMES_MAX} of a kind") });
    }
    Ok(())
}
