// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Pictures on the card to JPEG files in host memory.

#![allow(unsafe_code)]

use std::ffi::c_int;
use std::ptr::null_mut;

use gst_video::VideoFormat;

use super::error::{NvJpegError, Status};
use super::library::{
    CSS_420, CSS_422, CSS_444, CSS_GRAY, Handle, INPUT_BGRI, INPUT_RGBI, Image, Opaque,
};
use super::takes;
use crate::codec::Subsampling;
use crate::codec::jpeg::MAX_SIDE;
use crate::mem::cuda::{CardView, Gpu, Pinned, Stream};

/// Encodes one picture after the other with the same memory, on a stream of its own.
#[derive(Debug)]
pub struct Encoder {
    handle: &'static Handle,
    stream: Stream,
    state: Opaque,
    params: Opaque,
    /// Quality and chroma that `params` have.
    set: Option<(c_int, c_int)>,
    /// Where the card puts its files. Pinned: into other memory, the driver would copy them piece
    /// by piece by way of pinned memory of its own, and wait for each.
    staging: Option<Pinned>,
    /// Whether no call has failed so far.
    sound: bool,
}

// SAFETY: state and parameters can be used by any thread, one at a time.
unsafe impl Send for Encoder {}

/// What nvJPEG makes of the pixels it is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Input {
    /// RGB in this order.
    Interleaved(c_int),
    /// Planes with the chroma of the file.
    Planar,
}

fn input(format: VideoFormat) -> Input {
    match format {
        VideoFormat::Rgb => Input::Interleaved(INPUT_RGBI),
        VideoFormat::Bgr => Input::Interleaved(INPUT_BGRI),
        _ => Input::Planar,
    }
}

fn chroma(format: VideoFormat, subsampling: Subsampling) -> c_int {
    match subsampling {
        _ if format == VideoFormat::Gray8 => CSS_GRAY,
        Subsampling::S420 => CSS_420,
        Subsampling::S422 => CSS_422,
        Subsampling::S444 => CSS_444,
    }
}

fn check(picture: &CardView<'_>, subsampling: Subsampling) -> Result<(), NvJpegError> {
    let (format, width, height) = (picture.format(), picture.width(), picture.height());
    if !takes(format, subsampling) {
        return Err(NvJpegError::Format {
            format,
            subsampling,
        });
    }
    let side = 1..=MAX_SIDE;
    if !side.contains(&width) || !side.contains(&height) {
        return Err(NvJpegError::Side { width, height });
    }
    Ok(())
}

impl Encoder {
    pub fn new(gpu: Gpu) -> Result<Self, NvJpegError> {
        let handle = Handle::get(gpu)?;
        // Dropped with what it has by then if a call fails.
        let mut encoder = Self {
            handle,
            stream: Stream::independent(gpu)?,
            state: null_mut(),
            params: null_mut(),
            set: None,
            staging: None,
            sound: true,
        };
        let stream = encoder.stream.raw();
        let _bound = gpu.bind()?;
        // SAFETY: the pointer is valid, handle and stream live, and the context is current.
        let status =
            unsafe { (handle.functions.state_create)(handle.raw, &mut encoder.state, stream) };
        Status(status).check("nvjpegEncoderStateCreate")?;
        // SAFETY: as above.
        let status =
            unsafe { (handle.functions.params_create)(handle.raw, &mut encoder.params, stream) };
        Status(status).check("nvjpegEncoderParamsCreate")?;
        Ok(encoder)
    }

    pub fn gpu(&self) -> Gpu {
        self.stream.gpu()
    }

    /// Whether it can be used again. What an encoder is like after a failed call is not known.
    pub fn is_sound(&self) -> bool {
        self.sound
    }

    /// Replaces `out` by a JPEG file. The picture must be complete, and of this GPU; YUV and GRAY8
    /// must be full-range BT.601, which is all that JFIF knows.
    pub fn encode(
        &mut self,
        picture: &CardView<'_>,
        quality: u8,
        subsampling: Subsampling,
        out: &mut Vec<u8>,
    ) -> Result<(), NvJpegError> {
        self.encode_prepared(quality, subsampling, out, |_| Ok(*picture))
    }

    /// As [`encode`](Self::encode), of a picture whose making `prepare` queues on the stream that
    /// it is given: it need not be complete before, and there is one wait for all of it. The
    /// stream is done when this returns, with whatever result.
    pub fn encode_prepared<'p, E: From<NvJpegError>>(
        &mut self,
        quality: u8,
        subsampling: Subsampling,
        out: &mut Vec<u8>,
        prepare: impl FnOnce(&Stream) -> Result<CardView<'p>, E>,
    ) -> Result<(), E> {
        let length = prepare(&self.stream).and_then(|picture| {
            check(&picture, subsampling)?;
            let length = self.compress(&picture, quality, subsampling);
            self.sound &= length.is_ok();
            Ok(length?)
        });
        // Also if something failed: what was queued before may use memory that others get now.
        let done = self.stream.synchronize().map_err(NvJpegError::from);
        self.sound &= done.is_ok();
        let length = match (length, done) {
            (Ok(length), Ok(())) => length,
            // What nvJPEG makes of a fault of the card says less than the fault.
            (Err(_), Err(fault)) if fault.is_sticky() => return Err(fault.into()),
            (Err(error), _) => return Err(error),
            (_, Err(fault)) => return Err(fault.into()),
        };
        let file = self.staging.as_ref().map(|staging| staging.as_ref());
        out.clear();
        out.extend_from_slice(file.and_then(|file| file.get(..length)).unwrap_or_default());
        Ok(())
    }

    /// Queues all of it; the result is the length of the file.
    fn compress(
        &mut self,
        picture: &CardView<'_>,
        quality: u8,
        subsampling: Subsampling,
    ) -> Result<usize, NvJpegError> {
        let chroma = chroma(picture.format(), subsampling);
        let _bound = self.gpu().bind()?;
        self.set(c_int::from(quality.clamp(1, 100)), chroma)?;

        let mut image = Image {
            channel: [null_mut(); 4],
            pitch: [0; 4],
        };
        for (index, plane) in picture.planes().iter().enumerate() {
            image.channel[index] = plane.address as *mut _;
            image.pitch[index] = plane.pitch;
        }
        let (width, height) = (picture.width() as c_int, picture.height() as c_int);
        let Handle { functions, raw } = *self.handle;
        let (state, params, stream) = (self.state, self.params, self.stream.raw());
        match input(picture.format()) {
            Input::Interleaved(order) => {
                // SAFETY: all of them live; the image is read during the call, and the view was
                // made of memory that has all its rows.
                let status = unsafe {
                    (functions.encode_image)(
                        raw, state, params, &image, order, width, height, stream,
                    )
                };
                Status(status).check("nvjpegEncodeImage")?;
            }
            Input::Planar => {
                // SAFETY: as above.
                let status = unsafe {
                    (functions.encode_yuv)(
                        raw, state, params, &image, chroma, width, height, stream,
                    )
                };
                Status(status).check("nvjpegEncodeYUV")?;
            }
        }
        self.retrieve()
    }

    /// The context must be current.
    fn set(&mut self, quality: c_int, chroma: c_int) -> Result<(), NvJpegError> {
        if self.set == Some((quality, chroma)) {
            return Ok(());
        }
        self.set = None;
        let (functions, stream) = (self.handle.functions, self.stream.raw());
        // SAFETY: parameters and stream live.
        let status = unsafe { (functions.set_quality)(self.params, quality, stream) };
        Status(status).check("nvjpegEncoderParamsSetQuality")?;
        // SAFETY: as above.
        let status = unsafe { (functions.set_sampling)(self.params, chroma, stream) };
        Status(status).check("nvjpegEncoderParamsSetSamplingFactors")?;
        self.set = Some((quality, chroma));
        Ok(())
    }

    /// Queues the file's way into the staging memory; the context must be current. The length is
    /// known when this returns, so it waits for the encoding.
    fn retrieve(&mut self) -> Result<usize, NvJpegError> {
        const CALL: &str = "nvjpegEncodeRetrieveBitstream";
        let Handle { functions, raw } = *self.handle;
        let (state, stream) = (self.state, self.stream.raw());
        // Most files fit where those before them did. To ask for the length first would be one
        // more wait for each.
        let mut tried = Ok(());
        if let Some(staging) = &mut self.staging {
            let staging = staging.as_mut();
            let mut length = staging.len();
            // SAFETY: the memory is as long as is said, and stays until the stream was
            // synchronised.
            let status = unsafe {
                (functions.retrieve)(raw, state, staging.as_mut_ptr(), &mut length, stream)
            };
            tried = Status(status).check(CALL);
            if tried.is_ok() && length <= staging.len() {
                return Ok(length);
            }
        }
        let mut need = 0;
        // SAFETY: without memory, the call writes the length and nothing else.
        let status = unsafe { (functions.retrieve)(raw, state, null_mut(), &mut need, stream) };
        Status(status).check(CALL)?;
        let had = self.staging.as_ref().map_or(0, |s| s.as_ref().len());
        if need <= had {
            // It was not for lack of room.
            tried?;
        }
        // With room for files that are larger than this one: making pinned memory stops the GPU.
        self.staging = None;
        let room = need.saturating_add(need / 2).next_power_of_two();
        let staging = self.staging.insert(Pinned::new(self.stream.gpu(), room)?);
        let staging = staging.as_mut();
        let mut length = staging.len();
        // SAFETY: as the first call.
        let status =
            unsafe { (functions.retrieve)(raw, state, staging.as_mut_ptr(), &mut length, stream) };
        Status(status).check(CALL)?;
        Ok(length)
    }
}

impl Drop for Encoder {
    fn drop(&mut self) {
        let Ok(_bound) = self.gpu().bind() else {
            return;
        };
        let functions = self.handle.functions;
        // After an error of the card there is nothing to be done about any of it.
        if !self.params.is_null() {
            // SAFETY: made by the library, and nobody else has them.
            let _ = unsafe { (functions.params_destroy)(self.params) };
        }
        if !self.state.is_null() {
            // SAFETY: as above; the stream is alive still.
            let _ = unsafe { (functions.state_destroy)(self.state) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mem::cuda::CardPlane;

    fn gray(width: usize, height: usize) -> CardView<'static> {
        let plane = CardPlane {
            address: 4096,
            pitch: width,
        };
        CardView::new(VideoFormat::Gray8, (width, height), &[plane], 0..u64::MAX).unwrap()
    }

    #[test]
    fn pictures_are_what_they_are_said_to_be() {
        assert_eq!(input(VideoFormat::Rgb), Input::Interleaved(5));
        assert_eq!(input(VideoFormat::Bgr), Input::Interleaved(6));
        for format in [VideoFormat::I420, VideoFormat::Y444, VideoFormat::Gray8] {
            assert_eq!(input(format), Input::Planar);
        }
        assert_eq!(chroma(VideoFormat::Rgb, Subsampling::S420), 2);
        assert_eq!(chroma(VideoFormat::Rgb, Subsampling::S422), 1);
        assert_eq!(chroma(VideoFormat::Y444, Subsampling::S444), 0);
        assert_eq!(chroma(VideoFormat::Gray8, Subsampling::S444), 6);
    }

    #[test]
    fn sizes_that_no_header_holds_are_refused() {
        assert!(check(&gray(MAX_SIDE, MAX_SIDE), Subsampling::S420).is_ok());
        for (width, height) in [(0, 1), (1, 0), (MAX_SIDE + 1, 1), (1, 1 << 33)] {
            let error = check(&gray(width, height), Subsampling::S420).unwrap_err();
            assert!(error.is_refusal(), "{error}");
        }
    }
}
