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
    /// A file or folder, a name with a number in it (`%06d`), or a glob: what is there to be read.
    Pattern,
    /// The name of a channel, which may be `unix:` and the template of a path.
    Channel,
    /// The name of one channel, which may be `unix:` and a path.
    Address,
    /// A file, or `env:` and the name of a variable.
    FileOrVariable,
}

/// `value` as it is meant by a file in `folder`.
pub fn resolve(value: String, kind: Kind, folder: &Path) -> Result<String, String> {
    let (scheme, path) = match kind {
        Kind::Channel | Kind::Address => match value.strip_prefix("unix:") {
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
        Kind::Pattern => before_pattern(folder, path),
        Kind::Plain | Kind::Address | Kind::FileOrVariable => folder.to_owned(),
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

/// And so it is before a number pattern or a glob, unless there is something of just this name, which
/// is what is meant then.
fn before_pattern(folder: &str, path: &str) -> String {
    if Path::new(folder).join(path).exists() {
        return folder.to_owned();
    }
    let is_glob = path.contains(['*', '?', '[']);
    let has_number = path.contains("%d") || path.contains("%0");
    if has_number || (path.contains('%') && !is_glob) {
        folder.replace('%', "%%")
    } else if is_glob {
        // A folder may look as if it had a number in it.
        glob::Pattern::escape(folder).replace('%', "[%]")
    } else {
        folder.to_owned()
    }
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
            ("cam%", Address, "/a%", "cam%"),
            ("unix:cam", Address, "/a%{b}", "unix:/a%{b}/cam"),
            ("unix:/run/%", Address, "/a%", "unix:/run/%"),
            ("p.jpg", Pattern, "/a%[1]", "/a%[1]/p.jpg"),
            ("-", Pattern, "/a%", "-"),
            ("p_%06d.jpg", Pattern, "/50%{a}", "/50%%{a}/p_%06d.jpg"),
            ("%d/[1].jpg", Pattern, "/50%[a]", "/50%%[a]/%d/[1].jpg"),
            ("100%%.jpg", Pattern, "/50%", "/50%%/100%%.jpg"),
            ("*.jpg", Pattern, "/a [1]?*", "/a [[]1[]][?][*]/*.jpg"),
            ("*.jpg", Pattern, "/a%d", "/a[%]d/*.jpg"),
            ("5% off/*.jpg", Pattern, "/a%", "/a[%]/5% off/*.jpg"),
            ("*.jpg", Pattern, "/a", "/a/*.jpg"),
            ("/b%/*.jpg", Pattern, "/a%", "/b%/*.jpg"),
            ("env:TOKEN", FileOrVariable, "/etc/a", "env:TOKEN"),
            ("env:TOKEN", Plain, "/etc/a", "/etc/a/env:TOKEN"),
            ("token", FileOrVariable, "/etc/a", "/etc/a/token"),
        ] {
            let got = resolve(value.into(), kind, Path::new(folder));
            assert_eq!(got.as_deref(), Ok(want), "{value} {kind:?}");
        }
    }
    /// As the source looks for it: what is there under just this name wins over a pattern.
    #[test]
    fn names_that_look_like_patterns_are_found() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("50%");
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join("a_%d[1].png"), b"x").unwrap();
        for (value, escaped) in [("a_%d[1].png", false), ("b_%d[1].png", true)] {
            let got = resolve(value.into(), Kind::Pattern, &folder).unwrap();
            let name = if escaped { "50%%" } else { "50%" };
            assert!(got.ends_with(&format!("/{name}/{value}")), "{got}");
        }
    }
}
