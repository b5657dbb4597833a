// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! How much may be taken of a disk and of a GPU, out of the properties that say so.

use crate::capture::deliver::quota::Limits;
use crate::capture::enums::{OnExists, OnFull};
use crate::fault::{SettingsError, bad};

use super::{Pictures, Settings};

/// What is to stay free on each GPU.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GpuFloor {
    pub min_free: u64,
    /// Below it an error ends the capture.
    pub stops: bool,
}

pub fn gpu_floor(set: &Settings) -> Option<GpuFloor> {
    (set.min_free_gpu_bytes > 0).then_some(GpuFloor {
        min_free: set.min_free_gpu_bytes,
        stops: set.on_full == OnFull::Stop,
    })
}

pub fn limits(
    set: &Settings,
    pictures: Option<&Pictures>,
) -> Result<Option<Limits>, SettingsError> {
    let of_disk = [
        ("max-files", set.max_files),
        ("max-bytes", set.max_bytes),
        ("min-free-bytes", set.min_free_bytes),
    ];
    let set_one = of_disk.into_iter().find(|(_, limit)| *limit > 0);
    let Some((property, _)) = set_one else {
        return match set.on_full {
            OnFull::Stop => Ok(None),
            OnFull::Drop if set.min_free_gpu_bytes > 0 => Ok(None),
            OnFull::Drop => bad(
                "on-full",
                "says what to do when a limit is reached, and there is none: set max-files, \
                 max-bytes, min-free-bytes or min-free-gpu-bytes",
            ),
            OnFull::Rotate => bad(
                "on-full",
                "rotate deletes the oldest when a limit is reached, and there is none: set \
                 max-files, max-bytes or min-free-bytes",
            ),
        };
    };
    let named = pictures.and_then(|it| Some((it.on_exists, it.template.as_ref()?)));
    let Some((on_exists, template)) = named else {
        return bad(
            property,
            "limits the files at location, and location is not set",
        );
    };
    if set.on_full == OnFull::Rotate && on_exists == OnExists::Overwrite && !template.varies() {
        return bad(
            "on-full",
            "rotate has nothing to delete with on-exists=overwrite and one name: take another \
             location, such as out/%06d.jpg, or unset on-full",
        );
    }
    Ok(Some(Limits {
        max_files: set.max_files,
        max_bytes: set.max_bytes,
        min_free: set.min_free_bytes,
        on_full: set.on_full,
    }))
}

#[cfg(test)]
mod tests {
    use super::super::tests::check;
    use super::*;

    #[test]
    fn limits_that_limit_nothing_name_the_property() {
        type Change = fn(&mut Settings);
        let cases: [(&str, Change); 7] = [
            ("max-files", |s| {
                s.location = None;
                s.post_messages = true;
                s.max_files = 1;
            }),
            ("max-bytes", |s| {
                s.location = None;
                s.post_messages = true;
                s.max_bytes = 1;
            }),
            ("min-free-bytes", |s| {
                s.location = None;
                s.log_location = Some("log".into());
                s.min_free_bytes = 1;
            }),
            ("on-full", |s| s.on_full = OnFull::Drop),
            ("on-full", |s| s.on_full = OnFull::Rotate),
            ("on-full", |s| {
                s.on_full = OnFull::Rotate;
                s.min_free_gpu_bytes = 1;
            }),
            ("on-full", |s| {
                s.location = Some("one.jpg".into());
                s.max_captures = 1;
                s.max_files = 1;
                s.on_exists = OnExists::Overwrite;
                s.on_full = OnFull::Rotate;
            }),
        ];
        for (property, change) in cases {
            assert_eq!(check(change).unwrap_err().property, property);
        }
    }

    #[test]
    fn a_gpu_has_a_limit_of_its_own() {
        let floor = |on_full| {
            let config = check(|s| {
                s.min_free_gpu_bytes = 5;
                s.on_full = on_full;
            });
            let config = config.unwrap();
            assert_eq!(config.limits, None);
            config.gpu_floor.unwrap()
        };
        assert!(floor(OnFull::Stop).stops && !floor(OnFull::Drop).stops);
        assert_eq!(check(|_| ()).unwrap().gpu_floor, None);
    }
}
