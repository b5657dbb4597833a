// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Stand-ins for DeepStream's elements: the published pad templates and properties (those that the
//! examples could use), and nothing that processes a frame. A line that parses and links against
//! them has no misspelt property and no impossible link; whether it runs, only DeepStream can say.

pub mod line;

use gst::glib;
use gst::prelude::*;

/// DeepStream's names for the kinds of surface memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "DsFrameStubMemoryType")]
#[repr(u32)]
pub enum MemoryType {
    #[enum_value(name = "Default", nick = "nvbuf-mem-default")]
    Default = 0,
    #[enum_value(name = "Pinned host memory", nick = "nvbuf-mem-cuda-pinned")]
    CudaPinned = 1,
    #[enum_value(name = "Device memory", nick = "nvbuf-mem-cuda-device")]
    CudaDevice = 2,
    #[enum_value(name = "Unified memory", nick = "nvbuf-mem-cuda-unified")]
    CudaUnified = 3,
}

/// Where the frames are scaled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "DsFrameStubComputeHw")]
#[repr(u32)]
pub enum ComputeHw {
    #[enum_value(name = "Default", nick = "Default")]
    Default = 0,
    #[enum_value(name = "GPU", nick = "GPU")]
    Gpu = 1,
    #[enum_value(name = "VIC", nick = "VIC")]
    Vic = 2,
}

const RANGES: &str = "width=[1,2147483647],height=[1,2147483647],framerate=[0/1,2147483647/1]";

/// Frames in NVIDIA's memory.
fn nvmm(formats: &str) -> String {
    format!("video/x-raw(memory:NVMM),format={{{formats}}},{RANGES}")
}

/// Frames in system memory.
fn raw(formats: &str) -> String {
    format!("video/x-raw,format={{{formats}}},{RANGES}")
}

/// A pad template; `%u` in the name makes it a request pad of a sink, a sometimes pad of a source.
fn template(name: &str, direction: gst::PadDirection, caps: &str) -> gst::PadTemplate {
    let presence = match (name.contains("%u"), direction) {
        (false, _) => gst::PadPresence::Always,
        (true, gst::PadDirection::Sink) => gst::PadPresence::Request,
        (true, _) => gst::PadPresence::Sometimes,
    };
    let caps: gst::Caps = caps.parse().expect("caps of a stub");
    gst::PadTemplate::new(name, direction, presence, &caps).expect("pad template of a stub")
}

fn sink(name: &str, caps: &str) -> gst::PadTemplate {
    template(name, gst::PadDirection::Sink, caps)
}

fn src(name: &str, caps: &str) -> gst::PadTemplate {
    template(name, gst::PadDirection::Src, caps)
}

fn uint(name: &str) -> glib::ParamSpec {
    glib::ParamSpecUInt::builder(name).build()
}

fn int(name: &str) -> glib::ParamSpec {
    glib::ParamSpecInt::builder(name).minimum(-1).build()
}

fn uint64(name: &str) -> glib::ParamSpec {
    glib::ParamSpecUInt64::builder(name).build()
}

fn boolean(name: &str) -> glib::ParamSpec {
    glib::ParamSpecBoolean::builder(name).build()
}

fn string(name: &str) -> glib::ParamSpec {
    glib::ParamSpecString::builder(name).build()
}

fn memory_type() -> glib::ParamSpec {
    glib::ParamSpecEnum::builder_with_default("nvbuf-memory-type", MemoryType::Default).build()
}

fn compute_hw() -> glib::ParamSpec {
    glib::ParamSpecEnum::builder_with_default("compute-hw", ComputeHw::Default).build()
}

/// Defines one stub element in a module of its own.
macro_rules! stub {
    ($module:ident, $element:literal, pads: [$($pad:expr),* $(,)?], properties: [$($property:expr),* $(,)?]) => {
        mod $module {
            #[allow(unused_imports)]
            use super::*;

            mod imp {
                use std::sync::OnceLock;

                #[allow(unused_imports)]
                use super::super::*;
                use gst::subclass::prelude::*;

                #[derive(Debug, Default)]
                pub struct Stub;

                #[glib::object_subclass]
                impl ObjectSubclass for Stub {
                    const NAME: &'static str = concat!("DsFrameStub-", $element);
                    type Type = super::Stub;
                    type ParentType = gst::Element;
                }

                impl ObjectImpl for Stub {
                    fn properties() -> &'static [glib::ParamSpec] {
                        static PROPERTIES: OnceLock<Vec<glib::ParamSpec>> = OnceLock::new();
                        PROPERTIES.get_or_init(|| vec![$($property),*])
                    }

                    // Checked by GObject against the specification, and forgotten.
                    fn set_property(&self, _id: usize, _value: &glib::Value, _pspec: &glib::ParamSpec) {}

                    fn property(&self, _id: usize, pspec: &glib::ParamSpec) -> glib::Value {
                        pspec.default_value().clone()
                    }

                    fn constructed(&self) {
                        self.parent_constructed();
                        self.add_pads(gst::PadPresence::Always);
                    }
                }

                impl GstObjectImpl for Stub {}

                impl ElementImpl for Stub {
                    fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
                        static METADATA: OnceLock<gst::subclass::ElementMetadata> = OnceLock::new();
                        Some(METADATA.get_or_init(|| {
                            gst::subclass::ElementMetadata::new(
                                concat!("Stub of ", $element),
                                "Generic",
                                "Has the pads and properties of the element and does nothing",
                                "The gst-plugin-dsframe authors",
                            )
                        }))
                    }

                    fn pad_templates() -> &'static [gst::PadTemplate] {
                        static TEMPLATES: OnceLock<Vec<gst::PadTemplate>> = OnceLock::new();
                        TEMPLATES.get_or_init(|| vec![$($pad),*])
                    }

                    // As in nvstreammux: only a pad asked for by its name and number.
                    fn request_new_pad(
                        &self,
                        template: &gst::PadTemplate,
                        name: Option<&str>,
                        _caps: Option<&gst::Caps>,
                    ) -> Option<gst::Pad> {
                        let name = name.filter(|name| !name.contains('%'))?;
                        let pad = gst::Pad::builder_from_template(template).name(name).build();
                        self.obj().add_pad(&pad).ok()?;
                        Some(pad)
                    }

                    // Pads that come only with the media come with READY here.
                    fn change_state(
                        &self,
                        transition: gst::StateChange,
                    ) -> Result<gst::StateChangeSuccess, gst::StateChangeError> {
                        if transition == gst::StateChange::NullToReady {
                            self.add_pads(gst::PadPresence::Sometimes);
                        }
                        self.parent_change_state(transition)
                    }
                }

                impl Stub {
                    fn add_pads(&self, presence: gst::PadPresence) {
                        let obj = self.obj();
                        for template in obj.pad_template_list() {
                            if template.presence() == presence {
                                let name = template.name_template().replace("%u", "0");
                                let pad = gst::Pad::builder_from_template(&template).name(name).build();
                                obj.add_pad(&pad).expect("pad of a stub");
                            }
                        }
                    }
                }
            }

            glib::wrapper! {
                pub struct Stub(ObjectSubclass<imp::Stub>) @extends gst::Element, gst::Object;
            }

            pub fn register() -> Result<(), glib::BoolError> {
                gst::Element::register(None, $element, gst::Rank::NONE, Stub::static_type())
            }
        }
    };
}

// The formats of nvvideoconvert on a discrete GPU. There is no BGRA.
const CONVERTED: &str = "I420,NV12,P010_10LE,BGRx,RGBA,GRAY8,GRAY16_LE,GBR,RGB,BGR,Y444,UYVP,UYVY";

stub!(nvstreammux, "nvstreammux",
pads: [
    sink("sink_%u", &nvmm("NV12,RGBA,I420")),
    src("src", &nvmm("NV12,RGBA,I420")),
],
properties: [
    uint("batch-size"), int("batched-push-timeout"), uint("width"), uint("height"),
    boolean("live-source"), boolean("enable-padding"), boolean("sync-inputs"),
    boolean("attach-sys-ts"), uint64("max-latency"), uint("num-surfaces-per-frame"),
    uint("buffer-pool-size"), uint("gpu-id"), memory_type(), compute_hw(),
]);

stub!(nvstreamdemux, "nvstreamdemux",
    pads: [
        sink("sink", &nvmm("NV12,RGBA,I420")),
        // On request in truth, by the number of the stream.
        src("src_%u", &nvmm("NV12,RGBA,I420")),
    ],
    properties: []);

stub!(nvvideoconvert, "nvvideoconvert",
pads: [
    sink("sink", &format!("{};{}", nvmm(CONVERTED), raw(CONVERTED))),
    src("src", &format!("{};{}", nvmm(CONVERTED), raw(CONVERTED))),
],
properties: [
    memory_type(), compute_hw(), uint("gpu-id"), uint("output-buffers"),
    string("src-crop"), string("dest-crop"), boolean("disable-passthrough"), boolean("qos"),
]);

stub!(nvinfer, "nvinfer",
pads: [sink("sink", &nvmm("NV12,RGBA")), src("src", &nvmm("NV12,RGBA"))],
properties: [
    string("config-file-path"), string("model-engine-file"), uint("unique-id"), uint("batch-size"),
    uint("interval"), uint("gpu-id"), int("infer-on-gie-id"), string("infer-on-class-ids"),
    string("filter-out-class-ids"), boolean("output-tensor-meta"), boolean("input-tensor-meta"),
]);

stub!(nvtracker, "nvtracker",
pads: [sink("sink", &nvmm("NV12,RGBA,I420")), src("src", &nvmm("NV12,RGBA,I420"))],
properties: [
    uint("tracker-width"), uint("tracker-height"), uint("gpu-id"),
    string("ll-lib-file"), string("ll-config-file"), boolean("display-tracking-id"),
]);

stub!(nvosdbin, "nvosdbin",
    pads: [sink("sink", &nvmm("NV12,RGBA")), src("src", &nvmm("NV12,RGBA"))],
    properties: [uint("gpu-id")]);

stub!(nvdsosd, "nvdsosd",
pads: [sink("sink", &nvmm("NV12,RGBA")), src("src", &nvmm("NV12,RGBA"))],
properties: [
    boolean("display-clock"), boolean("display-text"), boolean("display-bbox"), boolean("display-mask"),
    string("clock-font"), uint("clock-font-size"), uint("gpu-id"), string("blur-on-gie-class-ids"),
]);

stub!(nvmultistreamtiler, "nvmultistreamtiler",
pads: [sink("sink", &nvmm("NV12,RGBA")), src("src", &nvmm("NV12,RGBA"))],
properties: [
    uint("rows"), uint("columns"), uint("width"), uint("height"), int("show-source"),
    uint("gpu-id"), memory_type(), compute_hw(), boolean("square-seq-grid"),
]);

stub!(nveglglessink, "nveglglessink",
pads: [sink("sink", &nvmm("NV12,RGBA"))],
properties: [
    boolean("sync"), boolean("async"), boolean("qos"), boolean("enable-last-sample"),
    uint("window-x"), uint("window-y"), uint("window-width"), uint("window-height"),
]);

stub!(nv3dsink, "nv3dsink",
pads: [sink("sink", &nvmm("NV12,RGBA"))],
properties: [
    boolean("sync"), boolean("async"), boolean("qos"), boolean("enable-last-sample"),
    uint("window-x"), uint("window-y"), uint("window-width"), uint("window-height"),
]);

stub!(nvv4l2decoder, "nvv4l2decoder",
pads: [
    sink("sink", "video/x-h264,stream-format=byte-stream,alignment=au;\
                  video/x-h265,stream-format=byte-stream,alignment=au"),
    src("src", &nvmm("NV12")),
],
properties: [
    uint("gpu-id"), uint("drop-frame-interval"), uint("num-extra-surfaces"),
]);

stub!(nvv4l2h264enc, "nvv4l2h264enc",
pads: [
    sink("sink", &nvmm("I420,NV12")),
    src("src", "video/x-h264,stream-format=byte-stream,alignment=au"),
],
properties: [
    uint("bitrate"), uint("iframeinterval"), uint("idrinterval"), uint("gpu-id"),
    boolean("insert-sps-pps"), boolean("copy-meta"),
]);

stub!(nvurisrcbin, "nvurisrcbin",
pads: [src("vsrc_%u", &nvmm("NV12"))],
properties: [
    string("uri"), uint("num-extra-surfaces"), uint("gpu-id"), uint("drop-frame-interval"),
    boolean("file-loop"), uint("latency"), boolean("disable-audio"), int("rtsp-reconnect-interval"),
]);

/// Registers all of them.
pub fn register() {
    for register in [
        nvstreammux::register,
        nvstreamdemux::register,
        nvvideoconvert::register,
        nvinfer::register,
        nvtracker::register,
        nvosdbin::register,
        nvdsosd::register,
        nvmultistreamtiler::register,
        nveglglessink::register,
        nv3dsink::register,
        nvv4l2decoder::register,
        nvv4l2h264enc::register,
        nvurisrcbin::register,
    ] {
        register().expect("registering a stub");
    }
}
