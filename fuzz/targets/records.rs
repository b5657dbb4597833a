// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Files of detections: any bytes, and again what could be read of them.

use gstdsframe::capture::deliver::log::{Entry, Line};
use gstdsframe::capture::job::Facts;
use gstdsframe::capture::select::Reason;
use gstdsframe::meta::records::{Frames, Reader};
use gstdsframe::meta::{Detection, FrameMeta};

pub fn run(data: &[u8]) {
    let lines = data.split(|byte| *byte == b'\n').count() as u64;
    match Reader::default().read_kitti(&mut &data[..]).unwrap() {
        Ok(detections) => check(&detections, data.len()),
        Err(error) => assert!((1..=lines).contains(&error.line), "{error}"),
    }
    let frames = match Reader::default().read(&mut &data[..]).unwrap() {
        Ok(frames) => frames,
        Err(error) => {
            assert!((1..=lines).contains(&error.line), "{error}");
            return;
        }
    };
    let mut text = String::new();
    let mut written = Frames::new();
    for (number, mut frame) in frames {
        check(&frame.detections, data.len());
        if frame.detections.is_empty() {
            continue;
        }
        let (width, height) = *frame.size.get_or_insert((640, 480));
        let facts = Facts {
            number,
            stream: 0,
            frame: number,
            pts: None,
            duration: None,
            discont: false,
            taken_at: jiff::Timestamp::UNIX_EPOCH,
            reason: Reason::Interval,
            meta: FrameMeta {
                detections: frame.detections.clone(),
                ..FrameMeta::default()
            },
            matches: Vec::new(),
        };
        let line = Line::from(Entry {
            run: "fuzz",
            unique_id: 0,
            facts: &facts,
            frame_size: [width, height],
            pictures: &[],
            shape: [1, 1, 3],
            statistics: None,
        });
        text += &serde_json::to_string(&line).unwrap();
        text.push('\n');
        written.insert(number, frame);
    }
    let again = Reader::default().read(&mut text.as_bytes()).unwrap();
    assert_eq!(again.as_ref(), Ok(&written), "{text}");
}

fn check(detections: &[Detection], bytes: usize) {
    assert!(detections.len() <= bytes);
    for detection in detections {
        let b = detection.bounds;
        assert!(
            [b.left, b.top, b.width, b.height]
                .iter()
                .all(|n| n.is_finite())
        );
        assert!(b.width >= 0.0 && b.height >= 0.0);
        assert!(
            detection
                .confidence
                .is_none_or(|c| c.is_finite() && c >= 0.0)
        );
        assert!(
            detection
                .parent
                .is_none_or(|parent| parent < detections.len())
        );
        let labels = detection.classifiers.iter().flat_map(|c| &c.labels);
        assert!(labels.filter_map(|l| l.probability).all(f32::is_finite));
    }
}
