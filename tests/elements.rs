// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What the registry says about the elements, and whether it is true.

mod common;

use std::collections::BTreeMap;

use common::init;
use glib::ParamFlags;
use gst::prelude::*;

const ELEMENTS: [&str; 2] = ["dsframeinject", "dsframecapture"];

fn element(name: &str) -> gst::Element {
    init();
    gst::ElementFactory::make(name).build().unwrap()
}

/// The properties that the element itself has.
fn own_properties(element: &gst::Element) -> Vec<glib::ParamSpec> {
    let own = element.type_();
    let found: Vec<_> = element
        .list_properties()
        .iter()
        .filter(|property| property.owner_type() == own)
        .cloned()
        .collect();
    assert!(!found.is_empty());
    found
}

fn mutable_in(property: &glib::ParamSpec) -> Vec<&'static str> {
    [
        (gst::PARAM_FLAG_MUTABLE_READY, "ready"),
        (gst::PARAM_FLAG_MUTABLE_PAUSED, "paused"),
        (gst::PARAM_FLAG_MUTABLE_PLAYING, "playing"),
    ]
    .into_iter()
    .filter(|(flag, _)| property.flags().contains(*flag))
    .map(|(_, name)| name)
    .collect()
}

#[test]
fn every_property_is_documented() {
    for name in ELEMENTS {
        let element = element(name);
        for property in own_properties(&element) {
            let (nick, blurb) = (property.nick(), property.blurb().unwrap_or_default());
            let what = format!("{name}::{}", property.name());
            assert!(
                !nick.is_empty() && nick != property.name(),
                "{what}: {nick}"
            );
            assert!(blurb.len() > nick.len(), "{what}: {blurb}");
            assert!(!blurb.ends_with('.'), "{what}: {blurb}");
            let of_time = property.name().ends_with("-time") || property.name().contains("timeout");
            if of_time && property.type_() == glib::ParamSpecUInt64::static_type() {
                assert!(blurb.contains("ns"), "{what}: no unit in \"{blurb}\"");
            }
        }
    }
}

#[test]
fn flags_are_true() {
    for name in ELEMENTS {
        let element = element(name);
        for property in own_properties(&element) {
            let what = format!("{name}::{}", property.name());
            let flags = property.flags();
            assert!(!flags.contains(ParamFlags::CONSTRUCT), "{what}");
            let mutable = mutable_in(&property);
            if !flags.contains(ParamFlags::WRITABLE) {
                assert_eq!(mutable, [""; 0], "{what}");
            } else if property.name() == "trigger" {
                assert_eq!(
                    (mutable, flags.contains(ParamFlags::READABLE)),
                    (vec!["playing"], false)
                );
            } else {
                // Read on the way to PAUSED, and no more.
                assert_eq!(mutable, ["ready"], "{what}");
                assert!(flags.contains(ParamFlags::READABLE), "{what}");
            }
        }
    }
}

#[test]
fn documented_defaults_are_the_defaults() {
    for name in ELEMENTS {
        let element = element(name);
        for property in own_properties(&element) {
            if !property.flags().contains(ParamFlags::READWRITE) {
                continue;
            }
            let actual = element.property_value(property.name());
            let documented = property.default_value();
            assert_eq!(
                format!("{actual:?}"),
                format!("{documented:?}"),
                "{name}::{}",
                property.name()
            );
        }
    }
}

/// A property takes what it is given, and gives it back.
#[test]
fn what_is_set_is_what_is_read() {
    for name in ELEMENTS {
        let element = element(name);
        for property in own_properties(&element) {
            if !property.flags().contains(ParamFlags::READWRITE) {
                continue;
            }
            let value: glib::Value = match property.default_value().type_() {
                glib::Type::STRING => "text".to_value(),
                glib::Type::BOOL => (!property.default_value().get::<bool>().unwrap()).to_value(),
                glib::Type::U32 => 3u32.to_value(),
                glib::Type::U64 => 5u64.to_value(),
                glib::Type::I64 => 6i64.to_value(),
                glib::Type::I32 => 7i32.to_value(),
                glib::Type::F32 => {
                    let float = property.downcast_ref::<glib::ParamSpecFloat>().unwrap();
                    (float.minimum() + 0.5).to_value()
                }
                kind => {
                    let class = glib::EnumClass::with_type(kind).unwrap();
                    let last = class.values().last().unwrap().value();
                    class.to_value(last).unwrap()
                }
            };
            element.set_property_from_value(property.name(), &value);
            let read = element.property_value(property.name());
            assert_eq!(
                format!("{read:?}"),
                format!("{value:?}"),
                "{name}::{}",
                property.name()
            );
        }
    }
}

/// Numbers and nicks are published: they never change.
#[test]
fn enumerations_are_stable() {
    let want = "\
        dsframecapture::annotate none=0 boxes=1 both=2 true=3
        dsframecapture::channel-access user=0 group=1 all=2
        dsframecapture::crop none=0 objects=1
        dsframecapture::dedupe none=0 track=1 best=2
        dsframecapture::labels none=0 kitti=1 kitti-tao=2 yolo=3 coco=4 mot=5
        dsframecapture::unknown-confidence accept=0 reject=1
        dsframecapture::encoding auto=0 jpg=1 png=2 npy=3 raw=4
        dsframecapture::mode auto=0 interval=1 metadata=2 either=3 both=4 manual=5
        dsframecapture::on-error continue=0 fail=1
        dsframecapture::on-full stop=0 drop=1 rotate=2
        dsframecapture::endpoint-body json=0 binary=1 multipart=2
        dsframecapture::on-exists suffix=0 continue=1 overwrite=2 fail=3
        dsframecapture::overflow auto=0 block=1 drop-oldest=2 drop-newest=3
        dsframecapture::subsampling 420=420 422=422 444=444
        dsframeinject::channel-access user=0 group=1 all=2
        dsframeinject::device auto=0 gpu=1 cpu=2 nvmm=3 system=4
        dsframeinject::nvbuf-memory-type nvbuf-mem-default=0 nvbuf-mem-cuda-pinned=1 \
        nvbuf-mem-cuda-device=2 nvbuf-mem-cuda-unified=3 nvbuf-mem-system=6
        dsframeinject::on-error fail=0 skip=1 eos=2
        dsframeinject::on-timeout fail=0 eos=1 repeat=2
        dsframeinject::pattern gradient=0 bars=1 checker=2 solid=3 noise=4 objects=5";
    let mut got = BTreeMap::new();
    for name in ELEMENTS {
        let element = element(name);
        for property in own_properties(&element) {
            let Some(class) = glib::EnumClass::with_type(property.value_type()) else {
                continue;
            };
            assert!(class.type_().name().starts_with("GstDsFrame"));
            let values: Vec<String> = class
                .values()
                .iter()
                .map(|value| {
                    assert!(!value.name().is_empty());
                    format!("{}={}", value.nick(), value.value())
                })
                .collect();
            got.insert(format!("{name}::{}", property.name()), values.join(" "));
        }
    }
    let want: BTreeMap<String, String> = want
        .lines()
        .map(|line| {
            let (property, values) = line.trim().split_once(' ').unwrap();
            (
                property.to_owned(),
                values.split_whitespace().collect::<Vec<_>>().join(" "),
            )
        })
        .collect();
    assert_eq!(got, want);
}

#[test]
fn factories_say_what_the_elements_are() {
    init();
    for (name, klass, direction) in [
        ("dsframeinject", "Source/Video", gst::PadDirection::Src),
        ("dsframecapture", "Sink/Video", gst::PadDirection::Sink),
    ] {
        let factory = gst::ElementFactory::find(name).unwrap();
        assert_eq!(factory.rank(), gst::Rank::NONE);
        assert_eq!(factory.klass(), klass);
        assert!(!factory.longname().is_empty());
        assert!(!factory.description().is_empty());
        assert!(!factory.author().is_empty());
        let templates = factory.static_pad_templates();
        let templates: Vec<_> = templates.iter().collect();
        assert_eq!(templates.len(), 1);
        assert_eq!(templates[0].direction(), direction);
        assert_eq!(templates[0].presence(), gst::PadPresence::Always);
        let caps = templates[0].caps();
        let formats = |index: usize| {
            let list = caps
                .structure(index)
                .unwrap()
                .get::<gst::List>("format")
                .unwrap();
            let names: Vec<String> = list.iter().map(|v| v.get::<String>().unwrap()).collect();
            names.join(" ")
        };
        let features = |index: usize| caps.features(index).unwrap().to_string();
        let memories: &[&str] = match name {
            "dsframeinject" => &["memory:NVMM", "memory:SystemMemory"],
            _ => &["memory:NVMM", "memory:CUDAMemory", "memory:SystemMemory"],
        };
        let listed: Vec<String> = (0..caps.size()).map(features).collect();
        assert_eq!(listed, memories);
        let on_cards = "RGB BGR RGBA BGRx RGBx GRAY8 NV12 I420";
        let last = memories.len() - 1;
        for index in 0..last {
            assert_eq!(formats(index), on_cards);
        }
        assert_eq!(formats(last), format!("{on_cards} BGRA YUY2 UYVY"));
        let pads = element(name).pads();
        assert_eq!(pads.len(), 1);
        assert_eq!(pads[0].direction(), direction);
    }
}

#[test]
fn the_sink_holds_up_nobody() {
    let sink = element("dsframecapture");
    for property in ["sync", "async", "qos", "enable-last-sample"] {
        assert!(!sink.property::<bool>(property), "{property}");
    }
}

/// Counters have the same fields in every state.
#[test]
fn statistics_are_there_before_anything_runs() {
    let sink = element("dsframecapture");
    let fields = |element: &gst::Element| {
        let stats = element.property::<gst::Structure>("stats");
        stats.fields().map(|f| f.to_string()).collect::<Vec<_>>()
    };
    let before = fields(&sink);
    assert_eq!(common::count(&sink, "seen"), 0);
    common::check_accounts(&sink);
    let rig = common::rig::Rig::new(&[("post-messages", "true")]);
    assert_eq!(fields(&rig.element), before);
    rig.push_all(0..3);
    rig.end();
    assert_eq!(fields(&rig.element), before);
    assert_eq!(rig.count("captured"), 3);
}
