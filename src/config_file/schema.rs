// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What a file may say to an element.

use std::path::Path;

use gst::glib;

use super::document::{Document, Entry, Group, Problem, no_group};
use super::place::{self, Kind};
use super::suggest::did_you_mean;
use super::variables::{self, Lookup};
use super::{ConfigFile, OfStream, PROPERTY, Said, value};

const GROUP: &str = "property";
const STREAM: &str = "stream-";

/// Keys of nvinfer's files that the elements here have nothing like.
const NVINFER: [&str; 14] = [
    "batch-size",
    "cluster-mode",
    "custom-lib-path",
    "engine-create-func-name",
    "gie-unique-id",
    "int8-calib-file",
    "labelfile-path",
    "model-engine-file",
    "model-file",
    "net-scale-factor",
    "network-mode",
    "num-detected-classes",
    "onnx-file",
    "tlt-model-key",
];

/// Whether a name can be that of a group.
pub fn is_group(name: &str) -> bool {
    name == GROUP || name.starts_with(STREAM)
}

pub struct Schema<'a> {
    pub element: &'static str,
    pub properties: &'a [glib::ParamSpec],
    /// Those of its base classes that a file may set.
    pub inherited: &'a [glib::ParamSpec],
    /// The other element, and its properties.
    pub other: (&'static str, &'a [glib::ParamSpec]),
    /// The properties that streams may have of their own; none: there are no groups of streams.
    pub per_stream: &'a [&'static str],
    /// Those whose text is a list.
    pub lists: &'a [&'static str],
    /// Those that are paths.
    pub paths: &'a [(&'static str, Kind)],
}

/// Where a file is, and what its variables are.
struct Surroundings<'a> {
    folder: &'a Path,
    lookup: Lookup<'a>,
}

impl Schema<'_> {
    pub fn read(
        &self,
        path: &Path,
        document: &Document,
        lookup: Lookup<'_>,
    ) -> Result<ConfigFile, Problem> {
        let around = Surroundings {
            folder: path.parent().unwrap_or(Path::new("")),
            lookup,
        };
        let mut file = ConfigFile {
            path: path.into(),
            ..ConfigFile::default()
        };
        for group in &document.groups {
            if group.name == GROUP {
                for entry in &group.entries {
                    let (pspec, is_inherited) = self.find(entry)?;
                    let said = self.said(entry, pspec, &around)?;
                    match is_inherited {
                        true => file.inherited.push(said),
                        false => file.said.push(said),
                    }
                }
                continue;
            }
            let stream = self.stream(group)?;
            let of_stream = OfStream {
                line: group.line,
                said: group
                    .entries
                    .iter()
                    .map(|entry| self.said(entry, self.find_for_stream(entry)?, &around))
                    .collect::<Result<_, _>>()?,
            };
            file.streams.insert(stream, of_stream);
        }
        Ok(file)
    }

    /// The stream that a group is of.
    fn stream(&self, group: &Group) -> Result<u32, Problem> {
        let (name, line) = (&group.name, group.line);
        let wrong = |text: String| Err(Problem::at(line, text));
        let number = name.strip_prefix(STREAM);
        // One way to write each, or there would be two groups of one stream.
        let is_plain = |digits: &str| digits == "0" || !digits.starts_with(['0', '+']);
        let stream = number
            .filter(|digits| is_plain(digits))
            .and_then(|digits| digits.parse::<u32>().ok());
        match (stream, number) {
            (Some(stream), _) if !self.per_stream.is_empty() => return Ok(stream),
            (Some(_), _) => {
                return wrong(format!(
                    "group \"{name}\": {} has one stream, and takes group \"{GROUP}\" alone",
                    self.element
                ));
            }
            (None, Some(digits)) if !self.per_stream.is_empty() => {
                let is_number = !digits.is_empty() && digits.bytes().all(|it| it.is_ascii_digit());
                if is_number && digits.parse::<u32>().is_err() {
                    return wrong(format!(
                        "group \"{name}\" names no stream: the ids of sources go to {}",
                        u32::MAX
                    ));
                }
                let stream = digits.parse::<u32>().unwrap_or_default();
                return wrong(format!(
                    "group \"{name}\" names no stream: write \"{STREAM}{stream}\" for the \
                     source with id {stream}"
                ));
            }
            _ => (),
        }
        if name.starts_with("class-attrs-") {
            return wrong(format!(
                "group \"{name}\" is one of nvinfer, which has a file of its own"
            ));
        }
        if self.is_key(name) && group.entries.is_empty() {
            return Err(no_group(name, line));
        }
        let groups = match self.per_stream.is_empty() {
            true => format!("there is only \"{GROUP}\""),
            false => format!("there are \"{GROUP}\" and \"{STREAM}0\", \"{STREAM}1\" and so on"),
        };
        // Not by likeness alone: any number may follow.
        let digits = name.trim_start_matches(|c: char| !c.is_ascii_digit());
        let meant = match digits.parse::<u32>() {
            Ok(stream) if !self.per_stream.is_empty() => format!("{STREAM}{stream}"),
            _ => GROUP.to_owned(),
        };
        let hint = did_you_mean(name, [meant.as_str()]);
        wrong(format!("unknown group \"{name}\"{hint} ({groups})"))
    }

    fn is_key(&self, name: &str) -> bool {
        let mut all = self.properties.iter().chain(self.inherited);
        all.any(|pspec| pspec.name() == name)
    }

    /// The property that a key is, and whether it is one of a base class.
    fn find(&self, entry: &Entry) -> Result<(&glib::ParamSpec, bool), Problem> {
        let key = entry.key.as_str();
        let wrong = |text: String| Err(Problem::at(entry.line, text));
        match key {
            PROPERTY => return wrong(format!("key \"{key}\": a file cannot name another")),
            "name" | "parent" => {
                return wrong(format!(
                    "key \"{key}\" cannot be set by a file: it belongs to the pipeline"
                ));
            }
            _ => (),
        }
        if let Some(pspec) = self.properties.iter().find(|pspec| pspec.name() == key) {
            if !pspec.flags().contains(glib::ParamFlags::WRITABLE) {
                return wrong(format!("key \"{key}\" is read only"));
            }
            if !pspec.flags().contains(glib::ParamFlags::READABLE) {
                return wrong(format!(
                    "key \"{key}\" asks for something while the element runs, and cannot be set \
                     by a file"
                ));
            }
            return Ok((pspec, false));
        }
        if let Some(pspec) = self.inherited.iter().find(|pspec| pspec.name() == key) {
            return Ok((pspec, true));
        }
        let (other, others) = self.other;
        if others.iter().any(|pspec| pspec.name() == key) {
            return wrong(format!(
                "key \"{key}\" is one of {other}, and this is a file for {}",
                self.element
            ));
        }
        if NVINFER.contains(&key) {
            return wrong(format!(
                "key \"{key}\" is one of nvinfer, which has a file of its own"
            ));
        }
        let names = self.properties.iter().chain(self.inherited);
        let settable = names
            .filter(|pspec| pspec.flags().contains(glib::ParamFlags::READWRITE))
            .map(|pspec| pspec.name())
            .filter(|name| *name != PROPERTY);
        wrong(format!(
            "unknown key \"{key}\"{}",
            did_you_mean(key, settable)
        ))
    }

    /// The property that a key in the group of a stream is.
    fn find_for_stream(&self, entry: &Entry) -> Result<&glib::ParamSpec, Problem> {
        let key = entry.key.as_str();
        match self.find(entry) {
            Ok((pspec, _)) if self.per_stream.contains(&key) => Ok(pspec),
            Ok(_) => Err(Problem::at(
                entry.line,
                format!("key \"{key}\" is for all streams: put it into group \"{GROUP}\""),
            )),
            Err(problem) => Err(problem),
        }
    }

    fn said(
        &self,
        entry: &Entry,
        pspec: &glib::ParamSpec,
        around: &Surroundings<'_>,
    ) -> Result<Said, Problem> {
        let key = entry.key.as_str();
        let wrong = |text: String| Problem::at(entry.line, format!("key \"{key}\" {text}"));
        let is_list = self.lists.contains(&key);
        if entry.is_list && !is_list {
            return Err(wrong("takes one value, not a list".into()));
        }
        let mut text = variables::expand(&entry.value, around.lookup)
            .map_err(|reason| Problem::at(entry.line, format!("key \"{key}\": {reason}")))?;
        // GLib ends lists with it.
        if let Some(list) = text.trim_end().strip_suffix(';').filter(|_| is_list) {
            text = list.to_owned();
        }
        if text.contains('\0') {
            return Err(wrong("has a zero byte".into()));
        }
        if let Some((_, kind)) = self.paths.iter().find(|(name, _)| *name == key) {
            text = place::resolve(text, *kind, around.folder).map_err(wrong)?;
        }
        let value = value::parse(&text, pspec).map_err(|allowed| {
            // What variables say is nobody's business.
            wrong(match variables::has_any(&entry.value) {
                true => format!("{allowed}, and \"{}\" stands for none", shown(&entry.value)),
                false => format!("{allowed}, not \"{}\"", shown(&entry.value)),
            })
        })?;
        Ok(Said {
            name: pspec.name(),
            value,
            line: entry.line,
        })
    }
}

/// Not more than a line.
fn shown(text: &str) -> String {
    const MOST: usize = 60;
    let mut letters = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    let shown: String = letters.by_ref().take(MOST).collect();
    match letters.next() {
        Some(_) => format!("{shown}..."),
        None => shown,
    }
}
