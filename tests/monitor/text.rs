// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! A reader of Prometheus' text format, version 0.0.4, that takes nothing but what the format says.

use std::collections::{BTreeMap, BTreeSet};

pub type Labels = BTreeMap<String, String>;

#[derive(Debug, Default)]
pub struct Metrics {
    /// Name and kind.
    pub kinds: BTreeMap<String, String>,
    pub samples: BTreeMap<(String, Labels), f64>,
}

fn is_name(text: &str) -> bool {
    let ok = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.chars().all(ok) && text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
}

/// Up to the closing brace, which must be there. Returns what is behind it.
fn labels(mut text: &str) -> Result<(Labels, &str), String> {
    let mut labels = Labels::new();
    loop {
        let (name, rest) = text.split_once("=\"").ok_or("no =\"")?;
        if !is_name(name) {
            return Err(format!("label name {name:?}"));
        }
        let mut value = String::new();
        let mut characters = rest.char_indices();
        let end = loop {
            match characters.next().ok_or("no end of a value")? {
                (at, '"') => break at + 1,
                (_, '\\') => value.push(match characters.next() {
                    Some((_, '\\')) => '\\',
                    Some((_, '"')) => '"',
                    Some((_, 'n')) => '\n',
                    other => return Err(format!("escaped {other:?}")),
                }),
                (_, character) => value.push(character),
            }
        };
        if labels.insert(name.to_owned(), value).is_some() {
            return Err(format!("label {name} twice"));
        }
        text = &rest[end..];
        match text.strip_prefix(',') {
            Some(more) => text = more,
            None => {
                let behind = text
                    .strip_prefix('}')
                    .ok_or(format!("behind {name}: {text:?}"))?;
                return Ok((labels, behind));
            }
        }
    }
}

fn sample(line: &str) -> Result<(String, Labels, f64), String> {
    let (start, number) = line.rsplit_once(' ').ok_or("no value")?;
    let (name, labels) = match start.split_once('{') {
        None => (start, Labels::new()),
        Some((name, rest)) => {
            let (labels, behind) = labels(rest)?;
            if !behind.is_empty() {
                return Err(format!("{behind:?} behind the labels"));
            }
            (name, labels)
        }
    };
    if !is_name(name) {
        return Err(format!("name {name:?}"));
    }
    let value = number
        .parse()
        .map_err(|error| format!("{number:?}: {error}"))?;
    Ok((name.to_owned(), labels, value))
}

/// The family that a sample belongs to.
fn family<'a>(name: &'a str, kinds: &BTreeMap<String, String>) -> &'a str {
    for suffix in ["_bucket", "_sum", "_count"] {
        if let Some(base) = name.strip_suffix(suffix)
            && kinds.get(base).is_some_and(|kind| kind == "histogram")
        {
            return base;
        }
    }
    name
}

impl Metrics {
    #[track_caller]
    pub fn parse(text: &str) -> Self {
        Self::try_parse(text).unwrap_or_else(|error| panic!("{error}\n{text}"))
    }

    pub fn try_parse(text: &str) -> Result<Self, String> {
        let mut metrics = Self::default();
        let mut helped = BTreeSet::new();
        // Samples of a family stand together, after its HELP and TYPE.
        let mut current = String::new();
        if !text.ends_with('\n') {
            return Err("the last line has no end".into());
        }
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("# HELP ") {
                let (name, _) = rest.split_once(' ').ok_or("HELP without a text")?;
                if !is_name(name) || !helped.insert(name.to_owned()) {
                    return Err(format!("HELP of {name} twice, or no name"));
                }
                current = name.to_owned();
            } else if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, kind) = rest.split_once(' ').ok_or("TYPE without a kind")?;
                if name != current || !["counter", "gauge", "histogram"].contains(&kind) {
                    return Err(format!("TYPE {rest} after HELP of {current}"));
                }
                if metrics.kinds.insert(name.into(), kind.into()).is_some() {
                    return Err(format!("TYPE of {name} twice"));
                }
            } else {
                let (name, labels, value) = sample(line).map_err(|e| format!("{line}: {e}"))?;
                let of = family(&name, &metrics.kinds);
                let kind = metrics.kinds.get(of).ok_or(format!("{line}: no TYPE"))?;
                if of != current {
                    return Err(format!("{line} stands apart from its family"));
                }
                if kind == "histogram" && of == name {
                    return Err(format!(
                        "{line}: a histogram has buckets, a sum and a count"
                    ));
                }
                if kind == "counter" && !(value >= 0.0 && value.is_finite()) {
                    return Err(format!("{line}: a counter that is none"));
                }
                if metrics.samples.insert((name, labels), value).is_some() {
                    return Err(format!("{line} twice"));
                }
            }
        }
        metrics.check_histograms()?;
        Ok(metrics)
    }

    fn check_histograms(&self) -> Result<(), String> {
        let histograms = self.kinds.iter().filter(|(_, kind)| *kind == "histogram");
        for (name, _) in histograms {
            let mut series = BTreeMap::<Labels, Vec<(f64, f64)>>::new();
            for ((sample, labels), value) in &self.samples {
                if *sample != format!("{name}_bucket") {
                    continue;
                }
                let mut own = labels.clone();
                let bound = own.remove("le").ok_or(format!("{name}: no le"))?;
                let bound = bound.parse().map_err(|_| format!("{name}: le={bound:?}"))?;
                series.entry(own).or_default().push((bound, *value));
            }
            for (labels, mut buckets) in series {
                buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
                let get = |suffix: &str| {
                    let key = (format!("{name}{suffix}"), labels.clone());
                    self.samples
                        .get(&key)
                        .copied()
                        .ok_or(format!("no {name}{suffix}"))
                };
                let (last, count) = (*buckets.last().unwrap(), get("_count")?);
                let rises = buckets.is_sorted_by(|a, b| a.1 <= b.1);
                if last != (f64::INFINITY, count) || !rises || get("_sum")? < 0.0 {
                    return Err(format!("{name}{labels:?}: {buckets:?}, count {count}"));
                }
            }
        }
        Ok(())
    }

    /// The sample with exactly these labels.
    #[track_caller]
    pub fn get(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let pair = |(name, value): &(&str, &str)| (name.to_string(), value.to_string());
        let key = (name.to_owned(), labels.iter().map(pair).collect::<Labels>());
        let found = self.samples.get(&key);
        *found.unwrap_or_else(|| panic!("no {key:?} in {:#?}", self.samples.keys()))
    }

    /// All that have these labels, and perhaps others.
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let fits = |own: &Labels| {
            let mut wanted = labels.iter();
            wanted.all(|(name, value)| own.get(*name).is_some_and(|it| it == value))
        };
        let all = self.samples.iter();
        all.filter(|((own, labels), _)| own == name && fits(labels))
            .map(|(_, value)| value)
            .sum()
    }

    pub fn elements(&self) -> BTreeSet<String> {
        let labels = self
            .samples
            .keys()
            .filter_map(|(_, labels)| labels.get("element"));
        labels.cloned().collect()
    }
}

#[test]
fn it_takes_the_format_and_nothing_else() {
    let good = "# HELP a_total Text {with} \"all\".\n# TYPE a_total counter\n\
                a_total{x=\"1\\\"\\\\\\n\",y=\"ü, {}\"} 3\na_total 4\n";
    let metrics = Metrics::parse(good);
    assert_eq!(
        metrics.get("a_total", &[("x", "1\"\\\n"), ("y", "ü, {}")]),
        3.0
    );
    for bad in [
        "a_total 1\n",
        "# HELP a b\n# TYPE a counter\na 1",
        "# HELP a b\n# TYPE a counter\na 1\na 2\n",
        "# HELP a b\n# TYPE a counter\na -1\n",
        "# HELP a b\n# TYPE a counter\na x\n",
        "# HELP a b\n# TYPE a counter\na{b=\"\\x\"} 1\n",
        "# HELP a b\n# TYPE a counter\na{b=\"1\",b=\"2\"} 1\n",
        "# HELP a b\n# TYPE a counter\na{b=\"1\"\n} 1\n",
        "# HELP a b\n# TYPE a counter\na{b=\"1} 1\n",
        "# HELP a b\n# TYPE a counter\na{} 1\n",
        "# HELP a b\n# TYPE a histogram\na 1\n",
        "# HELP a b\n# TYPE a histogram\na_bucket{le=\"1\"} 1\na_sum 1\na_count 1\n",
        "# HELP a b\n# TYPE a histogram\na_bucket{le=\"+Inf\"} 1\na_sum 1\na_count 2\n",
        "# HELP a b\n# TYPE a gauge\n# HELP b b\n# TYPE b gauge\nb 1\na 1\n",
        "\n",
    ] {
        assert!(Metrics::try_parse(bad).is_err(), "{bad}");
    }
}
