// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What `config-file-path` adds to the properties.

use gst::glib;

use crate::capture::enums::{Dedupe, Mode};
use crate::capture::properties::PROPERTIES;
use crate::capture::select::{RuleBook, StreamList};
use crate::config_file::{ConfigFile, Given, Kind, PROPERTY, Said, Schema};
use crate::fault::{SettingsError, bad};
use crate::inject;

use super::{Config, Settings, rules};

/// Of the base classes.
pub const INHERITED: [&str; 9] = [
    "async",
    "enable-last-sample",
    "max-bitrate",
    "max-lateness",
    "processing-deadline",
    "qos",
    "sync",
    "throttle-time",
    "ts-offset",
];

/// What decides on a frame, for which streams may have their own rules.
const PER_STREAM: [&str; 24] = [
    "best-window",
    "classes",
    "condition",
    "cooldown",
    "dedupe",
    "interval",
    "interval-time",
    "max-confidence",
    "max-object-size",
    "max-objects",
    "min-confidence",
    "min-object-size",
    "min-objects",
    "mode",
    "operate-on-gie-id",
    "post-roll",
    "post-roll-time",
    "pre-roll",
    "pre-roll-time",
    "roi",
    "roi-coverage",
    "start-time",
    "stop-time",
    "unknown-confidence",
];

/// What has no effect on frames that are not captured for their detections.
const BY_METADATA: [&str; 6] = [
    "best-window",
    "condition",
    "cooldown",
    "dedupe",
    "max-objects",
    "min-objects",
];

const BY_INTERVAL: [&str; 2] = ["interval", "interval-time"];

const PATHS: [(&str, Kind); 8] = [
    ("channel", Kind::Channel),
    ("endpoint-ca-file", Kind::Plain),
    ("endpoint-headers-file", Kind::FileOrVariable),
    ("endpoint-spool", Kind::Plain),
    ("endpoint-token-file", Kind::FileOrVariable),
    ("labels-location", Kind::Template),
    ("location", Kind::Template),
    ("log-location", Kind::Plain),
];

pub fn schema(inherited: &[glib::ParamSpec]) -> Schema<'_> {
    Schema {
        element: "dsframecapture",
        properties: &PROPERTIES,
        inherited,
        other: ("dsframeinject", inject::properties()),
        per_stream: &PER_STREAM,
        lists: &["classes", "roi", "streams"],
        paths: &PATHS,
    }
}

/// Properties of all streams that what one stream says of its own leaves no room for: they would be
/// errors beside it, and most of them could not be unset.
fn giving_way<'a>(own: impl Iterator<Item = &'a Said>) -> Vec<&'static str> {
    let mut away = Vec::new();
    for said in own {
        match said.name {
            "interval" => away.push("interval-time"),
            "interval-time" => away.push("interval"),
            "pre-roll" => away.push("pre-roll-time"),
            "pre-roll-time" => away.push("pre-roll"),
            "post-roll" => away.push("post-roll-time"),
            "post-roll-time" => away.push("post-roll"),
            _ => (),
        }
        if said.name == "roi" && said.value.get() == Ok(Some("")) {
            away.push("roi-coverage");
        }
        if let Ok(dedupe) = said.value.get::<Dedupe>()
            && dedupe != Dedupe::Best
        {
            away.push("best-window");
        }
        match said.value.get::<Mode>() {
            Ok(Mode::Metadata) => away.extend(BY_INTERVAL),
            Ok(Mode::Interval) => away.extend(BY_METADATA),
            Ok(Mode::Manual) => {
                away.extend(BY_INTERVAL);
                away.extend(BY_METADATA);
            }
            _ => (),
        }
    }
    away
}

impl Config {
    /// What was given, over what the file says, if one is named. Also the file, as it was read.
    pub fn read(
        given: &Given<Settings>,
        inherited: &[glib::ParamSpec],
    ) -> Result<(Self, ConfigFile), SettingsError> {
        let path = given.settings.config_file_path.as_deref();
        let Some(path) = path.filter(|path| !path.is_empty()) else {
            return Ok((Self::try_from(&given.settings)?, ConfigFile::default()));
        };
        let file = ConfigFile::read(path, &schema(inherited))?;
        let explain = |error, stream| file.explain(error, stream, |name| given.has(name));
        let settings = given.over(&file.said);
        let mut config = Self::try_from(&settings).map_err(|error| explain(error, None))?;
        for (&stream, of_stream) in &file.streams {
            // A launch line may look at fewer streams than a file is for.
            let is_left_out = matches!(&config.rules.streams, StreamList::Only(streams) if !streams.contains(&stream));
            if is_left_out && !given.has("streams") {
                return bad(
                    PROPERTY,
                    format!(
                        "{path}, line {}: group \"stream-{stream}\" has no effect: key \
                         \"streams\" leaves stream {stream} out",
                        of_stream.line
                    ),
                );
            }
            // What is set on the element is that of the stream, too, and not what is said here.
            let own = of_stream.said.iter().filter(|said| !given.has(said.name));
            let gives_way = giving_way(own);
            let common = file
                .said
                .iter()
                .filter(|said| !gives_way.contains(&said.name));
            let settings = given.over(common.chain(&of_stream.said));
            // As for all streams: pictures that are only posted are not taken more seldom.
            let pictures = config.pictures.as_ref();
            let to_location = pictures.is_some_and(|it| it.template.is_some());
            let own =
                rules(&settings, to_location).map_err(|error| explain(error, Some(stream)))?;
            config.stream_rules.insert(stream, own);
        }
        Ok((config, file))
    }

    pub fn rule_book(&self) -> RuleBook {
        RuleBook::new(self.rules.clone(), self.stream_rules.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Config {
        gst::init().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.yml");
        std::fs::write(&path, text).unwrap();
        let mut given = Given::<Settings>::default();
        given.settings.config_file_path = path.to_str().map(str::to_owned);
        Config::read(&given, &[]).unwrap().0
    }

    /// Whatever else a group of a stream says, it is taken as often as all streams are.
    #[test]
    fn a_group_of_its_own_does_not_change_the_interval() {
        for property in [
            "endpoint: 'http://127.0.0.1:1/'",
            "location: a/%d.jpg",
            "location: a/%d.jpg, endpoint: 'http://127.0.0.1:1/'",
            "log-location: log",
        ] {
            let config = read(&format!(
                "property: {{{property}}}\nstream-3: {{start-time: 5}}\n"
            ));
            let own = &config.stream_rules[&3];
            assert_eq!(own.when, config.rules.when, "{property}");
            assert_eq!(own.start, Some(5), "{property}");
        }
    }
}
