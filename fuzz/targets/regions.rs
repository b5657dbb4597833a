// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The parts of a frame that are cut out, and what is drawn into pictures.

use gstdsframe::capture::picture::boxes::rects;
use gstdsframe::capture::picture::region::{CropRules, region};
use gstdsframe::frame::Part;

use super::input::Input;

/// Boxes that are drawn at most, and rectangles of each: lines, background, and letters of up to 40
/// characters of label, 43 of confidence, 21 of track and two spaces, with up to 4 strokes in each
/// of 8 rows.
const MOST: usize = 1000 * (4 + 1 + (40 + 43 + 21 + 2) * 8 * 4);

pub fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let side = |input: &mut Input<'_>| u32::from(input.u16()).max(1);
    let size = (side(&mut input), side(&mut input));
    let align = [(1, 1), (2, 2), (2, 1), (4, 1)][input.below(4)];
    let rules = CropRules {
        padding: f64::from(input.f32()),
        square: input.flag(),
        min_size: (input.u16().into(), input.u16().into()),
    };
    let picture = (side(&mut input), side(&mut input));
    let matches = input.list(4, |input| usize::from(input.u8()));
    let detections = input.list(12, Input::detection);
    let whole = Part {
        x: 0,
        y: 0,
        width: size.0,
        height: size.1,
    };
    let mut parts = vec![whole];
    for detection in &detections {
        let Some(part) = region(&detection.bounds, size, &rules, align) else {
            continue;
        };
        assert!(part.width >= 1 && part.height >= 1, "{part:?}");
        assert!(part.x + part.width <= size.0, "{part:?} of {size:?}");
        assert!(part.y + part.height <= size.1, "{part:?} of {size:?}");
        assert!(part.x % align.0 == 0 && part.y % align.1 == 0, "{part:?}");
        // All of the object that is in the frame, but for a sliver.
        let b = detection.bounds;
        let holds = |start: f32, len: f32, limit: u32, from: u32, pixels: u32| {
            let (start, len) = (f64::from(start), f64::from(len));
            let (low, high) = (start.max(0.0), (start + len).min(f64::from(limit)));
            let (from, pixels) = (f64::from(from), f64::from(pixels));
            low >= from - 0.01 && high <= from + pixels + 0.01
        };
        assert!(
            holds(b.left, b.width, size.0, part.x, part.width),
            "{b:?} {part:?}"
        );
        assert!(
            holds(b.top, b.height, size.1, part.y, part.height),
            "{b:?} {part:?}"
        );
        parts.push(part);
    }
    for part in parts {
        let rects = rects(&detections, &matches, size, part, picture);
        assert!(rects.len() <= MOST);
        for rect in rects {
            assert!(
                rect.left < rect.right && rect.right <= picture.0,
                "{rect:?}"
            );
            assert!(
                rect.top < rect.bottom && rect.bottom <= picture.1,
                "{rect:?}"
            );
        }
    }
}
