// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Pictures as objects: in S3, in Google Cloud Storage, in Azure.
//!
//! An object appears whole or not at all, so there is no hidden one before it: a picture gets its
//! name with its upload, and loses it again if its capture is not delivered after all.

#[cfg(not(feature = "object-store"))]
mod absent;
#[cfg(feature = "object-store")]
mod claims;
#[cfg(feature = "object-store")]
mod runtime;
#[cfg(feature = "object-store")]
mod store;

use std::path::{Path, PathBuf};

#[cfg(not(feature = "object-store"))]
pub use absent::{Objects, Uploaded};
#[cfg(feature = "object-store")]
pub use store::{Objects, Uploaded};

/// Who keeps the objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Provider {
    S3,
    Google,
    Azure,
}

impl Provider {
    /// The variables by which one says who one is.
    pub fn variables(self) -> &'static str {
        match self {
            Self::S3 => {
                "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (AWS_SESSION_TOKEN, \
                 AWS_WEB_IDENTITY_TOKEN_FILE), AWS_REGION, and AWS_ENDPOINT for other servers"
            }
            Self::Google => "GOOGLE_SERVICE_ACCOUNT or GOOGLE_APPLICATION_CREDENTIALS",
            Self::Azure => {
                "AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY (AZURE_STORAGE_SAS_KEY, \
                 AZURE_CLIENT_ID)"
            }
        }
    }
}

/// Where objects are, without their names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bucket {
    pub provider: Provider,
    /// `s3://bucket`.
    pub url: String,
}

impl Bucket {
    /// A location as a bucket and a template for names in it. None: it is a path.
    pub fn split(location: &str) -> Result<Option<(Self, &str)>, String> {
        let Some((scheme, rest)) = location.split_once("://") else {
            return Ok(None);
        };
        let provider = match scheme {
            "s3" | "s3a" => Provider::S3,
            "gs" => Provider::Google,
            "az" | "azure" | "adl" | "abfs" | "abfss" => Provider::Azure,
            // A folder may be called so.
            _ if scheme.contains('/') => return Ok(None),
            "file" => return Err("takes paths, not file:// addresses".to_owned()),
            _ => {
                return Err(format!(
                    "{scheme}:// is not known: take s3://, gs://, az://, or a path"
                ));
            }
        };
        let (bucket, template) = rest.split_once('/').unwrap_or((rest, ""));
        if bucket.is_empty() || template.is_empty() {
            return Err(format!(
                "\"{location}\" needs a bucket and a name, such as \
                 {scheme}://bucket/{{stream}}/{{frame}}.jpg"
            ));
        }
        if bucket.contains(['{', '}', '%', '?', '#']) {
            return Err(format!(
                "\"{bucket}\": nothing can be filled in a bucket's name"
            ));
        }
        let bucket = Self {
            provider,
            url: format!("{scheme}://{bucket}"),
        };
        Ok(Some((bucket, template)))
    }

    /// As logs and messages name an object.
    pub fn name(&self, key: &Path) -> PathBuf {
        let mut name = self.url.clone();
        name.push('/');
        name.push_str(&key.to_string_lossy());
        name.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        let split =
            |text| Bucket::split(text).map(|it| it.map(|(b, key)| (b.provider, b.url, key)));
        let bucket = |provider, url: &str, key| Ok(Some((provider, url.to_owned(), key)));
        assert_eq!(split("out/%d.jpg"), Ok(None));
        assert_eq!(split("o/x://%d.jpg"), Ok(None));
        assert_eq!(
            split("s3://b/p/{stream}/%d.jpg"),
            bucket(Provider::S3, "s3://b", "p/{stream}/%d.jpg")
        );
        assert_eq!(split("gs://b/%d"), bucket(Provider::Google, "gs://b", "%d"));
        assert_eq!(split("az://b/%d"), bucket(Provider::Azure, "az://b", "%d"));
        let host = "abfss://c@account.dfs.core.windows.net";
        let location = format!("{host}/%d");
        assert_eq!(split(&location), bucket(Provider::Azure, host, "%d"));
        for wrong in [
            "s3://b",
            "s3://b/",
            "s3:///%d",
            "s3://{stream}/%d",
            "http://b/%d",
            "file:///o/%d",
        ] {
            assert!(split(wrong).is_err(), "{wrong}");
        }
    }
}
