// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Which stages a conversion has. They are those of GStreamer's converter (1.22) in its order, as
//! each rounds to 8 bits:
//!
//! - Between formats whose planes hold the same, and with one matrix, it scales plane by plane,
//!   chroma linearly.
//! - A few pairs of one size have a short way that does not interpolate chroma, I420 to RGB above
//!   all.
//! - For all others it unpacks pixels of four bytes and interpolates chroma, makes the picture
//!   smaller, applies the matrix, makes the picture larger, averages chroma, packs. Of these stages
//!   we join what does not change the result.
//!
//! Pictures are taken as progressive.

use gst_video::{VideoChromaSite, VideoFormat, VideoInfo};

use super::matrix::{Matrix, is_same};
use super::tables::Taps;
use crate::frame::convert::centred;
use crate::mem::sys::scaler::{Coefficients, Resampler};

/// A picture that a stage reads or writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    From,
    To,
    /// One of [`Plan::scratch`].
    Scratch(usize),
}

/// A picture of one plane between two stages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scratch {
    pub format: VideoFormat,
    pub width: usize,
    pub height: usize,
}

/// How chroma is resampled along one axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum Chroma {
    /// Repeated, or the first sample taken.
    Kept = 0,
    Between = 1,
    Cosited = 2,
}

/// Chroma across and down.
pub type Resampling = (Chroma, Chroma);

const KEPT: Resampling = (Chroma::Kept, Chroma::Kept);

/// A change of format and colours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Convert {
    pub from: Place,
    pub to: Place,
    pub matrix: Option<Matrix>,
    pub up: Resampling,
    pub down: Resampling,
    /// Where the picture begins within `to`.
    pub x: usize,
    pub y: usize,
    /// A pixel of what is around it: red or luma, green or Cb, blue or Cr, alpha.
    pub border: [u8; 4],
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scaling {
    Copy,
    /// No picture at all, just border.
    Fill,
    Across(Taps),
    Down(Taps),
    /// Between two pixels, with this step in 65536ths.
    Steps(u32),
    /// Between two rows, in 256ths.
    BetweenRows(Taps),
    HalveAcross,
    HalveDown,
    HalveBoth,
}

/// A plane made from a plane along one axis.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scale {
    pub from: (Place, usize),
    pub to: (Place, usize),
    pub scaling: Scaling,
    /// Bytes of a pixel.
    pub elements: usize,
    /// The part of the plane that is made, in its pixels; the rest becomes border.
    pub part: Rect,
    /// The bytes of a pixel of border.
    pub border: [u8; 4],
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stage {
    Convert(Convert),
    /// As many planes as a picture has, at once.
    Scale(Vec<Scale>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rect {
    pub x: usize,
    pub y: usize,
    pub width: usize,
    pub height: usize,
}

#[derive(Debug, Default, PartialEq, Eq)]
pub struct Plan {
    pub stages: Vec<Stage>,
    pub scratch: Vec<Scratch>,
}

/// Whether pictures of this format can be made.
pub fn is_output(format: VideoFormat) -> bool {
    is_input(format) && !matches!(format, VideoFormat::Yuy2 | VideoFormat::Uyvy)
}

pub fn is_input(format: VideoFormat) -> bool {
    !crate::frame::plane_sizes(format, 1, 1).is_empty()
}

/// Bytes of a pixel; none for what is not RGB in one plane.
fn packed(format: VideoFormat) -> Option<usize> {
    match format {
        VideoFormat::Rgb | VideoFormat::Bgr => Some(3),
        VideoFormat::Rgba | VideoFormat::Bgra | VideoFormat::Rgbx | VideoFormat::Bgrx => Some(4),
        _ => None,
    }
}

/// The same bytes in the same order. GStreamer treats padding as alpha, and so the two are alike.
fn layout(format: VideoFormat) -> VideoFormat {
    match format {
        VideoFormat::Rgbx => VideoFormat::Rgba,
        VideoFormat::Bgrx => VideoFormat::Bgra,
        other => other,
    }
}

/// Whether two pixels share chroma, across and down.
fn sharing(format: VideoFormat) -> (bool, bool) {
    match format {
        VideoFormat::Nv12 | VideoFormat::I420 => (true, true),
        VideoFormat::Y42b | VideoFormat::Yuy2 | VideoFormat::Uyvy => (true, false),
        _ => (false, false),
    }
}

/// Bytes of a sample of a plane, and whether two pixels share one.
fn plane(format: VideoFormat, plane: usize) -> (usize, (bool, bool)) {
    match (format, plane) {
        (VideoFormat::Nv12, 1) => (2, (true, true)),
        (_, 0) => (packed(format).unwrap_or(1), (false, false)),
        _ => (1, sharing(format)),
    }
}

/// Black. In YUV it is that of limited range, whatever the range is, and gray is 0: as GStreamer
/// has them.
fn black(format: VideoFormat) -> [u8; 4] {
    match format {
        VideoFormat::Gray8 => [0, 128, 128, 255],
        format if packed(format).is_some() => [0, 0, 0, 255],
        _ => [16, 128, 128, 255],
    }
}

fn black_of_plane(format: VideoFormat, plane: usize) -> [u8; 4] {
    match plane {
        0 if packed(format).is_some() => black(format),
        0 => [black(format)[0]; 4],
        _ => [128; 4],
    }
}

fn is_planar(format: VideoFormat) -> bool {
    matches!(
        format,
        VideoFormat::I420 | VideoFormat::Y42b | VideoFormat::Y444
    )
}

/// Whether GStreamer scales plane by plane.
fn by_planes(from: VideoFormat, to: VideoFormat) -> bool {
    let planar = |format| is_planar(format) || format == VideoFormat::Gray8;
    (planar(from) && planar(to)) || (from == to && is_output(to))
}

/// Where the picture lies within `to`.
fn part_of(from: &VideoInfo, to: &VideoInfo, add_borders: bool) -> Rect {
    let (to_width, to_height) = (to.width() as usize, to.height() as usize);
    if !add_borders {
        return Rect {
            x: 0,
            y: 0,
            width: to_width,
            height: to_height,
        };
    }
    let (x, y, width, height) = centred(from, to);
    // To where chroma begins.
    let (across, down) = sharing(to.format());
    let x = x as usize & !usize::from(across);
    let y = y as usize & !usize::from(down);
    Rect {
        x,
        y,
        width: (width as usize).min(to_width - x),
        height: (height as usize).min(to_height - y),
    }
}

fn chroma(info: &VideoInfo) -> Resampling {
    let site = info.chroma_site();
    let (across, down) = sharing(info.format());
    let across = match across {
        false => Chroma::Kept,
        true if site.contains(VideoChromaSite::H_COSITED) => Chroma::Cosited,
        true => Chroma::Between,
    };
    // GStreamer leaves cosited chroma alone vertically.
    let down = match down && !site.contains(VideoChromaSite::V_COSITED) {
        false => Chroma::Kept,
        true => Chroma::Between,
    };
    (across, down)
}

fn across(resampler: Resampler, from: usize, to: usize, elements: usize) -> Option<Scaling> {
    let exact = Coefficients::new(resampler, from, to)?;
    if exact.count == 2 && matches!(elements, 1 | 4) {
        let step = match to {
            1 => 0,
            _ => (((from as u64 - 1) << 16) / (to as u64 - 1)).saturating_sub(1),
        };
        return Some(Scaling::Steps(u32::try_from(step).ok()?));
    }
    Some(Scaling::Across(Taps::new(&exact, from, 6)))
}

fn down(resampler: Resampler, from: usize, to: usize) -> Option<Scaling> {
    let exact = Coefficients::new(resampler, from, to)?;
    Some(match exact.count {
        2 => Scaling::BetweenRows(Taps::new(&exact, from, 8)),
        _ => Scaling::Down(Taps::new(&exact, from, 6)),
    })
}

impl Plan {
    /// None for formats that are not [inputs](is_input) and [outputs](is_output), and for sizes
    /// that nothing can be made of.
    pub fn new(from: &VideoInfo, to: &VideoInfo, add_borders: bool) -> Option<Self> {
        let (from_format, to_format) = (from.format(), to.format());
        let sides = [from.width(), from.height(), to.width(), to.height()];
        if !is_input(from_format) || !is_output(to_format) || sides.contains(&0) {
            return None;
        }
        let part = part_of(from, to, add_borders);
        let same_size =
            (part.width, part.height) == (from.width() as usize, from.height() as usize);
        let same_matrix = is_same(from, to);
        if same_matrix && by_planes(from_format, to_format) {
            return Self::planes(from, to, part);
        }
        if let Some((matrix, down)) = same_size.then(|| short(from, to, same_matrix)).flatten() {
            let convert = Convert {
                from: Place::From,
                to: Place::To,
                matrix,
                up: KEPT,
                down,
                x: part.x,
                y: part.y,
                border: black(to_format),
            };
            return Some(Self {
                stages: vec![Stage::Convert(convert)],
                scratch: Vec::new(),
            });
        }
        Self::pixels(
            from,
            to,
            part,
            (!same_matrix).then(|| Matrix::new(from, to)),
        )
    }

    fn add(&mut self, format: VideoFormat, width: usize, height: usize) -> Place {
        self.scratch.push(Scratch {
            format,
            width,
            height,
        });
        Place::Scratch(self.scratch.len() - 1)
    }

    fn planes(from: &VideoInfo, to: &VideoInfo, part: Rect) -> Option<Self> {
        let mut plan = Self::default();
        let (mut first, mut second) = (Vec::new(), Vec::new());
        let shared = |size: usize, shared: bool| if shared { size.div_ceil(2) } else { size };
        for index in 0..to.n_planes() as usize {
            let (elements, (wide, tall)) = plane(to.format(), index);
            let mut scale = Scale {
                from: (Place::From, index),
                to: (Place::To, index),
                scaling: Scaling::Copy,
                elements,
                part: Rect {
                    x: shared(part.x, wide),
                    y: shared(part.y, tall),
                    width: shared(part.width, wide),
                    height: shared(part.height, tall),
                },
                border: black_of_plane(to.format(), index),
            };
            if index > 0 && from.format() == VideoFormat::Gray8 {
                scale.scaling = Scaling::Fill;
                scale.from = (Place::From, 0);
                first.push(scale);
                continue;
            }
            let (_, (from_wide, from_tall)) = plane(from.format(), index);
            let width = shared(from.width() as usize, from_wide);
            let height = shared(from.height() as usize, from_tall);
            let (to_width, to_height) = (scale.part.width, scale.part.height);
            let resampler = match index {
                0 => Resampler::Cubic,
                _ => Resampler::Linear,
            };
            let halves = |from, to| from == 2 * to && elements == 1 && index > 0;
            scale.scaling = match (width == to_width, height == to_height) {
                (true, true) => Scaling::Copy,
                (true, false) if halves(height, to_height) => Scaling::HalveDown,
                (true, false) => down(resampler, height, to_height)?,
                (false, true) if halves(width, to_width) => Scaling::HalveAcross,
                (false, true) => across(resampler, width, to_width, elements)?,
                (false, false) if halves(width, to_width) && halves(height, to_height) => {
                    Scaling::HalveBoth
                }
                (false, false) => {
                    let horizontal = across(resampler, width, to_width, elements)?;
                    let vertical = down(resampler, height, to_height)?;
                    let (Scaling::Down(taps) | Scaling::BetweenRows(taps)) = &vertical else {
                        return None;
                    };
                    let last = taps.offsets.last().copied().unwrap_or(0) as usize;
                    let across_first = last <= to_height;
                    let (between, then) = plan.halfway(
                        (width, height),
                        (to_width, to_height),
                        across_first,
                        elements,
                        (horizontal, vertical),
                        &mut scale,
                    );
                    first.push(between);
                    second.push(then);
                    continue;
                }
            };
            first.push(scale);
        }
        plan.stages.push(Stage::Scale(first));
        if !second.is_empty() {
            plan.stages.push(Stage::Scale(second));
        }
        Some(plan)
    }

    /// Scaling along both axes, one after the other, with a picture in between.
    fn halfway(
        &mut self,
        (width, height): (usize, usize),
        (to_width, to_height): (usize, usize),
        across_first: bool,
        elements: usize,
        (across, down): (Scaling, Scaling),
        whole: &mut Scale,
    ) -> (Scale, Scale) {
        let (one, other, width, height) = match across_first {
            true => (across, down, to_width, height),
            false => (down, across, width, to_height),
        };
        let between = self.add(VideoFormat::Gray8, width * elements, height);
        let first = Scale {
            from: whole.from,
            to: (between, 0),
            scaling: one,
            elements,
            part: Rect {
                x: 0,
                y: 0,
                width,
                height,
            },
            border: [0; 4],
        };
        let second = Scale {
            from: (between, 0),
            scaling: other,
            ..whole.clone()
        };
        (first, second)
    }

    /// By way of pixels of their own.
    fn pixels(
        from: &VideoInfo,
        to: &VideoInfo,
        part: Rect,
        matrix: Option<Matrix>,
    ) -> Option<Self> {
        let (width, height) = (from.width() as usize, from.height() as usize);
        let (from_format, to_format) = (from.format(), to.format());
        let resampled = sharing(from_format) != sharing(to_format)
            || from.chroma_site() != to.chroma_site()
            || (from.width(), from.height()) != (to.width(), to.height());
        let (up, down_again) = match resampled {
            true => (chroma(from), chroma(to)),
            false => (KEPT, KEPT),
        };
        let mut plan = Self::default();
        let whole = Convert {
            from: Place::From,
            to: Place::To,
            matrix,
            up,
            down: down_again,
            x: part.x,
            y: part.y,
            border: black(to_format),
        };
        if (part.width, part.height) == (width, height) {
            plan.stages.push(Stage::Convert(whole));
            return Some(plan);
        }

        // The matrix is applied where there are fewer pixels.
        let matrix_first = part.width as u64 * part.height as u64 > width as u64 * height as u64;
        let before = matrix.filter(|_| matrix_first);
        let after = matrix.filter(|_| !matrix_first);
        // RGB is scaled as it is, and so are pixels that are to become RGB. Alpha must be there
        // before, as coefficients do not always make a whole.
        let gains_alpha = packed(from_format) == Some(3) && packed(to_format) == Some(4);
        let unpack = packed(from_format).is_none() || before.is_some() || gains_alpha;
        let format = match (unpack, after) {
            (false, _) => from_format,
            (true, None) if packed(to_format).is_some() => to_format,
            _ => VideoFormat::Rgba,
        };
        let elements = packed(format)?;
        let pack = after.is_some() || layout(format) != layout(to_format);
        let mut source = Place::From;
        if unpack {
            source = plan.add(format, width, height);
            plan.stages.push(Stage::Convert(Convert {
                to: source,
                matrix: before,
                down: KEPT,
                x: 0,
                y: 0,
                ..whole.clone()
            }));
        }
        let (target, place) = match pack {
            true => (
                Rect { x: 0, y: 0, ..part },
                plan.add(format, part.width, part.height),
            ),
            false => (part, Place::To),
        };
        let mut scale = Scale {
            from: (source, 0),
            to: (place, 0),
            scaling: Scaling::Copy,
            elements,
            part: target,
            border: black_of_plane(to_format, 0),
        };
        // GStreamer scales four bytes, whatever they come from.
        let horizontal = match width == part.width {
            true => None,
            false => Some(across(Resampler::Cubic, width, part.width, 4)?),
        };
        let vertical = match height == part.height {
            true => None,
            false => Some(down(Resampler::Cubic, height, part.height)?),
        };
        let across_first = horizontal.is_some()
            && part.width as u64 * height as u64 <= width as u64 * part.height as u64;
        // Where the matrix comes in between, GStreamer even reads lines without it.
        let ahead = up.1 == Chroma::Between && before.is_none() && !across_first;
        let vertical = match vertical {
            Some(Scaling::Down(taps)) if ahead => Some(Scaling::Down(taps.reading_ahead())),
            other => other,
        };
        match (horizontal, vertical) {
            (Some(horizontal), Some(vertical)) => {
                let (first, second) = plan.halfway(
                    (width, height),
                    (part.width, part.height),
                    across_first,
                    elements,
                    (horizontal, vertical),
                    &mut scale,
                );
                plan.stages.push(Stage::Scale(vec![first]));
                plan.stages.push(Stage::Scale(vec![second]));
            }
            (one, other) => {
                scale.scaling = one.or(other)?;
                plan.stages.push(Stage::Scale(vec![scale]));
            }
        }
        if pack {
            plan.stages.push(Stage::Convert(Convert {
                from: place,
                matrix: after,
                up: KEPT,
                ..whole
            }));
        }
        Some(plan)
    }
}

/// The ways that leave chroma as it is: their matrix, and how chroma is averaged.
fn short(
    from: &VideoInfo,
    to: &VideoInfo,
    same_matrix: bool,
) -> Option<(Option<Matrix>, Resampling)> {
    let same_picture = (from.width(), from.height()) == (to.width(), to.height());
    match (from.format(), to.format()) {
        (VideoFormat::I420, format) if packed(format).is_some() => {
            Some((Some(Matrix::yuv_to_rgb(from, to)), KEPT))
        }
        (VideoFormat::Yuy2 | VideoFormat::Uyvy, VideoFormat::I420)
            if same_matrix && same_picture =>
        {
            Some((None, (Chroma::Kept, Chroma::Between)))
        }
        (VideoFormat::Yuy2 | VideoFormat::Uyvy, VideoFormat::Y42b | VideoFormat::Y444)
            if same_matrix =>
        {
            Some((None, KEPT))
        }
        // Whatever their matrices are.
        (VideoFormat::Uyvy, VideoFormat::Gray8) => Some((None, KEPT)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(format: VideoFormat, width: u32, height: u32) -> VideoInfo {
        VideoInfo::builder(format, width, height).build().unwrap()
    }

    fn stages(from: VideoInfo, to: VideoInfo) -> usize {
        Plan::new(&from, &to, false).unwrap().stages.len()
    }

    #[test]
    fn few_stages() {
        use VideoFormat::*;
        gst::init().unwrap();
        assert_eq!(stages(info(Nv12, 1920, 1080), info(Rgb, 1920, 1080)), 1);
        assert_eq!(stages(info(Rgb, 1920, 1080), info(I420, 1920, 1080)), 1);
        assert_eq!(stages(info(Nv12, 1920, 1080), info(Nv12, 1280, 720)), 2);
        assert_eq!(stages(info(Rgba, 1920, 1080), info(Rgb, 640, 360)), 3);
        assert_eq!(stages(info(Nv12, 1920, 1080), info(Rgb, 3840, 2160)), 3);
        assert_eq!(stages(info(Nv12, 1920, 1080), info(Rgb, 640, 360)), 4);
        assert_eq!(Plan::new(&info(Rgb, 8, 8), &info(Yuy2, 8, 8), false), None);
    }
}
