// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! JPEG by the card: as good as by libjpeg-turbo, from many threads, in bounded memory.

use std::ffi::{CStr, c_char, c_int, c_uint};
use std::sync::Arc;
use std::thread;

use gst_video::VideoFormat;
use gstdsframe::codec::{CardJpeg, JpegDecoder, JpegEncoder, NvJpegError, Subsampling};
use gstdsframe::frame::{Frame, View};
use gstdsframe::mem::cuda::{CudaError, Event, Gpu, Stream, copy};

use crate::pixels::{OnCard, converted, decoded, info, on_card, psnr, rgb, tight};

const CHROMAS: [Subsampling; 3] = [Subsampling::S420, Subsampling::S422, Subsampling::S444];

/// The encoders, where there are any; says so if not.
fn nvjpeg() -> Option<Arc<CardJpeg>> {
    if !on_card() {
        return None;
    }
    match CardJpeg::get(Gpu::get(0).unwrap()) {
        Ok(jpeg) => Some(jpeg),
        Err(error) if error.is_absence() => {
            println!("skipped: {error}");
            None
        }
        Err(error) => panic!("{error}"),
    }
}

fn by_cpu(frame: &Frame, quality: u8, subsampling: Subsampling) -> Vec<u8> {
    let mapped = frame.map().unwrap();
    let view = View::of_frame(&mapped).unwrap();
    let mut file = Vec::new();
    JpegEncoder::new()
        .encode(
            &view,
            &frame.info.colorimetry(),
            quality,
            subsampling,
            &mut file,
        )
        .unwrap();
    file
}

fn by_card(jpeg: &CardJpeg, picture: &OnCard, quality: u8, subsampling: Subsampling) -> Vec<u8> {
    let mut file = vec![1, 2, 3];
    jpeg.encode(&picture.view(), quality, subsampling, &mut file)
        .unwrap();
    file
}

/// Encodes on both, and compares what is left of the picture.
#[track_caller]
fn check(jpeg: &CardJpeg, frame: &Frame, align: usize, quality: u8, subsampling: Subsampling) {
    let (format, width, height) = (
        frame.info.format(),
        frame.info.width() as usize,
        frame.info.height() as usize,
    );
    let case = format!("{format:?} {width}x{height} {subsampling:?} at {quality}");
    let picture = OnCard::upload(jpeg.gpu(), frame, align);
    let file = by_card(jpeg, &picture, quality, subsampling);
    let other = by_cpu(frame, quality, subsampling);

    let gray = format == VideoFormat::Gray8;
    let header = JpegDecoder::new().header(&file).unwrap();
    assert_eq!((header.width, header.height), (width, height), "{case}");
    assert_eq!(header.gray, gray, "{case}");
    if !gray {
        assert_eq!(header.subsampling, Some(subsampling), "{case}");
    }

    let seen = if gray {
        VideoFormat::Gray8
    } else {
        VideoFormat::Rgb
    };
    let wanted = tight(&converted(frame, seen));
    let ours = psnr(&decoded(&file, seen).2, &wanted);
    let theirs = psnr(&decoded(&other, seen).2, &wanted);
    // Rounding and the filter of chroma differ; in small pictures that is all there is.
    let slack = if width * height < 4096 { 4.0 } else { 1.0 };
    assert!(
        ours >= theirs.min(48.0) - slack,
        "{case}: {ours:.2} dB instead of {theirs:.2}"
    );
    if width * height > 4096 {
        let ratio = file.len() as f64 / other.len() as f64;
        assert!(
            (0.8..1.25).contains(&ratio),
            "{case}: {ratio:.2} of the size"
        );
    }
}

#[test]
fn every_format_is_as_good_as_from_the_cpu() {
    let Some(jpeg) = nvjpeg() else { return };
    for (width, height) in [
        (1, 1),
        (2, 2),
        (7, 3),
        (16, 16),
        (17, 33),
        (641, 479),
        (1920, 1080),
    ] {
        let source = rgb(width, height, width, 6);
        for quality in [30, 85, 100] {
            for format in [VideoFormat::Rgb, VideoFormat::Bgr, VideoFormat::Gray8] {
                for subsampling in CHROMAS {
                    check(&jpeg, &converted(&source, format), 1, quality, subsampling);
                }
            }
            for subsampling in CHROMAS {
                let frame = converted(&source, subsampling.planar_format());
                check(&jpeg, &frame, 256, quality, subsampling);
            }
        }
    }
}

#[test]
fn large_pictures_are_encoded_or_refused() {
    let Some(jpeg) = nvjpeg() else { return };
    check(&jpeg, &rgb(8192, 8192, 5, 0), 256, 85, Subsampling::S420);

    // Longer than any JPEG.
    let long = OnCard::new(jpeg.gpu(), &info(VideoFormat::Gray8, 65_501, 1), 1);
    let mut file = vec![1, 2, 3];
    let error = jpeg
        .encode(&long.view(), 85, Subsampling::S420, &mut file)
        .unwrap_err();
    assert!(error.is_refusal() && !error.is_sticky(), "{error}");
    assert_eq!(file, [1, 2, 3]);
    // As long as JPEG can be: nvJPEG may refuse it, and goes on.
    let frame = converted(&rgb(65_500, 9, 1, 0), VideoFormat::Gray8);
    let long = OnCard::upload(jpeg.gpu(), &frame, 1);
    match jpeg.encode(&long.view(), 85, Subsampling::S420, &mut file) {
        Ok(()) => assert_eq!(decoded(&file, VideoFormat::Gray8).0, 65_500),
        Err(error) => assert!(error.is_refusal(), "{error}"),
    }
    check(&jpeg, &rgb(64, 64, 0, 0), 1, 85, Subsampling::S420);
}

#[test]
fn formats_to_be_converted_are_refused_and_nothing_is_lost() {
    let Some(jpeg) = nvjpeg() else { return };
    let good = rgb(320, 240, 3, 0);
    for (format, subsampling) in [
        (VideoFormat::Nv12, Subsampling::S420),
        (VideoFormat::Rgba, Subsampling::S444),
        (VideoFormat::I420, Subsampling::S444),
        (VideoFormat::Y444, Subsampling::S420),
    ] {
        let picture = OnCard::new(jpeg.gpu(), &info(format, 32, 32), 1);
        let error = jpeg
            .encode(&picture.view(), 85, subsampling, &mut Vec::new())
            .unwrap_err();
        assert_eq!(
            error,
            NvJpegError::Format {
                format,
                subsampling
            }
        );
        check(&jpeg, &good, 1, 85, Subsampling::S420);
    }
}

#[test]
fn files_that_are_larger_than_those_before_are_whole() {
    let Some(jpeg) = nvjpeg() else { return };
    for noise in [0, 255, 10] {
        for (side, quality) in [(64, 10), (640, 100), (1200, 50)] {
            let frame = rgb(side, side, 1, noise);
            check(&jpeg, &frame, 4, quality, Subsampling::S444);
        }
    }
}

#[test]
fn all_threads_get_what_one_gets() {
    let Some(jpeg) = nvjpeg() else { return };
    let pictures: Vec<_> = (0..6)
        .map(|n| {
            let frame = rgb(200 + 300 * n, 150 + 190 * n, n, 4 * n as u32);
            OnCard::upload(jpeg.gpu(), &frame, 32)
        })
        .collect();
    let settings = |n: usize| (40 + 10 * n as u8, CHROMAS[n % 3]);
    let one = |n: usize| by_card(&jpeg, &pictures[n], settings(n).0, settings(n).1);
    let expected: Vec<_> = (0..pictures.len()).map(one).collect();
    thread::scope(|scope| {
        for worker in 0..8 {
            let (one, expected) = (&one, &expected);
            scope.spawn(move || {
                for round in 0..30 {
                    let n = (worker + round) % expected.len();
                    assert!(one(n) == expected[n], "picture {n} differs");
                }
            });
        }
    });
}

#[test]
fn the_making_of_a_picture_may_be_queued_with_it() {
    let Some(jpeg) = nvjpeg() else { return };
    let gpu = jpeg.gpu();
    let frame = rgb(1280, 720, 9, 3);
    let expected = by_card(
        &jpeg,
        &OnCard::upload(gpu, &frame, 256),
        85,
        Subsampling::S420,
    );
    let mapped = frame.map().unwrap();
    let host = View::of_frame(&mapped).unwrap();
    let producer = Stream::independent(gpu).unwrap();
    let mut first = OnCard::new(gpu, &frame.info, 256);
    let mut scratch = OnCard::new(gpu, &frame.info, 64);
    for _ in 0..10 {
        first.memory.clear().unwrap();
        scratch.memory.clear().unwrap();
        copy::upload(&host, &mut first.view_mut(), &producer).unwrap();
        let ready = Event::new(gpu).unwrap();
        ready.record(&producer).unwrap();
        let mut file = Vec::new();
        jpeg.encode_prepared::<NvJpegError>(85, Subsampling::S420, &mut file, |stream| {
            stream.wait_for(&ready)?;
            copy::copy(&first.view(), &mut scratch.view_mut(), stream)?;
            Ok(scratch.view())
        })
        .unwrap();
        assert!(file == expected);
    }

    // What the preparation says is handed on, and the encoder is as before.
    let fault = CudaError::NoDevice;
    let result = jpeg.encode_prepared::<NvJpegError>(85, Subsampling::S420, &mut vec![], |_| {
        Err(fault.clone().into())
    });
    assert_eq!(result, Err(NvJpegError::Cuda(fault)));
    assert!(by_card(&jpeg, &first, 85, Subsampling::S420) == expected);
}

/// Nothing else may use the card, or nvJPEG, meanwhile.
mod alone {
    use super::*;

    type Fail = unsafe extern "C" fn(*const c_char, c_uint, c_int);

    /// Has a call of the stand-in's nvJPEG fail. Nothing on a card.
    fn standin_fail(function: &CStr, nth: u32, status: i32) -> bool {
        // SAFETY: it is loaded already, by the code that is tested.
        let Ok(library) = (unsafe { libloading::Library::new("libnvjpeg.so.12") }) else {
            return false;
        };
        // SAFETY: that is its type.
        let Ok(fail) = (unsafe { library.get::<Fail>(c"standin_nvjpeg_fail") }) else {
            return false;
        };
        // SAFETY: a string that ends with a zero.
        unsafe { fail(function.as_ptr(), nth, status) };
        true
    }

    #[test]
    fn a_call_that_fails_costs_one_picture() {
        let Some(jpeg) = nvjpeg() else { return };
        if !standin_fail(c"", 0, 0) {
            println!("skipped: only the stand-in fails at will");
            return;
        }
        let gpu = jpeg.gpu();
        let picture = OnCard::upload(gpu, &rgb(320, 200, 4, 4), 256);
        let planar = converted(&rgb(320, 200, 4, 4), VideoFormat::I420);
        let planar = OnCard::upload(gpu, &planar, 256);
        let expected = [&picture, &planar].map(|p| by_card(&jpeg, p, 85, Subsampling::S420));
        let free = gpu.memory().unwrap();
        for function in [
            c"nvjpegEncodeImage",
            c"nvjpegEncodeYUV",
            c"nvjpegEncoderParamsSetQuality",
            c"nvjpegEncoderParamsSetSamplingFactors",
            c"nvjpegEncodeRetrieveBitstream",
        ] {
            for status in [2, 6, 77] {
                standin_fail(function, 0, status);
                for (picture, quality) in [(&picture, 10 + status as u8), (&planar, 20)] {
                    let mut file = vec![7];
                    let result =
                        jpeg.encode(&picture.view(), quality, Subsampling::S420, &mut file);
                    let Err(error) = result else { continue };
                    let message = error.to_string();
                    assert!(message.contains(function.to_str().unwrap()), "{message}");
                    assert_eq!(error.is_refusal(), status == 2, "{message}");
                    assert_eq!(file, [7]);
                }
                standin_fail(function, 0, 0);
                for (picture, expected) in [&picture, &planar].iter().zip(&expected) {
                    assert!(by_card(&jpeg, picture, 85, Subsampling::S420) == *expected);
                }
            }
        }
        assert_eq!(gpu.memory().unwrap(), free);

        // Nor does an encoder that cannot be made take the place of another.
        drop(jpeg);
        for function in [c"nvjpegEncoderStateCreate", c"nvjpegEncoderParamsCreate"] {
            standin_fail(function, 0, 5);
            let error = CardJpeg::get(gpu).unwrap_err();
            assert!(error.is_refusal() && !error.is_absence(), "{error}");
            standin_fail(function, 0, 0);
        }
        let jpeg = nvjpeg().unwrap();
        assert!(by_card(&jpeg, &picture, 85, Subsampling::S420) == expected[0]);
        assert_eq!(gpu.memory().unwrap(), free);
    }

    #[test]
    fn a_thousand_pictures_leave_the_memory_as_it_was() {
        let Some(jpeg) = nvjpeg() else { return };
        let gpu = jpeg.gpu();
        let pictures: Vec<_> = [(1920, 1080), (640, 480), (33, 17)]
            .map(|(width, height)| OnCard::upload(gpu, &rgb(width, height, 2, 2), 256))
            .into();
        let mut file = Vec::new();
        let mut round = |count: usize| {
            for n in 0..count {
                let (picture, chroma) = (&pictures[n % 3], CHROMAS[n / 3 % 3]);
                let quality = 60 + (n % 40) as u8;
                jpeg.encode(&picture.view(), quality, chroma, &mut file)
                    .unwrap();
            }
        };
        round(120);
        let before = gpu.memory().unwrap();
        round(1000);
        assert_eq!(gpu.memory().unwrap(), before);
    }

    #[test]
    fn encoders_that_nobody_has_are_freed() {
        let Some(jpeg) = nvjpeg() else { return };
        let gpu = jpeg.gpu();
        let picture = OnCard::upload(gpu, &rgb(1920, 1080, 2, 2), 256);
        drop(jpeg);
        let mut used = Vec::new();
        for _ in 0..20 {
            let jpeg = nvjpeg().unwrap();
            by_card(&jpeg, &picture, 85, Subsampling::S420);
            drop(jpeg);
            used.push(gpu.memory().unwrap().0);
        }
        assert_eq!(used[4], used[19], "{used:?}");
    }
}
