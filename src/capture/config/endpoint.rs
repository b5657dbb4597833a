// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Where captures are posted, from the properties that say so.

use std::path::{Path, PathBuf};
use std::time::Duration;

use ureq::http::Uri;

use crate::capture::deliver::endpoint::EndpointRules;
use crate::capture::deliver::endpoint::client::place;
use crate::capture::deliver::endpoint::retry::Retry;
use crate::capture::deliver::endpoint::secrets::{Secrets, Source};
use crate::capture::name::Template;
use crate::fault::{SettingsError, bad};

use super::{Settings, is_same};

const PROPERTY: &str = "endpoint";
const EXAMPLE: &str = "write http://host/path or https://host/path";

pub fn endpoint(set: &Settings) -> Result<Option<EndpointRules>, SettingsError> {
    let Some(url) = text(&set.endpoint) else {
        return unused(set);
    };
    let uri = uri(url)?;
    if set.endpoint_timeout == 0 {
        return bad("endpoint-timeout", "0 leaves no time for any attempt");
    }
    if !(1.0..=100.0).contains(&set.endpoint_backoff) {
        return bad(
            "endpoint-backoff",
            format!("{} is not from 1 to 100", set.endpoint_backoff),
        );
    }
    let source = |property, value: &Option<String>| match text(value).map(Source::parse) {
        None => Ok(None),
        Some(Ok(source)) => Ok(Some(source)),
        Some(Err(reason)) => bad(property, reason),
    };
    Ok(Some(EndpointRules {
        shown: place(url),
        uri,
        body: set.endpoint_body,
        timeout: Duration::from_nanos(set.endpoint_timeout),
        retry: Retry {
            retries: set.endpoint_retries,
            delay: Duration::from_nanos(set.endpoint_delay),
            backoff: set.endpoint_backoff.into(),
        },
        breaker_threshold: set.endpoint_breaker_threshold,
        breaker_timeout: Duration::from_nanos(set.endpoint_breaker_timeout),
        secrets: Secrets {
            token: source("endpoint-token-file", &set.endpoint_token_file)?,
            headers: source("endpoint-headers-file", &set.endpoint_headers_file)?,
        },
        ca_file: text(&set.endpoint_ca_file).map(PathBuf::from),
        spool: spool(set)?,
        spool_max_bytes: set.endpoint_spool_max_bytes,
        fsync: set.fsync,
        queue_size: set.queue_size as usize,
    }))
}

fn text(property: &Option<String>) -> Option<&str> {
    property.as_deref().filter(|text| !text.is_empty())
}

/// Without `endpoint` the others have no effect, and nobody would know why.
fn unused(set: &Settings) -> Result<Option<EndpointRules>, SettingsError> {
    let d = Settings::default();
    for (property, is_set) in [
        ("endpoint-body", set.endpoint_body != d.endpoint_body),
        (
            "endpoint-timeout",
            set.endpoint_timeout != d.endpoint_timeout,
        ),
        (
            "endpoint-retries",
            set.endpoint_retries != d.endpoint_retries,
        ),
        ("endpoint-delay", set.endpoint_delay != d.endpoint_delay),
        (
            "endpoint-backoff",
            set.endpoint_backoff != d.endpoint_backoff,
        ),
        (
            "endpoint-breaker-threshold",
            set.endpoint_breaker_threshold != d.endpoint_breaker_threshold,
        ),
        (
            "endpoint-breaker-timeout",
            set.endpoint_breaker_timeout != d.endpoint_breaker_timeout,
        ),
        (
            "endpoint-token-file",
            text(&set.endpoint_token_file).is_some(),
        ),
        (
            "endpoint-headers-file",
            text(&set.endpoint_headers_file).is_some(),
        ),
        ("endpoint-ca-file", text(&set.endpoint_ca_file).is_some()),
        ("endpoint-spool", text(&set.endpoint_spool).is_some()),
        (
            "endpoint-spool-max-bytes",
            set.endpoint_spool_max_bytes != d.endpoint_spool_max_bytes,
        ),
    ] {
        if is_set {
            return bad(property, "needs endpoint, the address to post to");
        }
    }
    Ok(None)
}

/// What is wrong is said without the address: it may hold what nobody is to see.
fn uri(url: &str) -> Result<Uri, SettingsError> {
    let uri: Uri = match url.parse() {
        Ok(uri) => uri,
        Err(error) => return bad(PROPERTY, format!("is no address ({error}): {EXAMPLE}")),
    };
    match uri.scheme_str() {
        Some("http" | "https") => (),
        Some(_) => return bad(PROPERTY, format!("is neither http nor https: {EXAMPLE}")),
        None => {
            return bad(
                PROPERTY,
                format!("does not begin with http:// or https://: {EXAMPLE}"),
            );
        }
    }
    let authority = uri.authority().map_or("", |authority| authority.as_str());
    if authority.contains('@') {
        return bad(
            PROPERTY,
            "has a user or password in it, which every dump of the pipeline would show: put the \
             credentials into endpoint-token-file or endpoint-headers-file",
        );
    }
    if uri.host().is_none_or(str::is_empty) {
        return bad(PROPERTY, format!("names no host: {EXAMPLE}"));
    }
    let names_port = !authority.ends_with(']') && authority.contains(':');
    if names_port && uri.port_u16().is_none_or(|port| port == 0) {
        return bad(PROPERTY, "has a port that is none: take 1 to 65535");
    }
    Ok(uri)
}

fn spool(set: &Settings) -> Result<Option<PathBuf>, SettingsError> {
    const PROPERTY: &str = "endpoint-spool";
    let Some(spool) = text(&set.endpoint_spool) else {
        let d = Settings::default();
        return match set.endpoint_spool_max_bytes == d.endpoint_spool_max_bytes {
            true => Ok(None),
            false => bad("endpoint-spool-max-bytes", "needs endpoint-spool, a folder"),
        };
    };
    if let Some(location) = text(&set.location)
        && let Ok(template) = Template::parse(location)
        && is_same(&template.folder().to_string_lossy(), spool)
    {
        return bad(
            PROPERTY,
            "is the folder of location: give it one of its own",
        );
    }
    for (property, file) in [
        ("log-location", &set.log_location),
        ("labels-location", &set.labels_location),
    ] {
        let folder = text(file).and_then(|file| Path::new(file).parent());
        let is_there = |folder: &Path| is_same(&folder.to_string_lossy(), spool);
        if folder.is_some_and(is_there) {
            let text = format!("is the folder of {property}: give it one of its own");
            return bad(PROPERTY, text);
        }
    }
    Ok(Some(spool.into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::config::Config;
    use crate::capture::enums::{Crop, EndpointBody};
    use crate::capture::select::{Every, When};
    use crate::codec::Encoding;
    use std::num::NonZeroU64;

    fn check(change: impl FnOnce(&mut Settings)) -> Result<Config, SettingsError> {
        let mut settings = Settings {
            endpoint: Some("https://host/captures?key=hidden".into()),
            ..Settings::default()
        };
        change(&mut settings);
        Config::try_from(&settings)
    }

    #[test]
    fn an_endpoint_is_an_output_like_any_other() {
        let config = check(|_| ()).unwrap();
        let every = Every::Frames(NonZeroU64::MIN);
        assert_eq!(config.rules.when, When::Interval(every));
        let pictures = config.pictures.unwrap();
        assert!(pictures.template.is_none());
        assert_eq!(pictures.encode.encoding, Encoding::Jpeg);
        let endpoint = config.endpoint.unwrap();
        assert_eq!(endpoint.shown, "https://host/captures");
        assert_eq!(endpoint.uri.query(), Some("key=hidden"));
        let config = check(|s| {
            s.location = Some("out/%d.png".into());
            s.statistics = true;
        });
        let config = config.unwrap();
        assert_eq!(
            config.rules.when,
            When::Interval(Every::Frames(NonZeroU64::new(30).unwrap()))
        );
        assert_eq!(config.pictures.unwrap().encode.encoding, Encoding::Png);
        assert!(check(|s| s.crop = Crop::Objects).is_ok());
    }

    #[test]
    fn addresses_are_checked_and_not_shown() {
        for (url, word) in [
            ("host/hidden", "http://host/path"),
            ("ftp://host/hidden", "neither http"),
            ("http:///hidden", "address"),
            ("http://user:hidden@host/", "endpoint-token-file"),
            ("http://hidden@host/", "endpoint-token-file"),
            ("http://host:0/hidden", "port"),
            ("http://host:99999/hidden", ""),
            ("http://ho st/hidden", "address"),
            ("hidden", "begin with"),
        ] {
            let error = check(|s| s.endpoint = Some(url.into())).unwrap_err();
            assert_eq!(error.property, "endpoint", "{url}");
            assert!(error.reason.contains(word), "{url}: {error}");
            assert!(!error.reason.contains("hidden"), "{error}");
        }
        for url in [
            "http://[::1]/",
            "http://[::1]:80/a",
            "HTTPS://h",
            "http://1.2.3.4:8080",
        ] {
            assert!(check(|s| s.endpoint = Some(url.into())).is_ok(), "{url}");
        }
    }

    #[test]
    fn what_has_no_effect_is_an_error() {
        type Change = fn(&mut Settings);
        let cases: [(&str, Change); 12] = [
            ("endpoint-body", |s| s.endpoint_body = EndpointBody::Binary),
            ("endpoint-timeout", |s| s.endpoint_timeout += 1),
            ("endpoint-retries", |s| s.endpoint_retries += 1),
            ("endpoint-delay", |s| s.endpoint_delay += 1),
            ("endpoint-backoff", |s| s.endpoint_backoff += 1.0),
            ("endpoint-breaker-threshold", |s| {
                s.endpoint_breaker_threshold += 1
            }),
            ("endpoint-breaker-timeout", |s| {
                s.endpoint_breaker_timeout += 1
            }),
            ("endpoint-token-file", |s| {
                s.endpoint_token_file = Some("t".into())
            }),
            ("endpoint-headers-file", |s| {
                s.endpoint_headers_file = Some("h".into())
            }),
            ("endpoint-ca-file", |s| {
                s.endpoint_ca_file = Some("c".into())
            }),
            ("endpoint-spool", |s| s.endpoint_spool = Some("s".into())),
            ("endpoint-spool-max-bytes", |s| {
                s.endpoint_spool_max_bytes += 1
            }),
        ];
        for (property, change) in cases {
            let error = check(|s| {
                s.endpoint = None;
                s.location = Some("%d.jpg".into());
                change(s);
            });
            assert_eq!(error.unwrap_err().property, property);
        }
    }

    #[test]
    fn values_that_cannot_work_name_the_property() {
        type Change = fn(&mut Settings);
        let cases: [(&str, Change); 8] = [
            ("endpoint-timeout", |s| s.endpoint_timeout = 0),
            ("endpoint-backoff", |s| s.endpoint_backoff = f32::NAN),
            ("endpoint-token-file", |s| {
                s.endpoint_token_file = Some("env:".into())
            }),
            ("endpoint-headers-file", |s| {
                s.endpoint_headers_file = Some("env:".into())
            }),
            ("endpoint-spool-max-bytes", |s| {
                s.endpoint_spool_max_bytes += 1
            }),
            ("endpoint-spool", |s| {
                s.location = Some("out/%d.jpg".into());
                s.endpoint_spool = Some("./out/".into());
            }),
            ("endpoint-spool", |s| {
                s.location = Some("%d.jpg".into());
                s.endpoint_spool = Some(".".into());
            }),
            ("endpoint-spool", |s| {
                s.log_location = Some("kept/log.jsonl".into());
                s.endpoint_spool = Some("kept".into());
            }),
        ];
        for (property, change) in cases {
            assert_eq!(check(change).unwrap_err().property, property);
        }
    }
}
