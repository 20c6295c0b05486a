//! Currencies (ISO 4217): which exist, how many decimals they have, and which may settle.

use rust_decimal::Decimal;

/// Active currencies with two decimals.
const TWO: &str = "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BRL BSD BTN \
    BWP BYN BZD CAD CDF CHE CHF CHW CNY COP CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP \
    GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK \
    LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR \
    NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN \
    SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD UZS VED VES WST XCD XCG YER ZAR ZMW ZWG \
    BOV COU MXV USN";
const ZERO: &str = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF";
const THREE: &str = "BHD IQD JOD KWD LYD OMR TND";
const FOUR: &str = "CLF UYW";
/// Codes of the standard that name no money: metals, bond units, special drawing rights, tests.
const NOT_MONEY: &str = "XAG XAU XBA XBB XBC XBD XDR XPD XPT XSU XTS XUA XXX";

/// Decimals by the three letters, worked out when the library is built: this is asked often.
static DECIMALS: [u8; 26 * 26 * 26] = {
    let mut decimals = [NONE; 26 * 26 * 26];
    let lists = [ZERO, TWO, THREE, FOUR];
    let values = [0, 2, 3, 4];
    let mut list = 0;
    while list < lists.len() {
        let codes = lists[list].as_bytes();
        let mut at = 0;
        while at + 2 < codes.len() {
            if codes[at].is_ascii_uppercase() {
                decimals[index([codes[at], codes[at + 1], codes[at + 2]])] = values[list];
                at += 3;
            } else {
                at += 1;
            }
        }
        list += 1;
    }
    decimals
};
const NONE: u8 = u8::MAX;

/// The place of three upper-case letters in a table of all of them.
const fn index(code: [u8; 3]) -> usize {
    let [first, second, third] = code;
    let pair = (first - b'A') as usize * 26 + (second - b'A') as usize;
    pair * 26 + (third - b'A') as usize
}

/// Number of decimals of an active currency; `None` when the code is not one.
#[must_use]
pub fn decimals(code: &str) -> Option<u32> {
    let code: [u8; 3] = code.as_bytes().try_into().ok()?;
    if !code.iter().all(u8::is_ascii_uppercase) {
        return None;
    }
    let decimals = DECIMALS[index(code)];
    (decimals != NONE).then_some(u32::from(decimals))
}

/// True for codes that no interbank settlement can be in (gold, `XXX`, ...).
#[must_use]
pub fn is_not_money(code: &str) -> bool {
    NOT_MONEY.split_ascii_whitespace().any(|known| known == code)
}

/// True when the value can be paid in a currency with this many decimals. Trailing zeros do not
/// count: `100.00` can be paid in yen, `100.50` cannot.
#[must_use]
pub fn fits(value: Decimal, decimals: u32) -> bool {
    value.normalize().scale() <= decimals
}

/// The canonical text of an amount, with exactly the currency's decimals: `1234.50`, `100` (yen).
/// `None` when the currency is unknown, the value negative, or too fine for the currency.
#[must_use]
pub fn canonical(value: Decimal, currency: &str) -> Option<String> {
    let decimals = decimals(currency)?;
    if (value.is_sign_negative() && !value.is_zero()) || !fits(value, decimals) {
        return None;
    }
    let mut value = value.abs();
    value.rescale(decimals);
    // Rescaling stops short when the digits do not suffice; no payable amount is that large.
    (value.scale() == decimals).then(|| value.to_string())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::str::FromStr;

    #[test]
    fn decimals_by_currency() {
        for (code, expected) in [
            ("EUR", Some(2)),
            ("JPY", Some(0)),
            ("KWD", Some(3)),
            ("CLF", Some(4)),
            ("XAU", None),
            ("eur", None),
            ("DEM", None),
            ("", None),
        ] {
            assert_eq!(decimals(code), expected, "{code}");
        }
        let lists = [(ZERO, 0), (TWO, 2), (THREE, 3), (FOUR, 4)];
        for (list, expected) in lists {
            assert!(list.split_ascii_whitespace().all(|code| decimals(code) == Some(expected)));
        }
        let all = lists.iter().flat_map(|(list, _)| list.split_ascii_whitespace()).count();
        assert_eq!(DECIMALS.iter().filter(|decimals| **decimals != NONE).count(), all);
        assert!(is_not_money("XXX") && !is_not_money("EUR"));
    }

    #[test]
    fn canonical_texts() {
        let text = |value: &str, code| canonical(Decimal::from_str(value).unwrap(), code);
        assert_eq!(text("1234.5", "EUR").unwrap(), "1234.50");
        assert_eq!(text("100.00", "JPY").unwrap(), "100");
        assert_eq!(text("0", "KWD").unwrap(), "0.000");
        assert_eq!(text("1.001", "EUR"), None);
        assert_eq!(text("-1", "EUR"), None);
        assert_eq!(text("1", "XXX"), None);
    }
}
