// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The inner pipeline: `uridecodebin` into an appsink, and what it says on its bus.

use std::os::unix::fs::FileTypeExt;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use gst::prelude::*;

use super::plug;
use crate::inject::gate::{Gate, Wait};
use crate::inject::source::{Report, SourceError, Surroundings};

/// Decoded pictures that wait in the inner pipeline.
const QUEUED: u32 = 2;
/// How long a state change may take when it is to end at once.
const STUCK: Duration = Duration::from_millis(400);
/// An error overtakes the data before it. This long without a picture, and none will come.
pub const SILENCE: Duration = Duration::from_millis(700);

#[derive(Default)]
struct Status {
    linked: bool,
    /// There are streams that are not decoded.
    others: bool,
    arrived: bool,
    ended: bool,
    live: bool,
    no_more_pads: bool,
    /// What the pipeline ended with; the first error, as the others follow from it.
    fault: Option<SourceError>,
    missing: Vec<String>,
    warned: Option<String>,
    last_key: Option<gst::ClockTime>,
    key_distance: Option<gst::ClockTime>,
}

/// What the threads of the inner pipeline leave for those that wait for it. Holds nothing of the
/// pipeline, so that the pipeline's callbacks can hold it.
pub struct Link {
    status: Mutex<Status>,
    what: String,
    /// Until the pipeline is closed: a message that is kept keeps its element, and with it this.
    report: Mutex<Option<Arc<dyn Report>>>,
    /// Where `open` waits.
    outer: Arc<Gate>,
    /// Where the pictures are waited for.
    pub gate: Arc<Gate>,
}

/// The text of an inner error: what the user is told, and what the element knows more.
fn text(error: &gst::glib::Error, debug: Option<gst::glib::GString>) -> String {
    let detail = debug
        .as_ref()
        .and_then(|debug| debug.split_once(":\n"))
        .map(|(_, detail)| detail.trim().replace('\n', " "))
        .filter(|detail| !detail.is_empty());
    match detail {
        Some(detail) => format!("{} ({detail})", error.message()),
        None => error.message().to_owned(),
    }
}

impl Link {
    fn status(&self) -> MutexGuard<'_, Status> {
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut Status)) {
        change(&mut self.status());
        self.outer.wake();
        self.gate.wake();
    }

    pub fn fault(&self) -> Option<SourceError> {
        self.status().fault.clone()
    }

    pub fn fail(&self, error: SourceError) {
        self.change(|status| {
            status.fault.get_or_insert(error);
        });
    }

    /// The longest way from one key frame to the next so far.
    pub fn key_distance(&self) -> Option<gst::ClockTime> {
        self.status().key_distance
    }

    /// Whether the video is the only stream.
    pub fn is_alone(&self) -> bool {
        !self.status().others
    }

    pub fn warn(&self, error: SourceError) {
        // A broken stream repeats itself, and nobody may be reading the bus.
        let text = error.to_string();
        let known = self.status().warned.replace(text.clone());
        if known != Some(text)
            && let Some(report) = self.report()
        {
            report.warn(error);
        }
    }

    fn report(&self) -> Option<Arc<dyn Report>> {
        self.report
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn forward(&self, message: &gst::Message) {
        if let Some(report) = self.report() {
            report.forward(message.clone());
        }
    }

    fn on_message(&self, message: &gst::Message) {
        match message.view() {
            gst::MessageView::Error(error) => self.fail(self.sort(error)),
            gst::MessageView::Warning(warning) => {
                let reason = text(&warning.error(), warning.debug());
                self.warn(SourceError::BadStream {
                    what: self.what.clone(),
                    reason,
                });
            }
            gst::MessageView::Tag(_) => self.forward(message),
            gst::MessageView::Element(element) => {
                let missing = element.structure().filter(|s| s.name() == "missing-plugin");
                if let Some(missing) = missing {
                    if let Ok(name) = missing.get::<String>("name") {
                        self.status().missing.push(name);
                    }
                    self.forward(message);
                }
            }
            _ => {}
        }
    }

    fn sort(&self, error: &gst::message::Error) -> SourceError {
        let reason = text(&error.error(), error.debug());
        let what = self.what.clone();
        let error = error.error();
        if error.matches(gst::ResourceError::NotFound) {
            SourceError::NotFound { what, reason }
        } else if error.matches(gst::ResourceError::Read) {
            SourceError::Read { what, reason }
        } else if error.is::<gst::ResourceError>() {
            SourceError::Open { what, reason }
        } else {
            SourceError::BadStream { what, reason }
        }
    }

    /// Notes key frames on their way into a decoder, and with `keys_only` lets nothing else pass.
    fn watch(self: &Arc<Self>, decoder: &gst::Element, keys_only: bool) {
        let Some(pad) = decoder.static_pad("sink") else {
            return;
        };
        let link = self.clone();
        let kinds = gst::PadProbeType::BUFFER | gst::PadProbeType::EVENT_FLUSH;
        pad.add_probe(kinds, move |_, info| match &info.data {
            Some(gst::PadProbeData::Buffer(buffer)) => {
                if buffer.flags().contains(gst::BufferFlags::DELTA_UNIT) {
                    if keys_only {
                        // Not `Drop`: GStreamer 1.22 then unrefs what the bindings have taken.
                        return gst::PadProbeReturn::Handled;
                    }
                } else if let Some(time) = buffer.pts().or(buffer.dts()) {
                    let mut status = link.status();
                    let distance = status.last_key.and_then(|last| time.checked_sub(last));
                    status.key_distance = status.key_distance.max(distance);
                    status.last_key = Some(time);
                }
                gst::PadProbeReturn::Ok
            }
            Some(gst::PadProbeData::Event(event)) => {
                if event.type_() == gst::EventType::FlushStop {
                    link.status().last_key = None;
                }
                gst::PadProbeReturn::Ok
            }
            _ => gst::PadProbeReturn::Ok,
        });
    }
}

fn element(name: &str) -> Result<gst::Element, SourceError> {
    gst::ElementFactory::make(name)
        .build()
        .map_err(|_| SourceError::Settings {
            property: "uri",
            reason: format!("the element {name} is missing; install GStreamer's base plugins"),
        })
}

pub struct Inner {
    pipeline: gst::Pipeline,
    sink: gst_app::AppSink,
    link: Arc<Link>,
    opener: Option<JoinHandle<()>>,
}

impl Inner {
    /// Builds the pipeline and sets it going, on a thread of its own: a state change can take as
    /// long as a file system or a server likes.
    pub fn start(
        uri: &str,
        what: &str,
        keys_only: bool,
        around: &Surroundings,
    ) -> Result<Self, SourceError> {
        let link = Arc::new(Link {
            status: Mutex::default(),
            what: what.to_owned(),
            report: Mutex::new(Some(around.report.clone())),
            outer: around.gate.clone(),
            gate: Arc::default(),
        });
        let pipeline = gst::Pipeline::new();
        let decode = element("uridecodebin")?;
        let sink = appsink(&link);
        plug::restrict(&decode);
        decode.set_property("uri", uri);
        pipeline
            .add_many([&decode, sink.upcast_ref()])
            .map_err(|e| SourceError::Internal(e.to_string()))?;
        connect(&decode, &sink, &link);
        pipeline.connect_deep_element_added({
            let link = link.clone();
            move |_, _, element| {
                if plug::is_video_decoder(element) {
                    link.watch(element, keys_only);
                }
            }
        });
        if let Some(bus) = pipeline.bus() {
            let link = link.clone();
            // Dropped at once: there is no main loop to take messages from the queue.
            bus.set_sync_handler(move |_, message| {
                link.on_message(message);
                gst::BusSyncReply::Drop
            });
        }
        let mut inner = Self {
            pipeline,
            sink,
            link,
            opener: None,
        };
        let opener = thread::Builder::new().name("media-open".into()).spawn({
            let (pipeline, link) = (inner.pipeline.clone(), inner.link.clone());
            let path = gst::glib::filename_from_uri(uri).ok().map(|(path, _)| path);
            move || go(&pipeline, &link, path.as_deref())
        });
        inner.opener = Some(opener.map_err(|e| SourceError::Internal(format!("no thread: {e}")))?);
        Ok(inner)
    }

    pub fn sink(&self) -> &gst_app::AppSink {
        &self.sink
    }

    pub fn link(&self) -> &Arc<Link> {
        &self.link
    }

    pub fn is_live(&self) -> bool {
        self.link.status().live
    }

    /// Waits for the first picture; its caps are on the sink then.
    pub fn wait_for_video(&self) -> Result<(), SourceError> {
        let link = &self.link;
        let what = || link.what.clone();
        let interrupted = || SourceError::Open {
            what: what(),
            reason: "interrupted".to_owned(),
        };
        let over = |status: &Status| {
            let no_video = status.no_more_pads && !status.linked;
            (status.arrived || status.ended || no_video).then_some(())
        };
        let first = link.outer.wait(None, || {
            let status = link.status();
            over(&status).or_else(|| status.fault.as_ref().map(|_| ()))
        });
        if first == Wait::Flushing {
            return Err(interrupted());
        }
        let pending = {
            let status = link.status();
            status.linked && over(&status).is_none()
        };
        if pending {
            // What came before the error may still be on its way through the decoder.
            let rest = link.outer.wait(Some(SILENCE), || over(&link.status()));
            if rest == Wait::Flushing {
                return Err(interrupted());
            }
        }
        let status = link.status();
        if status.arrived {
            return Ok(());
        }
        if !status.missing.is_empty() {
            return Err(SourceError::Open {
                what: what(),
                reason: format!(
                    "nothing here decodes its video; missing: {}",
                    status.missing.join(", ")
                ),
            });
        }
        if let Some(fault) = &status.fault {
            return Err(match fault.clone() {
                SourceError::BadStream { what, reason } => SourceError::Open { what, reason },
                other => other,
            });
        }
        let reason = if status.linked {
            "it ends before the first picture"
        } else {
            "there is no video stream in it"
        };
        Err(SourceError::BadStream {
            what: what(),
            reason: reason.to_owned(),
        })
    }
}

/// What `media-open` does.
fn go(pipeline: &gst::Pipeline, link: &Link, path: Option<&Path>) {
    // GStreamer opens a file twice, and what the writer of a FIFO sent is lost by then.
    if path
        .and_then(|path| std::fs::metadata(path).ok())
        .is_some_and(|file| file.file_type().is_fifo())
    {
        return link.fail(SourceError::Settings {
            property: "uri",
            reason: format!(
                "{} is a FIFO; use fd://0 with it as standard input",
                link.what
            ),
        });
    }
    let live = match pipeline.set_state(gst::State::Paused) {
        Ok(gst::StateChangeSuccess::NoPreroll) => true,
        Ok(_) => false,
        Err(_) => {
            // Normally the element has said why.
            return link.fail(SourceError::Open {
                what: link.what.clone(),
                reason: "the source cannot be started".to_owned(),
            });
        }
    };
    link.change(|status| status.live = live);
    if pipeline.set_state(gst::State::Playing).is_err() {
        link.fail(SourceError::Open {
            what: link.what.clone(),
            reason: "the source cannot be set going".to_owned(),
        });
    }
}

fn appsink(link: &Arc<Link>) -> gst_app::AppSink {
    let arrived = |link: &Arc<Link>| {
        let link = link.clone();
        move |_: &gst_app::AppSink| {
            link.change(|status| status.arrived = true);
            Ok(gst::FlowSuccess::Ok)
        }
    };
    let ended = {
        let link = link.clone();
        move |_: &gst_app::AppSink| link.change(|status| status.ended = true)
    };
    let sink = gst_app::AppSink::builder()
        .caps(&gst::Caps::new_empty_simple("video/x-raw"))
        .sync(false)
        // No preroll: a flushing seek would otherwise cost a round through PAUSED.
        .async_(false)
        .enable_last_sample(false)
        .max_buffers(QUEUED)
        .drop(false)
        .wait_on_eos(false)
        .callbacks(
            gst_app::AppSinkCallbacks::builder()
                .new_preroll(arrived(link))
                .new_sample(arrived(link))
                .eos(ended)
                .build(),
        )
        .build();
    if let Some(pad) = sink.static_pad("sink") {
        // The appsink says nothing by itself, and decoders then copy into plain strides.
        pad.add_probe(gst::PadProbeType::QUERY_DOWNSTREAM, |_, info| {
            let Some(gst::PadProbeData::Query(query)) = &mut info.data else {
                return gst::PadProbeReturn::Ok;
            };
            match query.view_mut() {
                gst::QueryViewMut::Allocation(query) => {
                    query.add_allocation_meta::<gst_video::VideoMeta>(None);
                    query.add_allocation_meta::<gst_video::VideoCropMeta>(None);
                    gst::PadProbeReturn::Handled
                }
                _ => gst::PadProbeReturn::Ok,
            }
        });
    }
    sink
}

fn connect(decode: &gst::Element, sink: &gst_app::AppSink, link: &Arc<Link>) {
    decode.connect_pad_added({
        let (sink, link) = (sink.downgrade(), link.clone());
        move |_, pad| {
            let Some(to) = sink.upgrade().and_then(|sink| sink.static_pad("sink")) else {
                return;
            };
            let caps = pad.current_caps().unwrap_or_else(|| pad.query_caps(None));
            let is_video = caps.structure(0).is_some_and(|s| s.name() == "video/x-raw");
            if !is_video || to.is_linked() {
                link.status().others = true;
                return;
            }
            match pad.link(&to) {
                Ok(_) => link.change(|status| status.linked = true),
                Err(error) => link.fail(SourceError::BadStream {
                    what: link.what.clone(),
                    reason: format!("its decoder gives {caps}, which is not taken: {error}"),
                }),
            }
        }
    });
    decode.connect_no_more_pads({
        let link = link.clone();
        move |_| link.change(|status| status.no_more_pads = true)
    });
}

impl Drop for Inner {
    fn drop(&mut self) {
        let report = self
            .link
            .report
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        drop(report);
        let (done, closed) = mpsc::channel();
        let pipeline = self.pipeline.clone();
        let opener = self.opener.take();
        let closer = thread::Builder::new()
            .name("media-close".into())
            .spawn(move || {
                if let Some(opener) = opener {
                    // A panic there is no reason to leave the pipeline running.
                    let _ = opener.join();
                }
                let _ = pipeline.set_state(gst::State::Null);
                if let Some(bus) = pipeline.bus() {
                    bus.unset_sync_handler();
                }
                drop(pipeline);
                let _ = done.send(());
            });
        match closer {
            Ok(closer) if closed.recv_timeout(STUCK) != Err(mpsc::RecvTimeoutError::Timeout) => {
                let _ = closer.join();
            }
            Ok(_) => gst::warning!(
                gst::CAT_RUST,
                "{} does not let go; its threads are left to themselves",
                self.link.what
            ),
            Err(error) => gst::warning!(gst::CAT_RUST, "no thread to close with: {error}"),
        }
    }
}
