// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

use gst_video::{VideoColorimetry, VideoFormat, VideoInfo, VideoInterlaceMode};
use proptest::prelude::*;

use super::*;
use crate::frame::{FORMATS, SYSTEM_FORMATS};
use crate::meta::{Bounds, ClassLabel, Classifier, Detection, FrameMeta, Label};

mod lies;
mod slots;

fn packet(message: &Message) -> Vec<u8> {
    let mut out = vec![1, 2, 3];
    assert_eq!(message.encode(&mut out), 0);
    out
}

/// A frame with everything.
fn example() -> (FrameHead, FrameMeta) {
    let plane = PlaneAt {
        offset: 0,
        pitch: 192,
    };
    let head = FrameHead {
        seq: 5,
        caps_id: 1,
        new_slot: true,
        discont: false,
        fields: Fields::default(),
        memory: Memory::Host,
        slot: 3,
        slot_size: 16384,
        offset: 0,
        planes: Planes::new(&[plane]).unwrap(),
        pts: Some(166_666_665),
        duration: Some(33_333_333),
    };
    let car = Detection {
        label: "car".into(),
        class_id: Some(2),
        component_id: Some(1),
        confidence: Some(0.875),
        track_id: Some(7),
        bounds: Bounds {
            left: 8.0,
            top: 4.0,
            width: 16.0,
            height: 12.0,
        },
        parent: None,
        classifiers: vec![Classifier {
            component_id: Some(2),
            kind: "colour".into(),
            labels: vec![ClassLabel {
                label: "red".into(),
                class_id: Some(0),
                probability: Some(0.5),
            }],
        }],
    };
    let meta = FrameMeta {
        frame_number: Some(5),
        pts: head.pts,
        sensor: Some("gate1".into()),
        detections: vec![car],
        ..FrameMeta::default()
    };
    (head, meta)
}

fn frame() -> Message {
    let (head, meta) = example();
    Message::Frame(Box::new(Frame { head, meta }))
}

fn info(format: VideoFormat, width: u32, height: u32) -> VideoInfo {
    gst::init().unwrap();
    VideoInfo::builder(format, width, height).build().unwrap()
}

/// One of each kind.
fn messages() -> Vec<Message> {
    let devices = vec![[1; 16], [2; 16]];
    vec![
        Message::Hello(Hello::Reader {
            host: true,
            devices,
        }),
        Message::Hello(Hello::Producer { session: 9 }),
        Message::Refuse(Refuse {
            reason: Reason::MESSAGE,
            text: "why".into(),
        }),
        Message::Caps(Caps::new(1, &info(VideoFormat::Nv12, 64, 48)).unwrap()),
        frame(),
        Message::Taken(3),
        Message::Release(vec![1, 3]),
        Message::End(7),
        Message::Stop(7),
    ]
}

#[test]
fn the_example_of_the_document_is_what_is_sent() {
    let text = include_str!("../../../docs/channel-protocol.md");
    let (_, text) = text.split_once("## Example").unwrap();
    let mut bytes = Vec::new();
    for line in text.lines().filter_map(|line| line.strip_prefix("    ")) {
        let (at, line) = line.split_once("  ").unwrap();
        assert_eq!(usize::from_str_radix(at, 16).unwrap(), bytes.len());
        bytes.extend(
            line.split(' ')
                .map(|byte| u8::from_str_radix(byte, 16).unwrap()),
        );
    }
    assert_eq!(packet(&frame()), bytes);
    assert_eq!(Message::parse(&bytes), Ok(frame()));
}

#[test]
fn messages_have_the_types_and_sizes_of_the_document() {
    let of = |message: &Message| {
        let packet = packet(message);
        (u16::from_le_bytes([packet[6], packet[7]]), packet.len())
    };
    let want = [
        (1, 40 + 2 * 16),
        (1, 40),
        (2, 24 + 8),
        (3, 136),
        (4, 192 + 8 + 48 + 8 + 16 + 8 + 16 + 8),
        (5, 24),
        (6, 24 + 2 * 8),
        (7, 24),
        (8, 24),
    ];
    assert_eq!(messages().iter().map(of).collect::<Vec<_>>(), want);
    for message in messages() {
        assert_eq!(Message::parse(&packet(&message)), Ok(message));
    }
}

#[test]
fn what_is_too_long_is_cut_and_what_is_no_number_is_not_sent() {
    let (head, _) = example();
    let long = Label::from("\u{fc}".repeat(MAX_TEXT));
    let label = ClassLabel {
        label: long.clone(),
        class_id: None,
        probability: Some(f32::INFINITY),
    };
    let classifier = Classifier {
        kind: long.clone(),
        ..Classifier::default()
    };
    let mut classifiers = vec![classifier; MAX_CLASSIFIERS + 1];
    classifiers[0].labels = vec![label; MAX_LABELS + 1];
    classifiers[0].labels[1..].fill(ClassLabel::default());
    let detection = Detection {
        label: format!("x{long}").into(),
        confidence: Some(f32::NAN),
        bounds: Bounds {
            left: f32::NAN,
            top: f32::NEG_INFINITY,
            width: 2.0,
            height: f32::INFINITY,
        },
        parent: Some(1),
        classifiers,
        ..Detection::default()
    };
    let meta = FrameMeta {
        sensor: Some("".into()),
        source_size: Some((5, 0)),
        ntp: Some(1 << 63),
        detections: vec![detection],
        ..FrameMeta::default()
    };
    let mut out = Vec::new();
    assert_eq!(head.encode(&meta, &mut out), 0);
    let Ok(Message::Frame(got)) = Message::parse(&out) else {
        panic!("{:?}", Message::parse(&out));
    };
    let got = got.meta;
    assert_eq!((got.sensor, got.source_size, got.ntp), (None, None, None));
    let detection = &got.detections[0];
    assert_eq!(detection.label.len(), MAX_TEXT - 1);
    assert_eq!((detection.confidence, detection.parent), (None, None));
    let width = Bounds {
        width: 2.0,
        ..Bounds::default()
    };
    assert_eq!(detection.bounds, width);
    assert_eq!(detection.classifiers.len(), MAX_CLASSIFIERS);
    assert_eq!(detection.classifiers[0].kind.len(), MAX_TEXT);
    let labels = &detection.classifiers[0].labels;
    assert_eq!(labels.len(), MAX_LABELS);
    assert_eq!(labels[0].label.len(), MAX_TEXT);
    assert_eq!(labels[0].probability, None);

    let refuse = Message::Refuse(Refuse {
        reason: Reason(99),
        text: "\u{20ac}".repeat(MAX_REASON),
    });
    match Message::parse(&packet(&refuse)) {
        Ok(Message::Refuse(got)) => assert_eq!((got.reason.0, got.text.len()), (99, 510)),
        other => panic!("{other:?}"),
    }
    let devices = vec![[7; 16]; MAX_DEVICES + 1];
    let hello = Message::Hello(Hello::Reader {
        host: false,
        devices,
    });
    match Message::parse(&packet(&hello)) {
        Ok(Message::Hello(Hello::Reader { host, devices })) => {
            assert_eq!((host, devices.len()), (false, MAX_DEVICES));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn detections_that_do_not_fit_are_left_out_and_counted() {
    let (head, mut meta) = example();
    let small = Detection {
        parent: Some(2999),
        ..Detection::default()
    };
    meta.detections = vec![small; 3000];
    meta.sensor = None;
    let mut out = Vec::new();
    let fit = (MAX_PACKET - 192) / 48;
    assert_eq!(head.encode(&meta, &mut out), 3000 - fit);
    assert_eq!(out.len(), 192 + 48 * fit);
    let capacity = out.capacity();
    let Ok(Message::Frame(got)) = Message::parse(&out) else {
        panic!("{:?}", Message::parse(&out));
    };
    assert_eq!(got.meta.detections, vec![Detection::default(); fit]);

    // Those after the first that does not fit are left out too: places stay what they are.
    let labels = vec![ClassLabel::default(); MAX_LABELS];
    let classifier = Classifier {
        kind: "k".repeat(MAX_TEXT).into(),
        labels,
        ..Classifier::default()
    };
    meta.detections.truncate(10);
    meta.detections[4].classifiers = vec![classifier; MAX_CLASSIFIERS];
    assert_eq!(head.encode(&meta, &mut out), 6);
    assert_eq!(out.len(), 192 + 4 * 48);
    // And nothing was allocated for it.
    assert_eq!(out.capacity(), capacity);
}

#[test]
fn what_is_released_is_told_in_as_many_messages_as_it_takes() {
    let seqs: Vec<u64> = (0..600).collect();
    let (mut left, mut out, mut got) = (&seqs[..], Vec::new(), Vec::new());
    while !left.is_empty() {
        left = encode_release(left, &mut out);
        match Message::parse(&out) {
            Ok(Message::Release(some)) => got.push(some),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(got.iter().map(Vec::len).collect::<Vec<_>>(), [256, 256, 88]);
    assert_eq!(got.concat(), seqs);
}

#[test]
fn caps_are_what_gstreamer_has() {
    gst::init().unwrap();
    for format in FORMATS.into_iter().chain(SYSTEM_FORMATS) {
        for (width, height) in [(1, 1), (641, 479), (1920, 1080)] {
            let info = info(format, width, height);
            let caps = Caps::new(4, &info).unwrap();
            assert_eq!(caps.format_name(), format.to_str());
            let again = caps.info().unwrap();
            assert_eq!(again.to_caps().unwrap(), info.to_caps().unwrap());
            assert_eq!(again, info);
            let message = Message::Caps(caps);
            assert_eq!(Message::parse(&packet(&message)), Ok(message));
        }
    }
    for text in [
        "video/x-raw,format=NV12,width=1920,height=1080,framerate=30000/1001,colorimetry=bt709,\
         chroma-site=mpeg2,interlace-mode=interleaved,field-order=top-field-first,\
         pixel-aspect-ratio=4/3",
        "video/x-raw,format=I420,width=320,height=240,framerate=0/1,colorimetry=1:4:16:3,\
         interlace-mode=mixed",
        "video/x-raw,format=GRAY8,width=7,height=5,framerate=5/1,interlace-mode=progressive",
        "video/x-raw,format=RGBx,width=7,height=5,framerate=5/1,colorimetry=sRGB",
    ] {
        let caps: gst::Caps = text.parse().unwrap();
        let info = VideoInfo::from_caps(&caps).unwrap();
        let again = Caps::new(1, &info).unwrap().info().unwrap();
        assert_eq!(again.to_caps().unwrap(), info.to_caps().unwrap());
    }
    let unknown: VideoColorimetry = "0:0:0:0".parse().unwrap();
    let builder = VideoInfo::builder(VideoFormat::Rgb, 8, 8).colorimetry(&unknown);
    assert!(
        Caps::new(1, &builder.build().unwrap())
            .unwrap()
            .info()
            .is_ok()
    );
}

#[test]
fn pictures_that_cannot_be_sent_are_refused() {
    let formats = [VideoFormat::Y444, VideoFormat::P01010le, VideoFormat::Nv21];
    for format in formats {
        let error = Caps::new(1, &info(format, 64, 48)).unwrap_err();
        assert_eq!(error, WireError::Format(format.to_str().to_string()));
    }
    let fields = VideoInfo::builder(VideoFormat::I420, 64, 48)
        .interlace_mode(VideoInterlaceMode::Alternate)
        .build()
        .unwrap();
    let error = Caps::new(1, &fields).unwrap_err();
    assert!(error.to_string().contains("Alternate"), "{error}");
    let large = Caps::new(1, &info(VideoFormat::Gray8, 32768, 32769));
    assert!(matches!(large, Err(WireError::Picture { .. })), "{large:?}");
    assert!(Caps::new(1, &info(VideoFormat::Gray8, 32768, 32768)).is_ok());
}

fn text() -> impl Strategy<Value = Label> {
    prop_oneof![
        4 => "[a-z\u{fc}\u{20ac}]{0,20}".prop_map(Label::from),
        1 => "[a-z]{1000,1024}".prop_map(Label::from),
    ]
}

fn finite() -> impl Strategy<Value = f32> {
    any::<f32>().prop_filter("finite", |value| value.is_finite())
}

fn or_none<T: std::fmt::Debug + Clone>(
    value: impl Strategy<Value = T>,
) -> impl Strategy<Value = Option<T>> {
    prop::option::of(value)
}

fn time() -> impl Strategy<Value = Option<u64>> {
    or_none(0..=i64::MAX as u64)
}

fn classifier() -> impl Strategy<Value = Classifier> {
    let label = (text(), any::<Option<i32>>(), or_none(finite()));
    let label = label.prop_map(|(label, class_id, probability)| ClassLabel {
        label,
        class_id,
        probability,
    });
    let labels = prop::collection::vec(label, 0..4);
    (any::<Option<i32>>(), text(), labels).prop_map(|(component_id, kind, labels)| Classifier {
        component_id,
        kind,
        labels,
    })
}

fn detection() -> impl Strategy<Value = Detection> {
    let ids = (
        any::<Option<i32>>(),
        any::<Option<i32>>(),
        any::<Option<u64>>(),
    );
    let classifiers = prop::collection::vec(classifier(), 0..3);
    let bounds = (finite(), finite(), finite(), finite());
    (text(), ids, or_none(finite()), bounds, classifiers).prop_map(
        |(label, (class_id, component_id, track_id), confidence, bounds, classifiers)| Detection {
            label,
            class_id,
            component_id,
            confidence,
            track_id,
            bounds: Bounds {
                left: bounds.0,
                top: bounds.1,
                width: bounds.2,
                height: bounds.3,
            },
            parent: None,
            classifiers,
        },
    )
}

fn head() -> impl Strategy<Value = FrameHead> {
    let memory = prop_oneof![
        Just(Memory::Host),
        (0..MAX_DEVICES as u32).prop_map(|device| Memory::Cuda { device })
    ];
    let place = (1..=MAX_SLOT).prop_flat_map(|size| {
        (Just(size), 0..size).prop_flat_map(|(size, offset)| {
            let plane = (0..size - offset, 1..=i32::MAX as u32)
                .prop_map(|(offset, pitch)| PlaneAt { offset, pitch });
            let planes = prop::collection::vec(plane, 1..=4);
            (Just((size, offset)), planes)
        })
    });
    let ids = (any::<u64>(), any::<u32>(), any::<u64>());
    let flags = any::<(bool, bool, u32)>();
    (ids, flags, memory, place, time(), time()).prop_map(
        |(ids, flags, memory, ((slot_size, offset), planes), pts, duration)| FrameHead {
            seq: ids.0,
            caps_id: ids.1,
            new_slot: flags.0,
            discont: flags.1,
            fields: Fields::of(gst_video::VideoBufferFlags::from_bits_truncate(flags.2)),
            memory,
            slot: ids.2,
            slot_size,
            offset,
            planes: Planes::new(&planes).unwrap(),
            pts,
            duration,
        },
    )
}

fn any_frame() -> impl Strategy<Value = Message> {
    let sides = or_none((1..=u32::MAX, 1..=u32::MAX));
    let sensor = or_none(text().prop_filter("a name", |name| !name.is_empty()));
    let detections = prop::collection::vec((detection(), any::<Option<u8>>()), 0..6);
    let rest = (
        any::<(u32, u32)>(),
        time(),
        time(),
        sides,
        sensor,
        detections,
    );
    (head(), rest).prop_map(
        |(head, (ids, frame_number, ntp, source_size, sensor, found))| {
            let count = found.len();
            let detections = found.into_iter().enumerate().map(|(place, (one, parent))| {
                let parent = parent.map(|parent| usize::from(parent) % count);
                let parent = parent.filter(|parent| *parent != place);
                Detection { parent, ..one }
            });
            let meta = FrameMeta {
                source_id: ids.0,
                pad_index: ids.1,
                slot: 0,
                frame_number,
                pts: head.pts,
                ntp,
                source_size,
                sensor,
                detections: detections.collect(),
            };
            Message::Frame(Box::new(Frame { head, meta }))
        },
    )
}

fn any_message() -> impl Strategy<Value = Message> {
    let devices = prop::collection::vec(any::<[u8; 16]>(), 0..=MAX_DEVICES);
    let reader = (any::<bool>(), devices).prop_map(|(host, devices)| Hello::Reader {
        host: host || devices.is_empty(),
        devices,
    });
    let producer = (1..=u64::MAX).prop_map(|session| Hello::Producer { session });
    let refuse = (any::<u32>(), "[a-z\u{fc}]{0,200}").prop_map(|(reason, text)| Refuse {
        reason: Reason(reason),
        text,
    });
    let formats = FORMATS.into_iter().chain(SYSTEM_FORMATS);
    let formats = prop::sample::select(formats.collect::<Vec<_>>());
    let caps = (any::<u32>(), formats, 1..=9000_u32, 1..=9000_u32)
        .prop_map(|(id, format, width, height)| Caps::new(id, &info(format, width, height)));
    prop_oneof![
        1 => reader.prop_map(Message::Hello),
        1 => producer.prop_map(Message::Hello),
        1 => refuse.prop_map(Message::Refuse),
        1 => caps.prop_map(|caps| Message::Caps(caps.unwrap())),
        4 => any_frame(),
        1 => any::<u64>().prop_map(Message::Taken),
        1 => prop::collection::vec(any::<u64>(), 1..=MAX_RELEASED).prop_map(Message::Release),
        1 => any::<u64>().prop_map(Message::End),
        1 => any::<u64>().prop_map(Message::Stop),
    ]
}

/// What is read of it is, sent again, read as the same.
fn read_again(bytes: &[u8]) -> Result<(), TestCaseError> {
    if let Ok(message) = Message::parse(bytes) {
        let mut out = Vec::new();
        prop_assert_eq!(message.encode(&mut out), 0);
        prop_assert_eq!(out.len(), bytes.len());
        prop_assert_eq!(Message::parse(&out), Ok(message));
    }
    Ok(())
}

proptest! {
    #[test]
    fn messages_are_read_as_they_were_sent(message in any_message()) {
        let mut out = Vec::new();
        prop_assert_eq!(message.encode(&mut out), 0);
        prop_assert!((HEADER..=MAX_PACKET).contains(&out.len()) && out.len() % 8 == 0);
        prop_assert_eq!(Message::parse(&out), Ok(message));
    }

    #[test]
    fn any_bytes_are_read_or_refused(
        kind in 0..10_u8,
        body in prop::collection::vec(prop_oneof![Just(0), Just(1), any::<u8>()], 0..400),
    ) {
        prop_assert!(Message::parse(&body).is_err());
        let mut bytes = b"DSFC\x01\0\0\0\0\0\0\0\0\0\0\0".to_vec();
        bytes[6] = kind;
        bytes[8..10].copy_from_slice(&(body.len() as u16).to_le_bytes());
        bytes.extend(body);
        read_again(&bytes)?;
    }

    #[test]
    fn no_part_of_a_message_is_one(message in any_message(), cut in any::<prop::sample::Index>()) {
        let mut bytes = packet(&message);
        bytes.truncate(cut.index(bytes.len()));
        prop_assert!(Message::parse(&bytes).is_err());
        // Nor if the header fits what is left.
        if bytes.len() >= HEADER {
            let length = (bytes.len() - HEADER) as u32;
            bytes[8..12].copy_from_slice(&length.to_le_bytes());
            prop_assert!(Message::parse(&bytes).is_err());
        }
    }

    #[test]
    fn bytes_that_changed_on_the_way_are_read_or_refused(
        message in any_message(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut bytes = packet(&message);
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        read_again(&bytes)?;
    }
}
