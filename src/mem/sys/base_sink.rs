// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `GstBaseSinkClass.wait_event`: called when EOS (or another serialized event with a time) comes,
//! and allowed to take its time if `unlock()` ends its waits. The bindings do not have it.

#![allow(unsafe_code)]

use gst::glib;
use gst::glib::translate::{IntoGlib, ToGlibPtr, from_glib_borrow, try_from_glib};
use gst::subclass::prelude::*;
use gst_base::ffi::{GstBaseSink, GstBaseSinkClass};
use gst_base::prelude::*;
use gst_base::subclass::prelude::*;

/// To be implemented by a sink that calls [`override_wait_event`] in its `class_init`.
pub trait WaitEvent: BaseSinkImpl {
    /// Whoever overrides this chains up with [`parent_wait_event`], which waits for the time of
    /// the event.
    fn wait_event(&self, event: &gst::Event) -> Result<gst::FlowSuccess, gst::FlowError>;
}

/// Puts `T::wait_event` into the class. To be called from `ObjectSubclass::class_init`.
pub fn override_wait_event<T: WaitEvent>(class: &mut T::Class) {
    let class = std::ptr::from_mut(class).cast::<GstBaseSinkClass>();
    // SAFETY: `T` derives from BaseSink, so its class struct begins with GstBaseSinkClass, and
    // `class_init` has it to itself.
    let class = unsafe { &mut *class };
    class.wait_event = Some(trampoline::<T>);
}

/// What the parent class does: BaseSink waits until the event is due.
pub fn parent_wait_event<T: WaitEvent>(
    imp: &T,
    event: &gst::Event,
) -> Result<gst::FlowSuccess, gst::FlowError> {
    let data = T::type_data();
    // SAFETY: the type is registered, as an instance of it exists.
    let data = unsafe { data.as_ref() };
    let parent = data.parent_class().cast::<GstBaseSinkClass>();
    // SAFETY: the parent class is BaseSink or derives from it, and classes in use stay loaded.
    let Some(wait_event) = (unsafe { (*parent).wait_event }) else {
        return Ok(gst::FlowSuccess::Ok);
    };
    let sink = imp.obj();
    let sink: &gst_base::BaseSink = sink.upcast_ref();
    // SAFETY: both pointers are valid for the call, which takes ownership of neither.
    let flow = unsafe { wait_event(sink.to_glib_none().0, event.to_glib_none().0) };
    // SAFETY: any number is accepted; unknown ones become errors or custom codes.
    unsafe { try_from_glib(flow) }
}

/// Holds the preroll lock again when dropped.
struct Unlocked<'a>(&'a gst_base::BaseSink);

impl<'a> Unlocked<'a> {
    fn new(sink: &'a gst_base::BaseSink) -> Self {
        // SAFETY: the mutex lives as long as the sink; the caller's thread holds it.
        unsafe { glib::ffi::g_mutex_unlock(preroll_lock(sink)) };
        Self(sink)
    }
}

impl Drop for Unlocked<'_> {
    fn drop(&mut self) {
        // SAFETY: the mutex lives as long as the sink; this thread has let go of it.
        unsafe { glib::ffi::g_mutex_lock(preroll_lock(self.0)) };
    }
}

fn preroll_lock(sink: &gst_base::BaseSink) -> *mut glib::ffi::GMutex {
    let sink: *mut GstBaseSink = sink.as_ptr();
    // SAFETY: a field of a valid instance; no reference is made.
    unsafe { &raw mut (*sink).preroll_lock }
}

/// Waits without the preroll lock, which `render()` and `wait_event()` are called with, so that the
/// state can change meanwhile. What `unlock()` has ended may be waited for anew; `Flushing` is to
/// be returned.
///
/// `gst_base_sink_wait_preroll()` would not do: when a sink is played and paused again at once, it
/// returns in PAUSED, and who then waits with the lock held keeps it from the next state change,
/// which calls no `unlock()` on its way up.
pub fn wait_unlocked<T: WaitEvent, R>(
    imp: &T,
    wait: impl FnOnce() -> R,
) -> Result<R, gst::FlowError> {
    let sink = imp.obj();
    let sink: &gst_base::BaseSink = sink.upcast_ref();
    let unlocked = Unlocked::new(sink);
    let result = wait();
    drop(unlocked);
    let base: *const GstBaseSink = sink.as_ptr();
    // SAFETY: a valid instance; the field is protected by the preroll lock, which is held again.
    if unsafe { (*base).flushing } != glib::ffi::GFALSE {
        return Err(gst::FlowError::Flushing);
    }
    Ok(result)
}

/// Whether the next buffer or event waits for PLAYING before it is rendered. To be set with the
/// preroll lock held, which `render()` and `event()` of a serialized event are called with.
pub fn set_needs_preroll<T: WaitEvent>(imp: &T, needs: bool) {
    let sink = imp.obj();
    let sink: &gst_base::BaseSink = sink.upcast_ref();
    let sink: *mut GstBaseSink = sink.as_ptr();
    let needs = if needs {
        glib::ffi::GTRUE
    } else {
        glib::ffi::GFALSE
    };
    // SAFETY: a field of a valid instance that the preroll lock protects, which the caller holds.
    unsafe { (*sink).need_preroll = needs };
}

unsafe extern "C" fn trampoline<T: WaitEvent>(
    sink: *mut GstBaseSink,
    event: *mut gst::ffi::GstEvent,
) -> gst::ffi::GstFlowReturn {
    // SAFETY: GStreamer calls this for instances of the class it was set in.
    let instance = unsafe { &*sink.cast::<T::Instance>() };
    let imp = instance.imp();
    // SAFETY: the caller keeps the event for the length of the call.
    let event: glib::translate::Borrowed<gst::Event> = unsafe { from_glib_borrow(event) };
    gst::panic_to_error!(imp, gst::FlowReturn::Error, {
        gst::FlowReturn::from(imp.wait_event(&event))
    })
    .into_glib()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    mod imp {
        use super::*;

        #[derive(Default)]
        pub struct WaitingSink {
            pub seen: Mutex<Vec<gst::EventType>>,
            pub panics: std::sync::atomic::AtomicBool,
        }

        #[glib::object_subclass]
        impl ObjectSubclass for WaitingSink {
            const NAME: &'static str = "GstDsFrameTestWaitingSink";
            type Type = super::WaitingSink;
            type ParentType = gst_base::BaseSink;

            fn class_init(class: &mut Self::Class) {
                override_wait_event::<Self>(class);
            }
        }

        impl ObjectImpl for WaitingSink {}
        impl GstObjectImpl for WaitingSink {}

        impl ElementImpl for WaitingSink {
            fn pad_templates() -> &'static [gst::PadTemplate] {
                static TEMPLATES: std::sync::LazyLock<Vec<gst::PadTemplate>> =
                    std::sync::LazyLock::new(|| {
                        let sink = gst::PadTemplate::new(
                            "sink",
                            gst::PadDirection::Sink,
                            gst::PadPresence::Always,
                            &gst::Caps::new_any(),
                        );
                        sink.into_iter().collect()
                    });
                &TEMPLATES
            }
        }

        impl BaseSinkImpl for WaitingSink {}

        impl WaitEvent for WaitingSink {
            fn wait_event(&self, event: &gst::Event) -> Result<gst::FlowSuccess, gst::FlowError> {
                let flow = parent_wait_event(self, event)?;
                if self.panics.load(std::sync::atomic::Ordering::Relaxed) {
                    panic!("on purpose");
                }
                self.seen.lock().unwrap().push(event.type_());
                Ok(flow)
            }
        }
    }

    glib::wrapper! {
        pub struct WaitingSink(ObjectSubclass<imp::WaitingSink>)
            @extends gst_base::BaseSink, gst::Element, gst::Object;
    }

    /// Runs three buffers into the sink; the first message that ends the pipeline.
    fn run(sink: &WaitingSink) -> gst::Message {
        let source = gst::ElementFactory::make("fakesrc")
            .property("num-buffers", 3)
            .build()
            .unwrap();
        let pipeline = gst::Pipeline::new();
        pipeline.add_many([&source, sink.upcast_ref()]).unwrap();
        source.link(sink).unwrap();
        pipeline.set_state(gst::State::Playing).unwrap();
        let ends = [gst::MessageType::Eos, gst::MessageType::Error];
        let message = pipeline
            .bus()
            .unwrap()
            .timed_pop_filtered(gst::ClockTime::from_seconds(10), &ends)
            .expect("neither EOS nor an error");
        pipeline.set_state(gst::State::Null).unwrap();
        message
    }

    #[test]
    fn eos_is_waited_for() {
        gst::init().unwrap();
        let sink: WaitingSink = glib::Object::new();
        assert_eq!(run(&sink).type_(), gst::MessageType::Eos);
        assert!(
            sink.imp()
                .seen
                .lock()
                .unwrap()
                .contains(&gst::EventType::Eos)
        );
    }

    #[test]
    fn a_panic_becomes_an_error_message() {
        gst::init().unwrap();
        let sink: WaitingSink = glib::Object::new();
        sink.imp()
            .panics
            .store(true, std::sync::atomic::Ordering::Relaxed);
        assert_eq!(run(&sink).type_(), gst::MessageType::Error);
    }
}
