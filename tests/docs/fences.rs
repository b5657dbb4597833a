// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Fenced blocks of a page and the marks after the language: `sh run files=10 needs=endpoint`.

use std::path::Path;

#[derive(Debug, PartialEq, Eq)]
pub struct Fence {
    pub line: usize,
    pub language: String,
    marks: Vec<String>,
    pub text: String,
}

impl Fence {
    pub fn has(&self, mark: &str) -> bool {
        self.marks.iter().any(|m| m == mark)
    }

    /// The value of `mark=value`.
    pub fn value(&self, mark: &str) -> Option<&str> {
        self.marks
            .iter()
            .find_map(|m| m.strip_prefix(mark)?.strip_prefix('='))
    }
}

pub fn of(text: &str) -> Vec<Fence> {
    let mut found = Vec::new();
    let mut open: Option<Fence> = None;
    for (at, line) in text.lines().enumerate() {
        match (line.strip_prefix("```"), &mut open) {
            (Some(_), Some(_)) => found.extend(open.take()),
            (Some(head), None) => {
                let mut words = head.split_whitespace().map(str::to_owned);
                open = Some(Fence {
                    line: at + 1,
                    language: words.next().unwrap_or_default(),
                    marks: words.collect(),
                    text: String::new(),
                });
            }
            (None, Some(fence)) => {
                fence.text.push_str(line);
                fence.text.push('\n');
            }
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "a fence is not closed: {open:?}");
    found
}

pub fn of_page(path: &Path) -> Vec<Fence> {
    of(&std::fs::read_to_string(path).unwrap())
}

#[test]
fn marks_are_read() {
    let fences = of("a\n```sh run files=2\nx\ny\n```\n```\nz\n```\n");
    assert_eq!(fences.len(), 2);
    assert_eq!(fences[0].line, 2);
    assert_eq!(fences[0].language, "sh");
    assert_eq!(fences[0].text, "x\ny\n");
    assert!(fences[0].has("run") && !fences[0].has("ru"));
    assert_eq!(fences[0].value("files"), Some("2"));
    assert_eq!(fences[0].value("file"), None);
    assert_eq!(fences[1].language, "");
}
