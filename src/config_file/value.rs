// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! A text as the value of a property, as a launch line would have it.

use gst::glib;
use gst::prelude::*;

/// Reads `text` for a property.
///
/// # Errors
///
/// Says what the value may be, without the value.
pub fn parse(text: &str, pspec: &glib::ParamSpec) -> Result<glib::Value, String> {
    if pspec.value_type() == String::static_type() {
        // As it is: a launch line would take quotes off, of which a file has its own.
        return Ok(text.to_value());
    }
    let text = text.trim();
    let is_time = pspec
        .downcast_ref::<glib::ParamSpecUInt64>()
        .is_some_and(|pspec| pspec.default_value() == u64::MAX);
    let text = match pspec.value_type() {
        glib::Type::BOOL if text.eq_ignore_ascii_case("on") => "true",
        glib::Type::BOOL if text.eq_ignore_ascii_case("off") => "false",
        glib::Type::U64 if is_time && text == "none" => "-1",
        _ => text,
    };
    let is_unsigned = [glib::Type::U32, glib::Type::U64].contains(&pspec.value_type());
    let wraps = is_unsigned && text.starts_with('-') && !(is_time && text == "-1");
    let value = (!text.is_empty() && !wraps)
        .then(|| glib::Value::deserialize_with_pspec(text, pspec).ok())
        .flatten()
        .filter(|value| is_within(value, pspec));
    value.ok_or_else(|| format!("must be {}", allowed(pspec, is_time)))
}

/// Without being bent to fit, as GObject would.
fn is_within(value: &glib::Value, pspec: &glib::ParamSpec) -> bool {
    macro_rules! within {
        ($($spec:ident $kind:ty),*) => {
            $(if let Some(pspec) = pspec.downcast_ref::<glib::$spec>() {
                let range = pspec.minimum()..=pspec.maximum();
                return value.get::<$kind>().is_ok_and(|value| range.contains(&value));
            })*
        };
    }
    // What is not a number is in no range.
    within!(
        ParamSpecInt i32,
        ParamSpecUInt u32,
        ParamSpecInt64 i64,
        ParamSpecUInt64 u64,
        ParamSpecFloat f32
    );
    if pspec.is::<glib::ParamSpecEnum>() {
        return glib::EnumValue::from_value(value).is_some();
    }
    true
}

/// What a property may be, in words.
fn allowed(pspec: &glib::ParamSpec, is_time: bool) -> String {
    fn range<T: std::fmt::Display + PartialEq>(what: &str, min: T, max: T, limit: T) -> String {
        match max == limit {
            true => format!("{what} of at least {min}"),
            false => format!("{what} from {min} to {max}"),
        }
    }
    const WHOLE: &str = "a whole number";
    if let Some(pspec) = pspec.downcast_ref::<glib::ParamSpecEnum>() {
        let class = pspec.enum_class();
        let nicks: Vec<&str> = class.values().iter().map(|value| value.nick()).collect();
        return format!("one of {}", nicks.join(", "));
    }
    if pspec.value_type() == glib::Type::BOOL {
        return "true or false".into();
    }
    if is_time {
        return "a whole number of ns, or none".into();
    }
    if let Some(pspec) = pspec.downcast_ref::<glib::ParamSpecUInt>() {
        range(WHOLE, pspec.minimum(), pspec.maximum(), u32::MAX)
    } else if let Some(pspec) = pspec.downcast_ref::<glib::ParamSpecUInt64>() {
        range(WHOLE, pspec.minimum(), pspec.maximum(), u64::MAX)
    } else if let Some(pspec) = pspec.downcast_ref::<glib::ParamSpecInt>() {
        range(WHOLE, pspec.minimum(), pspec.maximum(), i32::MAX)
    } else if let Some(pspec) = pspec.downcast_ref::<glib::ParamSpecInt64>() {
        range(WHOLE, pspec.minimum(), pspec.maximum(), i64::MAX)
    } else if let Some(pspec) = pspec.downcast_ref::<glib::ParamSpecFloat>() {
        range("a number", pspec.minimum(), pspec.maximum(), f32::MAX)
    } else {
        format!("a {}", pspec.value_type().name())
    }
}
