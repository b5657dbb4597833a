// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

use super::*;
use crate::capture::name::Template;

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, bytes: usize) -> PathBuf {
        fs::write(self.path(name), vec![7; bytes]).unwrap();
        self.path(name)
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.0.path()).unwrap();
        let mut names: Vec<_> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    fn quota(&self, on_full: OnFull, max_files: u64, max_bytes: u64) -> Quota {
        let limits = Limits {
            max_files,
            max_bytes,
            min_free: 0,
            on_full,
        };
        self.limited(limits).unwrap()
    }

    fn limited(&self, limits: Limits) -> Result<Quota, OpenError> {
        let rules = Belonging {
            pictures: Template::parse(self.path("%d.jpg").to_str().unwrap()).unwrap(),
            labels: LabelFiles::None,
            others: Vec::new(),
            others_named: None,
        };
        Quota::open(limits, rules, SystemTime::now())
    }

    /// A capture of one picture. Returns whether there was room.
    fn capture(&self, quota: &Quota, number: u64, bytes: usize) -> bool {
        let need = Need {
            pictures: 1,
            bytes: bytes as u64,
            ..Need::default()
        };
        let Ok(room) = quota.admit(&need) else {
            return false;
        };
        let path = self.write(&format!("{number}.jpg"), bytes);
        quota.keep(room, [(path.as_path(), true)]);
        true
    }
}

fn texts(quota: &Quota) -> Vec<String> {
    let news = quota.take_news();
    news.iter().map(ToString::to_string).collect()
}

#[test]
fn the_newest_remain_and_the_bytes_count() {
    let folder = Folder::new();
    folder.write("0.jpg", 10);
    folder.write("notes.txt", 1000);
    let quota = folder.quota(OnFull::Rotate, 3, 35);
    for number in 1..6 {
        assert!(folder.capture(&quota, number, 10));
    }
    assert_eq!(folder.names(), ["3.jpg", "4.jpg", "5.jpg", "notes.txt"]);
    assert_eq!(quota.rotated(), 3);
    assert!(folder.capture(&quota, 6, 30));
    assert_eq!(folder.names(), ["6.jpg", "notes.txt"]);
    assert!(texts(&quota).is_empty());
    // Larger than all that is allowed: nothing is deleted for it.
    assert!(!folder.capture(&quota, 7, 36));
    assert!(!folder.capture(&quota, 8, 36));
    assert_eq!(folder.names(), ["6.jpg", "notes.txt"]);
    let texts = texts(&quota);
    assert_eq!(texts.len(), 1, "{texts:?}");
    assert!(
        texts[0].contains("max-bytes") && texts[0].contains("36"),
        "{texts:?}"
    );
}

#[test]
fn dropping_ends_when_others_make_room() {
    let folder = Folder::new();
    let quota = folder.quota(OnFull::Drop, 2, 0);
    for number in 0..5 {
        assert_eq!(folder.capture(&quota, number, 1), number < 2);
    }
    let said = texts(&quota);
    assert!(
        said.len() == 1 && said[0].contains("2 of 2 pictures"),
        "{said:?}"
    );
    fs::remove_file(folder.path("0.jpg")).unwrap();
    let begun = Instant::now();
    while !folder.capture(&quota, 7, 1) {
        assert!(begun.elapsed() < Duration::from_secs(30));
        std::thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(folder.names(), ["1.jpg", "7.jpg"]);
    let said = texts(&quota);
    assert!(said.len() == 1 && said[0].contains("again"), "{said:?}");
}

#[test]
fn stopping_is_said_once_and_for_all() {
    let folder = Folder::new();
    let quota = folder.quota(OnFull::Stop, 1, 0);
    assert!(folder.capture(&quota, 0, 1));
    assert!(!folder.capture(&quota, 1, 1));
    fs::remove_file(folder.path("0.jpg")).unwrap();
    std::thread::sleep(LOOK_AGAIN);
    assert!(!folder.capture(&quota, 2, 1));
    let said = texts(&quota);
    assert!(said.len() == 1 && said[0].contains("max-files"), "{said:?}");
}

#[test]
fn nothing_is_deleted_for_another_disk() {
    let folder = Folder::new();
    let there = folder.write("0.jpg", 10);
    let quota = folder.quota(OnFull::Rotate, 9, 0);
    assert!(!quota.make_way(Path::new("/dev/full"), 1));
    assert!(!quota.make_way(Path::new("/proc/log.jsonl"), 1));
    assert!(there.exists());
    assert_eq!(quota.rotated(), 0);
    assert!(quota.make_way(&folder.path("not/yet/there.jsonl"), 1));
    assert!(folder.names().is_empty());
    // A capture that has room and is not delivered is no news of room.
    let need = Need {
        pictures: 1,
        ..Need::default()
    };
    let path = Path::new("/dev/full");
    for _ in 0..3 {
        let room = quota.admit(&need).unwrap();
        let error = failed(path)(ErrorKind::StorageFull.into());
        quota.note_full_disk(path, &error);
        drop(room);
    }
    let said = texts(&quota);
    assert!(
        said.len() == 1 && said[0].contains("another file system"),
        "{said:?}"
    );
    assert!(folder.capture(&quota, 1, 1));
    let said = texts(&quota);
    assert!(said.len() == 1 && said[0].contains("again"), "{said:?}");
}

#[test]
fn what_is_granted_and_not_published_counts_and_is_given_back() {
    let folder = Folder::new();
    let one = folder.quota(OnFull::Drop, 1, 0);
    // Another element, with more patience.
    let other = folder.quota(OnFull::Rotate, 1, 0);
    let need = Need {
        pictures: 1,
        ..Need::default()
    };
    let room = one.admit(&need).unwrap();
    assert!(other.admit(&need).is_err(), "nothing there can be deleted");
    drop(room);
    assert!(folder.capture(&other, 1, 1));
    assert!(!folder.capture(&one, 2, 1));
    assert!(folder.capture(&other, 3, 1));
    assert_eq!(folder.names(), ["3.jpg"]);
}

#[test]
fn what_is_published_and_not_kept_yet_counts_once() {
    let folder = Folder::new();
    folder.write("0.jpg", 1);
    let one = folder.quota(OnFull::Rotate, 3, 0);
    let other = folder.quota(OnFull::Rotate, 3, 0);
    for published in ["1.jpg", "1-2.jpg"] {
        let room = one.admit(&Need {
            pictures: 1,
            bytes: 1,
            names: vec![folder.path("1.jpg")],
            ..Need::default()
        });
        let path = folder.write(published, 1);
        lock(&other.place).looked = None;
        let need = Need {
            pictures: 1,
            ..Need::default()
        };
        drop(other.admit(&need).unwrap());
        assert!(folder.path("0.jpg").exists(), "{published}");
        one.keep(room.unwrap(), [(path.as_path(), true)]);
        lock(&other.place).looked = None;
        let there = lock(&other.place).book.total().pictures;
        assert_eq!(there, 2, "{published}");
        fs::remove_file(path).unwrap();
        drop(other.admit(&need).unwrap());
    }
    let place = lock(&one.place);
    assert!(place.publishing.is_empty() && place.reserved == Amount::default());
}

#[test]
fn what_is_replaced_needs_no_room_and_is_not_deleted() {
    let folder = Folder::new();
    for number in 0..2 {
        folder.write(&format!("{number}.jpg"), 10);
    }
    let quota = folder.quota(OnFull::Rotate, 2, 25);
    let need = |bytes| Need {
        pictures: 1,
        bytes,
        replaces: vec![folder.path("0.jpg")],
        ..Need::default()
    };
    let room = quota.admit(&need(12)).unwrap();
    assert_eq!(folder.names(), ["0.jpg", "1.jpg"]);
    let path = folder.write("0.jpg", 12);
    quota.keep(room, [(path.as_path(), true)]);
    // Now it is the newest, and too much with the other one.
    drop(quota.admit(&need(20)).unwrap());
    assert_eq!(folder.names(), ["0.jpg"]);
}

#[test]
fn a_replaced_copy_makes_no_room_for_a_picture() {
    let folder = Folder::new();
    let quota = folder.quota(OnFull::Drop, 1, 0);
    let room = quota.admit(&Need {
        pictures: 1,
        ..Need::default()
    });
    let paths = ["0.jpg", "0-annotated.jpg"].map(|name| folder.write(name, 1));
    quota.keep(room.unwrap(), [(&*paths[0], true), (&*paths[1], false)]);
    let need = |replaces: &[PathBuf]| Need {
        pictures: 1,
        bytes: 0,
        names: Vec::new(),
        replaces: replaces.to_vec(),
    };
    assert!(quota.admit(&need(&paths)).is_ok());
    assert!(quota.admit(&need(&paths[1..])).is_err());
}

#[test]
fn files_that_others_add_are_counted_after_a_while() {
    let folder = Folder::new();
    let quota = folder.quota(OnFull::Rotate, 2, 0);
    assert!(folder.capture(&quota, 0, 1));
    for number in 10..20 {
        folder.write(&format!("{number}.jpg"), 1);
    }
    std::thread::sleep(LOOK_AGAIN);
    assert!(folder.capture(&quota, 30, 1));
    assert_eq!(folder.names(), ["19.jpg", "30.jpg"]);
}

#[test]
fn more_than_the_disk_has_cannot_stay_free() {
    let folder = Folder::new();
    let limits = Limits {
        max_files: 0,
        max_bytes: 0,
        min_free: u64::MAX,
        on_full: OnFull::Rotate,
    };
    let error = folder.limited(limits).unwrap_err();
    assert_eq!(error.property, "min-free-bytes");
    // What is free is not ours to make: all of ours goes, and then captures are dropped.
    let disk = statvfs(folder.0.path()).unwrap();
    let limits = Limits {
        min_free: disk.f_blocks * disk.f_frsize,
        ..limits
    };
    folder.write("0.jpg", 1);
    let quota = folder.limited(limits).unwrap();
    assert!(!folder.capture(&quota, 1, 1));
    assert!(folder.names().is_empty());
    let said = texts(&quota);
    assert!(
        said.len() == 1 && said[0].contains("nothing left"),
        "{said:?}"
    );
}

#[test]
fn many_files_are_counted_quickly() {
    let folder = Folder::new();
    for number in 0..20_000 {
        folder.write(&format!("{number}.jpg"), 0);
    }
    let begun = Instant::now();
    let quota = folder.quota(OnFull::Rotate, 19_990, 0);
    println!("20 000 files: {:?}", begun.elapsed());
    assert!(folder.capture(&quota, 30_000, 0));
    assert_eq!(folder.names().len(), 19_990);
    assert_eq!(quota.rotated(), 11);
}
