// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Properties of the base classes.

use gst::prelude::*;

use crate::common::{launch, play};
use crate::files::write;

#[test]
fn what_a_file_sets_of_the_base_class_is_put_back() {
    let folder = tempfile::tempdir().unwrap();
    let text =
        |more: &str| format!("property:\n  location: a/%d.png\n  on-exists: overwrite\n{more}");
    let file = write(
        &folder,
        "a.yml",
        &text("  sync: 1\n  qos: 'yes'\n  ts-offset: -5\n"),
    );
    let pipeline = launch(&format!(
        "dsframeinject num-buffers=2 ! dsframecapture name=c config-file-path={}",
        file.display()
    ));
    let capture = pipeline.by_name("c").unwrap();
    let state = || {
        (
            capture.property::<bool>("sync"),
            capture.property::<bool>("qos"),
            capture.property::<i64>("ts-offset"),
        )
    };
    let run = || {
        let messages = play(&pipeline);
        assert!(messages.eos(), "{:?}", messages.errors());
        state()
    };
    assert_eq!(state(), (false, false, 0));
    assert_eq!(run(), (true, true, -5));
    write(&folder, "a.yml", &text("  ts-offset: 7\n"));
    assert_eq!(run(), (false, false, 7));
    // What was set since stays.
    capture.set_property("ts-offset", 9i64);
    capture.set_property("sync", true);
    write(&folder, "a.yml", &text("  sync: 0\n  ts-offset: 8\n"));
    assert_eq!(run(), (true, false, 9));
    capture.set_property("config-file-path", "");
    capture.set_property("location", "/dev/null/none/%d.jpg");
    capture.set_property("ts-offset", 0i64);
    capture.set_property("sync", false);
    assert!(!play(&pipeline).eos());
    assert_eq!(state(), (false, false, 0));
}

/// By the clock, where the file says so.
#[test]
fn sync_of_a_file_takes_effect() {
    let folder = tempfile::tempdir().unwrap();
    let text = "property:\n  location: a/%d.png\n  interval: 1\n  sync: true\n";
    let file = write(&folder, "a.yml", text);
    let pipeline = launch(&format!(
        "dsframeinject num-buffers=11 framerate=20 ! dsframecapture config-file-path={}",
        file.display()
    ));
    let begun = std::time::Instant::now();
    assert!(play(&pipeline).eos());
    // The last frame is for 500 ms after the first.
    assert!(begun.elapsed() >= std::time::Duration::from_millis(490));
}
