// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Messages that say what is not so.

use super::*;

fn with(bytes: &[u8], at: usize, value: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes[at..at + value.len()].copy_from_slice(value);
    bytes
}

fn error(bytes: &[u8]) -> WireError {
    match Message::parse(bytes) {
        Err(error) => {
            assert!(!error.to_string().is_empty());
            error
        }
        Ok(message) => panic!("{message:?}"),
    }
}

#[test]
fn every_byte_of_every_message_may_be_any() {
    for message in messages() {
        let bytes = packet(&message);
        for at in 0..bytes.len() {
            assert!(Message::parse(&bytes[..at]).is_err());
            for value in 0..=255 {
                read_again(&with(&bytes, at, &[value])).unwrap();
            }
        }
    }
}

#[test]
fn headers_are_checked() {
    let end = packet(&Message::End(0));
    assert_eq!(error(&[]), WireError::Size(0));
    assert_eq!(error(&end[..15]), WireError::Size(15));
    let large = vec![0; MAX_PACKET + 1];
    assert_eq!(error(&large), WireError::Size(MAX_PACKET + 1));
    assert_eq!(error(&large[1..]), WireError::Magic([0; 4]));
    assert_eq!(error(&with(&end, 0, b"dsfc")), WireError::Magic(*b"dsfc"));
    assert_eq!(error(&with(&end, 4, &[2])), WireError::Version(2));
    assert_eq!(error(&with(&end, 4, &[0])), WireError::Version(0));
    assert_eq!(error(&with(&end, 6, &[0])), WireError::Type(0));
    assert_eq!(error(&with(&end, 6, &[9])), WireError::Type(9));
    for said in [0, 1, 9, u32::MAX] {
        let length = WireError::Length { said, has: 8 };
        assert_eq!(error(&with(&end, 8, &said.to_le_bytes())), length);
    }
    let flags = error(&with(&end, 12, &[4]));
    assert!(matches!(
        flags,
        WireError::Flags {
            at: 12,
            bits: 4,
            ..
        }
    ));
    let rest = with(&[&end[..], &[0; 8]].concat(), 8, &[16]);
    assert_eq!(error(&rest), WireError::Rest { at: 24, bytes: 8 });
}

#[test]
fn a_refusal_is_understood_in_every_version() {
    let refuse = Message::Refuse(Refuse {
        reason: Reason::from(&WireError::Version(1)),
        text: "version 2 is spoken here".into(),
    });
    let bytes = with(&packet(&refuse), 4, &[2]);
    assert_eq!(Message::parse(&bytes), Ok(refuse));
}

#[test]
fn hellos_are_of_a_reader_or_of_a_producer() {
    let devices = vec![[1; 16]];
    let reader = Message::Hello(Hello::Reader {
        host: false,
        devices,
    });
    let producer = Message::Hello(Hello::Producer { session: 1 });
    let (reader, producer) = (packet(&reader), packet(&producer));
    for (bytes, at, value) in [
        (&reader, 16, 0),
        (&reader, 16, 2),
        (&reader, 16, 3),
        (&reader, 20, 0),
        (&reader, 20, 1),
        (&reader, 20, 6),
        (&reader, 24, 1),
        (&reader, 32, 0),
        (&reader, 32, 2),
        (&reader, 32, 17),
        (&reader, 36, 1),
        (&producer, 16, 1),
        (&producer, 20, 1),
        (&producer, 24, 0),
        (&producer, 32, 1),
    ] {
        error(&with(bytes, at, &[value]));
    }
}

/// Numbers of the example, and what they must not be.
#[test]
fn fields_of_a_frame_are_checked() {
    let bytes = packet(&frame());
    let max = u32::MAX.to_le_bytes();
    for (at, values) in [
        // Flags, memory, device, the slot's size, the picture's offset in it.
        (28, vec![0x40, 0x8000_0000]),
        (32, vec![2, u32::MAX]),
        (36, vec![1]),
        (48, vec![0, MAX_SLOT as u32 + 1]),
        (52, vec![1]),
        (56, vec![16384, u32::MAX]),
        (60, vec![1]),
        // Planes and the first of them, and what is to be 0 in those that are not there.
        (64, vec![0, 2, 5, u32::MAX]),
        (68, vec![1]),
        (72, vec![16384, u32::MAX]),
        (80, vec![0, 0x8000_0000]),
        (84, vec![1]),
        (88, vec![1]),
        (96, vec![1]),
        (132, vec![1]),
        // One side of the source, the number of detections, the sensor's length.
        (176, vec![1]),
        (180, vec![1]),
        (184, vec![0, 2, 3, 65535, 65536, u32::MAX]),
        (188, vec![0, 9, 16, 1024, 1025, u32::MAX]),
        // The padding of the sensor, and within a text.
        (196, vec![1 << 8]),
        (192, vec![u32::MAX]),
        // The detection: flags, what is not there, no numbers, lengths.
        (200, vec![0x20, 0, 0b01110]),
        (212, vec![0x7f80_0000, 0xff80_0000, 0x7fc0_0000]),
        (224, vec![0x7f80_0000]),
        (236, vec![0xffc0_0000]),
        (240, vec![1]),
        (
            244,
            vec![
                0x0001_0009,
                0x0001_0400,
                0x0001_ffff,
                3,
                0x0002_0003,
                0x0041_0003,
            ],
        ),
        (248, vec![0x0172_6163]),
        // The classifier and its label.
        (256, vec![0, 2]),
        (264, vec![9, 1024, 1025, u32::MAX]),
        (268, vec![0, 2, 65, u32::MAX]),
        (280, vec![1, 4]),
        (288, vec![0x7f80_0000]),
        (292, vec![9, 1024, 1025, u32::MAX]),
    ] {
        for value in values {
            let bytes = with(&bytes, at, &u32::to_le_bytes(value));
            assert!(Message::parse(&bytes).is_err(), "{value:#x} at byte {at}");
        }
    }
    // What is not bounded may be anything.
    for at in [16, 24, 40, 136, 144, 152, 160, 168, 172, 216] {
        assert!(Message::parse(&with(&bytes, at, &max)).is_ok(), "byte {at}");
    }
    // A time, or none; what counts nothing may be anything.
    for (at, is_time) in [(136, true), (144, true), (152, true), (160, false)] {
        for (value, is_good) in [
            (u64::MAX, true),
            (i64::MAX as u64, true),
            (1 << 63, !is_time),
            (u64::MAX - 1, !is_time),
        ] {
            let parsed = Message::parse(&with(&bytes, at, &value.to_le_bytes()));
            assert_eq!(parsed.is_ok(), is_good, "{value:#x} at byte {at}");
        }
    }
    let cuda = with(&bytes, 32, &[1, 0, 0, 0, 15]);
    assert!(Message::parse(&cuda).is_ok());
    error(&with(&cuda, 36, &[16]));
}

#[test]
fn what_a_number_says_is_there_is_not_allocated_before_it_is() {
    // Each of them would take gigabytes.
    let frame = packet(&frame());
    let detections = error(&with(&frame, 184, &65535_u32.to_le_bytes()));
    let what = "detections";
    assert_eq!(detections, WireError::Short { what, at: 200 });
    let release = packet(&Message::Release(vec![1]));
    for count in [0, 2, 256, 257, u32::MAX] {
        error(&with(&release, 16, &count.to_le_bytes()));
    }
    let reason = Reason::MESSAGE;
    let text = "text".into();
    let refuse = packet(&Message::Refuse(Refuse { reason, text }));
    for length in [9, 512, 513, u32::MAX] {
        error(&with(&refuse, 20, &length.to_le_bytes()));
    }
}

#[test]
fn caps_are_checked() {
    let caps = Caps::new(1, &info(VideoFormat::Nv12, 64, 48)).unwrap();
    let bytes = packet(&Message::Caps(caps));
    for (at, value) in [
        (20, 0),
        (20, 65536),
        (24, 0),
        (24, 65536),
        (28, 3),
        (32, 3),
        (36, 0x8000_0000),
        (40, 0),
        (40, 0x8000_0000),
        (44, 0),
        (48, 0),
        (52, 1),
        (56, 0),
        // "NV12" with what it must not end in, "NV21".
        (60, u32::from_le_bytes(*b"\0a\0\0")),
        (56, u32::from_le_bytes(*b"NV21")),
        (72, u32::from_le_bytes(*b"a b ")),
        (100, 1),
        (104, u32::from_le_bytes([0xc3, 0xbc, 0, 0])),
    ] {
        error(&with(&bytes, at, &u32::to_le_bytes(value)));
    }
    let read = |at, value: &[u8]| match Message::parse(&with(&bytes, at, value)) {
        Ok(Message::Caps(caps)) => caps,
        other => panic!("{other:?}"),
    };
    // These are known to be wrong when GStreamer is asked.
    for colors in [
        "nonsense", "9:9:9:9", "2:3:99:1", "1:1:1:1", "1:0:5:1", "-1:3:5:1",
    ] {
        let mut field = [0; 32];
        field[..colors.len()].copy_from_slice(colors.as_bytes());
        let error = read(72, &field).info().unwrap_err();
        assert!(error.to_string().contains(colors), "{error}");
    }
    let mut site = [0; 32];
    site[..4].copy_from_slice(b"site");
    assert!(read(104, &site).info().is_err());
    let large = [0xff, 0xff, 0, 0, 0xff, 0xff, 0, 0];
    let error = read(20, &large).info().unwrap_err();
    assert!(matches!(error, WireError::Picture { .. }), "{error}");
}

#[test]
fn pictures_are_within_their_slot() {
    let caps = |format| Caps::new(1, &info(format, 64, 48)).unwrap();
    let rgb = caps(VideoFormat::Rgb);
    let (head, _) = example();
    assert_eq!(head.check(&rgb), Ok(()));
    let planes = |planes: &[(u64, u32)]| {
        let planes = planes.iter().map(|(offset, pitch)| PlaneAt {
            offset: *offset,
            pitch: *pitch,
        });
        Planes::new(&planes.collect::<Vec<_>>()).unwrap()
    };
    let with = |slot_size, offset, planes| FrameHead {
        slot_size,
        offset,
        planes,
        ..head.clone()
    };
    let one = |offset| planes(&[(offset, 192)]);
    let size = 192 * 48;
    let beyond = |plane, size| Err(WireError::Beyond { plane, size });
    assert_eq!(with(size, 0, one(0)).check(&rgb), Ok(()));
    assert_eq!(with(size - 1, 0, one(0)).check(&rgb), beyond(0, size - 1));
    assert_eq!(with(size, 1, one(0)).check(&rgb), beyond(0, size));
    assert_eq!(with(size, 0, one(1)).check(&rgb), beyond(0, size));
    assert_eq!(with(size + 9, 4, one(5)).check(&rgb), Ok(()));
    // Of the last row only its bytes are needed.
    let sparse = planes(&[(0, 1000)]);
    assert_eq!(with(47_192, 0, sparse).check(&rgb), Ok(()));
    assert_eq!(with(47_191, 0, sparse).check(&rgb), beyond(0, 47_191));
    let pitch = WireError::Pitch {
        plane: 0,
        pitch: 191,
        row: 192,
    };
    assert_eq!(with(size, 0, planes(&[(0, 191)])).check(&rgb), Err(pitch));
    // Sums that are too large for any number.
    for (offset, plane, pitch) in [
        (u64::MAX, 0, 192),
        (0, u64::MAX, 192),
        (u64::MAX, u64::MAX, u32::MAX),
        (1 << 63, 1 << 63, 192),
        (0, 0, u32::MAX),
    ] {
        let head = with(MAX_SLOT, offset, planes(&[(plane, pitch)]));
        assert_eq!(head.check(&rgb), beyond(0, MAX_SLOT));
    }

    let nv12 = caps(VideoFormat::Nv12);
    let count = WireError::PlaneCount {
        frame: 1,
        format: 2,
    };
    assert_eq!(head.check(&nv12), Err(count));
    let both = planes(&[(64 * 24, 64), (0, 64)]);
    assert_eq!(with(64 * 72, 0, both).check(&nv12), Ok(()));
    let second = planes(&[(0, 64), (64 * 48 + 1, 64)]);
    assert_eq!(with(64 * 72, 0, second).check(&nv12), beyond(1, 64 * 72));
    let other = Caps::new(2, &info(VideoFormat::Rgb, 64, 48)).unwrap();
    let id = WireError::CapsId { frame: 1, caps: 2 };
    assert_eq!(head.check(&other), Err(id));
    assert!(Planes::new(&[]).is_none());
    assert!(Planes::new(&[PlaneAt::default(); 5]).is_none());
}
