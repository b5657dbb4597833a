// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Which detections of a frame count: by class, component, confidence, place and size.

use crate::meta::{Bounds, Detection, Label};

use super::FrameFacts;

/// All that is set must hold. What is not a number never passes.
#[derive(Debug, Clone, PartialEq)]
pub struct Filter {
    pub classes: Classes,
    /// Only what this component found.
    pub component: Option<i32>,
    /// 0 and less: no limit.
    pub min_confidence: f32,
    /// 1 and more: no limit, also for detectors that go beyond.
    pub max_confidence: f32,
    /// Whether detections without a confidence pass where there is a limit.
    pub accept_unknown: bool,
    pub roi: Option<Roi>,
    /// The share of a box that must be in the roi; 0: any of it.
    pub roi_coverage: f32,
    pub min_size: Option<Size>,
    pub max_size: Option<Size>,
}

impl Default for Filter {
    /// Everything passes.
    fn default() -> Self {
        Self {
            classes: Classes::default(),
            component: None,
            min_confidence: 0.0,
            max_confidence: 1.0,
            accept_unknown: true,
            roi: None,
            roi_coverage: 0.5,
            min_size: None,
            max_size: None,
        }
    }
}

impl Filter {
    /// The places of the detections that pass, put into `passing`.
    pub fn apply(&self, facts: &FrameFacts<'_>, passing: &mut Vec<usize>) {
        passing.clear();
        let roi = match &self.roi {
            None => None,
            Some(roi) => match roi.within(facts.size) {
                None => return,
                pixels => pixels,
            },
        };
        passing.extend(
            facts
                .detections
                .iter()
                .enumerate()
                .filter(|(_, detection)| self.passes(detection, roi.as_ref()))
                .map(|(place, _)| place),
        );
    }

    /// A roi in pixels that no picture of this size has a part of, in words.
    pub fn roi_outside(&self, (width, height): (u32, u32)) -> Option<String> {
        let roi = self.roi?;
        let is_known = width > 0 && height > 0;
        (is_known && roi.within((width, height)).is_none()).then(|| {
            let Roi {
                left,
                top,
                width: across,
                height: down,
                ..
            } = roi;
            format!(
                "{left},{top},{across},{down} is in pixels and outside of a frame of \
                 {width}x{height}"
            )
        })
    }

    fn passes(&self, detection: &Detection, roi: Option<&Pixels>) -> bool {
        let bounds = &detection.bounds;
        self.classes.contains(detection)
            && self
                .component
                .is_none_or(|component| detection.component_id == Some(component))
            && !detection.confidence.is_some_and(f32::is_nan)
            && self.is_sure(known_confidence(detection))
            && !has_nan(bounds)
            && roi.is_none_or(|roi| roi.covers(bounds, self.roi_coverage))
            && self.min_size.is_none_or(|min| {
                bounds.width >= min.width as f32 && bounds.height >= min.height as f32
            })
            && self.max_size.is_none_or(|max| {
                bounds.width <= max.width as f32 && bounds.height <= max.height as f32
            })
    }

    fn is_sure(&self, confidence: Option<f32>) -> bool {
        let (min, max) = (self.min_confidence, self.max_confidence);
        match confidence {
            Some(confidence) => {
                (min <= 0.0 || confidence >= min) && (max >= 1.0 || confidence <= max)
            }
            None => self.accept_unknown || (min <= 0.0 && max >= 1.0),
        }
    }
}

/// Detectors write a negative number where they have none.
pub fn known_confidence(detection: &Detection) -> Option<f32> {
    detection.confidence.filter(|&confidence| confidence >= 0.0)
}

fn has_nan(bounds: &Bounds) -> bool {
    // One is enough to make the sum one; so do infinities of both signs, which are no box either.
    (bounds.left + bounds.top + bounds.width + bounds.height).is_nan()
}

/// Labels and class ids; none of both: all.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Classes {
    labels: Vec<Label>,
    ids: Vec<i32>,
}

impl Classes {
    /// Reads `person,car,2`; an empty text means all.
    ///
    /// # Errors
    ///
    /// Says what is wrong with the text and how to write it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut classes = Self::default();
        if text.trim().is_empty() {
            return Ok(classes);
        }
        for item in text.split([',', ';']).map(str::trim) {
            let digits = item.strip_prefix('-').unwrap_or(item);
            if item.is_empty() {
                return Err(format!(
                    "\"{text}\" has an empty item; write person,car,2 for labels and class ids"
                ));
            } else if digits.bytes().all(|byte| byte.is_ascii_digit()) && !digits.is_empty() {
                let id = item.parse().map_err(|_| {
                    format!("\"{item}\" in \"{text}\" is no class id: they go up to 2147483647")
                })?;
                classes.ids.push(id);
            } else {
                classes.labels.push(Label::new(item));
            }
        }
        Ok(classes)
    }

    fn contains(&self, detection: &Detection) -> bool {
        if self.labels.is_empty() && self.ids.is_empty() {
            return true;
        }
        detection.class_id.is_some_and(|id| self.ids.contains(&id))
            || self.labels.contains(&detection.label)
    }
}

/// A part of the picture.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Roi {
    left: f64,
    top: f64,
    width: f64,
    height: f64,
    /// Of the picture's width and height, else pixels.
    fractions: bool,
}

impl Roi {
    /// Reads `x,y,w,h`: fractions of the picture if all four are at most 1, else pixels.
    ///
    /// # Errors
    ///
    /// Says what is wrong with the text and how to write it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let hint = "write x,y,w,h from the top left corner, such as 0.25,0.5,0.5,0.5 in \
                    fractions of the picture or 480,540,960,540 in pixels";
        let numbers: Vec<f64> = text
            .split([',', ';'])
            .map(|item| item.trim().parse::<f64>())
            .collect::<Result<_, _>>()
            .map_err(|_| format!("\"{text}\" is not four numbers; {hint}"))?;
        let [left, top, width, height] = numbers[..] else {
            return Err(format!(
                "\"{text}\" has {} numbers instead of four; {hint}",
                numbers.len()
            ));
        };
        if !numbers.iter().all(|&n| n.is_finite() && n >= 0.0) {
            return Err(format!(
                "\"{text}\" has a negative or infinite number; {hint}"
            ));
        }
        if width == 0.0 || height == 0.0 {
            return Err(format!("\"{text}\" has no width or no height; {hint}"));
        }
        let fractions = numbers.iter().all(|&n| n <= 1.0);
        if fractions && (left >= 1.0 || top >= 1.0) {
            return Err(format!(
                "\"{text}\" is outside of the picture, as numbers up to 1 are fractions; {hint}"
            ));
        }
        Ok(Self {
            left,
            top,
            width,
            height,
            fractions,
        })
    }

    /// The part that is inside a picture of this size; `None` if there is none.
    fn within(&self, (width, height): (u32, u32)) -> Option<Pixels> {
        let (width, height) = (f64::from(width), f64::from(height));
        let (across, down) = if self.fractions {
            (width, height)
        } else {
            (1.0, 1.0)
        };
        let pixels = Pixels {
            left: self.left * across,
            top: self.top * down,
            right: ((self.left + self.width) * across).min(width),
            bottom: ((self.top + self.height) * down).min(height),
        };
        (pixels.left < pixels.right && pixels.top < pixels.bottom).then_some(pixels)
    }
}

/// A roi in one picture.
#[derive(Debug, Clone, Copy)]
struct Pixels {
    left: f64,
    top: f64,
    right: f64,
    bottom: f64,
}

impl Pixels {
    fn covers(&self, bounds: &Bounds, coverage: f32) -> bool {
        let (left, top) = (f64::from(bounds.left), f64::from(bounds.top));
        let (width, height) = (f64::from(bounds.width), f64::from(bounds.height));
        if width < 0.0 || height < 0.0 {
            return false;
        }
        let area = width * height;
        if area == 0.0 {
            return (self.left..=self.right).contains(&left)
                && (self.top..=self.bottom).contains(&top);
        }
        let inside = ((left + width).min(self.right) - left.max(self.left)).max(0.0)
            * ((top + height).min(self.bottom) - top.max(self.top)).max(0.0);
        // In the precision of the property: 6 of 10 pixels are as much as 0.6.
        inside > 0.0 && (inside / area) as f32 >= coverage
    }
}

/// Pixels of what is as long as anything can be.
const MAX_SIDE: u32 = 65_535;

/// Width and height in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    pub width: u32,
    pub height: u32,
}

impl Size {
    /// Reads `WxH`.
    ///
    /// # Errors
    ///
    /// Says what is wrong with the text and how to write it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let side = |text: &str| {
            let text = text.trim();
            let digits = text.bytes().all(|byte| byte.is_ascii_digit());
            let side = text.parse::<u32>().ok();
            side.filter(|side| digits && (1..=MAX_SIDE).contains(side))
        };
        text.split_once(['x', 'X'])
            .and_then(|(width, height)| {
                Some(Self {
                    width: side(width)?,
                    height: side(height)?,
                })
            })
            .ok_or_else(|| {
                format!(
                    "\"{text}\" is no size; write WxH in whole pixels from 1 to {MAX_SIDE}, such as \
                     64x128"
                )
            })
    }
}
