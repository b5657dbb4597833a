// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Configuration files of both elements, in both syntaxes.

use std::path::Path;

use gstdsframe::capture::config::file::schema as of_capture;
use gstdsframe::config_file::{ConfigFile, Document, Syntax, expand};
use gstdsframe::inject::config::file::schema as of_inject;

/// In no file of the corpus, and nowhere to be seen.
const SECRET: &str = "\u{2603}secret";

fn variables(name: &str) -> Result<Option<String>, String> {
    match name {
        "A" => Ok(Some("1".into())),
        "S" => Ok(Some(SECRET.into())),
        "X" => Err("X is not UTF-8".into()),
        _ => Ok(None),
    }
}

pub fn run(data: &[u8]) {
    gst::init().unwrap();
    let text = String::from_utf8_lossy(data);
    if text.contains(SECRET) {
        return;
    }
    // Line ends of YAML are those of other systems, too.
    let lines = 1 + text.matches(['\n', '\r']).count();
    let _ = expand(&text, &variables);
    for (name, syntax) in [("/c/a.yml", Syntax::Yaml), ("/c/a.txt", Syntax::Ini)] {
        let path = Path::new(name);
        let document = Document::parse(syntax, &text);
        for schema in [of_capture(&[]), of_inject(&[])] {
            match ConfigFile::parse(path, &text, &schema, &variables) {
                Err(problem) => {
                    let line = problem.line.unwrap_or(1);
                    assert!((1..=lines + 1).contains(&line), "{problem}");
                    assert!(!problem.text.is_empty());
                    assert!(!problem.text.contains(SECRET), "{problem}");
                }
                Ok(file) => {
                    let document = document.as_ref().unwrap();
                    let entries = |name: &str| {
                        let groups = document.groups.iter();
                        let group = groups.clone().find(|group| group.name == name);
                        group.map_or(0, |group| group.entries.len())
                    };
                    assert_eq!(file.said.len(), entries("property"));
                    for (stream, of_stream) in &file.streams {
                        let name = format!("stream-{stream}");
                        assert_eq!(of_stream.said.len(), entries(&name));
                    }
                    let of_all = usize::from(document.groups.iter().any(|g| g.name == "property"));
                    assert_eq!(file.streams.len() + of_all, document.groups.len());
                    assert!(!file.summary().contains(SECRET));
                }
            }
        }
    }
}
