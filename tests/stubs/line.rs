// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `gst-launch-1.0` lines with DeepStream's elements, parsed and linked, not run.

use gst::glib;
use gst::prelude::*;

/// The arguments of the gst-launch-1.0 in a twin: comments and continuations gone, quotes resolved
/// as a shell does, whatever feeds a pipe before it left out, its own options too.
pub fn pipeline_arguments(twin: &str) -> Result<Vec<String>, String> {
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
pub fn parse_and_link(arguments: &[String]) -> Result<(), String> {
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
