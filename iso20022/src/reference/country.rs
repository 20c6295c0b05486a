//! Countries (ISO 3166-1 alpha-2).

const CODES: &str = "AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL \
    BM BN BO BQ BR BS BT BV BW BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ \
    DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS \
    GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN KP KR \
    KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU \
    MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY \
    QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH \
    TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW";

/// User-assigned code for Kosovo, in general use in payments and in IBANs.
const KOSOVO: &str = "XK";

/// One bit for each pair of letters, worked out when the library is built: this is asked often.
static KNOWN: [u32; 26] = {
    let mut known = [0; 26];
    let codes = CODES.as_bytes();
    let mut at = 0;
    while at + 1 < codes.len() {
        if codes[at].is_ascii_uppercase() && codes[at + 1].is_ascii_uppercase() {
            known[(codes[at] - b'A') as usize] |= 1 << (codes[at + 1] - b'A');
            at += 1;
        }
        at += 1;
    }
    known
};

/// True for an assigned country code (and `XK`).
#[must_use]
pub fn is_known(code: &str) -> bool {
    let [first @ b'A'..=b'Z', second @ b'A'..=b'Z'] = code.as_bytes() else { return false };
    KNOWN[usize::from(first - b'A')] & (1 << (second - b'A')) != 0 || code == KOSOVO
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes() {
        assert_eq!(CODES.split_ascii_whitespace().count(), 249);
        assert!(CODES.split_ascii_whitespace().all(is_known));
        assert_eq!(KNOWN.iter().map(|row| row.count_ones()).sum::<u32>(), 249);
        assert!(is_known("DE") && is_known("XK"));
        assert!(!is_known("UK") && !is_known("de") && !is_known("") && !is_known("EU"));
    }
}
