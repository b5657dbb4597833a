// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Which frames to capture, from the properties that say so.

use std::num::NonZeroU64;
use std::sync::Arc;

use crate::capture::enums::{Crop, Dedupe, Mode, UnknownConfidence};
use crate::capture::select::{
    self, Classes, Condition, Every, Filter, Roi, Roll, Rules, Size, StreamList, When,
};
use crate::fault::{SettingsError, bad};

use super::Settings;

/// Pictures by the second would fill a disk unasked.
const AUTO_INTERVAL: u64 = 30;

pub fn rules(set: &Settings, with_pictures: bool) -> Result<Rules, SettingsError> {
    let when = when(set, with_pictures)?;
    let (start, stop) = (
        set.start_time.map(gst::ClockTime::nseconds),
        set.stop_time.map(gst::ClockTime::nseconds),
    );
    if let (Some(start), Some(stop)) = (start, stop)
        && stop <= start
    {
        return bad(
            "stop-time",
            format!("{stop} ns is not after start-time, {start} ns"),
        );
    }
    let streams =
        StreamList::parse(set.streams.as_deref().unwrap_or_default()).or_else(|reason| {
            bad(
                "streams",
                format!("{reason}; write 0,3 for streams 0 and 3"),
            )
        })?;
    let (min_objects, max_objects) = objects(set)?;
    let condition = match text(&set.condition) {
        None => None,
        Some(text) => match Condition::compile(text) {
            Ok(condition) => Some(Arc::new(condition)),
            Err(reason) => return bad("condition", reason),
        },
    };
    let filter = filter(set)?;
    let dedupe = dedupe(set, when)?;
    check_effect(set, when)?;
    Ok(Rules {
        when,
        start,
        stop,
        max_captures: set.max_captures,
        streams,
        filter: Arc::new(filter),
        min_objects,
        max_objects,
        condition,
        cooldown: set.cooldown,
        dedupe,
        pre_roll: roll(set.pre_roll, set.pre_roll_time, "pre-roll-time", "pre-roll")?,
        post_roll: roll(
            set.post_roll,
            set.post_roll_time,
            "post-roll-time",
            "post-roll",
        )?,
        roll_max_bytes: set.roll_max_bytes,
    })
}

/// A text property that says something.
fn text(property: &Option<String>) -> Option<&str> {
    property.as_deref().filter(|text| !text.trim().is_empty())
}

/// Whether any property says which detections are wanted, or how often they are.
fn asks_for_detections(set: &Settings) -> bool {
    let default = Settings::default();
    let texts = [
        &set.classes,
        &set.roi,
        &set.min_object_size,
        &set.max_object_size,
        &set.condition,
    ];
    texts.into_iter().any(|property| text(property).is_some())
        || set.min_objects.is_some()
        || set.max_objects != default.max_objects
        || set.operate_on_gie_id != default.operate_on_gie_id
        || set.min_confidence != default.min_confidence
        || set.max_confidence != default.max_confidence
        || set.cooldown != default.cooldown
        || set.dedupe != default.dedupe
}

fn when(set: &Settings, with_pictures: bool) -> Result<When, SettingsError> {
    if set.interval != 0 && set.interval_time != 0 {
        return bad(
            "interval-time",
            "cannot be combined with interval: unset one",
        );
    }
    let has_interval = set.interval != 0 || set.interval_time != 0;
    // What 0 stands for depends on the mode.
    let every = |auto: u64| match NonZeroU64::new(set.interval_time) {
        Some(time) => Every::Time(time),
        None => Every::Frames(
            NonZeroU64::new(u64::from(set.interval))
                .or(NonZeroU64::new(auto))
                .unwrap_or(NonZeroU64::MIN),
        ),
    };
    let alone = if with_pictures { AUTO_INTERVAL } else { 1 };
    match set.mode {
        Mode::Manual if has_interval => bad(
            "mode",
            "manual takes no frames by interval or interval-time",
        ),
        Mode::Manual => Ok(When::Manual),
        Mode::Interval => Ok(When::Interval(every(alone))),
        Mode::Metadata if has_interval => {
            let property = match set.interval {
                0 => "interval-time",
                _ => "interval",
            };
            bad(
                property,
                "has no effect with mode=metadata: set mode=both for every so many of the frames \
                 that match, or mode=either for frames by interval besides",
            )
        }
        Mode::Metadata => Ok(When::Metadata),
        Mode::Either => Ok(When::Either(every(alone))),
        Mode::Both => Ok(When::Both(every(1))),
        Mode::Auto if !asks_for_detections(set) => Ok(When::Interval(every(alone))),
        Mode::Auto if has_interval => bad(
            "mode",
            "auto cannot tell what is meant by an interval together with properties about \
             detections: set mode=either for frames by interval and frames that match, or \
             mode=both for every so many of those that match",
        ),
        Mode::Auto => Ok(When::Metadata),
    }
}

fn objects(set: &Settings) -> Result<(usize, Option<usize>), SettingsError> {
    let min = set.min_objects.unwrap_or(1);
    let Ok(least) = usize::try_from(min) else {
        return bad("min-objects", format!("{min} is negative"));
    };
    // -1 is no limit.
    let most = usize::try_from(set.max_objects).ok();
    if most.is_some_and(|most| least > most) {
        let hint = match set.max_objects {
            0 => "; set min-objects=0 as well for the frames without any",
            _ => "",
        };
        return bad(
            "max-objects",
            format!("{} is less than min-objects, {min}{hint}", set.max_objects),
        );
    }
    Ok((least, most))
}

/// What is set must be able to make a difference, or nobody would know why it makes none.
fn check_effect(set: &Settings, when: When) -> Result<(), SettingsError> {
    if !when.by_metadata() {
        for (property, is_set) in [
            ("min-objects", set.min_objects.is_some()),
            ("max-objects", set.max_objects >= 0),
            ("condition", text(&set.condition).is_some()),
        ] {
            if is_set {
                return bad(
                    property,
                    "says which frames match, and this mode does not ask: set mode=metadata, \
                     either or both",
                );
            }
        }
    }
    if set.max_objects == 0 {
        let without = |what: &str| {
            format!("0 takes the frames without any object that matches, and {what} is about those")
        };
        match set.dedupe {
            Dedupe::None => {}
            Dedupe::Track => return bad("max-objects", without("dedupe=track")),
            Dedupe::Best => return bad("max-objects", without("dedupe=best")),
        }
        // Frames by interval, and those around a match, may show some.
        let others = matches!(when, When::Either(_))
            || [set.pre_roll, set.post_roll] != [0; 2]
            || [set.pre_roll_time, set.post_roll_time] != [0; 2];
        if set.crop == Crop::Objects && !others {
            return bad("max-objects", without("crop=objects"));
        }
    }
    let default = Settings::default();
    if set.roi_coverage != default.roi_coverage && text(&set.roi).is_none() {
        return bad(
            "roi-coverage",
            format!("{} has no effect without roi", set.roi_coverage),
        );
    }
    let is_limited = set.min_confidence > 0.0 || set.max_confidence < 1.0;
    if set.unknown_confidence != default.unknown_confidence && !is_limited {
        return bad(
            "unknown-confidence",
            "reject has no effect without min-confidence or max-confidence",
        );
    }
    Ok(())
}

fn filter(set: &Settings) -> Result<Filter, SettingsError> {
    let classes = Classes::parse(set.classes.as_deref().unwrap_or_default())
        .or_else(|reason| bad("classes", reason))?;
    for (property, value) in [
        ("min-confidence", set.min_confidence),
        ("max-confidence", set.max_confidence),
        ("roi-coverage", set.roi_coverage),
    ] {
        if !(0.0..=1.0).contains(&value) {
            return bad(property, format!("{value} is not from 0 to 1"));
        }
    }
    if set.min_confidence > set.max_confidence {
        return bad(
            "min-confidence",
            format!(
                "{} is more than max-confidence, {}",
                set.min_confidence, set.max_confidence
            ),
        );
    }
    let roi = text(&set.roi)
        .map(Roi::parse)
        .transpose()
        .or_else(|reason| bad("roi", reason))?;
    let size = |property, value: &Option<String>| {
        text(value)
            .map(Size::parse)
            .transpose()
            .or_else(|reason| bad(property, reason))
    };
    let min_size = size("min-object-size", &set.min_object_size)?;
    let max_size = size("max-object-size", &set.max_object_size)?;
    if let (Some(min), Some(max)) = (min_size, max_size)
        && (min.width > max.width || min.height > max.height)
    {
        return bad(
            "max-object-size",
            format!(
                "{}x{} is less than min-object-size, {}x{}",
                max.width, max.height, min.width, min.height
            ),
        );
    }
    Ok(Filter {
        classes,
        // -1 is all.
        component: (set.operate_on_gie_id >= 0).then_some(set.operate_on_gie_id),
        min_confidence: set.min_confidence,
        max_confidence: set.max_confidence,
        accept_unknown: set.unknown_confidence == UnknownConfidence::Accept,
        roi,
        roi_coverage: set.roi_coverage,
        min_size,
        max_size,
    })
}

fn dedupe(set: &Settings, when: When) -> Result<select::Dedupe, SettingsError> {
    let window = NonZeroU64::new(set.best_window);
    if !when.by_metadata() {
        let without = "limits captures by metadata, and this mode makes none: set mode=metadata, \
                       either or both";
        if set.dedupe != Dedupe::None {
            return bad("dedupe", without);
        }
        if set.cooldown != 0 {
            return bad("cooldown", without);
        }
    }
    if set.dedupe != Dedupe::Best && window.is_some() {
        return bad(
            "best-window",
            format!("{} ns has no effect without dedupe=best", set.best_window),
        );
    }
    match (set.dedupe, window) {
        (Dedupe::None, _) => Ok(select::Dedupe::None),
        (Dedupe::Track, _) => Ok(select::Dedupe::Track),
        (Dedupe::Best, None) => bad(
            "best-window",
            "is needed by dedupe=best: for how many ns to look for an object's best frame, such \
             as 2000000000",
        ),
        (Dedupe::Best, Some(_)) if when != When::Metadata => bad(
            "dedupe",
            "best cannot be combined with an interval: set mode=metadata",
        ),
        (Dedupe::Best, Some(window)) => {
            for (property, value) in [
                ("pre-roll", u64::from(set.pre_roll)),
                ("post-roll", u64::from(set.post_roll)),
                ("pre-roll-time", set.pre_roll_time),
                ("post-roll-time", set.post_roll_time),
            ] {
                if value != 0 {
                    return bad(
                        property,
                        format!(
                            "{value} cannot be combined with dedupe=best, which captures single frames"
                        ),
                    );
                }
            }
            Ok(select::Dedupe::Best(window))
        }
    }
}

fn roll(
    frames: u32,
    time: u64,
    time_property: &'static str,
    frames_property: &'static str,
) -> Result<Roll, SettingsError> {
    match (NonZeroU64::new(u64::from(frames)), NonZeroU64::new(time)) {
        (None, None) => Ok(Roll::None),
        (Some(frames), None) => Ok(Roll::Frames(frames)),
        (None, Some(time)) => Ok(Roll::Time(time)),
        (Some(_), Some(_)) => bad(
            time_property,
            format!("{time} ns cannot be combined with {frames_property}: unset one"),
        ),
    }
}

#[cfg(test)]
#[path = "rules_tests.rs"]
mod tests;
