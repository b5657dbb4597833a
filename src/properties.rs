// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What the property tables of both elements are written with.

use glib::prelude::*;
use glib::translate::{FromGlib, IntoGlib};
use gst::prelude::GstParamSpecBuilderExt;

/// ns; `default` 0 is off.
pub fn time(name: &str, nick: &str, blurb: &str, default: u64) -> glib::ParamSpec {
    glib::ParamSpecUInt64::builder(name)
        .nick(nick)
        .blurb(blurb)
        .default_value(default)
        .mutable_ready()
        .build()
}

/// ns; unset is `GST_CLOCK_TIME_NONE`.
pub fn clock(name: &str, nick: &str, blurb: &str) -> glib::ParamSpec {
    time(name, nick, blurb, u64::MAX)
}

pub fn uint(
    name: &str,
    nick: &str,
    blurb: &str,
    (minimum, maximum): (u32, u32),
    default: u32,
) -> glib::ParamSpec {
    glib::ParamSpecUInt::builder(name)
        .nick(nick)
        .blurb(blurb)
        .minimum(minimum)
        .maximum(maximum)
        .default_value(default)
        .mutable_ready()
        .build()
}

pub fn int(
    name: &str,
    nick: &str,
    blurb: &str,
    (minimum, maximum): (i32, i32),
    default: i32,
) -> glib::ParamSpec {
    glib::ParamSpecInt::builder(name)
        .nick(nick)
        .blurb(blurb)
        .minimum(minimum)
        .maximum(maximum)
        .default_value(default)
        .mutable_ready()
        .build()
}

/// 0 to `maximum`.
pub fn share(name: &str, nick: &str, blurb: &str, maximum: f32, default: f32) -> glib::ParamSpec {
    glib::ParamSpecFloat::builder(name)
        .nick(nick)
        .blurb(blurb)
        .minimum(0.0)
        .maximum(maximum)
        .default_value(default)
        .mutable_ready()
        .build()
}

/// A number that no width of its own fits; `default` 0 is off.
pub fn bytes(name: &str, nick: &str, blurb: &str, default: u64) -> glib::ParamSpec {
    glib::ParamSpecUInt64::builder(name)
        .nick(nick)
        .blurb(blurb)
        .default_value(default)
        .mutable_ready()
        .build()
}

pub fn text(name: &str, nick: &str, blurb: &str, default: Option<&str>) -> glib::ParamSpec {
    glib::ParamSpecString::builder(name)
        .nick(nick)
        .blurb(blurb)
        .default_value(default)
        .mutable_ready()
        .build()
}

pub fn flag(name: &str, nick: &str, blurb: &str, default: bool) -> glib::ParamSpec {
    glib::ParamSpecBoolean::builder(name)
        .nick(nick)
        .blurb(blurb)
        .default_value(default)
        .mutable_ready()
        .build()
}

pub fn choice<T>(name: &str, nick: &str, blurb: &str, default: T) -> glib::ParamSpec
where
    T: StaticType + FromGlib<i32> + IntoGlib<GlibType = i32>,
{
    glib::ParamSpecEnum::builder_with_default(name, default)
        .nick(nick)
        .blurb(blurb)
        .mutable_ready()
        .build()
}

/// Of 32 bits, since bindings that know scalars alone (Service Maker) read wider ones as 0.
pub fn counter(name: &str, nick: &str, blurb: &str) -> glib::ParamSpec {
    glib::ParamSpecUInt::builder(name)
        .nick(nick)
        .blurb(blurb)
        .read_only()
        .build()
}

/// Writes `store` and `setting` for the properties that are kept as they were set, by name and field.
macro_rules! stored {
    ($settings:ty, $($name:literal => $field:ident),* $(,)?) => {
        /// Stores a setting. Returns false for a property that is none.
        pub fn store(settings: &mut $settings, name: &str, value: &glib::Value) -> bool {
            match name {
                $($name => {
                    // GObject has checked the type.
                    if let Ok(value) = value.get() {
                        settings.$field = value;
                    }
                })*
                _ => return false,
            }
            true
        }

        fn setting(settings: &$settings, name: &str) -> Option<glib::Value> {
            match name {
                $($name => Some(settings.$field.to_value()),)*
                _ => None,
            }
        }
    };
}

pub(crate) use stored;
