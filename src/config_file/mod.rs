// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The file that the property `config-file-path` names: YAML or INI, with properties in group
//! `property` and those of single streams in groups `stream-N`.

mod document;
mod given;
mod inherited;
mod ini;
mod place;
mod read;
mod schema;
mod suggest;
mod value;
mod variables;
mod yaml;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use gst::glib;

use crate::fault::{Fault, SettingsError};

pub use document::{Document, Entry, Group, Problem, Syntax};
pub use given::{Given, Store};
pub use inherited::{Inherited, specs};
pub use place::Kind;
pub use read::MAX_BYTES;
pub use schema::Schema;
pub use variables::{Lookup, expand};

pub const PROPERTY: &str = "config-file-path";

/// A property with what a file says that it is.
#[derive(Debug, Clone)]
pub struct Said {
    pub name: &'static str,
    pub value: glib::Value,
    pub line: usize,
}

/// What is said about one stream.
#[derive(Debug, Clone, Default)]
pub struct OfStream {
    pub line: usize,
    pub said: Vec<Said>,
}

/// A file whose every key is one that the element has.
#[derive(Debug, Clone, Default)]
pub struct ConfigFile {
    path: PathBuf,
    pub said: Vec<Said>,
    /// Of the base classes.
    pub inherited: Vec<Said>,
    pub streams: BTreeMap<u32, OfStream>,
}

impl ConfigFile {
    /// Reads a file with the environment of the process.
    ///
    /// # Errors
    ///
    /// Names the property, the file and the line.
    pub fn read(path: &str, schema: &Schema<'_>) -> Result<Self, SettingsError> {
        let path = Path::new(path);
        let wrong = |problem: Problem| SettingsError {
            property: PROPERTY,
            reason: match problem.line {
                Some(_) => format!("{}, {problem}", path.display()),
                None => format!("{}: {problem}", path.display()),
            },
        };
        let text = read::read(path).map_err(wrong)?;
        Self::parse(path, &text, schema, &variables::of_process).map_err(wrong)
    }

    /// Reads what is in a file.
    pub fn parse(
        path: &Path,
        text: &str,
        schema: &Schema<'_>,
        lookup: Lookup<'_>,
    ) -> Result<Self, Problem> {
        let document = Document::parse(Syntax::of(path), text)?;
        schema.read(path, &document, lookup)
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// For the log: no values, some of which may be secret.
    pub fn summary(&self) -> String {
        let names = |said: &[Said]| said.iter().map(|it| it.name).collect::<Vec<_>>().join(" ");
        let mut summary = format!("{}: {}", self.path.display(), names(&self.said));
        if !self.inherited.is_empty() {
            summary += &format!("; {}", names(&self.inherited));
        }
        for (stream, of_stream) in &self.streams {
            summary += &format!("; stream {stream}: {}", names(&of_stream.said));
        }
        summary
    }

    /// What is wrong with properties, with the line that says so. `stream`: with those of a stream.
    /// Properties that were `given` otherwise are not the file's, whatever it says beside them.
    pub fn explain(
        &self,
        error: SettingsError,
        stream: Option<u32>,
        is_given: impl Fn(&str) -> bool,
    ) -> SettingsError {
        let SettingsError { property, reason } = error;
        let of_stream = stream.and_then(|stream| self.streams.get(&stream));
        let line_in = |said: &[Said]| said.iter().find(|it| it.name == property).map(|it| it.line);
        let path = self.path.display();
        if is_given(property) {
            let with = match (stream, of_stream) {
                (Some(stream), Some(group)) => format!(
                    "with group \"stream-{stream}\" of {path}, line {}",
                    group.line
                ),
                _ => format!("{PROPERTY} is {path}"),
            };
            return SettingsError {
                property,
                reason: format!("{reason} ({with})"),
            };
        }
        let line = of_stream
            .and_then(|it| line_in(&it.said))
            .or_else(|| line_in(&self.said))
            .or(of_stream.map(|it| it.line));
        let group = stream.map_or(String::new(), |stream| {
            format!("group \"stream-{stream}\": ")
        });
        match line {
            Some(line) => SettingsError {
                property: PROPERTY,
                reason: format!("{path}, line {line}: {group}key \"{property}\": {reason}"),
            },
            None => SettingsError {
                property,
                reason: format!("{reason} ({PROPERTY} is {path})"),
            },
        }
    }

    /// Failures of a start with what the file says: it may be the file that is wrong.
    pub fn note(&self, fault: Fault) -> Fault {
        match self.path.as_os_str().is_empty() {
            true => fault,
            false => fault.noting(format_args!("{PROPERTY} is {}", self.path.display())),
        }
    }
}

#[cfg(test)]
mod tests;
