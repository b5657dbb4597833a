// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What the tests of the sources share.

use std::path::Path;
use std::sync::{Arc, Mutex};

use gst_video::{VideoFormat, VideoInfo};

use super::file::{Options, open};
use super::{Next, Opening, Picture, Report, Source, SourceError, Surroundings, Target};
use crate::codec::{EncodeSettings, Encoding, PictureEncoder};
use crate::frame::{Frame, HostPool, View, ViewMut};
use crate::gate::{Gate, Wait};

#[derive(Default)]
pub struct Said(Mutex<Vec<String>>);

impl Said {
    pub fn all(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

impl Report for Said {
    fn warn(&self, error: SourceError) {
        self.0.lock().unwrap().push(error.to_string());
    }

    fn forward(&self, _message: gst::Message) {}
}

/// Frames that are read ahead.
pub const PREFETCH: u32 = 4;

pub fn around(looping: bool) -> (Surroundings, Arc<Said>) {
    gst::init().unwrap();
    let said = Arc::new(Said::default());
    let around = Surroundings {
        gate: Arc::new(Gate::default()),
        report: said.clone(),
        prefetch: PREFETCH as usize,
        looping,
        card: None,
    };
    (around, said)
}

pub fn info(format: VideoFormat, width: u32, height: u32) -> VideoInfo {
    gst::init().unwrap();
    VideoInfo::builder(format, width, height)
        .fps((30, 1))
        .build()
        .unwrap()
}

pub fn target(info: VideoInfo) -> Target {
    Target {
        info,
        add_borders: false,
        card: None,
    }
}

/// Opens and waits for the header; for what comes without waiting.
pub fn open_now(
    location: &Path,
    options: Options,
    looping: bool,
) -> Result<Box<dyn Source>, SourceError> {
    let (around, _) = around(looping);
    open_in(location, options, &around)
}

pub fn open_in(
    location: &Path,
    options: Options,
    around: &Surroundings,
) -> Result<Box<dyn Source>, SourceError> {
    match open(location.to_str().unwrap(), options, around)? {
        Opening::Ready(source) => Ok(source),
        Opening::Later(mut later) => match later.wait(None) {
            Wait::Ready(Some(opened)) => opened,
            _ => panic!("neither flushing nor a limit"),
        },
    }
}

/// The error of a source that must not open.
pub fn open_error(location: &Path, options: Options) -> String {
    match open_now(location, options, false) {
        Ok(_) => panic!("{} opened", location.display()),
        Err(error) => error.to_string(),
    }
}

/// The next frame; `None` at the end.
pub fn next(source: &mut dyn Source) -> Result<Option<Frame>, SourceError> {
    match source.next(None)? {
        Next::Frame(fetched) => match fetched.picture {
            Picture::Ready(frame) => Ok(Some(frame)),
            Picture::Paint(..) | Picture::PaintOnCard(..) => panic!("nothing is painted here"),
            Picture::Card(..) => panic!("nothing is on a card here"),
        },
        Next::End => Ok(None),
        Next::Flushing | Next::TimedOut | Next::Changed => panic!("none was asked for"),
    }
}

/// The pixels of a frame, without padding.
pub fn pixels(frame: &Frame) -> Vec<u8> {
    let mapped = frame.map().unwrap();
    let mut out = Vec::new();
    View::of_frame(&mapped).unwrap().append_tight(&mut out);
    out
}

/// All frames that are left, as pixels, and how it ended.
pub fn rest(source: &mut dyn Source) -> (Vec<Vec<u8>>, Option<String>) {
    let mut all = Vec::new();
    loop {
        match next(source) {
            Ok(Some(frame)) => all.push(pixels(&frame)),
            Ok(None) => return (all, None),
            Err(error) => return (all, Some(error.to_string())),
        }
    }
}

/// A picture file, every pixel alike.
pub fn write_picture(path: &Path, format: VideoFormat, size: (u32, u32), pixel: &[u8]) {
    let pool = HostPool::new(&info(format, size.0, size.1)).unwrap();
    let mut frame = pool.acquire().unwrap();
    let mut view = ViewMut::of_frame(&mut frame).unwrap();
    for y in 0..size.1 as usize {
        for p in view.row_mut(0, y).chunks_exact_mut(pixel.len()) {
            p.copy_from_slice(pixel);
        }
    }
    let settings = EncodeSettings {
        encoding: Encoding::from_suffix(path).unwrap_or(Encoding::Png),
        quality: 100,
        ..Default::default()
    };
    let mut out = Vec::new();
    PictureEncoder::new()
        .encode(&frame.into(), &settings, &mut out)
        .unwrap();
    std::fs::write(path, out).unwrap();
}
