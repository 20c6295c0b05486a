//! Points in time as people type them: a span from now, or a date and time in UTC.

use anyhow::{Context, Result};
use ledger::LedgerTime;

use crate::clock::now_ns;

const SECOND_NS: u64 = 1_000_000_000;

/// Reads `90s`, `500ms`, `10m`, `2h`, `7d` (from now), or `2026-11-22T12:00:00Z`, with or without decimals.
///
/// # Errors
/// A sentence that says what is understood.
pub(crate) fn parse(text: &str) -> Result<LedgerTime> {
    let span = span_ns(text).and_then(|span| now_ns().checked_add(span));
    span.or_else(|| date_time_ns(text)).map(LedgerTime).with_context(|| {
        format!("`{text}` is no time: write 90s, 10m, 2h or 7d from now, or 2026-11-22T12:00:00Z")
    })
}

/// Nanoseconds of a span such as `90s` or `1h`.
///
/// # Errors
/// A sentence that says what is understood.
pub(crate) fn span(text: &str) -> Result<u64> {
    span_ns(text).with_context(|| format!("`{text}` is no span of time: write 90s, 10m, 2h or 7d"))
}

fn span_ns(text: &str) -> Option<u64> {
    let at = text.find(|one: char| !one.is_ascii_digit())?;
    let (number, unit) = text.split_at(at);
    let unit_ns = match unit {
        "ms" => 1_000_000,
        "s" => SECOND_NS,
        "m" => 60 * SECOND_NS,
        "h" => 3_600 * SECOND_NS,
        "d" => 86_400 * SECOND_NS,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(unit_ns)
}

/// Nanoseconds since 1970 of a date and time such as `2026-11-22T12:00:00.5Z`.
pub(crate) fn date_time_ns(text: &str) -> Option<u64> {
    let (date, time) = text.strip_suffix('Z')?.split_once('T')?;
    let (time, decimals) = time.split_once('.').unwrap_or((time, ""));
    let [year, month, day] = numbers(date, '-')?;
    let [hour, minute, second] = numbers(time, ':')?;
    let days = days_before(year, month, day)?;
    if hour > 23 || minute > 59 || second > 59 || decimals.len() > 9 {
        return None;
    }
    let nanos: u64 = match decimals {
        "" => 0,
        digits if digits.bytes().all(|one| one.is_ascii_digit()) => {
            format!("{digits:0<9}").parse().ok()?
        }
        _ => return None,
    };
    let seconds = days * 86_400 + hour * 3_600 + minute * 60 + second;
    seconds.checked_mul(SECOND_NS)?.checked_add(nanos)
}

fn numbers(text: &str, by: char) -> Option<[u64; 3]> {
    let parts: Option<Vec<u64>> = text.split(by).map(|part| part.parse().ok()).collect();
    parts?.try_into().ok()
}

/// Days from 1970-01-01 to a date of the Gregorian calendar, from 1970 on.
fn days_before(year: u64, month: u64, day: u64) -> Option<u64> {
    const DAYS: [u64; 12] = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let is_leap =
        |year: u64| year.is_multiple_of(4) && !year.is_multiple_of(100) || year.is_multiple_of(400);
    let length = |month: usize| DAYS[month] + u64::from(month == 1 && is_leap(year));
    let month = usize::try_from(month).ok()?.checked_sub(1).filter(|month| *month < 12)?;
    if !(1970..2555).contains(&year) || !(1..=length(month)).contains(&day) {
        return None;
    }
    let years: u64 = (1970..year).map(|year| 365 + u64::from(is_leap(year))).sum();
    Some(years + (0..month).map(length).sum::<u64>() + day - 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::date_time;

    #[test]
    fn dates_are_read_as_they_are_written() {
        for time_ns in
            [0, 951_782_400_000_000_000, 1_700_000_000_123_000_000, 4_102_444_799_999_000_000]
        {
            assert_eq!(date_time_ns(&format!("{}Z", date_time(time_ns))), Some(time_ns));
        }
        for bad in [
            "",
            "Z",
            "2026-02-29T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-01-01T24:00:00Z",
            "2026-01-01",
        ] {
            assert_eq!(date_time_ns(bad), None, "{bad}");
        }
    }

    #[test]
    fn spans_count_from_now() {
        assert_eq!(span_ns("90s"), Some(90 * SECOND_NS));
        assert_eq!(span_ns("500ms"), Some(SECOND_NS / 2));
        for bad in ["", "s", "5", "5x", "-5s", "99999999999999999999d", "9999999999999d"] {
            assert_eq!(span_ns(bad), None, "{bad}");
        }
        assert!(parse("1h").is_ok_and(|time| time.0 > now_ns()));
        assert!(parse("soon").is_err());
    }
}
