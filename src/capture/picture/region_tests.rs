// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

use proptest::prelude::*;

use super::*;

const FRAME: (u32, u32) = (640, 480);

fn bounds(left: f32, top: f32, width: f32, height: f32) -> Bounds {
    Bounds {
        left,
        top,
        width,
        height,
    }
}

fn part(x: u32, y: u32, width: u32, height: u32) -> Option<Part> {
    Some(Part {
        x,
        y,
        width,
        height,
    })
}

fn padded(padding: f64) -> CropRules {
    CropRules {
        padding,
        ..CropRules::default()
    }
}

#[test]
fn a_box_is_cut_out_as_it_is() {
    let cut = |b: Bounds| region(&b, FRAME, &CropRules::default(), (1, 1));
    assert_eq!(cut(bounds(10.0, 20.0, 30.0, 40.0)), part(10, 20, 30, 40));
    assert_eq!(cut(bounds(11.0, 21.0, 1.0, 1.0)), part(11, 21, 1, 1));
    // Every pixel that it touches.
    assert_eq!(cut(bounds(10.5, 20.25, 30.0, 40.0)), part(10, 20, 31, 41));
    assert_eq!(cut(bounds(10.4, 20.4, 0.1, 0.1)), part(10, 20, 1, 1));
    assert_eq!(cut(bounds(-10.0, -20.0, 30.0, 40.0)), part(0, 0, 20, 20));
    assert_eq!(
        cut(bounds(600.0, 470.0, 300.0, 400.0)),
        part(600, 470, 40, 10)
    );
    assert_eq!(cut(bounds(0.0, 0.0, 640.0, 480.0)), part(0, 0, 640, 480));
    assert_eq!(cut(bounds(-1e30, -1e30, 2e30, 2e30)), part(0, 0, 640, 480));
    assert_eq!(
        cut(bounds(639.9999, 479.9999, 1.0, 1.0)),
        part(639, 479, 1, 1)
    );
}

#[test]
fn the_corner_is_where_chroma_begins() {
    let cut = |b: Bounds| region(&b, FRAME, &CropRules::default(), (2, 2));
    assert_eq!(cut(bounds(11.0, 21.0, 30.0, 41.0)), part(10, 20, 31, 42));
    assert_eq!(cut(bounds(10.0, 20.0, 31.0, 41.0)), part(10, 20, 31, 41));
    let rows = region(
        &bounds(11.0, 21.0, 30.0, 41.0),
        FRAME,
        &CropRules::default(),
        (2, 1),
    );
    assert_eq!(rows, part(10, 21, 31, 41));
}

#[test]
fn boxes_grow_and_move_into_the_frame() {
    let b = bounds(100.0, 100.0, 40.0, 20.0);
    assert_eq!(
        region(&b, FRAME, &padded(0.1), (1, 1)),
        part(96, 98, 48, 24)
    );
    // A tenth in single precision.
    assert_eq!(
        region(&b, FRAME, &padded(f64::from(0.1f32)), (1, 1)),
        part(96, 98, 48, 24)
    );
    let edge = bounds(0.0, 470.0, 40.0, 10.0);
    assert_eq!(
        region(&edge, FRAME, &padded(0.5), (1, 1)),
        part(0, 460, 80, 20)
    );
    assert_eq!(
        region(&b, FRAME, &padded(10.0), (1, 1)),
        part(0, 0, 640, 420)
    );
    let rules = CropRules {
        min_size: (64, 10),
        ..CropRules::default()
    };
    assert_eq!(region(&b, FRAME, &rules, (1, 1)), part(88, 100, 64, 20));
    let large = CropRules {
        min_size: (5000, 5000),
        ..CropRules::default()
    };
    assert_eq!(region(&b, FRAME, &large, (1, 1)), part(0, 0, 640, 480));
}

#[test]
fn squares_stay_square_where_there_is_room() {
    let square = CropRules {
        square: true,
        ..CropRules::default()
    };
    let cut = |b: Bounds, rules| region(&b, FRAME, rules, (1, 1));
    let b = bounds(100.0, 100.0, 40.0, 20.0);
    assert_eq!(cut(b, &square), part(100, 90, 40, 40));
    assert_eq!(
        cut(bounds(0.0, 0.0, 40.0, 20.0), &square),
        part(0, 0, 40, 40)
    );
    let min = CropRules {
        min_size: (10, 64),
        ..square
    };
    assert_eq!(cut(b, &min), part(88, 78, 64, 64));
    // Less around it, rather than no square.
    let wide = CropRules {
        padding: 10.0,
        ..square
    };
    assert_eq!(cut(b, &wide), part(0, 0, 480, 480));
    // No square has room for it.
    assert_eq!(
        cut(bounds(10.0, 10.0, 600.0, 100.0), &square),
        part(10, 0, 600, 480)
    );
}

#[test]
fn what_is_no_box_has_no_region() {
    let (nan, inf) = (f32::NAN, f32::INFINITY);
    for b in [
        bounds(nan, 0.0, 1.0, 1.0),
        bounds(0.0, nan, 1.0, 1.0),
        bounds(0.0, 0.0, nan, 1.0),
        bounds(0.0, 0.0, 1.0, nan),
        bounds(inf, 0.0, 1.0, 1.0),
        bounds(0.0, -inf, 1.0, inf),
        bounds(0.0, 0.0, inf, 1.0),
        bounds(0.0, 0.0, 0.0, 1.0),
        bounds(0.0, 0.0, 1.0, -1.0),
        bounds(640.0, 0.0, 10.0, 10.0),
        bounds(-10.0, 0.0, 10.0, 10.0),
        bounds(0.0, 480.0, 10.0, 10.0),
        bounds(0.0, -11.0, 10.0, 10.0),
    ] {
        assert_eq!(region(&b, FRAME, &padded(1.0), (1, 1)), None, "{b:?}");
    }
    let b = bounds(0.0, 0.0, 1.0, 1.0);
    assert_eq!(region(&b, (0, 10), &CropRules::default(), (1, 1)), None);
}

fn any_float() -> impl Strategy<Value = f32> {
    prop_oneof![
        8 => -800.0f32..3000.0,
        2 => (-100i32..2000).prop_map(|v| v as f32),
        1 => any::<f32>(),
    ]
}

proptest! {
    #[test]
    fn regions_are_in_the_frame_and_have_the_object(
        (left, top, width, height) in (any_float(), any_float(), any_float(), any_float()),
        size in (1u32..2000, 1u32..2000),
        padding in prop_oneof![Just(0.0), 0.0..10.0f64],
        square in any::<bool>(),
        min_size in prop_oneof![Just((0, 0)), (0u32..3000, 0u32..3000)],
        align in prop_oneof![Just((1, 1)), Just((2, 1)), Just((2, 2))],
    ) {
        let rules = CropRules { padding, square, min_size };
        let b = bounds(left, top, width, height);
        // What is to be seen of the box, in whole pixels.
        let clamped = |start: f32, len: f32, limit: u32| {
            let (start, end) = (f64::from(start), f64::from(start) + f64::from(len));
            let seen = (start.max(0.0), end.min(f64::from(limit)));
            (start.is_finite() && end.is_finite() && len > 0.0 && seen.0 < seen.1).then_some(seen)
        };
        let seen = clamped(left, width, size.0).zip(clamped(top, height, size.1));
        let part = region(&b, size, &rules, align);
        prop_assert_eq!(part.is_some(), seen.is_some());
        let (Some(part), Some((x, y))) = (part, seen) else { return Ok(()) };
        prop_assert!(part.width > 0 && part.height > 0);
        prop_assert!(part.x + part.width <= size.0 && part.y + part.height <= size.1);
        prop_assert_eq!((part.x % align.0, part.y % align.1), (0, 0));
        let slack = 2.0 * SLACK;
        prop_assert!(f64::from(part.x) <= x.0 + slack && f64::from(part.x + part.width) >= x.1 - slack);
        prop_assert!(f64::from(part.y) <= y.0 + slack && f64::from(part.y + part.height) >= y.1 - slack);
        // Chroma may cost a pixel.
        let grown = |seen: (f64, f64), min: u32, limit: u32| {
            ((seen.1 - seen.0) * (1.0 + 2.0 * padding)).max(f64::from(min)).min(f64::from(limit))
        };
        if !square {
            prop_assert!(f64::from(part.width) >= grown(x, min_size.0, size.0) - slack);
            prop_assert!(f64::from(part.height) >= grown(y, min_size.1, size.1) - slack);
        }
        let room = size.0.min(size.1);
        // Otherwise the object may end with the frame, an odd number of pixels from an even one.
        let even = align == (1, 1) || (size.0 % 2, size.1 % 2) == (0, 0);
        if square && even && f64::from(room) >= (x.1 - x.0).max(y.1 - y.0) + 6.0 {
            prop_assert_eq!(part.width, part.height);
        }
    }
}
