// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The properties: what they are called, what they may be and what they mean.

use std::sync::LazyLock;

use glib::prelude::*;

use crate::properties::{choice, clock, counter, flag, text, time, uint};

use super::config::Settings;
use super::stats::Stats;

pub static PROPERTIES: LazyLock<Vec<glib::ParamSpec>> = LazyLock::new(|| {
    use gst::prelude::GstParamSpecBuilderExt;
    let d = Settings::default();
    const ANY: (u32, u32) = (0, u32::MAX);
    const SIDE: (u32, u32) = (0, 65_535);
    vec![
        choice("mode", "Mode", "What makes a frame one to capture", d.mode),
        uint("interval", "Interval", "Capture every so many frames of each stream, the first included; 1 is all, 0 is automatic: 30 for pictures, 1 where only a log or messages are made", ANY, d.interval),
        time("interval-time", "Interval time", "Capture one frame of each stream for so much stream time, in ns, instead of counting frames; 0 is off", d.interval_time),
        clock("start-time", "Start time", "Stream time in ns before which nothing is captured; unset by default"),
        clock("stop-time", "Stop time", "Stream time in ns from which on nothing is captured; unset by default"),
        glib::ParamSpecUInt64::builder("max-captures").nick("Max captures").blurb("Captures, all streams together, after which no further frame is selected; 0 is no limit").default_value(d.max_captures).mutable_ready().build(),
        flag("eos-after-max", "EOS after max", "Post an EOS message once max-captures are committed, which ends a pipeline that has no other sink", d.eos_after_max),
        text("streams", "Streams", "Streams to capture, such as 0,3; all by default", None),
        text("location", "Location", "Template of the file names: %06d is the number of the capture, {stream} {frame} {pts} {utc} {reason} what they say, {frame:06} padded; no pictures if unset", None),
        choice("encoding", "Encoding", "What the pictures are written as", d.encoding),
        uint("quality", "Quality", "Quality of JPEG pictures", (1, 100), d.quality),
        choice("subsampling", "Subsampling", "Chroma of JPEG pictures", d.subsampling),
        uint("width", "Width", "Width of the pictures in pixels; 0 keeps it, or the aspect ratio if height is set", SIDE, d.width),
        uint("height", "Height", "Height of the pictures in pixels; 0 keeps it, or the aspect ratio if width is set", SIDE, d.height),
        text("log-location", "Log location", "File that gets one line of JSON per capture; none if unset", None),
        flag("statistics", "Statistics", "Log mean and standard deviation of the RGB picture's intensity, and its sharpness", d.statistics),
        flag("post-messages", "Post messages", "Post an element message dsframecapture-saved for each capture, 100 a second at most", d.post_messages),
        uint("queue-size", "Queue size", "Captures that may wait for an encoder; a frame of a GPU waits in GPU memory", (1, 1_000_000), d.queue_size),
        choice("overflow", "Overflow", "What to do when the queue is full", d.overflow),
        uint("workers", "Workers", "Threads that encode and write; 0 is one for each core. Of a GPU's JPEGs twelve at most are made at once", (0, 1024), d.workers),
        choice("on-error", "On error", "What to do when a capture cannot be delivered", d.on_error),
        choice("on-exists", "On exists", "What to do about a file of an earlier run", d.on_exists),
        time("drain-timeout", "Drain timeout", "How long EOS and stopping may wait for what was accepted, in ns", d.drain_timeout),
        glib::ParamSpecInt::builder("gpu-id").nick("GPU id").blurb("Number of the only GPU whose frames are taken, counted from 0 among the visible ones (CUDA_VISIBLE_DEVICES); frames of others are failures. -1 takes those of every GPU, each on its own").minimum(-1).default_value(d.gpu_id).mutable_ready().build(),
        uint("unique-id", "Unique id", "Stamped on the log lines, to tell several elements apart", ANY, d.unique_id),
        glib::ParamSpecInt::builder("trigger").nick("Trigger").blurb("Writing a stream number captures the next frame of that stream, -1 of all, in any mode").minimum(-1).default_value(-1).write_only().mutable_playing().build(),
        glib::ParamSpecBoxed::builder::<gst::Structure>("stats").nick("Statistics of the element").blurb("Frames by what became of them, since start: seen = captured + not-selected + dropped + failed + pending; pictures, bytes, rates per second, encode times in ns, and the same for each stream").read_only().build(),
        glib::ParamSpecString::builder("stats-json").nick("Statistics as JSON").blurb("The same as stats, as text").read_only().build(),
        counter("captured", "Captured", "Frames whose file, log line and message are out, since start"),
        counter("dropped", "Dropped", "Selected frames given up for want of room or time, since start"),
        counter("failed", "Failed", "Selected frames that could not be encoded or written, since start"),
        counter("pending", "Pending", "Selected frames that are on their way"),
    ]
});

crate::properties::stored! {
    Settings,
    "mode" => mode,
    "interval" => interval,
    "interval-time" => interval_time,
    "start-time" => start_time,
    "stop-time" => stop_time,
    "max-captures" => max_captures,
    "eos-after-max" => eos_after_max,
    "streams" => streams,
    "location" => location,
    "encoding" => encoding,
    "quality" => quality,
    "subsampling" => subsampling,
    "width" => width,
    "height" => height,
    "log-location" => log_location,
    "statistics" => statistics,
    "post-messages" => post_messages,
    "queue-size" => queue_size,
    "overflow" => overflow,
    "workers" => workers,
    "on-error" => on_error,
    "on-exists" => on_exists,
    "drain-timeout" => drain_timeout,
    "gpu-id" => gpu_id,
    "unique-id" => unique_id,
}

/// The value of a readable property.
pub fn get(settings: &Settings, stats: &Stats, name: &str) -> Option<glib::Value> {
    match name {
        "stats" => Some(stats.snapshot().to_structure().to_value()),
        "stats-json" => Some(stats.snapshot().to_json().to_value()),
        "captured" => Some(stats.total().captured.to_value()),
        "dropped" => Some(stats.total().dropped.to_value()),
        "failed" => Some(stats.total().failed.to_value()),
        "pending" => Some(stats.total().pending.to_value()),
        _ => setting(settings, name),
    }
}
