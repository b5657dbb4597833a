// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Formats with an object in each line and its properties in columns.

use std::str::FromStr;

use super::{bounds, confidence};
use crate::meta::Detection;

/// What an object is called by a format that has no word for it.
const OBJECT: &str = "object";
/// KITTI's mark for regions that nobody labelled.
const DONT_CARE: &str = "DontCare";

fn number<T: FromStr>(text: &str, what: &str) -> Result<T, String> {
    text.parse()
        .map_err(|_| format!("\"{}\" is no {what}", text.escape_debug()))
}

/// Whether a line has as many columns as those of KITTI.
pub fn has_kitti_columns(line: &str) -> bool {
    (15..=17).contains(&line.split_ascii_whitespace().take(18).count())
}

/// `label [id] truncated occluded alpha left top right bottom`, seven numbers of three dimensions,
/// and the confidence, if there is one. With an id there always is.
pub fn kitti(line: &str) -> Result<Option<Detection>, String> {
    // None has more columns than 17: what is beyond is not kept.
    let columns: Vec<&str> = line.split_ascii_whitespace().take(18).collect();
    let (id, first) = match columns.len() {
        15 | 16 => (None, 4),
        17 => (Some(number(columns[1], "id of a track")?), 5),
        n => {
            return Err(format!(
                "{} columns, but KITTI has 15, 16 with a confidence, or 17 with a track's id too",
                if n > 17 {
                    "more than 17".to_owned()
                } else {
                    n.to_string()
                }
            ));
        }
    };
    if columns[0] == DONT_CARE {
        return Ok(None);
    }
    let side = |place: usize| number::<f32>(columns[first + place], "side of a box");
    let (left, top, right, bottom) = (side(0)?, side(1)?, side(2)?, side(3)?);
    let confidence = match columns.len() {
        15 => None,
        n => confidence(number(columns[n - 1], "confidence")?)?,
    };
    Ok(Some(Detection {
        label: columns[0].into(),
        confidence,
        track_id: id,
        bounds: bounds(left, top, right - left, bottom - top)?,
        ..Detection::default()
    }))
}

/// `frame,id,left,top,width,height[,confidence,...]`; frames from 1, here from 0.
pub fn mot(line: &str) -> Result<(u64, Detection), String> {
    let columns: Vec<&str> = line.split(',').take(16).map(str::trim).collect();
    if columns.len() < 6 {
        return Err(format!(
            "{} columns, but MOTChallenge has at least 6: frame,id,left,top,width,height",
            columns.len()
        ));
    }
    let frame = number::<u64>(columns[0], "number of a frame")?
        .checked_sub(1)
        .ok_or("frame 0, but MOTChallenge counts from 1")?;
    let track_id = match columns[1] {
        "-1" | "-1.0" => None,
        id => Some(number(id, "id of a track")?),
    };
    let side = |place: usize| number::<f32>(columns[place], "side of a box");
    let confidence = match columns.get(6) {
        Some(text) => confidence(number(text, "confidence")?)?,
        None => None,
    };
    let detection = Detection {
        label: OBJECT.into(),
        confidence,
        track_id,
        bounds: bounds(side(2)?, side(3)?, side(4)?, side(5)?)?,
        ..Detection::default()
    };
    Ok((frame, detection))
}
