// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! An expression, and the detections that it is about: `expression \0 detections`.

use gstdsframe::capture::select::{Condition, FrameFacts};

use super::input::Input;

pub fn run(data: &[u8]) {
    let (text, mut input) = Input::text_and_rest(data);
    let condition = match Condition::compile(&text) {
        Ok(condition) => condition,
        Err(reason) => {
            assert!(!reason.is_empty());
            return;
        }
    };
    let stream = input.u8().into();
    let frame = input.u64();
    let time = input.u64();
    let size = (input.u16().into(), input.u16().into());
    let detections = input.list(8, Input::detection);
    // Places beyond the list too.
    let passing: Vec<_> = (0..detections.len() + 2)
        .filter(|_| !input.flag())
        .collect();
    let facts = FrameFacts {
        stream,
        frame,
        time,
        damaged: false,
        size,
        detections: &detections,
    };
    let value = condition.holds(&facts, &passing);
    assert_eq!(value, condition.holds(&facts, &passing));
    // The same by the longer way, for which there is no plan.
    if let Ok(longer) = Condition::compile(&format!("[{text}\n][0]")) {
        let longer = longer.holds(&facts, &passing);
        assert_eq!(value.as_ref().ok(), longer.as_ref().ok(), "{text}");
    }
    let none = FrameFacts {
        detections: &[],
        ..facts
    };
    let _ = condition.holds(&none, &[]);
}
