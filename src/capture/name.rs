// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! File names from templates: `cam-{stream}/%06d.jpg`. A template is parsed once and in one pass;
//! what is filled in is never parsed again and cannot leave its folder.

mod read;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::meta::{Detection, FrameMeta};

pub use read::{Values, without_suffix};

/// What a captured picture can put into its name.
#[derive(Debug, Clone)]
pub struct NameFacts<'a> {
    /// The number of the capture, `%d`.
    pub number: u64,
    pub stream: u32,
    pub frame: u64,
    /// In nanoseconds.
    pub pts: Option<u64>,
    /// The wall clock.
    pub utc: jiff::Timestamp,
    pub reason: &'a str,
    /// What the metadata says about the frame.
    pub meta: &'a FrameMeta,
    /// The picture within the capture, from 0.
    pub seq: u32,
    /// The object that the picture is about, and its place in the frame's list.
    pub object: Option<(usize, &'a Detection)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token {
    Stream,
    Pad,
    Sensor,
    Frame,
    Pts,
    Ntp,
    Utc,
    Reason,
    Label,
    Class,
    Track,
    Confidence,
    Object,
    Seq,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    /// Can be padded with zeros.
    Number,
    /// The same; `none` where there is no such number.
    NumberOrNone,
}

struct TokenInfo {
    name: &'static str,
    token: Token,
    kind: Kind,
    /// Differs from capture to capture of one stream.
    varies: bool,
}

impl TokenInfo {
    /// The same for all frames of a stream.
    fn is_of_stream(&self) -> bool {
        matches!(self.token, Token::Stream | Token::Pad | Token::Sensor)
    }
}

const fn info(name: &'static str, token: Token, kind: Kind, varies: bool) -> TokenInfo {
    TokenInfo {
        name,
        token,
        kind,
        varies,
    }
}

const TOKENS: [TokenInfo; 14] = [
    info("stream", Token::Stream, Kind::Number, false),
    info("pad", Token::Pad, Kind::Number, false),
    info("sensor", Token::Sensor, Kind::Text, false),
    info("frame", Token::Frame, Kind::Number, true),
    info("pts", Token::Pts, Kind::NumberOrNone, true),
    info("ntp", Token::Ntp, Kind::NumberOrNone, true),
    info("utc", Token::Utc, Kind::Text, true),
    info("reason", Token::Reason, Kind::Text, false),
    info("label", Token::Label, Kind::Text, false),
    info("class", Token::Class, Kind::NumberOrNone, false),
    info("track", Token::Track, Kind::NumberOrNone, false),
    info("confidence", Token::Confidence, Kind::Text, false),
    info("object", Token::Object, Kind::NumberOrNone, false),
    info("seq", Token::Seq, Kind::Number, false),
];

/// What stands for a value that is not there.
const NONE: &str = "none";

/// No 64-bit number has more digits.
const MAX_PADDING: usize = 20;
/// No path is longer.
const MAX_TEMPLATE: usize = 4096;
/// Longer values are cut.
const MAX_VALUE: usize = 100;

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "\"{template}\": {problem} at character {position}; known are %d, %06d, %%, {{{{, }}}} and {}",
    known_tokens()
)]
pub struct NameError {
    pub template: String,
    /// Counted from 1.
    pub position: usize,
    pub problem: String,
}

fn known_tokens() -> String {
    let names: Vec<String> = TOKENS.iter().map(|t| format!("{{{}}}", t.name)).collect();
    names.join(" ")
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Literal(String),
    Number { padding: usize },
    Token { index: usize, padding: usize },
}

/// A parsed template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    parts: Vec<Part>,
}

impl Template {
    pub fn parse(template: &str) -> Result<Self, NameError> {
        let chars: Vec<char> = template.chars().collect();
        let fail = |at: usize, problem: &str| NameError {
            template: template.to_owned(),
            position: at + 1,
            problem: problem.to_owned(),
        };
        if chars.len() > MAX_TEMPLATE {
            return Err(fail(MAX_TEMPLATE, "too long"));
        }
        let mut parser = Parser::default();
        let mut at = 0;
        while at < chars.len() {
            let next = chars.get(at + 1).copied();
            match (chars[at], next) {
                ('%', Some('%')) | ('{', Some('{')) | ('}', Some('}')) => {
                    parser.literal(chars[at]);
                    at += 2;
                }
                ('%', _) => {
                    let (padding, end) = number_directive(&chars, at)
                        .ok_or_else(|| fail(at, "a % that is neither %d, %0Nd nor %%"))?;
                    if parser
                        .parts
                        .iter()
                        .any(|p| matches!(p, Part::Number { .. }))
                    {
                        return Err(fail(at, "a second number"));
                    }
                    parser.parts.push(Part::Number { padding });
                    at = end;
                }
                ('{', _) => {
                    let length = chars[at..]
                        .iter()
                        .position(|&c| c == '}')
                        .ok_or_else(|| fail(at, "a { without its }"))?;
                    let inner: String = chars[at + 1..at + length].iter().collect();
                    let token = token(&inner).map_err(|problem| fail(at, &problem))?;
                    parser.parts.push(token);
                    at += length + 1;
                }
                ('}', _) => return Err(fail(at, "a } without its {")),
                ('\0', _) => return Err(fail(at, "a zero character")),
                (character, _) => {
                    parser.literal(character);
                    at += 1;
                }
            }
        }
        match parser.parts.last() {
            None => return Err(fail(0, "nothing")),
            Some(Part::Literal(text)) if ends_in_folder(text) => {
                return Err(fail(chars.len() - 1, "no file name"));
            }
            Some(_) => {}
        }
        Ok(Self {
            parts: parser.parts,
        })
    }

    /// The name of one picture.
    pub fn render(&self, facts: &NameFacts<'_>) -> PathBuf {
        let mut name = String::new();
        for part in &self.parts {
            match part {
                Part::Literal(text) => name.push_str(text),
                Part::Number { padding } => name.push_str(&padded(facts.number, *padding)),
                Part::Token { index, padding } => {
                    name.push_str(&value(TOKENS[*index].token, *padding, facts));
                }
            }
        }
        name.into()
    }

    /// Two captures of one stream get different names.
    pub fn varies(&self) -> bool {
        self.parts.iter().any(|part| match part {
            Part::Literal(_) => false,
            Part::Number { .. } => true,
            Part::Token { index, .. } => TOKENS[*index].varies,
        })
    }

    /// All frames of a stream get one name.
    pub fn is_of_stream(&self) -> bool {
        self.parts.iter().all(|part| match part {
            Part::Literal(_) => true,
            Part::Number { .. } => false,
            Part::Token { index, .. } => TOKENS[*index].is_of_stream(),
        })
    }

    /// The name, if nothing is filled in.
    pub fn literal(&self) -> Option<&str> {
        match self.parts.as_slice() {
            [Part::Literal(text)] => Some(text),
            _ => None,
        }
    }

    /// There is a `%d`.
    pub fn has_number(&self) -> bool {
        self.parts.iter().any(|p| matches!(p, Part::Number { .. }))
    }

    /// The folders before anything that is filled in; empty for the current one.
    pub fn folder(&self) -> PathBuf {
        let literal = match self.parts.first() {
            Some(Part::Literal(text)) => text.as_str(),
            _ => "",
        };
        match literal.rfind('/') {
            Some(0) => "/".into(),
            Some(end) => literal[..end].into(),
            None => PathBuf::new(),
        }
    }
}

/// `name-2.jpg` for `name.jpg` and 2.
pub fn with_suffix(path: &Path, n: u64) -> PathBuf {
    let mut name: OsString = path.file_stem().unwrap_or_default().to_owned();
    name.push(format!("-{n}"));
    if let Some(extension) = path.extension() {
        name.push(".");
        name.push(extension);
    }
    path.with_file_name(name)
}

#[derive(Default)]
struct Parser {
    parts: Vec<Part>,
    /// A `./` was left out at the beginning: another `/` there does not make it the root.
    here: bool,
}

impl Parser {
    fn literal(&mut self, character: char) {
        if !matches!(self.parts.last(), Some(Part::Literal(_))) {
            self.parts.push(Part::Literal(String::new()));
        }
        let first = self.parts.len() == 1;
        let Some(Part::Literal(text)) = self.parts.last_mut() else {
            return;
        };
        // The shape that paths have when a folder is listed.
        let behind_dot = first && self.here && text.is_empty();
        if character == '/' && (text.ends_with('/') || behind_dot) {
            return;
        }
        text.push(character);
        if first && text == "./" {
            text.clear();
            self.here = true;
        }
    }
}

fn ends_in_folder(text: &str) -> bool {
    let last = text.rsplit('/').next().unwrap_or_default();
    last.is_empty()
        || (text.contains('/') && (last == "." || last == ".."))
        || text == ".."
        || text == "."
}

/// `%d` or `%0Nd` at `at`: its padding, and where it ends.
fn number_directive(chars: &[char], at: usize) -> Option<(usize, usize)> {
    let length = chars[at + 1..].iter().position(|&c| c == 'd')?;
    let end = at + length + 2;
    if length == 0 {
        return Some((0, end));
    }
    let digits: String = chars[at + 1..at + 1 + length].iter().collect();
    Some((padding(&digits)?, end))
}

/// `06` is 6.
fn padding(digits: &str) -> Option<usize> {
    let width = digits.strip_prefix('0')?;
    if width.is_empty() || width.len() > 2 || !width.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    width.parse().ok().filter(|w| (1..=MAX_PADDING).contains(w))
}

fn token(inner: &str) -> Result<Part, String> {
    let (name, digits) = match inner.split_once(':') {
        Some((name, digits)) => (name, Some(digits)),
        None => (inner, None),
    };
    let index = TOKENS
        .iter()
        .position(|t| t.name == name)
        .ok_or_else(|| format!("unknown token {{{name}}}"))?;
    let padding = match digits {
        None => 0,
        Some(_) if TOKENS[index].kind == Kind::Text => {
            return Err(format!("{{{name}}} takes no padding"));
        }
        Some(digits) => padding(digits)
            .ok_or_else(|| format!("padding \"{digits}\" of {{{name}}} is not like 06"))?,
    };
    Ok(Part::Token { index, padding })
}

fn padded(number: u64, padding: usize) -> String {
    format!("{number:0padding$}")
}

fn value(token: Token, padding: usize, facts: &NameFacts<'_>) -> String {
    let number = |number: Option<u64>| {
        number.map_or_else(|| NONE.to_owned(), |number| padded(number, padding))
    };
    let text = |text: Option<&str>| text.map_or_else(|| NONE.to_owned(), sanitised);
    let object = facts.object.map(|(_, object)| object);
    match token {
        Token::Stream => number(Some(facts.stream.into())),
        Token::Pad => number(Some(facts.meta.pad_index.into())),
        Token::Sensor => text(facts.meta.sensor.as_deref()),
        Token::Frame => number(Some(facts.frame)),
        Token::Pts => number(facts.pts),
        Token::Ntp => number(facts.meta.ntp),
        Token::Utc => sanitised(&facts.utc.strftime("%Y%m%dT%H%M%S.%3fZ").to_string()),
        Token::Reason => sanitised(facts.reason),
        Token::Label => text(object.map(|object| object.label.as_str())),
        // What counts from 0 is a number; a detector that has no class for an object may say -1.
        Token::Class => number(
            object
                .and_then(|object| object.class_id)
                .and_then(|id| id.try_into().ok()),
        ),
        Token::Track => number(object.and_then(|object| object.track_id)),
        Token::Confidence => object
            .and_then(|object| object.confidence)
            .filter(|confidence| (0.0..=1.0).contains(confidence))
            .map_or_else(|| NONE.to_owned(), |confidence| format!("{confidence:.2}")),
        Token::Object => number(facts.object.map(|(place, _)| place as u64)),
        Token::Seq => number(Some(facts.seq.into())),
    }
}

/// A value that is safe as part of a file name: it names no other folder and hides no file.
fn sanitised(value: &str) -> String {
    let mut leading = true;
    let name: String = value
        .chars()
        .take(MAX_VALUE)
        .map(|c| {
            leading &= c == '.';
            match c {
                _ if leading => '_',
                'A'..='Z' | 'a'..='z' | '0'..='9' | '.' | '_' | '-' => c,
                _ => '_',
            }
        })
        .collect();
    if name.is_empty() {
        "_".to_owned()
    } else {
        name
    }
}

#[cfg(test)]
#[path = "name_tests.rs"]
mod tests;
