// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The committed PTX belongs to the committed sources, and drivers that we support load it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use gst::glib;

/// The files of `kernels/` with this extension, sorted.
fn files(extension: &str) -> Vec<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("kernels");
    let mut files: Vec<_> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == extension))
        .collect();
    files.sort();
    files
}

/// Each source with the text of its PTX.
fn kernels() -> impl Iterator<Item = (PathBuf, String)> {
    files("cu").into_iter().map(|source| {
        let ptx = fs::read_to_string(source.with_extension("ptx"))
            .unwrap_or_else(|e| panic!("{source:?} has no PTX, run kernels/build.py: {e}"));
        (source, ptx)
    })
}

/// What kernels/build.py calls `digest`.
fn digest(source: &Path) -> String {
    let mut sha = glib::Checksum::new(glib::ChecksumType::Sha256).unwrap();
    for path in std::iter::once(source.to_owned()).chain(files("h")) {
        let data = fs::read(&path).unwrap();
        let name = path.file_name().unwrap().to_str().unwrap();
        sha.update(format!("{name}\0{}\0", data.len()).as_bytes());
        sha.update(&data);
    }
    sha.string().unwrap()
}

/// What stands after a directive at the start of a line.
fn directive<'a>(ptx: &'a str, name: &str) -> &'a str {
    ptx.lines()
        .find_map(|line| line.strip_prefix(name))
        .unwrap_or_else(|| panic!("no {name}"))
        .trim()
}

/// The words that follow `before` and end at `(`.
fn names<'a>(text: &'a str, before: &str) -> BTreeSet<&'a str> {
    text.split(before)
        .skip(1)
        .map(|rest| {
            let head = rest.split('{').next().unwrap();
            let head = head.split_once("void ").map_or(head, |(_, name)| name);
            head.split('(').next().unwrap().trim()
        })
        .collect()
}

#[test]
fn ptx_is_made_of_the_committed_sources() {
    for (source, ptx) in kernels() {
        let hash = ptx.lines().next().unwrap();
        let expected = format!("// sha256 of sources: {}", digest(&source));
        assert_eq!(hash, expected, "{source:?} changed, run kernels/build.py");
    }
    for ptx in files("ptx") {
        assert!(ptx.with_extension("cu").exists(), "{ptx:?} has no source");
    }
}

#[test]
fn ptx_suits_the_oldest_driver_and_gpu() {
    for (source, ptx) in kernels() {
        let version = directive(&ptx, ".version").split_once('.').unwrap();
        let version: (u32, u32) = (version.0.parse().unwrap(), version.1.parse().unwrap());
        assert!(version <= (8, 1), "{source:?}: {version:?}");
        assert_eq!(directive(&ptx, ".target"), "sm_70", "{source:?}");
        assert_eq!(directive(&ptx, ".address_size"), "64", "{source:?}");
        assert!(!ptx.contains("fma."), "{source:?} has contracted floats");
    }
}

#[test]
fn every_kernel_has_an_entry_of_its_name() {
    for (source, ptx) in kernels() {
        let text = fs::read_to_string(&source).unwrap();
        let code: String = text
            .lines()
            .map(|line| line.split("//").next().unwrap().to_owned() + "\n")
            .collect();
        let declared = names(&code, "__global__");
        assert!(!declared.is_empty(), "{source:?} has no kernel");
        assert_eq!(declared, names(&ptx, ".visible .entry"), "{source:?}");
    }
}
