// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Drawing over RGB pictures: everything that is drawn is filled rectangles, one over the other.

use gst_video::VideoFormat;

use super::{ViewError, ViewMut};

/// A filled rectangle, in pixels; `right` and `bottom` are the first pixels beyond it. What is
/// beyond the picture is not drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rect {
    pub left: u32,
    pub top: u32,
    pub right: u32,
    pub bottom: u32,
    pub rgb: [u8; 3],
}

/// Draws into a picture of packed RGB. Later rectangles cover earlier ones.
pub fn paint(rects: &[Rect], view: &mut ViewMut<'_>) -> Result<(), ViewError> {
    if view.format() != VideoFormat::Rgb {
        return Err(ViewError::Format(view.format()));
    }
    let (width, height) = (view.width(), view.height());
    for rect in rects {
        let right = (rect.right as usize).min(width);
        let left = (rect.left as usize).min(right);
        let bottom = (rect.bottom as usize).min(height);
        for y in rect.top as usize..bottom {
            let (pixels, _) = view.row_mut(0, y)[3 * left..3 * right].as_chunks_mut::<3>();
            pixels.fill(rect.rgb);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::PlaneMut;
    use super::*;

    #[test]
    fn later_ones_cover_earlier_ones_and_padding_stays() {
        let mut data = vec![7; 16 * 4];
        let plane = PlaneMut {
            data: &mut data,
            pitch: 16,
        };
        let mut view = ViewMut::new(VideoFormat::Rgb, 5, 4, vec![plane]).unwrap();
        let rect = |left, top, right, bottom, value| Rect {
            left,
            top,
            right,
            bottom,
            rgb: [value; 3],
        };
        let rects = [
            rect(1, 1, 4, 3, 1),
            rect(3, 2, 100, 100, 2),
            // Nothing at all.
            rect(3, 0, 2, 4, 9),
            rect(0, 3, 5, 2, 9),
            rect(80, 0, 90, 4, 9),
        ];
        paint(&rects, &mut view).unwrap();
        let rows: Vec<Vec<u8>> = data
            .chunks(16)
            .map(|row| row.iter().step_by(3).copied().collect())
            .collect();
        assert_eq!(rows[0], [7, 7, 7, 7, 7, 7]);
        assert_eq!(rows[1], [7, 1, 1, 1, 7, 7]);
        assert_eq!(rows[2], [7, 1, 1, 2, 2, 7]);
        assert_eq!(rows[3], [7, 7, 7, 2, 2, 7]);
    }

    #[test]
    fn other_formats_are_refused() {
        let mut data = vec![0; 4];
        let plane = PlaneMut {
            data: &mut data,
            pitch: 2,
        };
        let mut view = ViewMut::new(VideoFormat::Gray8, 2, 2, vec![plane]).unwrap();
        assert!(paint(&[], &mut view).is_err());
    }
}
