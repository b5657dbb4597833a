// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! How captures leave: as files, labels, log lines, bus messages, through channels and to servers.

pub mod channel;
pub mod endpoint;
pub mod files;
pub mod labels;
pub mod lines;
pub mod log;
pub mod message;
pub mod objects;
pub mod quota;
pub mod report;

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use crate::codec::CodecError;
use crate::fault::Fault;

/// Why a capture was not delivered.
#[derive(Debug, thiserror::Error)]
pub enum DeliverError {
    #[error("cannot write {path}: {error}")]
    Write { path: PathBuf, error: io::Error },
    #[error("{path} exists already, and on-exists is fail")]
    Exists { path: PathBuf },
    #[error("property \"labels-location\": {path} {reason}")]
    Labels { path: PathBuf, reason: String },
    #[error(
        "cannot read {journal}, which holds what a killed run had not put into {path} yet: \
         {error}; repair it, or move it away to go on without"
    )]
    Journal {
        journal: PathBuf,
        path: PathBuf,
        error: io::Error,
    },
    #[error("cannot encode frame {frame} of stream {stream}: {error}")]
    Encode {
        stream: u32,
        frame: u64,
        error: CodecError,
    },
    #[error("property \"{property}\": {reason}")]
    Full {
        property: &'static str,
        reason: String,
    },
    #[error("property \"{property}\": {reason}")]
    Limit {
        property: &'static str,
        reason: String,
    },
    #[error("property \"channel\": {name}: {reason}")]
    Channel { name: String, reason: String },
    #[error("cannot put into words what is to be posted: {0}")]
    Endpoint(#[from] serde_json::Error),
    #[error("encoding frame {frame} of stream {stream} went wrong; please report this")]
    Panic { stream: u32, frame: u64 },
}

impl DeliverError {
    /// What cannot be written as there is no more space.
    pub fn full_disk(&self) -> Option<&Path> {
        match self {
            // Not by number: an error that names a temporary file has none.
            Self::Write { path, error } => matches!(
                error.kind(),
                ErrorKind::StorageFull | ErrorKind::QuotaExceeded
            )
            .then_some(path),
            _ => None,
        }
    }
}

/// What cannot be opened at the start, and the property that says where it is.
#[derive(Debug)]
pub struct OpenError {
    pub property: &'static str,
    pub error: DeliverError,
}

impl OpenError {
    /// For `map_err`.
    pub fn of(property: &'static str) -> impl Fn(DeliverError) -> Self {
        move |error| Self { property, error }
    }
}

/// For `map_err`, where a file or folder cannot be written.
fn failed(path: &Path) -> impl Fn(io::Error) -> DeliverError {
    move |error| DeliverError::Write {
        path: path.to_owned(),
        error,
    }
}

/// Anything of this name, also a link that leads nowhere.
fn is_there(path: impl AsRef<Path>) -> bool {
    fs::symlink_metadata(path).is_ok()
}

/// Makes a folder and those above it; empty is the current one. With `sync` the new names are on
/// the disk.
fn make_folder(folder: &Path, sync: bool) -> Result<(), DeliverError> {
    if folder.as_os_str().is_empty() {
        return Ok(());
    }
    let is_new = |folder: &&Path| sync && !folder.as_os_str().is_empty() && !is_there(folder);
    let new: Vec<_> = folder.ancestors().take_while(is_new).collect();
    fs::create_dir_all(folder).map_err(failed(folder))?;
    new.into_iter()
        .try_for_each(|folder| sync_folder(folder_of(folder)))
}

/// Has the names in a folder on the disk.
fn sync_folder(folder: &Path) -> Result<(), DeliverError> {
    let folder = match folder.as_os_str().is_empty() {
        true => Path::new("."),
        false => folder,
    };
    let synced = File::open(folder).and_then(|folder| folder.sync_all());
    synced.map_err(failed(folder))
}

/// The folder that a file is in; empty is the current one.
fn folder_of(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new(""))
}

impl From<&DeliverError> for Fault {
    fn from(error: &DeliverError) -> Self {
        match error {
            DeliverError::Full { .. } => Self::resource(gst::ResourceError::NoSpaceLeft, error),
            error if error.full_disk().is_some() => {
                Self::resource(gst::ResourceError::NoSpaceLeft, error)
            }
            DeliverError::Limit { .. } => Self::resource(gst::ResourceError::Settings, error),
            DeliverError::Channel { .. } => Self::resource(gst::ResourceError::OpenWrite, error),
            DeliverError::Write { .. }
            | DeliverError::Exists { .. }
            | DeliverError::Endpoint(_) => Self::resource(gst::ResourceError::Write, error),
            DeliverError::Labels { .. } => Self::resource(gst::ResourceError::Settings, error),
            DeliverError::Journal { .. } => Self::resource(gst::ResourceError::Read, error),
            DeliverError::Encode { .. } => Self::stream(gst::StreamError::Encode, error),
            DeliverError::Panic { .. } => Self::library(gst::LibraryError::Failed, error),
        }
    }
}
