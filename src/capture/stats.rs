// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What became of every frame: `seen = captured + not-selected + dropped + failed + pending`.
//!
//! No locks: the streaming thread counts what it decides, workers count what they settle, and the
//! rest follows. A frame counts as selected before it can be settled, and a reader looks at the
//! settled ones first, so `pending` is never negative and the sum holds at every moment. A frame
//! that is held (for a pre-roll, or as an object's best so far) is pending too; let go of, it was
//! not selected.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use crate::channel::{self, Hub};
use crate::times::{Measured, Times};

use super::deliver::endpoint::stats::{EndpointSnapshot, EndpointStats};

/// How a selected frame ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    Captured,
    Failed,
    /// No room in the queue, by `overflow`.
    DroppedOverflow,
    /// A flush or a state change came while it waited for room.
    DroppedFlush,
    /// Still there when `drain-timeout` was over.
    DroppedTimeout,
    /// No room where it was to go, by `on-full`.
    DroppedFull,
}

/// The counters of one stream.
#[derive(Debug, Default)]
pub struct StreamStats {
    not_selected: AtomicU64,
    selected: AtomicU64,
    let_go: AtomicU64,
    captured: AtomicU64,
    failed: AtomicU64,
    dropped_overflow: AtomicU64,
    dropped_flush: AtomicU64,
    dropped_timeout: AtomicU64,
    dropped_full: AtomicU64,
    /// From the decision to being captured.
    capture_time: Times,
}

/// The counters at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Counts {
    pub seen: u64,
    pub not_selected: u64,
    pub selected: u64,
    pub captured: u64,
    pub failed: u64,
    pub dropped: u64,
    pub dropped_overflow: u64,
    pub dropped_flush: u64,
    pub dropped_timeout: u64,
    pub dropped_full: u64,
    pub pending: u64,
}

impl Counts {
    /// Names and values, as they appear in `stats`.
    pub fn fields(&self) -> [(&'static str, u64); 11] {
        [
            ("seen", self.seen),
            ("not-selected", self.not_selected),
            ("selected", self.selected),
            ("captured", self.captured),
            ("failed", self.failed),
            ("dropped", self.dropped),
            ("dropped-overflow", self.dropped_overflow),
            ("dropped-flush", self.dropped_flush),
            ("dropped-timeout", self.dropped_timeout),
            ("dropped-full", self.dropped_full),
            ("pending", self.pending),
        ]
    }

    /// How frames ended.
    pub fn fates(&self) -> [(&'static str, u64); 7] {
        [
            ("captured", self.captured),
            ("not-selected", self.not_selected),
            ("failed", self.failed),
            ("dropped-overflow", self.dropped_overflow),
            ("dropped-flush", self.dropped_flush),
            ("dropped-timeout", self.dropped_timeout),
            ("dropped-full", self.dropped_full),
        ]
    }

    pub fn add(&mut self, other: &Self) {
        self.seen += other.seen;
        self.not_selected += other.not_selected;
        self.selected += other.selected;
        self.captured += other.captured;
        self.failed += other.failed;
        self.dropped += other.dropped;
        self.dropped_overflow += other.dropped_overflow;
        self.dropped_flush += other.dropped_flush;
        self.dropped_timeout += other.dropped_timeout;
        self.dropped_full += other.dropped_full;
        self.pending += other.pending;
    }
}

impl StreamStats {
    pub fn count_not_selected(&self) {
        self.not_selected.fetch_add(1, Ordering::Relaxed);
    }

    fn settle(&self, fate: Fate, frames: u64) {
        let counter = match fate {
            Fate::Captured => &self.captured,
            Fate::Failed => &self.failed,
            Fate::DroppedOverflow => &self.dropped_overflow,
            Fate::DroppedFlush => &self.dropped_flush,
            Fate::DroppedTimeout => &self.dropped_timeout,
            Fate::DroppedFull => &self.dropped_full,
        };
        counter.fetch_add(frames, Ordering::Release);
    }

    pub fn counts(&self) -> Counts {
        // Settled first, see above.
        let captured = self.captured.load(Ordering::Acquire);
        let failed = self.failed.load(Ordering::Acquire);
        let dropped_overflow = self.dropped_overflow.load(Ordering::Acquire);
        let dropped_flush = self.dropped_flush.load(Ordering::Acquire);
        let dropped_timeout = self.dropped_timeout.load(Ordering::Acquire);
        let dropped_full = self.dropped_full.load(Ordering::Acquire);
        let let_go = self.let_go.load(Ordering::Acquire);
        let selected = self.selected.load(Ordering::Acquire) - let_go;
        let not_selected = self.not_selected.load(Ordering::Relaxed) + let_go;
        let dropped = dropped_overflow + dropped_flush + dropped_timeout + dropped_full;
        Counts {
            seen: not_selected + selected,
            not_selected,
            selected,
            captured,
            failed,
            dropped,
            dropped_overflow,
            dropped_flush,
            dropped_timeout,
            dropped_full,
            pending: selected - captured - failed - dropped,
        }
    }
}

/// One frame that is selected, or kept in case it will be. Dropped, it was not selected after all.
#[derive(Debug)]
pub struct Hold {
    /// Taken out when the frame gets its ticket.
    stream: Option<Arc<StreamStats>>,
}

impl Hold {
    pub fn new(stream: &Arc<StreamStats>) -> Self {
        stream.selected.fetch_add(1, Ordering::Release);
        Self {
            stream: Some(stream.clone()),
        }
    }

    /// The frame could not be taken.
    pub fn fail(self) {
        drop(Ticket::new([self]));
    }

    /// There is no room to take the frame to.
    pub fn drop_full(self) {
        Ticket::new([self]).settle(Fate::DroppedFull);
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        if let Some(stream) = &self.stream {
            stream.let_go.fetch_add(1, Ordering::Release);
        }
    }
}

/// Selected frames of one stream that go together, from the decision to their end. Each is settled
/// exactly once: by the first who says so, and as failed if it is let go without a word.
#[derive(Debug)]
pub struct Ticket {
    stream: Option<Arc<StreamStats>>,
    decided: Instant,
    /// Frames that are not settled.
    left: AtomicU64,
}

impl Ticket {
    pub fn new(holds: impl IntoIterator<Item = Hold>) -> Self {
        let mut stream = None;
        let mut left = 0;
        for mut hold in holds {
            stream = hold.stream.take();
            left += 1;
        }
        Self {
            stream,
            decided: Instant::now(),
            left: AtomicU64::new(left),
        }
    }

    fn count(&self, fate: Fate, frames: u64) {
        if let Some(stream) = self.stream.as_ref().filter(|_| frames > 0) {
            if fate == Fate::Captured {
                let time = self.decided.elapsed();
                stream.capture_time.record_all(time, frames);
            }
            stream.settle(fate, frames);
        }
    }

    /// Settles all frames that are not settled. Returns how many this call decided.
    pub fn settle(&self, fate: Fate) -> u64 {
        let frames = self.left.swap(0, Ordering::AcqRel);
        self.count(fate, frames);
        frames
    }

    /// Settles one frame. Returns false if none was left.
    pub fn settle_one(&self, fate: Fate) -> bool {
        let less = |left: u64| left.checked_sub(1);
        let settled = self
            .left
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, less)
            .is_ok();
        self.count(fate, u64::from(settled));
        settled
    }

    pub fn is_settled(&self) -> bool {
        self.left.load(Ordering::Acquire) == 0
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.settle(Fate::Failed);
    }
}

/// All counters of one run of the element.
#[derive(Debug)]
pub struct Stats {
    streams: RwLock<Vec<(u32, Arc<StreamStats>)>>,
    /// Files committed, and their bytes.
    pub pictures: AtomicU64,
    pub bytes: AtomicU64,
    /// Files that got a suffix because their name was taken.
    pub renamed: AtomicU64,
    /// Pictures deleted to make room.
    pub rotated: AtomicU64,
    /// Objects without a picture of their own, as their boxes are none or not in the frame.
    pub objects_skipped: AtomicU64,
    /// Torn last lines of an earlier run cut off the log.
    pub log_repairs: AtomicU64,
    /// Objects that the format of the label files cannot hold.
    pub labels_left_out: AtomicU64,
    /// Malformed parts of the metadata that were passed over.
    pub metadata_left_out: AtomicU64,
    /// Frames that did not match because the condition could not be evaluated for them.
    pub condition_errors: AtomicU64,
    /// In the order in which they were opened.
    channels: Mutex<Vec<(String, Arc<Hub>)>>,
    endpoint: OnceLock<Arc<EndpointStats>>,
    /// Microseconds from frame to bytes.
    encode_time: Mutex<Histogram<u32>>,
    encode_times: Times,
    /// Where they can be watched, if anywhere.
    monitor_url: OnceLock<String>,
    started: Instant,
}

/// [`Stats`] at one moment.
#[derive(Debug, Clone, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Snapshot {
    #[serde(flatten)]
    pub total: Counts,
    pub pictures: u64,
    pub bytes: u64,
    pub renamed: u64,
    pub rotated: u64,
    pub objects_skipped: u64,
    pub log_repairs: u64,
    pub labels_left_out: u64,
    pub metadata_left_out: u64,
    pub condition_errors: u64,
    /// Frames per second since the start.
    pub seen_rate: f64,
    pub captured_rate: f64,
    /// ns.
    pub encode_time_p50: u64,
    pub encode_time_p99: u64,
    /// Where they can be watched, if anywhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub monitor_url: Option<String>,
    pub streams: Vec<StreamSnapshot>,
    pub channels: Vec<ChannelSnapshot>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<EndpointSnapshot>,
}

/// A channel, summed over all readers that it had.
#[derive(Debug, Clone, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct ChannelSnapshot {
    pub name: String,
    /// That it has now.
    pub readers: u64,
    #[serde(flatten)]
    pub counts: channel::Counts,
    /// Frames that no reader was there for.
    pub unread: u64,
}

impl ChannelSnapshot {
    pub fn add(&mut self, other: &Self) {
        self.readers += other.readers;
        self.counts.sent += other.counts.sent;
        self.counts.received += other.counts.received;
        self.counts.dropped += other.counts.dropped;
        self.counts.in_flight += other.counts.in_flight;
        self.unread += other.unread;
    }
}

#[derive(Debug, Clone, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct StreamSnapshot {
    pub stream: u32,
    #[serde(flatten)]
    pub counts: Counts,
}

impl Default for Stats {
    fn default() -> Self {
        // Up to an hour in two significant digits.
        let encode_time = Histogram::new_with_bounds(1, 3_600_000_000, 2)
            .expect("bounds and digits are within the histogram's limits");
        Self {
            streams: RwLock::default(),
            pictures: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            renamed: AtomicU64::new(0),
            rotated: AtomicU64::new(0),
            objects_skipped: AtomicU64::new(0),
            log_repairs: AtomicU64::new(0),
            labels_left_out: AtomicU64::new(0),
            metadata_left_out: AtomicU64::new(0),
            condition_errors: AtomicU64::new(0),
            channels: Mutex::default(),
            endpoint: OnceLock::new(),
            encode_time: Mutex::new(encode_time),
            encode_times: Times::default(),
            monitor_url: OnceLock::new(),
            started: Instant::now(),
        }
    }
}

impl Stats {
    /// The counters of a stream, made at its first frame.
    pub fn stream(&self, stream: u32) -> Arc<StreamStats> {
        let mut streams = self.streams.write().unwrap_or_else(PoisonError::into_inner);
        match streams.binary_search_by_key(&stream, |(id, _)| *id) {
            Ok(at) => streams[at].1.clone(),
            Err(at) => {
                let stats = Arc::<StreamStats>::default();
                streams.insert(at, (stream, stats.clone()));
                stats
            }
        }
    }

    pub fn count_left_out(&self, parts: u64) {
        if parts > 0 {
            self.metadata_left_out.fetch_add(parts, Ordering::Relaxed);
        }
    }

    pub fn add_channel(&self, name: &str, hub: Arc<Hub>) {
        self.channels().push((name.to_owned(), hub));
    }

    fn channels(&self) -> MutexGuard<'_, Vec<(String, Arc<Hub>)>> {
        self.channels.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn set_monitor_url(&self, url: String) {
        // Once for each run.
        let _ = self.monitor_url.set(url);
    }

    pub fn encode_times(&self) -> Measured {
        self.encode_times.measured()
    }

    /// From the decision to being captured, over all streams.
    pub fn capture_times(&self) -> Measured {
        let mut all = Measured::default();
        let streams = self.streams.read().unwrap_or_else(PoisonError::into_inner);
        for (_, stream) in streams.iter() {
            all.add(&stream.capture_time.measured());
        }
        all
    }

    /// Those of the endpoint, made when there is one.
    pub fn endpoint(&self) -> Arc<EndpointStats> {
        self.endpoint.get_or_init(Arc::default).clone()
    }

    pub fn record_encode_time(&self, time: Duration) {
        self.encode_times.record(time);
        let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX).max(1);
        self.encode_time
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .saturating_record(micros);
    }

    pub fn total(&self) -> Counts {
        let mut total = Counts::default();
        for (_, stream) in self
            .streams
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .iter()
        {
            total.add(&stream.counts());
        }
        total
    }

    pub fn snapshot(&self) -> Snapshot {
        let streams: Vec<_> = self
            .streams
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .iter()
            .map(|(stream, stats)| StreamSnapshot {
                stream: *stream,
                counts: stats.counts(),
            })
            .collect();
        let channel = |(name, hub): &(String, Arc<Hub>)| ChannelSnapshot {
            name: name.clone(),
            readers: hub.readers() as u64,
            counts: hub.counts(),
            unread: hub.unread(),
        };
        let channels = self.channels().iter().map(channel).collect();
        let channels_left_out: u64 = self.channels().iter().map(|(_, hub)| hub.left_out()).sum();
        let mut total = Counts::default();
        for stream in &streams {
            total.add(&stream.counts);
        }
        let seconds = self.started.elapsed().as_secs_f64().max(1e-9);
        let encode_time = self
            .encode_time
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        Snapshot {
            total,
            pictures: self.pictures.load(Ordering::Relaxed),
            bytes: self.bytes.load(Ordering::Relaxed),
            renamed: self.renamed.load(Ordering::Relaxed),
            rotated: self.rotated.load(Ordering::Relaxed),
            objects_skipped: self.objects_skipped.load(Ordering::Relaxed),
            log_repairs: self.log_repairs.load(Ordering::Relaxed),
            labels_left_out: self.labels_left_out.load(Ordering::Relaxed),
            metadata_left_out: self.metadata_left_out.load(Ordering::Relaxed) + channels_left_out,
            condition_errors: self.condition_errors.load(Ordering::Relaxed),
            seen_rate: total.seen as f64 / seconds,
            captured_rate: total.captured as f64 / seconds,
            encode_time_p50: encode_time.value_at_quantile(0.5) * 1000,
            encode_time_p99: encode_time.value_at_quantile(0.99) * 1000,
            monitor_url: self.monitor_url.get().cloned(),
            streams,
            channels,
            endpoint: self.endpoint.get().map(|endpoint| endpoint.snapshot()),
        }
    }
}

impl Snapshot {
    pub fn to_structure(&self) -> gst::Structure {
        let streams = self.streams.iter().map(|stream| {
            let mut structure = gst::Structure::builder("stream").field("stream", stream.stream);
            for (name, value) in stream.counts.fields() {
                structure = structure.field(name, value);
            }
            structure.build()
        });
        let streams: gst::List = streams
            .map(|s| glib::value::ToSendValue::to_send_value(&s))
            .collect();
        let channels = self.channels.iter().map(|channel| {
            let counts = &channel.counts;
            gst::Structure::builder("channel")
                .field("name", &channel.name)
                .field("readers", channel.readers)
                .field("sent", counts.sent)
                .field("received", counts.received)
                .field("dropped", counts.dropped)
                .field("in-flight", counts.in_flight)
                .field("unread", channel.unread)
                .build()
        });
        let channels: gst::List = channels
            .map(|s| glib::value::ToSendValue::to_send_value(&s))
            .collect();
        let mut structure = gst::Structure::builder("dsframecapture-stats");
        for (name, value) in self.total.fields() {
            structure = structure.field(name, value);
        }
        if let Some(url) = &self.monitor_url {
            structure = structure.field("monitor-url", url);
        }
        if let Some(endpoint) = &self.endpoint {
            structure = structure.field("endpoint", endpoint.to_structure());
        }
        structure
            .field("pictures", self.pictures)
            .field("bytes", self.bytes)
            .field("renamed", self.renamed)
            .field("rotated", self.rotated)
            .field("objects-skipped", self.objects_skipped)
            .field("log-repairs", self.log_repairs)
            .field("labels-left-out", self.labels_left_out)
            .field("metadata-left-out", self.metadata_left_out)
            .field("condition-errors", self.condition_errors)
            .field("seen-rate", self.seen_rate)
            .field("captured-rate", self.captured_rate)
            .field("encode-time-p50", self.encode_time_p50)
            .field("encode-time-p99", self.encode_time_p99)
            .field("streams", streams)
            .field("channels", channels)
            .build()
    }

    pub fn to_json(&self) -> String {
        // Numbers, a list and fixed keys: nothing in it can fail to serialise.
        serde_json::to_string(self).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_frame_is_accounted_for_at_every_moment() {
        let stats = Arc::new(Stats::default());
        let stream = stats.stream(0);
        let settler = std::thread::spawn({
            let stream = stream.clone();
            move || {
                for n in 0..20_000 {
                    match n % 4 {
                        0 => stream.count_not_selected(),
                        1 => drop(Ticket::new([Hold::new(&stream)])),
                        2 => drop(Hold::new(&stream)),
                        _ => {
                            let pair = Ticket::new([Hold::new(&stream), Hold::new(&stream)]);
                            assert!(pair.settle_one(Fate::Captured));
                            assert_eq!(pair.settle(Fate::DroppedFlush), 1);
                        }
                    }
                }
            }
        });
        while !settler.is_finished() {
            let c = stats.total();
            // Overflows, which is checked here, if anything was settled before it was selected.
            assert_eq!(
                c.seen,
                c.captured + c.not_selected + c.dropped + c.failed + c.pending
            );
        }
        settler.join().unwrap();
        let c = stats.total();
        assert_eq!((c.seen, c.pending), (25_000, 0));
        assert_eq!((c.captured, c.failed, c.dropped), (5_000, 5_000, 5_000));
        assert_eq!(c.not_selected, 10_000);
    }

    #[test]
    fn a_fate_is_decided_once() {
        let stats = Stats::default();
        let ticket = Ticket::new([Hold::new(&stats.stream(3))]);
        assert_eq!(ticket.settle(Fate::DroppedTimeout), 1);
        assert_eq!(ticket.settle(Fate::Captured), 0);
        assert!(!ticket.settle_one(Fate::Captured));
        drop(ticket);
        let snapshot = stats.snapshot();
        assert_eq!(snapshot.streams[0].stream, 3);
        assert_eq!(snapshot.total.dropped_timeout, 1);
        assert_eq!(snapshot.total.captured + snapshot.total.failed, 0);
    }

    #[test]
    fn both_forms_have_the_same_fields() {
        gst::init().unwrap();
        let stats = Stats::default();
        stats.stream(1).count_not_selected();
        stats.set_monitor_url("http://127.0.0.1:1/".into());
        stats.endpoint();
        let snapshot = stats.snapshot();
        let structure = snapshot.to_structure();
        let json: serde_json::Value = serde_json::from_str(&snapshot.to_json()).unwrap();
        let mut keys: Vec<_> = json.as_object().unwrap().keys().cloned().collect();
        let mut fields: Vec<_> = structure.fields().map(|f| f.to_string()).collect();
        keys.sort();
        fields.sort();
        assert_eq!(keys, fields);
        assert_eq!(json["streams"][0]["not-selected"], 1);
        let inner = structure.get::<gst::Structure>("endpoint").unwrap();
        let of_json = json["endpoint"].as_object().unwrap();
        assert_eq!(inner.n_fields(), of_json.len());
        assert!(
            inner
                .fields()
                .all(|field| of_json.contains_key(field.as_str()))
        );
        assert!(Stats::default().snapshot().endpoint.is_none());
    }
}
