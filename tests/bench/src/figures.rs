//! What was measured, and what of it must not grow.

use std::fmt;
use std::path::Path;

use anyhow::Result;
use serde_json::json;

/// The largest value that a figure may have.
const BOUNDS: [(&str, f64); 12] = [
    ("image_mib", 60.0),
    ("http01_writes", 20.0),
    ("dns01_writes", 16.0),
    ("tlsalpn01_writes", 20.0),
    ("events_per_certificate", 4.0),
    ("converged_writes", 0.0),
    ("acme_requests", 7.0),
    ("acme_requests_reused", 4.0),
    ("http01_ready_seconds", 2.0),
    ("tlsalpn01_ready_seconds", 2.0),
    ("node_ready_seconds", 20.0),
    ("failover_seconds", 15.0),
];

/// Every figure, in the order in which it was measured.
#[derive(Default)]
pub(crate) struct Figures(Vec<Figure>);

struct Figure {
    name: &'static str,
    value: f64,
    unit: &'static str,
}

impl Figure {
    fn bound(&self) -> Option<f64> {
        BOUNDS.iter().find(|(name, _)| *name == self.name).map(|(_, bound)| *bound)
    }

    fn keeps_its_bound(&self) -> bool {
        self.bound().is_none_or(|bound| self.value <= bound)
    }
}

impl Figures {
    pub(crate) fn add(&mut self, name: &'static str, value: f64, unit: &'static str) {
        // Beyond the third place there is nothing but noise.
        let value = (value * 1000.0).round() / 1000.0;
        println!("{name}: {value} {unit}");
        self.0.push(Figure { name, value, unit });
    }

    /// Whether every bound is kept, and every figure that has one was measured.
    pub(crate) fn keep_their_bounds(&self) -> bool {
        let measured = |name: &str| self.0.iter().any(|figure| figure.name == name);
        self.0.iter().all(Figure::keeps_its_bound) && BOUNDS.iter().all(|(name, _)| measured(name))
    }

    pub(crate) fn write(&self, path: &Path) -> Result<()> {
        let json = |figure: &Figure| json!({ "name": figure.name, "value": figure.value, "unit": figure.unit });
        let all: Vec<_> = self.0.iter().map(json).collect();
        std::fs::create_dir_all(path.parent().unwrap_or(path))?;
        Ok(std::fs::write(path, serde_json::to_string_pretty(&all)? + "\n")?)
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:30} {:>10} {:10} {:>7}", "figure", "value", "unit", "bound")?;
        for figure in &self.0 {
            let bound = figure.bound().map(|bound| bound.to_string()).unwrap_or_default();
            let verdict = if figure.keeps_its_bound() { "" } else { "  BROKEN" };
            let Figure { name, value, unit } = figure;
            writeln!(f, "{name:30} {value:>10} {unit:10} {bound:>7}{verdict}")?;
        }
        Ok(())
    }
}

/// The middle value; of an even number the upper one.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(writes: f64) -> Figures {
        let value = |name| if name == "http01_writes" { writes } else { 0.0 };
        Figures(BOUNDS.iter().map(|(name, _)| Figure { name, value: value(*name), unit: "" }).collect())
    }

    #[test]
    fn a_bound_is_broken_by_more_than_it_and_by_nothing() {
        assert!(figures(20.0).keep_their_bounds());
        assert!(!figures(21.0).keep_their_bounds());
        assert!(!figures(f64::NAN).keep_their_bounds());
        assert!(!Figures::default().keep_their_bounds());
    }

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(vec![4.0, 1.0, 3.0, 2.0]), 3.0);
        assert!(median(Vec::new()).is_nan());
    }
}
