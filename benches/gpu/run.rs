// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Lines, and rates by the counters of their elements.

use std::thread;
use std::time::{Duration, Instant};

use gst::prelude::*;

use super::Res;

/// Nothing takes so long to begin or to end.
const LIMIT: Duration = Duration::from_secs(60);

/// As long as a rate is measured.
pub const WINDOW: Duration = Duration::from_millis(1000);

/// A pipeline that plays, and is taken down when dropped.
pub struct Line {
    pipeline: gst::Pipeline,
    bus: gst::Bus,
}

impl Line {
    pub fn start(text: &str) -> Res<Self> {
        Self::start_with(text, |_| Ok(()))
    }

    /// Lets `prepare` at the pipeline before it plays.
    pub fn start_with(text: &str, prepare: impl FnOnce(&Self) -> Res<()>) -> Res<Self> {
        let pipeline: gst::Pipeline = gst::parse::launch(text)?
            .downcast()
            .map_err(|_| "not a pipeline")?;
        let line = Self {
            bus: pipeline.bus().ok_or("no bus")?,
            pipeline,
        };
        prepare(&line)?;
        // Why it fails is on the bus.
        if line.pipeline.set_state(gst::State::Playing).is_err() {
            check(&line.bus)?;
            return Err(format!("does not start: {text}").into());
        }
        Ok(line)
    }

    pub fn find(&self, name: &str) -> Res<gst::Element> {
        let element = self.pipeline.by_name(name);
        Ok(element.ok_or_else(|| format!("no element {name}"))?)
    }

    pub fn bus(&self) -> &gst::Bus {
        &self.bus
    }

    /// Waits for EOS.
    pub fn to_end(&self) -> Res<()> {
        let ends = [gst::MessageType::Eos, gst::MessageType::Error];
        let limit = gst::ClockTime::try_from(LIMIT)?;
        match self.bus.timed_pop_filtered(limit, &ends) {
            Some(message) => fault(&message),
            None => Err("no end".into()),
        }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        let _ = self.pipeline.set_state(gst::State::Null);
    }
}

fn fault(message: &gst::Message) -> Res<()> {
    match message.view() {
        gst::MessageView::Error(error) => {
            let debug = error.debug().unwrap_or_default();
            Err(format!("{} ({})", error.error(), debug.lines().last().unwrap_or("")).into())
        }
        _ => Ok(()),
    }
}

/// An error that is on the bus.
fn check(bus: &gst::Bus) -> Res<()> {
    match bus.pop_filtered(&[gst::MessageType::Error]) {
        Some(message) => fault(&message),
        None => Ok(()),
    }
}

/// Waits until a counter has come to `target`.
pub fn wait_for(bus: &gst::Bus, count: impl Fn() -> Res<u64>, target: u64) -> Res<()> {
    let begun = Instant::now();
    while count()? < target {
        check(bus)?;
        if begun.elapsed() > LIMIT {
            return Err(format!("{} of {target} frames in {LIMIT:?}", count()?).into());
        }
        thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}

/// The rate of a counter, once it has come to `warm`.
pub fn rate(bus: &gst::Bus, count: impl Fn() -> Res<u64>, warm: u64, window: Duration) -> Res<f64> {
    wait_for(bus, &count, warm)?;
    let (begun, first) = (Instant::now(), count()?);
    thread::sleep(window);
    let (spent, last) = (begun.elapsed(), count()?);
    check(bus)?;
    if last == first {
        return Err("nothing moves".into());
    }
    Ok((last - first) as f64 / spent.as_secs_f64())
}

/// A field of the `stats` of an element.
pub fn stat(element: &gst::Element, name: &str) -> Res<u64> {
    Ok(element.property::<gst::Structure>("stats").get(name)?)
}
