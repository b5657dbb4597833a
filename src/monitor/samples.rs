// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What is measured at one moment, and how it is written: as Prometheus reads it, and for the page.

use std::fmt::Write;

use serde_json::{Value as Json, json};

use crate::times::{BOUNDS, Measured};

use super::families::{self, Family};

#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    Count(u64),
    Number(f64),
    Times(Measured),
}

#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    family: &'static Family,
    /// As the family names them.
    labels: Vec<String>,
    value: Value,
}

#[derive(Debug, Default)]
pub struct Samples(Vec<Sample>);

impl Samples {
    fn push<const N: usize>(&mut self, family: &'static Family, labels: [&str; N], value: Value) {
        debug_assert_eq!(labels.len(), family.labels.len(), "{}", family.name);
        self.0.push(Sample {
            family,
            labels: labels.map(str::to_owned).to_vec(),
            value,
        });
    }

    pub fn count<const N: usize>(
        &mut self,
        family: &'static Family,
        labels: [&str; N],
        value: u64,
    ) {
        self.push(family, labels, Value::Count(value));
    }

    pub fn number<const N: usize>(
        &mut self,
        family: &'static Family,
        labels: [&str; N],
        value: f64,
    ) {
        self.push(family, labels, Value::Number(value));
    }

    pub fn times<const N: usize>(
        &mut self,
        family: &'static Family,
        labels: [&str; N],
        value: Measured,
    ) {
        self.push(family, labels, Value::Times(value));
    }

    pub fn append(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// Version 0.0.4 of the text format: the samples of a family stand together.
    pub fn to_text(&self) -> String {
        let mut text = String::with_capacity(64 * self.0.len());
        for family in families::ALL {
            let mut samples = self.0.iter().filter(|it| std::ptr::eq(it.family, *family));
            let Some(first) = samples.next() else {
                continue;
            };
            let Family {
                name, kind, help, ..
            } = family;
            let kind = kind.as_str();
            let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
            first.write(&mut text);
            samples.for_each(|sample| sample.write(&mut text));
        }
        text
    }

    /// `[name, labels, value]` of each; of times their number and their sum in seconds.
    pub fn to_json(&self) -> Json {
        let of_one = |sample: &Sample| {
            let value = match &sample.value {
                Value::Count(count) => json!(count),
                Value::Number(number) => json!(number),
                Value::Times(times) => json!([times.count(), times.sum.as_secs_f64()]),
            };
            json!([sample.family.name, sample.labels, value])
        };
        self.0.iter().map(of_one).collect()
    }
}

impl Sample {
    fn write(&self, text: &mut String) {
        match &self.value {
            Value::Count(count) => self.line(text, "", None, *count),
            Value::Number(number) => self.line(text, "", None, *number),
            Value::Times(times) => {
                let mut below = 0;
                for (at, in_bucket) in times.buckets.iter().enumerate() {
                    below += in_bucket;
                    let bound = BOUNDS.get(at).map(|micros| *micros as f64 / 1e6);
                    let bound = bound.map_or("+Inf".into(), |seconds| seconds.to_string());
                    self.line(text, "_bucket", Some(&bound), below);
                }
                self.line(text, "_sum", None, times.sum.as_secs_f64());
                self.line(text, "_count", None, below);
            }
        }
    }

    fn line(
        &self,
        text: &mut String,
        suffix: &str,
        bound: Option<&str>,
        value: impl std::fmt::Display,
    ) {
        text.push_str(self.family.name);
        text.push_str(suffix);
        let own = self.family.labels.iter().copied();
        let own = own.zip(self.labels.iter().map(String::as_str));
        let mut before = '{';
        for (name, label) in own.chain(bound.map(|bound| ("le", bound))) {
            text.push(before);
            text.push_str(name);
            text.push_str("=\"");
            escape(text, label);
            text.push('"');
            before = ',';
        }
        if before == ',' {
            text.push('}');
        }
        let _ = writeln!(text, " {value}");
    }
}

/// As label values are to be.
fn escape(text: &mut String, label: &str) {
    for character in label.chars() {
        match character {
            '\\' => text.push_str("\\\\"),
            '"' => text.push_str("\\\""),
            '\n' => text.push_str("\\n"),
            other => text.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::times::Times;

    #[test]
    fn families_stand_together_and_labels_are_escaped() {
        let mut samples = Samples::default();
        samples.count(&families::PICTURES, ["b\"\\\n{}"], 1);
        samples.count(&families::SEEN, ["a", "0"], u64::MAX);
        samples.count(&families::PICTURES, ["c"], 2);
        samples.number(&families::INJECT_WAITING, ["c"], 0.25);
        let text = samples.to_text();
        let lines: Vec<_> = text
            .lines()
            .filter(|line| !line.starts_with("# HELP"))
            .collect();
        assert_eq!(
            lines,
            [
                "# TYPE dsframe_frames_seen_total counter",
                "dsframe_frames_seen_total{element=\"a\",stream=\"0\"} 18446744073709551615",
                "# TYPE dsframe_pictures_total counter",
                "dsframe_pictures_total{element=\"b\\\"\\\\\\n{}\"} 1",
                "dsframe_pictures_total{element=\"c\"} 2",
                "# TYPE dsframe_inject_waiting_seconds_total counter",
                "dsframe_inject_waiting_seconds_total{element=\"c\"} 0.25",
            ]
        );
    }

    #[test]
    fn buckets_hold_all_below_their_bound() {
        let times = Times::default();
        times.record(Duration::from_micros(100));
        times.record(Duration::from_micros(101));
        times.record(Duration::from_secs(60));
        let mut samples = Samples::default();
        samples.times(&families::ENCODE_TIME, ["e"], times.measured());
        let text = samples.to_text();
        for line in [
            "dsframe_encode_seconds_bucket{element=\"e\",le=\"0.0001\"} 1\n",
            "dsframe_encode_seconds_bucket{element=\"e\",le=\"0.00025\"} 2\n",
            "dsframe_encode_seconds_bucket{element=\"e\",le=\"10\"} 2\n",
            "dsframe_encode_seconds_bucket{element=\"e\",le=\"+Inf\"} 3\n",
            "dsframe_encode_seconds_sum{element=\"e\"} 60.000201\n",
            "dsframe_encode_seconds_count{element=\"e\"} 3\n",
        ] {
            assert!(text.contains(line), "{line}{text}");
        }
    }

    #[test]
    fn names_are_what_prometheus_wants() {
        let mut names = std::collections::BTreeSet::new();
        for family in families::ALL {
            assert!(names.insert(family.name), "{} twice", family.name);
            assert!(family.name.starts_with("dsframe_"), "{}", family.name);
            let is_total = family.name.ends_with("_total");
            assert_eq!(
                is_total,
                family.kind == families::Kind::Counter,
                "{}",
                family.name
            );
            assert!(!family.help.contains(['\n', '\\']), "{}", family.name);
        }
    }
}
