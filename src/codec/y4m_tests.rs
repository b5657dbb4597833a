// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

use super::*;
use proptest::prelude::*;

fn read(header: &str) -> Result<Header, Y4mError> {
    gst::init().unwrap();
    Header::read(&mut header.as_bytes())
}

#[test]
fn all_fields_are_kept() {
    let got = read("YUV4MPEG2 W640 H481 F30000:1001 It A10:11 C420paldv XYSCSS=420PALDV XCOLORRANGE=FULL XX\nFRAME\n")
        .unwrap();
    assert_eq!(got.rate, Some(gst::Fraction::new(30000, 1001)));
    let info = got.info;
    assert_eq!((info.width(), info.height()), (640, 481));
    assert_eq!(info.fps(), gst::Fraction::new(30000, 1001));
    assert_eq!(info.par(), gst::Fraction::new(10, 11));
    assert_eq!(info.format(), VideoFormat::I420);
    assert_eq!(info.chroma_site(), VideoChromaSite::DV);
    assert_eq!(info.colorimetry().range(), VideoColorRange::Range0_255);
    assert_eq!(info.interlace_mode(), VideoInterlaceMode::Interleaved);
    assert_eq!(info.field_order(), VideoFieldOrder::TopFieldFirst);
}

#[test]
fn defaults() {
    let got = read("YUV4MPEG2 W2 H2 F0:0 A0:0 I?\n").unwrap();
    assert_eq!(got.rate, None);
    assert_eq!(got.info.format(), VideoFormat::I420);
    assert_eq!(got.info.par(), gst::Fraction::new(1, 1));
    assert_eq!(got.info.colorimetry().range(), VideoColorRange::Range16_235);
    assert!(!got.info.is_interlaced());
}

#[test]
fn bad_headers_say_what_is_wrong() {
    for (header, part) in [
        ("", "not a YUV4MPEG2"),
        ("YUV4MPEG3 W2 H2\n", "not a YUV4MPEG2"),
        ("YUV4MPEG2 W2 H2", "does not end"),
        ("YUV4MPEG2 H2\n", "no width"),
        ("YUV4MPEG2 W-5 H2\n", "width \"-5\""),
        ("YUV4MPEG2 W0 H2\n", "width \"0\""),
        ("YUV4MPEG2 W2 H99999999999999999999\n", "height"),
        ("YUV4MPEG2 W65536 H2\n", "1 to 65535"),
        ("YUV4MPEG2 W65535 H65535\n", "too large"),
        ("YUV4MPEG2 W2 H2 F30\n", "\"F30\""),
        ("YUV4MPEG2 W2 H2 F30:0\n", "F30:0"),
        ("YUV4MPEG2 W2 H2 F-1:1\n", "F-1:1"),
        ("YUV4MPEG2 W2 H2 C420p10\n", "8 bits"),
        ("YUV4MPEG2 W2 H2 C411\n", "\"411\""),
        ("YUV4MPEG2 W2 H2 XCOLORRANGE=HALF\n", "HALF"),
    ] {
        let error = read(header).unwrap_err().to_string();
        assert!(error.contains(part), "{header}: {error}");
    }
    assert!(matches!(
        read(&format!("YUV4MPEG2 {}", "x".repeat(5000))),
        Err(Y4mError::Line)
    ));
}

#[test]
fn markers() {
    let read = |mut bytes: &[u8]| (read_marker(&mut bytes).unwrap(), bytes.len());
    assert_eq!(read(b"FRAME\nab"), (Marker::Frame(6), 2));
    assert_eq!(read(b"FRAME Ip XY\nab"), (Marker::Frame(12), 2));
    assert_eq!(read(b""), (Marker::End, 0));
    for bad in [&b"FRA"[..], b"FRAMES\n", b"FRAME I", b"xxxxxxxxx"] {
        assert_eq!(read(bad).0, Marker::Missing);
    }
}

proptest! {
    #[test]
    fn no_header_does_harm(fields in "[WHFAICX 0-9:p.\n-]{0,60}") {
        let _ = read(&format!("YUV4MPEG2 {fields}\n"));
    }
}
