// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! When the tests run, and pictures in files.

use std::path::{Path, PathBuf};

use gst::prelude::*;
use gst_video::VideoFormat;
use gstdsframe::frame::{Plane, View, code, plane_sizes};
use gstdsframe::mem::cuda::Gpu;
use tempfile::TempDir;

use crate::card;
use crate::shared::rig::Rig;
use crate::shared::{files, play_well};

/// Returns from a test that is not to run here, and says why. `on_card!()` wants the card alone;
/// what else is needed comes as conditions and what they mean.
macro_rules! on_card {
    ($($holds:expr => $what:literal),* $(,)?) => {
        if !$crate::common::is_enabled() {
            println!("skipped: DSFRAME_GPU_TESTS is not 1");
            return;
        }
        $crate::shared::init();
        $(if !$holds {
            println!("skipped: {}", $what);
            return;
        })*
    };
}
pub(crate) use on_card;

pub fn is_enabled() -> bool {
    std::env::var_os("DSFRAME_GPU_TESTS").is_some_and(|value| value == "1")
}

/// The card to test on; without one, says so.
pub fn gpu() -> Option<Gpu> {
    if !is_enabled() {
        println!("skipped: DSFRAME_GPU_TESTS is not 1");
        return None;
    }
    gst::init().unwrap();
    match Gpu::get(0) {
        Ok(gpu) => Some(gpu),
        Err(error) => {
            println!("skipped: {error}");
            None
        }
    }
}

/// Less of everything, for checkers that slow everything down.
pub fn is_short() -> bool {
    std::env::var_os("DSFRAME_GPU_SHORT").is_some_and(|value| value == "1")
}

pub fn has_nvjpeg() -> bool {
    [c"libnvjpeg.so.13", c"libnvjpeg.so.12", c"libnvjpeg.so.11"]
        .iter()
        .any(|name| card::has_library(name))
}

pub fn has_element(name: &str) -> bool {
    crate::shared::init();
    gst::ElementFactory::find(name).is_some()
}

/// The clip with frame codes that was packed, or made for a run here.
pub fn coded_clip() -> Option<PathBuf> {
    let clip = Path::new(&std::env::var_os("DSFRAME_GPU_CLIPS")?).join("coded.mp4");
    clip.exists().then_some(clip)
}

/// Of NVMM surfaces that CUDA has.
pub const MEMORY: [&str; 4] = [
    "nvbuf-mem-default",
    "nvbuf-mem-cuda-pinned",
    "nvbuf-mem-cuda-device",
    "nvbuf-mem-cuda-unified",
];

pub const FORMATS: [&str; 8] = [
    "RGB", "BGR", "RGBA", "BGRx", "RGBx", "GRAY8", "NV12", "I420",
];

pub const PATTERNS: [&str; 6] = ["gradient", "bars", "checker", "solid", "noise", "objects"];

/// Where a source puts its frames.
#[derive(Debug, Clone, Copy)]
pub enum Place {
    Host,
    Nvmm(&'static str),
}

impl Place {
    pub const CARD: Self = Self::Nvmm("nvbuf-mem-default");

    fn properties(self) -> String {
        match self {
            Self::Host => "device=cpu".into(),
            Self::Nvmm(memory) => format!("device=gpu nvbuf-memory-type={memory}"),
        }
    }

    fn features(self) -> &'static str {
        match self {
            Self::Host => "",
            Self::Nvmm(_) => "(memory:NVMM)",
        }
    }
}

/// A line from our source to our sink.
#[derive(Debug, Clone)]
pub struct Through<'a> {
    /// What the source makes.
    pub source: &'a str,
    /// Fields of the caps, as in `format=RGB,width=64`.
    pub caps: &'a str,
    /// Properties of the sink.
    pub sink: &'a str,
    /// Ending of the names of the files.
    pub suffix: &'a str,
}

impl Through<'_> {
    /// What the line writes: the bytes of each file, in order.
    #[track_caller]
    pub fn run(&self, place: Place) -> Vec<Vec<u8>> {
        let folder = TempDir::new().unwrap();
        self.run_into(place, folder.path());
        contents(folder.path())
    }

    #[track_caller]
    pub fn run_into(&self, place: Place, folder: &Path) {
        let Self {
            source,
            caps,
            sink,
            suffix,
        } = self;
        let comma = if caps.is_empty() { "" } else { "," };
        play_well(&format!(
            "dsframeinject {source} {} ! video/x-raw{}{comma}{caps} ! \
             dsframecapture name=sink interval=1 {sink} location={}/%05d.{suffix}",
            place.properties(),
            place.features(),
            folder.display()
        ));
    }

    /// Checks that a place gives the same as system memory, within so many levels.
    #[track_caller]
    pub fn check(&self, place: Place, levels: u8) {
        let expected = self.run(Place::Host);
        compare(
            &self.run(place),
            &expected,
            levels,
            &format!("{place:?} {self:?}"),
        );
    }
}

/// Pushes a buffer that is to be taken.
#[track_caller]
pub fn push(rig: &Rig, buffer: gst::Buffer) {
    if let Err(error) = rig.pad.push(buffer) {
        panic!("{error:?}: {:?}", rig.messages().errors());
    }
}

/// The bytes of all files of a folder, in the order of their names.
pub fn contents(folder: &Path) -> Vec<Vec<u8>> {
    let read = |name: &String| std::fs::read(folder.join(name)).unwrap();
    files(folder).iter().map(read).collect()
}

/// Panics unless all files are as many, as long, and alike within so many levels.
#[track_caller]
pub fn compare(got: &[Vec<u8>], expected: &[Vec<u8>], levels: u8, what: &str) {
    assert!(!expected.is_empty(), "{what}: nothing to compare");
    assert_eq!(got.len(), expected.len(), "{what}: files");
    for (number, (got, expected)) in got.iter().zip(expected).enumerate() {
        assert_eq!(got.len(), expected.len(), "{what}: size of {number}");
        let differ = |(a, b): (&u8, &u8)| a.abs_diff(*b) > levels;
        if let Some(at) = got.iter().zip(expected).position(differ) {
            let count = got
                .iter()
                .zip(expected)
                .filter(|pair| differ(*pair))
                .count();
            panic!(
                "{what}: file {number}, byte {at} of {}: {} instead of {}; {count} bytes differ",
                got.len(),
                got[at],
                expected[at]
            );
        }
    }
}

/// Stream and number by the code in a raw frame.
#[track_caller]
pub fn code_in(raw: &[u8], format: VideoFormat, width: usize, height: usize) -> (u16, u32) {
    let mut rest = raw;
    let planes = plane_sizes(format, width, height)
        .iter()
        .map(|plane| {
            let (data, after) = rest.split_at(plane.rows * plane.row_bytes);
            rest = after;
            Plane {
                data,
                pitch: plane.row_bytes,
            }
        })
        .collect();
    let view = View::new(format, width, height, planes).unwrap();
    code::read(&view).expect("no frame code")
}
