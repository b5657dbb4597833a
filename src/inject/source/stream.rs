// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Frames out of one long file or pipe: YUV4MPEG2, raw, or a NumPy array.

use std::fs::File;
use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

use gst_video::VideoInfo;

use super::ahead::{self, Outcome};
use super::fit::{Fitter, Scratch, Wish};
use super::index::{Index, RAW_HINT, no_marker, torn};
use super::input::{Canceller, was_cancelled};
use super::layout::{At, Framing, Layout, unreadable};
use super::{Facts, Next, Source, SourceError, Surroundings, Target};
use crate::codec::y4m::{MARKER, Marker, read_marker};
use crate::frame::Frame;
use crate::inject::prefetch::{Feed, Prefetch, Work};

enum Job {
    /// A frame of the file, to be read.
    At(u64),
    /// A frame that came out of a pipe.
    Here(Frame),
    Failed(SourceError),
}

/// A stream, read ahead.
pub struct Stream {
    facts: Facts,
    what: Arc<str>,
    layout: Arc<Layout>,
    origin: Origin,
    around: Surroundings,
    wish: Wish,
    /// Where the threads start, in a file.
    start: u64,
    threads: Option<Prefetch<Job, Outcome>>,
}

enum Origin {
    File(Arc<File>, Arc<Index>),
    /// Until the threads have it.
    Pipe(Option<(Box<dyn Read + Send>, Canceller)>),
}

impl Stream {
    /// `start` is where the frames of the file begin, after a header that was read already.
    pub fn of_file(
        what: String,
        layout: Layout,
        file: File,
        start: u64,
        around: &Surroundings,
    ) -> Result<Self, SourceError> {
        let size = file.metadata().map_err(|e| unreadable(&what, &e))?.len();
        let index = Index::new(&layout, &what, &file, start, size)
            .map_err(|error| unreadable(&what, &error))?;
        if let Some(promised) = layout.promised {
            let end = promised.saturating_mul(layout.frame_bytes as u64);
            let extra = size.saturating_sub(start.saturating_add(end));
            if extra > 0 {
                around.report.warn(SourceError::BadStream {
                    what: what.clone(),
                    reason: format!(
                        "{extra} bytes follow the {promised} frames of the header and are left out"
                    ),
                });
            }
        }
        let origin = Origin::File(file.into(), index.into());
        Ok(Self::new(what, layout, origin, around))
    }

    /// `from` is at the first frame; `canceller` ends its reads.
    pub fn of_pipe(
        what: String,
        layout: Layout,
        from: Box<dyn Read + Send>,
        canceller: Canceller,
        around: &Surroundings,
    ) -> Result<Self, SourceError> {
        if around.looping {
            return Err(SourceError::Settings {
                property: "loop",
                reason: format!("{what} is a pipe and cannot be read again; use a file"),
            });
        }
        let origin = Origin::Pipe(Some((from, canceller)));
        Ok(Self::new(what, layout, origin, around))
    }

    fn new(what: String, layout: Layout, origin: Origin, around: &Surroundings) -> Self {
        let (frames, seekable) = match &origin {
            Origin::File(_, index) => (Some(index.frames), true),
            Origin::Pipe(_) => (layout.promised, false),
        };
        Self {
            facts: Facts {
                native: Some(layout.native.clone()),
                rate: layout.rate,
                frames,
                duration: None,
                seekable,
                own_timestamps: false,
                live: false,
            },
            what: what.into(),
            layout: layout.into(),
            origin,
            around: around.clone(),
            wish: Wish::default(),
            start: 0,
            threads: None,
        }
    }

    fn threads(&mut self) -> Result<&Prefetch<Job, Outcome>, SourceError> {
        if self.threads.is_none() {
            let reader = Reader {
                what: self.what.clone(),
                layout: self.layout.clone(),
                wish: self.wish.clone(),
                file: None,
                fitter: Fitter::default(),
                bytes: Vec::new(),
            };
            let mut from_file = None;
            let (feed, cancel): (Feed<Job>, Box<dyn Fn() + Send>) = match &mut self.origin {
                Origin::File(file, index) => {
                    from_file = Some((file.clone(), index.clone()));
                    let feed = numbers(index.clone(), self.start, self.around.looping);
                    (feed, Box::new(|| ()))
                }
                Origin::Pipe(pipe) => {
                    let (from, canceller) = pipe
                        .take()
                        .ok_or_else(|| SourceError::Internal("a pipe was read twice".into()))?;
                    let mut pipe = Pipe {
                        from,
                        reader: reader.clone(),
                        scratch: Scratch::default(),
                        number: 0,
                        ended: false,
                    };
                    let feed = Box::new(move || pipe.next_job());
                    (feed, Box::new(move || canceller.cancel()))
                }
            };
            let worker = || {
                Ok(Reader {
                    file: from_file.clone(),
                    ..reader.clone()
                })
            };
            let threads = ahead::spawn("stream", &self.around, feed, worker, cancel)?;
            self.threads = Some(threads);
        }
        self.threads
            .as_ref()
            .ok_or_else(|| SourceError::Internal("no threads".into()))
    }
}

impl Source for Stream {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn set_target(&mut self, target: &Target) -> Result<(), SourceError> {
        self.wish.set(target)
    }

    fn next(&mut self, limit: Option<Duration>) -> Result<Next, SourceError> {
        ahead::next(self.threads()?, limit)
    }

    fn seek(&mut self, frame: u64, _time: gst::ClockTime) -> Result<(), SourceError> {
        let Origin::File(_, index) = &self.origin else {
            return Err(SourceError::Internal("a pipe cannot seek".into()));
        };
        self.start = match index.frames {
            frames if self.around.looping && frames > 0 => frame % frames,
            frames => frame.min(frames),
        };
        self.threads = None;
        Ok(())
    }
}

/// The frames of a file by number, and at the end what is wrong with it.
fn numbers(index: Arc<Index>, start: u64, looping: bool) -> Feed<Job> {
    let (mut next, mut ended) = (start, false);
    Box::new(move || {
        if ended {
            return None;
        }
        if next >= index.frames {
            if let Some(error) = &index.tail {
                ended = true;
                return Some(Job::Failed(error.clone()));
            }
            if !looping || index.frames == 0 {
                return None;
            }
            next = 0;
        }
        next += 1;
        Some(Job::At(next - 1))
    })
}

/// Reads and converts frames: one for each thread.
struct Reader {
    what: Arc<str>,
    layout: Arc<Layout>,
    wish: Wish,
    file: Option<(Arc<File>, Arc<Index>)>,
    fitter: Fitter,
    bytes: Vec<u8>,
}

impl Clone for Reader {
    fn clone(&self) -> Self {
        Self {
            what: self.what.clone(),
            layout: self.layout.clone(),
            wish: self.wish.clone(),
            file: self.file.clone(),
            fitter: Fitter::default(),
            bytes: Vec::new(),
        }
    }
}

impl Reader {
    fn bad(&self, reason: String) -> SourceError {
        SourceError::BadStream {
            what: self.what.to_string(),
            reason,
        }
    }

    fn read_at(&mut self, frame: u64) -> Outcome {
        let (file, index) = self
            .file
            .clone()
            .ok_or_else(|| SourceError::Internal("a place in a pipe".into()))?;
        let (layout, what) = (self.layout.clone(), self.what.clone());
        let offset = index.place(frame);
        if index.is_unread(&layout) {
            let plain = MARKER.len() as u64;
            let mut from = At {
                file: &file,
                offset: offset - plain,
            };
            let marker = read_marker(&mut from).map_err(|e| unreadable(&what, &e))?;
            if marker != Marker::Frame(plain) {
                return Err(no_marker(&what, frame));
            }
        }
        let wanted = self.wish.get()?;
        let mut from = At {
            file: &file,
            offset,
        };
        let (want, bytes) = (layout.frame_bytes, &mut self.bytes);
        self.fitter.make(&wanted, &layout.native, |to| {
            let got = layout
                .read_frame(&mut from, to, bytes)
                .map_err(|error| unreadable(&what, &error))?;
            if got < want {
                return Err(SourceError::BadStream {
                    what: what.to_string(),
                    reason: torn(frame, got as u64, want as u64) + "; the file became shorter",
                });
            }
            Ok(())
        })
    }
}

impl Work<Job, Outcome> for Reader {
    fn work(&mut self, job: Job) -> Outcome {
        match job {
            Job::At(frame) => self.read_at(frame),
            Job::Here(frame) => {
                let wanted = self.wish.get()?;
                self.fitter.fit(&wanted, frame)
            }
            Job::Failed(error) => Err(error),
        }
    }
}

/// Reads a pipe frame by frame.
struct Pipe {
    from: Box<dyn Read + Send>,
    reader: Reader,
    scratch: Scratch,
    number: u64,
    ended: bool,
}

impl Pipe {
    fn next_job(&mut self) -> Option<Job> {
        if self.ended {
            return None;
        }
        match self.read() {
            Ok(Some(frame)) => {
                self.number += 1;
                Some(Job::Here(frame))
            }
            Ok(None) => {
                self.ended = true;
                None
            }
            Err(error) => {
                self.ended = true;
                Some(Job::Failed(error))
            }
        }
    }

    fn read(&mut self) -> Result<Option<Frame>, SourceError> {
        let layout = self.reader.layout.clone();
        if layout.promised.is_some_and(|n| self.number >= n) {
            return Ok(None);
        }
        let what = self.reader.what.clone();
        let failed = |error| {
            if was_cancelled(&error) {
                return SourceError::Internal(error.to_string());
            }
            unreadable(&what, &error)
        };
        if layout.framing == Framing::Marked {
            match read_marker(&mut *self.from).map_err(failed)? {
                Marker::Frame(_) => (),
                Marker::End => return Ok(None),
                Marker::Missing => return Err(no_marker(&what, self.number)),
            }
        }
        let wanted = self.reader.wish.get()?;
        let native: &VideoInfo = &layout.native;
        // Straight into what is pushed, where nothing is to be converted.
        let mut frame = if wanted.is_native(native) {
            wanted.pool.acquire()?
        } else {
            self.scratch.acquire(&wanted, native)?
        };
        let got = layout
            .read_frame(&mut *self.from, &mut frame, &mut self.reader.bytes)
            .map_err(failed)?;
        if got == layout.frame_bytes {
            return Ok(Some(frame.into()));
        }
        let torn = torn(self.number, got as u64, layout.frame_bytes as u64);
        Err(match layout.promised {
            Some(n) => self
                .reader
                .bad(format!("the header promises {n} frames, but {torn}")),
            None if layout.framing == Framing::Marked => self.reader.bad(torn),
            None if got == 0 => return Ok(None),
            None => self.reader.bad(torn + RAW_HINT),
        })
    }
}

#[cfg(test)]
#[path = "stream_tests.rs"]
mod tests;
