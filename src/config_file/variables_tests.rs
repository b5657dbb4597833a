// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

use proptest::prelude::*;

use super::*;

fn with(name: &str) -> Result<Option<String>, String> {
    match name {
        "DIR" => Ok(Some("/data".into())),
        "EMPTY" => Ok(Some(String::new())),
        "TRICK" => Ok(Some("${DIR}\nlocation: $$".into())),
        "BYTES" => Err("environment variable BYTES is not UTF-8".into()),
        _ => Ok(None),
    }
}

fn fill(text: &str) -> Result<String, String> {
    expand(text, &with)
}

#[test]
fn variables_are_filled_in_once() {
    for (text, want) in [
        ("", ""),
        ("plain", "plain"),
        ("${DIR}/a", "/data/a"),
        ("a${DIR}${DIR}b", "a/data/datab"),
        ("${EMPTY}", ""),
        ("${EMPTY:-x}", "x"),
        ("${DIR:-x}", "/data"),
        ("${NONE:-x y}", "x y"),
        ("${NONE:-}", ""),
        ("${NONE:-a:-b}", "a:-b"),
        ("$$", "$"),
        ("$${DIR}", "${DIR}"),
        ("$$$$x", "$$x"),
        ("$$${DIR}", "$/data"),
        ("${TRICK}", "${DIR}\nlocation: $$"),
    ] {
        assert_eq!(fill(text).as_deref(), Ok(want), "{text}");
    }
}

#[test]
fn what_is_no_variable_is_an_error() {
    for (text, want) in [
        ("$", "a $ stands alone"),
        ("$DIR", "a $ stands alone"),
        ("a $ b", "a $ stands alone"),
        ("${DIR", "a ${ without its }"),
        ("${}", "\"\" is no name"),
        ("${DIR:-{stream}}", "a { in a ${...}"),
        ("${NONE:-{stream}}", "a { in a ${...}"),
        ("${NONE:-${DIR}}", "a { in a ${...}"),
        ("${NONE:-{", "a ${ without its }"),
        ("${1A}", "\"1A\" is no name"),
        ("${A B}", "\"A B\" is no name"),
        ("${A-b}", "\"A-b\" is no name"),
        ("${NONE}", "environment variable NONE is not set"),
        ("${BYTES}", "environment variable BYTES is not UTF-8"),
        ("${BYTES:-x}", "environment variable BYTES is not UTF-8"),
    ] {
        let error = fill(text).unwrap_err();
        assert!(error.starts_with(want), "{text}: {error}");
    }
}

proptest! {
    /// What has its dollars doubled comes out as it was.
    #[test]
    fn doubled_dollars_are_themselves(text in "[a${}:\\-]{0,20}") {
        prop_assert_eq!(fill(&text.replace('$', "$$")), Ok(text));
    }

    #[test]
    fn values_come_through_as_they_are(before in "[^$]{0,9}", value in "\\PC{0,9}", after in "[^$]{0,9}") {
        let lookup = |_: &str| Ok(Some(value.clone()));
        let text = format!("{before}${{X}}{after}");
        prop_assert_eq!(expand(&text, &lookup), Ok(format!("{before}{value}{after}")));
    }
}
