// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Where frames come from.

pub mod ahead;
pub mod channel;
pub mod file;
pub mod fit;
pub mod images;
pub mod index;
pub mod input;
pub mod layout;
pub mod location;
pub mod media;
pub mod pattern;
pub mod recorded;
pub mod stream;
#[cfg(test)]
pub mod testing;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use gst_video::VideoInfo;

use super::config::{Config, Origin};
use crate::fault::Fault;
use crate::frame::{CardFrame, Frame, ViewMut};
use crate::gate::{Gate, Wait};
use crate::mem::cuda::{CardViewMut, CudaError, Gpu, Stream};
use crate::meta::{Detection, FrameMeta};

/// What a source knows about its frames before the first is fetched.
#[derive(Debug, Clone)]
pub struct Facts {
    /// Format, size, rate, colorimetry and pixel aspect ratio that the source has by itself.
    /// `None` for sources that draw whatever is asked for.
    pub native: Option<VideoInfo>,
    pub rate: Rate,
    /// Length in frames of one pass, where it is known.
    pub frames: Option<u64>,
    /// Length of one pass, where the source has timestamps of its own.
    pub duration: Option<gst::ClockTime>,
    pub seekable: bool,
    /// Frames come with timestamps that are to be kept.
    pub own_timestamps: bool,
    /// Frames come when they come (a camera, a network stream).
    pub live: bool,
}

/// How many frames make a second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rate {
    /// What the source would take by itself; any other can be declared.
    Free(gst::Fraction),
    /// What the frames were made for; they are neither dropped nor repeated to meet another.
    Fixed(gst::Fraction),
}

impl Rate {
    pub fn fraction(self) -> gst::Fraction {
        match self {
            Self::Free(rate) | Self::Fixed(rate) => rate,
        }
    }
}

/// What the frames are to be converted to.
#[derive(Debug, Clone, PartialEq)]
pub struct Target {
    /// In system memory, also when the frames go into NVMM from there.
    pub info: VideoInfo,
    pub add_borders: bool,
    /// The card that the frames go to. It also converts those that it can.
    pub card: Option<Gpu>,
}

/// Draws frames straight into the memory that is pushed.
pub trait Paint: Send + Sync {
    /// `number` counts from 0; the view is of the target's format and size.
    fn paint(&self, number: u64, view: &mut ViewMut<'_>);
}

/// Draws frames on a card.
pub trait CardPaint: Send + Sync {
    /// Queues what draws a frame and does not wait for it; otherwise as [`Paint::paint`].
    fn paint(
        &self,
        number: u64,
        view: &mut CardViewMut<'_>,
        stream: &Stream,
    ) -> Result<(), CudaError>;
}

pub enum Picture {
    /// A frame ready to be pushed. Normally of the target's format and size; frames that were
    /// fetched before the target changed are not, nor those that a card is to convert.
    Ready(Frame),
    /// Still to be drawn, as this frame of the painter.
    Paint(Arc<dyn Paint>, u64),
    PaintOnCard(Arc<dyn CardPaint>, u64),
    /// A frame that is complete, in the memory of a card, which need not be the target's; of any
    /// format and size. It is kept until what is made of it is.
    Card(Arc<CardFrame>),
}

pub struct Fetched {
    pub picture: Picture,
    /// Only from sources with timestamps of their own. Rises over loops.
    pub pts: Option<gst::ClockTime>,
    pub duration: Option<gst::ClockTime>,
    /// Its place in one pass, from 0, where that is more than counting frames.
    pub number: Option<u64>,
    /// What is known to be in the picture.
    pub detections: Vec<Detection>,
    /// Width and height of the picture that detections are in pixels of; `None` for the target.
    pub boxes_of: Option<(u32, u32)>,
    /// Of a frame that another pipeline captured.
    pub provenance: Option<Box<Provenance>>,
}

/// Where a frame was before it came through a channel.
#[derive(Debug, Clone)]
pub struct Provenance {
    /// Detections aside.
    pub meta: FrameMeta,
    /// ns, in the pipeline that captured it.
    pub pts: Option<u64>,
    /// When it came. It may have waited since.
    pub since: Instant,
    /// It does not follow the frame before it.
    pub discont: bool,
}

// Returned once per frame and taken apart at once.
#[allow(clippy::large_enum_variant)]
pub enum Next {
    Frame(Fetched),
    End,
    /// The facts are others from the next frame on.
    Changed,
    /// `unlock()` ended the wait; the frame comes with the next call.
    Flushing,
    /// Nothing came within the limit.
    TimedOut,
}

/// Frames, one after another.
pub trait Source: Send {
    fn facts(&self) -> &Facts;

    /// Called before the first `next` and whenever the negotiated format changes.
    fn set_target(&mut self, target: &Target) -> Result<(), SourceError>;

    /// The next frame. Waits on the [`Gate`] that the source was opened with and nowhere else.
    /// After an error for which [`SourceError::is_one_frame`] holds the following frame can be
    /// asked for.
    fn next(&mut self, limit: Option<Duration>) -> Result<Next, SourceError>;

    /// The file that a frame of one pass is read from, where each has its own.
    fn file(&self, _number: u64) -> Option<&Path> {
        None
    }

    /// The last frame was pushed again, up to this time.
    fn repeated(&mut self, _until: gst::ClockTime) {}

    /// Go on from this place; only asked if the facts say seekable. Sources without timestamps of
    /// their own go by `frame`, the others by `time`.
    fn seek(&mut self, frame: u64, time: gst::ClockTime) -> Result<(), SourceError>;
}

/// Why there is no frame.
#[derive(Debug, Clone, thiserror::Error)]
pub enum SourceError {
    /// A property that does not fit what was found.
    #[error("property \"{property}\": {reason}")]
    Settings {
        property: &'static str,
        reason: String,
    },
    #[error("{what}: {reason}")]
    NotFound { what: String, reason: String },
    #[error("cannot open {what}: {reason}")]
    Open { what: String, reason: String },
    #[error("cannot read {what}: {reason}")]
    Read { what: String, reason: String },
    /// This frame is bad; the next may be good.
    #[error("{what}: {reason}")]
    BadFrame { what: String, reason: String },
    /// The stream as a whole is not what it says, or ended where it must not.
    #[error("{what}: {reason}")]
    BadStream { what: String, reason: String },
    #[error(transparent)]
    Cuda(#[from] CudaError),
    #[error("{0}")]
    Internal(String),
}

impl SourceError {
    /// Whether only this frame is lost, so that `on-error=skip` can go on with the next.
    pub fn is_one_frame(&self) -> bool {
        matches!(self, Self::BadFrame { .. })
    }
}

impl From<&SourceError> for Fault {
    fn from(error: &SourceError) -> Self {
        match error {
            SourceError::Settings { .. } => Self::resource(gst::ResourceError::Settings, error),
            SourceError::NotFound { .. } => Self::resource(gst::ResourceError::NotFound, error),
            SourceError::Open { .. } => Self::resource(gst::ResourceError::OpenRead, error),
            SourceError::Read { .. } => Self::resource(gst::ResourceError::Read, error),
            SourceError::BadFrame { .. } | SourceError::BadStream { .. } => {
                Self::stream(gst::StreamError::Decode, error)
            }
            SourceError::Cuda(_) => Self::resource(gst::ResourceError::Failed, error),
            SourceError::Internal(_) => Self::library(gst::LibraryError::Failed, error),
        }
    }
}

/// What sources report besides frames: said on the bus, in time with the frames.
pub trait Report: Send + Sync {
    /// A warning that does not stop anything, such as a gap in a numbered sequence.
    fn warn(&self, error: SourceError);
    /// A message of an inner pipeline that belongs on the outer bus (tags, missing plugins).
    fn forward(&self, message: gst::Message);
}

/// What every source is opened with.
#[derive(Clone)]
pub struct Surroundings {
    pub gate: Arc<Gate>,
    pub report: Arc<dyn Report>,
    /// Frames fetched ahead, at least 1.
    pub prefetch: usize,
    /// Start again at the end.
    pub looping: bool,
    /// The GPU that frames are to be on in the end, if that is known already.
    pub card: Option<u32>,
}

pub type Opened = Result<Box<dyn Source>, SourceError>;

/// What came of beginning to open a source.
pub enum Opening {
    /// There was nothing to wait for.
    Ready(Box<dyn Source>),
    Later(Later),
}

/// A source that is to be waited for.
pub enum Later {
    /// What a pipe holds can only be told when its writer has come.
    Pipe(file::Pending),
    Media(String, media::MediaOptions, Surroundings),
    Channel(channel::Pending),
}

impl Opening {
    /// Begins to open what the configuration names. Does not wait; what is wrong with files is
    /// said here, what is wrong with pipes and media by [`Later::wait`].
    pub fn begin(config: &Config, surroundings: Surroundings) -> Result<Self, SourceError> {
        match &config.origin {
            Origin::Pattern(pattern) => Ok(Self::Ready(pattern::PatternSource::open(
                *pattern,
                surroundings,
            ))),
            Origin::Location(location) => {
                let declared = config.declared;
                let range = images::Range {
                    start: config.start_index,
                    stop: config.stop_index,
                };
                file::open(location, file::Options { declared, range }, &surroundings)
            }
            Origin::Channel(options) => {
                let pending = channel::Pending::open(options.clone(), surroundings)?;
                Ok(Self::Later(Later::Channel(pending)))
            }
            Origin::Uri(uri) => {
                media::check(uri)?;
                let options = media::MediaOptions {
                    start_time: config.start_time,
                    stop_time: config.stop_time,
                    sample_interval: config.sample_interval,
                    key_frames_only: config.key_frames_only,
                    ..Default::default()
                };
                Ok(Self::Later(Later::Media(
                    uri.clone(),
                    options,
                    surroundings,
                )))
            }
        }
    }
}

impl Later {
    /// Waits for the source, on the gate; `None`: it ended before it began. After
    /// [`Wait::Flushing`] and [`Wait::TimedOut`] it can be called again.
    pub fn wait(&mut self, limit: Option<Duration>) -> Wait<Option<Opened>> {
        match self {
            Self::Pipe(pending) => match pending.wait(limit) {
                Wait::Ready(opened) => Wait::Ready(Some(opened)),
                Wait::Flushing => Wait::Flushing,
                Wait::TimedOut => Wait::TimedOut,
            },
            Self::Channel(pending) => pending.wait(limit),
            Self::Media(uri, options, surroundings) => {
                let opened = media::Media::open(uri, options.clone(), surroundings.clone());
                if opened.is_err() && surroundings.gate.is_flushing() {
                    return Wait::Flushing;
                }
                Wait::Ready(Some(opened))
            }
        }
    }
}

/// Whether a URI is of a kind whose frames come when they come.
pub fn is_live_uri(uri: &str) -> bool {
    const LIVE: [&str; 9] = [
        "rtsp", "rtsps", "rtspt", "rtspu", "udp", "rtp", "srt", "v4l2", "whep",
    ];
    uri.split_once(':')
        .is_some_and(|(scheme, _)| LIVE.iter().any(|live| scheme.eq_ignore_ascii_case(live)))
}
