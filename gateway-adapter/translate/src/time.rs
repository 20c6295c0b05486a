//! Ledger time as ISO 20022 writes it, and which settlement dates go with it.
//!
//! A `LedgerTime` counts nanoseconds since 1970 in UTC; a message wants `2026-03-04T05:06:07.123+00:00`. The
//! conversion is the well-known civil-from-days one, in integers: no time zone data base, no leap seconds
//! (neither side has them). The offset is always written out, because CBPR+ does not accept `Z`.

use std::fmt;

use ledger::LedgerTime;

const NANOS_PER_MILLI: u64 = 1_000_000;
const MILLIS_PER_SECOND: u64 = 1_000;
const SECONDS_PER_DAY: u64 = 86_400;

/// A day of the proleptic Gregorian calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Civil {
    year: u64,
    month: u64,
    day: u64,
}

impl Civil {
    /// The day that is `days` days after 1970-01-01.
    const fn from_days(days: u64) -> Self {
        // Years start on 1 March here, so that the leap day is the last day of a year; an era is 400 years.
        let shifted = days + 719_468;
        let era = shifted / 146_097;
        let day_of_era = shifted % 146_097;
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
        let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
        let year = year_of_era + era * 400 + if month <= 2 { 1 } else { 0 };
        Self { year, month, day }
    }
}

/// The ISODateTime of a ledger time, in UTC with milliseconds and the offset `+00:00`; finer digits are cut off.
#[must_use]
pub fn iso_date_time(time: LedgerTime) -> String {
    let millis = time.0 / NANOS_PER_MILLI;
    let seconds = millis / MILLIS_PER_SECOND;
    let Civil { year, month, day } = Civil::from_days(seconds / SECONDS_PER_DAY);
    let second_of_day = seconds % SECONDS_PER_DAY;
    format!(
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}.{:03}+00:00",
        second_of_day / 3_600,
        second_of_day / 60 % 60,
        second_of_day % 60,
        millis % MILLIS_PER_SECOND,
    )
}

/// The ISODate of a ledger time, in UTC.
#[must_use]
pub fn iso_date(time: LedgerTime) -> String {
    Civil::from_days(days(time)).to_string()
}

/// The settlement dates that are accepted at one time: its UTC date, the day before and the day after, because
/// somewhere it is one of those.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SettlementDates {
    first: Civil,
    last: Civil,
}

/// Why a settlement date is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DateError {
    /// It can't be read.
    Invalid,
    /// It is too early.
    Past,
    /// It is too late.
    Future,
}

impl SettlementDates {
    pub(crate) const fn at(now: LedgerTime) -> Self {
        let today = days(now);
        Self { first: Civil::from_days(today.saturating_sub(1)), last: Civil::from_days(today + 1) }
    }

    /// Whether a date (an ISODate, with or without an offset, which decides nothing) is accepted.
    pub(crate) fn accept(self, text: &str) -> Result<(), DateError> {
        let date = civil_date(text).ok_or(DateError::Invalid)?;
        if date < self.first {
            Err(DateError::Past)
        } else if date > self.last {
            Err(DateError::Future)
        } else {
            Ok(())
        }
    }

    /// What to tell the sender about a date that was not accepted.
    pub(crate) fn text(self, error: DateError, date: &str) -> String {
        let problem = match error {
            DateError::Invalid => "is not a date of the form YYYY-MM-DD",
            DateError::Past => "is past",
            DateError::Future => "is in the future, and the network keeps no payments for later",
        };
        let date = crate::answer::cut(date.trim_ascii(), 32);
        let Self { first, last } = self;
        format!(
            "The settlement date {date} {problem}; {first} to {last} are accepted at this time."
        )
    }
}

impl fmt::Display for Civil {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { year, month, day } = self;
        write!(f, "{year:04}-{month:02}-{day:02}")
    }
}

/// Reads an ISODate of a year up to 9999, with or without an offset.
fn civil_date(text: &str) -> Option<Civil> {
    let text = text.trim_ascii();
    let (date, offset) = text.split_at_checked(10)?;
    let date = plain_date(date)?;
    is_offset(offset).then_some(date)
}

/// Reads `YYYY-MM-DD`.
fn plain_date(text: &str) -> Option<Civil> {
    let mut parts = text.split('-');
    let mut part = |digits| parts.next().and_then(|part| number(part, digits));
    let (year, month, day) = (part(4)?, part(2)?, part(2)?);
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        2 => 28 + u64::from(leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => 0,
    };
    let sound = year > 0 && (1..=days).contains(&day) && parts.next().is_none();
    sound.then_some(Civil { year, month, day })
}

/// Nothing, `Z`, or `+hh:mm` or `-hh:mm` up to 14 hours.
fn is_offset(text: &str) -> bool {
    let Some(clock) = text.strip_prefix(['+', '-']) else { return matches!(text, "" | "Z") };
    let Some((hours, minutes)) = clock.split_once(':') else { return false };
    match (number(hours, 2), number(minutes, 2)) {
        (Some(14), minutes) => minutes == Some(0),
        (Some(hours), Some(minutes)) => hours < 14 && minutes < 60,
        _ => false,
    }
}

/// A number of exactly so many digits.
fn number(text: &str, digits: usize) -> Option<u64> {
    let sound = text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit());
    if sound { text.parse().ok() } else { None }
}

/// Days since 1970-01-01.
const fn days(time: LedgerTime) -> u64 {
    time.0 / NANOS_PER_MILLI / MILLIS_PER_SECOND / SECONDS_PER_DAY
}

/// Plain ISODateTime: `YYYY-MM-DDThh:mm:ss`, optional fraction, optional `Z` or offset. Rarer legal forms (years
/// beyond 9999, `24:00:00`) count as unusable, since the element is optional in the answer.
pub(crate) fn is_iso_date_time(text: &str) -> bool {
    let Some((date, rest)) = text.split_once('T') else { return false };
    let (time, offset) = match rest.find(['Z', '+', '-']) {
        Some(at) => rest.split_at(at),
        None => (rest, ""),
    };
    let (whole, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let mut parts = whole.split(':');
    let mut below =
        |limit| parts.next().and_then(|part| number(part, 2)).is_some_and(|part| part < limit);
    let sound_clock = below(24) && below(60) && below(60) && parts.next().is_none();
    plain_date(date).is_some()
        && sound_clock
        && !fraction.is_empty()
        && fraction.bytes().all(|byte| byte.is_ascii_digit())
        && is_offset(offset)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at_second(seconds: u64) -> String {
        iso_date_time(LedgerTime(seconds * 1_000_000_000))
    }

    #[test]
    fn known_instants() {
        assert_eq!(at_second(0), "1970-01-01T00:00:00.000+00:00");
        assert_eq!(at_second(951_782_399), "2000-02-28T23:59:59.000+00:00");
        assert_eq!(at_second(951_782_400), "2000-02-29T00:00:00.000+00:00");
        assert_eq!(at_second(1_234_567_890), "2009-02-13T23:31:30.000+00:00");
        assert_eq!(at_second(4_107_542_400), "2100-03-01T00:00:00.000+00:00");
        assert_eq!(iso_date_time(LedgerTime(u64::MAX)), "2554-07-21T23:34:33.709+00:00");
        assert_eq!(iso_date(LedgerTime(951_782_400_000_000_000)), "2000-02-29");
    }

    #[test]
    fn fractions_are_cut_not_rounded() {
        assert_eq!(iso_date_time(LedgerTime(1_999_999_999)), "1970-01-01T00:00:01.999+00:00");
    }

    #[test]
    fn every_day_follows_the_one_before() {
        let length_of = |year: u64, month: u64| match month {
            2 if year.is_multiple_of(4)
                && (!year.is_multiple_of(100) || year.is_multiple_of(400)) =>
            {
                29
            }
            2 => 28,
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        };
        let mut expected = Civil { year: 1970, month: 1, day: 1 };
        for days in 0..213_503 {
            assert_eq!(Civil::from_days(days), expected);
            expected.day += 1;
            if expected.day > length_of(expected.year, expected.month) {
                expected.day = 1;
                expected.month += 1;
            }
            if expected.month > 12 {
                expected.month = 1;
                expected.year += 1;
            }
        }
    }

    #[test]
    fn dates_of_the_day_and_its_neighbours_are_accepted() {
        // 2024-02-29, 00:00:00 and 23:59:59.999999999.
        for now in [1_709_164_800_000_000_000, 1_709_251_199_999_999_999] {
            let dates = SettlementDates::at(LedgerTime(now));
            for date in
                ["2024-02-28", "2024-02-29", "2024-03-01", " 2024-02-29Z\n", "2024-02-29-14:00"]
            {
                assert_eq!(dates.accept(date), Ok(()), "{date}");
            }
            for date in ["2024-02-27", "2023-12-31", "0001-01-01"] {
                assert_eq!(dates.accept(date), Err(DateError::Past), "{date}");
            }
            for date in ["2024-03-02", "2025-01-01", "9999-12-31"] {
                assert_eq!(dates.accept(date), Err(DateError::Future), "{date}");
            }
            for date in [
                "",
                "2024-02-30",
                "2024-02-29T00:00:00",
                "2024-2-29",
                "24-02-29",
                "12024-02-29",
                "-2024-02-29",
                "2024-02-29+14:01",
                "2024-02-29+1",
                "2024-02-2é",
            ] {
                assert_eq!(dates.accept(date), Err(DateError::Invalid), "{date}");
            }
        }
    }

    #[test]
    fn at_the_ends_of_time_there_are_neighbours() {
        assert_eq!(SettlementDates::at(LedgerTime(0)).accept("1970-01-01"), Ok(()));
        assert_eq!(SettlementDates::at(LedgerTime(u64::MAX)).accept("2554-07-22"), Ok(()));
    }

    #[test]
    fn only_sound_times_are_repeated() {
        for sound in [
            "2026-03-04T05:06:07",
            "2026-03-04T05:06:07Z",
            "2026-03-04T05:06:07.123456+01:00",
            "2024-02-29T23:59:59-14:00",
        ] {
            assert!(is_iso_date_time(sound), "{sound}");
        }
        for unsound in [
            "",
            "2026-03-04",
            "2026-02-29T05:06:07",
            "2026-13-04T05:06:07",
            "2026-03-04T24:00:00",
            "2026-03-04T05:06",
            "2026-03-04T05:06:60",
            "2026-03-04T05:06:07.",
            "2026-03-04T05:06:07+15:00",
            "2026-03-04T05:06:07+14:01",
            "2026-03-04T05:06:07:08",
            "2026-03-04T05:06:07+01:00:00",
            "2026-03-04T05:06:07ZZ",
            "0000-03-04T05:06:07",
            "2026-03-04T05:06:07é",
        ] {
            assert!(!is_iso_date_time(unsound), "{unsound}");
        }
    }
}
