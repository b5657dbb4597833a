// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! JPEG by libjpeg-turbo. YUV goes in as YUV, through the planar map and never through RGB.

use gst_video::{VideoColorimetry, VideoFormat};
use turbojpeg::{
    Colorspace, Compressor, Decompressor, Image, OutputBuf, OwnedBuf, PixelFormat, Subsamp,
    YuvPlanesImage,
};

use super::CodecError;
use super::scale::Scaler;
use crate::frame::planar::{Planar, PlanarMap, resolve};
use crate::frame::{Frame, HostPool, View, ViewMut, map, view};

/// The longest side that libjpeg takes.
pub const MAX_SIDE: usize = 65_500;

/// How chroma is stored; the numbers are those of the property.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Subsampling {
    #[default]
    S420,
    S422,
    S444,
}

impl Subsampling {
    fn turbojpeg(self) -> Subsamp {
        match self {
            Self::S420 => Subsamp::Sub2x2,
            Self::S422 => Subsamp::Sub2x1,
            Self::S444 => Subsamp::None,
        }
    }

    /// The planar format with this chroma.
    pub fn planar_format(self) -> VideoFormat {
        match self {
            Self::S420 => VideoFormat::I420,
            Self::S422 => VideoFormat::Y42b,
            Self::S444 => VideoFormat::Y444,
        }
    }
}

/// Whether such a picture is encoded without converting it first.
pub fn takes(format: VideoFormat, subsampling: Subsampling) -> bool {
    pixel_format(format).is_some()
        || format == subsampling.planar_format()
        || (format == VideoFormat::Nv12 && subsampling == Subsampling::S420)
}

fn pixel_format(format: VideoFormat) -> Option<PixelFormat> {
    Some(match format {
        VideoFormat::Rgb => PixelFormat::RGB,
        VideoFormat::Bgr => PixelFormat::BGR,
        // Padding bytes are ignored on the way in and 255 on the way out, like alpha.
        VideoFormat::Rgba | VideoFormat::Rgbx => PixelFormat::RGBA,
        VideoFormat::Bgra | VideoFormat::Bgrx => PixelFormat::BGRA,
        VideoFormat::Gray8 => PixelFormat::GRAY,
        _ => return None,
    })
}

/// A compressor with the buffer it writes to. The two stay together: libjpeg-turbo knows a buffer
/// of the picture before by its address, so it must not be freed while the compressor lives.
#[derive(Debug)]
struct Target {
    compressor: Compressor,
    buffer: OwnedBuf,
    capacity: usize,
}

/// Encodes one picture after the other with the same memory: one for each thread.
#[derive(Debug, Default)]
pub struct JpegEncoder {
    target: Option<Target>,
    planar: Planar,
    copies: Option<HostPool>,
    scaler: Scaler,
}

impl JpegEncoder {
    pub fn new() -> Self {
        Self::default()
    }

    /// Replaces `out` by a JPEG file; `colorimetry` is that of the caps.
    pub fn encode(
        &mut self,
        picture: &View<'_>,
        colorimetry: &VideoColorimetry,
        quality: u8,
        subsampling: Subsampling,
        out: &mut Vec<u8>,
    ) -> Result<(), CodecError> {
        let (format, width, height) = (picture.format(), picture.width(), picture.height());
        super::check_size("JPEG", width, height, MAX_SIDE)?;
        if !takes(format, subsampling) {
            return self.encode_converted(picture, colorimetry, quality, subsampling, out);
        }
        let quality = i32::from(quality.clamp(1, 100));
        if let Some(pixels) = pixel_format(format).filter(|p| *p != PixelFormat::GRAY) {
            let plane = picture.planes()[0];
            let image = Image {
                pixels: plane.data,
                width,
                pitch: plane.pitch,
                height,
                format: pixels,
            };
            let subsamp = subsampling.turbojpeg();
            return self.compress(
                width,
                height,
                quality,
                subsamp,
                out,
                |compressor, buffer| compressor.compress(image, buffer),
            );
        }

        let map = PlanarMap::new(&resolve(colorimetry, format, width, height));
        let mut planar = std::mem::take(&mut self.planar);
        let result = self.encode_planar(picture, &map, quality, subsampling, &mut planar, out);
        self.planar = planar;
        result
    }

    fn encode_planar(
        &mut self,
        picture: &View<'_>,
        map: &PlanarMap,
        quality: i32,
        subsampling: Subsampling,
        planar: &mut Planar,
        out: &mut Vec<u8>,
    ) -> Result<(), CodecError> {
        let (format, width, height) = (picture.format(), picture.width(), picture.height());
        let own = |plane: usize| (picture.planes()[plane].data, picture.planes()[plane].pitch);
        if format == VideoFormat::Gray8 {
            let (pixels, pitch) = if map.is_identity() {
                own(0)
            } else {
                planar.map(picture, map)?;
                planar.plane(0)
            };
            let image = Image {
                pixels,
                width,
                pitch,
                height,
                format: PixelFormat::GRAY,
            };
            return self.compress(width, height, quality, Subsamp::Gray, out, |c, buffer| {
                c.compress(image, buffer)
            });
        }

        let subsamp = subsampling.turbojpeg();
        // libjpeg-turbo reads luma in whole chroma samples: beyond the picture where that is odd.
        let whole = width % subsamp.width() == 0 && height % subsamp.height() == 0;
        let [y, u, v] = if !(whole && map.is_identity()) {
            planar.map(picture, map)?;
            [planar.plane(0), planar.plane(1), planar.plane(2)]
        } else if format == VideoFormat::Nv12 {
            planar.split_chroma(picture)?;
            [own(0), planar.plane(1), planar.plane(2)]
        } else {
            [own(0), own(1), own(2)]
        };
        let image = YuvPlanesImage {
            y_plane: y.0,
            u_plane: u.0,
            v_plane: v.0,
            width,
            height,
            y_stride: y.1,
            u_stride: u.1,
            v_stride: v.1,
            subsamp,
        };
        self.compress(width, height, quality, subsamp, out, |c, buffer| {
            c.compress_yuv_planes(&image, buffer)
        })
    }

    fn encode_converted(
        &mut self,
        picture: &View<'_>,
        colorimetry: &VideoColorimetry,
        quality: u8,
        subsampling: Subsampling,
        out: &mut Vec<u8>,
    ) -> Result<(), CodecError> {
        let (format, width, height) = (picture.format(), picture.width(), picture.height());
        let colorimetry = resolve(colorimetry, format, width, height);
        let info = gst_video::VideoInfo::builder(format, width as u32, height as u32)
            .colorimetry(&colorimetry)
            .build()
            .map_err(|_| CodecError::Format {
                format,
                encoding: "JPEG",
            })?;
        let pool = match self.copies.take() {
            Some(pool) if *pool.info() == info => pool,
            _ => HostPool::new(&info)?,
        };
        let mut copy = pool.acquire()?;
        view::copy(picture, &mut ViewMut::of_frame(&mut copy)?);
        let copy = Frame::from(copy).map()?;
        let target = map::sibling(
            &info,
            subsampling.planar_format(),
            width as u32,
            height as u32,
        )
        .ok_or(CodecError::Format {
            format,
            encoding: "JPEG",
        })?;
        let converted = self.scaler.convert(&copy, &info, &target)?;
        drop(copy);
        self.copies = Some(pool);
        let converted = converted.map()?;
        self.encode(
            &View::of_frame(&converted)?,
            &colorimetry,
            quality,
            subsampling,
            out,
        )
    }

    fn compress(
        &mut self,
        width: usize,
        height: usize,
        quality: i32,
        subsamp: Subsamp,
        out: &mut Vec<u8>,
        work: impl FnOnce(&mut Compressor, &mut OutputBuf<'_>) -> turbojpeg::Result<()>,
    ) -> Result<(), CodecError> {
        // Room for the worst case, so that libjpeg-turbo never moves it. It is not filled with
        // zeros and only what is written of it ever becomes memory.
        let need = turbojpeg::compressed_buf_len(width, height, subsamp)?;
        let Target {
            mut compressor,
            buffer,
            capacity,
        } = match self.target.take() {
            Some(target) if target.capacity >= need => target,
            _ => Target {
                compressor: Compressor::new()?,
                buffer: OwnedBuf::allocate(need),
                capacity: need,
            },
        };
        let mut buffer = OutputBuf::owned(buffer);
        let result = compressor
            .set_quality(quality)
            .and_then(|()| compressor.set_subsamp(subsamp))
            .and_then(|()| work(&mut compressor, &mut buffer));
        if let Err(error) = result {
            // Compressor first: it remembers the buffer.
            drop(compressor);
            return Err(error.into());
        }
        out.clear();
        out.extend_from_slice(&buffer);
        self.target = Some(Target {
            compressor,
            buffer: buffer.into_owned(),
            capacity,
        });
        Ok(())
    }
}

/// What the header of a JPEG file says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JpegHeader {
    pub width: usize,
    pub height: usize,
    /// A picture without colour.
    pub gray: bool,
    /// None for a chroma that we do not write, such as 4:4:0.
    pub subsampling: Option<Subsampling>,
}

/// Decodes one file after the other with the same memory: one for each thread.
#[derive(Debug, Default)]
pub struct JpegDecoder {
    /// Dropped at any error: libjpeg-turbo may stay in the middle of a bad header and then refuses
    /// good files too.
    decompressor: Option<Decompressor>,
}

impl JpegDecoder {
    pub fn new() -> Self {
        Self::default()
    }

    fn with<T>(
        &mut self,
        work: impl FnOnce(&mut Decompressor) -> turbojpeg::Result<T>,
    ) -> Result<T, CodecError> {
        let mut decompressor = match self.decompressor.take() {
            Some(decompressor) => decompressor,
            None => Decompressor::new()?,
        };
        let done = work(&mut decompressor)?;
        self.decompressor = Some(decompressor);
        Ok(done)
    }

    /// Size and chroma of a file. Files with CMYK colours, and those larger than
    /// [`MAX_DECODED`](super::MAX_DECODED) bytes as RGB, are refused.
    pub fn header(&mut self, file: &[u8]) -> Result<JpegHeader, CodecError> {
        // A file of tables alone is answered with the numbers of the file before it.
        let header = self.with(|decompressor| decompressor.read_header(file))?;
        if matches!(header.colorspace, Colorspace::CMYK | Colorspace::YCCK) {
            return Err(CodecError::Cmyk);
        }
        super::check_decoded(header.width, header.height, 3)?;
        Ok(JpegHeader {
            width: header.width,
            height: header.height,
            gray: header.colorspace == Colorspace::Gray,
            subsampling: match header.subsamp {
                Subsamp::Sub2x2 => Some(Subsampling::S420),
                Subsamp::Sub2x1 => Some(Subsampling::S422),
                Subsamp::None => Some(Subsampling::S444),
                _ => None,
            },
        })
    }

    /// Decodes into a picture of the file's size, RGB in any order or GRAY8. A file that is cut
    /// short or damaged is an error; bytes behind its end are not looked at, and its orientation
    /// tag is not followed.
    pub fn decode(&mut self, file: &[u8], to: &mut ViewMut<'_>) -> Result<(), CodecError> {
        let header = self.header(file)?;
        let (format, width, height) = (to.format(), to.width(), to.height());
        let pixels = pixel_format(format).ok_or(CodecError::Format {
            format,
            encoding: "JPEG",
        })?;
        if (header.width, header.height) != (width, height) {
            return Err(CodecError::OtherSize {
                got: (header.width, header.height),
                want: (width, height),
            });
        }
        let plane = &mut to.planes_mut()[0];
        let image = Image {
            pixels: &mut *plane.data,
            width,
            pitch: plane.pitch,
            height,
            format: pixels,
        };
        // Where libjpeg only warns and fills up with gray, the binding reports an error.
        self.with(|decompressor| decompressor.decompress(file, image))
    }
}

#[cfg(test)]
#[path = "jpeg_tests.rs"]
pub(crate) mod tests;
