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
use std::time::Duration;

/// Where processes of their own find the plugin and nothing but it: a link, as a build takes
/// hundreds of megabytes, and every test is a process.
static PLUGIN_PATH: LazyLock<PathBuf> = LazyLock::new(|| {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("plugins");
    std::fs::create_dir_all(&folder).unwrap();
    let built = std::env::current_exe()
        .unwrap()
        .with_file_name("libgstdsframe.so");
    assert!(built.exists(), "{} is not built", built.display());
    let link = folder.join("libgstdsframe.so");
    if std::fs::read_link(&link).ok().as_deref() != Some(&built) {
        at_once(&link, |new| std::os::unix::fs::symlink(&built, new));
    }
    folder
});

/// The plugin registry of those processes. It begins as the one that the tests were given, since
/// reading all plugins of a system takes longer than many a test may take.
static REGISTRY: LazyLock<PathBuf> = LazyLock::new(|| {
    let registry = Path::new(env!("CARGO_TARGET_TMPDIR")).join("registry.bin");
    if let Some(given) = std::env::var_os("GST_REGISTRY")
        && Path::new(&given).exists()
        && !registry.exists()
    {
        at_once(&registry, |new| std::fs::copy(&given, new));
    }
    registry
});

/// Makes a file beside `place` and moves it there: tests run in parallel.
fn at_once<T>(place: &Path, make: impl FnOnce(&Path) -> std::io::Result<T>) {
    let new = place.with_extension(std::process::id().to_string());
    make(&new)
        .and_then(|_| std::fs::rename(&new, place))
        .unwrap_or_else(|error| panic!("{}: {error}", place.display()));
}

/// A program that sees the plugin, with a registry that is not the user's.
pub fn command(program: &str) -> Command {
    let mut command = Command::new(program);
    command
        .env("GST_PLUGIN_PATH", &*PLUGIN_PATH)
        .env("GST_REGISTRY", &*REGISTRY)
        .env("NO_COLOR", "1")
        .env("LC_ALL", "C")
        .env_remove("GST_DEBUG")
        .env_remove("GST_TRACERS")
        .env_remove("DSFRAME_DISABLE_NVMM")
        .stdin(Stdio::null());
    command
}

/// `gst-launch-1.0` with a line as one would type it, in `folder`.
pub fn line(folder: &Path, line: &str) -> Command {
    let mut command = command("gst-launch-1.0");
    command
        .args(shlex::split(line).expect("a well-formed line"))
        .current_dir(folder);
    command
}

/// Waits for the end, and kills what does not end in time. Returns whether it did by itself.
pub fn end(child: Child, limit: Duration) -> (Output, bool) {
    let id = child.id().to_string();
    let (done, ended) = std::sync::mpsc::channel::<()>();
    let killer = std::thread::spawn(move || {
        let late = ended.recv_timeout(limit) == Err(std::sync::mpsc::RecvTimeoutError::Timeout);
        if late {
            let _ = Command::new("kill").args(["-9", &id]).status();
        }
        late
    });
    let output = child.wait_with_output().unwrap();
    drop(done);
    let late = killer.join().unwrap();
    (output, !late)
}

/// Waits for the end, which must come in time.
pub fn finish(child: Child, limit: Duration) -> Output {
    let (output, by_itself) = end(child, limit);
    assert!(by_itself, "did not end within {limit:?}: {output:?}");
    output
}

/// What a process said, on both outputs.
pub fn said(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

/// Runs a line to its end. Returns its exit status and what it said.
pub fn run(folder: &Path, text: &str) -> (bool, String) {
    let child = line(folder, text)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let output = finish(child, Duration::from_secs(60));
    (output.status.success(), said(&output))
}
