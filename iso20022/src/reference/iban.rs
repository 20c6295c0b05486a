//! International bank account numbers (ISO 13616).

/// Length of an IBAN by country, as registered. Countries not listed are checked by mod 97 only,
/// since the register grows and an unknown country must not stop a payment.
const LENGTHS: [(&str, usize); 89] = [
    ("AD", 24),
    ("AE", 23),
    ("AL", 28),
    ("AT", 20),
    ("AZ", 28),
    ("BA", 20),
    ("BE", 16),
    ("BG", 22),
    ("BH", 22),
    ("BI", 27),
    ("BR", 29),
    ("BY", 28),
    ("CH", 21),
    ("CR", 22),
    ("CY", 28),
    ("CZ", 24),
    ("DE", 22),
    ("DJ", 27),
    ("DK", 18),
    ("DO", 28),
    ("EE", 20),
    ("EG", 29),
    ("ES", 24),
    ("FI", 18),
    ("FK", 18),
    ("FO", 18),
    ("FR", 27),
    ("GB", 22),
    ("GE", 22),
    ("GI", 23),
    ("GL", 18),
    ("GR", 27),
    ("GT", 28),
    ("HN", 28),
    ("HR", 21),
    ("HU", 28),
    ("IE", 22),
    ("IL", 23),
    ("IQ", 23),
    ("IS", 26),
    ("IT", 27),
    ("JO", 30),
    ("KW", 30),
    ("KZ", 20),
    ("LB", 28),
    ("LC", 32),
    ("LI", 21),
    ("LT", 20),
    ("LU", 20),
    ("LV", 21),
    ("LY", 25),
    ("MC", 27),
    ("MD", 24),
    ("ME", 22),
    ("MK", 19),
    ("MN", 20),
    ("MR", 27),
    ("MT", 31),
    ("MU", 30),
    ("NI", 28),
    ("NL", 18),
    ("NO", 15),
    ("OM", 23),
    ("PK", 24),
    ("PL", 28),
    ("PS", 29),
    ("PT", 25),
    ("QA", 29),
    ("RO", 24),
    ("RS", 22),
    ("RU", 33),
    ("SA", 24),
    ("SC", 31),
    ("SD", 18),
    ("SE", 24),
    ("SI", 19),
    ("SK", 24),
    ("SM", 27),
    ("SO", 23),
    ("ST", 25),
    ("SV", 28),
    ("TL", 23),
    ("TN", 24),
    ("TR", 26),
    ("UA", 29),
    ("VA", 22),
    ("VG", 24),
    ("XK", 20),
    ("YE", 30),
];

/// Why an IBAN is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadIban {
    /// Not two letters, two digits and 1 to 30 alphanumeric characters.
    #[error("the IBAN is malformed")]
    Shape,
    /// Not the length registered for the country.
    #[error("an IBAN of {country} has {expected} characters")]
    Length {
        /// Country letters.
        country: &'static str,
        /// Registered length.
        expected: usize,
    },
    /// The check digits do not fit.
    #[error("the check digits of the IBAN are wrong")]
    CheckDigits,
}

/// Checks shape, length by country, and check digits.
///
/// # Errors
/// The first of these that fails.
pub fn check(iban: &str) -> Result<(), BadIban> {
    let bytes = iban.as_bytes();
    let shape = (5..=34).contains(&bytes.len())
        && bytes[..2].iter().all(u8::is_ascii_uppercase)
        && bytes[2..4].iter().all(u8::is_ascii_digit)
        && bytes[4..].iter().all(u8::is_ascii_alphanumeric);
    if !shape {
        return Err(BadIban::Shape);
    }
    if let Some((country, expected)) = registered(&bytes[..2])
        && bytes.len() != *expected
    {
        return Err(BadIban::Length { country, expected: *expected });
    }
    let rotated = bytes[4..].iter().chain(&bytes[..4]).copied();
    if remainder_97(rotated) == Some(1) { Ok(()) } else { Err(BadIban::CheckDigits) }
}

/// True when a length is registered for the country that the IBAN starts with.
#[must_use]
pub fn is_registered(iban: &str) -> bool {
    iban.as_bytes().get(..2).is_some_and(|country| registered(country).is_some())
}

fn registered(country: &[u8]) -> Option<&'static (&'static str, usize)> {
    let at = LENGTHS.binary_search_by(|(known, _)| known.as_bytes().cmp(country)).ok()?;
    Some(&LENGTHS[at])
}

/// Remainder by 97 of the number that digits and letters (A = 10 ... Z = 35) spell.
pub(super) fn remainder_97(characters: impl Iterator<Item = u8>) -> Option<u32> {
    let mut remainder = 0_u32;
    for character in characters {
        let value = char::from(character).to_digit(36)?;
        let shift = if value < 10 { 10 } else { 100 };
        remainder = (remainder * shift + value) % 97;
    }
    Some(remainder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_examples() {
        for iban in [
            "GB29NWBK60161331926819",
            "DE89370400440532013000",
            "FR1420041010050500013M02606",
            "NO9386011117947",
            "MT84MALT011000012345MTLCAST001S",
        ] {
            assert_eq!(check(iban), Ok(()), "{iban}");
        }
        assert_eq!(check("GB29NWBK60161331926818"), Err(BadIban::CheckDigits));
        assert_eq!(
            check("DE8937040044053201300"),
            Err(BadIban::Length { country: "DE", expected: 22 })
        );
        assert_eq!(check("de89370400440532013000"), Err(BadIban::Shape));
        assert_eq!(check("DE"), Err(BadIban::Shape));
    }

    #[test]
    fn the_table_is_sorted() {
        assert!(LENGTHS.windows(2).all(|pair| pair[0].0 < pair[1].0));
    }
}
