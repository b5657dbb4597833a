// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Properties as they were set ([`Settings`]), and what they mean once checked ([`Config`]).

pub mod file;

use std::time::Duration;

use gst_video::VideoFormat;

use crate::channel::{Access, Address};
use crate::fault::{SettingsError, bad};
use crate::frame::{FORMATS, SYSTEM_FORMATS};
use crate::mem::sys::generation::Generation;

use super::enums::{Device, MemoryType, OnError, OnTimeout};
use super::source::channel;
use super::source::pattern::Pattern;

/// Mirrors the properties, with their defaults.
#[derive(Debug, Clone)]
pub struct Settings {
    pub pattern: Pattern,
    pub frame_code: bool,
    pub frame_code_stream: u32,
    pub location: Option<String>,
    pub uri: Option<String>,
    pub channel: Option<String>,
    pub channel_access: Access,
    pub format: Option<String>,
    pub width: u32,
    pub height: u32,
    pub framerate: Option<String>,
    pub device: Device,
    pub gpu_id: u32,
    pub memory_type: MemoryType,
    pub pool_size: u32,
    pub deepstream_version: String,
    pub is_live: bool,
    pub looping: bool,
    pub start_index: u64,
    pub stop_index: i64,
    pub start_time: Option<gst::ClockTime>,
    pub stop_time: Option<gst::ClockTime>,
    pub sample_interval: u64,
    pub key_frames_only: bool,
    pub add_borders: bool,
    pub on_error: OnError,
    pub timeout: u64,
    pub on_timeout: OnTimeout,
    pub prefetch: u32,
    pub metadata_location: Option<String>,
    pub config_file_path: Option<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            pattern: Pattern::Gradient,
            frame_code: false,
            frame_code_stream: 0,
            location: None,
            uri: None,
            channel: None,
            channel_access: Access::User,
            format: None,
            width: 0,
            height: 0,
            framerate: None,
            device: Device::Auto,
            gpu_id: 0,
            memory_type: MemoryType::Default,
            pool_size: 8,
            deepstream_version: "auto".into(),
            is_live: false,
            looping: false,
            start_index: 0,
            stop_index: -1,
            start_time: None,
            stop_time: None,
            sample_interval: 0,
            key_frames_only: false,
            add_borders: false,
            on_error: OnError::Fail,
            timeout: 0,
            on_timeout: OnTimeout::Fail,
            prefetch: 4,
            metadata_location: None,
            config_file_path: None,
        }
    }
}

/// Where the frames come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    Pattern(Pattern),
    Location(String),
    Uri(String),
    Channel(channel::Options),
}

/// Where the frames go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Placement {
    /// NVMM if the peer names it and memory of that type can be had.
    Auto,
    Nvmm,
    System,
}

/// What was declared about the frames; binds them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Declared {
    pub format: Option<VideoFormat>,
    pub width: Option<u32>,
    pub height: Option<u32>,
    pub framerate: Option<gst::Fraction>,
}

/// Properties that make sense together.
#[derive(Debug, Clone)]
pub struct Config {
    pub origin: Origin,
    /// The stream number that the frame code spells.
    pub frame_code: Option<u16>,
    pub declared: Declared,
    pub placement: Placement,
    pub gpu_id: u32,
    pub memory_type: MemoryType,
    pub pool_size: u32,
    /// `None`: to be found out.
    pub generation: Option<Generation>,
    pub is_live: bool,
    pub looping: bool,
    pub start_index: u64,
    pub stop_index: Option<u64>,
    pub start_time: Option<gst::ClockTime>,
    pub stop_time: Option<gst::ClockTime>,
    pub sample_interval: Option<gst::ClockTime>,
    pub key_frames_only: bool,
    pub add_borders: bool,
    pub on_error: OnError,
    pub timeout: Option<Duration>,
    pub on_timeout: OnTimeout,
    pub prefetch: usize,
    /// Where the detections of the frames are recorded.
    pub metadata: Option<String>,
}

impl TryFrom<&Settings> for Config {
    type Error = SettingsError;

    fn try_from(set: &Settings) -> Result<Self, SettingsError> {
        let origin = origin(set)?;
        let stop_index = match u64::try_from(set.stop_index) {
            Err(_) => None,
            Ok(stop) if stop < set.start_index => {
                return bad(
                    "stop-index",
                    format!("{stop} is before start-index, {}", set.start_index),
                );
            }
            Ok(stop) => Some(stop),
        };
        if let (Some(start), Some(stop)) = (set.start_time, set.stop_time)
            && stop <= start
        {
            return bad(
                "stop-time",
                format!(
                    "{} ns is not after start-time, {} ns",
                    stop.nseconds(),
                    start.nseconds()
                ),
            );
        }
        only_for(set, &origin)?;
        let frame_code = if set.frame_code {
            let stream = u16::try_from(set.frame_code_stream);
            Some(stream.or_else(|_| bad("frame-code-stream", "is more than 65535"))?)
        } else {
            None
        };
        let generation = match set.deepstream_version.as_str() {
            "" | "auto" => None,
            version => Some(match Generation::parse(version) {
                Some(generation) => generation,
                None => {
                    return bad(
                        "deepstream-version",
                        format!("\"{version}\" is not a version: write 6.4, 7.1, 8.0, 9.0 or auto"),
                    );
                }
            }),
        };
        Ok(Self {
            origin,
            frame_code,
            declared: declared(set)?,
            placement: match set.device {
                Device::Auto => Placement::Auto,
                Device::Gpu | Device::Nvmm => Placement::Nvmm,
                Device::Cpu | Device::System => Placement::System,
            },
            gpu_id: set.gpu_id,
            memory_type: set.memory_type,
            pool_size: set.pool_size,
            generation,
            is_live: set.is_live,
            looping: set.looping,
            start_index: set.start_index,
            stop_index,
            start_time: set.start_time,
            stop_time: set.stop_time,
            sample_interval: Some(gst::ClockTime::from_nseconds(set.sample_interval))
                .filter(|interval| !interval.is_zero()),
            key_frames_only: set.key_frames_only,
            add_borders: set.add_borders,
            on_error: set.on_error,
            timeout: Some(Duration::from_nanos(set.timeout)).filter(|timeout| !timeout.is_zero()),
            on_timeout: set.on_timeout,
            prefetch: set.prefetch as usize,
            metadata: set
                .metadata_location
                .clone()
                .filter(|text| !text.is_empty()),
        })
    }
}

fn origin(set: &Settings) -> Result<Origin, SettingsError> {
    let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    match (given(&set.location), given(&set.uri), given(&set.channel)) {
        (Some(_), Some(_), _) => bad("uri", "cannot be combined with location: unset one"),
        (Some(_), _, Some(_)) => bad("channel", "cannot be combined with location: unset one"),
        (_, Some(_), Some(_)) => bad("channel", "cannot be combined with uri: unset one"),
        (Some(location), None, None) => Ok(Origin::Location(location)),
        (None, Some(uri), None) => Ok(Origin::Uri(uri)),
        (None, None, Some(name)) => Ok(Origin::Channel(channel::Options {
            address: Address::parse(&name).or_else(|reason| bad("channel", reason))?,
            access: set.channel_access,
            live: set.is_live,
        })),
        (None, None, None) => Ok(Origin::Pattern(set.pattern)),
    }
}

/// Properties of one kind of source that are set for another would be ignored in silence.
fn only_for(set: &Settings, origin: &Origin) -> Result<(), SettingsError> {
    if !matches!(origin, Origin::Uri(_)) {
        let d = Settings::default();
        let of_media = [
            ("start-time", set.start_time != d.start_time),
            ("stop-time", set.stop_time != d.stop_time),
            ("sample-interval", set.sample_interval != d.sample_interval),
            ("key-frames-only", set.key_frames_only != d.key_frames_only),
        ];
        for (property, is_set) in of_media {
            if is_set {
                return bad(property, "needs uri, which it selects frames from");
            }
        }
    }
    let for_processes = matches!(
        origin,
        Origin::Channel(channel::Options {
            address: Address::Unix(_),
            ..
        })
    );
    if set.channel_access != Access::User && !for_processes {
        return bad("channel-access", "needs channel=unix:/path");
    }
    if matches!(origin, Origin::Channel(_)) {
        if set.looping {
            return bad(
                "loop",
                "cannot be used with a channel, which is not read twice",
            );
        }
        if set
            .metadata_location
            .as_deref()
            .is_some_and(|text| !text.is_empty())
        {
            return bad(
                "metadata-location",
                "cannot be used with a channel, whose frames come with their detections",
            );
        }
    }
    if !matches!(origin, Origin::Location(_)) {
        for (property, is_set) in [
            ("start-index", set.start_index != 0),
            ("stop-index", set.stop_index >= 0),
        ] {
            if is_set {
                return bad(property, "needs location, a sequence of pictures");
            }
        }
    }
    Ok(())
}

fn declared(set: &Settings) -> Result<Declared, SettingsError> {
    let format = match set.format.as_deref().filter(|text| !text.is_empty()) {
        None => None,
        Some(text) => Some(parse_format(text)?),
    };
    let framerate = match set.framerate.as_deref().filter(|text| !text.is_empty()) {
        None => None,
        Some(text) => Some(match parse_framerate(text) {
            Some(rate) => rate,
            None => {
                return bad(
                    "framerate",
                    format!("\"{text}\" is not a rate: write 30 or 30000/1001"),
                );
            }
        }),
    };
    Ok(Declared {
        format,
        width: Some(set.width).filter(|side| *side > 0),
        height: Some(set.height).filter(|side| *side > 0),
        framerate,
    })
}

fn parse_format(text: &str) -> Result<VideoFormat, SettingsError> {
    let upper = text.to_ascii_uppercase();
    let known = FORMATS.iter().chain(&SYSTEM_FORMATS);
    if upper == "GRAY" {
        // The documented providers' name.
        return Ok(VideoFormat::Gray8);
    }
    match known
        .clone()
        .find(|format| format.to_str().eq_ignore_ascii_case(&upper))
    {
        Some(format) => Ok(*format),
        None => {
            let names: Vec<&str> = known.map(|format| format.to_str().as_str()).collect();
            bad(
                "format",
                format!("\"{text}\" is not one of {}", names.join(", ")),
            )
        }
    }
}

/// `30`, `30/1`, `30000/1001`; more than 0.
fn parse_framerate(text: &str) -> Option<gst::Fraction> {
    let (numer, denom) = text.split_once('/').unwrap_or((text, "1"));
    let number = |text: &str| text.trim().parse::<i32>().ok().filter(|n| *n > 0);
    Some(gst::Fraction::new(number(numer)?, number(denom)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(change: impl FnOnce(&mut Settings)) -> Result<Config, SettingsError> {
        let mut settings = Settings::default();
        change(&mut settings);
        Config::try_from(&settings)
    }

    #[test]
    fn what_contradicts_itself_names_the_property() {
        type Change = fn(&mut Settings);
        let cases: [(&str, Change); 11] = [
            ("uri", |s| {
                s.uri = Some("file:///a".into());
                s.location = Some("b".into());
            }),
            ("stop-index", |s| {
                s.location = Some("b".into());
                s.start_index = 5;
                s.stop_index = 4;
            }),
            ("stop-time", |s| {
                s.uri = Some("file:///a".into());
                s.start_time = Some(gst::ClockTime::SECOND);
                s.stop_time = Some(gst::ClockTime::SECOND);
            }),
            ("sample-interval", |s| s.sample_interval = 1),
            ("key-frames-only", |s| {
                s.location = Some("b".into());
                s.key_frames_only = true;
            }),
            ("start-index", |s| s.start_index = 1),
            ("format", |s| s.format = Some("YV12".into())),
            ("framerate", |s| s.framerate = Some("0".into())),
            ("framerate", |s| s.framerate = Some("30/0".into())),
            ("frame-code-stream", |s| {
                s.frame_code = true;
                s.frame_code_stream = 65_536;
            }),
            ("deepstream-version", |s| {
                s.deepstream_version = "new".into()
            }),
        ];
        for (property, change) in cases {
            assert_eq!(check(change).unwrap_err().property, property);
        }
    }

    #[test]
    fn formats_and_rates_are_read_as_providers_write_them() {
        let declared = |format: &str, rate: &str| {
            check(|s| {
                s.format = Some(format.into());
                s.framerate = Some(rate.into());
            })
            .unwrap()
            .declared
        };
        let rgb = declared("rgb", "30");
        assert_eq!(rgb.format, Some(VideoFormat::Rgb));
        assert_eq!(rgb.framerate, Some(gst::Fraction::new(30, 1)));
        let gray = declared("GRAY", "30000/1001");
        assert_eq!(gray.format, Some(VideoFormat::Gray8));
        assert_eq!(gray.framerate, Some(gst::Fraction::new(30000, 1001)));
    }
}
