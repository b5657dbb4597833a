// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The properties: what they are called, what they may be and what they mean.

use std::sync::LazyLock;

use glib::prelude::*;

use crate::config_file::Store;
use crate::properties::{bytes, choice, clock, counter, flag, int, share, text, time, uint};

use super::config::Settings;
use super::stats::Stats;

pub static PROPERTIES: LazyLock<Vec<glib::ParamSpec>> = LazyLock::new(|| {
    use gst::prelude::GstParamSpecBuilderExt;
    let d = Settings::default();
    const ANY: (u32, u32) = (0, u32::MAX);
    const SIDE: (u32, u32) = (0, 65_535);
    vec![
        choice("mode", "Mode", "What makes a frame one to capture", d.mode),
        uint("interval", "Interval", "Capture every so many frames of each stream, the first included; 1 is all, 0 is automatic: 30 for pictures, 1 where no location is set", ANY, d.interval),
        time("interval-time", "Interval time", "Capture one frame of each stream for so much stream time, in ns, instead of counting frames; 0 is off", d.interval_time),
        clock("start-time", "Start time", "Stream time in ns before which nothing is captured; unset by default"),
        clock("stop-time", "Stop time", "Stream time in ns from which on nothing is captured; unset by default"),
        glib::ParamSpecUInt64::builder("max-captures").nick("Max captures").blurb("Triggered captures, all streams together, after which no further frame is selected; their pre-roll and post-roll come besides. 0 is no limit").default_value(d.max_captures).mutable_ready().build(),
        flag("eos-after-max", "EOS after max", "Post an EOS message once max-captures are committed, which ends a pipeline that has no other sink", d.eos_after_max),
        text("streams", "Streams", "Streams to capture, such as 0,3; all by default", None),
        int("min-objects", "Min objects", "Detections that must match at least; with max-objects=0, 0 takes the frames without any", (0, i32::MAX), d.min_objects.unwrap_or(1)),
        int("max-objects", "Max objects", "Detections that may match at most; -1 is no limit", (-1, i32::MAX), d.max_objects),
        text("classes", "Classes", "Labels and class ids that match, such as person,car,2; all by default", None),
        int("operate-on-gie-id", "Operate on GIE id", "Only detections of the component with this gie-unique-id match; -1 is all", (-1, i32::MAX), d.operate_on_gie_id),
        share("min-confidence", "Min confidence", "Detections that are less sure do not match; 0 to 1", 1.0, d.min_confidence),
        share("max-confidence", "Max confidence", "Detections that are more sure do not match, to find the doubtful ones; 0 to 1", 1.0, d.max_confidence),
        choice("unknown-confidence", "Unknown confidence", "Whether detections match that no detector gave a confidence, where min-confidence or max-confidence is set", d.unknown_confidence),
        text("roi", "Region of interest", "Only detections in this part of the picture match: x,y,w,h, fractions of the picture if all four are at most 1, else pixels", None),
        share("roi-coverage", "ROI coverage", "How much of a box must be in the roi; 0 to 1, where 0 is any of it", 1.0, d.roi_coverage),
        text("min-object-size", "Min object size", "Detections that are smaller do not match: WxH in pixels", None),
        text("max-object-size", "Max object size", "Detections that are larger do not match: WxH in pixels", None),
        text("condition", "Condition", "What a frame must satisfy besides: a CEL expression over its detections, such as count >= 3 && max_confidence > 0.8", None),
        time("cooldown", "Cooldown", "Least stream time between captures of a stream by metadata, in ns; 0 is off", d.cooldown),
        choice("dedupe", "Dedupe", "Which frames of a tracked object to capture", d.dedupe),
        time("best-window", "Best window", "For how much stream time after an object appears its best frame is looked for, in ns; needed by dedupe=best", d.best_window),
        uint("pre-roll", "Pre-roll", "Frames to capture before each trigger", ANY, d.pre_roll),
        uint("post-roll", "Post-roll", "Frames to capture after each trigger", ANY, d.post_roll),
        time("pre-roll-time", "Pre-roll time", "Stream time before each trigger whose frames to capture, in ns", d.pre_roll_time),
        time("post-roll-time", "Post-roll time", "Stream time after each trigger whose frames to capture, in ns", d.post_roll_time),
        glib::ParamSpecUInt64::builder("roll-max-bytes").nick("Roll max bytes").blurb("Bytes of frames and what is known about them that pre-roll and dedupe=best may hold, all streams together; the oldest frames go first").default_value(d.roll_max_bytes).mutable_ready().build(),
        text("location", "Location", "Template of the file names: %06d is the number of the capture, {stream} {frame} {pts} {utc} {label} {track} {reason} and the like what they say, {frame:06} padded; no pictures if unset", None),
        choice("encoding", "Encoding", "What the pictures are written as", d.encoding),
        uint("quality", "Quality", "Quality of JPEG pictures", (1, 100), d.quality),
        choice("subsampling", "Subsampling", "Chroma of JPEG pictures", d.subsampling),
        uint("width", "Width", "Width of the pictures in pixels; 0 keeps it, or the aspect ratio if height is set", SIDE, d.width),
        uint("height", "Height", "Height of the pictures in pixels; 0 keeps it, or the aspect ratio if width is set", SIDE, d.height),
        choice("crop", "Crop", "What of the frame becomes a picture; with objects, {object} or {seq} in location gives each a name of its own, instead of -2, -3 and so on", d.crop),
        share("crop-padding", "Crop padding", "How much to add to each side of a crop, as a share of the box's width and height", 10.0, d.crop_padding),
        flag("crop-square", "Crop square", "Make crops as wide as high, by the longer side", d.crop_square),
        text("crop-min-size", "Crop min size", "Crops of smaller objects show as much of what is around them: WxH in pixels of the frame", None),
        choice("annotate", "Annotate", "Whether boxes and labels are drawn into the pictures; with both, the drawn one has -annotated before its suffix. The objects that match have the wider lines", d.annotate),
        choice("labels", "Labels", "What label files to write", d.labels),
        text("labels-location", "Labels location", "Where the label files go: a template as location for one of each picture, beside it if unset; for coco the file, for mot a template of {stream}, {pad} and {sensor}, and both must be set", None),
        text("log-location", "Log location", "File that gets one line of JSON per capture; none if unset", None),
        flag("statistics", "Statistics", "Log mean and standard deviation of the RGB picture's intensity, and its sharpness", d.statistics),
        text("channel", "Channel", "Named channel to send whole frames into, for dsframeinject channel=: a name in this process, unix:/path across processes; {stream}, {pad} and {sensor} open one for each source of a batch", None),
        uint("channel-size", "Channel size", "Frames on their way to each reader of the channel at most; then overflow decides", (1, 1_000_000), d.channel_size),
        choice("channel-access", "Channel access", "Who may read a channel across processes", d.channel_access),
        text("endpoint", "Endpoint", "HTTP or HTTPS address that each capture is posted to, such as https://host/captures; credentials go into endpoint-token-file", None),
        choice("endpoint-body", "Endpoint body", "What a request carries", d.endpoint_body),
        time("endpoint-timeout", "Endpoint timeout", "How long one attempt to post may take, in ns", d.endpoint_timeout),
        uint("endpoint-retries", "Endpoint retries", "How often a capture is posted again before it counts as failed; with endpoint-spool it is kept and posted later instead", (0, 1000), d.endpoint_retries),
        time("endpoint-delay", "Endpoint delay", "How long to wait before the first retry, in ns, give or take a quarter; a Retry-After of the server goes first", d.endpoint_delay),
        glib::ParamSpecFloat::builder("endpoint-backoff").nick("Endpoint backoff").blurb("How many times longer each further wait is").minimum(1.0).maximum(100.0).default_value(d.endpoint_backoff).mutable_ready().build(),
        uint("endpoint-breaker-threshold", "Endpoint breaker threshold", "Failed attempts in a row after which the server is left alone for endpoint-breaker-timeout; 0 is never", ANY, d.endpoint_breaker_threshold),
        time("endpoint-breaker-timeout", "Endpoint breaker timeout", "How long the server is left alone before it is tried again, in ns", d.endpoint_breaker_timeout),
        text("endpoint-token-file", "Endpoint token file", "File whose first line is sent as bearer token, or env:NAME for the environment variable NAME", None),
        text("endpoint-headers-file", "Endpoint headers file", "File with a header to send in each line, Name: value, or env:NAME for the environment variable NAME", None),
        text("endpoint-ca-file", "Endpoint CA file", "PEM file with the certificates to trust instead of the system's", None),
        text("endpoint-spool", "Endpoint spool", "Folder that keeps what cannot be posted now, also over a restart, until it can", None),
        glib::ParamSpecUInt64::builder("endpoint-spool-max-bytes").nick("Endpoint spool max bytes").blurb("Bytes that endpoint-spool may hold; beyond, captures are dropped and counted: the oldest with overflow=drop-oldest, which auto is when live, else the newest").default_value(d.endpoint_spool_max_bytes).mutable_ready().build(),
        flag("post-messages", "Post messages", "Post an element message dsframecapture-saved for each capture, 100 a second at most", d.post_messages),
        #[cfg(feature = "monitor")]
        text("monitor-address", "Monitor address", "Where to serve metrics and a live page of all elements of the process: a port for this machine only (8100; 0 is any that is free), or an IP address and a port (0.0.0.0:8100), where whoever reaches it sees the pictures", None),
        uint("queue-size", "Queue size", "Jobs that may wait for an encoder: captures, each with its pre-roll; a frame of a GPU waits in GPU memory", (1, 1_000_000), d.queue_size),
        choice("overflow", "Overflow", "What to do when the queue, or that of a channel's reader, is full; block also waits for a channel's first reader", d.overflow),
        uint("workers", "Workers", "Threads that encode and write; 0 is one for each core. Of a GPU's JPEGs twelve at most are made at once", (0, 1024), d.workers),
        choice("on-error", "On error", "What to do when a capture cannot be delivered", d.on_error),
        choice("on-exists", "On exists", "What to do about a file of an earlier run", d.on_exists),
        time("drain-timeout", "Drain timeout", "How long EOS and stopping may wait for what was accepted, in ns", d.drain_timeout),
        bytes("max-files", "Max files", "Pictures that there may be at location, those of earlier runs included; 0 is any number", d.max_files),
        bytes("max-bytes", "Max bytes", "Bytes that the pictures at location and their labels may take, those of earlier runs included; 0 is any number", d.max_bytes),
        bytes("min-free-bytes", "Min free bytes", "Bytes that are to stay free on the file system of location; 0 is off", d.min_free_bytes),
        bytes("min-free-gpu-bytes", "Min free GPU bytes", "Bytes that are to stay free on a GPU whose frames are captured: below, captures are dropped, or with on-full=stop an error is posted; 0 is off", d.min_free_gpu_bytes),
        choice("on-full", "On full", "What to do when max-files, max-bytes or min-free-bytes is reached; at min-free-gpu-bytes rotate drops", d.on_full),
        flag("fsync", "Fsync", "Have each file on the disk, not only in the system's memory, before its log line is written", d.fsync),
        glib::ParamSpecInt::builder("gpu-id").nick("GPU id").blurb("Number of the only GPU whose frames are taken, counted from 0 among the visible ones (CUDA_VISIBLE_DEVICES); frames of others are failures. -1 takes those of every GPU, each on its own").minimum(-1).default_value(d.gpu_id).mutable_ready().build(),
        uint("unique-id", "Unique id", "Stamped on the log lines, to tell several elements apart", ANY, d.unique_id),
        text("config-file-path", "Config file path", "YAML (.yml, .yaml) or INI file with properties in group property, and those of single streams in groups stream-N; properties set otherwise win", None),
        glib::ParamSpecInt::builder("trigger").nick("Trigger").blurb("Writing a stream number captures the next frame of that stream, -1 of all, in any mode").minimum(-1).default_value(-1).write_only().mutable_playing().build(),
        glib::ParamSpecBoxed::builder::<gst::Structure>("stats").nick("Statistics of the element").blurb("Frames by what became of them, since start: seen = captured + not-selected + dropped + failed + pending; pictures, bytes, rates per second, encode times in ns, and the same for each stream").read_only().build(),
        glib::ParamSpecString::builder("stats-json").nick("Statistics as JSON").blurb("The same as stats, as text").read_only().build(),
        counter("captured", "Captured", "Frames that were delivered, since start: their files and log line are written, or readers of a channel have them, or the endpoint where there is nothing else; stays at 4294967295"),
        counter("dropped", "Dropped", "Selected frames given up for want of room or time, or for a flush, since start; stays at 4294967295"),
        counter("failed", "Failed", "Selected frames that could not be encoded, written or posted, since start; stays at 4294967295"),
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
    "max-objects" => max_objects,
    "classes" => classes,
    "operate-on-gie-id" => operate_on_gie_id,
    "min-confidence" => min_confidence,
    "max-confidence" => max_confidence,
    "unknown-confidence" => unknown_confidence,
    "roi" => roi,
    "roi-coverage" => roi_coverage,
    "min-object-size" => min_object_size,
    "max-object-size" => max_object_size,
    "condition" => condition,
    "cooldown" => cooldown,
    "dedupe" => dedupe,
    "best-window" => best_window,
    "pre-roll" => pre_roll,
    "post-roll" => post_roll,
    "pre-roll-time" => pre_roll_time,
    "post-roll-time" => post_roll_time,
    "roll-max-bytes" => roll_max_bytes,
    "location" => location,
    "encoding" => encoding,
    "quality" => quality,
    "subsampling" => subsampling,
    "width" => width,
    "height" => height,
    "crop" => crop,
    "crop-padding" => crop_padding,
    "crop-square" => crop_square,
    "crop-min-size" => crop_min_size,
    "annotate" => annotate,
    "labels" => labels,
    "labels-location" => labels_location,
    "log-location" => log_location,
    "statistics" => statistics,
    "channel" => channel,
    "channel-size" => channel_size,
    "channel-access" => channel_access,
    "endpoint" => endpoint,
    "endpoint-body" => endpoint_body,
    "endpoint-timeout" => endpoint_timeout,
    "endpoint-retries" => endpoint_retries,
    "endpoint-delay" => endpoint_delay,
    "endpoint-backoff" => endpoint_backoff,
    "endpoint-breaker-threshold" => endpoint_breaker_threshold,
    "endpoint-breaker-timeout" => endpoint_breaker_timeout,
    "endpoint-token-file" => endpoint_token_file,
    "endpoint-headers-file" => endpoint_headers_file,
    "endpoint-ca-file" => endpoint_ca_file,
    "endpoint-spool" => endpoint_spool,
    "endpoint-spool-max-bytes" => endpoint_spool_max_bytes,
    "post-messages" => post_messages,
    "monitor-address" => monitor_address,
    "queue-size" => queue_size,
    "overflow" => overflow,
    "workers" => workers,
    "on-error" => on_error,
    "on-exists" => on_exists,
    "drain-timeout" => drain_timeout,
    "max-files" => max_files,
    "max-bytes" => max_bytes,
    "min-free-bytes" => min_free_bytes,
    "min-free-gpu-bytes" => min_free_gpu_bytes,
    "on-full" => on_full,
    "fsync" => fsync,
    "gpu-id" => gpu_id,
    "unique-id" => unique_id,
    "config-file-path" => config_file_path,
}

impl Store for Settings {
    fn store(&mut self, name: &str, value: &glib::Value) {
        match name {
            "min-objects" => self.min_objects = value.get().ok(),
            _ => {
                store(self, name, value);
            }
        }
    }

    fn stored(&self, name: &str) -> Option<glib::Value> {
        match name {
            // Whether it was set at all matters to mode=auto.
            "min-objects" => Some(self.min_objects.unwrap_or(1).to_value()),
            _ => setting(self, name),
        }
    }
}

/// As [`counter`] has it.
fn narrow(count: u64) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// The value of a readable property.
pub fn get(settings: &Settings, stats: &Stats, name: &str) -> Option<glib::Value> {
    match name {
        "stats" => Some(stats.snapshot().to_structure().to_value()),
        "stats-json" => Some(stats.snapshot().to_json().to_value()),
        "captured" => Some(narrow(stats.total().captured).to_value()),
        "dropped" => Some(narrow(stats.total().dropped).to_value()),
        "failed" => Some(narrow(stats.total().failed).to_value()),
        "pending" => Some(narrow(stats.total().pending).to_value()),
        _ => settings.stored(name),
    }
}
