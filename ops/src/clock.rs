//! Points in time as texts, in UTC, without a calendar library.

use std::time::{SystemTime, UNIX_EPOCH};

/// Now, in nanoseconds since the Unix epoch; 0 on a machine whose clock is before 1970.
pub fn now_ns() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_nanos()).unwrap_or(u64::MAX)
}

/// A point in time as `2026-01-31T12:00:00.000`, without an offset, to the millisecond.
pub fn date_time(time_ns: u64) -> String {
    let of_day = time_ns / 1_000_000_000 % 86_400;
    format!(
        "{}T{:02}:{:02}:{:02}.{:03}",
        date(time_ns),
        of_day / 3600,
        of_day / 60 % 60,
        of_day % 60,
        time_ns / 1_000_000 % 1000
    )
}

/// The day of a point in time as `2026-01-31`.
pub fn date(time_ns: u64) -> String {
    let (year, month, day) = civil_date(time_ns / 86_400_000_000_000);
    format!("{year:04}-{month:02}-{day:02}")
}

/// Year, month and day of a number of days since 1970-01-01 (the proleptic Gregorian calendar).
fn civil_date(days: u64) -> (u64, u64, u64) {
    // Counted from 0000-03-01, so that the leap day is the last day of a year.
    let days = days + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_in_utc() {
        assert_eq!(date_time(0), "1970-01-01T00:00:00.000");
        assert_eq!(date(951_782_400_000_000_000), "2000-02-29");
        assert_eq!(date_time(1_700_000_000_123_456_789), "2023-11-14T22:13:20.123");
    }
}
