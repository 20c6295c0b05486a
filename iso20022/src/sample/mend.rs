//! Mending: a draft is changed until the rules have nothing more against it.
//!
//! For a rule that asks for something, what it asks for is put in; see [`REPAIRS`]. What any other
//! rule objects to is taken out, as little of it as the schema allows.

use super::random::Random;
use super::walk::{Plan, Walk};
use crate::finding::Finding;
use crate::name::MessageName;
use crate::profile::Profile;
use crate::table::{self, Content, Kind, Table, Term, TypeId};
use crate::writer::Draft;

/// What helps against the objection of a rule, at the place of the finding.
enum Repair {
    /// Put in elements at the first of the paths that the schema knows, in each group.
    Add(&'static [&'static [&'static str]]),
    /// Set the text of the element to the first of these that its type takes.
    Text(&'static [&'static str]),
    /// Make the institution known by its BIC alone.
    Institution,
    /// Settle in the way of the profile.
    Settlement,
}

use Repair::{Add, Institution, Settlement, Text};

/// Repairs by rule. Rules that are not listed object to something that can be left out.
static REPAIRS: [(&str, Repair); 33] = [
    ("base.cover-needs-agent", Settlement),
    ("base.settlement-method-agents", Settlement),
    ("base.clearing-named", Settlement),
    ("cbpr.settlement-method", Settlement),
    ("hvps.settlement-clearing", Settlement),
    ("corridor.uetr-present", Add(&[&["UETR", "PmtId/UETR"]])),
    ("cbpr.uetr-present", Add(&[&["PmtId/UETR", "UETR"]])),
    ("cbpr.instruction-id-present", Add(&[&["PmtId/InstrId"]])),
    ("cbpr.settlement-date-present", Add(&[&["IntrBkSttlmDt"]])),
    ("hvps.settlement-date", Add(&[&["IntrBkSttlmDt"]])),
    ("cbpr.agents-present", Add(&[&["InstgAgt/FinInstnId/BICFI"], &["InstdAgt/FinInstnId/BICFI"]])),
    (
        "hvps.agents-identified",
        Add(&[&["InstgAgt/FinInstnId/BICFI"], &["InstdAgt/FinInstnId/BICFI"]]),
    ),
    ("cbpr.debtor-identified", Add(&[&["DbtrAcct/Id/Othr/Id"]])),
    ("cbpr.charges-with-cred", Add(&[&["ChrgsInf"]])),
    ("cbpr.party-name", Add(&[&["Nm"]])),
    ("cbpr.party-named", Add(&[&["Nm", "Pty/Nm"]])),
    ("cbpr.party-address", Add(&[&["PstlAdr/TwnNm"], &["PstlAdr/Ctry"]])),
    ("cbpr.address-town-country", Add(&[&["TwnNm"], &["Ctry"]])),
    ("cbpr.agent-identified", Institution),
    ("cbpr.agent-name-address", Institution),
    ("cbpr.status-single", Add(&[&["TxInfAndSts"]])),
    (
        "cbpr.status-original",
        Add(&[
            &["OrgnlEndToEndId"],
            &["OrgnlUETR"],
            &["OrgnlGrpInf/OrgnlMsgId"],
            &["OrgnlGrpInf/OrgnlMsgNmId"],
        ]),
    ),
    ("cbpr.return-uetr", Add(&[&["OrgnlUETR"]])),
    ("cbpr.return-quotes", Add(&[&["OrgnlIntrBkSttlmAmt"], &["OrgnlIntrBkSttlmDt"]])),
    ("cbpr.return-chain", Add(&[&["RtrChain"]])),
    ("cbpr.return-charge-bearer", Text(&["SHAR"])),
    ("cbpr.related-uetr", Add(&[&["OrgnlUETR"]])),
    ("base.recall-original-named", Add(&[&["OrgnlEndToEndId"]])),
    ("base.status-original-named", Add(&[&["OrgnlEndToEndId"]])),
    ("base.rejection-reason", Add(&[&["StsRsnInf/Rsn/Cd"]])),
    ("base.recall-reason", Add(&[&["CxlRsnInf/Rsn/Cd"]])),
    ("base.resolution-reason", Text(&["CNCL", "ACCR"])),
    ("base.request-original-named", Add(&[&["TxInf/OrgnlUETR", "TxInf/OrgnlEndToEndId"]])),
];

/// Mends drafts of one message for one profile.
pub(super) struct Mender {
    table: &'static Table,
    root: &'static table::Root,
    profile: Profile,
    random: Random,
}

impl Mender {
    pub(super) fn new(message: MessageName, profile: Profile, seed: u64) -> Option<Self> {
        let (table, root) = table::root_of(message)?;
        Some(Self { table, root, profile, random: Random::new(seed) })
    }

    /// Changes a draft so that a finding goes away, perhaps. False when nothing could be changed.
    pub(super) fn mend(&mut self, draft: &mut Draft, finding: &Finding) -> bool {
        let mut steps = finding.path.split('/').skip(1).filter(|step| !step.starts_with('@'));
        if steps.next() != Some(self.root.element.as_str()) {
            return false;
        }
        let steps: Vec<Step<'_>> = steps.map(step).collect();
        let repair = REPAIRS.iter().find(|(rule, _)| *rule == finding.rule);
        if let Some((_, repair)) = repair
            && self.repair(draft, &steps, repair)
        {
            return true;
        }
        (0..steps.len()).rev().any(|depth| self.remove(draft, &steps[..depth], steps[depth]))
    }

    fn repair(&mut self, draft: &mut Draft, steps: &[Step<'_>], repair: &Repair) -> bool {
        match repair {
            Add(groups) => {
                let Some((draft, type_id)) = follow(self.table, self.root.type_id, draft, steps)
                else {
                    return false;
                };
                // All of them: one may be there already.
                let added = groups.iter().map(|paths| {
                    paths.iter().any(|path| add(self.table, &mut self.random, draft, type_id, path))
                });
                added.fold(false, |any, one| any | one)
            }
            Text(texts) => {
                let found = follow(self.table, self.root.type_id, draft, steps);
                let Some((draft, type_id)) = found else { return false };
                let Some(simple) = self.table.simple(type_id) else { return false };
                let fits = |text: &&&str| self.table.check(simple, text).is_ok();
                let Some(text) = texts.iter().find(fits) else { return false };
                let changed = draft.text.as_str() != *text;
                draft.text = (*text).into();
                changed
            }
            Institution => {
                let Some((draft, type_id)) = follow(self.table, self.root.type_id, draft, steps)
                else {
                    return false;
                };
                let inner = draft.children.iter().position(|c| c.name.as_str() == "FinInstnId");
                match inner {
                    Some(at) => draft.children[at].children.clear(),
                    None => return false,
                }
                ["FinInstnId/BICFI", "FinInstnId/BIC"]
                    .iter()
                    .any(|path| add(self.table, &mut self.random, draft, type_id, path))
            }
            Settlement => self.settlement(draft, steps),
        }
    }

    /// Rewrites the settlement information, wherever in it the finding is.
    fn settlement(&mut self, draft: &mut Draft, steps: &[Step<'_>]) -> bool {
        let Some(at) = steps.iter().position(|step| step.0 == "SttlmInf") else { return false };
        let found = follow(self.table, self.root.type_id, draft, &steps[..=at]);
        let Some((draft, type_id)) = found else { return false };
        draft.children.clear();
        let (method, system) = match self.profile {
            Profile::Corridor => ("CLRG", Some("CORRIDOR")),
            Profile::Hvps => ("CLRG", Some("RTGS")),
            Profile::Base | Profile::Cbpr => ("INDA", None),
        };
        draft.set("SttlmMtd", method);
        if let Some(system) = system
            && add(self.table, &mut self.random, draft, type_id, "ClrSys/Prtry")
        {
            draft.set("ClrSys/Prtry", system);
        }
        true
    }

    /// Removes one child of the element at the end of `parents`, if what is left is still valid.
    fn remove(&self, draft: &mut Draft, parents: &[Step<'_>], child: Step<'_>) -> bool {
        let found = follow(self.table, self.root.type_id, draft, parents);
        let Some((draft, type_id)) = found else { return false };
        let Some(content) = content(self.table, type_id) else { return false };
        let Some(at) = position(draft, child) else { return false };
        let Some(option) = content.options.iter().find(|option| option.name == child.0) else {
            return false;
        };
        let count = draft.children.iter().filter(|one| one.name.as_str() == child.0).count();
        let may_go = content.slots[option.slot].optional || count > option.min.max(1) as usize;
        // An element that is left empty says nothing; its parent is the one to take out.
        if may_go && draft.children.len() > 1 {
            draft.children.remove(at);
            return true;
        }
        false
    }
}

/// Name and index (from 0) of one step of a path.
type Step<'a> = (&'a str, usize);

fn step(text: &str) -> Step<'_> {
    let indexed = text.strip_suffix(']').and_then(|text| text.split_once('['));
    indexed.map_or((text, 0), |(name, index)| {
        (name, index.parse::<usize>().unwrap_or(1).saturating_sub(1))
    })
}

fn content(table: &Table, type_id: TypeId) -> Option<&Content> {
    match &table.type_of(type_id).kind {
        Kind::Complex(content) => Some(content),
        Kind::Simple(_) | Kind::Attributed { .. } => None,
    }
}

/// The type of a child element.
fn child_type(table: &Table, parent: TypeId, name: &str) -> Option<TypeId> {
    let option = content(table, parent)?.options.iter().find(|option| option.name == name)?;
    match option.term {
        Term::Element(type_id) => Some(type_id),
        Term::Any | Term::AnySignature => None,
    }
}

/// The element at a path, with its type.
fn follow<'d>(
    table: &Table,
    mut type_id: TypeId,
    mut draft: &'d mut Draft,
    steps: &[Step<'_>],
) -> Option<(&'d mut Draft, TypeId)> {
    for step in steps {
        let at = position(draft, *step)?;
        type_id = child_type(table, type_id, step.0)?;
        draft = &mut draft.children[at];
    }
    Some((draft, type_id))
}

fn position(draft: &Draft, (name, index): Step<'_>) -> Option<usize> {
    let named = draft.children.iter().enumerate().filter(|(_, child)| child.name.as_str() == name);
    named.map(|(at, _)| at).nth(index)
}

/// Puts in what is missing along a path, at its end with all that the schema requires there. False
/// when nothing is missing or the schema does not know the path.
fn add(table: &Table, random: &mut Random, draft: &mut Draft, type_id: TypeId, path: &str) -> bool {
    let names = || path.split('/');
    let known = names().try_fold(type_id, |at, name| child_type(table, at, name));
    if known.is_none() || draft.has(path) {
        return false;
    }
    let (mut draft, mut parent) = (draft, type_id);
    for name in names() {
        let Some(next) = child_type(table, parent, name) else { return false };
        if position(draft, (name, 0)).is_none() {
            let Some(content) = content(table, parent) else { return false };
            make_room(content, draft, name);
            let last = path.ends_with(name) && names().next_back() == Some(name);
            let child = if last {
                Walk::new(table, random, Plan::LEAST).element(name, next, 0)
            } else {
                Draft::new(name)
            };
            draft.children.push(child);
        }
        let Some(at) = position(draft, (name, 0)) else { return false };
        draft = &mut draft.children[at];
        parent = next;
    }
    true
}

/// Takes out the other choices in the place where an element is to stand.
fn make_room(content: &Content, draft: &mut Draft, name: &str) {
    let slot_of = |name: &str| {
        content.options.iter().find(|option| option.name == name).map(|option| option.slot)
    };
    let wanted = slot_of(name);
    draft.children.retain(|child| slot_of(child.name.as_str()) != wanted);
}
