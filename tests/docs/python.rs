// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The scripts on the Python page and in python/examples, run with PyGObject where it is installed.

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use super::fences::{Fence, of, of_page};
use super::lines::{here, in_folder, posted};
use super::{common, launch, repository};

const LIMIT: Duration = Duration::from_secs(90);

/// A Python that has PyGObject: the distribution's, which apt-get installs it for, or another.
fn python() -> Option<&'static str> {
    let has = |python: &&str| {
        Command::new(python)
            .args([
                "-c",
                "import gi; gi.require_version('Gst', '1.0'); from gi.repository import Gst",
            ])
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    };
    let found = ["/usr/bin/python3", "python3"].into_iter().find(has);
    if found.is_none() {
        eprintln!(
            "skipped: there is no PyGObject: apt-get install python3-gi gir1.2-gstreamer-1.0"
        );
    }
    found
}

fn start(folder: &Path, python: &str, arguments: &[&str]) -> std::process::Child {
    in_folder(folder, python)
        .arg("-B")
        .args(arguments)
        .env("PYTHONPATH", repository().join("tests/docs/fake"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

fn said(output: &Output) -> String {
    let both = [&output.stdout[..], &output.stderr[..]].concat();
    String::from_utf8_lossy(&both).into_owned()
}

fn script(python: &str, fence: &Fence) -> Result<(), String> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("out")).unwrap();
    posted(fence, folder.path(), |text| {
        let path = folder.path().join("script.py");
        std::fs::write(&path, text).unwrap();
        let child = start(folder.path(), python, &["script.py"]);
        let output = launch::finish(child, LIMIT);
        match output.status.success() {
            true => Ok(said(&output)),
            false => Err(said(&output)),
        }
    })
}

#[test]
fn scripts_for_service_maker_run_with_a_stand_in_for_it() {
    let fences = of_page(&repository().join("docs/python.md"));
    let fences: Vec<_> = fences.iter().filter(|f| f.has("servicemaker")).collect();
    assert!(fences.len() > 10, "only {} scripts", fences.len());
    let Some(python) = python() else { return };
    for fence in fences {
        if !here(fence) {
            eprintln!(
                "skipped: docs/python.md:{}: needs {}",
                fence.line,
                fence.value("needs").unwrap()
            );
            continue;
        }
        if let Err(error) = script(python, fence) {
            panic!("docs/python.md:{}: {error}", fence.line);
        }
    }
}

/// What the real module ignores is an error of the stand-in.
#[test]
fn what_service_maker_does_not_take_is_seen() {
    let Some(python) = python() else { return };
    for (set, error) in [
        (r#"{"mode": "metadata"}"#, "mode is of type"),
        (r#"{"cooldown": 5000000000}"#, "32 bits"),
        (r#"{"intervall": 3}"#, "no property intervall"),
        (r#"{"location": 3}"#, "location is of type"),
        (r#"{"stats": {}}"#, "not dict"),
    ] {
        let text = format!(
            "```python servicemaker files=0\nfrom pyservicemaker import Pipeline\n\
             Pipeline('p').add('dsframecapture', 'sink', {set})\n```\n"
        );
        let wrong = script(python, &of(&text)[0]).unwrap_err();
        assert!(wrong.contains(error), "{set}: {wrong}");
    }
    let text = "```python servicemaker files=0\nfrom pyservicemaker import Pipeline\n\
                Pipeline('p').add('dsframecapture', 'sink')['sink'].get('max-captures')\n```\n";
    let wrong = script(python, &of(text)[0]).unwrap_err();
    assert!(wrong.contains("read stats-json"), "{wrong}");
}

fn example(name: &str) -> String {
    let path = repository().join("python/examples").join(name);
    path.to_str().unwrap().to_owned()
}

#[test]
fn capture_on_demand_takes_as_many_as_asked_for() {
    let Some(python) = python() else { return };
    let folder = tempfile::tempdir().unwrap();
    let child = start(
        folder.path(),
        python,
        &[&example("capture_on_demand.py"), "out", "3"],
    );
    let output = launch::finish(child, LIMIT);
    assert!(output.status.success(), "{}", said(&output));
    let wanted = ["manual_000.jpg", "manual_001.jpg", "manual_002.jpg"];
    let files = common::files(&folder.path().join("out"));
    assert!(files.len() >= 3, "{files:?}");
    for (line, name) in said(&output).lines().zip(wanted) {
        assert_eq!(line, format!("out/{name} manual"));
    }
}

#[test]
fn stats_add_up_in_python() {
    let Some(python) = python() else { return };
    let folder = tempfile::tempdir().unwrap();
    let child = start(folder.path(), python, &[&example("stats.py"), "2"]);
    let output = launch::finish(child, LIMIT);
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(
        said(&output).matches("seen ").count(),
        2,
        "{}",
        said(&output)
    );
}

/// SIGTERM while frames come: everything that was accepted is there, and nothing else.
#[test]
fn sigterm_loses_nothing() {
    let Some(python) = python() else { return };
    for signal in [rustix::process::Signal::TERM, rustix::process::Signal::INT] {
        let folder = tempfile::tempdir().unwrap();
        let line = "dsframeinject is-live=true ! video/x-raw,width=160,height=90,framerate=30/1 \
                    ! dsframecapture name=capture interval=1 location=out/%06d.jpg log-location=out/log.jsonl";
        let script = example("graceful.py");
        let arguments: Vec<&str> = [&script[..]]
            .into_iter()
            .chain(line.split_whitespace())
            .collect();
        let child = start(folder.path(), python, &arguments);
        let log = folder.path().join("out/log.jsonl");
        common::until("a log line", || {
            std::fs::metadata(&log).is_ok_and(|file| file.len() > 0)
        });
        let pid = rustix::process::Pid::from_raw(child.id() as i32).unwrap();
        rustix::process::kill_process(pid, signal).unwrap();
        let output = launch::finish(child, LIMIT);
        let said = said(&output);
        assert!(output.status.success(), "{said}");
        let lines = common::lines(&log).len();
        let pictures = common::files(&folder.path().join("out")).len() - 1;
        assert_eq!(lines, pictures, "{said}");
        assert!(
            said.contains(&format!("capture seen={lines} captured={lines} ")),
            "{said}"
        );
    }
}

#[test]
fn graceful_says_what_went_wrong() {
    let Some(python) = python() else { return };
    let folder = tempfile::tempdir().unwrap();
    let arguments = [
        &example("graceful.py")[..],
        "dsframeinject",
        "location=none.png",
        "!",
        "fakesink",
    ];
    let output = launch::finish(start(folder.path(), python, &arguments), LIMIT);
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("none.png"), "{}", said(&output));
}
