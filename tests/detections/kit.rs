// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! A muxer, a pipeline to feed, and what has become of the frames.

use std::cell::Cell;
use std::collections::HashMap;
use std::path::Path;

use gst::glib::translate::{IntoGlibPtr, from_glib_full};
use gst::prelude::*;
use gst_video::{VideoFormat, VideoInfo};
use gstdsframe::frame::{Plane, View, code};
use gstdsframe::mem::nvmm::{self, NvmmPool, Place};
use gstdsframe::mem::sys::Generation;
use serde_json::Value;
use tempfile::TempDir;

use crate::abi::{Struct, params, size, value};
use crate::batch::{BatchBuilder, FrameSpec, ObjectSpec};
use crate::common::pictures;
use crate::common::{self, Messages, at, check_accounts, files, init, lines, pending};

/// What `buf_pts` says is in ms throughout.
pub const MS: u64 = 1_000_000;
pub const HD: (u32, u32) = (256, 144);

pub const STREAM_EOS: i32 = 402;

/// A frame as it goes in.
#[derive(Clone)]
pub struct Shot {
    pub stream: u32,
    pub pad: u32,
    pub number: i32,
    /// ns.
    pub time: u64,
    pub size: (u32, u32),
    pub objects: Vec<ObjectSpec>,
}

impl Shot {
    /// Ten a second.
    pub fn new(stream: u32, number: i32) -> Self {
        Self {
            stream,
            pad: stream,
            number,
            time: number as u64 * 100 * MS,
            size: HD,
            objects: Vec::new(),
        }
    }

    pub fn with(mut self, objects: impl IntoIterator<Item = ObjectSpec>) -> Self {
        self.objects.extend(objects);
        self
    }

    pub fn spec(&self, slot: usize) -> FrameSpec {
        FrameSpec {
            source_id: self.stream,
            pad_index: self.pad,
            batch_id: slot as u32,
            frame_num: self.number,
            pts: self.time,
            source_size: self.size,
            objects: self.objects.clone(),
            ..FrameSpec::default()
        }
    }
}

/// A detection with a track.
pub fn tracked(label: &str, track: u64, confidence: f32) -> ObjectSpec {
    ObjectSpec {
        object_id: track,
        confidence,
        ..ObjectSpec::new(label, [16.0, 32.0, 40.0, 20.0])
    }
}

/// The header of a batch and all that it points to.
struct Block {
    header: Vec<u8>,
    _list: Vec<u8>,
    _sources: Vec<gst::Buffer>,
}

impl AsMut<[u8]> for Block {
    fn as_mut(&mut self) -> &mut [u8] {
        &mut self.header
    }
}

/// Joins surfaces of any size to batches as the new nvstreammux does: their params are copied, and
/// their buffers go back to their pools with the batch.
pub struct Muxer {
    pub generation: Generation,
    pub format: VideoFormat,
    pools: HashMap<(u32, u32), NvmmPool>,
    pushed: Cell<u64>,
}

impl Muxer {
    pub fn new(generation: Generation) -> Self {
        init();
        let format = match generation {
            Generation::A => VideoFormat::Nv12,
            Generation::B => VideoFormat::Rgba,
            Generation::C => VideoFormat::I420,
        };
        Self {
            generation,
            format,
            pools: HashMap::new(),
            pushed: Cell::new(0),
        }
    }

    pub fn caps(&self) -> gst::Caps {
        nvmm_caps(self.format, HD)
    }

    fn surface(&mut self, shot: &Shot) -> gst::Buffer {
        let (generation, format) = (self.generation, self.format);
        let pool = self.pools.entry(shot.size).or_insert_with(|| {
            let info = pictures::info(format, shot.size.0, shot.size.1);
            let pool = NvmmPool::new(&info, generation, Place::Host { gpu_id: 0 }, 1, 0).unwrap();
            pool.set_active(true).unwrap();
            pool
        });
        let mut buffer = pool.acquire_buffer(None).unwrap();
        draw(buffer.get_mut().unwrap(), shot);
        buffer
    }

    /// The surfaces alone. `slots` says which one each of the shots is.
    pub fn surfaces(&mut self, shots: &[Shot], slots: &[usize]) -> gst::Buffer {
        let sources: Vec<_> = shots.iter().map(|shot| self.surface(shot)).collect();
        let stride = size("NvBufSurfaceParams", self.generation);
        // What lies beyond is not initialised.
        let mut list = vec![0xee; (shots.len() + 1) * stride];
        for (source, slot) in sources.iter().zip(slots) {
            let params = params(source, self.generation, 0).bytes;
            list[slot * stride..][..stride].copy_from_slice(&params);
        }
        let mut header = Struct::zeroed("NvBufSurface", self.generation);
        header
            .set("batchSize", shots.len() as u32 + 1)
            .set("numFilled", shots.len() as u32)
            .set("memType", value("NvBufSurfaceMemType", "NVBUF_MEM_SYSTEM"))
            .set_pointer("surfaceList", list.as_ptr().expose_provenance() as u64);
        let mut buffer = gst::Buffer::from_mut_slice(Block {
            header: header.bytes,
            _list: list,
            _sources: sources,
        });
        // Synthetic: that of no source.
        let pushed = self.pushed.replace(self.pushed.get() + 1);
        let pts = gst::ClockTime::from_seconds(1000) - gst::ClockTime::from_mseconds(pushed);
        buffer.get_mut().unwrap().set_pts(pts);
        buffer
    }

    pub fn metadata(&self, shots: &[Shot], slots: &[usize]) -> BatchBuilder {
        let mut builder = BatchBuilder::new(self.generation);
        for (shot, slot) in shots.iter().zip(slots) {
            builder = builder.frame(shot.spec(*slot));
        }
        builder
    }

    /// Surfaces with metadata; slots in the order of the shots.
    pub fn batch(&mut self, shots: &[Shot]) -> gst::Buffer {
        let slots: Vec<_> = (0..shots.len()).collect();
        self.batch_at(shots, &slots)
    }

    pub fn batch_at(&mut self, shots: &[Shot], slots: &[usize]) -> gst::Buffer {
        let mut buffer = self.surfaces(shots, slots);
        self.metadata(shots, slots)
            .attach(buffer.get_mut().unwrap());
        buffer
    }
}

/// Spells a shot into a surface of its own.
pub fn draw(buffer: &mut gst::BufferRef, shot: &Shot) {
    let mut writer = nvmm::write(buffer, 0).unwrap();
    let mut view = writer.view_mut().unwrap();
    for plane in view.planes_mut() {
        plane.data.fill(0x80);
    }
    code::draw(&mut view, false, shot.stream as u16, shot.number as u32).unwrap();
}

pub fn nvmm_caps(format: VideoFormat, (width, height): (u32, u32)) -> gst::Caps {
    let mut caps = pictures::info(format, width, height).to_caps().unwrap();
    let features = gst::CapsFeatures::new([nvmm::CAPS_FEATURE]);
    caps.make_mut().set_features_simple(Some(features));
    caps
}

/// A pipeline with a pad before it.
pub struct Feed {
    pub pipeline: gst::Pipeline,
    pub capture: gst::Element,
    pub pad: gst::Pad,
    pub bus: gst::Bus,
}

/// Names that say who a picture is of.
pub const NAMES: &str = "{stream}_{pad}_{frame}_{reason}.png";

impl Feed {
    /// Playing, with pictures and a log in the folder. `front` is what comes before the capture.
    pub fn new(folder: &TempDir, front: &str, more: &[(&str, &str)]) -> Self {
        let (location, log) = (at(folder, NAMES), at(folder, "log"));
        let mut properties = vec![
            ("location", location.as_str()),
            ("log-location", log.as_str()),
        ];
        properties.extend(more);
        Self::plain(front, &properties)
    }

    /// With these properties and no others.
    pub fn plain(front: &str, properties: &[(&str, &str)]) -> Self {
        init();
        let line = format!("{front} dsframecapture name=capture");
        let pipeline = gst::parse::launch(&line).unwrap();
        let pipeline = match pipeline.downcast::<gst::Pipeline>() {
            Ok(pipeline) => pipeline,
            // One element alone comes without one.
            Err(element) => {
                let pipeline = gst::Pipeline::new();
                pipeline.add(&element).unwrap();
                pipeline
            }
        };
        let capture = pipeline.by_name("capture").unwrap();
        for (name, value) in properties {
            capture.set_property_from_str(name, value);
        }
        let first = pipeline.find_unlinked_pad(gst::PadDirection::Sink);
        let pad = gst::Pad::builder(gst::PadDirection::Src).build();
        pad.link_full(&first.unwrap(), gst::PadLinkCheck::empty())
            .unwrap();
        pad.set_active(true).unwrap();
        let bus = pipeline.bus().unwrap();
        let feed = Self {
            pipeline,
            capture,
            pad,
            bus,
        };
        let started = feed.pipeline.set_state(gst::State::Playing);
        assert!(started.is_ok(), "{:?}", pending(&feed.bus).errors());
        feed
    }

    #[track_caller]
    pub fn begin(&self, caps: &gst::Caps) {
        assert!(self.send(gst::event::StreamStart::new("mux")));
        self.set_caps(caps);
        let segment = gst::FormattedSegment::<gst::ClockTime>::new();
        assert!(self.send(gst::event::Segment::new(&segment)));
    }

    #[track_caller]
    pub fn set_caps(&self, caps: &gst::Caps) {
        assert!(self.send(gst::event::Caps::new(caps)));
    }

    pub fn send(&self, event: gst::Event) -> bool {
        self.pad.push_event(event)
    }

    #[track_caller]
    pub fn push(&self, buffer: gst::Buffer) {
        if let Err(error) = self.pad.push(buffer) {
            panic!("{error}: {:?}", pending(&self.bus).errors());
        }
        check_accounts(&self.capture);
    }

    #[track_caller]
    pub fn count(&self, name: &str) -> u64 {
        common::count(&self.capture, name)
    }

    /// A counter of one stream.
    #[track_caller]
    pub fn count_of(&self, stream: u32, name: &str) -> u64 {
        let stats = self.capture.property::<gst::Structure>("stats");
        let streams = stats.get::<gst::List>("streams").unwrap();
        let found = streams.iter().find_map(|of| {
            let of = of.get::<gst::Structure>().unwrap();
            (of.get::<u32>("stream").unwrap() == stream).then_some(of)
        });
        found.unwrap().get(name).unwrap()
    }

    /// Waits until this many frames have been captured.
    #[track_caller]
    pub fn until_captured(&self, frames: u64) {
        common::until("captures", || self.count("captured") >= frames);
        assert_eq!(self.count("captured"), frames);
    }

    /// Takes the pipeline down.
    #[track_caller]
    pub fn stop(&self) -> Messages {
        self.pipeline.set_state(gst::State::Ready).unwrap();
        check_accounts(&self.capture);
        let messages = pending(&self.bus);
        self.pipeline.set_state(gst::State::Null).unwrap();
        messages
    }

    /// To the end and down. There must not be errors.
    #[track_caller]
    pub fn end(self) -> Messages {
        assert!(self.send(gst::event::Eos::new()), "no EOS");
        let mut messages = common::wait_for_end(&self.bus);
        assert!(messages.eos(), "{:?}", messages.errors());
        messages.0.extend(self.stop().0);
        messages
    }

    /// [`Self::end`] of what is to go without a warning.
    #[track_caller]
    pub fn end_silently(self) {
        let messages = self.end();
        assert!(messages.warnings().is_empty(), "{:?}", messages.warnings());
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        let _ = self.pipeline.set_state(gst::State::Null);
        self.bus.set_flushing(true);
    }
}

/// What a picture spells: stream and frame.
#[track_caller]
pub fn spelled(path: &Path) -> (u32, u64) {
    let picture = pictures::read(path);
    let bytes = match picture.format {
        VideoFormat::Gray8 => 1,
        VideoFormat::Rgba => 4,
        _ => 3,
    };
    let plane = Plane {
        data: &picture.bytes,
        pitch: picture.width * bytes,
    };
    let view = View::new(picture.format, picture.width, picture.height, vec![plane]).unwrap();
    let spelled = code::read(&view);
    let (stream, frame) = spelled.unwrap_or_else(|| panic!("no code in {}", path.display()));
    (stream.into(), frame.into())
}

/// Stream, frame and reason of a capture.
pub type Taken = (u32, u64, String);

pub fn taken(stream: u32, frame: i32, reason: &str) -> Taken {
    (stream, frame as u64, reason.to_owned())
}

/// The log, after a check that every picture is what its name and its line say, and that there is
/// one for each line and no other file.
#[track_caller]
pub fn log_of(folder: &TempDir) -> Vec<Value> {
    let log = lines(&folder.path().join("log"));
    let mut names = vec!["log".to_owned()];
    for line in &log {
        let text = |name: &str| line[name].as_u64().unwrap().to_string();
        let reason = line["reason"].as_str().unwrap();
        let name = format!(
            "{}_{}_{}_{reason}.png",
            text("stream"),
            text("pad"),
            text("frame_number")
        );
        let path = folder.path().join(&name);
        assert_eq!(line["file"], path.to_str().unwrap());
        let (stream, frame) = spelled(&path);
        assert_eq!(line["stream"], stream, "{name}");
        assert_eq!(line["frame_number"], frame, "{name}");
        let shape = &line["shape"];
        let size = &line["frame_size"];
        assert_eq!((&shape[0], &shape[1]), (&size[1], &size[0]));
        names.push(name);
    }
    names.sort();
    assert_eq!(files(folder.path()), names);
    log
}

/// What a line is about.
pub fn taken_of(line: &Value) -> Taken {
    let stream = line["stream"].as_u64().unwrap() as u32;
    let frame = line["frame_number"].as_u64().unwrap();
    (stream, frame, line["reason"].as_str().unwrap().to_owned())
}

/// [`log_of`] in short.
#[track_caller]
pub fn takes(folder: &TempDir) -> Vec<Taken> {
    log_of(folder).iter().map(taken_of).collect()
}

/// Numbers of DeepStream's events in releases before and since 8.0.
pub fn numbers(event: i32) -> [i32; 2] {
    [event << 8 | 0x06, event << 8 | 0x1e]
}

/// An event as DeepStream's muxers send it.
pub fn event(number: i32, source_id: Option<u32>) -> gst::Event {
    let mut structure = gst::Structure::new_empty("nv-stream-eos");
    if let Some(source_id) = source_id {
        structure.set("source-id", source_id);
    }
    // SAFETY: the event takes the structure over.
    let event = unsafe { gst::ffi::gst_event_new_custom(number, structure.into_glib_ptr()) };
    assert!(!event.is_null());
    // SAFETY: a new event, which nobody else has.
    unsafe { from_glib_full(event) }
}

/// Numbers that look random and are the same in every run.
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Below `sides`.
    pub fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % sides as u64) as usize
    }

    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.roll(last + 1));
        }
    }
}

/// In system memory.
pub fn system_info() -> VideoInfo {
    pictures::info(VideoFormat::Rgb, HD.0, HD.1)
}
