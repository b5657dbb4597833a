// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Containers, played by namespaces: each with a root of its own in `/tmp`, and a folder in common that
//! has another name in each.

use std::path::Path;
use std::process::Command;

use crate::kit::Line;
use crate::peers::{self, Peer, check_clean};

/// Sees `$shared` as `$name`, in a `/tmp` where there is nothing else.
const ENTER: &str = r#"
set -e
exec 3<"$0"
mkdir -p "$inside"
mount -t tmpfs none "$inside"
mkdir -p "$inside/$name"
mount --bind "$shared" "$inside/$name"
mount --rbind "$inside" /tmp
[ "$(ls /tmp)" = "$name" ]
cd /
exec /proc/self/fd/3 "$@"
"#;

const KINDS: &[&str] = &[
    "--mount",
    "--pid",
    "--ipc",
    "--fork",
    "--mount-proc",
    "--kill-child",
];

/// How to get into new namespaces, if one may.
fn unshare() -> Option<Command> {
    let with = |more: &[&str]| {
        let mut command = Command::new("unshare");
        command.args(more).args(KINDS);
        command
    };
    let works = |more: &[&str]| {
        let folder = tempfile::tempdir().unwrap();
        let mut command = with(more);
        command.args(["mount", "-t", "tmpfs", "none"]);
        let output = command.arg(folder.path()).output();
        output.is_ok_and(|output| output.status.success())
    };
    let found = [&[][..], &["--user", "--map-root-user"]]
        .into_iter()
        .find(|more| works(more));
    if found.is_none() {
        println!("skipped: no containers: unshare may not make namespaces with mounts here");
    }
    found.map(with)
}

/// A process in a container that sees the folder as `/tmp/NAME`.
fn container(shared: &Path, name: &str) -> Option<Peer> {
    let mut command = unshare()?;
    let this = peers::command(&format!("unix:/tmp/{name}/a.sock"));
    command.args(["sh", "-c", ENTER]);
    command.arg(this.get_program()).args(this.get_args());
    command.envs(
        this.get_envs()
            .filter_map(|(name, value)| Some((name, value?))),
    );
    command.env("shared", shared).env("name", name);
    command.env("inside", shared.with_extension(name));
    // Not those of this container.
    command
        .env_remove("GST_REGISTRY")
        .env("XDG_CACHE_HOME", "/tmp");
    Some(Peer::of(command).unwrap())
}

#[test]
fn frames_pass_between_containers() {
    let outside = tempfile::tempdir().unwrap();
    let shared = outside.path().join("shared");
    std::fs::create_dir(&shared).unwrap();
    let Some(producer) = container(&shared, "cameras") else {
        return;
    };
    let reader = container(&shared, "in").unwrap();
    // And the host.
    let line = Line::at(&format!("unix:{}", shared.join("a.sock").display()));
    let host = line.reader("").play();
    producer.done("open overflow=block");
    producer.wait_for_readers(1);
    reader.done("read");
    producer.wait_for_readers(2);
    reader.tell("rest");
    producer.tell("push 0 500");
    assert!(host.take(500).into_iter().eq(0..500));
    assert_eq!(producer.hear(), "done");
    // Large ones, whose pixels are all looked at.
    producer.done("stop");
    producer.done("open overflow=block");
    producer.wait_for_readers(2);
    producer.done("size 640 480");
    drop(host);
    producer.wait_for_readers(1);
    producer.done("push 500 540");
    producer.done("end");
    let report = reader.told();
    assert_eq!(report.sizes, ["32x2", "640x480"]);
    report.expect(0..540, "eos");
    producer.leave();
    check_clean(&shared);

    // A killed one is noticed across containers, too.
    let producer = container(&shared, "cameras").unwrap();
    reader.done("read");
    producer.done("open overflow=block");
    producer.done("push 0 5");
    producer.kill();
    let report = reader.report("rest");
    assert!(report.how.contains("producer is gone"), "{report:?}");
    assert!(report.how.contains("/tmp/in/a.sock"), "{report:?}");
    let producer = container(&shared, "again").unwrap();
    producer.done("open overflow=block");
    producer.done("stop");
    producer.leave();
    check_clean(&shared);
}

/// Locks know no namespaces.
#[test]
fn a_container_has_one_producer_for_all() {
    let outside = tempfile::tempdir().unwrap();
    let shared = outside.path().join("shared");
    std::fs::create_dir(&shared).unwrap();
    let Some(producer) = container(&shared, "one") else {
        return;
    };
    producer.done("open");
    let other = container(&shared, "two").unwrap();
    let text = other.ask("open");
    assert!(text.contains("has a producer already"), "{text}");
    producer.leave();
    other.done("open");
    other.leave();
    check_clean(&shared);
}
