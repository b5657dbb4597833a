// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! YAML: a map of groups, each a map of scalars or of lists of scalars. Whatever else YAML can say
//! is refused: it would mean something else to other readers.

use saphyr_parser::{Event, Parser, ScalarStyle, StrInput};

use super::document::{Builder, Document, Entry, Problem, no_group};
use super::schema::is_group;

const NAME_EXPECTED: &str = "a name followed by a colon was expected";

const NO_ANCHORS: &str = "anchors (&name) and aliases (*name) are not for this file: write the \
                          value, in quotes if it begins with & or *";

/// How the parser calls an alias of nothing.
const UNKNOWN_ANCHOR: &str = "while parsing node, found unknown anchor";

struct Reader<'a>(Parser<'a, StrInput<'a>>);

/// What is left of YAML's events.
enum Item {
    Scalar {
        text: String,
        is_null: bool,
    },
    List,
    Map,
    /// Of a list, a map or a document.
    End,
    Document,
    Stream,
}

impl Reader<'_> {
    /// With its line.
    fn next(&mut self) -> Result<(Item, usize), Problem> {
        let (event, span) = match self.0.next_event() {
            None => return Ok((Item::Stream, 0)),
            Some(Ok(event)) => event,
            Some(Err(error)) => {
                let line = error.marker().line();
                return Err(match error.info() {
                    UNKNOWN_ANCHOR => Problem::at(line, NO_ANCHORS),
                    info => Problem::at(line, format!("is not YAML: {info}")),
                });
            }
        };
        let line = span.start.line();
        let (anchor, tag) = match &event {
            Event::Scalar(_, _, anchor, tag)
            | Event::SequenceStart(anchor, tag)
            | Event::MappingStart(anchor, tag) => (*anchor, tag.is_some()),
            Event::Alias(anchor) => (*anchor, false),
            _ => (0, false),
        };
        if anchor != 0 || matches!(event, Event::Alias(_)) {
            return Err(Problem::at(line, NO_ANCHORS));
        }
        if tag {
            return Err(Problem::at(
                line,
                "tags (!name) are not for this file: write the value, in quotes if it begins \
                 with !",
            ));
        }
        let item = match event {
            Event::Scalar(text, style, ..) => Item::scalar(&text, style),
            Event::SequenceStart(..) => Item::List,
            Event::MappingStart(..) => Item::Map,
            Event::SequenceEnd | Event::MappingEnd | Event::DocumentEnd => Item::End,
            Event::DocumentStart(_) => Item::Document,
            Event::StreamEnd => Item::Stream,
            Event::Nothing | Event::StreamStart | Event::Alias(_) => return self.next(),
        };
        Ok((item, line))
    }

    /// The next name of a map, or `None` at its end.
    fn name(&mut self) -> Result<Option<(String, usize)>, Problem> {
        match self.next()? {
            (Item::Scalar { text, .. }, line) if !text.is_empty() => Ok(Some((text, line))),
            (Item::End, _) => Ok(None),
            (_, line) => Err(Problem::at(line, NAME_EXPECTED)),
        }
    }

    /// The value of a key, and whether it is a list.
    fn value(&mut self, key: &str, line: usize) -> Result<(String, bool), Problem> {
        match self.next()?.0 {
            Item::Scalar { is_null: true, .. } => Err(Problem::at(
                line,
                format!("key \"{key}\" has no value: write \"\" for an empty text"),
            )),
            Item::Scalar { text, .. } => Ok((text, false)),
            Item::List => {
                let mut items = Vec::new();
                loop {
                    match self.next()? {
                        (Item::End, _) => return Ok((items.join(","), true)),
                        (Item::Scalar { text, is_null }, at) => {
                            if is_null || text.trim().is_empty() {
                                return Err(Problem::at(
                                    at,
                                    format!("the list of key \"{key}\" has an empty item"),
                                ));
                            }
                            if text.contains([',', ';']) {
                                return Err(Problem::at(
                                    at,
                                    format!(
                                        "an item in the list of key \"{key}\" has a comma or a \
                                         semicolon: write one item for each"
                                    ),
                                ));
                            }
                            items.push(text);
                        }
                        (_, at) => {
                            return Err(Problem::at(
                                at,
                                format!("the list of key \"{key}\" is one of lists or maps"),
                            ));
                        }
                    }
                }
            }
            _ => Err(Problem::at(
                line,
                format!(
                    "key \"{key}\" has keys below it, and takes a value: check the indentation, \
                     or put quotes around a value that begins with {{"
                ),
            )),
        }
    }
}

impl Item {
    fn scalar(text: &str, style: ScalarStyle) -> Self {
        let is_block = matches!(style, ScalarStyle::Literal | ScalarStyle::Folded);
        let is_null =
            style == ScalarStyle::Plain && matches!(text, "" | "~" | "null" | "Null" | "NULL");
        let text = match is_block {
            true => text.trim_end_matches('\n'),
            false => text,
        };
        Self::Scalar {
            text: text.to_owned(),
            is_null,
        }
    }
}

pub fn parse(text: &str) -> Result<Document, Problem> {
    let mut reader = Reader(Parser::new_from_str(text));
    let mut builder = Builder::default();
    match reader.next()? {
        (Item::Stream, _) => return Err(Problem::new("is empty but for comments")),
        (Item::Document, _) => (),
        (_, line) => return Err(Problem::at(line, NAME_EXPECTED)),
    }
    match reader.next()? {
        (Item::Map, _) => (),
        (Item::Scalar { is_null: true, .. }, _) => {
            return Err(Problem::new("is empty but for comments"));
        }
        (Item::List, line) if text.trim_start().starts_with('[') => {
            return Err(Problem::at(
                line,
                "begins with a bracket: INI is read from files that do not end in .yml or .yaml",
            ));
        }
        (_, line) => {
            return Err(Problem::at(
                line,
                "a group was expected: write property: and the keys below it, indented",
            ));
        }
    }
    while let Some((group, line)) = reader.name()? {
        match reader.next()?.0 {
            Item::Map => {
                builder.group(&group, line)?;
                while let Some((key, line)) = reader.name()? {
                    let (value, is_list) = reader.value(&key, line)?;
                    builder.entry(Entry {
                        key,
                        value,
                        is_list,
                        line,
                    })?;
                }
            }
            Item::Scalar { is_null: true, .. } => builder.group(&group, line)?,
            _ if is_group(&group) => {
                return Err(Problem::at(
                    line,
                    format!(
                        "group \"{group}\" takes keys, below it and indented, each with a colon \
                         and a space: mode: interval"
                    ),
                ));
            }
            _ => return Err(no_group(&group, line)),
        }
    }
    loop {
        match reader.next()? {
            (Item::End, _) => (),
            (Item::Stream, _) => return Ok(builder.finish()),
            (_, line) => {
                return Err(Problem::at(
                    line,
                    "a second document begins here, and only one is read",
                ));
            }
        }
    }
}
