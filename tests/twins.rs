// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The DeepStream twins of the examples, parsed and linked against stubs, not run.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Once;

mod stubs;

use stubs::line::{parse_and_link, pipeline_arguments};

fn init() {
    static INIT: Once = Once::new();
    INIT.call_once(|| {
        gst::init().unwrap();
        gstdsframe::plugin_register_static().unwrap();
        stubs::register();
    });
}

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("gst-launch-examples")
}

/// The names, without suffix, of the files in the examples folder that have this suffix.
fn names(suffix: &str) -> BTreeSet<String> {
    fs::read_dir(examples())
        .unwrap()
        .filter_map(|entry| {
            let name = entry.unwrap().file_name().into_string().unwrap();
            name.strip_suffix(suffix).map(str::to_string)
        })
        .collect()
}

fn check(line: &str) -> Result<(), String> {
    init();
    parse_and_link(&pipeline_arguments(line)?)
}

#[test]
fn every_example_has_its_twin() {
    assert_eq!(names(".sh"), names(".deepstream"));
    assert!(names(".sh").len() > 10);
}

#[test]
fn every_twin_parses_and_links() {
    for name in names(".deepstream") {
        let twin = fs::read_to_string(examples().join(format!("{name}.deepstream"))).unwrap();
        let heading = format!("# DeepStream twin of {name}.sh. Parsed, not run.");
        assert!(
            twin.starts_with(&heading),
            "{name}: the first line is not {heading:?}"
        );
        assert!(
            twin.contains("dsframe"),
            "{name}: there is none of our elements in it"
        );
        if let Err(error) = check(&twin) {
            panic!("{name}: {error}");
        }
    }
}

#[test]
fn what_feeds_a_pipe_is_left_out() {
    let line = "# comment\nffmpeg -i 'a clip.mp4' - | gst-launch-1.0 -e \\\n  nvurisrcbin uri='file:///a clip.mp4' \\\n  ! x\n";
    let arguments = pipeline_arguments(line).unwrap();
    assert_eq!(
        arguments,
        ["nvurisrcbin", "uri=file:///a clip.mp4", "!", "x"]
    );
    assert!(pipeline_arguments("ffmpeg -i clip.mp4").is_err());
}

const MUXED: &str =
    "nvstreammux name=mux batch-size=1 width=1280 height=720 ! nvosdbin ! nveglglessink";

#[test]
fn late_pads_are_linked() {
    check(&format!(
        "gst-launch-1.0 nvurisrcbin uri=file:///clip.mp4 ! mux.sink_0 {MUXED}"
    ))
    .unwrap();
}

#[test]
fn a_misspelt_property_is_refused() {
    let error = check(&format!(
        "gst-launch-1.0 nvurisrcbin url=file:///clip.mp4 ! mux.sink_0 {MUXED}"
    ))
    .unwrap_err();
    assert!(error.contains("url"), "{error}");
    let error =
        check("gst-launch-1.0 dsframeinject num-bufers=1 ! nvvideoconvert ! fakesink").unwrap_err();
    assert!(error.contains("num-bufers"), "{error}");
}

#[test]
fn a_value_that_does_not_exist_is_refused() {
    let line = format!(
        "gst-launch-1.0 videotestsrc ! nvvideoconvert nvbuf-memory-type=nvbuf-mem-gpu \
         ! 'video/x-raw(memory:NVMM),format=NV12' ! mux.sink_0 {MUXED}"
    );
    let error = check(&line).unwrap_err();
    assert!(error.contains("nvbuf-memory-type"), "{error}");
}

#[test]
fn an_impossible_link_is_refused() {
    // nvstreammux takes no RGB.
    let line = |format: &str| {
        format!(
            "gst-launch-1.0 videotestsrc ! nvvideoconvert \
             ! 'video/x-raw(memory:NVMM),format={format}' ! mux.sink_0 {MUXED}"
        )
    };
    check(&line("NV12")).unwrap();
    check(&line("RGB")).unwrap_err();
    // nor frames in system memory
    check(&format!("gst-launch-1.0 videotestsrc ! mux.sink_0 {MUXED}")).unwrap_err();
}

#[test]
fn what_nvstreammux_takes_links_straight() {
    // No GPU is opened for this: only the templates count.
    let line = |format: &str| {
        format!(
            "gst-launch-1.0 dsframeinject device=gpu \
             ! 'video/x-raw(memory:NVMM),format={format}' ! mux.sink_0 \
             nvstreammux name=mux batch-size=1 width=1280 height=720 ! dsframecapture"
        )
    };
    for format in ["NV12", "RGBA", "I420"] {
        check(&line(format)).unwrap();
    }
    check(&line("RGB")).unwrap_err();
    check(&line("RGB").replace("! mux", "! nvvideoconvert ! mux")).unwrap();
}

#[test]
fn an_impossible_late_link_is_refused() {
    let line =
        "gst-launch-1.0 nvurisrcbin uri=file:///clip.mp4 ! 'video/x-raw,format=RGB' ! fakesink";
    check(line).unwrap_err();
}

#[test]
fn a_pad_left_alone_is_refused() {
    let error = check("gst-launch-1.0 videotestsrc ! nvvideoconvert").unwrap_err();
    assert!(error.contains("not linked"), "{error}");
}

#[test]
fn an_unknown_element_is_refused() {
    let error = check("gst-launch-1.0 videotestsrc ! nvvideoconvertt ! fakesink").unwrap_err();
    assert!(error.contains("nvvideoconvertt"), "{error}");
}
