// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The self-test for machines with DeepStream, run beside stub elements: that it passes where all is
//! well, and that each fault makes the check fail that is there to find it.

mod launch;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Once;
use std::time::Duration;

use serde_json::Value;

const LIMIT: Duration = Duration::from_secs(110);

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn well(mut command: Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {output:?}");
}

/// A machine that looks as if it had DeepStream.
struct Machine {
    folder: tempfile::TempDir,
    /// Run on the stand-in for a GPU.
    gpu: bool,
}

impl Machine {
    fn new(release: &str, wrong: Option<&str>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut build = Command::new(repository().join("tests/deepstream/stub/build.sh"));
        build.arg(release).arg(folder.path()).args(wrong);
        well(build);
        // Something that a model sees things in.
        let streams = folder.path().join("samples/streams");
        std::fs::create_dir(&streams).unwrap();
        let (good, said) = launch::run(
            &streams,
            "dsframeinject num-buffers=1 ! dsframecapture interval=1 max-captures=1 location=sample_720p.jpg",
        );
        assert!(good, "{said}");
        Self { folder, gpu: false }
    }

    fn gpu(release: &str) -> Self {
        static BUILT: Once = Once::new();
        BUILT.call_once(|| well(Command::new(repository().join("tests/standin/build.sh"))));
        Self {
            gpu: true,
            ..Self::new(release, None)
        }
    }

    fn command(&self) -> Command {
        let mut command = launch::command(script().to_str().unwrap());
        let with = |path: PathBuf, variable: &str| {
            let old = command_value(&command, variable);
            format!("{}:{old}", path.display())
        };
        let plugins = with(self.folder.path().join("plugins"), "GST_PLUGIN_PATH");
        command
            .arg("--deepstream")
            .arg(self.folder.path())
            .args(["--timeout", "60", "--infer-timeout", "60"])
            .env("GST_PLUGIN_PATH", plugins)
            .env("GST_REGISTRY", self.folder.path().join("registry.bin"))
            .stdin(Stdio::null());
        if self.gpu {
            let standin = repository().join("target/standin");
            command
                .env("LD_LIBRARY_PATH", standin)
                .env("DSFRAME_STUB_DEVICE", "1");
        } else {
            command.args(["--memory", "nvbuf-mem-system"]);
        }
        command
    }

    fn run(&self, checks: &[&str], fault: &str) -> (Option<i32>, Value) {
        let mut command = self.command();
        command.args(checks).env("DSFRAME_STUB_FAULT", fault);
        reported(command)
    }
}

fn script() -> PathBuf {
    repository().join("tests/deepstream/selftest.sh")
}

fn command_value(command: &Command, variable: &str) -> String {
    let found = command.get_envs().find(|(name, _)| *name == variable);
    found
        .and_then(|(_, value)| value)
        .map_or_else(String::new, |value| value.to_str().unwrap().to_owned())
}

fn output(mut command: Command) -> Output {
    let child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    launch::finish(child, LIMIT)
}

/// Exit status, and the report on stdout.
fn reported(command: Command) -> (Option<i32>, Value) {
    let output = output(command);
    let report = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
    (output.status.code(), report)
}

fn results(report: &Value) -> BTreeMap<String, String> {
    let checks = report["checks"].as_array().unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    checks
        .iter()
        .map(|check| (text(&check["check"]), text(&check["result"])))
        .collect()
}

fn check<'a>(report: &'a Value, name: &str) -> &'a Value {
    let checks = report["checks"].as_array().unwrap();
    checks.iter().find(|check| check["check"] == name).unwrap()
}

/// All pass but these, which say that they were not run.
#[track_caller]
fn all_but(report: &Value, not_run: &[&str]) {
    let results = results(report);
    assert_eq!(results.len(), 15);
    for (name, result) in &results {
        // Without libav there is nothing that a stub could decode with.
        let decoder = name == "decoder" && result == "not run";
        let want = if not_run.contains(&name.as_str()) {
            "not run"
        } else {
            "pass"
        };
        assert!(decoder || result == want, "{}", check(report, name));
    }
}

#[track_caller]
fn good(release: &str, generation: &str) {
    let machine = Machine::new(release, None);
    let (status, report) = machine.run(&[], "");
    all_but(&report, &["nvjpeg"]);
    assert_eq!(status, Some(0));
    assert_eq!(report["versions"]["deepstream"], release);
    assert_eq!(check(&report, "layout")["generation"], generation);
    assert_eq!(check(&report, "batch")["frames"], 48);
    assert_eq!(
        check(&report, "stream-eos")["events"]["102942"],
        "nv-stream-eos"
    );
    assert!(check(&report, "stats")["accounts"].as_u64().unwrap() > 30);
    assert_eq!(report["summary"]["fail"], 0);
}

#[test]
fn it_passes_beside_stubs_of_7_1() {
    good("7.1", "A");
}

#[test]
fn it_passes_beside_stubs_of_8_0() {
    good("8.0", "B");
}

#[test]
fn it_passes_beside_stubs_of_9_1() {
    good("9.1", "C");
}

/// The same on GPU memory, where there is nothing but the driver's stand-in.
#[test]
fn it_passes_on_the_stand_in_for_a_gpu() {
    let machine = Machine::gpu("9.1");
    let (status, report) = machine.run(&[], "");
    let nvjpeg = repository().join("target/standin/libnvjpeg.so.12").exists();
    // nvidia-smi does not know the stand-in.
    let not_run: &[&str] = if nvjpeg {
        &["versions"]
    } else {
        &["versions", "nvjpeg"]
    };
    all_but(&report, not_run);
    assert_eq!(status, Some(0));
}

/// These fail, and all others that were asked for do not: it goes on after a failure.
#[track_caller]
fn fault(fault: &str, fail: &[&str], pass: &[&str]) -> Value {
    let machine = Machine::new("9.1", None);
    let mut command = machine.command();
    if fault == "hang-infer" {
        command.args(["--infer-timeout", "3"]);
    }
    let asked: Vec<&str> = fail.iter().chain(pass).copied().collect();
    command.args(&asked).env("DSFRAME_STUB_FAULT", fault);
    let (status, report) = reported(command);
    assert_eq!(status, Some(1), "{report}");
    for name in fail {
        let check = check(&report, name);
        assert_eq!(check["result"], "fail", "{check}");
        assert!(!check["reason"].as_str().unwrap().is_empty());
        assert!(check["log"].is_array());
    }
    for name in pass {
        assert_eq!(
            check(&report, name)["result"],
            "pass",
            "{}",
            check(&report, name)
        );
    }
    report
}

#[test]
fn frames_under_the_wrong_stream_are_found() {
    fault("swap", &["batch"], &["mux", "stats"]);
}

#[test]
fn a_lost_frame_is_found() {
    fault("lose", &["batch"], &["mux"]);
}

#[test]
fn a_muxer_that_does_not_tell_the_end_of_streams_is_found() {
    fault("no-stream-eos", &["stream-eos"], &["batch"]);
}

#[test]
fn missing_detections_are_found() {
    fault("no-objects", &["detections"], &["infer"]);
}

#[test]
fn a_crash_is_a_failure_of_one_check() {
    let report = fault("crash-osd", &["osd"], &["batch", "stats"]);
    let reason = check(&report, "osd")["reason"].as_str().unwrap();
    assert!(
        reason.contains("the process ended with status -6"),
        "{reason}"
    );
}

#[test]
fn what_hangs_is_ended() {
    fault("hang-infer", &["infer"], &["osd"]);
}

#[test]
fn wrong_pixels_are_found() {
    fault(
        "black-convert",
        &["convert-ours", "convert-theirs"],
        &["inject"],
    );
}

#[test]
fn headers_of_another_layout_are_found() {
    let machine = Machine::new("8.0", Some("NvDsFrameMeta"));
    let (status, report) = machine.run(&["structs", "mux"], "");
    assert_eq!(status, Some(1));
    let structs = check(&report, "structs");
    assert_eq!(structs["result"], "fail");
    assert!(
        structs["reason"]
            .as_str()
            .unwrap()
            .contains("NvDsFrameMeta"),
        "{structs}"
    );
    assert_eq!(check(&report, "mux")["result"], "pass");
}

/// The version file says another release than the plugins: surfaces would not fit.
#[test]
fn a_release_that_is_not_what_it_says_is_found() {
    let machine = Machine::new("9.1", None);
    std::fs::write(machine.folder.path().join("version"), "Version: 7.1\n").unwrap();
    let (status, report) = machine.run(&["layout"], "");
    assert_eq!(status, Some(1));
    assert_eq!(check(&report, "layout")["result"], "fail", "{report}");
}

#[test]
fn without_deepstream_nothing_is_claimed() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = launch::command(script().to_str().unwrap());
    command
        .args(["--memory", "nvbuf-mem-system", "--deepstream"])
        .arg(folder.path());
    let (status, report) = reported(command);
    assert_eq!(status, Some(1));
    let results = results(&report);
    for (name, want) in [
        ("versions", "fail"),
        ("structs", "not run"),
        ("inject", "pass"),
        ("mux", "not run"),
        ("osd", "not run"),
        ("stats", "pass"),
    ] {
        assert_eq!(results[name], want, "{}", check(&report, name));
    }
}

#[test]
fn without_the_plugin_it_says_so() {
    let machine = Machine::new("9.1", None);
    let mut command = machine.command();
    command
        .arg("inject")
        .env("GST_PLUGIN_PATH", machine.folder.path().join("plugins"));
    let (status, report) = reported(command);
    assert_eq!(status, Some(1));
    let reason = check(&report, "versions")["reason"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(reason.contains("GST_PLUGIN_PATH"), "{reason}");
    assert_eq!(check(&report, "inject")["result"], "fail");
}

/// A report can be sent to strangers.
#[test]
fn the_report_names_neither_user_nor_machine_nor_paths() {
    let machine = Machine::new("9.1", None);
    let home = machine.folder.path().join("hedwig-home");
    std::fs::create_dir(&home).unwrap();
    let mut command = machine.command();
    let plugin = machine.folder.path().join("private-plugins");
    std::fs::create_dir(&plugin).unwrap();
    std::fs::copy(
        machine
            .folder
            .path()
            .join("plugins/libnvdsgst_multistream.so"),
        plugin.join("libnvdsgst_multistream.so"),
    )
    .unwrap();
    let plugins = command_value(&command, "GST_PLUGIN_PATH").replace(
        machine.folder.path().join("plugins").to_str().unwrap(),
        plugin.to_str().unwrap(),
    );
    let report = home.join("report.json");
    command
        .arg("--output")
        .arg(&report)
        .env("GST_PLUGIN_PATH", plugins)
        .env("HOME", &home)
        .env("TMPDIR", &home)
        .env("LOGNAME", "hedwig")
        .env("DSFRAME_STUB_FAULT", "crash-osd");
    let output = output(command);
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.is_empty());
    let said = String::from_utf8(output.stderr).unwrap();
    let text = std::fs::read_to_string(&report).unwrap();
    let parsed: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(check(&parsed, "osd")["result"], "fail");
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    let host = host.trim();
    let repository = repository().to_str().unwrap();
    for secret in ["hedwig", "private-plugins", repository, host] {
        assert!(!text.contains(secret), "{secret}: {text}");
        assert!(!said.contains(secret), "{secret}: {said}");
    }
}

#[test]
fn what_looks_like_a_secret_is_hidden() {
    let mut python = Command::new("python3");
    python
        .args([
            "-Bc",
            "import lab, os; os.environ['HOME'] = '/opt/me2'; scrub = lab.scrubber('/tmp/w'); \
             assert scrub('/opt/me2/clip /tmp/w/x') == '<home>/clip <work>/x'; \
             text = scrub({'a': ['rtsp://me:pw1@camera/x', 'token=pw2', 'Authorization: Bearer pw3', '/home/me2/pw4/x']}); \
             assert 'pw' not in str(text) and 'me2' not in str(text), text; \
             assert scrub('frame 3 of stream 1') == 'frame 3 of stream 1'; \
             one = lab.Lab(None, None); part = dict.fromkeys(('seen', *lab.PARTS), 0); \
             one.add_up({'c': dict(part, streams=[part])}); assert not one.wrong_accounts; \
             one.add_up({'c': dict(part, seen=1)}); assert one.wrong_accounts and len(one.accounts) == 3",
        ])
        .current_dir(repository().join("tests/deepstream"));
    well(python);
}

#[test]
fn what_cannot_begin_ends_with_2() {
    for arguments in [
        &["no-such-check"][..],
        &["--output", "/no/such/folder/report.json"],
    ] {
        let mut command = launch::command(script().to_str().unwrap());
        command.args(arguments);
        let output = output(command);
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        assert!(!output.stderr.is_empty());
    }
}

/// Versions as NVIDIA's files have them, of which this machine need have none.
#[test]
fn versions_are_read_as_they_are_written() {
    let program = r#"
from machine import driver, toolkit

closed = "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.183.01  Sun May 12 19:39:15 UTC 2024"
opened = "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  565.57.01  Release Build  (dvs-builder@U16)"
assert driver(closed + "\nGCC version: 12.3.0") == "535.183.01"
assert driver(opened + "\nGCC version: 12.3.0") == "565.57.01"
assert driver("") is None and driver(None) is None
assert toolkit('{"cuda": {"name": "CUDA SDK", "version": "12.6.3"}}') == "12.6.3"
for text in (None, "", "{", "{}", "[]", "null", '"cuda"', '{"cuda": null}', '{"cuda": "12"}', '{"cuda": {}}'):
    assert toolkit(text) is None, text
"#;
    let mut command = Command::new("python3");
    command
        .args(["-c", program])
        .env("PYTHONPATH", repository().join("tests/deepstream"))
        .env("PYTHONDONTWRITEBYTECODE", "1");
    well(command);
}
