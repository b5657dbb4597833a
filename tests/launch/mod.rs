// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `gst-launch-1.0` lines, run as a user runs them: in a process of their own, with the plugin
//! found through `GST_PLUGIN_PATH`.

// Each test binary uses its own part of this.
#![allow(dead_code)]

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

/// A folder that holds the plugin and nothing else, gone with the process.
static PLUGIN_DIR: LazyLock<tempfile::TempDir> = LazyLock::new(|| {
    let binary = std::env::current_exe().unwrap();
    let library = binary.with_file_name("libgstdsframe.so");
    let folder = tempfile::tempdir().unwrap();
    std::fs::copy(&library, folder.path().join("libgstdsframe.so"))
        .unwrap_or_else(|error| panic!("{}: {error}", library.display()));
    folder
});

/// A command that sees the plugin, with a plugin registry of its own.
pub fn command(program: &str) -> Command {
    let mut command = Command::new(program);
    command
        .env("GST_PLUGIN_PATH", PLUGIN_DIR.path())
        .env("GST_REGISTRY", registry())
        .env_remove("GST_DEBUG");
    command
}

fn registry() -> PathBuf {
    PLUGIN_DIR.path().join("registry.bin")
}

/// `gst-launch-1.0` with a line as one would type it, in `folder`.
pub fn line(folder: &Path, line: &str) -> Command {
    let mut command = command("gst-launch-1.0");
    command
        .args(shlex::split(line).expect("a well-formed line"))
        .current_dir(folder);
    command
}

/// Waits for the end, and kills what does not end in time.
pub fn finish(mut child: Child, limit: Duration) -> Output {
    let deadline = Instant::now() + limit;
    while child.try_wait().unwrap().is_none() {
        if Instant::now() > deadline {
            child.kill().unwrap();
            let output = child.wait_with_output().unwrap();
            panic!("did not end within {limit:?}: {output:?}");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    child.wait_with_output().unwrap()
}

/// Runs a line to its end. Returns its exit status and what it said.
pub fn run(folder: &Path, text: &str) -> (bool, String) {
    let child = line(folder, text)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let output = finish(child, Duration::from_secs(60));
    let mut said = String::from_utf8_lossy(&output.stdout).into_owned();
    said.push_str(&String::from_utf8_lossy(&output.stderr));
    (output.status.success(), said)
}
