// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Packets of a channel, and what a peer does with them first.

use gst_video::{VideoFormat, VideoInfo};
use gstdsframe::channel::wire::{
    Caps, Fields, Frame, FrameHead, HEADER, Hello, MAX_PACKET, Memory, Message, PlaneAt, Planes,
    Reason, Refuse, Slots,
};
use gstdsframe::frame::plane_sizes;
use gstdsframe::meta::{Bounds, ClassLabel, Classifier, Detection, FrameMeta};

pub fn run(data: &[u8]) {
    crate::abi::init();
    packet(data);
    // Behind a header that is right.
    let Some((kind, body)) = data.split_first() else {
        return;
    };
    let mut bytes = Vec::new();
    Message::Taken(0).encode(&mut bytes);
    bytes.truncate(16);
    bytes[6] = kind % 9;
    bytes[8..12].copy_from_slice(&(body.len() as u32).to_le_bytes());
    bytes.extend(body);
    packet(&bytes);
}

fn packet(bytes: &[u8]) {
    let message = match Message::parse(bytes) {
        Ok(message) => message,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return;
        }
    };
    let (mut out, mut again) = (Vec::new(), Vec::new());
    assert_eq!(message.encode(&mut out), 0);
    assert_eq!(out.len(), bytes.len());
    assert!((HEADER..=MAX_PACKET).contains(&out.len()));
    let read = Message::parse(&out).unwrap();
    assert_eq!(read, message);
    read.encode(&mut again);
    assert_eq!(again, out);
    match message {
        Message::Caps(caps) => {
            if let Ok(info) = caps.info() {
                assert_eq!(info.format(), caps.format());
                assert_eq!((info.width(), info.height()), (caps.width, caps.height));
                let _ = Caps::new(caps.id, &info).map(|caps| caps.info());
            }
        }
        Message::Frame(frame) => {
            let Frame { head, meta } = *frame;
            for (place, detection) in meta.detections.iter().enumerate() {
                let possible = |parent| parent < meta.detections.len() && parent != place;
                assert!(detection.parent.is_none_or(possible));
            }
            for (format, width, height) in PICTURES {
                picture(&head, format, width, height);
            }
            let mut slots = Slots::default();
            assert!(slots.find(&head).is_err());
            assert!(slots.add(&head, ()).unwrap().is_none());
            slots.find(&head).unwrap();
        }
        _ => (),
    }
}

const PICTURES: [(VideoFormat, u32, u32); 4] = [
    (VideoFormat::Gray8, 1, 1),
    (VideoFormat::Rgb, 64, 48),
    (VideoFormat::Nv12, 641, 479),
    (VideoFormat::I420, 1920, 1080),
];

fn caps(id: u32, format: VideoFormat, width: u32, height: u32) -> Caps {
    let info = VideoInfo::builder(format, width, height).build().unwrap();
    Caps::new(id, &info).unwrap()
}

/// Every row of a picture that passes is within the slot, in numbers that cannot overflow.
fn picture(head: &FrameHead, format: VideoFormat, width: u32, height: u32) {
    if head
        .check(&caps(head.caps_id, format, width, height))
        .is_err()
    {
        return;
    }
    let sizes = plane_sizes(format, width as usize, height as usize);
    for (at, size) in head.planes.as_slice().iter().zip(sizes) {
        let last = u128::from(at.pitch) * (size.rows as u128 - 1);
        let start = u128::from(head.offset) + u128::from(at.offset);
        assert!(start + last + size.row_bytes as u128 <= u128::from(head.slot_size));
    }
}

/// Messages to begin with: one of each kind at least, and some that are wrong.
#[allow(dead_code, reason = "for the tests, which write them")]
pub fn seeds() -> Vec<Vec<u8>> {
    crate::abi::init();
    let mut messages = vec![
        Message::Hello(Hello::Reader {
            host: true,
            devices: Vec::new(),
        }),
        Message::Hello(Hello::Reader {
            host: false,
            devices: vec![[0x5a; 16], [0xa5; 16]],
        }),
        Message::Hello(Hello::Producer { session: 0x1234 }),
        Message::Refuse(Refuse {
            reason: Reason::READERS,
            text: "too many readers".into(),
        }),
        Message::Taken(4),
        Message::Release(vec![0, 1, 5]),
        Message::End(6),
        Message::Stop(6),
    ];
    let video = "video/x-raw,format=I420,width=1920,height=1080,framerate=30000/1001,\
                 colorimetry=bt709,chroma-site=mpeg2,interlace-mode=interleaved,\
                 field-order=top-field-first";
    let video: gst::Caps = video.parse().unwrap();
    let video = VideoInfo::from_caps(&video).unwrap();
    messages.push(Message::Caps(Caps::new(1, &video).unwrap()));
    for (format, width, height) in PICTURES {
        messages.push(Message::Caps(caps(2, format, width, height)));
        messages.push(frame(format, width, height));
    }
    let mut seeds: Vec<_> = messages
        .iter()
        .map(|message| {
            let mut packet = Vec::new();
            message.encode(&mut packet);
            packet
        })
        .collect();
    let mut cut = seeds[seeds.len() - 1].clone();
    cut.truncate(cut.len() - 8);
    seeds.push(cut);
    seeds
}

fn frame(format: VideoFormat, width: u32, height: u32) -> Message {
    let mut end = 0;
    let planes = plane_sizes(format, width as usize, height as usize).into_iter();
    let planes = planes.map(|size| {
        let offset = end;
        let pitch = size.row_bytes.next_multiple_of(64);
        end += (pitch * size.rows) as u64;
        PlaneAt {
            offset,
            pitch: pitch as u32,
        }
    });
    let planes = Planes::new(&planes.collect::<Vec<_>>()).unwrap();
    // As many as the format has planes.
    let count = planes.as_slice().len();
    let memory = match count {
        3 => Memory::Cuda { device: 1 },
        _ => Memory::Host,
    };
    let head = FrameHead {
        seq: 7,
        caps_id: 2,
        new_slot: count != 1,
        discont: count == 2,
        fields: Fields::default(),
        memory,
        slot: 3,
        slot_size: end.next_multiple_of(1 << 21),
        offset: 0,
        planes,
        pts: Some(40_000_000),
        duration: (count == 1).then_some(40_000_000),
    };
    let label = ClassLabel {
        label: "red".into(),
        class_id: Some(1),
        probability: Some(0.75),
    };
    let classifier = Classifier {
        component_id: Some(2),
        kind: "colour".into(),
        labels: vec![label; count],
    };
    let detection = |place: usize| Detection {
        label: ["car", "person", "a longer label than others"][place].into(),
        class_id: Some(place as i32),
        component_id: (place > 0).then_some(1),
        confidence: Some(0.5),
        track_id: (place > 1).then_some(99),
        bounds: Bounds {
            left: 1.0,
            top: 2.5,
            width: 30.0,
            height: 40.0,
        },
        parent: place.checked_sub(1),
        classifiers: vec![classifier.clone(); place],
    };
    let meta = FrameMeta {
        source_id: 1,
        pad_index: 2,
        frame_number: Some(7),
        pts: head.pts,
        ntp: (count == 3).then_some(1_700_000_000_000_000_000),
        source_size: (count == 2).then_some((1280, 720)),
        sensor: (count > 1).then(|| "gate1".into()),
        detections: (0..count).map(detection).collect(),
        ..FrameMeta::default()
    };
    Message::Frame(Box::new(Frame { head, meta }))
}
