// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

use super::*;
use crate::frame::Plane;
use proptest::prelude::*;

fn file(descr: &str, fortran: &str, shape: &str) -> Vec<u8> {
    let mut text = format!("{{'descr': {descr}, 'fortran_order': {fortran}, 'shape': {shape}, }}");
    text.push_str(&" ".repeat(63 - (text.len() + 10) % 64));
    text.push('\n');
    let mut file = b"\x93NUMPY\x01\x00".to_vec();
    file.extend((text.len() as u16).to_le_bytes());
    file.extend(text.as_bytes());
    file
}

fn read(shape: &str) -> Result<NpyStack, NpyError> {
    NpyStack::read(&mut &file("'|u1'", "False", shape)[..])
}

#[test]
fn shapes() {
    for (shape, frames, height, width, channels, planar) in [
        ("(5, 4, 6, 3)", 5, 4, 6, 3, false),
        ("(5, 4, 6, 4)", 5, 4, 6, 4, false),
        ("(5, 4, 6, 1)", 5, 4, 6, 1, false),
        ("(5, 3, 4, 6)", 5, 4, 6, 3, true),
        ("(5, 4, 8, 6)", 5, 8, 6, 4, true),
        ("(5, 1, 4, 6)", 5, 4, 6, 1, false),
        ("(5, 3, 6, 4)", 5, 3, 6, 4, false),
        ("(5, 8, 6)", 5, 8, 6, 1, false),
        ("(8, 6, 3)", 1, 8, 6, 3, false),
        ("(8, 6, 4)", 1, 8, 6, 4, false),
        ("(8, 6)", 1, 8, 6, 1, false),
        ("(0, 8, 6, 3)", 0, 8, 6, 3, false),
    ] {
        let want = NpyStack {
            frames,
            height,
            width,
            channels,
            planar,
        };
        assert_eq!(read(shape).unwrap(), want, "{shape}");
        assert_eq!(want.frame_bytes(), height * width * channels);
    }
    for shape in [
        "()",
        "(5,)",
        "(5, 2, 6, 2)",
        "(1, 2, 3, 4, 5)",
        "(0, 5)",
        "(3, 0, 7, 3)",
    ] {
        let error = read(shape).unwrap_err();
        assert!(matches!(error, NpyError::Shape(_)), "{shape}: {error}");
    }
    for shape in [
        "(4294967296, 2)",
        "(1099511627776, 1099511627776, 1099511627776, 3)",
        "(1099511627776, 1099511627776, 0)",
        "(100000, 100000)",
        "(99999999999999999999999999, 2)",
    ] {
        let error = read(shape).unwrap_err();
        assert!(matches!(error, NpyError::Huge(_)), "{shape}: {error}");
    }
}

#[test]
fn types_and_order() {
    for descr in ["'|u1'", "'<u1'", "'u1'", "'>u1'"] {
        let read = NpyStack::read(&mut &file(descr, "False", "(8, 6)")[..]);
        assert!(read.is_ok(), "{descr}: {read:?}");
    }
    for descr in ["'<f4'", "'|i1'", "'<u2'", "'|b1'", "[('a', '|u1')]", "'|O'"] {
        let error = NpyStack::read(&mut &file(descr, "False", "(8, 6)")[..]).unwrap_err();
        assert!(matches!(error, NpyError::Type(_)), "{descr}: {error}");
        assert!(error.to_string().contains("|u1"));
    }
    let error = NpyStack::read(&mut &file("'|u1'", "True", "(8, 6)")[..]).unwrap_err();
    assert!(matches!(error, NpyError::Fortran));
}

#[test]
fn hostile_headers_are_refused() {
    let nested = format!("{}{}", "(".repeat(4000), ")".repeat(4000));
    assert!(matches!(read(&nested), Err(NpyError::Odd)));
    let mut long = b"\x93NUMPY\x02\x00".to_vec();
    long.extend(u32::MAX.to_le_bytes());
    let error = NpyStack::read(&mut &long[..]).unwrap_err();
    assert!(matches!(error, NpyError::LongHeader(_)));
    for text in ["not npy at all", ""] {
        assert!(NpyStack::read(&mut text.as_bytes()).is_err());
    }
    let whole = file("'|u1'", "False", "(8, 6)");
    for end in 0..whole.len() {
        assert!(NpyStack::read(&mut &whole[..end]).is_err());
    }
}

#[test]
fn what_is_written_can_be_read() {
    let data: Vec<u8> = (0..=255).cycle().take(1000).collect();
    for (format, channels, pitch) in [
        (VideoFormat::Rgb, 3, 25),
        (VideoFormat::Rgba, 4, 28),
        (VideoFormat::Gray8, 1, 9),
    ] {
        let plane = Plane { data: &data, pitch };
        let view = View::new(format, 7, 5, vec![plane]).unwrap();
        let mut out = vec![1; 10];
        encode(&view, &mut out).unwrap();
        let mut rest = &out[..];
        let stack = NpyStack::read(&mut rest).unwrap();
        assert_eq!((stack.frames, stack.height, stack.width), (1, 5, 7));
        assert_eq!((stack.channels, stack.format()), (channels, format));
        assert_eq!((out.len() - rest.len()) % 16, 0);
        let mut tight = Vec::new();
        view.append_tight(&mut tight);
        assert_eq!(rest, tight);
    }
}

#[test]
fn channels_are_woven() {
    for channels in [1, 3, 4] {
        let planar: Vec<u8> = (0..channels as u8 * 5).collect();
        let mut packed = vec![0; planar.len()];
        planar_to_packed(&planar, channels, &mut packed);
        for pixel in 0..5 {
            for channel in 0..channels {
                assert_eq!(
                    packed[pixel * channels + channel],
                    planar[channel * 5 + pixel]
                );
            }
        }
    }
}

proptest! {
    #[test]
    fn reading_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = NpyStack::read(&mut &bytes[..]);
    }

    #[test]
    fn odd_headers_never_panic(shape in "[(),0-9 ]{0,40}", descr in "['|<>uifSO0-9]{0,6}") {
        let _ = NpyStack::read(&mut &file(&descr, "False", &shape)[..]);
    }
}
