// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The generated parts of the elements' pages: what the registry and a running element say.
//!
//! `UPDATE_DOCS=1 cargo test --test docs tables` writes them anew.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use gst::glib;
use gst::prelude::*;

use super::{common, repository};

/// Properties that are there only with a cargo feature: they stay on the page in a build without.
const OPTIONAL: [(&str, &str, bool); 1] =
    [("monitor-address", "monitor", cfg!(feature = "monitor"))];

/// The bindings have no list of an element's signals.
const SIGNALS: [&str; 1] = ["capture"];

const FOOT: &str = "<!-- end -->";

fn mark(part: &str) -> String {
    format!("<!-- generated: {part} -->")
}

/// A cell of a table: no line ends, no column ends, and code where it is a value.
fn cell(text: &str) -> String {
    text.replace('\n', " ")
        .replace('|', "\\|")
        .replace('<', "&lt;")
}

fn code(value: impl std::fmt::Display) -> String {
    format!("`{value}`")
}

/// `u64::MAX` stands for unset where times are meant.
fn number(value: u64) -> String {
    match value {
        u64::MAX => "unset".into(),
        value => code(value),
    }
}

fn range(minimum: impl ToString, maximum: impl ToString, all: bool) -> String {
    match all {
        true => String::new(),
        false => format!(", {} to {}", minimum.to_string(), maximum.to_string()),
    }
}

/// Type with range, and default.
fn kind(spec: &glib::ParamSpec) -> (String, String) {
    if let Some(spec) = spec.downcast_ref::<glib::ParamSpecUInt>() {
        let (low, high) = (spec.minimum(), spec.maximum());
        let limits = range(low, high, low == 0 && high == u32::MAX);
        (format!("uint{limits}"), code(spec.default_value()))
    } else if let Some(spec) = spec.downcast_ref::<glib::ParamSpecInt>() {
        let (low, high) = (spec.minimum(), spec.maximum());
        let limits = match (low, high) {
            (i32::MIN, i32::MAX) => String::new(),
            (low, i32::MAX) => format!(", from {low}"),
            (low, high) => range(low, high, false),
        };
        (format!("int{limits}"), code(spec.default_value()))
    } else if let Some(spec) = spec.downcast_ref::<glib::ParamSpecUInt64>() {
        let (low, high) = (spec.minimum(), spec.maximum());
        let limits = range(low, high, low == 0 && high == u64::MAX);
        (format!("uint64{limits}"), number(spec.default_value()))
    } else if let Some(spec) = spec.downcast_ref::<glib::ParamSpecInt64>() {
        let (low, high) = (spec.minimum(), spec.maximum());
        let limits = match (low, high) {
            (i64::MIN, i64::MAX) => String::new(),
            (low, i64::MAX) => format!(", from {low}"),
            (low, high) => range(low, high, false),
        };
        (format!("int64{limits}"), code(spec.default_value()))
    } else if let Some(spec) = spec.downcast_ref::<glib::ParamSpecFloat>() {
        let limits = range(spec.minimum(), spec.maximum(), false);
        (format!("float{limits}"), code(spec.default_value()))
    } else if let Some(spec) = spec.downcast_ref::<glib::ParamSpecBoolean>() {
        ("boolean".into(), code(spec.default_value()))
    } else if spec.is::<glib::ParamSpecString>() {
        let default = spec.default_value().get::<Option<String>>().unwrap();
        let default = default.map_or_else(|| "unset".into(), code);
        ("string".into(), default)
    } else if spec.is::<glib::ParamSpecEnum>() {
        let class = glib::EnumClass::with_type(spec.value_type()).unwrap();
        let nicks: Vec<String> = class.values().iter().map(|v| code(v.nick())).collect();
        let (_, default) = glib::EnumValue::from_value(spec.default_value()).unwrap();
        (format!("enum: {}", nicks.join(" ")), code(default.nick()))
    } else if spec.value_type() == gst::Structure::static_type() {
        ("structure".into(), "-".into())
    } else {
        panic!("{}: a type that the page does not know", spec.name());
    }
}

/// When it may be set.
fn set(spec: &glib::ParamSpec) -> &'static str {
    let flags = spec.flags();
    let playing = flags.contains(gst::PARAM_FLAG_MUTABLE_PLAYING);
    match (
        flags.contains(glib::ParamFlags::READABLE),
        flags.contains(glib::ParamFlags::WRITABLE),
    ) {
        (true, false) => "read only",
        (false, _) => "any time, write only",
        (true, true) if playing => "any time",
        (true, true) => "before PAUSED",
    }
}

fn make(name: &str) -> gst::Element {
    common::init();
    gst::ElementFactory::make(name).build().unwrap()
}

fn own(element: &gst::Element) -> Vec<glib::ParamSpec> {
    let own = element.type_();
    let specs = element.list_properties();
    specs
        .iter()
        .filter(|spec| spec.owner_type() == own)
        .cloned()
        .collect()
}

/// In the order in which they are declared, which is by what they are for.
fn properties(element: &gst::Element) -> String {
    let mut text =
        "| Property | Type | Default | Set | Meaning |\n|---|---|---|---|---|\n".to_string();
    for spec in own(element) {
        let (kind, default) = kind(&spec);
        let optional = OPTIONAL.iter().find(|(name, ..)| *name == spec.name());
        let feature = optional.map_or(String::new(), |(_, feature, _)| {
            format!(". Only with cargo feature `{feature}`")
        });
        let meaning = cell(spec.blurb().unwrap());
        writeln!(
            text,
            "| `{}` | {} | {default} | {} | {meaning}{feature} |",
            spec.name(),
            cell(&kind),
            set(&spec),
        )
        .unwrap();
    }
    text
}

fn values(element: &gst::Element) -> String {
    let mut text = "| Property | Value | Number | Meaning |\n|---|---|---|---|\n".to_string();
    for spec in own(element) {
        let Some(class) = glib::EnumClass::with_type(spec.value_type()) else {
            continue;
        };
        for value in class.values() {
            let (nick, number) = (value.nick(), value.value());
            let name = cell(value.name());
            writeln!(text, "| `{}` | `{nick}` | {number} | {name} |", spec.name()).unwrap();
        }
    }
    text
}

fn pads(element: &gst::Element) -> String {
    let mut text =
        "| Pad | Direction | Presence | Memory | Formats |\n|---|---|---|---|---|\n".to_string();
    for template in element.pad_template_list() {
        for (structure, features) in template.caps().iter_with_features() {
            let formats = structure.get::<gst::List>("format").unwrap();
            let formats: Vec<String> = formats.iter().map(|f| f.get().unwrap()).collect();
            writeln!(
                text,
                "| `{}` | {:?} | {:?} | `{}({features})` | {} |",
                template.name_template(),
                template.direction(),
                template.presence(),
                structure.name(),
                formats.join(" "),
            )
            .unwrap();
        }
    }
    text
}

fn signals(element: &gst::Element) -> String {
    let mut text = "| Signal | Takes | Returns | |\n|---|---|---|---|\n".to_string();
    for name in SIGNALS {
        let signal = glib::subclass::SignalId::lookup(name, element.type_()).unwrap();
        let signal = signal.query();
        let takes: Vec<String> = signal
            .param_types()
            .iter()
            .map(|kind| code(kind.type_().name()))
            .collect();
        let action = signal.flags().contains(glib::SignalFlags::ACTION);
        writeln!(
            text,
            "| `{}` | {} | `{}` | {} |",
            signal.signal_name(),
            takes.join(" "),
            signal.return_type().type_().name(),
            if action {
                "to be emitted by the application"
            } else {
                ""
            },
        )
        .unwrap();
    }
    text
}

/// Fields of a structure and of the structures in it.
fn fields(structure: &gst::StructureRef, prefix: &str, text: &mut String) {
    for (name, value) in structure.iter() {
        if let Ok(list) = value.get::<gst::List>() {
            writeln!(text, "| `{prefix}{name}` | list |").unwrap();
            if let Some(Ok(inner)) = list.iter().next().map(|item| item.get::<gst::Structure>()) {
                fields(&inner, &format!("{prefix}{name}[]."), text);
            }
        } else if let Ok(inner) = value.get::<gst::Structure>() {
            writeln!(text, "| `{prefix}{name}` | structure |").unwrap();
            fields(&inner, &format!("{prefix}{name}."), text);
        } else {
            let kind = match value.type_().name() {
                "gchararray" => "string",
                name => name.strip_prefix('g').unwrap_or(name),
            };
            writeln!(text, "| `{prefix}{name}` | {kind} |").unwrap();
        }
    }
}

fn table_of(structure: &gst::StructureRef) -> String {
    let mut text = "| Field | Type |\n|---|---|\n".to_string();
    fields(structure, "", &mut text);
    text
}

/// `stats` of both elements and the message that a capture posts, after a run that has everything.
fn from_a_run() -> (gst::Structure, gst::Structure, gst::Structure) {
    let folder = tempfile::tempdir().unwrap();
    let pipeline = common::launch(&format!(
        "dsframeinject name=inject pattern=objects num-buffers=2 \
         ! video/x-raw,format=RGB,width=320,height=180,framerate=30/1 \
         ! dsframecapture name=capture interval=1 post-messages=true channel=docs \
           location={0}/%d.jpg log-location={0}/log.jsonl \
         dsframeinject channel=docs ! fakesink sync=false",
        folder.path().display()
    ));
    let bus = pipeline.bus().unwrap();
    pipeline.set_state(gst::State::Playing).unwrap();
    let messages = common::wait_for_end(&bus);
    let stats = |name: &str| -> gst::Structure {
        let element = pipeline.by_name(name).unwrap();
        element.property("stats")
    };
    let found = (stats("inject"), stats("capture"));
    pipeline.set_state(gst::State::Null).unwrap();
    let saved = messages.elements("dsframecapture-saved");
    (found.0, found.1, saved.into_iter().next().unwrap())
}

/// What an optional property says where it is not built in: what is on the page already.
fn with_absent(generated: String, page: &str) -> String {
    let mut lines: Vec<&str> = generated.lines().collect();
    for (name, _, here) in OPTIONAL {
        let row = format!("| `{name}` |");
        let old: Vec<&str> = page.lines().collect();
        let Some(at) = old.iter().position(|line| line.starts_with(&row)) else {
            continue;
        };
        let before = lines.iter().position(|line| *line == old[at - 1]);
        if let (false, Some(before)) = (here, before) {
            lines.insert(before + 1, old[at]);
        }
    }
    lines.join("\n") + "\n"
}

/// The page with its generated parts replaced.
fn filled(page: &str, parts: &BTreeMap<&str, String>) -> String {
    let mut text = page.to_owned();
    for (part, generated) in parts {
        let mark = mark(part);
        let start = text
            .find(&mark)
            .unwrap_or_else(|| panic!("there is no {mark}"))
            + mark.len();
        let end = start
            + text[start..]
                .find(FOOT)
                .unwrap_or_else(|| panic!("{mark} has no end"));
        let generated = with_absent(generated.clone(), &text[start..end]);
        text.replace_range(start..end, &format!("\n{generated}"));
    }
    text
}

#[track_caller]
fn check(name: &str, parts: BTreeMap<&str, String>) {
    let path = repository().join(format!("docs/{name}.md"));
    let page = std::fs::read_to_string(&path).unwrap();
    assert_eq!(
        page.matches("<!-- generated: ").count(),
        parts.len(),
        "{name}: a mark that nothing fills"
    );
    let wanted = filled(&page, &parts);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, wanted).unwrap();
        return;
    }
    for (have, want) in page.lines().zip(wanted.lines()) {
        assert_eq!(
            have, want,
            "docs/{name}.md: UPDATE_DOCS=1 cargo test --test docs tables"
        );
    }
    assert_eq!(
        page, wanted,
        "docs/{name}.md: UPDATE_DOCS=1 cargo test --test docs tables"
    );
}

#[test]
fn the_page_of_dsframeinject_says_what_the_registry_says() {
    let element = make("dsframeinject");
    let (stats, ..) = from_a_run();
    check(
        "dsframeinject",
        BTreeMap::from([
            ("pads", pads(&element)),
            ("properties", properties(&element)),
            ("stats", table_of(&stats)),
            ("values", values(&element)),
        ]),
    );
}

#[test]
fn the_page_of_dsframecapture_says_what_the_registry_says() {
    let element = make("dsframecapture");
    let (_, stats, saved) = from_a_run();
    check(
        "dsframecapture",
        BTreeMap::from([
            ("messages", table_of(&saved)),
            ("pads", pads(&element)),
            ("properties", properties(&element)),
            ("signals", signals(&element)),
            ("stats", table_of(&stats)),
            ("values", values(&element)),
        ]),
    );
}

/// The pages name every property of theirs, even where a build lacks some.
#[test]
fn an_optional_property_stays_where_it_was() {
    let page = "a\n| `monitor-address` | string |\nb\n";
    let generated = "a\nb\n".to_string();
    let kept = with_absent(generated.clone(), page);
    match cfg!(feature = "monitor") {
        true => assert_eq!(kept, generated),
        false => assert_eq!(kept, page),
    }
}
