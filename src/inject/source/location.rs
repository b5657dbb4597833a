// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What the property `location` names: a pipe, one file or many.

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use super::SourceError;

/// What `location` stands for on this machine, now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    Stdin,
    /// A FIFO or a character device.
    Pipe(PathBuf),
    File(PathBuf),
    /// The files of a folder or glob, in natural order; at least one.
    List(Vec<PathBuf>),
    Numbered(Pattern),
}

/// What is in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Picture,
    Y4m,
    Npy,
    Raw,
}

/// Bytes that [`Kind::of_bytes`] wants to see.
pub const MAGIC_BYTES: usize = 9;

impl Kind {
    /// By the suffix, where that settles it.
    pub fn of_path(path: &Path) -> Option<Self> {
        let suffix = path.extension()?.to_ascii_lowercase();
        match suffix.to_str()? {
            "jpg" | "jpeg" | "png" => Some(Self::Picture),
            "y4m" => Some(Self::Y4m),
            "npy" => Some(Self::Npy),
            _ => None,
        }
    }

    /// By the first bytes.
    pub fn of_bytes(start: &[u8]) -> Self {
        if start.starts_with(b"YUV4MPEG2") {
            Self::Y4m
        } else if start.starts_with(b"\x93NUMPY") {
            Self::Npy
        } else if start.starts_with(b"\xff\xd8\xff") || start.starts_with(b"\x89PNG\r\n\x1a\n") {
            Self::Picture
        } else {
            Self::Raw
        }
    }
}

/// How errors call a path.
pub fn named(path: &Path) -> String {
    format!("location \"{}\"", path.display())
}

/// What a failed access to `path` is called.
pub fn failed(path: &Path, error: &io::Error) -> SourceError {
    let what = named(path);
    match error.kind() {
        io::ErrorKind::NotFound => SourceError::NotFound {
            what,
            reason: "there is no such file; check the path, or use a printf pattern such as \
                     frame_%06d.jpg, a glob such as '*.png', or a folder for several pictures"
                .into(),
        },
        io::ErrorKind::PermissionDenied => SourceError::Open {
            what,
            reason: "permission denied; make it readable for the user who runs the pipeline".into(),
        },
        _ => SourceError::Open {
            what,
            reason: error.to_string(),
        },
    }
}

impl Location {
    /// A file that exists under just this name wins over a pattern.
    pub fn find(location: &str) -> Result<Self, SourceError> {
        if location.is_empty() {
            return Err(settings(
                "location is empty; name a file, a pattern, a glob, a folder, or - for standard \
                 input",
            ));
        }
        if location == "-" {
            return Ok(Self::Stdin);
        }
        let path = Path::new(location);
        match fs::metadata(path) {
            Ok(found) => Self::existing(path, &found),
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed(path, &error)),
            Err(error) => Self::pattern(location).unwrap_or_else(|| Err(failed(path, &error))),
        }
    }

    fn existing(path: &Path, found: &Metadata) -> Result<Self, SourceError> {
        let kind = found.file_type();
        if found.is_dir() {
            pictures_in(path).map(Self::List)
        } else if kind.is_fifo() || kind.is_char_device() {
            Ok(Self::Pipe(path.into()))
        } else if kind.is_socket() {
            Err(SourceError::Open {
                what: named(path),
                reason: "this is a socket; the property channel reads from sockets".into(),
            })
        } else {
            Ok(Self::File(path.into()))
        }
    }

    /// `None` for a text that is no pattern at all.
    fn pattern(location: &str) -> Option<Result<Self, SourceError>> {
        let is_glob = location.contains(['*', '?', '[']);
        if location.contains('%') {
            match Pattern::parse(location) {
                Ok(pattern) => return Some(Ok(Self::Numbered(pattern))),
                Err(error) if !is_glob => return Some(Err(error)),
                Err(_) => (),
            }
        }
        is_glob.then(|| matches(location).map(Self::List))
    }
}

fn settings(reason: impl Into<String>) -> SourceError {
    SourceError::Settings {
        property: "location",
        reason: reason.into(),
    }
}

fn is_hidden(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default();
    name.as_encoded_bytes().starts_with(b".")
}

fn pictures_in(folder: &Path) -> Result<Vec<PathBuf>, SourceError> {
    let read = || -> io::Result<Vec<PathBuf>> {
        let mut files = Vec::new();
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            let is_picture = Kind::of_path(&path) == Some(Kind::Picture);
            if is_picture && !is_hidden(&path) && may_be_read(&path) {
                files.push(path);
            }
        }
        Ok(files)
    };
    let mut files = read().map_err(|error| failed(folder, &error))?;
    if files.is_empty() {
        return Err(SourceError::NotFound {
            what: named(folder),
            reason: format!(
                "no JPEG or PNG pictures in {}; names must end in jpg, jpeg or png, and folders \
                 within it are not searched (a glob such as '{}/**/*.jpg' does that)",
                folder.display(),
                folder.display()
            ),
        });
    }
    alphanumeric_sort::sort_path_slice(&mut files);
    Ok(files)
}

/// Regular files, and links that lead nowhere, so that these are reported and not left out.
fn may_be_read(path: &Path) -> bool {
    fs::metadata(path).map_or(true, |found| found.is_file())
}

fn matches(pattern: &str) -> Result<Vec<PathBuf>, SourceError> {
    let options = glob::MatchOptions {
        case_sensitive: true,
        require_literal_separator: true,
        require_literal_leading_dot: true,
    };
    let found = glob::glob_with(pattern, options).map_err(|error| {
        settings(format!(
            "\"{pattern}\" is neither a file nor a valid glob ({} at position {})",
            error.msg, error.pos
        ))
    })?;
    let mut files = Vec::new();
    for entry in found {
        let path = entry.map_err(|error| failed(error.path(), error.error()))?;
        if may_be_read(&path) {
            files.push(path);
        }
    }
    if files.is_empty() {
        return Err(SourceError::NotFound {
            what: named(Path::new(pattern)),
            reason: "no file matches this glob; check the folder and the suffix (case counts)"
                .into(),
        });
    }
    alphanumeric_sort::sort_path_slice(&mut files);
    Ok(files)
}

/// A path with one number in it, such as `frame_%06d.jpg`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    text: String,
    prefix: String,
    width: usize,
    suffix: String,
}

impl Pattern {
    pub fn parse(text: &str) -> Result<Self, SourceError> {
        let invalid = |reason: &str| {
            settings(format!(
                "\"{text}\" is neither a file nor a valid pattern: {reason}; a pattern has one %d \
                 or %06d for the number, and %% for a percent sign"
            ))
        };
        let (mut prefix, mut suffix, mut width) = (String::new(), String::new(), None);
        let mut rest = text;
        while let Some(at) = rest.find('%') {
            let part = if width.is_none() {
                &mut prefix
            } else {
                &mut suffix
            };
            part.push_str(&rest[..at]);
            rest = &rest[at + 1..];
            if let Some(after) = rest.strip_prefix('%') {
                part.push('%');
                rest = after;
                continue;
            }
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            let (padding, after) = rest.split_at(digits);
            rest = after
                .strip_prefix('d')
                .ok_or_else(|| invalid("only %d and %0Nd are understood"))?;
            if width.is_some() {
                return Err(invalid("it has more than one number"));
            }
            width = Some(match padding.strip_prefix('0') {
                Some(zeros) => zeros
                    .parse::<usize>()
                    .ok()
                    .filter(|n| (1..=20).contains(n))
                    .ok_or_else(|| invalid("the number of digits must be 1 to 20"))?,
                None if padding.is_empty() => 0,
                None => return Err(invalid("padding with spaces is not understood")),
            });
        }
        let width = width.ok_or_else(|| invalid("it has no number"))?;
        suffix.push_str(rest);
        Ok(Self {
            text: text.into(),
            prefix,
            width,
            suffix,
        })
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    pub fn path(&self, number: u64) -> PathBuf {
        let Self {
            prefix,
            width,
            suffix,
            ..
        } = self;
        format!("{prefix}{number:0width$}{suffix}").into()
    }

    /// The files from `start` to `stop` or to the first that is missing, and the file behind that
    /// gap, if there is one.
    pub fn files(&self, start: u64, stop: Option<u64>) -> (Vec<PathBuf>, Option<PathBuf>) {
        let numbers = start..=stop.unwrap_or(u64::MAX);
        // Links that lead nowhere are there: they are reported, not taken for the end.
        let there = |path: &PathBuf| fs::symlink_metadata(path).is_ok();
        let files: Vec<_> = numbers.map(|n| self.path(n)).take_while(there).collect();
        let missing = start.saturating_add(files.len() as u64);
        let after = self
            .numbers_in_folder()
            .into_iter()
            .filter(|n| *n > missing && stop.is_none_or(|stop| *n <= stop))
            .min()
            .map(|n| self.path(n))
            .filter(there);
        (files, after)
    }

    /// The numbers for which the folder has an entry.
    pub fn numbers_in_folder(&self) -> Vec<u64> {
        let (folder, before) = match self.prefix.rfind('/') {
            Some(at) => (&self.prefix[..=at], &self.prefix[at + 1..]),
            None => (".", self.prefix.as_str()),
        };
        let after = self.suffix.split('/').next().unwrap_or_default();
        let Ok(entries) = fs::read_dir(folder) else {
            return Vec::new();
        };
        let number = |entry: io::Result<fs::DirEntry>| {
            let name = entry.ok()?.file_name();
            let digits = name.to_str()?.strip_prefix(before)?.strip_suffix(after)?;
            let number = digits.parse().ok()?;
            let width = self.width;
            (format!("{number:0width$}") == digits).then_some(number)
        };
        entries.filter_map(number).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn touch(folder: &Path, names: &[&str]) {
        for name in names {
            fs::write(folder.join(name), b"x").unwrap();
        }
    }

    fn find(path: &Path) -> Result<Location, SourceError> {
        Location::find(path.to_str().unwrap())
    }

    fn names(location: Location) -> Vec<String> {
        let Location::List(files) = location else {
            panic!("{location:?}")
        };
        let name = |p: &PathBuf| p.file_name().unwrap().to_str().unwrap().to_owned();
        files.iter().map(name).collect()
    }

    #[test]
    fn folders_and_globs_are_in_natural_order_without_hidden_files() {
        let dir = tempfile::tempdir().unwrap();
        let all = [
            "f10.jpg", "f2.JPG", "f1.png", ".f0.jpg", "f3.jpeg", "f4.txt", "f5.y4m",
        ];
        touch(dir.path(), &all);
        fs::create_dir(dir.path().join("f6.jpg")).unwrap();
        let folder = find(dir.path()).unwrap();
        assert_eq!(names(folder), ["f1.png", "f2.JPG", "f3.jpeg", "f10.jpg"]);
        let globbed = find(&dir.path().join("*.j*g")).unwrap();
        assert_eq!(names(globbed), ["f3.jpeg", "f10.jpg"]);
        let globbed = find(&dir.path().join("f[12]*")).unwrap();
        assert_eq!(names(globbed), ["f1.png", "f2.JPG", "f10.jpg"]);
    }

    #[test]
    fn what_exists_wins_over_a_pattern() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["a[1].png", "b_%d.png", "c*.png", "100%.png"] {
            touch(dir.path(), &[name]);
            let path = dir.path().join(name);
            assert_eq!(find(&path).unwrap(), Location::File(path));
        }
        assert_eq!(Location::find("-").unwrap(), Location::Stdin);
        let fifo = super::super::input::tests::fifo(&dir);
        assert_eq!(find(&fifo).unwrap(), Location::Pipe(fifo));
        // A percent sign in the folder of a glob.
        let folder = dir.path().join("50% off");
        fs::create_dir(&folder).unwrap();
        touch(&folder, &["1.png"]);
        assert_eq!(names(find(&folder.join("*.png")).unwrap()), ["1.png"]);
    }

    #[test]
    fn patterns() {
        let path = |text: &str, n| Pattern::parse(text).unwrap().path(n).display().to_string();
        assert_eq!(path("a_%06d.jpg", 7), "a_000007.jpg");
        assert_eq!(path("a_%d.jpg", 12), "a_12.jpg");
        assert_eq!(path("%%d/a%%_%03d%%.png", 1234), "%d/a%_1234%.png");
        for bad in [
            "%s.jpg",
            "%5d.jpg",
            "%d_%d.jpg",
            "%%.jpg",
            "%",
            "%00d",
            "%099d",
        ] {
            let error = Pattern::parse(bad).unwrap_err().to_string();
            assert!(
                error.starts_with("property \"location\": ") && error.contains(bad),
                "{error}"
            );
        }
    }

    #[test]
    fn numbered_files_end_at_a_gap() {
        let dir = tempfile::tempdir().unwrap();
        let all = [
            "f_1.png", "f_2.png", "f_3.png", "f_6.png", "f_5.png", "f_04.png",
        ];
        touch(dir.path(), &all);
        let at = |name: &str| dir.path().join(name);
        let pattern = Pattern::parse(at("f_%d.png").to_str().unwrap()).unwrap();
        let (files, after) = pattern.files(2, None);
        assert_eq!(files, [at("f_2.png"), at("f_3.png")]);
        assert_eq!(after, Some(at("f_5.png")));
        assert_eq!(pattern.files(1, Some(2)).0, [at("f_1.png"), at("f_2.png")]);
        assert_eq!(pattern.files(1, Some(2)).1, None);
        assert_eq!(pattern.files(5, None).1, None);
        assert_eq!(pattern.files(0, None), (vec![], Some(at("f_1.png"))));
    }

    #[test]
    fn kinds() {
        let of = |name: &str| Kind::of_path(Path::new(name));
        assert_eq!(of("a.JpEg"), Some(Kind::Picture));
        assert_eq!(of("a.y4m"), Some(Kind::Y4m));
        assert_eq!(of("a.npy"), Some(Kind::Npy));
        assert_eq!(of("png"), None);
        assert_eq!(Kind::of_bytes(b"YUV4MPEG2 W1"), Kind::Y4m);
        assert_eq!(Kind::of_bytes(b"\x93NUMPY\x01\0"), Kind::Npy);
        assert_eq!(Kind::of_bytes(b"\xff\xd8\xff\xe0"), Kind::Picture);
        assert_eq!(Kind::of_bytes(b"\x89PNG\r\n\x1a\n"), Kind::Picture);
        assert_eq!(Kind::of_bytes(b""), Kind::Raw);
    }

    #[test]
    fn errors_name_property_path_and_remedy() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        for (path, part) in [
            (at("none.png"), "there is no such file"),
            (dir.path().into(), "no JPEG or PNG pictures in"),
            (at("*.png"), "no file matches"),
            (at("[a.png"), "valid glob"),
            (at("%s.png"), "only %d and %0Nd"),
        ] {
            let error = find(&path).unwrap_err().to_string();
            assert!(error.contains("location"), "{error}");
            assert!(error.contains(path.to_str().unwrap()), "{error}");
            assert!(error.contains(part), "{error}");
        }
        assert!(Location::find("").is_err());
        let denied = io::Error::from(io::ErrorKind::PermissionDenied);
        let error = failed(Path::new("/x"), &denied);
        assert!(matches!(error, SourceError::Open { .. }));
        assert!(error.to_string().contains("permission denied"));
    }
}
