//! Business hours of the assets, and what else the participants have set for them.

use serde::Serialize;

use crate::chain::Chain;

/// An asset with its business day.
#[derive(Clone, Debug, Serialize)]
pub struct HoursView {
    /// Its code.
    pub asset: String,
    /// Decimals of the minor unit.
    pub exponent: u8,
    /// Whether transfers in it are taken at the time of the last block.
    pub open: bool,
    /// Its business day; none where it has no hours and is open always.
    pub day: Option<DayView>,
    /// The most that one leg of a transfer may move, in minor units; none without a limit.
    pub leg_limit_minor: Option<String>,
    /// Above this an issue or redemption takes two people, in minor units; none for never.
    pub funding_limit_minor: Option<String>,
}

/// The business day that is open, or the next one.
#[derive(Clone, Debug, Serialize)]
pub struct DayView {
    /// Its date as the time of its midnight.
    pub date_ns: u64,
    /// When its session opens.
    pub opens_ns: u64,
    /// When it ends.
    pub cut_off_ns: u64,
    /// Opening in minutes of UTC.
    pub opens_minutes: u16,
    /// Cut-off in minutes of UTC.
    pub cut_off_minutes: u16,
    /// Days of the week: bit 0 is Monday.
    pub weekdays: u8,
    /// Holidays still to come, as times of their midnights, the next first.
    pub holidays_ns: Vec<u64>,
}

const DAY_NS: u64 = 86_400 * 1_000_000_000;

/// Reads the hours of all assets, in order of their numbers.
#[must_use]
pub fn hours(chain: &Chain) -> Vec<HoursView> {
    let (ledger, now) = (chain.ledger(), chain.time());
    let each = ledger.assets().iter().map(|asset| {
        let calendar = ledger.calendar(asset.number);
        let day = ledger.business_day(asset.number, now);
        let midnight = |day: u32| u64::from(day) * DAY_NS;
        HoursView {
            asset: asset.code.to_string(),
            exponent: asset.exponent.get(),
            open: calendar.is_none() || day.is_some_and(|day| day.is_open(now)),
            day: calendar.zip(day).map(|(calendar, day)| DayView {
                date_ns: midnight(day.date),
                opens_ns: day.opens.0,
                cut_off_ns: day.cut_off.0,
                opens_minutes: calendar.opens,
                cut_off_minutes: calendar.cut_off,
                weekdays: calendar.weekdays,
                holidays_ns: {
                    let to_come = calendar.holidays.iter().filter(|one| midnight(**one) > now.0);
                    to_come.map(|one| midnight(*one)).collect()
                },
            }),
            leg_limit_minor: ledger.leg_limit(asset.number).map(|most| most.to_string()),
            funding_limit_minor: ledger.funding_limit(asset.number).map(|most| most.to_string()),
        }
    });
    each.collect()
}
