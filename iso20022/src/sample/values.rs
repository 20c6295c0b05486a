//! Values: a text for each simple type, good for the eye and within its facets.
//!
//! A value is proposed by the meaning of its element (identifiers with check digits, known
//! countries and currencies, dates in one short span of years), and taken if the type allows it;
//! otherwise the facets alone decide. The patterns are walked as the automata that they are
//! compiled to.

use super::random::Random;
use super::walk::Walk;
use crate::pattern::Pattern;
use crate::reference::currency;
use crate::table::{Base, Simple, Table, TypeId};

const COUNTRIES: [&str; 10] = ["BE", "CH", "DE", "ES", "FR", "GB", "IT", "NL", "SG", "US"];
const CURRENCIES: [&str; 8] = ["EUR", "USD", "GBP", "CHF", "JPY", "SGD", "KWD", "SEK"];
/// Countries with IBANs of digits alone, and how many digits follow the check digits.
const IBANS: [(&str, usize); 5] = [("DE", 18), ("BE", 12), ("ES", 20), ("AT", 16), ("PL", 24)];
const BANKS: [&str; 8] = ["ALPH", "BRAV", "CHAR", "DELT", "ECHO", "FOXT", "GOLF", "HOTE"];
const NAMES: [&str; 8] = [
    "Alder and Birch Ltd",
    "Kontor Nord GmbH",
    "Moulin Outils SARL",
    "Puente Textil SA",
    "Lakeside Bakery Inc",
    "Fjell Shipping AS",
    "Harbour Tea Trading",
    "Ticino Orologi SA",
];
const TOWNS: [&str; 8] =
    ["Antwerp", "Basel", "Kiel", "Bilbao", "Lyon", "Leeds", "Utrecht", "Boston"];
const STREETS: [&str; 5] = ["Mill Lane", "Hafenstrasse", "Rue du Port", "Calle Mayor", "Market St"];
const WORDS: [&str; 16] = [
    "invoice", "order", "spare", "parts", "delivery", "March", "contract", "rent", "goods",
    "second", "quarter", "agreed", "final", "advance", "fee", "project",
];
/// Words that only some networks carry; they try escapes and characters of several bytes.
const RARE_WORDS: [&str; 5] = ["R&D", "caf\u{e9}", "<draft>", "\u{17b}uraw", "\"A\""];
/// Letters and digits as references use them.
const REFERENCE: &[u8] = b"ABCDEFGHJKLMNPQRSTUVWXYZ0123456789";
const BASE64: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// A text of a simple type.
pub(super) fn text(walk: &mut Walk<'_, '_>, name: &str, id: TypeId, simple: &Simple) -> String {
    let table = walk.table;
    if !simple.enumeration.is_empty() {
        return simple.enumeration[walk.random.below(simple.enumeration.len())].clone();
    }
    let type_name = &table.type_of(id).name;
    if let Some(proposal) = proposal(walk, name, type_name)
        && table.check(simple, &proposal).is_ok()
    {
        return proposal;
    }
    match simple.base {
        Base::Decimal => number(walk.random, simple, None),
        Base::String => string(walk, name, simple),
        _ => lexical(walk, table, simple),
    }
}

/// An amount of this currency.
pub(super) fn amount(walk: &mut Walk<'_, '_>, id: TypeId, code: &str) -> String {
    match walk.table.simple(id) {
        Some(simple) => number(walk.random, simple, currency::decimals(code)),
        None => String::new(),
    }
}

/// What an element of this name and type usually holds.
fn proposal(walk: &mut Walk<'_, '_>, name: &str, type_name: &str) -> Option<String> {
    let random = &mut *walk.random;
    let is_type = |part: &str| type_name.starts_with(part);
    Some(match name {
        _ if name.contains("UETR") || is_type("UUID") => uuid(random),
        "IBAN" => iban_of(random),
        "LEI" => lei(random),
        "AnyBIC" | "BICFI" | "BIC" | "BICOrBEI" => bic(random),
        "Ctry" | "CtryOfRes" | "CtryOfBirth" => random.pick(&COUNTRIES).to_owned(),
        _ if is_type("CountryCode") => random.pick(&COUNTRIES).to_owned(),
        "Ccy" => random.pick(&CURRENCIES).to_owned(),
        _ if is_type("ActiveCurrencyCode") || is_type("CurrencyCode") => {
            random.pick(&CURRENCIES).to_owned()
        }
        _ if is_type("ActiveOrHistoricCurrencyCode") => random.pick(&CURRENCIES).to_owned(),
        "Nm" => random.pick(&NAMES).to_owned(),
        "TwnNm" => random.pick(&TOWNS).to_owned(),
        "StrtNm" => random.pick(&STREETS).to_owned(),
        "BldgNb" => random.between(1, 200).to_string(),
        "PstCd" => random.between(1000, 99_999).to_string(),
        "OrgnlMsgNmId" | "MsgNmId" | "ReqdMsgNmId" => "pacs.008.001.08".to_owned(),
        "EmailAdr" => "payments@example.com".to_owned(),
        "URLAdr" => "https://example.com/".to_owned(),
        _ if is_type("External") || name == "Cd" => code(name, type_name)?.to_owned(),
        _ => return None,
    })
}

/// A code of an external list that has been in it for years.
fn code(name: &str, type_name: &str) -> Option<&'static str> {
    const CODES: [(&str, &str); 16] = [
        ("ExternalPurpose", "SUPP"),
        ("ExternalCategoryPurpose", "SUPP"),
        ("ExternalServiceLevel", "G001"),
        ("ExternalLocalInstrument", "INST"),
        ("ExternalClearingSystemIdentification", "DEBLZ"),
        ("ExternalCashClearingSystem", "TGT"),
        ("ExternalStatusReason", "AC01"),
        ("ExternalReturnReason", "AC04"),
        ("ExternalCancellationReason", "DUPL"),
        ("ExternalPaymentCancellationRejection", "CUST"),
        ("ExternalPaymentTransactionStatus", "ACSC"),
        ("ExternalPaymentGroupStatus", "ACSC"),
        ("ExternalBalanceType", "CLBD"),
        ("ExternalEntryStatus", "BOOK"),
        ("ExternalCashAccountType", "CACC"),
        ("ExternalOrganisationIdentification", "TXID"),
    ];
    let known = CODES.iter().find(|(prefix, _)| type_name.starts_with(prefix));
    known.map(|(_, code)| *code).or_else(|| (name == "PrxyTp").then_some("TELE"))
}

fn string(walk: &mut Walk<'_, '_>, name: &str, simple: &Simple) -> String {
    if let Some(pattern) = simple.pattern {
        let max = (simple.length_max as usize).min(24.max(simple.length_min as usize));
        let table = walk.table;
        return matching(walk.random, &table.patterns[pattern], simple.length_min as usize, max);
    }
    let max = simple.length_max as usize;
    let min = (simple.length_min as usize).max(1).min(max);
    let is_reference = name.ends_with("Id") || name.ends_with("Ref") || name.ends_with("Nb");
    let mut text = if max <= 4 || is_reference || name == "Prtry" || name == "Cd" {
        let length = walk.random.between(min, max.min(16.max(min)));
        reference(walk.random, length)
    } else {
        let longest = if walk.random.chance(5) { max.min(2000) } else { max.min(60) };
        words(walk, longest.max(min))
    };
    while text.chars().count() < min {
        text.push('0');
    }
    text
}

/// Words up to so many characters, at least one of which is no blank.
pub(super) fn words(walk: &mut Walk<'_, '_>, chars_max: usize) -> String {
    let target = walk.random.between(1, chars_max);
    let mut text = String::new();
    let mut length = 0;
    while length < target {
        let rare = !walk.plan.plain && walk.random.chance(10);
        let word = if rare { walk.random.pick(&RARE_WORDS) } else { walk.random.pick(&WORDS) };
        if length > 0 {
            text.push(' ');
            length += 1;
        }
        text.push_str(word);
        length += word.chars().count();
    }
    let cut: String = text.chars().take(chars_max).collect();
    cut.trim_end().to_owned()
}

/// A reference of exactly this many characters.
pub(super) fn reference(random: &mut Random, length: usize) -> String {
    (0..length).map(|_| char::from(REFERENCE[random.below(REFERENCE.len())])).collect()
}

/// Base64 text of exactly this many octets.
pub(super) fn base64(random: &mut Random, octets: usize) -> String {
    let mut text: String =
        (0..octets / 3 * 4).map(|_| char::from(BASE64[random.below(BASE64.len())])).collect();
    // The last digit before padding has unused bits, which are zero.
    match octets % 3 {
        1 => text.push_str("QQ=="),
        2 => text.push_str("QUI="),
        _ => {}
    }
    text
}

/// A number within digits and minimum, with the decimals of a currency if there is one.
fn number(random: &mut Random, simple: &Simple, decimals: Option<u32>) -> String {
    const DIGITS: u32 = 18;
    let total = simple.total_digits.min(DIGITS);
    let allowed = simple.fraction_digits.min(total);
    let fraction = match decimals {
        Some(decimals) => decimals.min(allowed),
        None => allowed.min(random.between(0, 4) as u32),
    };
    let whole_max = (total - allowed.min(total)).max(1).min(total - fraction.min(total)).min(7);
    let mut text = String::new();
    if whole_max == 0 || total == fraction {
        text.push('0');
    } else {
        let digits = random.between(1, whole_max as usize);
        text.push(char::from(b'1' + random.below(9) as u8));
        text.extend((1..digits).map(|_| char::from(b'0' + random.below(10) as u8)));
    }
    if fraction > 0 {
        text.push('.');
        text.extend((0..fraction).map(|_| char::from(b'0' + random.below(10) as u8)));
    }
    text
}

/// A value of the other built-in types: the first of several forms that the facets allow.
fn lexical(walk: &mut Walk<'_, '_>, table: &Table, simple: &Simple) -> String {
    let plain = walk.plan.plain;
    let random = &mut *walk.random;
    if simple.base == Base::Base64 {
        let min = simple.length_min as usize;
        let max = (simple.length_max as usize).min(min.max(1) + 60);
        let octets = random.between(min.max(1).min(max), max);
        return base64(random, octets);
    }
    let date = date(random);
    let time = format!("{:02}:{:02}:{:02}", random.below(24), random.below(60), random.below(60));
    let zone = random.pick(&["+00:00", "+01:00", "-05:00"]);
    let fraction = if random.chance(50) { ".125" } else { "" };
    let mut forms = match simple.base {
        Base::Boolean => vec![random.pick(&["true", "false"]).to_owned()],
        Base::Date => vec![date],
        Base::DateTime => vec![
            format!("{date}T{time}{fraction}{zone}"),
            format!("{date}T{time}{fraction}Z"),
            format!("{date}T{time}"),
        ],
        Base::Time => vec![format!("{time}{zone}"), format!("{time}Z"), time],
        Base::Year => vec![date[..4].to_owned()],
        _ => vec![date[..7].to_owned()],
    };
    if !plain && random.chance(40) {
        forms.reverse();
    }
    let fits = forms.iter().position(|form| table.check(simple, form).is_ok());
    forms.swap_remove(fits.unwrap_or_default())
}

/// A date that every calendar has.
pub(super) fn date(random: &mut Random) -> String {
    let (year, month) = (random.between(2026, 2029), random.between(1, 12));
    format!("{year}-{month:02}-{:02}", random.between(1, 28))
}

fn uuid(random: &mut Random) -> String {
    let (high, low) = (random.next(), random.next());
    format!(
        "{:08x}-{:04x}-4{:03x}-{:x}{:03x}-{:012x}",
        high >> 32,
        high >> 16 & 0xffff,
        high & 0xfff,
        8 + (low >> 60 & 3),
        low >> 48 & 0xfff,
        low & 0xffff_ffff_ffff
    )
}

fn bic(random: &mut Random) -> String {
    let (bank, country) = (random.pick(&BANKS), random.pick(&COUNTRIES));
    let branch = random.pick(&["", "XXX"]);
    format!("{bank}{country}{}{branch}", random.pick(&["33", "FF", "2X", "MM"]))
}

/// The two digits that make the number which a text spells (A = 10 ... Z = 35) leave a remainder
/// of one by 97; in the text `00` stands in their place.
fn check_digits(text: &str) -> String {
    let remainder = text.chars().filter_map(|digit| digit.to_digit(36)).fold(0, |sum, value| {
        let shift = if value < 10 { 10 } else { 100 };
        (sum * shift + value) % 97
    });
    format!("{:02}", 98 - remainder)
}

fn iban_of(random: &mut Random) -> String {
    let (country, length) = IBANS[random.below(IBANS.len())];
    let account: String = (0..length).map(|_| char::from(b'0' + random.below(10) as u8)).collect();
    let digits = check_digits(&format!("{account}{country}00"));
    format!("{country}{digits}{account}")
}

fn lei(random: &mut Random) -> String {
    let body = format!("9695{}00{}", reference(random, 2), reference(random, 10));
    let digits = check_digits(&format!("{body}00"));
    format!("{body}{digits}")
}

/// A text that an automaton accepts, of `min` to `max` characters where it accepts any such.
fn matching(random: &mut Random, pattern: &Pattern, min: usize, max: usize) -> String {
    let ways = Ways::of(pattern);
    let mut text = String::new();
    let mut state = 0;
    loop {
        let next = &ways.next[state];
        let long_enough = pattern.accepts(state) && text.len() >= min;
        if next.is_empty() || long_enough && (text.len() >= max || random.chance(15)) {
            return text;
        }
        // Only what can still end in time; past it, whatever ends soonest.
        let left = max.saturating_sub(text.len() + 1);
        let nearest = next.iter().map(|(_, to)| ways.to_end[*to]).min().unwrap_or_default();
        let within = left.max(nearest);
        let open: Vec<_> = next.iter().filter(|(_, to)| ways.to_end[*to] <= within).collect();
        let (byte, to) = *open[random.below(open.len())];
        text.push(char::from(byte));
        state = to;
    }
}

/// The states of an automaton that visible characters lead to.
struct Ways {
    /// By state: characters and where they lead.
    next: Vec<Vec<(u8, usize)>>,
    /// By state: how many characters an accepted text still needs.
    to_end: Vec<usize>,
}

impl Ways {
    fn of(pattern: &Pattern) -> Self {
        const NEVER: usize = usize::MAX / 2;
        let mut next: Vec<Vec<(u8, usize)>> = Vec::new();
        let mut known = 1;
        while next.len() < known {
            let state = next.len();
            let steps = (b'!'..=b'~').filter_map(|byte| Some((byte, pattern.step(state, byte)?)));
            next.push(steps.collect());
            let furthest = next[state].iter().map(|(_, to)| to + 1).max();
            known = known.max(furthest.unwrap_or_default());
        }
        let mut to_end: Vec<usize> =
            (0..known).map(|state| if pattern.accepts(state) { 0 } else { NEVER }).collect();
        loop {
            let before = to_end.clone();
            for state in 0..known {
                let best = next[state].iter().map(|(_, to)| before[*to] + 1).min();
                to_end[state] = before[state].min(best.unwrap_or(NEVER));
            }
            if to_end == before {
                return Self { next, to_end };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn texts_match_their_patterns() {
        for pattern in [
            "[A-Z0-9]{4,4}[A-Z]{2,2}[A-Z0-9]{2,2}([A-Z0-9]{3,3}){0,1}",
            "[0-9]{1,15}",
            r"\+[0-9]{1,3}-[0-9()+\-]{1,30}",
            "[BEOVW]{1,1}[0-9]{2,2}|DUM",
            "([0-9A-F][0-9A-F]){32}",
            "[a-z]{4}\\.[0-9]{3}\\.[0-9]{3}\\.[0-9]{2}",
        ] {
            let compiled = Pattern::compile(pattern).unwrap();
            for seed in 0..200 {
                let text = matching(&mut Random::new(seed), &compiled, 1, 24);
                assert!(compiled.matches(&text), "{pattern}: {text}");
            }
        }
    }

    #[test]
    fn identifiers_have_the_right_check_digits() {
        for seed in 0..200 {
            let mut random = Random::new(seed);
            let iban = iban_of(&mut random);
            assert_eq!(crate::reference::iban::check(&iban), Ok(()), "{iban}");
            let lei = lei(&mut random);
            assert!(crate::reference::lei::is_valid(&lei), "{lei}");
        }
    }
}
