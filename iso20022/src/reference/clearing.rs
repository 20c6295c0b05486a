//! Forms of clearing member identifications, by clearing system.

/// The form of a member identification: how many characters, and of what kind.
enum Form {
    Digits(&'static [usize]),
    Alphanumeric(&'static [usize]),
}

/// Forms that are generally known. Systems that are not listed are not checked, since lists and
/// forms change without notice.
const FORMS: [(&str, Form); 24] = [
    ("ATBLZ", Form::Digits(&[5])),
    ("AUBSB", Form::Digits(&[6])),
    ("CACPA", Form::Digits(&[9])),
    ("CHBCC", Form::Digits(&[3, 4, 5])),
    ("CHSIC", Form::Digits(&[6])),
    ("CNAPS", Form::Digits(&[12, 14])),
    ("DEBLZ", Form::Digits(&[8])),
    ("ESNCC", Form::Digits(&[8, 9])),
    ("GBDSC", Form::Digits(&[6])),
    ("GRBIC", Form::Digits(&[7])),
    ("HKNCC", Form::Digits(&[3, 6])),
    ("IENCC", Form::Digits(&[6])),
    ("INFSC", Form::Alphanumeric(&[11])),
    ("ITNCC", Form::Digits(&[10])),
    ("JPZGN", Form::Digits(&[7])),
    ("KRBOK", Form::Digits(&[7])),
    ("NZNCC", Form::Digits(&[6])),
    ("PLKNR", Form::Digits(&[8])),
    ("PTNCC", Form::Digits(&[8])),
    ("RUCBC", Form::Digits(&[9])),
    ("SESBA", Form::Digits(&[4])),
    ("TWNCC", Form::Digits(&[7])),
    ("USPID", Form::Digits(&[4, 6])),
    ("ZANCC", Form::Digits(&[6])),
];

/// True when the identification has the form of its system, or when no form is known.
#[must_use]
pub fn fits(system: &str, member: &str) -> bool {
    let Ok(at) = FORMS.binary_search_by(|(known, _)| (*known).cmp(system)) else { return true };
    let (lengths, right) = match FORMS[at].1 {
        Form::Digits(lengths) => (lengths, member.bytes().all(|byte| byte.is_ascii_digit())),
        Form::Alphanumeric(lengths) => {
            (lengths, member.bytes().all(|byte| byte.is_ascii_alphanumeric()))
        }
    };
    right && lengths.contains(&member.len())
}

/// True for nine digits whose sum, weighted 3, 7, 1 in turn, is a multiple of ten and not zero
/// (routing numbers of the American Bankers Association).
#[must_use]
pub fn is_routing_number(text: &str) -> bool {
    let bytes = text.as_bytes();
    let sum: u32 = bytes
        .iter()
        .zip([3, 7, 1].into_iter().cycle())
        .map(|(byte, weight)| u32::from(byte.wrapping_sub(b'0')) * weight)
        .sum();
    bytes.len() == 9 && bytes.iter().all(u8::is_ascii_digit) && sum != 0 && sum.is_multiple_of(10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        assert!(fits("GBDSC", "601613") && !fits("GBDSC", "60-16-13") && !fits("GBDSC", "60161"));
        assert!(fits("INFSC", "HDFC0000001") && fits("XXXXX", "whatever"));
        assert!(FORMS.windows(2).all(|pair| pair[0].0 < pair[1].0));
    }

    #[test]
    fn routing_numbers() {
        assert!(is_routing_number("021000021") && is_routing_number("011401533"));
        for bad in ["021000022", "000000000", "02100002", "0210000210", "02100002A", ""] {
            assert!(!is_routing_number(bad), "{bad}");
        }
    }
}
