// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! A run as others see it: its metrics, and its latest captures on the live page.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Instant;

use gst::prelude::*;

use crate::codec::Encoding;
use crate::fault::Fault;
use crate::monitor::gallery::{self, MAX_OBJECTS, MAX_PICTURE, MAX_PICTURES, Object, Picture};
use crate::monitor::{GALLERY, Notes, Registered, Report, Samples, Server, families};

use super::CAT;
use super::config::Config;
use super::deliver::endpoint::stats::EndpointSnapshot;
use super::deliver::message::Budget;
use super::job::Capture;
use super::picture::Subject;
use super::run::Run;
use super::stats::{ChannelSnapshot, Counts, Stats};

/// Captures of an element that are shown in a second, at most.
const SHOWN_PER_SECOND: u32 = 30;
/// Streams with metrics of their own: those that came first. The others are one.
const MAX_STREAMS: usize = 256;

/// What a run listens on, which is known before there is a run.
pub struct Listening {
    server: Option<Arc<Server>>,
    warning: Option<Fault>,
}

impl Listening {
    pub fn begin(config: &Config) -> Result<Self, Fault> {
        let Some(listen) = config.monitor else {
            return Ok(Self {
                server: None,
                warning: None,
            });
        };
        let (server, is_new) = Server::get(listen).map_err(|error| Fault::from(&error))?;
        let text = format!(
            "whoever reaches {} sees the pictures: there is no password, and nothing is encrypted",
            listen.0
        );
        let warning = (is_new && !listen.is_local())
            .then(|| Fault::resource(gst::ResourceError::Settings, text));
        Ok(Self {
            server: Some(server),
            warning,
        })
    }
}

/// A run is watched until this is dropped.
pub struct Watch {
    // First, as what it shows is to be gone when the server is.
    _registered: Registered,
    _server: Option<Arc<Server>>,
}

impl Watch {
    /// Joins the server's thread, if this was the last to use it.
    pub fn end(self) {}

    /// Says where, by the element message `dsframecapture-monitor` with the field `url`.
    pub fn begin(
        listening: Listening,
        element: &gst::Element,
        run: &Arc<Run>,
        stats: &Arc<Stats>,
    ) -> Self {
        let not_shown = Arc::<AtomicU64>::default();
        let report = CaptureReport {
            stats: stats.clone(),
            run: Arc::downgrade(run),
            own: OwnStreams::default(),
            not_shown: not_shown.clone(),
        };
        let registered = Registered::new(&element.name(), "capture", Arc::new(report));
        run.worker.process().show(Viewer {
            element: registered.name().clone(),
            budget: Mutex::new(Budget::new(SHOWN_PER_SECOND)),
            not_shown,
        });
        if let Some(server) = &listening.server {
            let url = server.url();
            gst::info!(CAT, obj = element, "metrics and live page at {url}");
            stats.set_monitor_url(url.clone());
            let structure = gst::Structure::builder("dsframecapture-monitor")
                .field("url", url)
                .build();
            let message = gst::message::Element::builder(structure).src(element);
            // Without a bus there is nobody to tell.
            let _ = element.post_message(message.build());
        }
        if let Some(warning) = listening.warning {
            warning.post_warning(element);
        }
        Self {
            _registered: registered,
            _server: listening.server,
        }
    }
}

/// Which streams have metrics of their own. One that has them keeps them: its counters would end
/// else, and those of the others jump.
#[derive(Debug, Default)]
struct OwnStreams(Mutex<BTreeSet<u32>>);

impl OwnStreams {
    fn has(&self, stream: u32) -> bool {
        let mut own = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        own.contains(&stream) || (own.len() < MAX_STREAMS && own.insert(stream))
    }
}

struct CaptureReport {
    stats: Arc<Stats>,
    run: Weak<Run>,
    own: OwnStreams,
    not_shown: Arc<AtomicU64>,
}

fn add_counts(samples: &mut Samples, element: &str, stream: &str, counts: &Counts) {
    samples.count(&families::SEEN, [element, stream], counts.seen);
    samples.count(&families::PENDING, [element, stream], counts.pending);
    for (fate, frames) in counts.fates() {
        samples.count(&families::FRAMES, [element, stream, fate], frames);
    }
}

impl CaptureReport {
    fn add_endpoint(&self, element: &str, samples: &mut Samples, endpoint: &EndpointSnapshot) {
        for (fate, posts) in [
            ("posted", endpoint.posted),
            ("failed", endpoint.failed),
            ("dropped", endpoint.dropped),
        ] {
            samples.count(&families::POSTS, [element, fate], posts);
        }
        let of_endpoint = self.stats.endpoint();
        let breaker = of_endpoint.phase() as u64;
        for (family, value) in [
            (&families::POST_RETRIES, endpoint.retries),
            (&families::POST_BYTES, endpoint.bytes),
            (&families::POSTS_WAITING, endpoint.waiting),
            (&families::SPOOLED, endpoint.spooled),
            (&families::SPOOLED_BYTES, endpoint.spooled_bytes),
            (&families::BREAKER, breaker),
        ] {
            samples.count(family, [element], value);
        }
        let times = of_endpoint.times.measured();
        samples.times(&families::POST_TIME, [element], times);
    }
}

impl Report for CaptureReport {
    fn samples(&self, element: &str, samples: &mut Samples) {
        let stats = self.stats.snapshot();
        let mut others: Option<Counts> = None;
        for stream in &stats.streams {
            if self.own.has(stream.stream) {
                add_counts(samples, element, &stream.stream.to_string(), &stream.counts);
            } else {
                others.get_or_insert_default().add(&stream.counts);
            }
        }
        if let Some(others) = &others {
            add_counts(samples, element, "other", others);
        }
        for (family, value) in [
            (&families::PICTURES, stats.pictures),
            (&families::PICTURE_BYTES, stats.bytes),
            (&families::RENAMED, stats.renamed),
            (&families::ROTATED, stats.rotated),
            (&families::OBJECTS_SKIPPED, stats.objects_skipped),
            (&families::LABELS_LEFT_OUT, stats.labels_left_out),
            (&families::METADATA_LEFT_OUT, stats.metadata_left_out),
            (&families::CONDITION_ERRORS, stats.condition_errors),
            (&families::LOG_REPAIRS, stats.log_repairs),
            (&families::NOT_SHOWN, self.not_shown.load(Ordering::Relaxed)),
        ] {
            samples.count(family, [element], value);
        }
        if let Some(run) = self.run.upgrade() {
            samples.count(&families::QUEUE, [element], run.worker.left() as u64);
            let bound = run.config.queue_size as u64;
            samples.count(&families::QUEUE_BOUND, [element], bound);
        }
        let (encode, capture) = (self.stats.encode_times(), self.stats.capture_times());
        samples.times(&families::ENCODE_TIME, [element], encode);
        samples.times(&families::CAPTURE_TIME, [element], capture);
        if let Some(endpoint) = &stats.endpoint {
            self.add_endpoint(element, samples, endpoint);
        }
        // One that was closed and opened again is there twice.
        let mut channels = BTreeMap::<String, ChannelSnapshot>::new();
        for channel in stats.channels {
            let name = gallery::text(&channel.name);
            match channels.get_mut(&name) {
                Some(known) => known.add(&channel),
                None => {
                    channels.insert(name, channel);
                }
            }
        }
        for (name, channel) in &channels {
            let counts = &channel.counts;
            samples.count(&families::CHANNEL_READERS, [element, name], channel.readers);
            for (fate, frames) in [
                ("sent", counts.sent),
                ("received", counts.received),
                ("dropped", counts.dropped),
                ("unread", channel.unread),
            ] {
                samples.count(&families::CHANNEL_FRAMES, [element, name, fate], frames);
            }
            let in_flight = counts.in_flight;
            samples.count(&families::CHANNEL_IN_FLIGHT, [element, name], in_flight);
        }
    }

    /// Why the server of the endpoint is not posted to, as `endpoint`.
    fn notes(&self) -> Notes {
        let endpoint = self.stats.snapshot().endpoint;
        let trouble = endpoint.and_then(|snapshot| snapshot.trouble);
        trouble.map(|text| ("endpoint", text)).into_iter().collect()
    }
}

/// Puts captures on the page.
pub struct Viewer {
    element: Arc<str>,
    budget: Mutex<Budget>,
    not_shown: Arc<AtomicU64>,
}

/// What of a capture is going to be shown.
#[derive(Debug, Default)]
pub struct Shown {
    /// Once it is known whether it is shown.
    is_wanted: Option<bool>,
    pictures: Vec<Picture>,
    total: usize,
    note: Option<&'static str>,
}

impl Shown {
    fn is_wanted(&mut self, viewer: &Viewer) -> bool {
        *self.is_wanted.get_or_insert_with(|| {
            let mut budget = viewer.budget.lock().unwrap_or_else(PoisonError::into_inner);
            budget.spend(Instant::now()).is_some()
        })
    }

    /// A picture was made.
    pub fn add(
        &mut self,
        viewer: Option<&Viewer>,
        bytes: &[u8],
        encoding: Encoding,
        subject: Subject,
        annotated: bool,
    ) {
        let Some(viewer) = viewer.filter(|_| GALLERY.is_open()) else {
            return;
        };
        if !self.is_wanted(viewer) {
            return;
        }
        self.total += 1;
        let media_type = match encoding {
            Encoding::Jpeg => "image/jpeg",
            Encoding::Png => "image/png",
            Encoding::Npy | Encoding::Raw => {
                self.note = Some("Arrays and raw frames cannot be shown.");
                return;
            }
        };
        if bytes.len() > MAX_PICTURE {
            self.note = Some("This picture is too large to be shown.");
            return;
        }
        if self.pictures.len() < MAX_PICTURES {
            self.pictures.push(Picture {
                bytes: bytes.into(),
                media_type,
                object: match subject {
                    Subject::Frame => None,
                    Subject::Object(place) => Some(place),
                },
                annotated,
            });
        }
    }

    /// The capture is committed.
    pub fn show(mut self, viewer: Option<&Viewer>, capture: &Capture) {
        let Some(viewer) = viewer.filter(|_| GALLERY.is_open()) else {
            return;
        };
        if !self.is_wanted(viewer) {
            viewer.not_shown.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let facts = &capture.facts;
        let detections = &facts.meta.detections;
        let is_match = |place: &usize| facts.matches.contains(place);
        // What was asked for goes first, where there are too many.
        let matches = facts.matches.iter().copied();
        let places = matches.chain((0..detections.len()).filter(|place| !is_match(place)));
        let object = |place: usize| {
            let detection = detections.get(place)?;
            let bounds = &detection.bounds;
            Some(Object {
                place,
                label: gallery::text(&detection.label),
                confidence: detection.confidence,
                track: detection.track_id.map(|id| id.to_string()),
                matched: is_match(&place),
                bounds: [bounds.left, bounds.top, bounds.width, bounds.height],
            })
        };
        let sensor = facts.meta.sensor.as_deref();
        GALLERY.add(gallery::Capture {
            id: 0,
            element: viewer.element.clone(),
            stream: facts.stream,
            sensor: sensor.map(gallery::text),
            frame: facts.frame,
            number: facts.number,
            pts: facts.pts,
            time: facts.taken_at.to_string(),
            reason: facts.reason.as_str(),
            size: [capture.info.width(), capture.info.height()],
            objects: places.take(MAX_OBJECTS).filter_map(object).collect(),
            objects_total: detections.len(),
            matches_total: facts.matches.len(),
            pictures: self.pictures,
            pictures_total: self.total,
            note: self.note,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Streams are counted in the order of their ids, and may come in any.
    #[test]
    fn a_stream_with_metrics_of_its_own_keeps_them() {
        let own = OwnStreams::default();
        let last = 1000 + MAX_STREAMS as u32;
        assert!((1000..last - 1).all(|stream| own.has(stream)));
        // One place is left.
        assert!(own.has(7));
        assert!(!own.has(3) && !own.has(last));
        assert!((1000..last - 1).all(|stream| own.has(stream)));
        assert!(own.has(7) && !own.has(3));
    }
}
