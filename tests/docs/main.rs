// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The documentation against the elements: tables, lines, links and scripts.

#[path = "../common/mod.rs"]
mod common;
#[path = "../launch/mod.rs"]
mod launch;
#[path = "../stubs/mod.rs"]
mod stubs;

mod fences;
mod lines;
mod links;
mod python;
mod server;
mod tables;

use std::path::{Path, PathBuf};

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The pages that are checked: the README files, the changelog, and everything in docs/.
fn pages() -> Vec<PathBuf> {
    let mut pages: Vec<PathBuf> = [
        "README.md",
        "CHANGELOG.md",
        "kernels/README.md",
        "packaging/README.md",
        "python/README.md",
        "tests/standin/README.md",
    ]
    .iter()
    .map(|page| repository().join(page))
    .collect();
    let docs = std::fs::read_dir(repository().join("docs")).unwrap();
    pages.extend(
        docs.map(|entry| entry.unwrap().path())
            .filter(|path| path.extension().is_some_and(|suffix| suffix == "md")),
    );
    pages.sort();
    pages
}
