// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The files that the documentation shows, run.

use std::path::{Path, PathBuf};

use crate::common::{child, files, is_child, play_well};
use crate::files::{log, pictures};

fn example(name: &str) -> PathBuf {
    let top = Path::new(env!("CARGO_MANIFEST_DIR"));
    top.join("gst-launch-examples").join(name)
}

#[test]
fn the_documentation_shows_the_files_as_they_are() {
    let top = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = std::fs::read_to_string(top.join("docs/configuration.md")).unwrap();
    for name in [
        "capture-configured.yml",
        "config/two-a-second.txt",
        "config/camera.yml",
    ] {
        let text = std::fs::read_to_string(example(name)).unwrap();
        assert!(page.contains(&format!("\n{text}```\n")), "{name}");
    }
}

/// Runs the files in a process whose environment says where to put what they capture.
#[test]
fn the_files_that_are_shown_do_what_they_say() {
    if is_child() {
        let run = |source: &str, name: &str| {
            let file = example(name);
            play_well(&format!(
                "dsframeinject {source} ! dsframecapture config-file-path={}",
                file.display()
            ));
        };
        match std::env::var("FRAMES").is_ok() {
            true => {
                let camera = example("config/camera.yml");
                let camera = format!("config-file-path={}", camera.display());
                run(&camera, "config/two-a-second.txt");
            }
            false => run("pattern=objects num-buffers=600", "capture-configured.yml"),
        }
        return;
    }
    let run = |frames: Option<&str>| {
        let folder = tempfile::tempdir().unwrap();
        let mut child = child("examples::the_files_that_are_shown_do_what_they_say");
        child.env("OUT", folder.path()).env_remove("FRAMES");
        if let Some(frames) = frames {
            child.env("FRAMES", frames);
        }
        let output = child.output().unwrap();
        assert!(output.status.success(), "{output:?}");
        folder
    };
    let doors = run(None);
    let names = [0, 60, 240, 300, 480, 540].map(|n| format!("door-0/{n:06}_metadata.jpg"));
    let got = pictures(doors.path()).into_keys().collect::<Vec<_>>();
    assert_eq!(got, names);
    assert_eq!(log(&doors.path().join("log.jsonl")).len(), 6);
    // Three seconds of 30000/1001 frames.
    let camera = run(Some("5"));
    let names = [0, 1, 2, 3, 4].map(|n| format!("0_{n:06}.png"));
    let got = pictures(camera.path()).into_keys().collect::<Vec<_>>();
    assert_eq!(got, names);
    let log = log(&camera.path().join("log.jsonl"));
    let frames: Vec<_> = log
        .iter()
        .map(|line| line["frame_number"].as_u64())
        .collect();
    assert_eq!(frames, [0, 15, 30, 45, 60].map(Some));
    assert!(
        log.iter()
            .all(|line| line["shape"][1] == 320 && line["sharpness"].is_number())
    );
    assert_eq!(files(camera.path()).len(), 6);
}
