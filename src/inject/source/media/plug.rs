// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What the inner pipeline may plug: software decoders that give system memory, and only for the
//! first video stream.

use std::sync::{Mutex, PoisonError};

use gst::glib;
use gst::prelude::*;

/// What `autoplug-select` may answer; the numbers are GStreamer's.
const TRY: i32 = 0;
const SKIP: i32 = 2;

/// Whether a decoder can write its pictures where everyone can read them. Those made for one kind
/// of device memory would be plugged first for their rank, and then fail to link.
fn gives_system_memory(factory: &gst::ElementFactory) -> bool {
    let mut sources = factory
        .static_pad_templates()
        .into_iter()
        .filter(|template| template.direction() == gst::PadDirection::Src)
        .peekable();
    sources.peek().is_none()
        || sources.any(|template| {
            let caps = template.caps();
            caps.is_any()
                || caps.iter_with_features().any(|(structure, features)| {
                    structure.name() != "video/x-raw" || is_system_memory(features)
                })
        })
}

fn is_system_memory(features: &gst::CapsFeaturesRef) -> bool {
    features.is_any()
        || !features.iter().any(|feature| {
            feature.starts_with("memory:")
                && feature.as_str() != gst::CAPS_FEATURE_MEMORY_SYSTEM_MEMORY.as_str()
        })
}

fn is_container(caps: &gst::CapsRef) -> bool {
    gst::ElementFactory::factories_with_type(gst::ElementFactoryType::DEMUXER, gst::Rank::MARGINAL)
        .iter()
        .any(|factory| factory.can_sink_any_caps(caps))
}

fn is_demuxer(element: &gst::Element) -> bool {
    element
        .factory()
        .is_some_and(|factory| factory.has_type(gst::ElementFactoryType::DEMUXER))
}

/// Whether an element turns one encoded video stream into pictures.
pub fn is_video_decoder(element: &gst::Element) -> bool {
    !element.is::<gst::Bin>()
        && element
            .metadata(gst::ELEMENT_METADATA_KLASS)
            .is_some_and(|klass| {
                klass.contains("Decoder") && (klass.contains("Video") || klass.contains("Image"))
            })
}

/// Picks the first video stream that a demuxer shows; the rest is left encoded.
#[derive(Debug, Default)]
struct FirstVideo(Mutex<Option<glib::WeakRef<gst::Pad>>>);

impl FirstVideo {
    fn wants(&self, pad: &gst::Pad, caps: &gst::CapsRef) -> bool {
        let Some(name) = caps.structure(0).map(|s| s.name().as_str()) else {
            return true;
        };
        let kind = name.split('/').next().unwrap_or_default();
        let other = matches!(
            kind,
            "audio" | "text" | "subpicture" | "subtitle" | "closedcaption" | "meta"
        ) || name.starts_with("application/x-subtitle")
            || matches!(name, "application/x-ass" | "application/x-ssa");
        if is_container(caps) {
            return true;
        }
        if other {
            return false;
        }
        if !matches!(kind, "video" | "image") {
            return true;
        }
        // decodebin shows its own ghost of the demuxer's pad.
        let pad = pad
            .downcast_ref::<gst::GhostPad>()
            .and_then(|ghost| ghost.target())
            .unwrap_or_else(|| pad.clone());
        if !pad.parent_element().is_some_and(|p| is_demuxer(&p)) {
            return true;
        }
        let mut first = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // The pads of a chained file go with their part, and the next part brings new ones.
        let taken = first
            .as_ref()
            .and_then(|first| first.upgrade())
            .filter(|first| first.parent().is_some());
        match taken {
            Some(taken) => taken == pad,
            None => {
                *first = Some(pad.downgrade());
                true
            }
        }
    }
}

/// Makes a `uridecodebin` choose as described above.
pub fn restrict(decodebin: &gst::Element) {
    if decodebin.has_property("force-sw-decoders") {
        decodebin.set_property("force-sw-decoders", true);
    }
    let first = FirstVideo::default();
    decodebin.connect("autoplug-continue", false, move |values| {
        let pad = values.get(1).and_then(|v| v.get::<gst::Pad>().ok());
        let caps = values.get(2).and_then(|v| v.get::<gst::Caps>().ok());
        let go_on = match (pad, caps) {
            (Some(pad), Some(caps)) => first.wants(&pad, &caps),
            _ => true,
        };
        Some(go_on.to_value())
    });
    // The enumeration belongs to the plugin, which is loaded by now.
    let Some(class) =
        glib::Type::from_name("GstAutoplugSelectResult").and_then(glib::EnumClass::with_type)
    else {
        return;
    };
    decodebin.connect("autoplug-select", false, move |values| {
        let skip = values
            .get(3)
            .and_then(|v| v.get::<gst::ElementFactory>().ok())
            .is_some_and(|factory| !gives_system_memory(&factory));
        class.to_value(if skip { SKIP } else { TRY })
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn containers_are_told_from_streams() {
        gst::init().unwrap();
        for (name, container) in [
            ("video/quicktime", true),
            ("video/x-matroska", true),
            ("video/x-h264", false),
            ("video/x-vp8", false),
            ("image/jpeg", false),
            ("audio/mpeg", false),
        ] {
            let caps = gst::Caps::new_empty_simple(name);
            assert_eq!(is_container(&caps), container, "{name}");
        }
    }

    #[test]
    fn memory_features_are_read_from_caps() {
        gst::init().unwrap();
        let of = |text: &str| {
            let caps: gst::Caps = text.parse().unwrap();
            is_system_memory(caps.features(0).unwrap())
        };
        assert!(of("video/x-raw"));
        assert!(of("video/x-raw(memory:SystemMemory)"));
        assert!(of("video/x-raw(format:Interlaced)"));
        assert!(of("video/x-raw(ANY)"));
        assert!(!of("video/x-raw(memory:NVMM)"));
        assert!(!of(
            "video/x-raw(memory:CUDAMemory, meta:GstVideoOverlayComposition)"
        ));
    }
}
