// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Frames that are drawn: what is injected when no other source is set.
//!
//! Every pattern is a closed formula of the frame number, so that any frame can be asked for and
//! comes out the same everywhere.

mod colour;
mod gradient;
mod noise;
mod rects;
mod rows;
mod scenes;

use std::sync::Arc;
use std::time::Duration;

use super::{
    CardPaint, Facts, Fetched, Next, Paint, Picture, Rate, Source, SourceError, Surroundings,
    Target,
};
use crate::frame::{FORMATS, PlaneSize, SYSTEM_FORMATS, lanes, plane_sizes};
use crate::mem::cuda::{CudaError, Gpu};
use crate::meta::Detection;
use gradient::{CardGradient, Gradient};
use noise::{CardNoise, Noise};
use rects::{CardRects, Rects};
use scenes::{Bars, Checker, Objects, Solid};

/// What is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, glib::Enum)]
#[repr(u32)]
#[enum_type(name = "GstDsFrameInjectPattern")]
pub enum Pattern {
    #[default]
    #[enum_value(
        name = "Gradient: red grows to the right and green downwards, both moving",
        nick = "gradient"
    )]
    Gradient = 0,
    #[enum_value(
        name = "Bars: vertical 75 % colour bars and a white line moving across",
        nick = "bars"
    )]
    Bars = 1,
    #[enum_value(
        name = "Checker: a black and white checkerboard moving to the left",
        nick = "checker"
    )]
    Checker = 2,
    #[enum_value(
        name = "Solid: one colour, going through the hues in 102 frames",
        nick = "solid"
    )]
    Solid = 3,
    #[enum_value(name = "Noise: every pixel of a random colour", nick = "noise")]
    Noise = 4,
    #[enum_value(
        name = "Objects: moving boxes, with the detections that say where they are",
        nick = "objects"
    )]
    Objects = 5,
}

/// A picture's format and size, taken apart once for all frames.
struct Canvas {
    width: usize,
    height: usize,
    planes: Vec<(PlaneSize, &'static lanes::Lanes)>,
}

impl Canvas {
    fn new(info: &gst_video::VideoInfo) -> Self {
        let (width, height) = (info.width() as usize, info.height() as usize);
        let sizes = plane_sizes(info.format(), width, height);
        Self {
            width,
            height,
            planes: sizes.into_iter().zip(lanes::lanes(info.format())).collect(),
        }
    }
}

#[derive(Clone)]
enum Painter {
    Cpu(Arc<dyn Paint>),
    Card(Arc<dyn CardPaint>),
}

impl Painter {
    fn on_cpu(pattern: Pattern, info: &gst_video::VideoInfo) -> Self {
        let (width, height) = (info.width() as usize, info.height() as usize);
        Self::Cpu(match pattern {
            Pattern::Gradient => Arc::new(Gradient::new(info)),
            Pattern::Bars => Arc::new(Rects::new(info, Bars { width, height })),
            Pattern::Checker => Arc::new(Rects::new(info, Checker { width, height })),
            Pattern::Solid => Arc::new(Rects::new(info, Solid { width, height })),
            Pattern::Noise => Arc::new(Noise::new(info)),
            Pattern::Objects => Arc::new(Rects::new(info, Objects { width, height })),
        })
    }

    fn on_card(pattern: Pattern, info: &gst_video::VideoInfo, gpu: Gpu) -> Result<Self, CudaError> {
        let (width, height) = (info.width() as usize, info.height() as usize);
        Ok(Self::Card(match pattern {
            Pattern::Gradient => Arc::new(CardGradient::new(info, gpu)?),
            Pattern::Bars => Arc::new(CardRects::new(info, gpu, Bars { width, height })?),
            Pattern::Checker => Arc::new(CardRects::new(info, gpu, Checker { width, height })?),
            Pattern::Solid => Arc::new(CardRects::new(info, gpu, Solid { width, height })?),
            Pattern::Noise => Arc::new(CardNoise::new(info, gpu)?),
            Pattern::Objects => Arc::new(CardRects::new(info, gpu, Objects { width, height })?),
        }))
    }
}

struct Drawing {
    painter: Painter,
    objects: Option<Objects>,
}

impl Drawing {
    fn new(pattern: Pattern, target: &Target) -> Result<Self, CudaError> {
        let info = &target.info;
        let (width, height) = (info.width() as usize, info.height() as usize);
        let painter = match target.card {
            None => Painter::on_cpu(pattern, info),
            Some(gpu) => Painter::on_card(pattern, info, gpu)?,
        };
        let objects = (pattern == Pattern::Objects).then_some(Objects { width, height });
        Ok(Self { painter, objects })
    }

    fn detections(&self, number: u64) -> Vec<Detection> {
        self.objects
            .as_ref()
            .map(|objects| objects.detections(number))
            .unwrap_or_default()
    }
}

/// The source of drawn frames: endless, in any format and size, at any rate.
pub struct PatternSource {
    pattern: Pattern,
    facts: Facts,
    number: u64,
    drawing: Option<Drawing>,
}

impl PatternSource {
    /// Drawn frames never end and are never waited for: nothing of the surroundings is needed.
    pub fn open(pattern: Pattern, _surroundings: Surroundings) -> Box<dyn Source> {
        Box::new(Self {
            pattern,
            facts: Facts {
                native: None,
                rate: Rate::Free(gst::Fraction::new(30, 1)),
                frames: None,
                duration: None,
                seekable: true,
                own_timestamps: false,
                live: false,
            },
            number: 0,
            drawing: None,
        })
    }
}

impl Source for PatternSource {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn set_target(&mut self, target: &Target) -> Result<(), SourceError> {
        let format = target.info.format();
        if !FORMATS.contains(&format) && !SYSTEM_FORMATS.contains(&format) {
            return Err(SourceError::Settings {
                property: "format",
                reason: format!("patterns are not drawn as {format}"),
            });
        }
        self.drawing = Some(Drawing::new(self.pattern, target)?);
        Ok(())
    }

    fn next(&mut self, _limit: Option<Duration>) -> Result<Next, SourceError> {
        let drawing = self.drawing.as_ref().ok_or_else(|| {
            SourceError::Internal("a pattern was asked for before its format was set".into())
        })?;
        let number = self.number;
        self.number = number.wrapping_add(1);
        Ok(Next::Frame(Fetched {
            picture: match drawing.painter.clone() {
                Painter::Cpu(painter) => Picture::Paint(painter, number),
                Painter::Card(painter) => Picture::PaintOnCard(painter, number),
            },
            pts: None,
            duration: None,
            number: None,
            detections: drawing.detections(number),
            boxes_of: None,
            provenance: None,
        }))
    }

    fn seek(&mut self, frame: u64, _time: gst::ClockTime) -> Result<(), SourceError> {
        self.number = frame;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
