// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! A build without object stores: there are none of these, and settings that ask for them are
//! refused before.

use std::path::{Path, PathBuf};

use crate::capture::deliver::DeliverError;
use crate::capture::enums::OnExists;
use crate::capture::name::Template;

use super::Bucket;

#[derive(Debug)]
pub enum Objects {}

#[derive(Debug)]
pub enum Uploaded {}

impl Objects {
    pub fn open(
        bucket: &Bucket,
        _template: &Template,
        _on_exists: OnExists,
    ) -> Result<Self, DeliverError> {
        Err(DeliverError::Limit {
            property: "location",
            reason: format!("{}: this build knows no object stores", bucket.url),
        })
    }

    pub fn first_number(&self, _template: &Template) -> Result<u64, DeliverError> {
        match *self {}
    }

    pub fn upload(&self, _key: PathBuf, _bytes: &[u8]) -> Result<Uploaded, DeliverError> {
        match *self {}
    }
}

impl Uploaded {
    pub fn key(&self) -> &Path {
        match *self {}
    }

    pub fn name(&self) -> PathBuf {
        match *self {}
    }

    pub fn has_replaced(&self) -> bool {
        match *self {}
    }

    pub fn is_renamed(&self) -> bool {
        match *self {}
    }

    pub fn upload_beside(&self, _key: PathBuf, _bytes: &[u8]) -> Result<Self, DeliverError> {
        match *self {}
    }

    pub fn keep(&mut self) {
        match *self {}
    }

    pub fn delete(&self) {
        match *self {}
    }
}
