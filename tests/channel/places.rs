// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Where a socket may be, whose it is, and who gets in.

use std::fs::{self, Permissions};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use gst::prelude::*;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketType};

use crate::common;
use crate::kit::{Line, counts};
use crate::peers::{self, Peer, check_clean};

fn unix(path: &Path) -> String {
    format!("unix:{}", path.display())
}

/// What a producer says that cannot start.
#[track_caller]
fn refused(path: &Path) -> String {
    let channel = unix(path);
    let producer = Line::at(&channel).stopped(&[]);
    producer.pad.set_active(true).unwrap();
    assert!(producer.element.set_state(gst::State::Playing).is_err());
    let errors = producer.messages().errors();
    assert_eq!(errors.len(), 1, "{errors:?}");
    let text = errors[0].1.clone();
    assert!(text.contains(&channel), "the channel is not named: {text}");
    text
}

/// What a reader says that can never start.
#[track_caller]
fn unreadable(path: &Path) -> String {
    let channel = unix(path);
    let reader = Line::at(&channel).reader("");
    let bus = reader.pipeline.bus().unwrap();
    let _ = reader.pipeline.set_state(gst::State::Playing);
    let errors = common::wait_for_end(&bus).errors();
    let text = errors[0].1.clone();
    assert!(text.contains(&channel), "the channel is not named: {text}");
    text
}

/// One goes through.
#[track_caller]
fn passes(path: &Path) {
    let line = Line::at(&unix(path));
    let producer = line.producer(&[("overflow", "block")]);
    let reader = line.reader("").play();
    producer.push_all(0..3);
    assert_eq!(reader.take(3), [0, 1, 2]);
    producer.end();
}

#[test]
fn paths_that_cannot_be() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let text = refused(&at("none/a.sock"));
    assert!(text.contains("no directory"), "{text}");
    let long = at(&"x".repeat(108 - folder.path().as_os_str().len() - 1));
    let text = refused(&long);
    assert!(text.contains("107 bytes"), "{text}");
    let text = unreadable(&long);
    assert!(text.contains("107 bytes"), "{text}");
    let longest = at(&"x".repeat(107 - folder.path().as_os_str().len() - 1));
    passes(&longest);
    check_clean(folder.path());
}

/// They are what they were.
#[test]
fn what_is_no_socket_is_not_touched() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::create_dir(at("folder")).unwrap();
    fs::write(at("folder/file"), "kept").unwrap();
    fs::write(at("file"), "kept").unwrap();
    std::os::unix::fs::symlink("nowhere", at("link")).unwrap();
    std::os::unix::fs::symlink("file", at("link-to-file")).unwrap();
    for name in ["folder", "file", "link", "link-to-file"] {
        let text = refused(&at(name));
        assert!(text.contains("is no socket"), "{text}");
    }
    let text = unreadable(&at("file"));
    assert!(text.contains("is no socket"), "{text}");
    // Somebody else's, which is listened on, and in which other things are said.
    let foreign = UnixListener::bind(at("foreign")).unwrap();
    let inode = fs::metadata(at("foreign")).unwrap().ino();
    let text = refused(&at("foreign"));
    assert!(text.contains("another program"), "{text}");
    let text = unreadable(&at("foreign"));
    assert!(text.contains("another program"), "{text}");
    assert_eq!(fs::metadata(at("foreign")).unwrap().ino(), inode);
    drop(foreign);
    assert_eq!(fs::read(at("file")).unwrap(), b"kept");
    assert_eq!(fs::read(at("folder/file")).unwrap(), b"kept");
    assert_eq!(fs::read_link(at("link")).unwrap(), Path::new("nowhere"));
    let left = ["file", "folder/file", "foreign", "link", "link-to-file"];
    assert_eq!(common::files(folder.path()), left);
}

#[test]
fn what_the_dead_left_is_taken_over() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.sock");
    let socket = rustix::net::socket(AddressFamily::UNIX, SocketType::SEQPACKET, None).unwrap();
    rustix::net::bind(&socket, &SocketAddrUnix::new(&path).unwrap()).unwrap();
    drop(socket);
    fs::write(folder.path().join("a.sock.lock"), "").unwrap();
    passes(&path);
    check_clean(folder.path());
    // Of one that was killed.
    let producer = Peer::producer(&unix(&path), "");
    producer.kill();
    assert_eq!(common::files(folder.path()), ["a.sock", "a.sock.lock"]);
    passes(&path);
    check_clean(folder.path());
}

#[test]
fn a_second_producer_in_another_process_is_refused() {
    let line = Line::unix();
    let producer = line.producer(&[("overflow", "block")]);
    let reader = line.reader("").play();
    let other = Peer::start(&line.channel);
    for _ in 0..3 {
        let text = other.ask("open");
        assert!(text.contains("has a producer already"), "{text}");
        assert!(text.contains(&line.channel), "{text}");
    }
    producer.push_all(0..5);
    assert_eq!(reader.take(5), [0, 1, 2, 3, 4]);
    producer.end();
    other.done("open");
    other.leave();
    check_clean(line.folder());
}

fn mode(path: &Path) -> u32 {
    let found = fs::metadata(path).unwrap();
    assert!(found.file_type().is_socket());
    found.permissions().mode() & 0o7777
}

/// Whatever the process takes away from the files that it makes.
#[test]
fn the_mode_is_what_channel_access_says() {
    let line = Line::unix();
    let path = line.folder().join("a.sock");
    for mask in ["000", "022", "777"] {
        for (access, want) in [
            ("", 0o600),
            ("channel-access=user", 0o600),
            ("channel-access=group", 0o660),
            ("channel-access=all", 0o666),
        ] {
            let this = peers::command(&line.channel);
            let mut command = Command::new("sh");
            command.args(["-c", "umask $0; exec \"$@\"", mask]);
            command.arg(this.get_program()).args(this.get_args());
            command.envs(
                this.get_envs()
                    .filter_map(|(name, value)| Some((name, value?))),
            );
            let producer = Peer::of(command).unwrap();
            producer.done(&format!("open {access}"));
            assert_eq!(mode(&path), want, "{access}, umask {mask}");
            producer.leave();
        }
    }
    check_clean(line.folder());
}

#[test]
fn relative_paths_are_of_the_process_that_was_told() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("sub")).unwrap();
    for (path, reads) in [("a.sock", "../a.sock"), ("./sub/a.sock", "a.sock")] {
        let mut command = peers::command(&format!("unix:{path}"));
        command.current_dir(folder.path());
        let producer = Peer::of(command).unwrap();
        let mut command = peers::command(&format!("unix:{reads}"));
        command.current_dir(folder.path().join("sub"));
        let reader = Peer::of(command).unwrap();
        reader.done("read");
        reader.tell("rest");
        producer.done("open overflow=block");
        producer.done("push 0 10");
        producer.done("end");
        reader.told().expect(0..10, "eos");
        producer.leave();
        check_clean(folder.path());
    }
}

/// A process of nobody, or why there is none.
fn nobody(channel: &str) -> Option<Peer> {
    const NOBODY: u32 = 65_534;
    let mut command = peers::command(channel);
    command.uid(NOBODY).gid(NOBODY).current_dir("/");
    let skip = |why: &str| println!("skipped: no process of another user: {why}");
    if !rustix::process::geteuid().is_root() {
        skip("this one is not root's");
        return None;
    }
    // The test itself may lie where others may not look.
    let mut readable = Command::new("test");
    readable.arg("-r").arg(command.get_program());
    match readable.uid(NOBODY).gid(NOBODY).status() {
        Ok(status) if status.success() => Some(Peer::of(command).unwrap()),
        _ => {
            skip("it may not read the test");
            None
        }
    }
}

/// Of everybody, with a channel in it.
fn open_to_all() -> Line {
    let line = Line::unix();
    fs::set_permissions(line.folder(), Permissions::from_mode(0o777)).unwrap();
    line
}

#[test]
fn another_user_gets_in_if_it_may() {
    let line = open_to_all();
    let Some(reader) = nobody(&line.channel) else {
        return;
    };
    let producer = line.producer(&[("overflow", "drop-newest")]);
    reader.done("read");
    let report = reader.report("rest");
    assert!(report.how.contains("Permission denied"), "{report:?}");
    assert!(report.how.contains(&line.channel), "{report:?}");
    // Also where the mode was changed by hand.
    let path = line.folder().join("a.sock");
    fs::set_permissions(&path, Permissions::from_mode(0o666)).unwrap();
    reader.done("read");
    let report = reader.report("rest");
    assert!(report.how.contains("belongs to user 65534"), "{report:?}");
    assert!(report.how.contains("channel-access"), "{report:?}");
    producer.push_all(0..3);
    assert_eq!(counts(&producer.element).readers, 0);
    producer.end();

    let producer = line.producer(&[("overflow", "block"), ("channel-access", "all")]);
    reader.done("read");
    reader.tell("rest");
    producer.push_all(0..3);
    assert!(producer.finish().eos());
    reader.told().expect(0..3, "eos");
    producer.stop();
    check_clean(line.folder());
}

#[test]
fn a_reader_does_not_believe_any_user_either() {
    let line = open_to_all();
    let Some(producer) = nobody(&line.channel) else {
        return;
    };
    producer.done("open overflow=block");
    let path = line.folder().join("a.sock");
    assert_eq!(fs::metadata(&path).unwrap().uid(), 65_534);
    // Root gets in, but asks whose it is.
    let text = unreadable(&path);
    assert!(text.contains("belongs to user 65534"), "{text}");
    let reader = line.reader("channel-access=all").play();
    producer.done("push 0 5");
    assert_eq!(reader.take(5), [0, 1, 2, 3, 4]);
    producer.leave();
    check_clean(line.folder());
}

#[test]
fn a_folder_that_may_not_be_written_to() {
    let line = Line::unix();
    fs::set_permissions(line.folder(), Permissions::from_mode(0o555)).unwrap();
    let text = match rustix::process::geteuid().is_root() {
        false => refused(&line.folder().join("a.sock")),
        // Root may.
        true => match nobody(&line.channel) {
            Some(producer) => producer.ask("open"),
            None => return,
        },
    };
    assert!(text.contains("Permission denied"), "{text}");
    assert!(text.contains(&line.channel), "{text}");
    fs::set_permissions(line.folder(), Permissions::from_mode(0o755)).unwrap();
    check_clean(line.folder());
}
