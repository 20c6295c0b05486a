//! What an auditor may have to wait at most, beside what was measured. Whoever misses one is told; the run does not fail.

use std::fmt;

use serde::Serialize;

/// One bar.
#[derive(Debug, Serialize)]
pub(super) struct Bar {
    name: &'static str,
    unit: &'static str,
    bar: f64,
    /// Whether less is better.
    at_most: bool,
    /// Nothing where it could not be measured.
    figure: Option<f64>,
    met: Option<bool>,
}

impl Bar {
    /// At most so much.
    pub(super) fn at_most(
        name: &'static str,
        unit: &'static str,
        bar: f64,
        figure: Option<f64>,
    ) -> Self {
        let met = figure.map(|figure| figure <= bar);
        Self { name, unit, bar, at_most: true, figure, met }
    }

    /// At least so much.
    pub(super) fn at_least(name: &'static str, unit: &'static str, bar: f64, figure: f64) -> Self {
        let (figure, met) = (Some(figure), Some(figure >= bar));
        Self { name, unit, bar, at_most: false, figure, met }
    }
}

impl fmt::Display for Bar {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (word, unit) = (if self.at_most { "at most" } else { "at least" }, self.unit);
        let verdict = match self.met {
            Some(true) => "met",
            Some(false) => "MISSED",
            None => "not measured: no PostgreSQL is installed",
        };
        let bar = format!("{word} {} {unit}", self.bar);
        let figure = self.figure.map_or("-".to_owned(), |figure| format!("{figure:.2} {unit}"));
        write!(out, "  {:<44} {bar:>28}  {figure:>28}  {verdict}", self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_tells_whether_it_is_met() {
        let bars = [
            Bar::at_most("lookup", "ms", 20.0, Some(20.0)),
            Bar::at_most("lookup", "ms", 20.0, Some(20.1)),
            Bar::at_most("page", "ms", 300.0, None),
            Bar::at_least("verify", "transfers/s", 100_000.0, 99_999.0),
            Bar::at_least("verify", "transfers/s", 100_000.0, 100_000.0),
        ];
        let met: Vec<_> = bars.iter().map(|bar| bar.met).collect();
        assert_eq!(met, [Some(true), Some(false), None, Some(false), Some(true)]);
        assert!(bars[1].to_string().ends_with("20.10 ms  MISSED"), "{}", bars[1]);
        assert!(bars[3].to_string().contains("at least 100000 transfers/s"), "{}", bars[3]);
    }
}
