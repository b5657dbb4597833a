// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! INI as GLib reads it, and with it the files of nvinfer and nvtracker: GLib says what the values
//! are, and the lines are counted here.

use glib::{KeyFile, KeyFileFlags};

use super::document::{Builder, Document, Entry, Problem};

/// What GLib takes for white space.
const SPACE: [char; 5] = [' ', '\t', '\r', '\x0b', '\x0c'];

pub fn parse(text: &str) -> Result<Document, Problem> {
    let scanned = scan(text)?;
    // GLib keeps blanks at the end of a value, where nobody sees them; one that is meant is \s.
    let lines: Vec<_> = text
        .split('\n')
        .map(|line| line.trim_end_matches(SPACE))
        .collect();
    let file = KeyFile::new();
    file.load_from_data(&lines.join("\n"), KeyFileFlags::NONE)
        .map_err(|error| Problem::new(format!("is not INI: {}", error.message())))?;
    let mut builder = Builder::default();
    for group in scanned.groups {
        builder.group(&group.name, group.line)?;
        for entry in group.entries {
            let (key, line) = (&entry.key, entry.line);
            let value = file.string(&group.name, key).map_err(|_| {
                Problem::at(
                    line,
                    format!(
                        "key \"{key}\" has a backslash that stands for nothing: \\s, \\n, \\t, \
                         \\r and \\\\ are known, and the last is a backslash"
                    ),
                )
            })?;
            let value = value.to_string();
            let quoted = value.strip_prefix('"').and_then(|it| it.strip_suffix('"'));
            if quoted.is_some_and(|inside| !inside.contains('"')) {
                return Err(Problem::at(
                    line,
                    format!("key \"{key}\": values have no quotes around them in INI"),
                ));
            }
            builder.entry(Entry { value, ..entry })?;
        }
    }
    Ok(builder.finish())
}

/// Which groups and keys there are, in which lines; GLib would let the last of each win.
fn scan(text: &str) -> Result<Document, Problem> {
    let mut builder = Builder::default();
    for (index, line) in text.split('\n').enumerate() {
        let number = index + 1;
        let line = line.trim_matches(SPACE);
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if line.starts_with(';') {
            return Err(Problem::at(number, "comments begin with #"));
        }
        if let Some(group) = line.strip_prefix('[') {
            let name = group
                .strip_suffix(']')
                .filter(|name| !name.is_empty() && !name.contains(['[', ']']));
            let Some(name) = name else {
                return Err(Problem::at(
                    number,
                    "a group was expected: its name in brackets, and nothing behind it",
                ));
            };
            builder.group(name, number)?;
            continue;
        }
        let key = line
            .split_once('=')
            .map(|(key, _)| key.trim_end_matches(SPACE));
        let Some(key) = key.filter(|key| !key.is_empty() && !key.contains(['[', ']'])) else {
            let yaml = match line.contains(": ") || line.ends_with(':') {
                true => "; YAML is read from files that end in .yml or .yaml",
                false => "",
            };
            return Err(Problem::at(
                number,
                format!("neither a [group] nor key=value nor a comment, which begins with #{yaml}"),
            ));
        };
        builder.entry(Entry {
            key: key.to_owned(),
            value: String::new(),
            is_list: false,
            line: number,
        })?;
    }
    let document = builder.finish();
    match document.groups.is_empty() {
        true => Err(Problem::new("is empty but for comments")),
        false => Ok(document),
    }
}
