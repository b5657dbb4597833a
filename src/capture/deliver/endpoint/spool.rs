// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! A folder that keeps posts until they can be sent, also over a restart: one file for each, in the
//! order of their numbers, whole or not there.

use std::collections::BTreeMap;
use std::fs::{self, File, TryLockError};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use crate::capture::deliver::{DeliverError, make_folder};

use super::request::Post;

/// Version of the files.
const VERSION: u32 = 1;
/// No line before a body is longer.
const MAX_HEADER: usize = 64 << 10;
const SUFFIX: &str = ".post";
const DIGITS: usize = 20;
/// Files with greater numbers are none of ours: there must be numbers left.
const LAST: u64 = u64::MAX / 2;

/// The first line of a file.
#[derive(Debug, Serialize, Deserialize)]
struct Header {
    version: u32,
    key: String,
    content_type: Option<String>,
    headers: Vec<(String, String)>,
    /// Of the body.
    bytes: usize,
}

/// What is in the folder, by number, with the bytes of each file.
#[derive(Debug, Default)]
pub struct Index {
    files: BTreeMap<u64, u64>,
    bytes: u64,
}

impl Index {
    pub fn insert(&mut self, number: u64, bytes: u64) {
        self.remove(number);
        self.files.insert(number, bytes);
        self.bytes += bytes;
    }

    pub fn remove(&mut self, number: u64) -> bool {
        let removed = self.files.remove(&number);
        self.bytes -= removed.unwrap_or(0);
        removed.is_some()
    }

    pub fn contains(&self, number: u64) -> bool {
        self.files.contains_key(&number)
    }

    pub fn first(&self) -> Option<u64> {
        self.files.keys().next().copied()
    }

    /// The oldest but this one.
    pub fn first_but(&self, spared: Option<u64>) -> Option<u64> {
        self.files
            .keys()
            .copied()
            .find(|number| Some(*number) != spared)
    }

    pub fn len(&self) -> usize {
        self.files.len()
    }

    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    pub fn bytes(&self) -> u64 {
        self.bytes
    }
}

/// Why a file of the folder is not what it should be.
#[derive(Debug, thiserror::Error)]
pub enum BadFile {
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("it is not a post that was kept: {0}")]
    Foreign(String),
    #[error("it ends after {is} of {wanted} bytes")]
    Torn { is: usize, wanted: usize },
}

#[derive(Debug)]
pub struct Spool {
    folder: PathBuf,
    pub max_bytes: u64,
    /// What is kept is on the disk before it counts.
    syncs: bool,
    #[cfg(test)]
    synced: Mutex<Vec<PathBuf>>,
    /// Nobody else uses the folder while it is locked. Who is at a file holds it, too.
    lock: Mutex<Option<Arc<File>>>,
}

/// A spool that is open.
pub struct Opened {
    pub spool: Spool,
    /// What earlier runs left.
    pub index: Index,
    /// Greater than all that are there.
    pub next: u64,
}

impl Spool {
    pub fn open(folder: &Path, max_bytes: u64, syncs: bool) -> io::Result<Opened> {
        make_folder(folder, syncs).map_err(|error| match error {
            DeliverError::Write { error, .. } => error,
            error => io::Error::other(error.to_string()),
        })?;
        let lock = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(folder.join(".lock"))?;
        match lock.try_lock() {
            Ok(()) => (),
            Err(TryLockError::WouldBlock) => {
                return Err(io::Error::new(
                    ErrorKind::ResourceBusy,
                    "another element or process uses it: give each a folder of its own",
                ));
            }
            Err(TryLockError::Error(error)) => return Err(error),
        }
        let mut index = Index::default();
        let mut next = 0;
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let name = entry.file_name();
            let Some(name) = name.to_str() else {
                continue;
            };
            if is_left_over(name) {
                // Of a run that was killed while it wrote. Should it stay, it only takes room.
                let _ = fs::remove_file(entry.path());
                continue;
            }
            // One that was set aside keeps its number to itself.
            let bad = name.strip_suffix(".bad").map(|stem| format!("{stem}.post"));
            if let Some(number) = bad.and_then(|name| number_of(&name)) {
                next = next.max(number.saturating_add(1));
            }
            let Some(number) = number_of(name) else {
                continue;
            };
            let meta = entry.metadata()?;
            next = next.max(number.saturating_add(1));
            if meta.is_file() {
                index.insert(number, meta.len());
            }
        }
        Ok(Opened {
            spool: Self {
                folder: folder.to_owned(),
                max_bytes,
                syncs,
                #[cfg(test)]
                synced: Mutex::default(),
                lock: Mutex::new(Some(Arc::new(lock))),
            },
            index,
            next,
        })
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    fn lock(&self) -> MutexGuard<'_, Option<Arc<File>>> {
        self.lock.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets the next user have the folder, once nobody is at a file of it any more.
    pub fn unlock(&self) {
        let lock = self.lock().take();
        drop(lock);
    }

    fn hold(&self) -> io::Result<Arc<File>> {
        let lock = self.lock().clone();
        lock.ok_or_else(|| io::Error::other("it was let go of"))
    }

    pub fn path(&self, number: u64) -> PathBuf {
        self.folder.join(format!("{number:0DIGITS$}{SUFFIX}"))
    }

    /// Writes a file, whole. Returns its bytes.
    pub fn write(&self, number: u64, post: &Post) -> io::Result<u64> {
        let _held = self.hold()?;
        let header = header(post)?;
        let part = self.folder.join(format!(".{number:0DIGITS$}.part"));
        let written = File::create(&part).and_then(|mut file| {
            file.write_all(&header)?;
            let mut parts = post.body.parts().into_iter();
            parts.try_for_each(|part| file.write_all(part))?;
            self.sync(&file, &part)?;
            drop(file);
            fs::rename(&part, self.path(number))?;
            if self.syncs {
                self.sync(&File::open(&self.folder)?, &self.folder)?;
            }
            Ok(())
        });
        if let Err(error) = written {
            let _ = fs::remove_file(&part);
            // Should only its name not be on the disk, the post is kept elsewhere or lost.
            let _ = fs::remove_file(self.path(number));
            return Err(error);
        }
        Ok(size(&header, post))
    }

    fn sync(&self, file: &File, _path: &Path) -> io::Result<()> {
        if self.syncs {
            file.sync_all()?;
            #[cfg(test)]
            self.synced
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(_path.to_owned());
        }
        Ok(())
    }

    pub fn read(&self, number: u64) -> Result<Post, BadFile> {
        let _held = self.hold()?;
        parse(fs::read(self.path(number))?)
    }

    pub fn remove(&self, number: u64) -> io::Result<()> {
        let _held = self.hold()?;
        match fs::remove_file(self.path(number)) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            other => other,
        }
    }

    /// Renames a bad file, so that nobody takes it for a post again. Returns its new name.
    pub fn set_aside(&self, number: u64) -> io::Result<PathBuf> {
        let _held = self.hold()?;
        let path = self.path(number);
        let aside = path.with_extension("bad");
        fs::rename(path, &aside)?;
        Ok(aside)
    }
}

/// Bytes that the file of a post takes.
pub fn file_size(post: &Post) -> u64 {
    header(post).map_or(u64::MAX, |header| size(&header, post))
}

fn size(header: &[u8], post: &Post) -> u64 {
    (header.len() + post.body.size()) as u64
}

fn header(post: &Post) -> io::Result<Vec<u8>> {
    let mut text = serde_json::to_vec(&Header {
        version: VERSION,
        key: post.key.clone(),
        content_type: post.content_type.clone(),
        headers: post.headers.clone(),
        bytes: post.body.size(),
    })?;
    text.push(b'\n');
    Ok(text)
}

fn parse(mut file: Vec<u8>) -> Result<Post, BadFile> {
    let foreign = |what: &str| BadFile::Foreign(what.into());
    let end = file
        .iter()
        .take(MAX_HEADER)
        .position(|byte| *byte == b'\n')
        .ok_or_else(|| foreign("its first line has no end"))?;
    let header: Header = serde_json::from_slice(&file[..end])
        .map_err(|error| BadFile::Foreign(error.to_string()))?;
    if header.version != VERSION {
        return Err(BadFile::Foreign(format!("version {}", header.version)));
    }
    let is_sendable = header.headers.iter().all(|(name, value)| {
        name.starts_with("Dsframe-")
            && ureq::http::HeaderName::from_bytes(name.as_bytes()).is_ok()
            && ureq::http::HeaderValue::from_str(value).is_ok()
    });
    let values = [Some(&header.key), header.content_type.as_ref()];
    let is_plain = |value: &String| ureq::http::HeaderValue::from_str(value).is_ok();
    if !is_sendable || !values.into_iter().flatten().all(is_plain) {
        return Err(foreign("it has headers that cannot be sent"));
    }
    let is = file.len() - end - 1;
    if is < header.bytes {
        return Err(BadFile::Torn {
            is,
            wanted: header.bytes,
        });
    }
    if is > header.bytes {
        return Err(foreign("it has more bytes than its first line says"));
    }
    file.drain(..=end);
    Ok(Post {
        key: header.key,
        content_type: header.content_type,
        headers: header.headers,
        body: file.into(),
    })
}

/// Of a file that is a post.
fn number_of(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(SUFFIX)?;
    let is_number = digits.len() == DIGITS && digits.bytes().all(|byte| byte.is_ascii_digit());
    let number = digits.parse().ok().filter(|_| is_number);
    number.filter(|number| *number <= LAST)
}

fn is_left_over(name: &str) -> bool {
    let digits = name
        .strip_prefix('.')
        .and_then(|name| name.strip_suffix(".part"));
    digits.is_some_and(|it| it.len() == DIGITS && it.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn post(key: &str, body: &[u8]) -> Post {
        Post {
            key: key.into(),
            content_type: Some("image/jpeg".into()),
            headers: vec![("Dsframe-Stream".into(), "1".into())],
            body: body.to_vec().into(),
        }
    }

    #[test]
    fn what_is_kept_comes_back_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b");
        let Opened { spool, index, next } = Spool::open(&path, 100, false).unwrap();
        assert!(index.is_empty() && next == 0);
        let bytes = spool.write(7, &post("k", b"body\nmore")).unwrap();
        assert_eq!(bytes, file_size(&post("k", b"body\nmore")));
        assert_eq!(fs::metadata(spool.path(7)).unwrap().len(), bytes);
        let busy = Spool::open(&path, 100, false).err().unwrap();
        assert!(busy.to_string().contains("another element"), "{busy}");
        spool.unlock();
        // What a killed run left, and what is none of ours.
        for name in [
            ".00000000000000000009.part",
            "7.post",
            "18446744073709551615.post",
            "18446744073709551614.post",
            "notes.txt",
            ".lock.part",
        ] {
            fs::write(path.join(name), "x").unwrap();
        }
        fs::create_dir(path.join("00000000000000000099.post")).unwrap();
        let Opened { spool, index, next } = Spool::open(&path, 100, false).unwrap();
        assert_eq!(
            (index.len(), index.bytes(), index.first()),
            (1, bytes, Some(7))
        );
        assert_eq!(next, 100);
        assert!(!path.join(".00000000000000000009.part").exists());
        assert!(path.join("notes.txt").exists() && path.join("7.post").exists());
        assert_eq!(spool.read(7).unwrap(), post("k", b"body\nmore"));
        spool.remove(7).unwrap();
        spool.remove(7).unwrap();
        assert!(matches!(spool.read(7), Err(BadFile::Io(_))));
    }

    #[test]
    fn what_is_kept_is_on_the_disk_where_that_is_wanted() {
        let folder = tempfile::tempdir().unwrap();
        for syncs in [false, true] {
            let Opened { spool, .. } = Spool::open(folder.path(), 100, syncs).unwrap();
            spool.write(1, &post("k", b"body")).unwrap();
            let expected = [
                folder.path().join(".00000000000000000001.part"),
                folder.path().to_owned(),
            ];
            let synced = spool.synced.lock().unwrap().clone();
            assert_eq!(synced, if syncs { &expected[..] } else { &[] });
        }
    }

    #[test]
    fn who_is_at_a_file_has_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        let Opened { spool, .. } = Spool::open(folder.path(), 100, false).unwrap();
        let held = spool.hold().unwrap();
        spool.unlock();
        assert!(Spool::open(folder.path(), 100, false).is_err());
        drop(held);
        assert!(spool.write(1, &post("k", b"body")).is_err());
        assert!(spool.set_aside(1).is_err() && spool.remove(1).is_err());
        assert!(Spool::open(folder.path(), 100, false).is_ok());
    }

    #[test]
    fn what_is_torn_or_foreign_is_told_apart_and_set_aside() {
        let folder = tempfile::tempdir().unwrap();
        let Opened { spool, .. } = Spool::open(folder.path(), 100, false).unwrap();
        spool.write(1, &post("k", b"body")).unwrap();
        let whole = fs::read(spool.path(1)).unwrap();
        for cut in 0..whole.len() {
            fs::write(spool.path(1), &whole[..cut]).unwrap();
            assert!(spool.read(1).is_err(), "{cut}");
        }
        fs::write(spool.path(1), [whole.as_slice(), b"x"].concat()).unwrap();
        assert!(matches!(spool.read(1), Err(BadFile::Foreign(_))));
        let aside = spool.set_aside(1).unwrap();
        assert!(aside.ends_with("00000000000000000001.bad"));
        spool.unlock();
        let again = Spool::open(folder.path(), 100, false).unwrap();
        assert!(again.index.is_empty());
        assert_eq!(again.next, 2);
    }

    #[test]
    fn headers_that_would_reach_the_wire_are_checked() {
        let line = |header: &str| {
            format!(
                r#"{{"version":1,"key":"k","content_type":null,"headers":[{header}],"bytes":0}}"#
            )
        };
        for (header, good) in [
            (r#"["Dsframe-A","b"]"#, true),
            (r#"["Dsframe-A","b\r\nX: y"]"#, false),
            (r#"["Dsframe-A b","c"]"#, false),
            (r#"["Authorization","c"]"#, false),
        ] {
            let parsed = parse(format!("{}\n", line(header)).into_bytes());
            assert_eq!(parsed.is_ok(), good, "{header}");
        }
        assert!(parse(line("").replace("\"k\"", "\"\\n\"").into_bytes()).is_err());
    }

    #[test]
    fn an_index_knows_its_bytes() {
        let mut index = Index::default();
        for (number, bytes) in [(3, 30), (1, 10), (2, 20), (3, 31)] {
            index.insert(number, bytes);
        }
        assert_eq!(
            (index.len(), index.bytes(), index.first()),
            (3, 61, Some(1))
        );
        assert_eq!(index.first_but(Some(1)), Some(2));
        assert!(index.remove(1) && !index.remove(1));
        assert_eq!((index.bytes(), index.contains(1)), (51, false));
    }

    proptest! {
        #[test]
        fn any_file_is_read_or_refused(bytes: Vec<u8>) {
            let _ = parse(bytes);
        }

        #[test]
        fn any_first_line_is_read_or_refused(line in "\\{\"version\":1,.*\\}", body: Vec<u8>) {
            let _ = parse([line.as_bytes(), b"\n", &body].concat());
        }

        #[test]
        fn what_is_written_is_read(
            key in "[ -~]{0,80}",
            kind in proptest::option::of("[ -~]{0,80}"),
            value in "[ -~]{0,80}",
            body: Vec<u8>,
        ) {
            let post = Post {
                key,
                content_type: kind,
                headers: vec![("Dsframe-Stream".into(), value)],
                body: body.into(),
            };
            let file = [header(&post).unwrap(), post.body.joined().into_owned()].concat();
            prop_assert_eq!(parse(file).unwrap(), post);
        }
    }
}
