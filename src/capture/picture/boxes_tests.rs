// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

use gst_video::VideoFormat;
use proptest::prelude::*;

use super::*;
use crate::frame::{PlaneMut, ViewMut, paint::paint};

const GROUND: [u8; 3] = [9, 9, 9];

fn detection(label: &str, left: f32, top: f32, width: f32, height: f32) -> Detection {
    Detection {
        label: label.into(),
        bounds: Bounds {
            left,
            top,
            width,
            height,
        },
        ..Detection::default()
    }
}

/// The pixels of a picture with the rectangles in it.
fn painted(rects: &[Rect], (width, height): (u32, u32)) -> Vec<Vec<[u8; 3]>> {
    let (width, height) = (width as usize, height as usize);
    let mut data = GROUND.repeat(width * height);
    let plane = PlaneMut {
        data: &mut data,
        pitch: 3 * width,
    };
    let mut view = ViewMut::new(VideoFormat::Rgb, width, height, vec![plane]).unwrap();
    paint(rects, &mut view).unwrap();
    let rows = data.as_chunks::<3>().0.chunks(width);
    rows.map(<[_]>::to_vec).collect()
}

fn whole(
    detections: &[Detection],
    matches: &[usize],
    frame: (u32, u32),
    picture: (u32, u32),
) -> Vec<Vec<[u8; 3]>> {
    let rects = rects(detections, matches, frame, Part::whole(frame), picture);
    painted(&rects, picture)
}

#[test]
fn a_box_is_a_frame_within_its_edges() {
    let rgb = colour(&detection("", 0.0, 0.0, 1.0, 1.0));
    let size = (40, 30);
    // No text at all: nothing is known of it.
    let pixels = whole(&[detection("", 5.0, 6.0, 20.0, 10.0)], &[0], size, size);
    for (y, row) in pixels.iter().enumerate() {
        for (x, pixel) in row.iter().enumerate() {
            let inside = (5..25).contains(&x) && (6..16).contains(&y);
            let inner = (6..24).contains(&x) && (7..15).contains(&y);
            let expected = if inside && !inner { rgb } else { GROUND };
            assert_eq!(*pixel, expected, "{x} {y}");
        }
    }
}

#[test]
fn lines_and_letters_grow_with_the_picture_and_matches_are_wider() {
    let ground_row = |detections: &[Detection], matches: &[usize], height: u32| {
        let frame = (height * 2, height);
        let pixels = whole(detections, matches, frame, frame);
        // Across the left line, in the middle of the box.
        let row = &pixels[height as usize / 2];
        row.iter()
            .skip_while(|p| **p == GROUND)
            .take_while(|p| **p != GROUND)
            .count()
    };
    for (height, line) in [(24, 1), (240, 1), (480, 2), (720, 3), (1080, 5), (2160, 9)] {
        let h = height as f32;
        let one = [detection("", h / 4.0, h / 4.0, h, h / 2.0)];
        assert_eq!(ground_row(&one, &[0], height), line, "{height}");
        assert_eq!(ground_row(&one, &[], height), (line / 2).max(1), "{height}");
    }
}

/// What the letters of a label are in the picture, read back by comparing with the font.
fn read(pixels: &[Vec<[u8; 3]>], left: usize, top: usize, scale: usize, letters: usize) -> String {
    let ground = pixels[top][left];
    let ink = contrast(ground);
    (0..letters)
        .map(|letter| {
            let x0 = left + scale + letter * 8 * scale;
            let rows: [u8; 8] = std::array::from_fn(|row| {
                (0..8).fold(0, |bits, column| {
                    let (x, y) = (x0 + column * scale, top + scale + row * scale);
                    let pixel = pixels[y][x];
                    for dy in 0..scale {
                        for dx in 0..scale {
                            assert_eq!(pixels[y + dy][x + dx], pixel, "{letter} {column} {row}");
                        }
                    }
                    assert!(pixel == ink || pixel == ground, "{pixel:?}");
                    bits | u8::from(pixel == ink) << column
                })
            });
            let found = (' '..='ÿ').find(|c| (*c < '\x7f' || *c >= '\u{a1}') && glyph(*c) == rows);
            found.unwrap_or_else(|| panic!("no such letter: {rows:?}"))
        })
        .collect()
}

#[test]
fn labels_can_be_read() {
    for ((width, height), scale) in [
        ((200, 100), 1),
        ((640, 480), 1),
        ((1280, 720), 2),
        ((3840, 2160), 5),
    ] {
        let mut one = detection("Person", 50.0, 70.0, 30.0, 20.0);
        one.confidence = Some(0.874);
        one.track_id = Some(12);
        let pixels = whole(&[one], &[0], (200, 100), (width, height));
        let (left, bottom) = (50 * width as usize / 200, 70 * height as usize / 100);
        let top = bottom - 10 * scale;
        assert_eq!(read(&pixels, left, top, scale, 15), "Person 0.87 #12");
        assert_eq!(pixels[top - 1][left], GROUND);
    }
}

#[test]
fn labels_stay_in_the_picture() {
    let size = (100, 60);
    let at = |label: &str, left: f32, top: f32| {
        let one = detection(label, left, top, 20.0, 20.0);
        whole(&[one], &[0], size, size)
    };
    // No room above: below the line.
    assert_eq!(read(&at("car", 10.0, 5.0), 10, 6, 1, 3), "car");
    // To the left, so that all of it is there.
    assert_eq!(read(&at("car", 90.0, 30.0), 100 - 26, 20, 1, 3), "car");
    // As much as there is room for.
    assert_eq!(
        read(&at("abcdefghijklmnop", 50.0, 30.0), 2, 20, 1, 12),
        "abcdefghijkl"
    );
    // The box begins before the picture.
    assert_eq!(read(&at("car", -15.0, -10.0), 0, 1, 1, 3), "car");
}

#[test]
fn what_the_font_lacks_is_a_question_mark() {
    let one = detection("añ\t人🚗", 2.0, 20.0, 30.0, 20.0);
    let pixels = whole(&[one], &[0], (100, 60), (100, 60));
    assert_eq!(read(&pixels, 2, 10, 1, 5), "añ???");
}

#[test]
fn texts_have_what_is_known() {
    let mut one = detection("car", 0.0, 0.0, 1.0, 1.0);
    assert_eq!(text(&one), "car");
    one.confidence = Some(1.0);
    assert_eq!(text(&one), "car 1.00");
    one.confidence = Some(f32::NAN);
    one.track_id = Some(u64::MAX);
    assert_eq!(text(&one), "car #18446744073709551615");
    one.label = "".into();
    one.class_id = Some(3);
    assert_eq!(text(&one), "3 #18446744073709551615");
    one.label = "x".repeat(1000).as_str().into();
    assert!(text(&one).len() < 100);
}

#[test]
fn colours_follow_the_class_and_differ() {
    let of = |label: &str| colour(&detection(label, 0.0, 0.0, 1.0, 1.0));
    let names = ["person", "car", "bicycle", "truck", "dog", "bus", "cat"];
    let mut colours: Vec<_> = names.map(of).to_vec();
    colours.sort_unstable();
    colours.dedup();
    assert!(colours.len() >= 4, "{colours:?}");
    // The number of the class where there is no name.
    let class = |id| {
        colour(&Detection {
            class_id: Some(id),
            ..Detection::default()
        })
    };
    assert_ne!(class(0), class(1));
}

#[test]
fn parts_show_what_is_in_them() {
    let part = Part {
        x: 20,
        y: 10,
        width: 40,
        height: 30,
    };
    let frame = (100, 60);
    let detections = [
        detection("", 25.0, 15.0, 10.0, 10.0),
        detection("", 70.0, 15.0, 10.0, 10.0),
        // Around it all: its lines are elsewhere.
        detection("", 0.0, 0.0, 100.0, 60.0),
    ];
    let rects = rects(&detections, &[0, 1, 2], frame, part, (80, 60));
    let pixels = painted(&rects, (80, 60));
    for (y, row) in pixels.iter().enumerate() {
        for (x, pixel) in row.iter().enumerate() {
            let inside = (10..30).contains(&x) && (10..30).contains(&y);
            let inner = (11..29).contains(&x) && (11..29).contains(&y);
            assert_eq!(*pixel != GROUND, inside && !inner, "{x} {y}");
        }
    }
}

#[test]
fn matches_are_drawn_first_of_too_many_and_over_the_others() {
    let many: Vec<_> = (0..3 * MAX_BOXES)
        .map(|i| detection("", (i % 100) as f32, (i / 100) as f32, 1.0, 1.0))
        .collect();
    let matches: Vec<usize> = (2000..2100).collect();
    let drawn = rects(
        &many,
        &matches,
        (100, 60),
        Part::whole((100, 60)),
        (100, 60),
    );
    assert_eq!(drawn.len(), MAX_BOXES);
    assert!(drawn[MAX_BOXES - 100..].iter().all(|rect| rect.top == 20));
    assert!(drawn[..MAX_BOXES - 100].iter().all(|rect| rect.top < 9));
}

fn any_float() -> impl Strategy<Value = f32> {
    prop_oneof![4 => -200.0f32..400.0, 1 => any::<f32>()]
}

proptest! {
    #[test]
    fn nothing_is_drawn_outside(
        boxes in prop::collection::vec((any_float(), any_float(), any_float(), any_float()), 0..6),
        label in ".{0,12}",
        frame in (1u32..300, 1u32..300),
        picture in (1u32..300, 1u32..300),
    ) {
        let detections: Vec<_> = boxes
            .iter()
            .map(|(left, top, width, height)| detection(&label, *left, *top, *width, *height))
            .collect();
        let part = Part::whole(frame);
        for rect in rects(&detections, &[0, 7], frame, part, picture) {
            prop_assert!(rect.left < rect.right && rect.right <= picture.0);
            prop_assert!(rect.top < rect.bottom && rect.bottom <= picture.1);
        }
    }
}

#[test]
fn numbers_are_whole_or_not_there() {
    let fit = |room| {
        fitting("person 0.64 #137", room)
            .into_iter()
            .collect::<String>()
    };
    assert_eq!(fit(16), "person 0.64 #137");
    assert_eq!(fit(15), "person 0.64");
    assert_eq!(fit(9), "person");
    assert_eq!(fit(3), "per");
    assert_eq!(fit(0), "");
}
