// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! A file is read at every start.

use gst::prelude::*;

use crate::common::{count, launch, play};
use crate::files::{pictures, write};

#[test]
fn a_file_that_changed_has_its_effect_at_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    let file = write(
        &folder,
        "a.yml",
        "property: {location: a/%d.png, interval: 2}\n",
    );
    let pipeline = launch(&format!(
        "dsframeinject num-buffers=12 ! dsframecapture name=c config-file-path={}",
        file.display()
    ));
    let captured = || {
        assert!(play(&pipeline).eos());
        count(&pipeline.by_name("c").unwrap(), "captured")
    };
    assert_eq!(captured(), 6);
    // A key that is there no more has no effect any more.
    write(
        &folder,
        "a.yml",
        "property: {location: b/%d.png, start-time: 300000000}\n",
    );
    assert_eq!(captured(), 1);
    write(
        &folder,
        "a.yml",
        "property: {location: c/%d.png, interval: 2}\nstream-0: {interval: 3}\n",
    );
    assert_eq!(captured(), 4);
    write(
        &folder,
        "a.yml",
        "property: {location: d/%d.png, interval: 2\n",
    );
    let messages = play(&pipeline);
    assert_eq!(messages.errors().len(), 1);
    assert!(messages.errors()[0].1.contains("a.yml, line"));
    // And it recovers.
    write(
        &folder,
        "a.yml",
        "property: {location: d/%d.png, interval: 1}\n",
    );
    assert_eq!(captured(), 12);
    let found = ["a", "b", "c", "d"].map(|name| pictures(&folder.path().join(name)).len());
    assert_eq!(found, [6, 1, 4, 12]);
}

#[test]
fn a_source_reads_its_file_at_every_start() {
    let folder = tempfile::tempdir().unwrap();
    let file = write(
        &folder,
        "a.ini",
        "[property]\nnum-buffers=3\nwidth=64\nheight=48\n",
    );
    let pipeline = launch(&format!(
        "dsframeinject name=s config-file-path={} ! fakesink name=f signal-handoffs=true",
        file.display()
    ));
    let frames = || {
        assert!(play(&pipeline).eos());
        let stats = pipeline
            .by_name("s")
            .unwrap()
            .property::<gst::Structure>("stats");
        (
            stats.get::<u64>("frames").unwrap(),
            stats.get::<u64>("bytes").unwrap(),
        )
    };
    let (three, bytes) = frames();
    assert_eq!(three, 3);
    write(
        &folder,
        "a.ini",
        "[property]\nnum-buffers=5\nwidth=64\nheight=96\n",
    );
    let (five, more) = frames();
    assert_eq!(five, 5);
    assert_eq!(more * 3, bytes * 2 * 5);
}
