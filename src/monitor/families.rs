// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The metrics: their names, their kinds and what they mean. Names and labels are a contract.

/// As Prometheus tells them apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Counter,
    Gauge,
    Histogram,
}

impl Kind {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
pub struct Family {
    pub name: &'static str,
    pub kind: Kind,
    /// In this order.
    pub labels: &'static [&'static str],
    pub help: &'static str,
}

macro_rules! families {
    ($($id:ident: $kind:ident $name:literal [$($label:literal),*] $help:literal;)*) => {
        $(pub static $id: Family = Family {
            name: $name,
            kind: Kind::$kind,
            labels: &[$($label),*],
            help: $help,
        };)*

        /// All of them, in the order in which they are written.
        pub static ALL: &[&Family] = &[$(&$id),*];
    };
}

families! {
    FRAMES: Counter "dsframe_frames_total" ["element", "stream", "fate"]
        "Frames by what became of them. With dsframe_frames_pending they are those of dsframe_frames_seen_total.";
    SEEN: Counter "dsframe_frames_seen_total" ["element", "stream"]
        "Frames that came to a capture.";
    PENDING: Gauge "dsframe_frames_pending" ["element", "stream"]
        "Frames that are selected, or held in case they will be, and not settled.";
    PICTURES: Counter "dsframe_pictures_total" ["element"]
        "Pictures that got their names.";
    PICTURE_BYTES: Counter "dsframe_picture_bytes_total" ["element"]
        "Bytes of these pictures.";
    RENAMED: Counter "dsframe_pictures_renamed_total" ["element"]
        "Pictures that got a suffix, as their name was taken.";
    OBJECTS_SKIPPED: Counter "dsframe_objects_skipped_total" ["element"]
        "Objects without a picture of their own, as their boxes are none or not in the frame.";
    LABELS_LEFT_OUT: Counter "dsframe_labels_left_out_total" ["element"]
        "Objects that the format of the label files cannot hold.";
    METADATA_LEFT_OUT: Counter "dsframe_metadata_left_out_total" ["element"]
        "Malformed parts of the metadata that were passed over.";
    CONDITION_ERRORS: Counter "dsframe_condition_errors_total" ["element"]
        "Frames that did not match because the condition could not be evaluated for them.";
    LOG_REPAIRS: Counter "dsframe_log_repairs_total" ["element"]
        "Torn last lines of an earlier run that were cut off the log.";
    QUEUE: Gauge "dsframe_queue_jobs" ["element"]
        "Jobs that are accepted and not committed.";
    QUEUE_BOUND: Gauge "dsframe_queue_jobs_max" ["element"]
        "How many of them there may be, by queue-size.";
    ENCODE_TIME: Histogram "dsframe_encode_seconds" ["element"]
        "Time from the pixels of a frame to the bytes of its pictures.";
    CAPTURE_TIME: Histogram "dsframe_capture_seconds" ["element"]
        "Time from the decision to take a frame to its being captured.";
    CHANNEL_READERS: Gauge "dsframe_channel_readers" ["element", "channel"]
        "Readers that a channel has.";
    CHANNEL_FRAMES: Counter "dsframe_channel_frames_total" ["element", "channel", "fate"]
        "Frames of a channel by what became of them: sent is for each reader, and received or dropped after it; unread had no reader.";
    CHANNEL_IN_FLIGHT: Gauge "dsframe_channel_in_flight" ["element", "channel"]
        "Frames that readers have not received yet.";
    NOT_SHOWN: Counter "dsframe_captures_not_shown_total" ["element"]
        "Captures that are not on the page, as there were too many in a second.";
    INJECTED: Counter "dsframe_injected_frames_total" ["element"]
        "Frames that an injector pushed.";
    INJECTED_BYTES: Counter "dsframe_injected_bytes_total" ["element"]
        "Bytes of these frames.";
    INJECT_SKIPPED: Counter "dsframe_inject_skipped_total" ["element"]
        "Bad frames that were passed over, by on-error=skip.";
    INJECT_REPEATED: Counter "dsframe_inject_repeated_total" ["element"]
        "Frames that were pushed again, by on-timeout=repeat.";
    INJECT_TIMEOUTS: Counter "dsframe_inject_timeouts_total" ["element"]
        "How often nothing came for as long as timeout says.";
    INJECT_WAITING: Counter "dsframe_inject_waiting_seconds_total" ["element"]
        "Time that an injector waited for its source.";
    GPU_MEMORY: Gauge "dsframe_gpu_memory_bytes" ["gpu", "kind"]
        "Memory of a GPU that this process uses, by whomever it is taken.";
    BUILD: Gauge "dsframe_build_info" ["version"]
        "1, for the version in its label.";
}
