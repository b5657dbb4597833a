// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Filters and the texts that they are read from, four lines, and boxes:
//! `classes \n roi \n sizes \n streams \0 boxes`.

use gstdsframe::capture::select::{Classes, Filter, FrameFacts, Roi, Size, StreamList};

use super::input::Input;

pub fn run(data: &[u8]) {
    let (text, mut input) = Input::text_and_rest(data);
    let mut lines = text.split('\n');
    let mut line = || lines.next().unwrap_or_default();
    let classes = Classes::parse(line());
    let roi = Roi::parse(line());
    let sizes = line();
    let (min, max) = sizes.split_once(' ').unwrap_or((sizes, ""));
    let (min_size, max_size) = (Size::parse(min), Size::parse(max));
    let streams = StreamList::parse(line());
    if let Ok(Size { width, height }) = &min_size {
        assert!((1..=65_535).contains(width) && (1..=65_535).contains(height));
    }
    let errors = [
        classes.as_ref().err(),
        roi.as_ref().err(),
        min_size.as_ref().err(),
        max_size.as_ref().err(),
        streams.as_ref().err(),
    ];
    assert!(errors.into_iter().flatten().all(|error| !error.is_empty()));
    let stream = input.u32();
    if streams == Ok(StreamList::All) {
        assert!(StreamList::All.contains(stream));
    } else if let Ok(StreamList::Only(list)) = &streams {
        assert!(list.len() <= text.len() && list.iter().all(|n| streams_of(&streams, *n)));
    }

    let filter = Filter {
        classes: classes.unwrap_or_default(),
        component: input.option(|input| i32::from(input.u8())),
        min_confidence: input.f32(),
        max_confidence: input.f32(),
        accept_unknown: input.flag(),
        roi: roi.ok(),
        roi_coverage: input.f32(),
        min_size: min_size.ok(),
        max_size: max_size.ok(),
    };
    let size = (input.u16().into(), input.u16().into());
    let detections = input.list(12, Input::detection);
    let facts = FrameFacts {
        stream,
        frame: 0,
        time: 0,
        damaged: false,
        size,
        detections: &detections,
    };
    let (mut passing, mut again) = (vec![7; 3], Vec::new());
    filter.apply(&facts, &mut passing);
    filter.apply(&facts, &mut again);
    assert_eq!(passing, again);
    assert!(passing.is_sorted_by(|a, b| a < b));
    for place in &passing {
        let detection = &detections[*place];
        let b = detection.bounds;
        assert!(
            ![b.left, b.top, b.width, b.height]
                .iter()
                .any(|n| n.is_nan())
        );
        assert!(!detection.confidence.is_some_and(f32::is_nan));
        // What passes does so alone.
        let alone = FrameFacts {
            detections: std::slice::from_ref(detection),
            ..facts
        };
        filter.apply(&alone, &mut again);
        assert_eq!(again, [0]);
        // What is set does not let more pass.
        Filter::default().apply(&alone, &mut again);
        assert_eq!(again, [0]);
    }
}

fn streams_of(streams: &Result<StreamList, String>, stream: u32) -> bool {
    streams.as_ref().is_ok_and(|list| list.contains(stream))
}
