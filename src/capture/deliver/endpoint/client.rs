// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Posts by HTTP and HTTPS: one request at a time over one connection.

use std::fmt;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::Path;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, SystemTime};

use rustls::CertificateError;
use ureq::config::Config;
use ureq::http::{Response, Uri, header};
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{DefaultConnector, NextTimeout};
use ureq::{Agent, Body, Error, Proxy, ProxyProtocol};

use super::EndpointRules;
use super::request::Post;
use super::retry::{Verdict, retry_after, verdict};
use super::secrets::Credentials;

/// Of an answer nobody reads, so that the next post can have the connection.
const MAX_ANSWER: u64 = 64 << 10;
/// Shown of what a server says.
const MAX_SHOWN: usize = 200;

/// What became of an attempt.
#[derive(Debug)]
pub enum Outcome {
    Accepted,
    /// It may be accepted another time; the server may say when.
    Later(String, Option<Duration>),
    /// It may be accepted with other credentials.
    Unauthorised(String),
    /// It will never be accepted.
    Refused(String),
}

pub struct Client {
    agent: Agent,
    uri: Uri,
    host: String,
    timeout: Duration,
}

/// What cannot be used, and the property that says so.
#[derive(Debug)]
pub struct ClientError {
    pub property: &'static str,
    pub reason: String,
}

impl Client {
    pub fn new(rules: &EndpointRules) -> Result<Self, ClientError> {
        let mut config = Agent::config_builder()
            // What they mean is decided here.
            .http_status_as_error(false)
            // Credentials are for this server and no other.
            .max_redirects(0)
            .max_idle_connections(1)
            .max_idle_connections_per_host(1)
            .timeout_global(Some(rules.timeout))
            .user_agent(concat!("gst-plugin-dsframe/", env!("CARGO_PKG_VERSION")));
        let proxy = Proxy::try_from_env()
            .filter(|proxy| !is_loopback(&rules.uri) && !proxy.is_no_proxy(&rules.uri));
        let is_private = |proxy: &Proxy| proxy.protocol() == ProxyProtocol::Https;
        let speaks_tls = proxy.as_ref().is_some_and(is_private);
        config = config.proxy(proxy);
        if speaks_tls || rules.uri.scheme_str() == Some("https") {
            config = config.tls_config(tls(rules.ca_file.as_deref())?);
        }
        let connector = DefaultConnector::new();
        Ok(Self {
            agent: Agent::with_parts(config.build(), connector, Names::default()),
            uri: rules.uri.clone(),
            host: rules
                .uri
                .authority()
                .map(ToString::to_string)
                .unwrap_or_default(),
            timeout: rules.timeout,
        })
    }

    /// Ends an attempt that another thread is at, and refuses further ones.
    pub fn shut_down(&self) {
        self.agent.clone().shutdown();
    }

    pub fn post(&self, post: &Post, credentials: &Credentials) -> Outcome {
        let mut request = self
            .agent
            .post(&self.uri)
            .header("Idempotency-Key", &post.key);
        if let Some(content_type) = &post.content_type {
            request = request.header(header::CONTENT_TYPE, content_type);
        }
        for (name, value) in &post.headers {
            request = request.header(name, value);
        }
        for (name, value) in credentials.headers() {
            request = request.header(name, value);
        }
        match request.send(&*post.body.joined()) {
            Ok(response) => self.outcome(response),
            Err(error) => Outcome::Later(self.explain(&error), None),
        }
    }

    fn outcome(&self, mut response: Response<Body>) -> Outcome {
        let status = response.status();
        let text = |name| {
            let value = response.headers().get(name)?;
            Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
        };
        let asked =
            text(header::RETRY_AFTER).and_then(|value| retry_after(&value, SystemTime::now()));
        let location = text(header::LOCATION);
        // What was accepted stays accepted, whatever becomes of the rest of the answer.
        let _ = response
            .body_mut()
            .with_config()
            .limit(MAX_ANSWER)
            .read_to_vec();
        let said = format!("{} answers {status}", self.host);
        match verdict(status.as_u16()) {
            Verdict::Accepted => Outcome::Accepted,
            Verdict::Later => Outcome::Later(said, asked),
            Verdict::Unauthorised => Outcome::Unauthorised(said),
            Verdict::Refused if status.is_redirection() => {
                let to = location.as_deref().map_or("nowhere".into(), place);
                Outcome::Refused(format!(
                    "{said} and redirects to {to}: redirects are not followed, as credentials \
                     are for one server only; set endpoint to the final address"
                ))
            }
            Verdict::Refused => Outcome::Refused(said + remedy(status.as_u16())),
        }
    }

    /// What went wrong, and what to do about it.
    fn explain(&self, error: &Error) -> String {
        let host = &self.host;
        match error {
            Error::Timeout(_) => format!(
                "no answer from {host} within endpoint-timeout ({} ms)",
                self.timeout.as_millis()
            ),
            Error::HostNotFound => unknown_host(host, bare(host), "no address"),
            Error::Other(error) => match error.downcast_ref::<UnknownHost>() {
                Some(UnknownHost { name, error }) => unknown_host(host, name, error),
                None => format!("{host}: {error}"),
            },
            Error::Rustls(error) => self.explain_tls(error),
            Error::Io(error) => match error.get_ref().and_then(|it| it.downcast_ref()) {
                Some(error) => self.explain_tls(error),
                None if error.kind() == io::ErrorKind::ConnectionRefused => {
                    format!("nothing listens at {host}: is the server running?")
                }
                None => format!("the connection to {host} broke: {error}"),
            },
            error => format!("{host}: {error}"),
        }
    }

    fn explain_tls(&self, error: &rustls::Error) -> String {
        let host = &self.host;
        let certificate = match error {
            rustls::Error::InvalidCertificate(certificate) => certificate,
            rustls::Error::InvalidMessage(_) => {
                return format!("{host} speaks no TLS: is http:// meant? ({error})");
            }
            _ => return format!("no TLS connection to {host}: {error}"),
        };
        let (what, remedy) = match certificate {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => (
                "has expired",
                "renew it on the server, or set this machine's clock",
            ),
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                ("is not valid yet", "set this machine's clock")
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                (
                    "is for another host",
                    "set endpoint to the name that it is for",
                )
            }
            // The second is of one that has the name of another.
            CertificateError::UnknownIssuer | CertificateError::BadSignature => (
                "is by an authority that is not trusted",
                "set endpoint-ca-file to the certificate of that authority",
            ),
            CertificateError::Other(other) if other.to_string().contains("CaUsedAsEndEntity") => (
                "is one of an authority, and a server needs its own",
                "make it with basicConstraints=CA:FALSE",
            ),
            _ => ("cannot be used", "see to it on the server"),
        };
        format!("the certificate of {host} {what}: {remedy} ({error})")
    }
}

/// What to do where a server never takes such a post.
fn remedy(status: u16) -> &'static str {
    match status {
        404 | 405 | 410 => ": is the path in endpoint the one that takes captures?",
        413 => {
            ": it takes no bodies of this size: raise its limit, or make pictures smaller with \
             quality, width or height"
        }
        400 | 415 | 422 => ": does it take what endpoint-body says?",
        _ => "",
    }
}

/// Without the port.
fn bare(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}

fn unknown_host(host: &str, name: &str, error: impl fmt::Display) -> String {
    if name != bare(host) {
        return format!(
            "the proxy {name} on the way to {host} has no address: check HTTPS_PROXY, HTTP_PROXY \
             and ALL_PROXY, and the name service ({error})"
        );
    }
    format!("the host of {host} has no address: check endpoint, and the name service ({error})")
}

/// Without the part that may hold what is not to be seen, and of a length that can be shown.
pub fn place(url: &str) -> String {
    let place = url.split(['?', '#']).next().unwrap_or_default();
    // `user:password@` of a redirect, however it is written.
    let place = match place.rsplit_once('@') {
        Some((before, host)) => {
            let schemes = ["https://", "http://", "//"];
            let scheme = schemes.into_iter().find(|it| before.starts_with(it));
            format!("{}{host}", scheme.unwrap_or_default())
        }
        None => place.to_owned(),
    };
    let plain = place.chars().filter(|char| !char.is_control());
    plain.take(MAX_SHOWN).collect()
}

fn is_loopback(uri: &Uri) -> bool {
    let host = uri.host().unwrap_or_default();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || bare
            .parse::<std::net::IpAddr>()
            .is_ok_and(|ip| ip.is_loopback())
}

/// Whether what is sent there can be read on the way.
pub fn is_open_to_others(uri: &Uri) -> bool {
    uri.scheme_str() != Some("https") && !is_loopback(uri)
}

fn tls(ca_file: Option<&Path>) -> Result<TlsConfig, ClientError> {
    let certificates = match ca_file {
        Some(path) => certificates(path).map_err(|reason| ClientError {
            property: "endpoint-ca-file",
            reason: format!("{}: {reason}", path.display()),
        })?,
        None => {
            let found = rustls_native_certs::load_native_certs();
            if found.certs.is_empty() {
                let errors = found.errors.iter().map(|error| format!(": {error}"));
                return Err(ClientError {
                    property: "endpoint",
                    reason: format!(
                        "this system has no certificates of authorities to trust: install \
                         ca-certificates, or set endpoint-ca-file{}",
                        errors.collect::<String>()
                    ),
                });
            }
            let of = |der: &_| Certificate::from_der(AsRef::<[u8]>::as_ref(der)).to_owned();
            found.certs.iter().map(of).collect()
        }
    };
    Ok(TlsConfig::builder()
        .root_certs(RootCerts::new_with_certs(&certificates))
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .build())
}

fn certificates(path: &Path) -> Result<Vec<Certificate<'static>>, String> {
    let pem = std::fs::read(path).map_err(|error| error.to_string())?;
    let mut roots = rustls::RootCertStore::empty();
    let mut all = Vec::new();
    for item in parse_pem(&pem) {
        let item = item.map_err(|error| error.to_string())?;
        if let PemItem::Certificate(certificate) = item {
            let der = rustls::pki_types::CertificateDer::from(certificate.der());
            roots.add(der).map_err(|error| error.to_string())?;
            all.push(certificate.to_owned());
        }
    }
    match all.is_empty() {
        true => Err("has no certificate in PEM (BEGIN CERTIFICATE)".into()),
        false => Ok(all),
    }
}

/// Asks for addresses on a thread that has a name, as nothing ends a question before its time.
#[derive(Debug, Default)]
struct Names {
    /// A question that nobody waits for any more, and that may yet be answered.
    pending: Mutex<Option<Question>>,
}

#[derive(Debug)]
struct Question {
    name: (String, u16),
    answer: Receiver<io::Result<Vec<SocketAddr>>>,
}

#[derive(Debug, thiserror::Error)]
#[error("{name}: {error}")]
struct UnknownHost {
    name: String,
    error: io::Error,
}

impl Resolver for Names {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, Error> {
        let host = uri.host().ok_or(Error::HostNotFound)?;
        let default = if uri.scheme_str() == Some("https") {
            443
        } else {
            80
        };
        let port = uri.port_u16().unwrap_or(default);
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let found = match bare.parse() {
            Ok(ip) => vec![SocketAddr::new(ip, port)],
            Err(_) => self
                .look_up((host.to_owned(), port), *timeout.after)
                .map_err(|error| error.unwrap_or(Error::Timeout(timeout.reason)))?,
        };
        let mut addresses = self.empty();
        let family = config.ip_family();
        let wanted = family.keep_wanted(found.into_iter());
        wanted.take(16).for_each(|address| addresses.push(address));
        match addresses.is_empty() {
            true => Err(Error::HostNotFound),
            false => Ok(addresses),
        }
    }
}

impl Names {
    fn pending(&self) -> Option<Question> {
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        pending.take()
    }

    /// `None`: not in time. The question stays for the next attempt, which asks no second one.
    fn look_up(
        &self,
        name: (String, u16),
        limit: Duration,
    ) -> Result<Vec<SocketAddr>, Option<Error>> {
        let question = match self.pending().filter(|it| it.name == name) {
            Some(pending) => pending,
            None => ask(name).map_err(Some)?,
        };
        match question.answer.recv_timeout(limit) {
            Ok(Ok(found)) => Ok(found),
            Ok(Err(error)) => {
                let name = question.name.0;
                Err(Some(Error::Other(Box::new(UnknownHost { name, error }))))
            }
            Err(RecvTimeoutError::Timeout) => {
                let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
                *pending = Some(question);
                Err(None)
            }
            Err(RecvTimeoutError::Disconnected) => Err(Some(Error::HostNotFound)),
        }
    }
}

fn ask(name: (String, u16)) -> Result<Question, Error> {
    let (sender, answer) = mpsc::sync_channel(1);
    let asked = name.clone();
    thread::Builder::new()
        .name("dsframe-dns".into())
        .spawn(move || {
            let found = asked.to_socket_addrs().map(Iterator::collect);
            // Nobody may be waiting any more.
            let _ = sender.send(found);
        })
        .map_err(Error::Io)?;
    Ok(Question { name, answer })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_shown_without_secrets() {
        for (url, expected) in [
            ("https://a/b?token=x#y", "https://a/b"),
            ("https://user:pass@a/b", "https://a/b"),
            ("//user:pass@a/b", "//a/b"),
            ("user:pass@a/b", "a/b"),
            ("a:p//@a/b", "a/b"),
            ("https:/user:pass@a/b", "a/b"),
            ("/\\user:pass@a/b", "a/b"),
            ("https://us@er:pass//@a/b", "https://a/b"),
            ("/b\r\nSet-Cookie: x", "/bSet-Cookie: x"),
            ("", ""),
        ] {
            assert_eq!(place(url), expected);
        }
        assert_eq!(place(&"x".repeat(1000)).len(), MAX_SHOWN);
    }

    #[test]
    fn loopback_is_known_by_name_and_number() {
        let loopback = |url: &str| is_loopback(&url.parse().unwrap());
        for url in [
            "http://localhost:1/",
            "http://127.9.0.1/",
            "http://[::1]:8/",
        ] {
            assert!(loopback(url), "{url}");
        }
        for url in [
            "http://localhost.example/",
            "http://10.0.0.1/",
            "http://[::2]/",
        ] {
            assert!(!loopback(url), "{url}");
        }
        assert!(is_open_to_others(&"http://a/".parse().unwrap()));
        assert!(!is_open_to_others(&"https://a/".parse().unwrap()));
    }

    #[test]
    fn a_question_is_asked_once() {
        let (sender, answer) = mpsc::sync_channel(1);
        let name = ("nowhere.invalid".to_owned(), 80);
        let names = Names::default();
        *names.pending.lock().unwrap() = Some(Question {
            name: name.clone(),
            answer,
        });
        let look_up = |limit| names.look_up(name.clone(), limit);
        assert!(matches!(look_up(Duration::ZERO), Err(None)));
        assert!(matches!(look_up(Duration::ZERO), Err(None)));
        let address = SocketAddr::from(([127, 0, 0, 1], 80));
        sender.send(Ok(vec![address])).unwrap();
        assert_eq!(look_up(Duration::ZERO).unwrap(), [address]);
        assert!(names.pending.lock().unwrap().is_none());
    }

    #[test]
    fn a_proxy_without_an_address_is_named() {
        let host = "server.example:8000";
        let said = unknown_host(host, "proxy.example", "x");
        assert!(said.contains("the proxy proxy.example"), "{said}");
        let said = unknown_host(host, "server.example", "x");
        assert!(said.contains("the host of server.example:8000"), "{said}");
    }
}
