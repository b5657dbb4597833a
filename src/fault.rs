// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What goes wrong, as the bus says it: a text for people and one of GStreamer's error domains.

use gst::prelude::*;
use gst::{CoreError, LibraryError, MessageErrorDomain, ResourceError, StreamError};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Domain {
    Core(CoreError),
    Library(LibraryError),
    Resource(ResourceError),
    Stream(StreamError),
}

/// A failure to be posted, as an error or as a warning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    domain: Domain,
    text: String,
}

impl Fault {
    pub fn core(code: CoreError, text: impl ToString) -> Self {
        Self::new(Domain::Core(code), text)
    }

    pub fn library(code: LibraryError, text: impl ToString) -> Self {
        Self::new(Domain::Library(code), text)
    }

    pub fn resource(code: ResourceError, text: impl ToString) -> Self {
        Self::new(Domain::Resource(code), text)
    }

    pub fn stream(code: StreamError, text: impl ToString) -> Self {
        Self::new(Domain::Stream(code), text)
    }

    fn new(domain: Domain, text: impl ToString) -> Self {
        Self {
            domain,
            // Whatever it quotes: the bus takes texts of C.
            text: text.to_string().replace('\0', "\\0"),
        }
    }

    /// With more to say, in brackets.
    pub fn noting(mut self, note: impl std::fmt::Display) -> Self {
        self.text += &format!(" ({note})");
        self
    }

    pub fn domain(&self) -> Domain {
        self.domain
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    pub fn post_error(&self, element: &gst::Element) {
        fn error(
            code: impl MessageErrorDomain,
            text: &str,
            element: &gst::Element,
        ) -> gst::Message {
            gst::message::Error::builder(code, text)
                .src(element)
                .build()
        }
        let text = &self.text;
        gst::error!(gst::CAT_RUST, obj = element, "{text}");
        let message = match self.domain {
            Domain::Core(code) => error(code, text, element),
            Domain::Library(code) => error(code, text, element),
            Domain::Resource(code) => error(code, text, element),
            Domain::Stream(code) => error(code, text, element),
        };
        // Without a bus there is nobody to tell.
        let _ = element.post_message(message);
    }

    pub fn post_warning(&self, element: &gst::Element) {
        fn warning(
            code: impl MessageErrorDomain,
            text: &str,
            element: &gst::Element,
        ) -> gst::Message {
            gst::message::Warning::builder(code, text)
                .src(element)
                .build()
        }
        let text = &self.text;
        gst::warning!(gst::CAT_RUST, obj = element, "{text}");
        let message = match self.domain {
            Domain::Core(code) => warning(code, text, element),
            Domain::Library(code) => warning(code, text, element),
            Domain::Resource(code) => warning(code, text, element),
            Domain::Stream(code) => warning(code, text, element),
        };
        // Without a bus there is nobody to tell.
        let _ = element.post_message(message);
    }
}

/// A property whose value cannot be worked with.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("property \"{property}\": {reason}")]
pub struct SettingsError {
    pub property: &'static str,
    pub reason: String,
}

/// For `return bad(...)` where settings are checked.
pub fn bad<T>(property: &'static str, reason: impl Into<String>) -> Result<T, SettingsError> {
    Err(SettingsError {
        property,
        reason: reason.into(),
    })
}

impl From<SettingsError> for Fault {
    fn from(error: SettingsError) -> Self {
        Self::resource(ResourceError::Settings, error)
    }
}
