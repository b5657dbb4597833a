// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What somebody may have meant.

/// Below this likeness, a suggestion would be a guess.
const LIKE: f64 = 0.6;

/// The name that is most like `text`, whatever its case and with any separator.
pub fn nearest<'a>(text: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // Longer texts are no typing errors, and cost the square of their length.
    if text.len() > 64 {
        return None;
    }
    let plain = text.to_ascii_lowercase().replace(['_', ' ', '.'], "-");
    let like = |name| strsim::normalized_damerau_levenshtein(&plain, name);
    names
        .into_iter()
        .map(|name| (like(name), name))
        .filter(|(like, _)| *like >= LIKE)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, name)| name)
}

/// `; did you mean "name"?`, or nothing.
pub fn did_you_mean<'a>(text: &str, names: impl IntoIterator<Item = &'a str>) -> String {
    nearest(text, names).map_or_else(String::new, |name| format!("; did you mean \"{name}\"?"))
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn typing_errors_are_recognised_and_nothing_else() {
        let names = [
            "min-objects",
            "max-objects",
            "interval",
            "interval-time",
            "roi",
        ];
        for (text, want) in [
            ("min-object", Some("min-objects")),
            ("min_objects", Some("min-objects")),
            ("maxobjects", Some("max-objects")),
            ("Interval", Some("interval")),
            ("intreval", Some("interval")),
            ("interval time", Some("interval-time")),
            ("model-engine-file", None),
            ("", None),
            ("x", None),
            (&"interval".repeat(9), None),
        ] {
            assert_eq!(nearest(text, names), want, "{text}");
        }
    }
}
