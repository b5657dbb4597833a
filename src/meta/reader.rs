// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What a buffer's metadata says, whoever attached it.

use super::faults::{Faults, Told};
use super::nvds::Nvds;
use super::{Bounds, FrameMeta, origin, roi};
use crate::mem::nvds::{Finder, Unknown};

/// Reads the metadata of buffers. It uses the same memory for each: a stream of buffers that are
/// alike is read without allocations.
#[derive(Debug, Default)]
pub struct MetaReader {
    finder: Finder,
    frames: Vec<FrameMeta>,
    nvds: Nvds,
    source: Source,
    told_faults: Told,
    told_unknown: bool,
    told_both: bool,
}

/// Who the metadata of a buffer is by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Source {
    /// DeepStream's elements.
    Nvds,
    /// GStreamer's regions of interest.
    Roi,
    /// There is none, or none that can be read.
    #[default]
    None,
}

/// What the metadata of one buffer says.
#[derive(Debug)]
pub struct BufferMeta<'a> {
    pub source: Source,
    /// The frames of the buffer that are worth a look. None in the idle batches of nvstreammux;
    /// exactly one if the source is not [`Source::Nvds`].
    pub frames: &'a [FrameMeta],
    /// Frames, objects and parts of lists that were left out, as they are malformed.
    pub left_out: u64,
    /// News that are worth a warning. A reader tells each kind of them once.
    pub warning: Option<String>,
}

impl MetaReader {
    /// Reads the metadata of a buffer.
    ///
    /// Without `objects` the frames come without their detections, which costs less;
    /// [`Self::read_objects`] reads those of chosen frames. `surfaces` is how many pictures the
    /// buffer has: frames of others are left out, and if there is one frame and one picture, they
    /// belong together whatever the frame says. `size_of` is the size of a picture in pixels, by
    /// its slot; detections that were made before the muxer scaled the picture are scaled to it.
    pub fn read<'a>(
        &'a mut self,
        buffer: &gst::BufferRef,
        objects: bool,
        surfaces: usize,
        size_of: impl Fn(usize) -> Option<(u32, u32)>,
    ) -> BufferMeta<'a> {
        let mut faults = Faults::default();
        let mut unknown = None;
        let Some(found) = self.finder.find(buffer) else {
            self.read_plain(buffer, objects);
            return self.result(faults, None);
        };
        match found.lock() {
            Ok(batch) => {
                self.source = Source::Nvds;
                let frames = &mut self.frames;
                self.nvds
                    .read(&batch, objects, surfaces, frames, &mut faults);
            }
            Err(error) => {
                // Regions of interest would be of the whole buffer, which may be a batch.
                self.source = Source::None;
                self.one_frame();
                unknown = Some(error);
            }
        }
        self.read_wrapped(size_of);
        let mut warning = unknown.and_then(|error| self.tell_unknown(error));
        if self.source == Source::Nvds && !self.told_both && roi::any(buffer) {
            self.told_both = true;
            warning = Some(
                "The buffer has metadata of DeepStream and regions of interest; the latter are \
                 ignored"
                    .into(),
            );
        }
        self.result(faults, warning)
    }

    /// Reads the detections of some frames of the buffer that was read last: `wanted` are places
    /// in the frames that [`Self::read`] has given. If another thread has changed the metadata
    /// since, frames that are gone keep the detections they have.
    pub fn read_objects<'a>(
        &'a mut self,
        buffer: &gst::BufferRef,
        wanted: &[usize],
        size_of: impl Fn(usize) -> Option<(u32, u32)>,
    ) -> BufferMeta<'a> {
        let mut faults = Faults::default();
        match self.source {
            Source::None => {}
            Source::Roi => {
                if wanted.contains(&0) {
                    self.read_plain(buffer, true);
                }
            }
            Source::Nvds => {
                if let Some(Ok(batch)) = self.finder.find(buffer).map(|found| found.lock()) {
                    let frames = &mut self.frames;
                    self.nvds.read_objects(&batch, wanted, frames, &mut faults);
                }
                self.read_wrapped(size_of);
            }
        }
        self.result(faults, None)
    }

    fn result(&mut self, faults: Faults, warning: Option<String>) -> BufferMeta<'_> {
        let malformed = faults.news(&mut self.told_faults);
        let warning = match (warning, malformed) {
            (Some(one), Some(other)) => Some(format!("{one}. {other}")),
            (one, other) => one.or(other),
        };
        BufferMeta {
            source: self.source,
            frames: &self.frames,
            left_out: faults.total(),
            warning,
        }
    }

    fn tell_unknown(&mut self, error: Unknown) -> Option<String> {
        if std::mem::replace(&mut self.told_unknown, true) {
            return None;
        }
        Some(format!(
            "The metadata of DeepStream has an unknown layout and is ignored: {error}"
        ))
    }

    /// A single frame of which nothing is known. Its detections are still those of another.
    fn one_frame(&mut self) -> &mut FrameMeta {
        self.nvds.frames.slot(&mut self.frames, 0);
        self.nvds.frames.keep(&mut self.frames, 1);
        let frame = &mut self.frames[0];
        let mut detections = std::mem::take(&mut frame.detections);
        self.nvds.detections.keep(&mut detections, 0);
        *frame = FrameMeta {
            detections,
            ..FrameMeta::default()
        };
        frame
    }

    fn read_plain(&mut self, buffer: &gst::BufferRef, objects: bool) {
        self.source = match roi::any(buffer) {
            true => Source::Roi,
            false => Source::None,
        };
        let wanted = objects && self.source == Source::Roi;
        let frame = self.one_frame();
        origin::read_into(buffer, frame);
        if wanted {
            roi::read_into(buffer, &mut frame.detections);
        }
    }

    /// The regions of interest of buffers that frames came in. Those are in pixels of the source.
    fn read_wrapped(&mut self, size_of: impl Fn(usize) -> Option<(u32, u32)>) {
        for (index, buffer) in self.nvds.wrapped.drain(..) {
            let Some(frame) = self.frames.get_mut(index) else {
                continue;
            };
            roi::read_into(&buffer, &mut frame.detections);
            let (Some(source), Some(now)) = (frame.source_size, size_of(frame.slot)) else {
                continue;
            };
            if source != now {
                let by = |now: u32, source: u32| now as f32 / source as f32;
                let by = (by(now.0, source.0), by(now.1, source.1));
                for detection in &mut frame.detections {
                    scale(&mut detection.bounds, by);
                }
            }
        }
    }
}

fn scale(bounds: &mut Bounds, (x, y): (f32, f32)) {
    bounds.left *= x;
    bounds.width *= x;
    bounds.top *= y;
    bounds.height *= y;
}
