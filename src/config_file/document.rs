// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What a configuration file says, whatever it is written in: groups of keys with texts.

use std::collections::HashMap;
use std::fmt;

use super::{ini, yaml};

/// What is wrong with a file, and in which line if it is about one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    pub line: Option<usize>,
    pub text: String,
}

impl Problem {
    pub fn new(text: impl Into<String>) -> Self {
        Self {
            line: None,
            text: text.into(),
        }
    }

    pub fn at(line: usize, text: impl Into<String>) -> Self {
        Self {
            line: Some(line),
            text: text.into(),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "line {line}: {}", self.text),
            None => f.write_str(&self.text),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Syntax {
    Yaml,
    Ini,
}

impl Syntax {
    /// By the suffix, as DeepStream's elements tell them apart.
    pub fn of(path: &std::path::Path) -> Self {
        let suffix = path.extension().and_then(|suffix| suffix.to_str());
        match suffix.map(str::to_ascii_lowercase).as_deref() {
            Some("yml" | "yaml") => Self::Yaml,
            _ => Self::Ini,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub key: String,
    /// As it is written, without quotes, and variables as they are.
    pub value: String,
    /// Whether the items of a list were joined by commas.
    pub is_list: bool,
    pub line: usize,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    pub name: String,
    pub line: usize,
    pub entries: Vec<Entry>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Document {
    /// In the order of the file, and each of its own name; so are the keys in them.
    pub groups: Vec<Group>,
}

impl Document {
    /// # Errors
    ///
    /// The first thing that is wrong with the syntax.
    pub fn parse(syntax: Syntax, text: &str) -> Result<Self, Problem> {
        // Of editors that mark UTF-8.
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        if let Some(at) = text.find('\0') {
            return Err(Problem::at(
                line_of(text, at),
                "has a zero byte: this is not a text file",
            ));
        }
        if text.trim().is_empty() {
            return Err(Problem::new("is empty"));
        }
        let text = text.replace("\r\n", "\n");
        match syntax {
            Syntax::Yaml => yaml::parse(&text),
            Syntax::Ini => ini::parse(&text),
        }
    }
}

/// In which line the byte at `at` is, counted from 1.
pub fn line_of(text: &str, at: usize) -> usize {
    let before = text.as_bytes().get(..at).unwrap_or_default();
    1 + before.iter().filter(|byte| **byte == b'\n').count()
}

/// Groups and keys as they are read, refused where they come twice.
#[derive(Default)]
pub struct Builder {
    document: Document,
    groups: HashMap<String, usize>,
    keys: HashMap<String, usize>,
}

impl Builder {
    pub fn group(&mut self, name: &str, line: usize) -> Result<(), Problem> {
        if let Some(first) = self.groups.insert(name.to_owned(), line) {
            return Err(Problem::at(
                line,
                format!("group \"{name}\" was begun in line {first} already"),
            ));
        }
        self.keys.clear();
        self.document.groups.push(Group {
            name: name.to_owned(),
            line,
            entries: Vec::new(),
        });
        Ok(())
    }

    pub fn entry(&mut self, entry: Entry) -> Result<(), Problem> {
        let (key, line) = (&entry.key, entry.line);
        if let Some(first) = self.keys.insert(key.clone(), line) {
            return Err(Problem::at(
                line,
                format!("key \"{key}\" was set in line {first} already"),
            ));
        }
        match self.document.groups.last_mut() {
            Some(group) => group.entries.push(entry),
            None => return Err(no_group(key, line)),
        }
        Ok(())
    }

    pub fn finish(self) -> Document {
        self.document
    }
}

pub fn no_group(key: &str, line: usize) -> Problem {
    Problem::at(
        line,
        format!("key \"{key}\" is in no group: put it into group \"property\""),
    )
}
