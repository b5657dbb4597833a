// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What a request asks for, and what is answered. Nothing here touches a disk.

use std::net::IpAddr;

use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, StatusCode, Uri, http};
use serde::Serialize;

use super::gallery::Gallery;
use super::{gallery, registry};

/// What can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    File {
        media_type: &'static str,
        text: &'static str,
    },
    Metrics,
    Live {
        after: u64,
    },
    Picture {
        capture: u64,
        picture: usize,
    },
}

const PAGE: Route = Route::File {
    media_type: "text/html; charset=utf-8",
    text: include_str!("page/page.html"),
};
const SCRIPT: Route = Route::File {
    media_type: "text/javascript; charset=utf-8",
    text: include_str!("page/page.js"),
};
const STYLE: Route = Route::File {
    media_type: "text/css; charset=utf-8",
    text: include_str!("page/page.css"),
};
const ICON: Route = Route::File {
    media_type: "image/svg+xml",
    text: include_str!("page/icon.svg"),
};

/// Digits alone, as we write them.
fn number<T: std::str::FromStr>(text: &str) -> Option<T> {
    let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| plain)
}

impl Route {
    pub fn of(path: &str, query: Option<&str>) -> Result<Self, StatusCode> {
        let route = match path {
            "/" => PAGE,
            "/page.js" => SCRIPT,
            "/page.css" => STYLE,
            "/icon.svg" => ICON,
            "/metrics" => Self::Metrics,
            "/live" => Self::Live {
                after: match query {
                    None | Some("") => 0,
                    Some(query) => query
                        .strip_prefix("after=")
                        .and_then(number)
                        .ok_or(StatusCode::BAD_REQUEST)?,
                },
            },
            _ => return Self::picture(path).ok_or(StatusCode::NOT_FOUND),
        };
        Ok(route)
    }

    fn picture(path: &str) -> Option<Self> {
        let (capture, picture) = path.strip_prefix("/captures/")?.split_once('/')?;
        Some(Self::Picture {
            capture: number(capture)?,
            picture: number(picture)?,
        })
    }
}

/// Whether a `Host` names a machine by its address, or as the one that the browser runs on. Any
/// other name can be made to point here by whoever owns it, and his page could read ours then.
fn is_own_host(host: &str) -> bool {
    let (name, port) = match host.rsplit_once(':') {
        // The colon is in the brackets.
        Some((_, port)) if port.ends_with(']') => (host, None),
        Some((name, port)) => (name, Some(port)),
        None => (host, None),
    };
    let port_is_fine = port.is_none_or(|port| number::<u16>(port).is_some());
    let bare = name.strip_prefix('[').and_then(|it| it.strip_suffix(']'));
    let is_address = match bare {
        Some(v6) => matches!(v6.parse(), Ok(IpAddr::V6(_))),
        None => matches!(name.parse(), Ok(IpAddr::V4(_))),
    };
    port_is_fine && (is_address || name.eq_ignore_ascii_case("localhost"))
}

/// The one `Host` of a request, if it has one.
fn host<'a>(uri: &'a Uri, headers: &'a HeaderMap) -> Option<&'a str> {
    let mut hosts = headers.get_all(header::HOST).iter();
    let host = hosts.next()?.to_str().ok()?;
    let one = hosts.next().is_none();
    // A request that names the host in its first line, as those to proxies do, goes by that.
    let host = uri.authority().map_or(host, |it| it.as_str());
    one.then_some(host)
}

/// The bytes of an answer. A picture is not copied for it.
#[derive(Debug)]
pub enum Body {
    Text(String),
    Fixed(&'static str),
    Picture(std::sync::Arc<[u8]>),
}

#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub media_type: &'static str,
    pub body: Body,
    /// The connection is of no further use.
    pub close: bool,
}

impl Answer {
    fn ok(media_type: &'static str, body: Body) -> Self {
        Self {
            status: StatusCode::OK,
            media_type,
            body,
            close: false,
        }
    }

    pub fn error(status: StatusCode) -> Self {
        let reason = match status {
            StatusCode::MISDIRECTED_REQUEST => {
                "This server is for its own machine: ask for it as localhost, or by its IP \
                 address.\n"
            }
            StatusCode::METHOD_NOT_ALLOWED => "Only GET and HEAD are answered.\n",
            StatusCode::PAYLOAD_TOO_LARGE => "Requests have no body here.\n",
            StatusCode::NOT_FOUND => {
                "There is nothing here. Pictures are kept for a moment only.\n"
            }
            _ => "This is no request that is understood here.\n",
        };
        Self {
            status,
            media_type: "text/plain; charset=utf-8",
            body: Body::Fixed(reason),
            close: status != StatusCode::NOT_FOUND,
        }
    }
}

/// `is_local`: only this machine reaches the server. `has_body`: something follows the headers.
pub fn answer(
    request: &http::request::Parts,
    has_body: bool,
    is_local: bool,
    gallery: &Gallery,
) -> Answer {
    let Some(host) = host(&request.uri, &request.headers) else {
        return Answer::error(StatusCode::BAD_REQUEST);
    };
    if is_local && !is_own_host(host) {
        return Answer::error(StatusCode::MISDIRECTED_REQUEST);
    }
    if !matches!(request.method, Method::GET | Method::HEAD) {
        return Answer::error(StatusCode::METHOD_NOT_ALLOWED);
    }
    if has_body {
        return Answer::error(StatusCode::PAYLOAD_TOO_LARGE);
    }
    let route = match Route::of(request.uri.path(), request.uri.query()) {
        Ok(route) => route,
        Err(status) => return Answer::error(status),
    };
    match route {
        Route::File { media_type, text } => Answer::ok(media_type, Body::Fixed(text)),
        Route::Metrics => Answer::ok(
            "text/plain; version=0.0.4; charset=utf-8",
            Body::Text(registry::metrics()),
        ),
        Route::Live { after } => Answer::ok(
            "application/json",
            Body::Text(Live::text(gallery.after(after))),
        ),
        Route::Picture { capture, picture } => match gallery.picture(capture, picture) {
            Some(picture) => Answer::ok(picture.media_type, Body::Picture(picture.bytes)),
            None => Answer::error(StatusCode::NOT_FOUND),
        },
    }
}

/// Everything the page shows, in one answer.
#[derive(Serialize)]
struct Live {
    #[serde(flatten)]
    state: serde_json::Value,
    #[serde(flatten)]
    news: gallery::News,
}

impl Live {
    fn text(news: gallery::News) -> String {
        let state = registry::state();
        // Texts and numbers: nothing in it can fail to serialise.
        serde_json::to_string(&Self { state, news }).unwrap_or_default()
    }
}

/// What every answer says to browsers: run nothing but our own script, show the page in no other
/// one, guess no types, tell nobody, keep nothing, and give nothing to pages of others.
pub const HEADERS: [(HeaderName, HeaderValue); 6] = [
    (
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
             connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        ),
    ),
    (
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    ),
    (
        header::REFERRER_POLICY,
        HeaderValue::from_static("no-referrer"),
    ),
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        HeaderValue::from_static("same-origin"),
    ),
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        HeaderValue::from_static("same-origin"),
    ),
];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_there_and_what_is_not() {
        let live = |after| Ok(Route::Live { after });
        let picture = |capture, picture| Ok(Route::Picture { capture, picture });
        for (path, query, want) in [
            ("/", None, Ok(PAGE)),
            ("/", Some("x=1"), Ok(PAGE)),
            ("/page.js", None, Ok(SCRIPT)),
            ("/metrics", Some("a"), Ok(Route::Metrics)),
            ("/live", None, live(0)),
            ("/live", Some("after=18446744073709551615"), live(u64::MAX)),
            ("/captures/7/0", None, picture(7, 0)),
        ] {
            assert_eq!(Route::of(path, query), want, "{path} {query:?}");
        }
        for query in [
            "after",
            "after=",
            "after=-1",
            "after=+1",
            "after=1&x=2",
            "x=1",
            "after=1 ",
            "after=18446744073709551616",
            "after=%31",
            "after=٣",
        ] {
            let route = Route::of("/live", Some(query));
            assert_eq!(route, Err(StatusCode::BAD_REQUEST), "{query}");
        }
        for path in [
            "",
            "//",
            "/page.html",
            "/index.html",
            "/metrics/",
            "/METRICS",
            "/captures/1",
            "/captures/1/",
            "/captures//1",
            "/captures/1/1/",
            "/captures/-1/0",
            "/captures/+1/0",
            "/captures/../../etc/passwd",
            "/../etc/passwd",
            "/%2e%2e/etc/passwd",
            "/captures/1/٣",
            "/captures/99999999999999999999/0",
            "*",
        ] {
            assert_eq!(Route::of(path, None), Err(StatusCode::NOT_FOUND), "{path}");
        }
    }

    #[test]
    fn names_that_others_own_are_not_ours() {
        for host in [
            "localhost",
            "LocalHost:8100",
            "127.0.0.1",
            "127.0.0.1:8100",
            "[::1]",
            "[::1]:8100",
            "192.168.1.4:80",
        ] {
            assert!(is_own_host(host), "{host}");
        }
        for host in [
            "",
            ":",
            ":80",
            "evil.example",
            "localhost.evil.example",
            "evil.localhost",
            "127.0.0.1.nip.io",
            "::1",
            "[::1",
            "::1]:80",
            "[127.0.0.1]",
            "localhost:",
            "localhost:a",
            "localhost:99999",
            "localhost:80:80",
            "user@localhost",
            "localhost,evil.example",
            "[::1]evil",
            "2130706433",
            "0x7f000001",
            "localhost.",
        ] {
            assert!(!is_own_host(host), "{host}");
        }
    }

    fn parts(request: http::request::Builder) -> http::request::Parts {
        request.body(()).unwrap().into_parts().0
    }

    fn status(request: http::request::Builder, has_body: bool, is_local: bool) -> u16 {
        let gallery = Gallery::default();
        let answer = answer(&parts(request), has_body, is_local, &gallery);
        answer.status.as_u16()
    }

    #[test]
    fn who_asks_wrongly_is_told() {
        let get = |uri| http::Request::get(uri).header("host", "localhost");
        assert_eq!(status(get("/"), false, true), 200);
        assert_eq!(status(get("/live"), false, true), 200);
        assert_eq!(status(get("/metrics"), false, true), 200);
        assert_eq!(status(get("/captures/1/0"), false, true), 404);
        assert_eq!(status(get("/live?after=x"), false, true), 400);
        assert_eq!(status(get("/"), true, true), 413);
        assert_eq!(status(http::Request::get("/"), false, true), 400);
        let twice = get("/").header("host", "localhost");
        assert_eq!(status(twice, false, true), 400);
        assert_eq!(status(get("http://evil.example/"), false, true), 421);
        let named = || http::Request::get("/").header("host", "cameras.example");
        assert_eq!(status(named(), false, true), 421);
        assert_eq!(status(named(), false, false), 200);
        for method in [
            "POST", "PUT", "DELETE", "OPTIONS", "CONNECT", "TRACE", "FOO",
        ] {
            assert_eq!(
                status(get("/").method(method), false, true),
                405,
                "{method}"
            );
        }
        assert_eq!(status(get("/").method("HEAD"), false, true), 200);
    }

    #[test]
    fn the_page_holds_nothing_that_the_policy_forbids() {
        let Route::File { text: page, .. } = PAGE else {
            unreachable!()
        };
        assert!(!page.contains("style="), "inline styles are refused");
        assert!(!page.contains("<script>") && !page.contains("javascript:"));
        assert!(page.contains("<script src=\"page.js\""));
        let Route::File { text: script, .. } = SCRIPT else {
            unreachable!()
        };
        for unsafe_way in [
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "eval(",
        ] {
            assert!(!script.contains(unsafe_way), "{unsafe_way}");
        }
        for text in [page, script] {
            let addresses = text.matches("://").count();
            let of_svg = text.matches("http://www.w3.org/2000/svg").count();
            assert_eq!(addresses, of_svg, "nothing of others");
        }
    }

    proptest! {
        #[test]
        fn any_request_is_answered(
            path in "/(captures/)?[ -~]{0,24}|\\PC{0,24}|/captures/[0-9]{1,22}/[0-9]{1,22}",
            query in proptest::option::of("(after=)?([0-9]{0,22}|\\PC{0,16})"),
            host in "\\PC{0,24}|[0-9.:\\[\\]a-f]{0,24}",
        ) {
            let _ = Route::of(&path, query.as_deref());
            if is_own_host(&host) {
                let name = host.rsplit_once(':').map_or(&*host, |(name, _)| name);
                prop_assert!(
                    name.eq_ignore_ascii_case("localhost")
                        || name.bytes().all(|b| b.is_ascii_hexdigit() || b".:[]".contains(&b))
                );
            }
        }

        #[test]
        fn a_picture_has_one_address(capture: u64, picture: usize) {
            let path = format!("/captures/{capture}/{picture}");
            prop_assert_eq!(Route::of(&path, None), Ok(Route::Picture { capture, picture }));
        }
    }
}
