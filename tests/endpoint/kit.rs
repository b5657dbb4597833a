// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Frames that are posted as they are, and what is known about them afterwards.

use gst::prelude::*;

use crate::common::Messages;
use crate::common::rig::{Rig, numbered_bytes};
use crate::server::{Request, Server};

/// Soon enough for tests, and with every frame told apart.
pub const QUICK: [(&str, &str); 5] = [
    ("encoding", "raw"),
    ("endpoint-body", "binary"),
    ("endpoint-delay", "1000000"),
    ("endpoint-backoff", "1"),
    ("endpoint-timeout", "20000000000"),
];

/// A sink that posts raw frames to an address.
pub fn rig_at(url: &str, more: &[(&str, &str)]) -> Rig {
    let properties = properties(url, more);
    Rig::new(&properties)
}

pub fn properties<'a>(url: &'a str, more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let mut properties = vec![("endpoint", url)];
    properties.extend(QUICK);
    properties.extend(more);
    properties
}

pub fn rig(server: &Server, more: &[(&str, &str)]) -> Rig {
    rig_at(&server.url(), more)
}

/// The number of the frame that a request carries, all of whose pixels are right.
#[track_caller]
pub fn number(request: &Request) -> u64 {
    let number: u64 = request.header("Dsframe-Frame-Number").parse().unwrap();
    assert!(request.body == numbered_bytes(number), "frame {number}");
    number
}

#[track_caller]
pub fn numbers(requests: &[Request]) -> Vec<u64> {
    requests.iter().map(number).collect()
}

/// A field of `endpoint` in `stats`, which `stats-json` has too.
#[track_caller]
pub fn posts(element: &gst::Element, name: &str) -> u64 {
    let stats = element.property::<gst::Structure>("stats");
    let endpoint = stats.get::<gst::Structure>("endpoint").unwrap();
    endpoint.get::<u64>(name).unwrap()
}

pub fn breaker(element: &gst::Element) -> String {
    let stats = element.property::<gst::Structure>("stats");
    let endpoint = stats.get::<gst::Structure>("endpoint").unwrap();
    endpoint.get::<String>("breaker").unwrap()
}

/// Posted, failed, dropped, waiting, spooled.
#[track_caller]
pub fn fates(element: &gst::Element) -> [u64; 5] {
    ["posted", "failed", "dropped", "waiting", "spooled"].map(|name| posts(element, name))
}

#[track_caller]
pub fn only_warning(messages: &Messages) -> String {
    let mut warnings = messages.warning_texts();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    warnings.remove(0)
}

/// The states that the breaker went through.
pub fn transitions(messages: &Messages) -> Vec<String> {
    let told = messages.elements("dsframecapture-endpoint");
    told.iter().map(|it| it.get("state").unwrap()).collect()
}

pub fn all(count: u64) -> Vec<u64> {
    (0..count).collect()
}
