// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

use std::fmt::Write;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use object_store::gcp::{GoogleCloudStorageBuilder, GoogleConfigKey};
use object_store::path::Path as Key;
use object_store::{
    ClientConfigKey, GetOptions, ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload,
    RetryConfig, WriteMultipart,
};

use crate::capture::deliver::DeliverError;
use crate::capture::enums::OnExists;
use crate::capture::name::{Template, with_suffix};

use super::claims::Claims;
use super::{Bucket, Provider, runtime};

/// Larger ones are uploaded in parts of this size.
const PART: usize = 8 << 20;
/// Parts on their way at once.
const PARTS: usize = 4;
/// The crate itself tries again, with a growing delay.
const RETRIES: usize = 5;
const RETRY_FOR: Duration = Duration::from_secs(30);
/// Of all tries together.
const UPLOAD: Duration = Duration::from_secs(60);
/// Of the parts of one, so that there is time to give them up.
const UPLOAD_PARTS: Duration = Duration::from_secs(50);
const DELETE: Duration = Duration::from_secs(5);
/// After a deletion without an answer.
const ASK_AGAIN: Duration = Duration::from_secs(30);
/// A server that is wrong is to be known before the pipeline starts.
const PROBE: Duration = Duration::from_secs(15);
const LIST: Duration = Duration::from_secs(300);

#[derive(Debug)]
struct Inner {
    bucket: Bucket,
    store: Arc<dyn ObjectStore>,
    runtime: Arc<runtime::Shared>,
    on_exists: OnExists,
    claims: Claims,
    /// When a deletion had no answer.
    unanswered: Mutex<Option<Instant>>,
}

/// Where the objects of a run go.
#[derive(Debug)]
pub struct Objects(Arc<Inner>);

/// An object that is there. Deleted when this is dropped, unless it is kept.
#[derive(Debug)]
pub struct Uploaded {
    of: Arc<Inner>,
    key: PathBuf,
    renamed: bool,
    /// There may have been another before.
    replaced: bool,
    kept: bool,
}

/// The text of an error with those of its causes, which say what the server said.
fn whole_text(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            // Writing to a string cannot fail.
            let _ = write!(text, ": {more}");
        }
        cause = error.source();
    }
    text
}

/// Whether the server does not know us, by what it says.
fn is_stranger(text: &str) -> bool {
    [
        "InvalidAccessKeyId",
        "NotSignedUp",
        "SignatureDoesNotMatch",
        "ExpiredToken",
        "InvalidToken",
        "AuthenticationFailed",
        "credential",
        "Credential",
        "169.254.169.254",
        "metadata.google",
    ]
    .iter()
    .any(|word| text.contains(word))
}

/// Whether there is no such bucket, by what the server says.
fn is_homeless(error: &object_store::Error) -> bool {
    let text = whole_text(error);
    ["NoSuchBucket", "ContainerNotFound"]
        .iter()
        .any(|word| text.contains(word))
}

impl Inner {
    fn error(&self, key: &Path, error: &object_store::Error) -> DeliverError {
        use object_store::Error as E;
        let mut text = whole_text(error);
        let is_refused = matches!(
            error,
            E::Unauthenticated { .. } | E::PermissionDenied { .. }
        );
        if is_refused || is_stranger(&text) {
            let _ = write!(text, "; see {}", self.bucket.provider.variables());
        }
        let kind = match error {
            E::NotFound { .. } => ErrorKind::NotFound,
            E::AlreadyExists { .. } => ErrorKind::AlreadyExists,
            E::Unauthenticated { .. } | E::PermissionDenied { .. } => ErrorKind::PermissionDenied,
            _ => ErrorKind::Other,
        };
        self.failed(key, io::Error::new(kind, text))
    }

    fn failed(&self, key: &Path, error: io::Error) -> DeliverError {
        let path = self.bucket.name(key);
        DeliverError::Write { path, error }
    }

    fn key(&self, path: &Path) -> Result<Key, DeliverError> {
        let text = path.to_string_lossy();
        // Names are put together of what is safe, but for the template's own text.
        Key::parse(text.trim_start_matches('/'))
            .map_err(|error| self.failed(path, io::Error::other(error)))
    }

    async fn put(&self, key: &Key, bytes: &[u8], mode: PutMode) -> object_store::Result<()> {
        if bytes.len() > PART {
            return self.put_parts(key, bytes, mode).await;
        }
        let payload = PutPayload::from(bytes.to_vec());
        let options = PutOptions::from(mode);
        self.store.put_opts(key, payload, options).await.map(drop)
    }

    /// No server takes a condition for these: it is asked before.
    async fn put_parts(&self, key: &Key, bytes: &[u8], mode: PutMode) -> object_store::Result<()> {
        if mode == PutMode::Create {
            match self.store.head(key).await {
                Ok(_) => {
                    return Err(object_store::Error::AlreadyExists {
                        path: key.to_string(),
                        source: "asked before the upload".into(),
                    });
                }
                Err(object_store::Error::NotFound { .. }) => (),
                Err(error) => return Err(error),
            }
        }
        let upload = self.store.put_multipart(key).await?;
        let mut upload = WriteMultipart::new_with_chunk_size(upload, PART);
        let parts = async {
            for part in bytes.chunks(PART) {
                upload.wait_for_capacity(PARTS).await?;
                upload.write(part);
            }
            // All have arrived.
            upload.wait_for_capacity(1).await
        };
        let late = |_| {
            Err(object_store::Error::Generic {
                store: "upload in parts",
                source: format!("not done within {} s", UPLOAD_PARTS.as_secs()).into(),
            })
        };
        let sent = tokio::time::timeout(UPLOAD_PARTS, parts).await;
        if let Err(error) = sent.unwrap_or_else(late) {
            // Parts that stay cost money, and nobody sees them.
            let _ = upload.abort().await;
            return Err(error);
        }
        // Gives up the parts itself, if it fails.
        upload.finish().await.map(drop)
    }

    /// Asks for an object that is not there. Of a bucket that is not there, some servers say so only
    /// when asked what is in it.
    async fn probe(&self, key: &Key) -> object_store::Result<()> {
        match self.store.get_opts(key, GetOptions::default()).await {
            Err(error @ object_store::Error::NotFound { .. }) if !is_homeless(&error) => (),
            answer => return answer.map(drop),
        }
        match self.store.list(Some(key)).next().await {
            Some(Err(error)) if is_homeless(&error) => Err(error),
            _ => Ok(()),
        }
    }

    fn upload(&self, path: &Path, bytes: &[u8], mode: &PutMode) -> Result<bool, DeliverError> {
        let key = self.key(path)?;
        let put = self.put(&key, bytes, mode.clone());
        match runtime::wait(&self.runtime, UPLOAD, put) {
            Err(error) => Err(self.failed(path, error)),
            Ok(Ok(())) => Ok(true),
            Ok(Err(
                object_store::Error::AlreadyExists { .. }
                | object_store::Error::Precondition { .. },
            )) if *mode == PutMode::Create => Ok(false),
            Ok(Err(error)) => Err(self.error(path, &error)),
        }
    }
}

impl Objects {
    /// Asks for an object that is not there, so that a wrong bucket or a wrong key is known at the
    /// start.
    pub fn open(
        bucket: &Bucket,
        template: &Template,
        on_exists: OnExists,
    ) -> Result<Self, DeliverError> {
        let probed = template.folder().join(".dsframe-probe");
        let failed = |error: io::Error| DeliverError::Write {
            path: bucket.url.clone().into(),
            error,
        };
        let runtime = runtime::shared().map_err(failed)?;
        let store = open(bucket).map_err(|error| {
            let text = format!(
                "{}; see {}",
                whole_text(&error),
                bucket.provider.variables()
            );
            failed(io::Error::other(text))
        })?;
        let inner = Inner {
            bucket: bucket.clone(),
            store,
            runtime,
            on_exists,
            claims: Claims::default(),
            unanswered: Mutex::default(),
        };
        let key = inner.key(&probed)?;
        let probe = inner.probe(&key);
        match runtime::wait(&inner.runtime, PROBE, probe).map_err(failed)? {
            Ok(()) => (),
            // Who may write only need not be allowed to ask.
            Err(object_store::Error::PermissionDenied { source, .. })
                if !is_stranger(&whole_text(&*source)) => {}
            Err(error) => return Err(inner.error(&probed, &error)),
        }
        Ok(Self(Arc::new(inner)))
    }

    /// The first capture number: after those that are there.
    pub fn first_number(&self, template: &Template) -> Result<u64, DeliverError> {
        let folder = template.folder();
        let prefix = match folder.as_os_str().is_empty() {
            true => None,
            false => Some(self.0.key(&folder)?),
        };
        let next = async {
            let mut listed = self.0.store.list(prefix.as_ref());
            let mut next = 0;
            while let Some(object) = listed.next().await {
                let number = template.number_in(Path::new(object?.location.as_ref()));
                next = next.max(number.map_or(0, |number| number.saturating_add(1)));
            }
            Ok(next)
        };
        runtime::wait(&self.0.runtime, LIST, next)
            .map_err(|error| self.0.failed(&folder, error))?
            .map_err(|error| self.0.error(&folder, &error))
    }

    /// Uploads a picture under its name, or under the next that `on-exists` leaves.
    pub fn upload(&self, path: PathBuf, bytes: &[u8]) -> Result<Uploaded, DeliverError> {
        let inner = &self.0;
        for suffix in 1.. {
            let key = match suffix {
                1 => path.clone(),
                _ => with_suffix(&path, suffix),
            };
            if !inner.claims.claim(key.clone()) {
                continue;
            }
            let overwrites = inner.on_exists == OnExists::Overwrite && suffix == 1;
            let mode = match overwrites {
                true => PutMode::Overwrite,
                false => PutMode::Create,
            };
            if inner.upload(&key, bytes, &mode)? {
                return Ok(Uploaded {
                    of: inner.clone(),
                    key,
                    renamed: suffix > 1,
                    replaced: overwrites,
                    kept: overwrites,
                });
            }
            if inner.on_exists == OnExists::Fail && suffix == 1 {
                let path = inner.bucket.name(&path);
                return Err(DeliverError::Exists { path });
            }
        }
        Err(DeliverError::Exists { path })
    }
}

impl Uploaded {
    /// Its name in the bucket.
    pub fn key(&self) -> &Path {
        &self.key
    }

    /// As logs and messages name it.
    pub fn name(&self) -> PathBuf {
        self.of.bucket.name(&self.key)
    }

    /// Without it there might be neither.
    pub fn has_replaced(&self) -> bool {
        self.replaced
    }

    pub fn is_renamed(&self) -> bool {
        self.renamed
    }

    /// Uploads what goes with it and is nothing without it. Of a picture that is gone, something of
    /// that name may have stayed.
    pub fn upload_beside(&self, path: PathBuf, bytes: &[u8]) -> Result<Self, DeliverError> {
        let mode = match self.replaced {
            true => PutMode::Overwrite,
            false => PutMode::Create,
        };
        let mut key = path.clone();
        let mut suffix = 1;
        while !self.of.upload(&key, bytes, &mode)? {
            suffix += 1;
            key = with_suffix(&path, suffix);
        }
        Ok(Self {
            of: self.of.clone(),
            key,
            renamed: self.renamed || suffix > 1,
            replaced: self.replaced,
            kept: self.replaced,
        })
    }

    /// Its capture is delivered.
    pub fn keep(&mut self) {
        self.kept = true;
    }

    /// As far as the server lets it. One that does not answer is not asked again for each object of
    /// a capture, which would hold up those that follow.
    pub fn delete(&self) {
        let of = &self.of;
        let Ok(key) = of.key(&self.key) else { return };
        let unanswered = || of.unanswered.lock().unwrap_or_else(PoisonError::into_inner);
        if unanswered().is_some_and(|since| since.elapsed() < ASK_AGAIN) {
            return;
        }
        let deleted = of.store.delete(&key);
        let answer = runtime::wait(&of.runtime, DELETE, deleted);
        *unanswered() = answer.is_err().then(Instant::now);
    }
}

impl Drop for Uploaded {
    fn drop(&mut self) {
        if !self.kept {
            self.delete();
        }
    }
}

fn open(bucket: &Bucket) -> object_store::Result<Arc<dyn ObjectStore>> {
    let retry = RetryConfig {
        max_retries: RETRIES,
        retry_timeout: RETRY_FOR,
        ..RetryConfig::default()
    };
    // What is not said otherwise in the environment.
    let timeouts = [
        (ClientConfigKey::Timeout, "20s"),
        (ClientConfigKey::ConnectTimeout, "5s"),
    ];
    let unset = |prefix: &str| {
        let name = |key: &ClientConfigKey| format!("{prefix}_{}", key.as_ref().to_uppercase());
        let is_unset = |(key, _): &(ClientConfigKey, &str)| std::env::var_os(name(key)).is_none();
        timeouts.into_iter().filter(is_unset).collect::<Vec<_>>()
    };
    Ok(match bucket.provider {
        Provider::S3 => {
            let mut builder = AmazonS3Builder::from_env()
                .with_url(&bucket.url)
                .with_retry(retry);
            for (key, value) in unset("AWS") {
                builder = builder.with_config(AmazonS3ConfigKey::Client(key), value);
            }
            Arc::new(builder.build()?)
        }
        Provider::Google => {
            let mut builder = GoogleCloudStorageBuilder::from_env()
                .with_url(&bucket.url)
                .with_retry(retry);
            for (key, value) in unset("GOOGLE") {
                builder = builder.with_config(GoogleConfigKey::Client(key), value);
            }
            Arc::new(builder.build()?)
        }
        Provider::Azure => {
            let mut builder = MicrosoftAzureBuilder::from_env()
                .with_url(&bucket.url)
                .with_retry(retry);
            for (key, value) in unset("AZURE") {
                builder = builder.with_config(AzureConfigKey::Client(key), value);
            }
            Arc::new(builder.build()?)
        }
    })
}
