// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `${NAME}` in values: what the environment says. Filled in once a file is parsed, so that no
//! variable can add a key.

/// Where variables come from; `Err` is what is wrong with one that is there.
pub type Lookup<'a> = &'a dyn Fn(&str) -> Result<Option<String>, String>;

/// Of the process.
pub fn of_process(name: &str) -> Result<Option<String>, String> {
    match std::env::var(name) {
        Ok(value) => Ok(Some(value)),
        Err(std::env::VarError::NotPresent) => Ok(None),
        Err(std::env::VarError::NotUnicode(_)) => {
            Err(format!("environment variable {name} is not UTF-8"))
        }
    }
}

/// Whether there is anything to fill in.
pub fn has_any(text: &str) -> bool {
    text.contains('$')
}

/// Fills in `${NAME}` and `${NAME:-otherwise}`; `$$` is a dollar sign. What is filled in is not
/// looked at again.
///
/// # Errors
///
/// Says what is wrong, without any value.
pub fn expand(text: &str, lookup: Lookup<'_>) -> Result<String, String> {
    let mut expanded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once('$') {
        expanded.push_str(before);
        if let Some(behind) = behind.strip_prefix('$') {
            expanded.push('$');
            rest = behind;
            continue;
        }
        let Some(inner) = behind.strip_prefix('{') else {
            return Err(
                "a $ stands alone: write ${NAME} for an environment variable, $$ for a \
                        dollar sign"
                    .into(),
            );
        };
        let Some((inner, behind)) = inner.split_once('}') else {
            return Err("a ${ without its }".into());
        };
        // Where NAME is set nobody would see that a part of what follows was left over.
        if inner.contains('{') {
            return Err(
                "a { in a ${...}, which ends at the first }: no braces can be in it".into(),
            );
        }
        rest = behind;
        let (name, otherwise) = match inner.split_once(":-") {
            Some((name, otherwise)) => (name, Some(otherwise)),
            None => (inner, None),
        };
        if !is_name(name) {
            return Err(format!(
                "\"{name}\" is no name of an environment variable: write ${{NAME}}, or \
                 ${{NAME:-otherwise}}"
            ));
        }
        let value = lookup(name)?;
        match (value, otherwise) {
            // As shells do it.
            (Some(value), Some(_)) if !value.is_empty() => expanded.push_str(&value),
            (_, Some(otherwise)) => expanded.push_str(otherwise),
            (Some(value), None) => expanded.push_str(&value),
            (None, None) => {
                return Err(format!(
                    "environment variable {name} is not set: set it, or write \
                     ${{{name}:-otherwise}}"
                ));
            }
        }
    }
    expanded.push_str(rest);
    Ok(expanded)
}

fn is_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes
        .next()
        .is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

#[cfg(test)]
#[path = "variables_tests.rs"]
mod tests;
