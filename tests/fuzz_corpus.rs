// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What fuzzing has collected is run again, with the code of the fuzz targets and without a fuzzer.

#![allow(unsafe_code)]

#[path = "abi/structs.rs"]
mod abi;
#[path = "batch/mod.rs"]
mod batch;
#[path = "../fuzz/targets/mod.rs"]
mod targets;

use std::collections::BTreeSet;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// For one input; the fuzzer's own limit, which it has under a sanitiser.
const LIMIT: Duration = Duration::from_secs(10);

fn fuzz() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz")
}

/// The names in a folder, in their order.
fn names(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{folder:?}: {error}"));
    let name = |entry: fs::DirEntry| entry.file_name().into_string().unwrap();
    entries.map(|entry| name(entry.unwrap())).collect()
}

fn replay(target: &str) {
    let (_, run) = targets::ALL
        .into_iter()
        .find(|(name, _)| *name == target)
        .unwrap();
    let folder = fuzz().join("corpus").join(target);
    let inputs = names(&folder);
    assert!(!inputs.is_empty(), "{target} has no corpus");
    // What it does with nothing, too.
    run(&[]);
    for name in inputs {
        let path = folder.join(&name);
        let data = fs::read(&path).unwrap();
        let start = Instant::now();
        let outcome = catch_unwind(AssertUnwindSafe(|| run(&data)));
        assert!(outcome.is_ok(), "{target}: {}", path.display());
        assert!(start.elapsed() < LIMIT, "{target}: {}", path.display());
    }
}

#[test]
fn every_target_is_here_and_has_a_corpus() {
    let here: BTreeSet<_> = targets::ALL
        .iter()
        .map(|(name, _)| name.to_string())
        .collect();
    let files = names(&fuzz().join("fuzz_targets"));
    let files: BTreeSet<_> = files
        .iter()
        .map(|name| name.trim_end_matches(".rs").to_owned())
        .collect();
    assert_eq!(here, files);
    assert_eq!(here, names(&fuzz().join("corpus")));
}

#[test]
fn batch_meta() {
    replay("batch_meta");
}

#[test]
fn channel_wire() {
    replay("channel_wire");
}

/// With `DSFRAME_WRITE_CORPUS=1` they are written.
#[test]
fn the_corpus_of_channel_wire_has_a_message_of_each_kind() {
    let folder = fuzz().join("corpus/channel_wire");
    for (number, packet) in targets::channel_wire::seeds().iter().enumerate() {
        let path = folder.join(format!("m{number:02}"));
        if std::env::var_os("DSFRAME_WRITE_CORPUS").is_some() {
            fs::create_dir_all(&folder).unwrap();
            fs::write(&path, packet).unwrap();
        }
        let file = fs::read(&path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
        assert!(file == *packet, "{path:?} is not what is sent now");
    }
}

#[test]
fn condition() {
    replay("condition");
}

#[test]
fn config_file() {
    replay("config_file");
}

#[test]
fn filters() {
    replay("filters");
}

#[test]
fn headers() {
    replay("headers");
}

#[test]
fn name_template() {
    replay("name_template");
}

#[test]
fn records() {
    replay("records");
}

#[test]
fn regions() {
    replay("regions");
}
