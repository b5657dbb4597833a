// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Which caps to push: what was declared binds, what downstream allows limits, and what the source
//! is by itself decides the rest.

use gst_video::{VideoCapsBuilder, VideoFormat, VideoInfo, VideoInterlaceMode};

use crate::fault::Fault;
use crate::frame::{FORMATS, SYSTEM_FORMATS};
use crate::mem::nvmm;

use super::config::{Declared, Placement};
use super::source::{Facts, Rate};

/// Where nobody says anything about the size: that of the documented providers.
const DEFAULT_SIZE: (u32, u32) = (1280, 720);

#[derive(Debug, thiserror::Error)]
pub enum NegotiateError {
    #[error(
        "property \"{property}\" asks for {asked}, and the next element does not take that: \
         it takes {taken}. Unset the property, or convert in between (videoconvert, videoscale, \
         nvvideoconvert)"
    )]
    Property {
        property: &'static str,
        asked: String,
        taken: String,
    },
    #[error(
        "the frames are made for {rate} frames per second, and the next element takes {taken}: \
         put videorate in between"
    )]
    Rate { rate: gst::Fraction, taken: String },
    #[error("the next element takes NVMM memory only, which cannot be had: {reason}")]
    NvmmOnly { reason: String },
    #[error("property \"device\" asks for gpu: {reason}")]
    NoNvmm { reason: String },
    #[error("the next element takes none of our formats and memories: it takes {taken}")]
    Nothing { taken: String },
    #[error("no picture can have the negotiated caps {caps}")]
    Info { caps: String },
}

impl From<&NegotiateError> for Fault {
    fn from(error: &NegotiateError) -> Self {
        match error {
            NegotiateError::NoNvmm { .. } => Self::library(gst::LibraryError::Init, error),
            NegotiateError::Property { .. } => Self::resource(gst::ResourceError::Settings, error),
            _ => Self::core(gst::CoreError::Negotiation, error),
        }
    }
}

/// What is to be brought together with what downstream takes.
#[derive(Clone)]
pub struct Wishes<'a> {
    pub declared: Declared,
    pub facts: &'a Facts,
    pub placement: Placement,
    /// Why there is no NVMM memory, if there is none.
    pub nvmm: Result<(), String>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Chosen {
    pub caps: gst::Caps,
    pub info: VideoInfo,
    pub nvmm: bool,
}

/// Whether caps name NVMM in so many words; `ANY` does not count.
pub fn names_nvmm(caps: &gst::Caps) -> bool {
    !caps.is_any()
        && caps
            .iter_with_features()
            .any(|(_, features)| !features.is_any() && features.contains(nvmm::CAPS_FEATURE))
}

/// One structure for each of our formats, in our order.
pub fn caps_of(formats: &[VideoFormat], is_nvmm: bool) -> gst::Caps {
    let mut caps = gst::Caps::new_empty();
    for format in formats {
        let builder = VideoCapsBuilder::new().format(*format);
        caps.merge(if is_nvmm {
            builder.features([nvmm::CAPS_FEATURE]).build()
        } else {
            builder.build()
        });
    }
    caps
}

impl Wishes<'_> {
    /// The formats to offer, the most wanted first.
    fn formats(&self, is_nvmm: bool) -> Vec<VideoFormat> {
        let mut all = FORMATS.to_vec();
        if !is_nvmm {
            all.extend(SYSTEM_FORMATS);
        }
        if let Some(declared) = self.declared.format {
            return all.into_iter().filter(|f| *f == declared).collect();
        }
        let native = self.facts.native.as_ref().map(VideoInfo::format);
        // A stable sort: our order, but for the source's own format.
        all.sort_by_key(|format| Some(*format) != native);
        all
    }

    fn rate(&self) -> Option<gst::Fraction> {
        match self.facts.rate {
            Rate::Fixed(rate) => Some(rate),
            Rate::Free(_) => self.declared.framerate,
        }
    }

    fn offer(&self, is_nvmm: bool) -> gst::Caps {
        let mut caps = caps_of(&self.formats(is_nvmm), is_nvmm);
        let caps_mut = caps.make_mut();
        for structure in caps_mut.iter_mut() {
            if let Some(width) = self.declared.width {
                structure.set("width", width as i32);
            }
            if let Some(height) = self.declared.height {
                structure.set("height", height as i32);
            }
            if let Some(rate) = self.rate() {
                structure.set("framerate", rate);
            }
        }
        caps
    }

    /// What both sides take, the best first, and whether it is NVMM.
    fn meet(&self, peer: &gst::Caps) -> Result<Option<(gst::Caps, bool)>, NegotiateError> {
        let meet = |is_nvmm| {
            let both = self
                .offer(is_nvmm)
                .intersect_with_mode(peer, gst::CapsIntersectMode::First);
            (!both.is_empty()).then_some((both, is_nvmm))
        };
        match self.placement {
            Placement::System => Ok(meet(false)),
            Placement::Nvmm => match &self.nvmm {
                Ok(()) => Ok(meet(true)),
                Err(reason) => Err(NegotiateError::NoNvmm {
                    reason: reason.clone(),
                }),
            },
            Placement::Auto if !names_nvmm(peer) => Ok(meet(false)),
            Placement::Auto => match &self.nvmm {
                Ok(()) => Ok(meet(true).or_else(|| meet(false))),
                Err(reason) => match meet(false) {
                    Some(system) => Ok(Some(system)),
                    // Only what NVMM would have solved is blamed on it.
                    None if meet(true).is_some() => Err(NegotiateError::NvmmOnly {
                        reason: reason.clone(),
                    }),
                    None => Ok(None),
                },
            },
        }
    }

    /// The properties that ask for something, and what for.
    fn asked(&self) -> Vec<(&'static str, String)> {
        let Declared {
            format,
            width,
            height,
            framerate,
        } = self.declared;
        let device = match self.placement {
            Placement::Auto => None,
            Placement::Nvmm => Some("gpu"),
            Placement::System => Some("cpu"),
        };
        let free = matches!(self.facts.rate, Rate::Free(_));
        [
            ("format", format.map(|format| format.to_string())),
            ("width", width.map(|side| side.to_string())),
            ("height", height.map(|side| side.to_string())),
            (
                "framerate",
                framerate.filter(|_| free).map(|r| r.to_string()),
            ),
            ("device", device.map(str::to_owned)),
        ]
        .into_iter()
        .filter_map(|(property, asked)| Some((property, asked?)))
        .collect()
    }

    /// Only those of the wishes for which `keep` holds.
    fn only(&self, keep: impl Fn(&'static str) -> bool) -> Self {
        let mut wishes = self.clone();
        let declared = &mut wishes.declared;
        declared.format = declared.format.filter(|_| keep("format"));
        declared.width = declared.width.filter(|_| keep("width"));
        declared.height = declared.height.filter(|_| keep("height"));
        declared.framerate = declared.framerate.filter(|_| keep("framerate"));
        if !keep("device") {
            wishes.placement = Placement::Auto;
        }
        wishes
    }

    /// Which wish is the one that downstream does not grant.
    fn blame(&self, peer: &gst::Caps) -> NegotiateError {
        let taken = peer.to_string();
        let met = |wishes: &Wishes<'_>| matches!(wishes.meet(peer), Ok(Some(_)));
        let asked = self.asked();
        if met(&self.only(|_| false)) {
            // Refused by itself, or else only together with the others.
            let culprit = asked
                .iter()
                .find(|(property, _)| !met(&self.only(|name| name == *property)))
                .or_else(|| {
                    let without = |property: &str| self.only(|name| name != property);
                    asked.iter().find(|(property, _)| met(&without(property)))
                })
                .or(asked.first());
            if let Some((property, asked)) = culprit.cloned() {
                return NegotiateError::Property {
                    property,
                    asked,
                    taken,
                };
            }
        }
        if let Rate::Fixed(rate) = self.facts.rate {
            let free = Facts {
                rate: Rate::Free(rate),
                ..self.facts.clone()
            };
            let wishes = Wishes {
                facts: &free,
                ..self.only(|name| name != "framerate")
            };
            if met(&wishes) {
                return NegotiateError::Rate { rate, taken };
            }
        }
        NegotiateError::Nothing { taken }
    }

    /// Fixes what is still open, near to what the source is by itself.
    fn fixate(&self, mut caps: gst::Caps) -> gst::Caps {
        caps.truncate();
        let native = self.facts.native.as_ref();
        let native_size = native.map(|info| (info.width(), info.height()));
        let (width, height) = native_size.unwrap_or(DEFAULT_SIZE);
        let rate = self.facts.rate.fraction();
        if let Some(structure) = caps.make_mut().structure_mut(0) {
            // With one side given, the other follows the picture's shape.
            let fixed = |name: &str| structure.get::<i32>(name).ok().filter(|side| *side > 0);
            let scaled = |side: i32, num: u32, den: u32| {
                let scaled = i64::from(side) * i64::from(num) / i64::from(den.max(1));
                scaled.clamp(1, i64::from(i32::MAX)) as i32
            };
            let (want_width, want_height) = match (fixed("width"), fixed("height")) {
                (Some(w), None) if native.is_some() => (w, scaled(w, height, width)),
                (None, Some(h)) if native.is_some() => (scaled(h, width, height), h),
                _ => (width as i32, height as i32),
            };
            structure.fixate_field_nearest_int("width", want_width);
            structure.fixate_field_nearest_int("height", want_height);
            structure.fixate_field_nearest_fraction("framerate", rate);
        }
        self.describe(&mut caps);
        caps.fixate();
        caps
    }

    /// What the source's own caps say besides size, format and rate, as far as it still holds.
    fn describe(&self, caps: &mut gst::Caps) {
        let Some(native) = &self.facts.native else {
            return;
        };
        let Some(structure) = caps.make_mut().structure_mut(0) else {
            return;
        };
        let format = structure
            .get::<&str>("format")
            .map_or(VideoFormat::Unknown, VideoFormat::from_string);
        let is_yuv = |format: VideoFormat| gst_video::VideoFormatInfo::from_format(format).is_yuv();
        if !structure.has_field("colorimetry")
            && format != VideoFormat::Unknown
            && is_yuv(format) == is_yuv(native.format())
            && format != VideoFormat::Gray8
        {
            structure.set("colorimetry", native.colorimetry().to_string());
        }
        let same_size = structure.get::<i32>("width") == Ok(native.width() as i32)
            && structure.get::<i32>("height") == Ok(native.height() as i32);
        if !structure.has_field("pixel-aspect-ratio") && same_size {
            structure.set("pixel-aspect-ratio", native.par());
        }
        if native.interlace_mode() != VideoInterlaceMode::Progressive
            && !structure.has_field("interlace-mode")
            && same_size
        {
            structure.set("interlace-mode", native.interlace_mode().to_str().as_str());
        }
    }
}

/// Chooses the caps to push to a peer that takes `peer`.
pub fn choose(peer: &gst::Caps, wishes: &Wishes<'_>) -> Result<Chosen, NegotiateError> {
    let Some((both, is_nvmm)) = wishes.meet(peer)? else {
        return Err(wishes.blame(peer));
    };
    let caps = wishes.fixate(both);
    let bad = || NegotiateError::Info {
        caps: caps.to_string(),
    };
    let info = VideoInfo::from_caps(&caps).map_err(|_| bad())?;
    // Only media may have no rate of their own; the times of all others are counted by it.
    if info.fps().numer() <= 0 && matches!(wishes.facts.rate, Rate::Free(_)) {
        return Err(bad());
    }
    // All fields written out, colorimetry and aspect ratio among them.
    let mut full = info.to_caps().map_err(|_| bad())?;
    if is_nvmm {
        let features = gst::CapsFeatures::new([nvmm::CAPS_FEATURE]);
        full.make_mut().set_features(0, Some(features));
    }
    // What else downstream insists on (a DeepStream field, say) stays.
    if let (Some(given), Some(structure)) = (caps.structure(0), full.make_mut().structure_mut(0)) {
        for (name, value) in given.iter() {
            if !structure.has_field(name) {
                structure.set_value(name, value.clone());
            }
        }
    }
    Ok(Chosen {
        caps: full,
        info,
        nvmm: is_nvmm,
    })
}

#[cfg(test)]
mod tests;
