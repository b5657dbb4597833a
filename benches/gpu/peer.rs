// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! A peer: a program that measures when it gets a line, and answers with one.

use std::env;
use std::ffi::OsString;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde::Deserialize;

use super::Res;

#[derive(Debug, Clone, Copy, Deserialize)]
pub struct Answer {
    /// Frames per second.
    pub rate: f64,
    /// Of one frame.
    pub bytes: f64,
}

pub struct Peer {
    child: Child,
    questions: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

/// Where `run.sh` has built those that are built there, or has their sources.
fn folder(variable: &str) -> Res<PathBuf> {
    let folder = env::var_os(variable)
        .ok_or_else(|| format!("{variable} is not set: tests/gpu/run.sh does"))?;
    Ok(folder.into())
}

impl Peer {
    /// A program that `run.sh` has built.
    pub fn program(name: &str, arguments: &[&str]) -> Res<Self> {
        let path = folder("DSFRAME_GPU_PROGRAMS")?.join(name);
        Self::start(Command::new(path).args(arguments))
    }

    pub fn python(script: &str, arguments: &[&str]) -> Res<Self> {
        let path = folder("DSFRAME_GPU_PEERS")?.join(script);
        Self::start(Command::new("python3").arg(path).args(arguments))
    }

    fn start(command: &mut Command) -> Res<Self> {
        // The packed libraries are not for it.
        match env::var_os("DSFRAME_GPU_OUTER_LIBRARY_PATH") {
            Some(path) if path != OsString::new() => command.env("LD_LIBRARY_PATH", path),
            _ => command.env_remove("LD_LIBRARY_PATH"),
        };
        let program = command.get_program().to_owned();
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("{}: {error}", Path::new(&program).display()))?;
        let questions = child.stdin.take();
        let answers = child.stdout.take().ok_or("no output")?;
        Ok(Self {
            child,
            questions,
            answers: BufReader::new(answers),
        })
    }

    /// Has it measure.
    pub fn ask(&mut self, question: &str) -> Res<Answer> {
        let questions = self.questions.as_mut().ok_or("no input")?;
        writeln!(questions, "{question}")?;
        let mut line = String::new();
        if self.answers.read_line(&mut line)? == 0 {
            return Err(format!("the peer ended: {}", self.child.wait()?).into());
        }
        Ok(serde_json::from_str(&line)?)
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // The end of its input is its end.
        self.questions = None;
        let _ = self.child.wait();
    }
}
