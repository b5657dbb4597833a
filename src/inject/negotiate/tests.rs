// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

use std::str::FromStr;

use super::*;

fn facts(native: Option<VideoInfo>, rate: Rate) -> Facts {
    Facts {
        native,
        rate,
        frames: None,
        duration: None,
        seekable: false,
        own_timestamps: false,
        live: false,
    }
}

fn native(format: VideoFormat, width: u32, height: u32) -> VideoInfo {
    VideoInfo::builder(format, width, height)
        .fps(gst::Fraction::new(25, 1))
        .build()
        .unwrap()
}

fn free() -> Rate {
    Rate::Free(gst::Fraction::new(30, 1))
}

fn wishes(facts: &Facts) -> Wishes<'_> {
    Wishes {
        declared: Declared::default(),
        facts,
        placement: Placement::Auto,
        nvmm: Ok(()),
    }
}

fn caps(text: &str) -> gst::Caps {
    gst::init().unwrap();
    gst::Caps::from_str(text).unwrap()
}

const BOTH: &str = "video/x-raw(memory:NVMM),format={NV12,RGBA}; video/x-raw,format={I420,RGB}";

#[test]
fn a_free_choice_is_rgb_in_system_memory_of_the_documented_size() {
    let any = caps("ANY");
    let facts = facts(None, free());
    let chosen = choose(&any, &wishes(&facts)).unwrap();
    assert!(!chosen.nvmm);
    assert_eq!(chosen.info.format(), VideoFormat::Rgb);
    assert_eq!((chosen.info.width(), chosen.info.height()), DEFAULT_SIZE);
    assert_eq!(chosen.info.fps(), gst::Fraction::new(30, 1));
    let structure = chosen.caps.structure(0).unwrap();
    for field in ["colorimetry", "interlace-mode", "pixel-aspect-ratio"] {
        assert!(structure.has_field(field), "{field}");
    }
}

#[test]
fn nvmm_is_taken_where_it_is_named_and_can_be_had() {
    let both = caps(BOTH);
    let facts = facts(None, free());
    let chosen = choose(&both, &wishes(&facts)).unwrap();
    assert!(chosen.nvmm && chosen.caps.features(0).unwrap().contains("memory:NVMM"));
    // RGBA comes before NV12 in our order, after it in theirs.
    assert_eq!(chosen.info.format(), VideoFormat::Rgba);

    let without = Wishes {
        nvmm: Err("no card".into()),
        ..wishes(&facts)
    };
    let chosen = choose(&both, &without).unwrap();
    assert_eq!(
        (chosen.nvmm, chosen.info.format()),
        (false, VideoFormat::Rgb)
    );

    let only = caps("video/x-raw(memory:NVMM)");
    let error = choose(&only, &without).unwrap_err();
    assert!(matches!(&error, NegotiateError::NvmmOnly { reason } if reason == "no card"));
    let asked = Wishes {
        placement: Placement::Nvmm,
        ..without
    };
    let error = choose(&both, &asked).unwrap_err();
    assert!(matches!(error, NegotiateError::NoNvmm { .. }));
}

#[test]
fn the_source_decides_what_nobody_else_does() {
    let any = caps("video/x-raw(ANY)");
    let facts = facts(
        Some(native(VideoFormat::I420, 641, 479)),
        Rate::Fixed(gst::Fraction::new(30_000, 1001)),
    );
    let chosen = choose(&any, &wishes(&facts)).unwrap();
    assert_eq!(chosen.info.format(), VideoFormat::I420);
    assert_eq!((chosen.info.width(), chosen.info.height()), (641, 479));
    assert_eq!(chosen.info.fps(), gst::Fraction::new(30_000, 1001));
    // One side given: the shape is kept.
    let wide = caps("video/x-raw,width=1282");
    let chosen = choose(&wide, &wishes(&facts)).unwrap();
    assert_eq!((chosen.info.width(), chosen.info.height()), (1282, 958));
}

#[test]
fn a_conflict_names_the_property_and_what_downstream_takes() {
    let peer = caps("video/x-raw,format=RGB,width=640,height=480,framerate=30/1");
    let facts = facts(None, free());
    let blamed = |declared, placement| {
        let wishes = Wishes {
            declared,
            placement,
            ..wishes(&facts)
        };
        match choose(&peer, &wishes).unwrap_err() {
            NegotiateError::Property {
                property, taken, ..
            } => {
                assert!(taken.contains("640"));
                property
            }
            other => panic!("{other}"),
        }
    };
    let d = Declared::default();
    let with = |change: fn(&mut Declared)| {
        let mut declared = d;
        change(&mut declared);
        blamed(declared, Placement::Auto)
    };
    assert_eq!(with(|d| d.format = Some(VideoFormat::Nv12)), "format");
    assert_eq!(with(|d| d.width = Some(641)), "width");
    assert_eq!(with(|d| d.height = Some(1)), "height");
    // Several at once: the first that would be refused by itself.
    let several = |d: &mut Declared| {
        d.format = Some(VideoFormat::Rgb);
        d.width = Some(641);
        d.height = Some(481);
    };
    assert_eq!(with(several), "width");
    assert_eq!(
        with(|d| d.framerate = Some(gst::Fraction::new(25, 1))),
        "framerate"
    );
    assert_eq!(blamed(d, Placement::Nvmm), "device");
}

#[test]
fn a_rate_that_is_fixed_is_not_bent() {
    let peer = caps("video/x-raw,framerate=15/1");
    let facts = facts(
        Some(native(VideoFormat::I420, 64, 48)),
        Rate::Fixed(gst::Fraction::new(25, 1)),
    );
    let error = choose(&peer, &wishes(&facts)).unwrap_err();
    assert!(matches!(error, NegotiateError::Rate { .. }), "{error}");
    let error = choose(&caps("audio/x-raw"), &wishes(&facts)).unwrap_err();
    assert!(matches!(error, NegotiateError::Nothing { .. }), "{error}");
}
