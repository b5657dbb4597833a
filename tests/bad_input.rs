// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Bad input, as somebody at a shell meets it: an error that names the property or the file and
//! what to do, a code that is not 0, and no hanging.

#[path = "inject_common/mod.rs"]
mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use common::*;

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn file(&self, name: &str, data: &[u8]) -> PathBuf {
        let path = self.path().join(name);
        fs::write(&path, data).unwrap();
        path
    }
}

fn refused(location: &Path, rest: &str, words: &[&str]) {
    let line = format!(
        "dsframeinject location='{}' {rest} ! fakesink",
        location.display()
    );
    must_fail(&line, words);
}

#[test]
fn what_is_not_there() {
    let folder = Folder::new();
    let at = |name: &str| folder.path().join(name);
    refused(
        &at("none.png"),
        "",
        &["none.png", "no such file", "check the path"],
    );
    refused(
        &at("f_%06d.jpg"),
        "",
        &["f_%06d.jpg", "f_000000.jpg", "start-index"],
    );
    refused(&at("*.png"), "", &["*.png", "no file matches"]);
    refused(
        folder.path(),
        "",
        &["no JPEG or PNG", folder.path().to_str().unwrap()],
    );
    refused(&at("none.y4m"), "", &["none.y4m", "no such file"]);
    must_fail(
        "dsframeinject uri=file:///none/such.mp4 ! fakesink",
        &["none/such.mp4"],
    );
    must_fail(
        "dsframeinject uri=nonsense ! fakesink",
        &["uri", "nonsense"],
    );
}

#[test]
fn pictures_that_are_none() {
    let folder = Folder::new();
    make_pictures(folder.path(), "good_%d.png", 1);
    make_pictures(folder.path(), "good_%d.jpg", 1);
    let png = fs::read(folder.path().join("good_0.png")).unwrap();
    let jpg = fs::read(folder.path().join("good_0.jpg")).unwrap();
    for (name, data) in [
        ("cut.png", &png[..png.len() / 2]),
        ("cut.jpg", &jpg[..jpg.len() / 2]),
        ("head.png", &png[..20]),
        ("head.jpg", &jpg[..20]),
        ("text.jpg", b"This is not a picture at all.\n"),
        ("text.png", b"This is not a picture at all.\n"),
        ("empty.jpg", b""),
        ("empty.png", b""),
    ] {
        let path = folder.file(name, data);
        refused(&path, "", &[name]);
        // Nothing is left once it is skipped: still no success in silence.
        let line = format!(
            "dsframeinject location={} on-error=skip ! fakesink",
            path.display()
        );
        let (output, text) = finish(&mut launch(&line), Duration::from_secs(10));
        assert!(text.contains(name), "{text}");
        assert!(
            !output.status.success() || text.contains("WARNING"),
            "{line}\n{text}"
        );
    }
}

#[test]
fn streams_that_are_not_what_they_say() {
    let folder = Folder::new();
    for (name, header) in [
        (
            "absurd.y4m",
            "YUV4MPEG2 W1000000000 H1000000000 F25:1 C420\nFRAME\n",
        ),
        ("negative.y4m", "YUV4MPEG2 W-640 H-480 F25:1 C420\nFRAME\n"),
        ("zero.y4m", "YUV4MPEG2 W0 H0 F25:1 C420\nFRAME\n"),
        ("headless.y4m", "YUV4MPEG2 F25:1\nFRAME\n"),
        ("rate.y4m", "YUV4MPEG2 W64 H48 F25:0 C420\nFRAME\n"),
        ("chroma.y4m", "YUV4MPEG2 W64 H48 F25:1 C999\nFRAME\n"),
        ("text.y4m", "hello\n"),
        ("empty.y4m", ""),
        ("endless.y4m", &"YUV4MPEG2 ".repeat(10_000)),
    ] {
        let path = folder.file(name, header.as_bytes());
        refused(&path, "", &[name]);
        // And from a pipe, where nothing tells its length.
        let text = failing(|| {
            let mut command = launch("dsframeinject location=- ! fakesink");
            command.stdin(Stdio::from(fs::File::open(&path).unwrap()));
            command
        });
        assert!(text.contains("location"), "{name}\n{text}");
    }
    let frame = [
        b"YUV4MPEG2 W64 H48 F25:1 C420\nFRAME\n".as_slice(),
        &[0; 1000],
    ]
    .concat();
    refused(&folder.file("torn.y4m", &frame), "", &["torn.y4m"]);

    let raw = folder.file("clip.raw", &vec![0; 64 * 48 * 3 * 2 + 100]);
    refused(&raw, "", &["clip.raw", "width", "height", "format"]);
    refused(&raw, "format=RGB width=64", &["height"]);
    refused(&raw, "format=RGB width=64 height=48", &["clip.raw", "100"]);
    refused(
        &folder.file("empty.raw", b""),
        "format=RGB width=64 height=48",
        &["empty.raw"],
    );

    for (name, data, words) in [
        (
            "dtype.npy",
            npy("<f4", false, &[1, 4, 4, 3], &[0; 192]),
            ["<f4", "unsigned bytes"],
        ),
        (
            "order.npy",
            npy("|u1", true, &[1, 4, 4, 3], &[0; 48]),
            ["order.npy", "ortran"],
        ),
        (
            "rank.npy",
            npy("|u1", false, &[48], &[0; 48]),
            ["rank.npy", "shape"],
        ),
        (
            "torn.npy",
            npy("|u1", false, &[2, 4, 4, 3], &[0; 60]),
            ["torn.npy", ""],
        ),
        (
            "huge.npy",
            npy("|u1", false, &[1 << 40, 1 << 20, 9, 3], &[0; 60]),
            ["huge.npy", ""],
        ),
        (
            "header.npy",
            b"\x93NUMPY\x01\x00\x10\x00gibberish".to_vec(),
            ["header.npy", ""],
        ),
    ] {
        refused(
            &folder.file(name, &data),
            "",
            &[&[name], &words[..]].concat(),
        );
    }
}

#[test]
fn what_may_not_be_read() {
    use std::os::unix::fs::PermissionsExt;
    let folder = Folder::new();
    let path = folder.file("secret.png", b"");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o000)).unwrap();
    if fs::File::open(&path).is_ok() {
        // Root may read everything.
        return;
    }
    refused(&path, "", &["secret.png", "permission denied"]);
}

#[test]
fn media_that_are_none() {
    let folder = Folder::new();
    for (name, data) in [
        ("text.mp4", b"hello, this is text\n".as_slice()),
        ("empty.mp4", b""),
    ] {
        let path = folder.file(name, data);
        let line = format!("dsframeinject uri=file://{} ! fakesink", path.display());
        must_fail(&line, &[name]);
    }
}

#[test]
fn properties_that_contradict_one_another_or_caps() {
    for (line, words) in [
        (
            "dsframeinject location=a uri=b ! fakesink",
            ["\"uri\"", "location"],
        ),
        (
            "dsframeinject start-index=4 ! fakesink",
            ["\"start-index\"", "location"],
        ),
        (
            "dsframeinject sample-interval=4 ! fakesink",
            ["\"sample-interval\"", "uri"],
        ),
        ("dsframeinject format=XYZ ! fakesink", ["\"format\"", "XYZ"]),
        (
            "dsframeinject framerate=1/0 ! fakesink",
            ["\"framerate\"", "1/0"],
        ),
        (
            "dsframeinject format=NV12 ! video/x-raw,format=RGB ! fakesink",
            ["\"format\"", "videoconvert"],
        ),
        (
            "dsframeinject framerate=25 ! video/x-raw,framerate=30/1 ! fakesink",
            ["\"framerate\"", "30/1"],
        ),
    ] {
        must_fail(line, &words);
    }
    if gstdsframe::mem::cuda::probe().is_err() {
        let line = "dsframeinject device=gpu ! fakesink";
        must_fail(line, &["nvbuf-mem-system", "device=cpu"]);
    }
}
