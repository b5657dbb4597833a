// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Which of the decoded pictures are frames of ours: the window, one per interval, round and
//! round.

use std::sync::Arc;
use std::time::{Duration, Instant};

use gst::ClockTime;
use gst::prelude::*;
use gst_video::VideoInfo;

use super::picture::{Decoded, Job};
use super::pipeline::{Link, SILENCE};
use super::{MediaOptions, PassOver};
use crate::inject::gate::Wait;
use crate::inject::source::SourceError;

/// A seek must save more than this many key-frame distances: on average it decodes one half by
/// itself.
const WORTH: u64 = 2;

/// Containers may be wrong about their length by so much.
const TOLERANCE: ClockTime = ClockTime::SECOND;

/// What passing over pictures has cost so far.
#[derive(Debug, Default)]
struct Costs {
    waited: Duration,
    advanced: ClockTime,
    seek: Option<Duration>,
}

impl Costs {
    fn decoded(&mut self, waited: Duration, advanced: ClockTime) {
        self.waited += waited;
        self.advanced += advanced;
        // What was long ago counts less.
        if self.advanced > 60 * ClockTime::SECOND {
            self.waited /= 2;
            self.advanced /= 2;
        }
    }

    fn sought(&mut self, took: Duration) {
        self.seek = Some(self.seek.map_or(took, |seek| (seek + took) / 2));
    }

    /// Whether a seek was not slower than decoding over `way` would be. Nothing known: try it.
    fn favour_seek(&self, way: ClockTime) -> bool {
        let Some(seek) = self.seek else {
            return true;
        };
        let decode = self.waited.as_nanos() * u128::from(way.nseconds())
            / u128::from(self.advanced.nseconds().max(1));
        seek.as_nanos() < decode
    }
}

enum Pulled {
    Sample(gst::Sample),
    End,
    Fault(SourceError),
    Flushing,
}

pub struct Reader {
    link: Arc<Link>,
    sink: gst_app::AppSink,
    what: String,
    start: ClockTime,
    stop: Option<ClockTime>,
    interval: Option<ClockTime>,
    pass_over: PassOver,
    keys_only: bool,
    seekable: bool,
    looping: bool,
    /// How long a picture lasts that does not say it.
    frame_duration: Option<ClockTime>,
    /// Length of the passes before this one.
    offset: ClockTime,
    /// Pictures before this stream time are passed over.
    due: ClockTime,
    /// The pipeline is to be sent there before the next picture is taken.
    seek_to: Option<ClockTime>,
    /// A seek is under way to this place, since then.
    sought: Option<(ClockTime, Instant)>,
    /// Stream time of the picture that was taken last.
    at: Option<ClockTime>,
    /// End of the last frame that was handed out, on the output's timeline.
    end: Option<ClockTime>,
    from_start: bool,
    /// Of the next frame, counted from the beginning of the pass; after a seek to somewhere else
    /// its time has to tell.
    number: Option<u64>,
    any_in_pass: bool,
    any: bool,
    ended: bool,
    costs: Costs,
    info: Option<(gst::Caps, VideoInfo)>,
}

impl Reader {
    pub fn new(
        link: &Arc<Link>,
        sink: &gst_app::AppSink,
        what: &str,
        options: &MediaOptions,
        seekable: bool,
        looping: bool,
        frame_duration: Option<ClockTime>,
    ) -> Self {
        let start = options.start_time.unwrap_or_default();
        Self {
            link: link.clone(),
            sink: sink.clone(),
            what: what.to_owned(),
            start,
            stop: options.stop_time,
            interval: options.sample_interval,
            pass_over: options.pass_over,
            keys_only: options.key_frames_only,
            seekable,
            looping,
            frame_duration,
            offset: ClockTime::ZERO,
            due: start,
            seek_to: (seekable && !start.is_zero()).then_some(start),
            sought: None,
            at: None,
            end: None,
            from_start: true,
            number: Some(0),
            any_in_pass: false,
            any: false,
            ended: false,
            costs: Costs::default(),
            info: None,
        }
    }

    /// Go on with the first frame at or after `time`, counted from the start of the window.
    pub fn seek(&mut self, time: ClockTime) {
        let time = match self.interval {
            Some(interval) => interval * time.nseconds().div_ceil(interval.nseconds()),
            None => time,
        };
        self.offset = ClockTime::ZERO;
        self.end = None;
        self.restart(self.start.saturating_add(time));
    }

    fn restart(&mut self, at: ClockTime) {
        self.due = at;
        self.seek_to = Some(at);
        self.from_start = at == self.start;
        self.number = self.from_start.then_some(0);
        self.any_in_pass = false;
        self.ended = false;
    }

    /// Sends the pipeline to the first picture at or after `time`.
    fn go_to(&mut self, time: ClockTime) -> Result<(), SourceError> {
        // A decoder gives the picture that lies across the beginning of the segment the time of
        // that beginning. One step earlier it is told from a picture that begins there.
        let position = time.saturating_sub(ClockTime::NSECOND);
        // Demuxers take no place behind their end; decoding from there finds that nothing comes.
        let position = self.length().map_or(position, |length| {
            position.min(length.saturating_sub(100 * ClockTime::MSECOND))
        });
        let event = gst::event::Seek::new(
            1.0,
            gst::SeekFlags::FLUSH | gst::SeekFlags::ACCURATE,
            gst::SeekType::Set,
            position,
            gst::SeekType::None,
            ClockTime::NONE,
        );
        self.at = None;
        // To the pad: the element's own way takes its state lock, and stopping waits for that.
        let sent = self
            .sink
            .static_pad("sink")
            .is_some_and(|pad| pad.push_event(event));
        if sent {
            return Ok(());
        }
        Err(self.link.fault().unwrap_or_else(|| SourceError::BadStream {
            what: self.what.clone(),
            reason: format!("seeking to {position} failed"),
        }))
    }

    fn length(&self) -> Option<ClockTime> {
        self.sink
            .static_pad("sink")?
            .peer_query_duration::<ClockTime>()
    }

    fn pull(&self) -> Pulled {
        loop {
            let fault = self.link.fault();
            let limit = fault.as_ref().map(|_| SILENCE);
            enum News {
                Sample(gst::Sample),
                End,
                Fault,
            }
            let news = self.link.gate.wait(limit, || {
                if let Some(sample) = self.sink.try_pull_sample(ClockTime::ZERO) {
                    return Some(News::Sample(sample));
                }
                if self.sink.is_eos() {
                    return Some(News::End);
                }
                (fault.is_none() && self.link.fault().is_some()).then_some(News::Fault)
            });
            return match (news, fault) {
                (Wait::Ready(News::Sample(sample)), _) => Pulled::Sample(sample),
                (Wait::Ready(News::End), _) => match self.link.fault() {
                    Some(fault) => Pulled::Fault(fault),
                    None => Pulled::End,
                },
                (Wait::Flushing, _) => Pulled::Flushing,
                (Wait::TimedOut, Some(fault)) => Pulled::Fault(fault),
                (Wait::Ready(News::Fault) | Wait::TimedOut, _) => continue,
            };
        }
    }

    fn is_worth_a_seek(&self, at: ClockTime) -> bool {
        let Some(way) = self.due.checked_sub(at).filter(|way| !way.is_zero()) else {
            return false;
        };
        if !self.seekable || self.interval.is_none() || self.sought.is_some() {
            return false;
        }
        if self.length().is_some_and(|length| self.due >= length) {
            return false;
        }
        match self.pass_over {
            PassOver::Decoding => false,
            PassOver::Seeking => true,
            PassOver::Auto => self
                .link
                .key_distance()
                .is_some_and(|distance| way > distance * WORTH && self.costs.favour_seek(way)),
        }
    }

    /// The next frame; `None` at the end, or when the waiting was ended from outside.
    pub fn next(&mut self) -> Option<Job> {
        loop {
            if self.ended {
                return None;
            }
            if let Some(to) = self.seek_to.take() {
                self.sought = None;
                if let Err(error) = self.go_to(to) {
                    return self.fail(error);
                }
            } else if self.at.is_some_and(|at| self.is_worth_a_seek(at)) {
                let since = Instant::now();
                let back = self.at;
                if self.go_to(self.due).is_ok() {
                    self.sought = Some((self.due, since));
                } else {
                    gst::debug!(gst::CAT_RUST, "{}: seeking failed, decoding on", self.what);
                    self.seekable = self.looping && self.seekable;
                    self.pass_over = PassOver::Decoding;
                    self.at = back;
                }
            }
            let since = Instant::now();
            let sample = match self.pull() {
                Pulled::Sample(sample) => sample,
                Pulled::Flushing => return None,
                Pulled::Fault(error) => return self.fail(error),
                Pulled::End => {
                    if let Some(error) = self.cut_off() {
                        return self.fail(error);
                    }
                    if let Some(error) = self.end_of_pass() {
                        return self.fail(error);
                    }
                    continue;
                }
            };
            let Some(time) = self.stream_time(&sample) else {
                continue;
            };
            if self.sought.is_none()
                && let Some(advanced) = self.at.and_then(|at| time.checked_sub(at))
            {
                self.costs.decoded(since.elapsed(), advanced);
            }
            self.at = Some(time);
            if time < self.due {
                continue;
            }
            if let Some((_, since)) = self.sought.take() {
                self.costs.sought(since.elapsed());
            }
            if self.stop.is_some_and(|stop| time >= stop) {
                if let Some(error) = self.end_of_pass() {
                    return self.fail(error);
                }
                continue;
            }
            return Some(self.deliver(&sample, time));
        }
    }

    fn fail(&mut self, error: SourceError) -> Option<Job> {
        self.ended = true;
        Some(Err(error))
    }

    /// `None` for what lies outside of the media's own beginning and end.
    fn stream_time(&self, sample: &gst::Sample) -> Option<ClockTime> {
        let segment = sample.segment()?.downcast_ref::<ClockTime>()?;
        match sample.buffer()?.pts() {
            Some(pts) => segment.to_stream_time(pts),
            // Rare; it follows the one before.
            None => Some(match self.at {
                Some(at) => at + self.frame_duration.unwrap_or_default(),
                None => segment.to_stream_time(segment.start()?)?,
            }),
        }
    }

    fn deliver(&mut self, sample: &gst::Sample, time: ClockTime) -> Job {
        let own = sample.buffer().and_then(|buffer| buffer.duration());
        let duration = self.interval.or(own).or(self.frame_duration);
        let within = time.saturating_sub(self.start);
        let pts = self.offset.saturating_add(within);
        self.end = Some(pts.saturating_add(duration.unwrap_or(ClockTime::NSECOND)));
        self.any_in_pass = true;
        self.any = true;
        let number = self.number.or_else(|| self.number_at(within));
        self.number = number.map(|number| number + 1);
        if let Some(interval) = self.interval {
            let number = within.nseconds() / interval.nseconds() + 1;
            self.due = self.start.saturating_add(ClockTime::from_nseconds(
                interval.nseconds().saturating_mul(number),
            ));
        }
        let bad = |reason: &str| SourceError::BadFrame {
            what: self.what.clone(),
            reason: format!("at {time}: {reason}"),
        };
        let buffer = sample.buffer_owned().ok_or_else(|| bad("no picture"))?;
        let caps = sample.caps_owned().ok_or_else(|| bad("no format"))?;
        let info = match &self.info {
            Some((known, info)) if *known == caps => info.clone(),
            _ => {
                let info = VideoInfo::from_caps(&caps).map_err(|_| bad("a format not known"))?;
                self.info = Some((caps, info.clone()));
                info
            }
        };
        Ok(Decoded {
            buffer,
            info,
            pts,
            duration,
            number,
        })
    }

    /// The number of a frame at this time, at an even rate.
    fn number_at(&self, within: ClockTime) -> Option<u64> {
        let step = self.interval.or(self.frame_duration)?.nseconds().max(1);
        let half = if self.interval.is_some() { 0 } else { step / 2 };
        Some(within.nseconds().saturating_add(half) / step)
    }

    /// Demuxers take the end of a file for the end of the media. Where the media said that they
    /// are longer, and no other stream can be what is longer, a part is missing.
    fn cut_off(&self) -> Option<SourceError> {
        if self.keys_only {
            return None;
        }
        let end = self.at? + self.frame_duration.unwrap_or_default();
        let length = self.length()?;
        let missing = length.checked_sub(end)?;
        if missing < TOLERANCE {
            return None;
        }
        let error = SourceError::BadStream {
            what: self.what.clone(),
            reason: format!("its video ends at {end} although it says it lasts {length}"),
        };
        if self.link.is_alone() && missing > length / 10 {
            return Some(error);
        }
        self.link.warn(error);
        None
    }

    fn end_of_pass(&mut self) -> Option<SourceError> {
        self.sought = None;
        if !self.any && self.from_start && !self.start.is_zero() {
            return Some(SourceError::Settings {
                property: "start-time",
                reason: format!("{} has no frame at or after {}", self.what, self.start),
            });
        }
        if self.looping && (self.any_in_pass || !self.from_start) {
            self.offset = self.end.unwrap_or_default();
            self.restart(self.start);
        } else {
            self.ended = true;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeking_must_pay() {
        let mut costs = Costs::default();
        assert!(costs.favour_seek(ClockTime::SECOND));
        costs.decoded(Duration::from_millis(100), 10 * ClockTime::SECOND);
        costs.sought(Duration::from_millis(20));
        assert!(!costs.favour_seek(ClockTime::SECOND));
        assert!(costs.favour_seek(3 * ClockTime::SECOND));
    }
}
