//! Ledger time as ISO 20022 writes it.
//!
//! A `LedgerTime` counts nanoseconds since 1970 in UTC; a message wants `2026-03-04T05:06:07.123+00:00`. The
//! conversion is the well-known civil-from-days one, in integers: no time zone data base, no leap seconds
//! (neither side has them). The offset is always written out, because CBPR+ does not accept `Z`.

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
    let days = time.0 / NANOS_PER_MILLI / MILLIS_PER_SECOND / SECONDS_PER_DAY;
    let Civil { year, month, day } = Civil::from_days(days);
    format!("{year:04}-{month:02}-{day:02}")
}

/// Plain ISODateTime: `YYYY-MM-DDThh:mm:ss`, optional fraction, optional `Z` or offset. Rarer legal forms (years
/// beyond 9999, `24:00:00`) count as unusable, since the element is optional in the answer.
pub(crate) fn is_iso_date_time(text: &str) -> bool {
    let Some((date, rest)) = text.split_once('T') else { return false };
    let digits = |text: &str, length: usize| {
        text.len() == length && text.bytes().all(|byte| byte.is_ascii_digit())
    };
    let number = |text: &str, length: usize| -> Option<u32> {
        if digits(text, length) { text.parse().ok() } else { None }
    };
    let clock = |text: &str, hour_max: u32| {
        let mut parts = text.split(':');
        let hour = parts.next().and_then(|part| number(part, 2));
        let minute = parts.next().and_then(|part| number(part, 2));
        let rest = parts.next();
        (hour.is_some_and(|hour| hour <= hour_max) && minute.is_some_and(|minute| minute <= 59))
            .then_some((rest.map(str::to_owned), hour == Some(hour_max), minute))
    };
    let mut parts = date.split('-');
    let (year, month, day) = (
        parts.next().and_then(|part| number(part, 4)),
        parts.next().and_then(|part| number(part, 2)),
        parts.next().and_then(|part| number(part, 2)),
    );
    let (Some(year), Some(month), Some(day), None) = (year, month, day, parts.next()) else {
        return false;
    };
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        2 => 28 + u32::from(leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => 0,
    };
    if year == 0 || day == 0 || day > days {
        return false;
    }
    let (time, offset) = match rest.find(['Z', '+', '-']) {
        Some(at) => rest.split_at(at),
        None => (rest, ""),
    };
    let sound_offset = match offset {
        "" | "Z" => true,
        offset => matches!(
            clock(&offset[1..], 14),
            Some((None, at_the_end, minute)) if !at_the_end || minute == Some(0)
        ),
    };
    let (whole, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let seconds = clock(whole, 23).and_then(|(seconds, ..)| number(&seconds?, 2));
    sound_offset
        && seconds.is_some_and(|seconds| seconds <= 59)
        && whole.len() == 8
        && digits(fraction, fraction.len().max(1))
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
