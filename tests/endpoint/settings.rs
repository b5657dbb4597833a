// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Settings that cannot work are errors at the start that name the property.

use gst::prelude::*;

use crate::common::rig::Rig;

#[test]
fn wrong_settings_name_the_property() {
    for (property, values) in [
        ("endpoint", &[("endpoint", "host/path")] as &[_]),
        ("endpoint", &[("endpoint", "ftp://host/")]),
        ("endpoint", &[("endpoint", "http://me:hunter2@host/")]),
        (
            "endpoint-body",
            &[("location", "%d.jpg"), ("endpoint-body", "binary")],
        ),
        (
            "endpoint-spool",
            &[("location", "%d.jpg"), ("endpoint-spool", "s")],
        ),
        (
            "endpoint-spool",
            &[
                ("endpoint", "http://host/"),
                ("location", "s/%d.jpg"),
                ("endpoint-spool", "s"),
            ],
        ),
        (
            "endpoint-spool-max-bytes",
            &[
                ("endpoint", "http://host/"),
                ("endpoint-spool-max-bytes", "5"),
            ],
        ),
        (
            "endpoint-timeout",
            &[("endpoint", "http://host/"), ("endpoint-timeout", "0")],
        ),
    ] {
        let rig = Rig::stopped(values);
        assert!(
            rig.element.set_state(gst::State::Paused).is_err(),
            "{values:?}"
        );
        let errors = rig.messages().errors();
        assert_eq!(errors.len(), 1, "{errors:?}");
        assert!(
            errors[0].0.matches(gst::ResourceError::Settings),
            "{errors:?}"
        );
        assert!(
            errors[0].1.starts_with(&format!("property \"{property}\"")),
            "{errors:?}"
        );
        assert!(!errors[0].1.contains("hunter2"), "{errors:?}");
    }
}

#[test]
fn without_an_endpoint_there_are_no_counters_of_one() {
    let rig = Rig::new(&[("log-location", "/dev/null")]);
    let stats = rig.element.property::<gst::Structure>("stats");
    assert!(!stats.has_field("endpoint"));
    assert!(
        !rig.element
            .property::<String>("stats-json")
            .contains("endpoint")
    );
    rig.end();
}
