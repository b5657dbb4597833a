// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Opens whatever the property `location` names.

use std::fs::File;
use std::io::{Cursor, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::images::{Images, Range};
use super::input::{Canceller, Input};
use super::layout::{Layout, unreadable};
use super::location::{Kind, Location, MAGIC_BYTES, failed, named};
use super::stream::Stream;
use super::{Later, Opened, Opening, SourceError, Surroundings};
use crate::codec::y4m::read_up_to;
use crate::gate::{Gate, Wait};
use crate::inject::config::Declared;

/// How long a thread may take to notice that it is to end.
const STUCK: Duration = Duration::from_secs(1);

/// What the properties say about a location.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    pub declared: Declared,
    pub range: Range,
}

/// A thread that reads the header of a pipe.
pub struct Pending {
    gate: Arc<Gate>,
    opened: Receiver<Opened>,
    canceller: Canceller,
    thread: Option<JoinHandle<()>>,
}

/// Finds out what `location` is. Does not wait, not even for the writer of a FIFO; what is wrong
/// with files is said here, what is wrong with pipes by [`Later::wait`].
pub fn open(
    location: &str,
    options: Options,
    around: &Surroundings,
) -> Result<Opening, SourceError> {
    let location = Location::find(location)?;
    let (input, what) = match &location {
        Location::File(path) => {
            return open_file(path, &location, options, around).map(Opening::Ready);
        }
        Location::List(_) | Location::Numbered(_) => {
            return Images::open(&location, options.range, around).map(Opening::Ready);
        }
        Location::Stdin => (Input::stdin(), named(Path::new("-"))),
        Location::Pipe(path) => (Input::open(path), named(path)),
    };
    let path = match &location {
        Location::Pipe(path) => path.as_path(),
        _ => Path::new("-"),
    };
    let input = input.map_err(|error| failed(path, &error))?;
    if around.looping {
        return Err(SourceError::Settings {
            property: "loop",
            reason: format!("{what} is a pipe and cannot be read again; use a file"),
        });
    }
    Pending::start(input, what, options.declared, around)
        .map(|pending| Opening::Later(Later::Pipe(pending)))
}

impl Pending {
    /// Waits until the header is read, on the gate. After [`Wait::Flushing`] and
    /// [`Wait::TimedOut`] nothing is lost, and this can be called again.
    pub fn wait(&mut self, limit: Option<Duration>) -> Wait<Opened> {
        let opened = self.gate.wait(limit, || match self.opened.try_recv() {
            Ok(opened) => Some(opened),
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => Some(Err(SourceError::Internal(
                "the thread that opens a pipe ended without a word".into(),
            ))),
        });
        if let Wait::Ready(_) = opened
            && let Some(thread) = self.thread.take()
        {
            // Done with its work: dropping `self` must not call off the source's reads.
            let _ = thread.join();
        }
        opened
    }
}

impl Pending {
    fn start(
        input: Input,
        what: String,
        declared: Declared,
        around: &Surroundings,
    ) -> Result<Self, SourceError> {
        let canceller = input.canceller();
        let (sender, opened) = channel();
        let gate = around.gate.clone();
        let around = around.clone();
        let work = move || {
            let opened = open_pipe(input, what, declared, &around);
            // Nobody may be waiting any more.
            let _ = sender.send(opened);
            around.gate.wake();
        };
        let thread = thread::Builder::new()
            .name("open".into())
            .spawn(work)
            .map_err(|error| SourceError::Internal(format!("cannot start a thread: {error}")))?;
        Ok(Self {
            gate,
            opened,
            canceller,
            thread: Some(thread),
        })
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        let Some(thread) = self.thread.take() else {
            return;
        };
        if !thread.is_finished() {
            self.canceller.cancel();
            let stuck = std::sync::mpsc::RecvTimeoutError::Timeout;
            if self.opened.recv_timeout(STUCK).err() == Some(stuck) {
                gst::warning!(gst::CAT_RUST, "a reading thread is stuck, left to itself");
                return;
            }
        }
        // It has nothing left to do but to end; its panic would have been reported as an error.
        let _ = thread.join();
    }
}

fn open_file(path: &Path, location: &Location, options: Options, around: &Surroundings) -> Opened {
    let what = named(path);
    let mut file = File::open(path).map_err(|error| failed(path, &error))?;
    let kind = match Kind::of_path(path) {
        Some(kind) => kind,
        None => {
            let mut start = [0; MAGIC_BYTES];
            let got = read_up_to(&mut file, &mut start).map_err(|e| unreadable(&what, &e))?;
            Kind::of_bytes(&start[..got])
        }
    };
    if kind == Kind::Picture {
        return Images::open(location, options.range, around);
    }
    if file.metadata().is_ok_and(|found| found.len() == 0) {
        return Err(empty(&what, "the file is empty (0 bytes)"));
    }
    let mut read = || {
        file.seek(SeekFrom::Start(0))
            .map_err(|error| unreadable(&what, &error))?;
        let layout = Layout::read(kind, &what, options.declared, &mut file)?;
        let start = file
            .stream_position()
            .map_err(|error| unreadable(&what, &error))?;
        Ok::<_, SourceError>((layout, start))
    };
    let (layout, start) = read()?;
    Ok(Box::new(Stream::of_file(
        what, layout, file, start, around,
    )?))
}

fn open_pipe(mut input: Input, what: String, declared: Declared, around: &Surroundings) -> Opened {
    let canceller = input.canceller();
    let mut start = [0; MAGIC_BYTES];
    let got = read_up_to(&mut input, &mut start).map_err(|error| unreadable(&what, &error))?;
    if got == 0 {
        return Err(empty(&what, "it ended before the first byte"));
    }
    let kind = Kind::of_bytes(&start[..got]);
    let mut input = Cursor::new(start).take(got as u64).chain(input);
    if kind == Kind::Picture {
        return Err(SourceError::BadStream {
            what,
            reason: "pictures cannot be read from a pipe; name their files, or send yuv4mpegpipe"
                .into(),
        });
    }
    let layout = Layout::read(kind, &what, declared, &mut input)?;
    let stream = Stream::of_pipe(what, layout, Box::new(input), canceller, around)?;
    Ok(Box::new(stream))
}

fn empty(what: &str, reason: &str) -> SourceError {
    SourceError::BadStream {
        what: what.into(),
        reason: reason.into(),
    }
}
