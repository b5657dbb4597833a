// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Files, written and compared.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::TempDir;

use crate::common::files;

/// A group and what is in it.
pub type Section<'a> = (&'a str, Vec<(&'a str, String)>);

pub fn section<'a>(name: &'a str, entries: &[(&'a str, &str)]) -> Section<'a> {
    let entries = entries.iter().map(|(key, value)| (*key, value.to_string()));
    (name, entries.collect())
}

pub fn yaml(sections: &[Section<'_>]) -> String {
    let mut text = String::new();
    for (name, entries) in sections {
        text += &format!("{name}:\n");
        for (key, value) in entries {
            let value = value.replace('$', "$$").replace('\'', "''");
            text += &format!("  {key}: '{value}'\n");
        }
    }
    text
}

pub fn ini(sections: &[Section<'_>]) -> String {
    let mut text = String::new();
    for (name, entries) in sections {
        text += &format!("[{name}]\n");
        for (key, value) in entries {
            let value = value.replace('$', "$$").replace('\\', "\\\\");
            text += &format!("{key}={value}\n");
        }
    }
    text
}

/// The same in both syntaxes, as text and name of a file.
pub fn both(sections: &[Section<'_>]) -> [(&'static str, String); 2] {
    [("a.yml", yaml(sections)), ("a.txt", ini(sections))]
}

pub fn write(folder: &TempDir, name: &str, text: &str) -> PathBuf {
    let path = folder.path().join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, text).unwrap();
    path
}

/// The pictures of a folder with all their bytes.
pub fn pictures(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    files(folder)
        .into_iter()
        .filter(|name| name.ends_with(".jpg") || name.ends_with(".png"))
        .map(|name| {
            let bytes = fs::read(folder.join(&name)).unwrap();
            (name, bytes)
        })
        .collect()
}

/// The lines of a log without what is of one run or one folder alone.
pub fn log(path: &Path) -> Vec<Value> {
    let folder = format!("{}/", path.parent().unwrap().display());
    let text = fs::read_to_string(path).unwrap().replace(&folder, "");
    assert!(!text.is_empty() && text.ends_with('\n'), "a torn line");
    let without = |line: &str| {
        let mut line: Value = serde_json::from_str(line).unwrap();
        for field in ["run", "timestamp"] {
            let fields = line.as_object_mut().unwrap();
            assert!(fields.remove(field).is_some(), "{field}");
        }
        line
    };
    text.lines().map(without).collect()
}
