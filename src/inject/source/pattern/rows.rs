// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Planes, row by row.

use crate::frame::{PlaneMut, PlaneSize};

/// Draws the rows of a plane. Rows with the same key as the one above are copied from there, while
/// that is in the nearest cache; the others are drawn.
pub fn fill<K: PartialEq>(
    plane: &mut PlaneMut<'_>,
    size: PlaneSize,
    key: impl Fn(usize) -> K,
    mut draw: impl FnMut(usize, &mut [u8]),
) {
    let pitch = plane.pitch;
    let mut above = None;
    for y in 0..size.rows {
        let start = y * pitch;
        let key = Some(key(y));
        if key == above {
            let from = start - pitch;
            plane.data.copy_within(from..from + size.row_bytes, start);
        } else {
            draw(y, &mut plane.data[start..start + size.row_bytes]);
            above = key;
        }
    }
}
