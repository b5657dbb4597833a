// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The properties: what they are called, what they may be and what they mean.

use std::sync::LazyLock;

use glib::prelude::*;

use crate::config_file::Store;
use crate::properties::{choice, clock, flag, text, time, uint};

use super::config::Settings;
use super::stats::Stats;

pub static PROPERTIES: LazyLock<Vec<glib::ParamSpec>> = LazyLock::new(|| {
    use gst::prelude::GstParamSpecBuilderExt;
    let d = Settings::default();
    const SIDE: (u32, u32) = (0, 65_535);
    vec![
        choice("pattern", "Pattern", "What to draw when none of location, uri and channel is set", d.pattern),
        flag("frame-code", "Frame code", "Spell stream and frame number in blocks in the top left corner, readable after JPEG and scaling; needs pictures of 128x72 at least", d.frame_code),
        uint("frame-code-stream", "Frame code stream", "The stream number that the frame code spells", (0, 65_535), d.frame_code_stream),
        text("location", "Location", "Pictures (JPEG, PNG: a file, frame_%06d.jpg, a glob or a folder), a .y4m stream, a .npy stack or raw frames; - is stdin, a FIFO works", None),
        text("uri", "URI", "Any media that GStreamer decodes, such as file:///clip.mp4", None),
        text("channel", "Channel", "Named channel to read what dsframecapture channel= sends: a name in this process, unix:/path across processes. Frames keep their times, or get that of their arrival with is-live", None),
        choice("channel-access", "Channel access", "Whose channel across processes is read", d.channel_access),
        text("format", "Format", "Format of the frames: RGB BGR RGBA BGRx RGBx GRAY8 (or GRAY) NV12 I420, and BGRA YUY2 UYVY in system memory; of raw frames, what they are", None),
        uint("width", "Width", "Width of the frames in pixels; 0 is negotiated", SIDE, d.width),
        uint("height", "Height", "Height of the frames in pixels; 0 is negotiated", SIDE, d.height),
        text("framerate", "Frame rate", "Frames per second that pictures, raw frames and patterns are played at, 30 or 30000/1001; media and y4m keep their own", None),
        choice("device", "Device", "Where the frames are put: NVMM surfaces on a GPU, or system memory", d.device),
        uint("gpu-id", "GPU id", "Number of the GPU that makes and holds NVMM surfaces, counted from 0 among the visible ones (CUDA_VISIBLE_DEVICES)", (0, i32::MAX as u32), d.gpu_id),
        choice("nvbuf-memory-type", "NVMM memory type", "Where the pixels of NVMM surfaces lie: on the GPU, or in memory that it shares with the CPU; nvbuf-mem-system needs no GPU and is refused by DeepStream's elements", d.memory_type),
        uint("pool-size", "Pool size", "NVMM surfaces that may be in use at once; their memory is kept until the element stops", (2, 1024), d.pool_size),
        text("deepstream-version", "DeepStream version", "DeepStream that the NVMM surfaces are for, such as 6.4, 8.0 or 9.0; auto looks for an installed one and takes the newest layout without", Some(&d.deepstream_version)),
        flag("is-live", "Is live", "Push each frame at its time on the pipeline's clock, as a camera does", d.is_live),
        flag("loop", "Loop", "Start again at the end; timestamps go on rising", d.looping),
        glib::ParamSpecUInt64::builder("start-index").nick("Start index").blurb("First number of a numbered sequence of pictures; of a folder or glob, the position").default_value(d.start_index).mutable_ready().build(),
        glib::ParamSpecInt64::builder("stop-index").nick("Stop index").blurb("Last number of a numbered sequence of pictures, included; of a folder or glob, the position; -1 is the end").minimum(-1).default_value(d.stop_index).mutable_ready().build(),
        clock("start-time", "Start time", "Time in ns within the media at uri to start from; unset is its beginning"),
        clock("stop-time", "Stop time", "Time in ns within the media at uri to stop before; unset is its end"),
        time("sample-interval", "Sample interval", "One frame of the media at uri for so many ns; 0 is every frame", d.sample_interval),
        flag("key-frames-only", "Key frames only", "Decode only the key frames of the media at uri", d.key_frames_only),
        flag("add-borders", "Add borders", "Keep the aspect ratio between black borders when scaling", d.add_borders),
        choice("on-error", "On error", "What to do about a frame that cannot be read", d.on_error),
        time("timeout", "Timeout", "How long a channel, a pipe or another source may keep the pipeline waiting, in ns; 0 is for ever", d.timeout),
        choice("on-timeout", "On timeout", "What to do when timeout is over", d.on_timeout),
        uint("prefetch", "Prefetch", "Frames read and decoded ahead, in parallel; for NVMM they wait in pinned memory", (1, 1024), d.prefetch),
        text("metadata-location", "Metadata location", "Detections to attach to the frames, as region-of-interest metas: a log of dsframecapture (JSON lines), a MOTChallenge file, or KITTI labels (a file, a folder, a glob or labels_%06d.txt); they take the place of those of pattern=objects", None),
        text("config-file-path", "Config file path", "YAML (.yml, .yaml) or INI file with properties in group property; properties set otherwise win", None),
        glib::ParamSpecBoxed::builder::<gst::Structure>("stats").nick("Statistics").blurb("Since start: frames, bytes, skipped, repeated, timeouts, and waiting-time for frames in ns; of a channel sent = received + dropped + in-flight").read_only().build(),
    ]
});

crate::properties::stored! {
    Settings,
    "pattern" => pattern,
    "frame-code" => frame_code,
    "frame-code-stream" => frame_code_stream,
    "location" => location,
    "uri" => uri,
    "channel" => channel,
    "channel-access" => channel_access,
    "format" => format,
    "width" => width,
    "height" => height,
    "framerate" => framerate,
    "device" => device,
    "gpu-id" => gpu_id,
    "nvbuf-memory-type" => memory_type,
    "pool-size" => pool_size,
    "deepstream-version" => deepstream_version,
    "is-live" => is_live,
    "loop" => looping,
    "start-index" => start_index,
    "stop-index" => stop_index,
    "start-time" => start_time,
    "stop-time" => stop_time,
    "sample-interval" => sample_interval,
    "key-frames-only" => key_frames_only,
    "add-borders" => add_borders,
    "on-error" => on_error,
    "timeout" => timeout,
    "on-timeout" => on_timeout,
    "prefetch" => prefetch,
    "metadata-location" => metadata_location,
    "config-file-path" => config_file_path,
}

impl Store for Settings {
    fn store(&mut self, name: &str, value: &glib::Value) {
        store(self, name, value);
    }

    fn stored(&self, name: &str) -> Option<glib::Value> {
        setting(self, name)
    }
}

/// The value of a readable property.
pub fn get(settings: &Settings, stats: &Stats, name: &str) -> Option<glib::Value> {
    match name {
        "stats" => Some(stats.to_structure().to_value()),
        _ => settings.stored(name),
    }
}
