// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What `config-file-path` adds to the properties.

use gst::glib;

use crate::capture;
use crate::config_file::{ConfigFile, Given, Kind, Schema};
use crate::fault::SettingsError;
use crate::inject::properties::PROPERTIES;

use super::{Config, Settings};

/// Of the base classes.
pub const INHERITED: [&str; 2] = ["do-timestamp", "num-buffers"];

const PATHS: [(&str, Kind); 3] = [
    ("channel", Kind::Address),
    ("location", Kind::Pattern),
    ("metadata-location", Kind::Pattern),
];

pub fn schema(inherited: &[glib::ParamSpec]) -> Schema<'_> {
    Schema {
        element: "dsframeinject",
        properties: &PROPERTIES,
        inherited,
        other: ("dsframecapture", capture::properties()),
        per_stream: &[],
        lists: &[],
        paths: &PATHS,
    }
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
        let settings = given.over(&file.said);
        let config = Self::try_from(&settings);
        let config = config.map_err(|error| file.explain(error, None, |name| given.has(name)))?;
        Ok((config, file))
    }
}
