// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Paths in a file are relative to its folder, as in the files of DeepStream's elements.

use std::path::Path;

/// What kind of path a key takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A file or folder.
    Plain,
    /// A name that is filled in.
    Template,
    /// The name of a channel, which may be `unix:` and the template of a path.
    Channel,
    /// A file, or `env:` and the name of a variable.
    FileOrVariable,
}

/// `value` as it is meant by a file in `folder`.
pub fn resolve(value: String, kind: Kind, folder: &Path) -> Result<String, String> {
    let (scheme, path) = match kind {
        Kind::Channel => match value.strip_prefix("unix:") {
            Some(path) => ("unix:", path),
            None => return Ok(value),
        },
        Kind::FileOrVariable if value.starts_with("env:") => return Ok(value),
        _ => ("", value.as_str()),
    };
    // Standard input, and addresses such as s3://bucket/name.
    let is_elsewhere = path.is_empty() || path == "-" || path.contains("://");
    if is_elsewhere || Path::new(path).is_absolute() || folder.as_os_str().is_empty() {
        return Ok(value);
    }
    let Some(folder) = folder.to_str() else {
        return Err(
            "is relative to the folder of the file, whose name is not UTF-8: write the whole path"
                .into(),
        );
    };
    let folder = match kind {
        Kind::Template | Kind::Channel => escaped(folder),
        Kind::Plain | Kind::FileOrVariable => folder.to_owned(),
    };
    let separator = match folder.ends_with('/') {
        true => "",
        false => "/",
    };
    Ok(format!("{scheme}{folder}{separator}{path}"))
}

/// A folder in a template is itself.
fn escaped(folder: &str) -> String {
    let mut escaped = String::with_capacity(folder.len());
    for letter in folder.chars() {
        if matches!(letter, '%' | '{' | '}') {
            escaped.push(letter);
        }
        escaped.push(letter);
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relative_paths_are_those_of_the_folder() {
        use Kind::*;
        for (value, kind, folder, want) in [
            ("out/%d.jpg", Template, "/etc/a", "/etc/a/out/%d.jpg"),
            ("./x", Plain, "/etc/a/", "/etc/a/./x"),
            ("../x", Plain, "conf", "conf/../x"),
            ("x", Plain, "", "x"),
            ("x", Plain, "/", "/x"),
            ("/out/%d.jpg", Template, "/etc/a", "/out/%d.jpg"),
            ("-", Plain, "/etc/a", "-"),
            ("", Plain, "/etc/a", ""),
            (
                "s3://bucket/%d.jpg",
                Template,
                "/etc/a",
                "s3://bucket/%d.jpg",
            ),
            (
                "{stream}.jpg",
                Template,
                "/50%{a}",
                "/50%%{{a}}/{stream}.jpg",
            ),
            ("log", Plain, "/50%{a}", "/50%{a}/log"),
            ("cam", Channel, "/etc/a", "cam"),
            ("unix:cam", Channel, "/etc/a%", "unix:/etc/a%%/cam"),
            ("unix:/run/cam", Channel, "/etc/a", "unix:/run/cam"),
            ("unix:", Channel, "/etc/a", "unix:"),
            ("env:TOKEN", FileOrVariable, "/etc/a", "env:TOKEN"),
            ("env:TOKEN", Plain, "/etc/a", "/etc/a/env:TOKEN"),
            ("token", FileOrVariable, "/etc/a", "/etc/a/token"),
        ] {
            let got = resolve(value.into(), kind, Path::new(folder));
            assert_eq!(got.as_deref(), Ok(want), "{value} {kind:?}");
        }
    }
}
