// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The patterns that are made of rectangles.

use super::rects::{Rect, Scene};
use crate::meta::{Bounds, Detection};

const WHITE: [u8; 3] = [255; 3];

/// Eight 75 % colour bars; a white line of width/128 moves right by width/120 a frame.
pub struct Bars {
    pub width: usize,
    pub height: usize,
}

impl Scene for Bars {
    fn rects(&self, number: u64) -> Vec<Rect> {
        const ON: u8 = 191;
        let Self { width, height } = *self;
        let column = |left, right, colour| Rect {
            left,
            top: 0,
            right,
            bottom: height,
            colour,
        };
        // White, yellow, cyan, green, magenta, red, blue, black.
        let bars = (0..8usize).map(|bar| {
            let on = |mask| if bar & mask == 0 { ON } else { 0 };
            column(
                bar * width / 8,
                (bar + 1) * width / 8,
                [on(2), on(4), on(1)],
            )
        });
        let left = steps(number, (width / 120).max(1), width);
        let line = column(left, left + (width / 128).max(1), WHITE);
        bars.chain([line]).collect()
    }
}

/// Squares of an eighth of the height, the one at the top left white in frame 0; they move left by
/// a sixteenth of a square a frame.
pub struct Checker {
    pub width: usize,
    pub height: usize,
}

impl Scene for Checker {
    fn rects(&self, number: u64) -> Vec<Rect> {
        let Self { width, height } = *self;
        let cell = (height / 8).max(1);
        let shift = steps(number, (cell / 16).max(1), 2 * cell);
        let mut rects = Vec::new();
        for (row, top) in (0..height).step_by(cell).enumerate() {
            for left in (row % 2 * cell..width + shift).step_by(2 * cell) {
                rects.push(Rect {
                    left: left.saturating_sub(shift),
                    top,
                    right: (left + cell).saturating_sub(shift),
                    bottom: top + cell,
                    colour: WHITE,
                });
            }
        }
        rects
    }
}

/// One colour: hue h = 15n mod 1530 on a wheel of six edges of 255 steps each, from red over
/// yellow, green, cyan, blue and magenta back to red. On an edge one of red, green and blue is 255,
/// one is 0, and the third is h mod 255 where it rises and 255 - h mod 255 where it falls.
pub struct Solid {
    pub width: usize,
    pub height: usize,
}

impl Scene for Solid {
    fn rects(&self, number: u64) -> Vec<Rect> {
        let hue = steps(number, 15, 1530);
        let (up, down) = ((hue % 255) as u8, 255 - (hue % 255) as u8);
        let colour = match hue / 255 {
            0 => [255, up, 0],
            1 => [down, 255, 0],
            2 => [0, 255, up],
            3 => [0, down, 255],
            4 => [up, 0, 255],
            _ => [255, 0, down],
        };
        vec![Rect {
            left: 0,
            top: 0,
            right: self.width,
            bottom: self.height,
            colour,
        }]
    }
}

/// Boxes on grey. Each has a fifth of the height to itself, so that none covers another (in five
/// rows or more), and moves in it to and fro. The last two are there for [`STAY`] frames and away
/// for as many, again and again, and have another track id each time.
pub struct Objects {
    pub width: usize,
    pub height: usize,
}

struct Object {
    label: &'static str,
    /// As in COCO.
    class_id: i32,
    confidence: f32,
    colour: [u8; 3],
    /// In hundredths of the picture's width and of the object's own fifth of the height.
    size: (usize, usize),
    /// Where it starts, in hundredths of its way.
    start: usize,
    /// In thousandths of the picture's width a frame.
    speed: usize,
    stays: bool,
}

/// Frames that an object is there before it goes.
const STAY: u64 = 120;

const BACKGROUND: [u8; 3] = [64; 3];

#[rustfmt::skip]
const OBJECTS: [Object; 5] = [
    Object { label: "person", class_id: 0, confidence: 0.9, colour: [220, 60, 60], size: (5, 90), start: 10, speed: 2, stays: true },
    Object { label: "car", class_id: 2, confidence: 0.8, colour: [60, 90, 220], size: (25, 60), start: 70, speed: 8, stays: true },
    Object { label: "bicycle", class_id: 1, confidence: 0.7, colour: [60, 200, 80], size: (10, 70), start: 40, speed: 5, stays: true },
    Object { label: "person", class_id: 0, confidence: 0.6, colour: [230, 160, 40], size: (4, 80), start: 90, speed: 3, stays: false },
    Object { label: "car", class_id: 2, confidence: 0.5, colour: [170, 60, 200], size: (20, 50), start: 0, speed: 11, stays: false },
];

impl Objects {
    /// Those that are there, by their places in [`OBJECTS`].
    fn boxes(&self, number: u64) -> Vec<(usize, Rect)> {
        let there = |object: &Object| object.stays || (number / STAY).is_multiple_of(2);
        let objects = OBJECTS.iter().enumerate();
        objects
            .filter(|(_, object)| there(object))
            .map(|(place, object)| (place, self.rect(place, object, number)))
            .collect()
    }

    fn rect(&self, place: usize, object: &Object, number: u64) -> Rect {
        let Self { width, height } = *self;
        let part = |i: usize| i * height / OBJECTS.len();
        let lane = (part(place + 1) - part(place)).max(1);
        let box_width = (width * object.size.0 / 100).max(1);
        let box_height = (lane * object.size.1 / 100).max(1);
        let way = width - box_width;
        let speed = (width * object.speed / 1000).max(1);
        let left = bounce(number, speed, way * object.start / 100, way);
        let top = part(place) + bounce(number, 1, 0, lane - box_height);
        Rect {
            left,
            top,
            right: left + box_width,
            bottom: top + box_height,
            colour: object.colour,
        }
    }

    /// The boxes of a frame, exactly as drawn.
    pub fn detections(&self, number: u64) -> Vec<Detection> {
        let track_id = |place: usize| {
            let visit = if OBJECTS[place].stays {
                0
            } else {
                number / STAY / 2
            };
            visit * OBJECTS.len() as u64 + place as u64 + 1
        };
        let boxes = self.boxes(number).into_iter();
        boxes
            .map(|(place, rect)| Detection {
                label: OBJECTS[place].label.into(),
                class_id: Some(OBJECTS[place].class_id),
                confidence: Some(OBJECTS[place].confidence),
                track_id: Some(track_id(place)),
                bounds: Bounds {
                    left: rect.left as f32,
                    top: rect.top as f32,
                    width: (rect.right - rect.left) as f32,
                    height: (rect.bottom - rect.top) as f32,
                },
                ..Detection::default()
            })
            .collect()
    }
}

impl Scene for Objects {
    fn rects(&self, number: u64) -> Vec<Rect> {
        let background = Rect {
            left: 0,
            top: 0,
            right: self.width,
            bottom: self.height,
            colour: BACKGROUND,
        };
        let boxes = self.boxes(number).into_iter().map(|(_, rect)| rect);
        [background].into_iter().chain(boxes).collect()
    }
}

/// `number * step mod modulus`, for numbers of any size.
fn steps(number: u64, step: usize, modulus: usize) -> usize {
    (number % modulus as u64) as usize * step % modulus
}

/// The place on a way from 0 to `way` and back, again and again, from `start` on.
fn bounce(number: u64, step: usize, start: usize, way: usize) -> usize {
    if way == 0 {
        return 0;
    }
    let place = (steps(number, step, 2 * way) + start) % (2 * way);
    place.min(2 * way - place)
}
