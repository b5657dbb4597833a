// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Where frames go, from the properties that say so.

use crate::capture::deliver::channel::ChannelRules;
use crate::capture::name::Template;
use crate::channel::Address;
use crate::fault::{SettingsError, bad};

use super::Settings;

pub fn channel(set: &Settings) -> Result<Option<ChannelRules>, SettingsError> {
    const PROPERTY: &str = "channel";
    let d = Settings::default();
    let Some(name) = set.channel.as_deref().filter(|text| !text.is_empty()) else {
        for (property, is_set) in [
            ("channel-size", set.channel_size != d.channel_size),
            ("channel-access", set.channel_access != d.channel_access),
        ] {
            if is_set {
                return bad(property, "needs channel, the name of one");
            }
        }
        return Ok(None);
    };
    let address = Address::parse(name).or_else(|reason| bad(PROPERTY, reason))?;
    let is_shared = matches!(address, Address::Unix(_));
    if !is_shared && set.channel_access != d.channel_access {
        return bad(
            "channel-access",
            format!("is for channels across processes: write channel=unix:/path, not {name}"),
        );
    }
    let template = Template::parse(name).or_else(|error| bad(PROPERTY, error.to_string()))?;
    if !template.is_of_stream() {
        return bad(
            PROPERTY,
            format!(
                "\"{name}\": all frames of a stream go into one channel, so only {{stream}}, \
                 {{pad}} and {{sensor}} can be in its name"
            ),
        );
    }
    Ok(Some(ChannelRules {
        name: name.to_owned(),
        template,
        size: set.channel_size as usize,
        access: set.channel_access,
        is_shared,
    }))
}
