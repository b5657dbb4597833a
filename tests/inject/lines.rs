// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `gst-launch-1.0` in a process of its own: exit codes and leaks.

use std::time::Duration;

use super::common::*;

#[test]
fn a_line_ends_with_its_frames() {
    must_end("dsframeinject num-buffers=10 ! videoconvert ! fakesink sync=true");
    must_end("dsframeinject num-buffers=10 is-live=true framerate=200 ! fakesink");
}

#[test]
fn conflicts_fail_a_line() {
    let words = ["\"width\"", "641", "640"];
    must_fail(
        "dsframeinject width=641 ! video/x-raw,width=640 ! fakesink",
        &words,
    );
    must_fail(
        "dsframeinject width=641 is-live=true ! video/x-raw,width=640 ! fakesink",
        &words,
    );
    must_fail(
        "dsframeinject framerate=0 ! fakesink",
        &["\"framerate\"", "30000/1001"],
    );
    must_fail(
        "dsframeinject location=a uri=file:///b ! fakesink",
        &["\"uri\"", "location", "unset one"],
    );
}

/// Runs a line under the tracer of leaks.
fn leaks(line: &str) {
    let mut command = launch(line);
    command
        .env("GST_TRACERS", "leaks")
        .env("GST_DEBUG", "GST_TRACER:7");
    let (output, text) = finish(&mut command, Duration::from_secs(60));
    assert!(output.status.success(), "{line}\n{text}");
    assert!(text.contains("object-alive.class"), "no tracer: {text}");
    let alive: Vec<_> = text
        .lines()
        .filter(|line| line.contains("object-alive, ") && !line.contains("new format string"))
        .collect();
    assert!(alive.is_empty(), "{line}\n{}", alive.join("\n"));
}

#[test]
fn nothing_leaks() {
    leaks("dsframeinject num-buffers=30 ! video/x-raw,width=160,height=90 ! fakesink");
    leaks(
        "dsframeinject num-buffers=30 nvbuf-memory-type=nvbuf-mem-system pattern=objects ! \
         'video/x-raw(memory:NVMM),width=160,height=90' ! fakesink",
    );
    leaks(
        "dsframeinject num-buffers=30 is-live=true framerate=200 pattern=objects ! \
         video/x-raw,width=160,height=90 ! videoconvert ! video/x-raw,format=NV12 ! fakesink",
    );

    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).display().to_string();
    make_pictures(folder.path(), "%d.png", 10);
    make_coded(
        10,
        "I420",
        &format!("y4menc ! filesink location={}", at("clip.y4m")),
    );
    make_coded(
        10,
        "I420",
        &format!("jpegenc ! avimux ! filesink location={}", at("clip.avi")),
    );
    for source in [
        format!("location={}", at("%d.png")),
        format!("location='{}' loop=true num-buffers=25", at("*.png")),
        format!("location={}", at("clip.y4m")),
        format!("uri=file://{} loop=true num-buffers=25", at("clip.avi")),
    ] {
        leaks(&format!("dsframeinject {source} ! fakesink"));
    }
}
