// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Regions of interest beside DeepStream's metadata, and instead of it.

use gstdsframe::mem::sys::Generation;
use gstdsframe::meta::{Bounds, Detection, roi};
use serde_json::json;

use crate::batch::{BatchBuilder, FrameSpec};
use crate::common::pictures;
use crate::kit::{Feed, HD, Muxer, Shot, log_of, nvmm_caps, system_info, taken, takes, tracked};

fn region(label: &str, (left, top, width, height): (f32, f32, f32, f32)) -> Detection {
    Detection {
        label: label.into(),
        confidence: Some(0.5),
        bounds: Bounds {
            left,
            top,
            width,
            height,
        },
        ..Detection::default()
    }
}

#[test]
fn metadata_of_deepstream_goes_before_regions() {
    let folder = tempfile::tempdir().unwrap();
    let feed = Feed::new(&folder, "", &[("classes", "car")]);
    let mut muxer = Muxer::new(Generation::C);
    feed.begin(&muxer.caps());
    for number in 0..6 {
        let car = (number % 2 == 0).then(|| tracked("car", 1, 0.5));
        let mut buffer = muxer.batch(&[Shot::new(2, number).with(car)]);
        // They would match in every frame.
        let region = region("car", (1.0, 1.0, 9.0, 9.0));
        roi::attach(buffer.get_mut().unwrap(), &[region]);
        feed.push(buffer);
    }
    let warnings = feed.end().warnings();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(
        warnings[0].1.contains("regions of interest"),
        "{warnings:?}"
    );
    let want = [0, 2, 4].map(|number| taken(2, number, "metadata"));
    assert_eq!(takes(&folder), want);
    for line in log_of(&folder) {
        assert_eq!(line["objects_detected"], 1);
        assert_eq!(line["objects"][0]["track_id"], 1);
    }
}

#[test]
fn regions_alone_count_for_a_surface_that_is_alone() {
    let folder = tempfile::tempdir().unwrap();
    let feed = Feed::new(&folder, "", &[("classes", "car")]);
    let mut muxer = Muxer::new(Generation::A);
    feed.begin(&muxer.caps());
    for number in 0..3 {
        let mut buffer = muxer.surfaces(&[Shot::new(0, number)], &[0]);
        if number == 1 {
            let region = region("car", (1.0, 2.0, 3.0, 4.0));
            roi::attach(buffer.get_mut().unwrap(), &[region]);
        }
        feed.push(buffer);
    }
    feed.end_silently();
    assert_eq!(takes(&folder), [taken(0, 1, "metadata")]);
}

/// A frame of 640x360 whose regions its muxer has wrapped while it scaled it.
fn wrapped(number: i32, regions: &[Detection]) -> (Shot, gst::Buffer) {
    let mut buffer = gst::Buffer::new();
    roi::attach(buffer.get_mut().unwrap(), regions);
    (Shot::new(3, number), buffer)
}

#[test]
fn wrapped_regions_are_scaled_to_their_surface() {
    for generation in Generation::ALL {
        let folder = tempfile::tempdir().unwrap();
        // In pixels of the surface, which has 2/5 of the width and height of the source.
        let properties = [("roi", "0,0,128,144"), ("min-object-size", "20x20")];
        let feed = Feed::new(&folder, "", &properties);
        let mut muxer = Muxer::new(generation);
        feed.begin(&muxer.caps());
        let frames = [
            // All of it in the left half.
            region("in", (100.0, 50.0, 200.0, 100.0)),
            // In the left 128 pixels of the source, were those the surface's.
            region("out", (330.0, 50.0, 200.0, 100.0)),
            // Three fifths are inside.
            region("across", (200.0, 50.0, 200.0, 100.0)),
            // Large enough in the source only.
            region("small", (100.0, 50.0, 45.0, 45.0)),
        ];
        for (number, region) in frames.into_iter().enumerate() {
            let (shot, buffer) = wrapped(number as i32, &[region]);
            let mut batch = muxer.surfaces(&[Shot::new(1, 0), shot.clone()], &[1, 0]);
            let builder = BatchBuilder::new(generation)
                .frame(Shot::new(1, number as i32).spec(1))
                .frame(FrameSpec {
                    source_size: (640, 360),
                    wrapped: Some(buffer),
                    ..shot.spec(0)
                });
            builder.attach(batch.get_mut().unwrap());
            feed.push(batch);
        }
        feed.end_silently();
        let log = log_of(&folder);
        let got: Vec<_> = log
            .iter()
            .map(|line| (&line["objects"][0]["label"], &line["objects"][0]["box"]))
            .collect();
        let (first, second) = (
            json!([40.0, 20.0, 80.0, 40.0]),
            json!([80.0, 20.0, 80.0, 40.0]),
        );
        assert_eq!(got, [(&json!("in"), &first), (&json!("across"), &second)]);
        assert_eq!(log[0]["source_size"], json!([640, 360]));
        assert_eq!(log[0]["frame_size"], json!([HD.0, HD.1]));
    }
}

#[test]
fn objects_of_deepstream_go_before_wrapped_regions() {
    let folder = tempfile::tempdir().unwrap();
    let feed = Feed::new(&folder, "", &[("classes", "car")]);
    let mut muxer = Muxer::new(Generation::B);
    feed.begin(&muxer.caps());
    let (shot, buffer) = wrapped(0, &[region("car", (0.0, 0.0, 99.0, 99.0))]);
    let shot = shot.with([tracked("dog", 1, 0.5)]);
    let mut batch = muxer.surfaces(std::slice::from_ref(&shot), &[0]);
    let frame = FrameSpec {
        wrapped: Some(buffer),
        ..shot.spec(0)
    };
    let builder = BatchBuilder::new(Generation::B).frame(frame);
    builder.attach(batch.get_mut().unwrap());
    feed.push(batch);
    feed.end_silently();
    assert!(takes(&folder).is_empty());
}

/// As `nvvideoconvert` makes it from a batch of one: pixels in system memory, and the metadata.
#[test]
fn system_memory_may_have_metadata_of_deepstream() {
    for generation in Generation::ALL {
        let folder = tempfile::tempdir().unwrap();
        let feed = Feed::new(&folder, "", &[("classes", "car"), ("dedupe", "track")]);
        let info = system_info();
        feed.begin(&info.to_caps().unwrap());
        let mut muxer = Muxer::new(generation);
        let nvmm = pictures::info(muxer.format, HD.0, HD.1);
        for number in 0..6 {
            let track = 1 + number as u64 / 3;
            let shot = Shot::new(6, number).with([tracked("car", track, 0.5)]);
            let source = muxer.surfaces(std::slice::from_ref(&shot), &[0]);
            let surfaces = gstdsframe::mem::nvmm::Surfaces::read(&source, &nvmm).unwrap();
            let mut tight = Vec::new();
            surfaces
                .surface(0)
                .unwrap()
                .host()
                .unwrap()
                .append_tight(&mut tight);
            let mut raw = gst::Buffer::with_size(nvmm.size()).unwrap();
            {
                // Nothing is padded at this size.
                assert_eq!(tight.len(), nvmm.size());
                raw.get_mut().unwrap().copy_from_slice(0, &tight).unwrap();
            }
            let mut buffer = pictures::convert(&raw, &nvmm, &info);
            // The slot is that of the batch that it came from.
            muxer
                .metadata(std::slice::from_ref(&shot), &[5])
                .attach(buffer.get_mut().unwrap());
            feed.push(buffer);
        }
        feed.end_silently();
        let want = [0, 3].map(|number| taken(6, number, "metadata"));
        assert_eq!(takes(&folder), want);
        assert_eq!(log_of(&folder)[0]["pts"], 0);
    }
}

#[test]
fn caps_may_give_another_size_than_the_surfaces() {
    let folder = tempfile::tempdir().unwrap();
    let feed = Feed::new(&folder, "", &[("roi", "0,0,0.5,1")]);
    let mut muxer = Muxer::new(Generation::C);
    feed.begin(&nvmm_caps(muxer.format, (1920, 1080)));
    // In the left half of the caps' size, not of the surface's.
    let shot = |number, left| {
        let mut object = tracked("car", 1, 0.5);
        object.rect[0] = left;
        Shot::new(0, number).with([object])
    };
    feed.push(muxer.batch(&[shot(0, 130.0)]));
    feed.push(muxer.batch(&[shot(1, 60.0)]));
    feed.end_silently();
    assert_eq!(takes(&folder), [taken(0, 1, "metadata")]);
}
