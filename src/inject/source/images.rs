// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Pictures from JPEG and PNG files, one after another.

use std::fs::File;
use std::io::{Cursor, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use gst_video::{VideoFormat, VideoInfo};

use super::ahead::{self, Outcome};
use super::fit::{Fitter, Wanted, Wish};
use super::location::{Kind, Location, failed, named};
use super::{Facts, Next, Rate, Source, SourceError, Surroundings, Target};
use crate::codec::{CodecError, JpegDecoder, png};
use crate::frame::{Plane, View, ViewMut, view};
use crate::inject::prefetch::{Prefetch, Work};

/// Pictures have no rate of their own.
const RATE: (i32, i32) = (30, 1);
/// Bad pictures at the start that are looked past for the size of a good one.
const LOOK_PAST: usize = 100;

/// Which pictures of a sequence are wanted: their numbers in a printf pattern, else their places
/// in the list.
#[derive(Debug, Clone, Copy, Default)]
pub struct Range {
    pub start: u64,
    /// The last one; `None` for no limit.
    pub stop: Option<u64>,
}

/// A sequence of pictures, decoded ahead and in parallel.
pub struct Images {
    facts: Facts,
    files: Arc<[PathBuf]>,
    around: Surroundings,
    wish: Wish,
    /// Where the threads start.
    start: usize,
    threads: Option<Prefetch<usize, Outcome>>,
    /// Bad pictures since the last good one.
    bad: usize,
    /// The only picture of a loop, and what it was made for.
    still: Option<(Arc<Wanted>, crate::frame::Frame)>,
}

impl Images {
    /// `location` is a file, a list or a pattern; see [`open`](super::file::open) for the rest.
    pub fn open(
        location: &Location,
        range: Range,
        around: &Surroundings,
    ) -> Result<Box<dyn Source>, SourceError> {
        let files = files(location, range, around)?;
        let (width, height) = first_size(&files)?;
        let native = VideoInfo::builder(VideoFormat::Rgb, width, height)
            .fps(RATE)
            .build()
            .map_err(|_| bad(&files[0], "the picture is too large"))?;
        Ok(Box::new(Self {
            facts: Facts {
                native: Some(native),
                rate: Rate::Free(RATE.into()),
                frames: Some(files.len() as u64),
                duration: None,
                seekable: true,
                own_timestamps: false,
                live: false,
            },
            files: files.into(),
            around: around.clone(),
            wish: Wish::default(),
            start: 0,
            threads: None,
            bad: 0,
            still: None,
        }))
    }

    fn is_still(&self) -> bool {
        self.around.looping && self.files.len() == 1
    }

    fn threads(&mut self) -> Result<&Prefetch<usize, Outcome>, SourceError> {
        if self.threads.is_none() {
            let (mut next, end) = (self.start, self.files.len());
            let again = self.around.looping && !self.is_still();
            let feed = Box::new(move || {
                if next >= end && again {
                    next = 0;
                }
                next += 1;
                (next <= end).then(|| next - 1)
            });
            let worker = || Loader::new(self.files.clone(), self.wish.clone());
            let cancel = Box::new(|| ());
            self.threads = Some(ahead::spawn("images", &self.around, feed, worker, cancel)?);
        }
        self.threads
            .as_ref()
            .ok_or_else(|| SourceError::Internal("no threads".into()))
    }

    /// The one picture of a loop is decoded once for each format.
    fn next_still(&mut self, limit: Option<Duration>) -> Result<Next, SourceError> {
        let wanted = self.wish.get()?;
        if let Some((made_for, frame)) = &self.still
            && Arc::ptr_eq(made_for, &wanted)
        {
            return Ok(if self.around.gate.is_flushing() {
                Next::Flushing
            } else {
                Next::Frame(ahead::bare(frame.clone()))
            });
        }
        let next = ahead::next(self.threads()?, limit);
        if !matches!(next, Ok(Next::Flushing | Next::TimedOut)) {
            self.threads = None;
        }
        if let Ok(Next::Frame(fetched)) = &next
            && let super::Picture::Ready(frame) = &fetched.picture
        {
            self.still = Some((wanted, frame.clone()));
        }
        next
    }
}

impl Source for Images {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn set_target(&mut self, target: &Target) -> Result<(), SourceError> {
        self.wish.set(target)
    }

    fn next(&mut self, limit: Option<Duration>) -> Result<Next, SourceError> {
        let next = if self.is_still() {
            self.next_still(limit)
        } else {
            ahead::next(self.threads()?, limit)
        };
        match &next {
            Ok(Next::Frame(_)) => self.bad = 0,
            Err(error) if error.is_one_frame() => {
                self.bad += 1;
                // Skipped for ever, a loop of bad pictures would never end.
                if self.around.looping && self.bad > self.files.len() {
                    return Err(SourceError::BadStream {
                        what: named(&self.files[0]),
                        reason: format!(
                            "not one of {} pictures can be decoded; the last one failed because: \
                             {error}",
                            self.files.len()
                        ),
                    });
                }
            }
            _ => (),
        }
        next
    }

    fn file(&self, number: u64) -> Option<&Path> {
        let place = usize::try_from(number).ok()?;
        self.files.get(place).map(PathBuf::as_path)
    }

    fn seek(&mut self, frame: u64, _time: gst::ClockTime) -> Result<(), SourceError> {
        let count = self.files.len();
        let frame = usize::try_from(frame).unwrap_or(usize::MAX);
        self.threads = None;
        self.start = if self.around.looping {
            frame % count
        } else {
            frame.min(count)
        };
        Ok(())
    }
}

fn files(
    location: &Location,
    range: Range,
    around: &Surroundings,
) -> Result<Vec<PathBuf>, SourceError> {
    let Range { start, stop } = range;
    if let Some(stop) = stop.filter(|stop| *stop < start) {
        return Err(SourceError::Settings {
            property: "stop-index",
            reason: format!("{stop} is less than start-index, which is {start}"),
        });
    }
    let list = match location {
        Location::List(files) => files.clone(),
        Location::File(file) => vec![file.clone()],
        Location::Numbered(pattern) => {
            let (files, after) = pattern.files(start, stop);
            let missing = pattern.path(start.saturating_add(files.len() as u64));
            let after = after.map(|after| after.display().to_string());
            let what = named(Path::new(pattern.text()));
            if files.is_empty() {
                let found = after.map_or(String::new(), |after| format!(", although {after} is"));
                return Err(SourceError::NotFound {
                    what,
                    reason: format!(
                        "the first file, {}, is not there{found}; set start-index to the number \
                         of the first one",
                        missing.display()
                    ),
                });
            }
            if let Some(after) = after {
                around.report.warn(SourceError::NotFound {
                    what,
                    reason: format!(
                        "the sequence ends after {} files because {} is missing, although {after} \
                         is there; a glob goes over gaps",
                        files.len(),
                        missing.display()
                    ),
                });
            }
            return Ok(files);
        }
        Location::Stdin | Location::Pipe(_) => {
            return Err(SourceError::Internal(
                "pictures of a pipe are read as a stream".into(),
            ));
        }
    };
    let count = list.len() as u64;
    if start >= count {
        return Err(SourceError::Settings {
            property: "start-index",
            reason: format!("{start} is beyond the last of {count} pictures (the first is 0)"),
        });
    }
    let end = stop.map_or(count, |stop| stop.saturating_add(1).min(count));
    Ok(list[start as usize..end as usize].to_vec())
}

/// Of the first picture that can be read: whether a bad one before it matters is for the property
/// `on-error` to say, when its turn comes.
fn first_size(files: &[PathBuf]) -> Result<(u32, u32), SourceError> {
    let (mut decoder, mut bytes) = (JpegDecoder::new(), Vec::new());
    let mut first_error = None;
    for file in files.iter().take(LOOK_PAST) {
        let size = read(file, &mut bytes).and_then(|()| size(&mut decoder, file, &bytes));
        match size {
            Ok(size) => return Ok(size),
            Err(error) if !error.is_one_frame() => return Err(error),
            Err(error) => drop(first_error.get_or_insert(error)),
        }
    }
    Err(first_error.unwrap_or_else(|| SourceError::Internal("no pictures".into())))
}

fn size(decoder: &mut JpegDecoder, file: &Path, bytes: &[u8]) -> Result<(u32, u32), SourceError> {
    let size = match encoding(file, bytes)? {
        Encoded::Jpeg => {
            let header = decoder.header(bytes).map_err(|e| undecoded(file, e))?;
            (header.width as u32, header.height as u32)
        }
        Encoded::Png => {
            let mut decoder = ::png::Decoder::new(Cursor::new(bytes));
            let header = decoder.read_header_info();
            let header = header.map_err(|e| undecoded(file, e.into()))?;
            (header.width, header.height)
        }
    };
    Ok(size)
}

#[derive(Clone, Copy)]
enum Encoded {
    Jpeg,
    Png,
}

/// By its content: a wrong suffix is no reason to refuse a good picture.
fn encoding(file: &Path, bytes: &[u8]) -> Result<Encoded, SourceError> {
    if bytes.is_empty() {
        return Err(bad(file, "the file is empty (0 bytes)"));
    }
    match Kind::of_bytes(bytes) {
        Kind::Picture if bytes[0] == 0xff => Ok(Encoded::Jpeg),
        Kind::Picture => Ok(Encoded::Png),
        _ => Err(bad(file, "this is neither a JPEG nor a PNG file")),
    }
}

fn bad(file: &Path, reason: impl ToString) -> SourceError {
    SourceError::BadFrame {
        what: named(file),
        reason: reason.to_string(),
    }
}

fn undecoded(file: &Path, error: CodecError) -> SourceError {
    match error {
        CodecError::Pool(error) => error.into(),
        error => bad(file, error),
    }
}

/// Replaces `bytes` by the file.
fn read(file: &Path, bytes: &mut Vec<u8>) -> Result<(), SourceError> {
    bytes.clear();
    let mut opened = File::open(file).map_err(|error| failed(file, &error))?;
    opened
        .read_to_end(bytes)
        .map(drop)
        .map_err(|error| SourceError::Read {
            what: named(file),
            reason: error.to_string(),
        })
}

/// Reads and decodes one file after the other: one for each thread.
struct Loader {
    files: Arc<[PathBuf]>,
    wish: Wish,
    pictures: Pictures,
    bytes: Vec<u8>,
}

impl Loader {
    fn new(files: Arc<[PathBuf]>, wish: Wish) -> Result<Self, SourceError> {
        Ok(Self {
            files,
            wish,
            pictures: Pictures::default(),
            bytes: Vec::new(),
        })
    }
}

impl Work<usize, Outcome> for Loader {
    fn work(&mut self, place: usize) -> Outcome {
        let file = &self.files[place];
        read(file, &mut self.bytes)?;
        let wanted = self.wish.get()?;
        self.pictures.decode(file, &self.bytes, &wanted)
    }
}

/// Decodes encoded pictures into frames of a target.
#[derive(Default)]
struct Pictures {
    jpeg: JpegDecoder,
    pixels: Vec<u8>,
    fitter: Fitter,
}

impl Pictures {
    fn decode(&mut self, file: &Path, bytes: &[u8], wanted: &Wanted) -> Outcome {
        match encoding(file, bytes)? {
            Encoded::Jpeg => self.decode_jpeg(file, bytes, wanted),
            Encoded::Png => self.decode_png(file, bytes, wanted),
        }
    }

    fn decode_jpeg(&mut self, file: &Path, bytes: &[u8], wanted: &Wanted) -> Outcome {
        let header = self.jpeg.header(bytes).map_err(|e| undecoded(file, e))?;
        let to = wanted.target.info.format();
        // The decoder does every order of RGB and gray by itself; the rest is converted.
        let format = match to {
            VideoFormat::Rgb | VideoFormat::Bgr | VideoFormat::Gray8 => to,
            VideoFormat::Rgba | VideoFormat::Bgra | VideoFormat::Rgbx | VideoFormat::Bgrx => to,
            _ if header.gray => VideoFormat::Gray8,
            _ => VideoFormat::Rgb,
        };
        let native = native(file, format, header.width, header.height)?;
        let jpeg = &mut self.jpeg;
        self.fitter.make(wanted, &native, |frame| {
            let mut view = ViewMut::of_frame(frame).map_err(|e| undecoded(file, e.into()))?;
            jpeg.decode(bytes, &mut view)
                .map_err(|e| undecoded(file, e))
        })
    }

    fn decode_png(&mut self, file: &Path, bytes: &[u8], wanted: &Wanted) -> Outcome {
        let pixels = &mut self.pixels;
        let picture = png::decode(bytes, pixels).map_err(|e| undecoded(file, e))?;
        let (width, height) = (picture.width, picture.height);
        let native = native(file, picture.format, width, height)?;
        let pitch = pixels.len() / height.max(1);
        let decoded = View::new(
            picture.format,
            width,
            height,
            vec![Plane {
                data: pixels,
                pitch,
            }],
        )
        .map_err(|e| undecoded(file, e.into()))?;
        self.fitter.make(wanted, &native, |frame| {
            let mut to = ViewMut::of_frame(frame).map_err(|e| undecoded(file, e.into()))?;
            view::copy(&decoded, &mut to);
            Ok(())
        })
    }
}

fn native(
    file: &Path,
    format: VideoFormat,
    width: usize,
    height: usize,
) -> Result<VideoInfo, SourceError> {
    VideoInfo::builder(format, width as u32, height as u32)
        .build()
        .map_err(|_| bad(file, "the picture is too large"))
}

#[cfg(test)]
#[path = "images_tests.rs"]
mod tests;
