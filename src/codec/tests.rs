// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

use super::jpeg::tests::{converted, decoded, info, psnr, smooth, tight};
use super::*;

fn settings(encoding: Encoding, width: u32, height: u32) -> EncodeSettings {
    EncodeSettings {
        encoding,
        width,
        height,
        ..EncodeSettings::default()
    }
}

#[test]
fn suffixes() {
    for (path, encoding) in [
        ("a.jpg", Some(Encoding::Jpeg)),
        ("b/a.JPEG", Some(Encoding::Jpeg)),
        ("a.tar.png", Some(Encoding::Png)),
        ("%06d.npy", Some(Encoding::Npy)),
        ("a.raw", Some(Encoding::Raw)),
        ("a.bmp", None),
        ("jpg", None),
    ] {
        assert_eq!(Encoding::from_suffix(Path::new(path)), encoding, "{path}");
    }
}

#[test]
fn sizes() {
    let frame = info(VideoFormat::Rgb, 1920, 1080, "sRGB");
    for (asked, size) in [
        ((0, 0), (1920, 1080)),
        ((640, 0), (640, 360)),
        ((0, 540), (960, 540)),
        ((100, 100), (100, 100)),
        ((1, 0), (1, 1)),
        ((u32::MAX, 0), (u32::MAX, 2_415_919_103)),
    ] {
        assert_eq!(
            output_size(&frame, &settings(Encoding::Jpeg, asked.0, asked.1)),
            size
        );
    }
}

#[test]
fn what_an_encoding_cannot_hold_is_known_from_the_caps() {
    let frame = info(VideoFormat::Nv12, 1920, 1080, "bt709");
    for encoding in [Encoding::Jpeg, Encoding::Png, Encoding::Npy, Encoding::Raw] {
        assert!(check(&settings(encoding, 0, 0), &frame).is_ok());
        assert!(check(&settings(encoding, u32::MAX, 0), &frame).is_err());
    }
    let wide = info(VideoFormat::Gray8, 65_501, 2, "1:4:0:0");
    let error = check(&settings(Encoding::Jpeg, 0, 0), &wide).unwrap_err();
    assert!(error.to_string().contains("65501x2"), "{error}");
    assert!(check(&settings(Encoding::Png, 0, 0), &wide).is_ok());
    assert!(check(&settings(Encoding::Jpeg, 65_500, 2), &wide).is_ok());
    let mut bad = settings(Encoding::Jpeg, 0, 0);
    bad.quality = 0;
    assert!(matches!(check(&bad, &frame), Err(CodecError::Quality(0))));
    let other = VideoInfo::builder(VideoFormat::P01010le, 64, 64)
        .build()
        .unwrap();
    assert!(check(&settings(Encoding::Raw, 0, 0), &other).is_err());
}

#[test]
fn every_format_in_every_encoding() {
    let mut encoder = PictureEncoder::new();
    let source = smooth(65, 49);
    let rgb = tight(&source);
    let mut out = Vec::new();
    for format in crate::frame::FORMATS
        .iter()
        .chain(&crate::frame::SYSTEM_FORMATS)
    {
        let colors = if *format == VideoFormat::Gray8 {
            "1:4:0:0"
        } else {
            "bt709"
        };
        let frame = converted(&source, &info(*format, 65, 49, colors));
        let has_alpha = matches!(format, VideoFormat::Rgba | VideoFormat::Bgra);
        let gray = *format == VideoFormat::Gray8;
        for encoding in [Encoding::Jpeg, Encoding::Png, Encoding::Npy, Encoding::Raw] {
            for (width, height) in [(0, 0), (32, 0), (130, 98)] {
                let settings = settings(encoding, width, height);
                let (width, height) = output_size(&frame.info, &settings);
                let (width, height) = (width as usize, height as usize);
                let picture = encoder.encode(&frame, &settings, &mut out).unwrap();
                assert_eq!((picture.width, picture.height), (width, height));
                match encoding {
                    Encoding::Jpeg => {
                        assert_eq!(picture.channels, if gray { 1 } else { 3 });
                        let pixels = decoded(&out, VideoFormat::Rgb);
                        assert_eq!(pixels.len(), width * height * 3);
                        if width == 65 && !gray {
                            let db = psnr(&pixels, &rgb);
                            assert!(db > 30.0, "{format:?}: {db}");
                        }
                    }
                    Encoding::Png | Encoding::Npy => {
                        let mut pixels = Vec::new();
                        let channels = if encoding == Encoding::Png {
                            let read = png::decode(&out, &mut pixels).unwrap();
                            assert_eq!((read.width, read.height), (width, height));
                            match read.format {
                                VideoFormat::Gray8 => 1,
                                VideoFormat::Rgb => 3,
                                _ => 4,
                            }
                        } else {
                            let mut rest = &out[..];
                            let read = NpyStack::read(&mut rest).unwrap();
                            assert_eq!((read.width, read.height), (width, height));
                            pixels.extend(rest);
                            read.channels
                        };
                        assert_eq!(pixels.len(), width * height * channels);
                        assert_eq!(channels, picture.channels);
                        assert_eq!(
                            channels,
                            if gray {
                                1
                            } else if has_alpha {
                                4
                            } else {
                                3
                            }
                        );
                        if width == 65 && !gray && !has_alpha {
                            assert!(psnr(&pixels, &rgb) > 30.0, "{format:?}");
                        }
                    }
                    Encoding::Raw => {
                        assert_eq!(out.len(), crate::frame::tight_size(*format, width, height));
                        if width == 65 {
                            assert_eq!(out, tight(&frame));
                        }
                    }
                }
            }
        }
    }
}
