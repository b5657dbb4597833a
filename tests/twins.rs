// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The DeepStream twins of the examples, parsed and linked against stubs, not run.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Once;

use gst::glib;
use gst::prelude::*;

mod stubs;

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

/// The arguments of the gst-launch-1.0 in a twin: comments and continuations gone, quotes resolved
/// as a shell does, whatever feeds a pipe before it left out, its own options too.
fn pipeline_arguments(twin: &str) -> Result<Vec<String>, String> {
    let line = twin
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| line.strip_suffix('\\').unwrap_or(line))
        .collect::<Vec<_>>()
        .join(" ");
    let words = shlex::split(&line).ok_or("a quote is not closed")?;
    let last = words.rsplit(|word| word == "|").next().unwrap_or_default();
    match last.split_first() {
        Some((command, arguments)) if command == "gst-launch-1.0" => Ok(arguments
            .iter()
            .skip_while(|word| word.starts_with('-'))
            .cloned()
            .collect()),
        _ => Err("the line does not call gst-launch-1.0".to_string()),
    }
}

/// Parses as gst-launch-1.0 does, lets the stubs show the pads that come late, and looks for pads
/// that are linked to nothing.
fn parse_and_link(arguments: &[String]) -> Result<(), String> {
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let mut context = gst::ParseContext::new();
    let pipeline = gst::parse::launchv_full(
        &arguments,
        Some(&mut context),
        gst::ParseFlags::FATAL_ERRORS | gst::ParseFlags::NO_SINGLE_ELEMENT_BINS,
    )
    .map_err(|error| format!("{error}; missing: {:?}", context.missing_elements()))?;
    let bin = pipeline
        .downcast::<gst::Bin>()
        .map_err(|element| format!("only one element: {}", element.name()))?;

    let elements: Vec<gst::Element> = bin
        .iterate_recurse()
        .into_iter()
        .map(Result::unwrap)
        .collect();
    let late: Vec<&gst::Element> = elements
        .iter()
        .filter(|element| {
            let templates = element.pad_template_list();
            templates
                .iter()
                .any(|template| template.presence() == gst::PadPresence::Sometimes)
        })
        .collect();
    for element in &late {
        element
            .set_state(gst::State::Ready)
            .map_err(|error| error.to_string())?;
    }
    let loose: Vec<glib::GString> = elements
        .iter()
        .flat_map(|element| element.pads())
        .filter(|pad| !pad.is_linked())
        .map(|pad| pad.path_string())
        .collect();
    for element in &late {
        element
            .set_state(gst::State::Null)
            .map_err(|error| error.to_string())?;
    }
    match loose.is_empty() {
        true => Ok(()),
        false => Err(format!("not linked: {loose:?}")),
    }
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
