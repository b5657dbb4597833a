// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Pictures in an object store: what of the other properties goes with them.

use crate::capture::deliver::objects::Bucket;
use crate::capture::enums::Labels;
use crate::fault::{SettingsError, bad};

use super::Settings;

/// A location as a bucket, if it is in one, and the template for names.
pub fn bucket<'a>(
    set: &Settings,
    location: Option<&'a str>,
) -> Result<(Option<Bucket>, Option<&'a str>), SettingsError> {
    for (property, text) in [
        ("log-location", &set.log_location),
        ("labels-location", &set.labels_location),
    ] {
        let text = text.as_deref().unwrap_or_default();
        if matches!(Bucket::split(text), Ok(Some(_))) {
            return bad(
                property,
                format!(
                    "\"{text}\": only location can be in an object store. Logs, COCO and \
                     MOTChallenge files grow, which objects do not, and other labels go beside \
                     their pictures without labels-location"
                ),
            );
        }
    }
    let Some(location) = location else {
        return Ok((None, None));
    };
    let split = Bucket::split(location).or_else(|reason| bad("location", reason))?;
    let Some((bucket, template)) = split else {
        return Ok((None, Some(location)));
    };
    if !cfg!(feature = "object-store") {
        return bad(
            "location",
            format!(
                "\"{location}\": this build knows no object stores; build it with \
                 `cargo build --release --features object-store`"
            ),
        );
    }
    for (property, limit) in [
        ("max-files", set.max_files),
        ("max-bytes", set.max_bytes),
        ("min-free-bytes", set.min_free_bytes),
    ] {
        if limit > 0 {
            return bad(
                property,
                format!(
                    "limits files, and location is {}: give the bucket lifecycle rules",
                    bucket.url
                ),
            );
        }
    }
    if set.labels == Labels::Yolo {
        return bad(
            "labels",
            "yolo has a list of classes, a file that changes, which an object does not: take \
             kitti or coco, or a location on a disk",
        );
    }
    Ok((Some(bucket), Some(template)))
}

#[cfg(test)]
mod tests {
    use super::super::Config;
    use super::*;

    fn check(change: impl FnOnce(&mut Settings)) -> Result<Config, SettingsError> {
        let mut settings = Settings {
            location: Some("s3://bucket/{stream}/%06d.jpg".into()),
            ..Settings::default()
        };
        change(&mut settings);
        Config::try_from(&settings)
    }

    #[cfg(not(feature = "object-store"))]
    #[test]
    fn a_build_without_says_how_to_build_with() {
        let error = check(|_| ()).unwrap_err();
        assert_eq!(error.property, "location");
        assert!(
            error.to_string().contains("--features object-store"),
            "{error}"
        );
    }

    #[cfg(feature = "object-store")]
    #[test]
    fn a_bucket_and_a_template() {
        let pictures = check(|_| ()).unwrap().pictures.unwrap();
        assert_eq!(pictures.bucket.unwrap().url, "s3://bucket");
        assert!(pictures.template.unwrap().has_number());
        type Change = fn(&mut Settings);
        let cases: [(&str, Change); 5] = [
            ("max-files", |s| s.max_files = 1),
            ("max-bytes", |s| s.max_bytes = 1),
            ("min-free-bytes", |s| s.min_free_bytes = 1),
            ("labels", |s| s.labels = Labels::Yolo),
            ("location", |s| s.location = Some("s3://bucket".into())),
        ];
        for (property, change) in cases {
            assert_eq!(check(change).unwrap_err().property, property);
        }
    }

    #[test]
    fn other_addresses_are_refused_by_name() {
        type Change = fn(&mut Settings);
        let cases: [(&str, Change); 4] = [
            ("location", |s| {
                s.location = Some("http://bucket/%d.jpg".into());
            }),
            ("location", |s| {
                s.location = Some("file:///out/%d.jpg".into());
            }),
            ("log-location", |s| {
                s.log_location = Some("s3://bucket/log".into());
            }),
            ("labels-location", |s| {
                s.labels = Labels::Coco;
                s.labels_location = Some("gs://bucket/coco.json".into());
            }),
        ];
        for (property, change) in cases {
            assert_eq!(check(change).unwrap_err().property, property);
        }
    }
}
