// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Templates read backwards: whether a name can be one of theirs, and what was filled in.

use std::path::{Path, PathBuf};

use super::{
    Kind, MAX_PADDING, MAX_VALUE, NONE, Part, TOKENS, Template, Token, padded, with_suffix,
};

/// What was filled in, by a file's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Values {
    pub number: Option<u64>,
    /// By their place in [`TOKENS`].
    tokens: Vec<(usize, String)>,
}

impl Template {
    /// What was filled in, if this template can have made this name.
    pub fn read(&self, path: &Path) -> Option<Values> {
        let text = path.to_str()?;
        let text = text.strip_prefix("./").unwrap_or(text);
        let mut reader = Reader {
            parts: &self.parts,
            text: text.as_bytes(),
            dead: vec![false; (self.parts.len() + 1) * (text.len() + 1)],
            ends: vec![0; self.parts.len()],
        };
        if !reader.matches(0, 0) {
            return None;
        }
        let mut values = Values {
            number: None,
            tokens: Vec::new(),
        };
        let mut begin = 0;
        for (part, &end) in self.parts.iter().zip(&reader.ends) {
            match part {
                Part::Literal(_) => (),
                Part::Number { .. } => values.number = text[begin..end].parse().ok(),
                Part::Token { index, .. } => {
                    values.tokens.push((*index, text[begin..end].to_owned()));
                }
            }
            begin = end;
        }
        Some(values)
    }

    /// The same, and which `-2` the name ends in before its suffix, if not by the template.
    pub fn read_suffixed(&self, path: &Path) -> Option<(Values, u64)> {
        if let Some(values) = self.read(path) {
            return Some((values, 1));
        }
        let (plain, n) = without_suffix(path)?;
        Some((self.read(&plain)?, n))
    }

    /// The `%d` of a file that this template may have named.
    pub fn number_in(&self, path: &Path) -> Option<u64> {
        self.read(path)?.number
    }

    /// The name with what another template's name says, if that says enough.
    pub fn render_again(&self, values: &Values) -> Option<PathBuf> {
        let mut name = String::new();
        for part in &self.parts {
            match part {
                Part::Literal(text) => name.push_str(text),
                Part::Number { padding } => name.push_str(&padded(values.number?, *padding)),
                Part::Token { index, padding } => {
                    let known = values.tokens.iter().find(|(known, _)| known == index);
                    let (_, text) = known?;
                    match (TOKENS[*index].kind, text.parse()) {
                        (Kind::Number | Kind::NumberOrNone, Ok(number)) => {
                            name.push_str(&padded(number, *padding));
                        }
                        _ => name.push_str(text),
                    }
                }
            }
        }
        Some(name.into())
    }

    /// The suffix that all names have.
    pub fn extension(&self) -> Option<&str> {
        let Some(Part::Literal(text)) = self.parts.last() else {
            return None;
        };
        let name = text.rsplit('/').next().unwrap_or_default();
        let (stem, extension) = name.rsplit_once('.')?;
        let is_hidden = stem.is_empty() && (self.parts.len() == 1 || name.len() < text.len());
        (!is_hidden && !extension.is_empty()).then_some(extension)
    }

    /// What the names of folders below [`Self::folder`] are made of, and at the end those of files.
    pub fn levels(&self) -> Vec<Self> {
        let mut levels = vec![Vec::new()];
        let skipped = match self.parts.first() {
            Some(Part::Literal(text)) => text.rfind('/').map_or(0, |end| end + 1),
            _ => 0,
        };
        for (at, part) in self.parts.iter().enumerate() {
            let Part::Literal(text) = part else {
                if let Some(level) = levels.last_mut() {
                    level.push(part.clone());
                }
                continue;
            };
            let text = if at == 0 { &text[skipped..] } else { text };
            for (piece, name) in text.split('/').enumerate() {
                if piece > 0 {
                    levels.push(Vec::new());
                }
                if let Some(level) = levels.last_mut().filter(|_| !name.is_empty()) {
                    level.push(Part::Literal(name.to_owned()));
                }
            }
        }
        let template = |parts| Self { parts };
        levels.into_iter().map(template).collect()
    }
}

/// `name.jpg` and 2 for `name-2.jpg`.
pub fn without_suffix(path: &Path) -> Option<(PathBuf, u64)> {
    let stem = path.file_stem()?.to_str()?;
    let (plain, digits) = stem.rsplit_once('-')?;
    let n = digits.parse().ok().filter(|n| *n >= 2)?;
    let mut name = plain.to_owned();
    if let Some(extension) = path.extension() {
        name.push('.');
        name.push_str(extension.to_str()?);
    }
    let plain = path.with_file_name(name);
    // Only as it would have been written.
    (with_suffix(&plain, n) == path).then_some((plain, n))
}

/// Matches a path against the parts; `dead` remembers what has failed, so that no path is slow.
struct Reader<'a> {
    parts: &'a [Part],
    text: &'a [u8],
    dead: Vec<bool>,
    /// Where each part ends, from the last on.
    ends: Vec<usize>,
}

impl Reader<'_> {
    fn matches(&mut self, part: usize, at: usize) -> bool {
        if part == self.parts.len() {
            return at == self.text.len();
        }
        let state = part * (self.text.len() + 1) + at;
        if self.dead[state] {
            return false;
        }
        let matches = self.try_part(part, at);
        self.dead[state] = !matches;
        matches
    }

    fn goes_on(&mut self, part: usize, end: usize) -> bool {
        let matches = self.matches(part + 1, end);
        if matches {
            self.ends[part] = end;
        }
        matches
    }

    fn try_part(&mut self, part: usize, at: usize) -> bool {
        let (parts, text) = (self.parts, self.text);
        let rest = &text[at..];
        match &parts[part] {
            Part::Literal(literal) => {
                rest.starts_with(literal.as_bytes()) && self.goes_on(part, at + literal.len())
            }
            Part::Number { padding } => (1..=digits(rest).min(MAX_PADDING))
                .rev()
                .any(|end| is_written(&rest[..end], *padding) && self.goes_on(part, at + end)),
            Part::Token { index, padding } => {
                let (token, kind) = (TOKENS[*index].token, TOKENS[*index].kind);
                if kind != Kind::Number
                    && rest.starts_with(NONE.as_bytes())
                    && self.goes_on(part, at + NONE.len())
                {
                    return true;
                }
                let longest = match kind {
                    // No value begins with a dot.
                    Kind::Text if rest.first() == Some(&b'.') => 0,
                    Kind::Text => {
                        let value = rest.iter().take_while(|b| is_value(**b));
                        value.count().min(MAX_VALUE)
                    }
                    Kind::Number | Kind::NumberOrNone => digits(rest).min(MAX_PADDING),
                };
                (1..=longest).rev().any(|end| {
                    let value = &rest[..end];
                    let can_be = match (token, kind) {
                        (Token::Utc, _) => is_like(value, b"00000000T000000.000Z"),
                        (Token::Confidence, _) => is_like(value, b"0.00"),
                        (_, Kind::Text) => true,
                        _ => is_written(value, *padding),
                    };
                    can_be && self.goes_on(part, at + end)
                })
            }
        }
    }
}

fn digits(text: &[u8]) -> usize {
    text.iter().take_while(|b| b.is_ascii_digit()).count()
}

/// A number as it would have been written.
fn is_written(digits: &[u8], padding: usize) -> bool {
    let number = std::str::from_utf8(digits)
        .ok()
        .and_then(|n| n.parse().ok());
    number.is_some_and(|number| padded(number, padding).as_bytes() == digits)
}

/// Digits where the other has zeros, and else the same.
fn is_like(value: &[u8], shape: &[u8]) -> bool {
    let same = |(byte, shape): (&u8, &u8)| match shape {
        b'0' => byte.is_ascii_digit(),
        _ => byte == shape,
    };
    value.len() == shape.len() && value.iter().zip(shape).all(same)
}

fn is_value(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"._-".contains(&byte)
}
