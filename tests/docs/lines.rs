// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The lines on the pages. What is marked `sh run` is run in a folder of its own, in the order of
//! the page, and must leave as many files in out/ as `files=` says; `posts=` are those that a server
//! got. What is marked `sh deepstream` is parsed and linked against stubs. `needs=` names what a
//! build must have for the line to run.

use std::path::Path;
use std::process::Stdio;
use std::sync::Once;
use std::time::Duration;

use super::fences::{Fence, of, of_page};
use super::server::Server;
use super::stubs::line::{parse_and_link, pipeline_arguments};
use super::{common, launch, pages, repository, stubs};

/// What this build has of what a fence may need.
const HERE: [(&str, bool); 1] = [("monitor", cfg!(feature = "monitor"))];

/// Where the lines on the pages expect a server.
const SERVER: &str = "http://localhost:8080";

pub fn here(fence: &Fence) -> bool {
    let Some(need) = fence.value("needs") else {
        return true;
    };
    let known = HERE.iter().find(|(name, _)| *name == need);
    known
        .unwrap_or_else(|| panic!("needs={need} is not known"))
        .1
}

/// Has a fence's text run, with its server where it has one, and counts what it leaves.
pub fn posted(
    fence: &Fence,
    folder: &Path,
    run: impl FnOnce(&str) -> Result<String, String>,
) -> Result<(), String> {
    let server = fence.value("posts").map(|_| Server::start());
    let mut text = fence.text.clone();
    if let Some(server) = &server {
        text = text.replace(SERVER, &format!("http://127.0.0.1:{}", server.port));
    }
    let said = run(&text)?;
    let files = common::files(&folder.join("out"));
    let count = |mark: &str| -> usize {
        let value = fence.value(mark);
        let value = value.unwrap_or_else(|| panic!("{mark}= is missing"));
        value.parse().unwrap()
    };
    if files.len() != count("files") {
        return Err(format!(
            "{} files are in out/: {files:?}\n{said}",
            files.len()
        ));
    }
    match server {
        Some(server) if server.posts() != count("posts") => {
            Err(format!("the server got {} posts\n{said}", server.posts()))
        }
        _ => Ok(()),
    }
}

fn run(fence: &Fence) -> Result<(), String> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("out")).unwrap();
    posted(fence, folder.path(), |text| {
        let child = in_folder(folder.path(), "bash")
            .args(["-euo", "pipefail", "-c", text])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let output = launch::finish(child, Duration::from_secs(60));
        let both = [&output.stdout[..], &output.stderr[..]].concat();
        let said = String::from_utf8_lossy(&both).into_owned();
        match output.status.success() && !said.contains("WARNING") {
            true => Ok(said),
            false => Err(said),
        }
    })
}

fn parse(text: &str) -> Result<(), String> {
    static INIT: Once = Once::new();
    common::init();
    INIT.call_once(stubs::register);
    parse_and_link(&pipeline_arguments(text)?)
}

/// Every fence of the pages with this mark, and where it is.
fn marked(mark: &str) -> Vec<(String, Fence)> {
    let mut found = Vec::new();
    for page in pages() {
        let name = page
            .strip_prefix(repository())
            .unwrap()
            .display()
            .to_string();
        let fences = match page.exists() {
            true => of_page(&page),
            false => Vec::new(),
        };
        found.extend(
            fences
                .into_iter()
                .filter(|fence| fence.has(mark))
                .map(|fence| (format!("{name}:{}", fence.line), fence)),
        );
    }
    found
}

/// One in so many of the lines, so that several tests share them.
fn run_share(share: usize) {
    let mut wrong = Vec::new();
    let mut ran = 0;
    let fences = marked("run");
    for (at, fence) in fences.iter().skip(share).step_by(SHARES) {
        if !here(fence) {
            eprintln!("skipped: {at}: needs {}", fence.value("needs").unwrap());
            continue;
        }
        ran += 1;
        if let Err(error) = run(fence) {
            wrong.push(format!("{at}:\n{}{error}", fence.text));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(ran > 0, "nothing is marked to be run");
}

const SHARES: usize = 4;

#[test]
fn lines_marked_run_run_1() {
    run_share(0);
}

#[test]
fn lines_marked_run_run_2() {
    run_share(1);
}

#[test]
fn lines_marked_run_run_3() {
    run_share(2);
}

#[test]
fn lines_marked_run_run_4() {
    run_share(3);
}

#[test]
fn lines_marked_deepstream_parse_and_link() {
    let fences = marked("deepstream");
    assert!(fences.len() > 20, "only {} lines", fences.len());
    for (at, fence) in fences {
        let absent = fence.value("needs") == Some("monitor") && !here(&fence);
        if let (false, Err(error)) = (absent, parse(&fence.text)) {
            panic!("{at}: {error}\n{}", fence.text);
        }
    }
}

/// On the map nothing is only there to be read.
#[test]
fn every_line_of_the_map_is_run_or_parsed() {
    let page = repository().join("docs/patterns.md");
    for fence in of_page(&page) {
        if fence.language == "sh" {
            let marks = fence.has("run") || fence.has("deepstream");
            assert!(
                marks,
                "docs/patterns.md:{}: neither run nor parsed",
                fence.line
            );
        }
    }
}

/// The headings of the two documents that the map maps. Each is on the page, in this order.
#[test]
fn the_map_is_complete() {
    let map = std::fs::read_to_string(repository().join("docs/patterns.md")).unwrap();
    let mut rest = map.as_str();
    for heading in include_str!("headings.txt").lines() {
        let Some(at) = rest.find(heading) else {
            panic!("docs/patterns.md lacks, or has not in this order: {heading}");
        };
        rest = &rest[at + heading.len()..];
    }
}

#[test]
fn what_does_not_run_is_seen() {
    let fence = |text: &str| of(text).pop().unwrap();
    let line = "gst-launch-1.0 -q dsframeinject num-buffers=2 ! dsframecapture interval=1 location=out/%d.jpg";
    run(&fence(&format!("```sh run files=2\n{line}\n```\n"))).unwrap();
    run(&fence(&format!("```sh run files=3\n{line}\n```\n"))).unwrap_err();
    run(&fence("```sh run files=0\nfalse | true\n```\n")).unwrap_err();
    run(&fence("```sh run files=0 posts=1\ntrue\n```\n")).unwrap_err();
    parse("gst-launch-1.0 nvurisrcbin uri=file:///a ! nvinfr ! dsframecapture").unwrap_err();
    assert!(here(&fence("```sh run\n```\n")));
}

#[test]
#[should_panic = "is not known"]
fn a_need_that_nobody_has_is_seen() {
    here(&of("```sh run needs=endpiont\n```\n")[0]);
}

/// A command in this folder that finds the plugin.
pub fn in_folder(folder: &Path, program: &str) -> std::process::Command {
    let mut command = launch::command(program);
    command.current_dir(folder);
    command
}
