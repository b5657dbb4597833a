// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Anything that GStreamer decodes: an inner pipeline does, and its pictures become frames.

mod picture;
mod pipeline;
mod plug;
mod reader;

use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use gst::prelude::*;
use gst::{ClockTime, glib};
use gst_video::VideoInfo;

use self::picture::{Done, Finish, Job};
use self::pipeline::Inner;
use self::reader::Reader;
use super::fit::Wish;
use super::{Facts, Next, Rate, Source, SourceError, Surroundings, Target};
use crate::inject::gate::Wait;
use crate::inject::prefetch::{Prefetch, Work};

/// More threads than this do not convert faster: they wait for the decoder.
const CONVERTERS: usize = 4;

/// Which frames of the media are wanted. Times are stream time of the media.
#[derive(Debug, Clone, Default)]
pub struct MediaOptions {
    /// The first frame is the first that begins here or later.
    pub start_time: Option<ClockTime>,
    /// Frames that begin here or later are not wanted.
    pub stop_time: Option<ClockTime>,
    /// For each k the first frame that begins at or after `start_time + k * sample_interval`; a
    /// frame that is the first for several of them comes once.
    pub sample_interval: Option<ClockTime>,
    /// Only frames that are decoded without others, and only they are decoded.
    pub key_frames_only: bool,
    pub pass_over: PassOver,
}

/// How the pictures between two samples are passed over. The frames are the same either way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum PassOver {
    /// Whatever is measured to be cheaper.
    #[default]
    Auto,
    Decoding,
    Seeking,
}

/// A source for the property `uri`.
///
/// The timestamps are those of the media, less the start of the window; in a loop the next pass
/// begins where the last frame of the pass before it ended. Media that do not know their rate, and
/// key frames alone, have the rate 0/1, GStreamer's sign for a variable one: any other number would
/// make downstream believe in a cadence that is not there.
///
/// Frames handed on without conversion are the decoder's own buffers, with the strides that their
/// video meta says.
pub struct Media {
    facts: Facts,
    surroundings: Surroundings,
    what: String,
    wish: Wish,
    prefetch: Option<Prefetch<Job, Done>>,
    reader: Arc<Mutex<Reader>>,
    // Last: what reads from the pipeline goes before it.
    inner: Inner,
}

impl Media {
    /// Waits for the first picture, on the gate; an interrupted wait is an error too.
    pub fn open(
        uri: &str,
        options: MediaOptions,
        surroundings: Surroundings,
    ) -> Result<Box<dyn Source>, SourceError> {
        let options = checked(options)?;
        let what = check_uri(uri)?;
        let inner = Inner::start(uri, &what, options.key_frames_only, &surroundings)?;
        inner.wait_for_video()?;
        let facts = facts(&inner, &what, &options)?;
        if surroundings.looping && !facts.seekable {
            return Err(SourceError::Settings {
                property: "loop",
                reason: format!("{what} cannot be started again: it is not seekable"),
            });
        }
        let fps = native_rate(&inner);
        let frame_duration = fps.and_then(|fps| {
            ClockTime::SECOND.mul_div_round(fps.denom() as u64, fps.numer() as u64)
        });
        let reader = Reader::new(
            inner.link(),
            inner.sink(),
            &what,
            &options,
            facts.seekable,
            surroundings.looping,
            frame_duration,
        );
        Ok(Box::new(Self {
            facts,
            surroundings,
            what,
            wish: Wish::default(),
            prefetch: None,
            reader: Arc::new(Mutex::new(reader)),
            inner,
        }))
    }

    fn start(&self) -> Result<Prefetch<Job, Done>, SourceError> {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let bound = self.surroundings.prefetch.max(1);
        let workers = (0..bound.min(cores).min(CONVERTERS))
            .map(|_| {
                Box::new(Finish::new(self.wish.clone(), self.what.clone()))
                    as Box<dyn Work<Job, Done>>
            })
            .collect();
        let gate = self.inner.link().gate.clone();
        gate.set_flushing(false);
        let reader = self.reader.clone();
        Prefetch::spawn(
            "media",
            self.surroundings.gate.clone(),
            bound,
            Box::new(move || reader.lock().ok()?.next()),
            workers,
            || {
                Err(SourceError::Internal(
                    "converting a picture failed".to_owned(),
                ))
            },
            Box::new(move || gate.set_flushing(true)),
        )
        .map_err(|e| SourceError::Internal(format!("no threads: {e}")))
    }
}

impl Source for Media {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn set_target(&mut self, target: &Target) -> Result<(), SourceError> {
        self.wish.set(target)
    }

    fn next(&mut self, limit: Option<Duration>) -> Result<Next, SourceError> {
        if self.prefetch.is_none() {
            self.prefetch = Some(self.start()?);
        }
        let Some(prefetch) = &self.prefetch else {
            return Ok(Next::End);
        };
        match prefetch.next(limit) {
            Wait::Ready(Some(fetched)) => fetched.map(Next::Frame),
            Wait::Ready(None) => Ok(Next::End),
            Wait::Flushing => Ok(Next::Flushing),
            Wait::TimedOut => Ok(Next::TimedOut),
        }
    }

    fn seek(&mut self, _frame: u64, time: ClockTime) -> Result<(), SourceError> {
        // Its threads are joined; what they fetched belongs to the old place.
        self.prefetch = None;
        let Ok(mut reader) = self.reader.try_lock() else {
            return Err(SourceError::Internal(format!(
                "{} is stuck and cannot be sought in",
                self.what
            )));
        };
        reader.seek(time);
        Ok(())
    }
}

fn checked(mut options: MediaOptions) -> Result<MediaOptions, SourceError> {
    options.sample_interval = options.sample_interval.filter(|i| !i.is_zero());
    let start = options.start_time.unwrap_or_default();
    match options.stop_time {
        Some(stop) if stop <= start => Err(SourceError::Settings {
            property: "stop-time",
            reason: format!("{stop} is not after the start at {start}"),
        }),
        _ => Ok(options),
    }
}

/// How errors call the URI: without the user and password that it may carry.
fn check_uri(uri: &str) -> Result<String, SourceError> {
    let is_scheme = |scheme: &str| {
        scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
    };
    let Some((scheme, rest)) = uri.split_once(':').filter(|(scheme, _)| is_scheme(scheme)) else {
        let file = std::path::absolute(uri)
            .ok()
            .and_then(|path| glib::filename_to_uri(path, None).ok());
        let hint = file.map_or(String::new(), |file| format!("; a file is written {file}"));
        return Err(SourceError::Settings {
            property: "uri",
            reason: format!("`{uri}` is not a URI{hint}"),
        });
    };
    let Some(rest) = rest.strip_prefix("//") else {
        return Ok(format!("uri {uri}"));
    };
    let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let host = authority.rsplit('@').next().unwrap_or_default();
    Ok(format!("uri {scheme}://{host}{path}"))
}

fn native_info(inner: &Inner) -> Option<VideoInfo> {
    let caps = inner.sink().static_pad("sink")?.current_caps()?;
    VideoInfo::from_caps(&caps).ok()
}

fn native_rate(inner: &Inner) -> Option<gst::Fraction> {
    native_info(inner)
        .map(|info| info.fps())
        .filter(|fps| fps.numer() > 0 && fps.denom() > 0)
}

/// One frame per `interval` as a rate, as near as its numbers go.
fn rate_of(interval: ClockTime) -> gst::Fraction {
    let (mut num, mut den) = (ClockTime::SECOND.nseconds(), interval.nseconds());
    let (mut a, mut b) = (num, den);
    while b > 0 {
        (a, b) = (b, a % b);
    }
    (num, den) = (num / a.max(1), den / a.max(1));
    while num.max(den) > i32::MAX as u64 {
        (num, den) = (num.div_ceil(2), den.div_ceil(2));
    }
    gst::Fraction::new(num as i32, den as i32)
}

fn facts(inner: &Inner, what: &str, options: &MediaOptions) -> Result<Facts, SourceError> {
    let bad = |reason: &str| SourceError::BadStream {
        what: what.to_owned(),
        reason: reason.to_owned(),
    };
    let native = native_info(inner).ok_or_else(|| bad("its decoder gives a format not known"))?;
    let rate = match options.sample_interval {
        Some(interval) => rate_of(interval),
        None if options.key_frames_only => gst::Fraction::new(0, 1),
        None => native_rate(inner).unwrap_or(gst::Fraction::new(0, 1)),
    };
    let native = VideoInfo::builder_from_info(&native)
        .fps(rate)
        .build()
        .map_err(|e| bad(&e.to_string()))?;
    let live = inner.is_live();
    let pad = inner.sink().static_pad("sink");
    let mut seeking = gst::query::Seeking::new(gst::Format::Time);
    let seekable =
        !live && pad.as_ref().is_some_and(|pad| pad.peer_query(&mut seeking)) && seeking.result().0;
    let whole = pad.and_then(|pad| pad.peer_query_duration::<ClockTime>());
    let start = options.start_time.unwrap_or_default();
    let end = match (whole, options.stop_time) {
        (Some(whole), Some(stop)) => Some(whole.min(stop)),
        (whole, _) => whole,
    };
    Ok(Facts {
        native: Some(native),
        rate: Rate::Fixed(rate),
        // Containers tell their length in time; a number of frames could only be guessed.
        frames: None,
        duration: end.map(|end| end.saturating_sub(start)).filter(|_| !live),
        seekable,
        own_timestamps: true,
        live,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_is_a_rate() {
        gst::init().unwrap();
        let rate = |ns| rate_of(ClockTime::from_nseconds(ns));
        assert_eq!(rate(500_000_000), gst::Fraction::new(2, 1));
        assert_eq!(rate(2_500_000_000), gst::Fraction::new(2, 5));
        let odd = rate(3_333_333_333);
        assert!((odd.numer() as f64 / odd.denom() as f64 - 0.3).abs() < 1e-6);
        assert!(rate(u64::MAX - 1).denom() > 0);
    }

    #[test]
    fn wrong_uris_are_told_from_right_ones() {
        gst::init().unwrap();
        for wrong in ["", "clip.mp4", "/tmp/clip.mp4", "://x"] {
            let error = check_uri(wrong).unwrap_err();
            assert!(
                matches!(
                    error,
                    SourceError::Settings {
                        property: "uri",
                        ..
                    }
                ),
                "{wrong}: {error}"
            );
        }
        assert_eq!(check_uri("file:///a b.mp4").unwrap(), "uri file:///a b.mp4");
        let shown = check_uri("rtsp://me:secret@camera/1").unwrap();
        assert!(
            !shown.contains("secret") && shown.contains("camera"),
            "{shown}"
        );
    }

    #[test]
    fn windows_are_checked() {
        let options = |start, stop| MediaOptions {
            start_time: Some(ClockTime::from_seconds(start)),
            stop_time: Some(ClockTime::from_seconds(stop)),
            ..Default::default()
        };
        assert!(checked(options(1, 2)).is_ok());
        assert!(checked(options(2, 2)).is_err());
    }
}
