// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! A template for names, and what is filled in: `template \0 facts`.

use std::path::{Component, Path};

use gstdsframe::capture::name::{NameFacts, Template, with_suffix};
use gstdsframe::meta::{Detection, FrameMeta};

use super::input::Input;

pub fn run(data: &[u8]) {
    let (text, mut input) = Input::text_and_rest(data);
    let template = match Template::parse(&text) {
        Ok(template) => template,
        Err(error) => {
            assert!(error.position >= 1 && error.position <= text.chars().count().max(1));
            assert!(!error.to_string().is_empty());
            return;
        }
    };
    let number = input.u64();
    let object = input.option(|input| (usize::from(input.u16()), input.detection()));
    let meta = FrameMeta {
        pad_index: input.u32(),
        ntp: input.option(Input::u64),
        sensor: input.option(|input| input.text(200).into()),
        ..FrameMeta::default()
    };
    let reason = input.text(20);
    let facts = NameFacts {
        number,
        stream: input.u32(),
        frame: input.u64(),
        pts: input.option(Input::u64),
        utc: jiff::Timestamp::from_second(i64::from(input.i32())).unwrap_or_default(),
        reason: &reason,
        meta: &meta,
        seq: input.u32(),
        object: object.as_ref().map(|(place, object)| (*place, object)),
    };
    let path = template.render(&facts);
    assert_eq!(path, template.render(&facts));

    // Nothing that is filled in leads elsewhere: names that cannot are in the same folders.
    let plain = Detection {
        label: "x".into(),
        ..Detection::default()
    };
    let harmless = NameFacts {
        number: 1,
        reason: "x",
        meta: &FrameMeta::default(),
        object: Some((1, &plain)),
        ..facts.clone()
    };
    let harmless = template.render(&harmless);
    let slashes = |path: &Path| path.to_str().unwrap().matches('/').count();
    assert_eq!(slashes(&path), slashes(&harmless));
    let (got, want): (Vec<_>, Vec<_>) =
        (path.components().collect(), harmless.components().collect());
    assert_eq!(got.len(), want.len());
    for (got, want) in got.iter().zip(&want) {
        assert_eq!(
            matches!(got, Component::Normal(_)),
            matches!(want, Component::Normal(_))
        );
    }
    assert!(path.starts_with(template.folder()));
    assert_eq!(path.is_absolute(), text.starts_with('/'));
    assert!(path.file_name().is_some());
    assert_eq!(with_suffix(&path, 2).parent(), path.parent());

    // The number is read back from a component that has nothing else filled in.
    if template.has_number() {
        let back = template.number_in(&path);
        assert!(back.is_some(), "{text:?} {path:?}");
        let alone = text.split('/').any(|component| {
            component.replace("%%", "").contains('%') && !component.contains(['{', '}'])
        });
        if alone {
            assert_eq!(back, Some(number), "{text:?} {path:?}");
        }
    }
    let _ = template.number_in(Path::new(&input.text(255)));
}
