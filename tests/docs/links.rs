// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Every relative link of the documentation leads somewhere, and every anchor is a heading.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::{pages, repository};

/// Lines outside of fenced and indented code.
fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut fenced = false;
    text.lines().enumerate().filter_map(move |(at, line)| {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
            return None;
        }
        (!fenced && !line.starts_with("    ")).then_some((at + 1, line))
    })
}

/// What a heading is called in an address: lower case, without punctuation, with dashes.
fn anchor(heading: &str) -> String {
    heading
        .to_lowercase()
        .chars()
        .filter_map(|c| match c {
            ' ' => Some('-'),
            c if c.is_alphanumeric() || c == '-' || c == '_' => Some(c),
            _ => None,
        })
        .collect()
}

fn anchors(text: &str) -> BTreeSet<String> {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let mut found = BTreeSet::new();
    for (_, line) in prose(text) {
        let Some(heading) = line.strip_prefix('#') else {
            continue;
        };
        let name = anchor(heading.trim_start_matches('#').trim());
        let count = seen.entry(name.clone()).or_default();
        found.insert(match *count {
            0 => name,
            n => format!("{name}-{n}"),
        });
        *count += 1;
    }
    found
}

/// The targets of `[text](target)`, without those in code.
fn targets(line: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut rest = line;
    while let Some(at) = rest.find("](") {
        let before = &rest[..at];
        let after = &rest[at + 2..];
        let Some(end) = after.find(')') else { break };
        if before.matches('`').count().is_multiple_of(2) || before.ends_with('`') {
            found.push(&after[..end]);
        }
        rest = &after[end..];
    }
    found
}

/// What is wrong with a link of this page, if anything is.
fn broken(page: &Path, target: &str) -> Option<String> {
    if target.contains("://") || target.starts_with("mailto:") {
        return None;
    }
    let (path, fragment) = match target.split_once('#') {
        Some((path, fragment)) => (path, Some(fragment)),
        None => (target, None),
    };
    let file: PathBuf = match path {
        "" => page.to_owned(),
        path => page.parent().unwrap().join(path),
    };
    if !file.exists() {
        return Some("it leads nowhere".into());
    }
    let inside = file.canonicalize().unwrap();
    if !inside.starts_with(repository().canonicalize().unwrap()) {
        return Some("it leads out of the repository".into());
    }
    let fragment = fragment?;
    let text = std::fs::read_to_string(&file).ok()?;
    let known = anchors(&text);
    (!known.contains(fragment)).then(|| format!("there is no such heading; there are {known:?}"))
}

#[test]
fn every_relative_link_leads_somewhere() {
    let mut wrong = Vec::new();
    let mut count = 0;
    for page in pages() {
        let text = std::fs::read_to_string(&page).unwrap();
        for (at, line) in prose(&text) {
            for target in targets(line) {
                count += 1;
                if let Some(why) = broken(&page, target) {
                    let page = page.strip_prefix(repository()).unwrap().display();
                    wrong.push(format!("{page}:{at}: ({target}): {why}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(count > 30, "only {count} links were found");
}

#[test]
fn every_page_is_in_the_index() {
    let index = repository().join("docs/README.md");
    let text = std::fs::read_to_string(&index).unwrap();
    let listed: BTreeSet<&str> = text.lines().flat_map(targets).collect();
    for page in pages() {
        let name = page.file_name().unwrap().to_str().unwrap();
        let in_docs = page.parent() == index.parent() && page != index;
        assert!(
            !in_docs || listed.contains(name),
            "docs/README.md lacks {name}"
        );
    }
}

#[test]
fn what_is_broken_is_seen() {
    let page = repository().join("docs/README.md");
    assert_eq!(broken(&page, "https://example.org/x"), None);
    assert_eq!(broken(&page, "gpu.md"), None);
    assert_eq!(broken(&page, "../README.md#two-commands"), None);
    assert!(broken(&page, "no-such-page.md").is_some());
    assert!(broken(&page, "gpu.md#no-such-heading").is_some());
    assert!(broken(&page, "../../elsewhere.md").is_some());
    assert_eq!(
        anchor("What `stats` says, and why"),
        "what-stats-says-and-why"
    );
    assert_eq!(targets("a [b](c.md) `[d](e)` [`f`](g#h)"), ["c.md", "g#h"]);
    assert_eq!(
        anchors("# A b\n## A b\n```\n# no\n```\n"),
        BTreeSet::from(["a-b".to_string(), "a-b-1".to_string()])
    );
}
