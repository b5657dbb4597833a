// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Boxes and labels as rectangles, at the size of the picture that they are drawn into.

use font8x8::legacy::{BASIC_LEGACY, LATIN_LEGACY};

use crate::frame::Part;
use crate::frame::paint::Rect;
use crate::meta::{Bounds, Detection};

/// Boxes beyond these are not drawn: nobody could tell them apart.
const MAX_BOXES: usize = 1000;
/// Characters of a label that are drawn.
const MAX_LABEL: usize = 40;
/// Pixels of a letter, each way.
const LETTER: i64 = 8;

const BLACK: [u8; 3] = [0; 3];
const WHITE: [u8; 3] = [255; 3];

/// Told apart easily, also by those who see red and green alike.
const PALETTE: [[u8; 3]; 10] = [
    [230, 25, 75],
    [60, 180, 75],
    [255, 225, 25],
    [0, 130, 200],
    [245, 130, 48],
    [145, 30, 180],
    [70, 240, 240],
    [240, 50, 230],
    [250, 190, 212],
    [128, 128, 0],
];

/// Pixels of a picture: `right` and `bottom` are the first ones beyond.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Area {
    left: i64,
    top: i64,
    right: i64,
    bottom: i64,
}

/// A picture to draw on.
struct Canvas {
    width: i64,
    height: i64,
    rects: Vec<Rect>,
}

impl Canvas {
    fn fill(&mut self, area: Area, rgb: [u8; 3]) {
        let (left, top) = (area.left.max(0), area.top.max(0));
        let (right, bottom) = (area.right.min(self.width), area.bottom.min(self.height));
        if left < right && top < bottom {
            self.rects.push(Rect {
                left: left as u32,
                top: top as u32,
                right: right as u32,
                bottom: bottom as u32,
                rgb,
            });
        }
    }

    fn frame(&mut self, area: Area, line: i64, rgb: [u8; 3]) {
        let Area {
            left,
            top,
            right,
            bottom,
        } = area;
        let below = (top + line).min(bottom);
        let above = (bottom - line).max(below);
        self.fill(
            Area {
                bottom: below,
                ..area
            },
            rgb,
        );
        self.fill(Area { top: above, ..area }, rgb);
        let sides = Area {
            left,
            top: below,
            right,
            bottom: above,
        };
        self.fill(
            Area {
                right: (left + line).min(right),
                ..sides
            },
            rgb,
        );
        self.fill(
            Area {
                left: (right - line).max(left),
                ..sides
            },
            rgb,
        );
    }

    /// Above the box, or below its upper line where there is no room above.
    fn label(&mut self, text: &str, area: Area, line: i64, scale: i64, rgb: [u8; 3]) {
        let height = (LETTER + 2) * scale;
        let room = (self.width - 2 * scale) / (LETTER * scale);
        let letters = fitting(text, room.max(0) as usize);
        if letters.is_empty() || height > self.height {
            return;
        }
        let width = LETTER * scale * letters.len() as i64 + 2 * scale;
        let left = area.left.clamp(0, self.width - width);
        let top = match area.top - height {
            above if above >= 0 => above,
            _ => area.top.max(0) + line,
        };
        let top = top.clamp(0, self.height - height);
        let background = Area {
            left,
            top,
            right: left + width,
            bottom: top + height,
        };
        self.fill(background, rgb);
        let ink = contrast(rgb);
        let mut x = left + scale;
        for letter in letters {
            self.letter(letter, x, top + scale, scale, ink);
            x += LETTER * scale;
        }
    }

    fn letter(&mut self, letter: char, x: i64, y: i64, scale: i64, rgb: [u8; 3]) {
        let glyph = glyph(letter);
        for (row, bits) in (0..).zip(glyph) {
            let mut column = 0;
            while column < LETTER {
                let rest = bits >> column;
                let ones = i64::from(rest.trailing_ones());
                if ones > 0 {
                    let area = Area {
                        left: x + column * scale,
                        top: y + row * scale,
                        right: x + (column + ones) * scale,
                        bottom: y + (row + 1) * scale,
                    };
                    self.fill(area, rgb);
                }
                column += ones.max(1);
            }
        }
    }
}

/// Rows of eight pixels, the left one in the lowest bit.
fn glyph(letter: char) -> [u8; 8] {
    let code = letter as usize;
    match code {
        0x20..0x7f => BASIC_LEGACY[code],
        0xa0..0x100 => LATIN_LEGACY[code - 0xa0],
        _ => BASIC_LEGACY['?' as usize],
    }
}

fn contrast([red, green, blue]: [u8; 3]) -> [u8; 3] {
    let luma = 299 * u32::from(red) + 587 * u32::from(green) + 114 * u32::from(blue);
    if luma >= 128_000 { BLACK } else { WHITE }
}

/// The same for a class in every run.
fn colour(detection: &Detection) -> [u8; 3] {
    let class = detection.class_id.unwrap_or_default().to_string();
    let name = match detection.label.as_str() {
        "" => class.as_str(),
        label => label,
    };
    let hash = name.bytes().fold(0x811c_9dc5u32, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    });
    // The lower bits alone vary too little.
    PALETTE[((hash >> 16) ^ hash) as usize % PALETTE.len()]
}

/// So many letters of a text: its first words whole, as a number that is cut is another one.
fn fitting(text: &str, room: usize) -> Vec<char> {
    let mut letters: Vec<char> = text.chars().collect();
    while letters.len() > room {
        match letters.iter().rposition(|letter| *letter == ' ') {
            Some(word) => letters.truncate(word),
            None => letters.truncate(room),
        }
    }
    letters
}

/// `label 0.87 #12`, of what is known.
fn text(detection: &Detection) -> String {
    let name = match (detection.label.as_str(), detection.class_id) {
        ("", Some(class)) => class.to_string(),
        (label, _) => label.chars().take(MAX_LABEL).collect(),
    };
    let confidence = detection.confidence.filter(|c| c.is_finite());
    let parts = [
        Some(name).filter(|name| !name.is_empty()),
        confidence.map(|confidence| format!("{confidence:.2}")),
        detection.track_id.map(|track| format!("#{track}")),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
}

/// Where a box is in a picture of `part`, and not within its edges. None for what is not a box, not
/// in the frame, or not in the part.
fn place(bounds: &Bounds, frame: (u32, u32), part: Part, picture: (u32, u32)) -> Option<Area> {
    // Pixels of the picture, of what is in the frame.
    let axis = |start: f32, len: f32, limit: u32, from: u32, of: u32, pixels: u32| {
        let (start, len) = (f64::from(start), f64::from(len));
        let end = start + len;
        if !start.is_finite() || !end.is_finite() || len <= 0.0 {
            return None;
        }
        let (start, end) = (start.max(0.0), end.min(f64::from(limit)));
        if start >= end || end <= f64::from(from) || start >= f64::from(from) + f64::from(of) {
            return None;
        }
        let scale = f64::from(pixels) / f64::from(of.max(1));
        let to = |at: f64| ((at - f64::from(from)) * scale).round() as i64;
        let (low, high) = (to(start), to(end));
        Some((low, high.max(low + 1)))
    };
    let (left, right) = axis(
        bounds.left,
        bounds.width,
        frame.0,
        part.x,
        part.width,
        picture.0,
    )?;
    let (top, bottom) = axis(
        bounds.top,
        bounds.height,
        frame.1,
        part.y,
        part.height,
        picture.1,
    )?;
    Some(Area {
        left,
        top,
        right,
        bottom,
    })
}

/// What is drawn into a picture of this size that shows `part` of the frame: a box and a label for
/// every detection that is in it, those of `matches` over the others and with lines twice as wide.
pub fn rects(
    detections: &[Detection],
    matches: &[usize],
    frame: (u32, u32),
    part: Part,
    picture: (u32, u32),
) -> Vec<Rect> {
    let mut canvas = Canvas {
        width: picture.0.into(),
        height: picture.1.into(),
        rects: Vec::new(),
    };
    let mut matching = vec![false; detections.len()];
    for &index in matches {
        if let Some(matching) = matching.get_mut(index) {
            *matching = true;
        }
    }
    let of = |wanted: bool| {
        let pairs = detections.iter().zip(&matching);
        pairs
            .filter(move |(_, matching)| **matching == wanted)
            .filter_map(move |(detection, _)| {
                let area = place(&detection.bounds, frame, part, picture)?;
                Some((detection, area, wanted))
            })
    };
    let mut drawn: Vec<_> = of(true).chain(of(false)).take(MAX_BOXES).collect();
    let split = drawn.partition_point(|(_, _, matching)| *matching);
    drawn.rotate_left(split);

    let line = ((canvas.height + 120) / 240).max(1);
    let scale = ((canvas.height + 240) / 480).max(1);
    for (detection, area, matching) in drawn {
        let line = if matching { line } else { (line / 2).max(1) };
        let rgb = colour(detection);
        canvas.frame(area, line, rgb);
        canvas.label(&text(detection), area, line, scale, rgb);
    }
    canvas.rects
}

#[cfg(test)]
#[path = "boxes_tests.rs"]
mod tests;
