// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What `monitor-address` may be.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::fault::{SettingsError, bad};

pub const PROPERTY: &str = "monitor-address";

/// Where to listen. Port 0 is any that is free.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listen(pub SocketAddr);

impl Listen {
    /// `None` where the property is not set.
    pub fn of(set: Option<&str>) -> Result<Option<Self>, SettingsError> {
        match set.map(str::trim).filter(|text| !text.is_empty()) {
            None => Ok(None),
            Some(text) => match Self::parse(text) {
                Some(listen) => Ok(Some(listen)),
                None => bad(
                    PROPERTY,
                    format!(
                        "\"{text}\" is no address to listen on: write a port, which is for this \
                         machine only (9100), or an IP address of this machine and a port \
                         (0.0.0.0:9100, [::1]:9100)"
                    ),
                ),
            },
        }
    }

    /// `PORT`, `:PORT`, `HOST:PORT` and `[v6]:PORT`. No names but `localhost`: what they mean is up to
    /// others, and an address that is listened on is one of this machine.
    fn parse(text: &str) -> Option<Self> {
        let (host, port) = match text.rsplit_once(':') {
            None => ("", text),
            Some(pair) => pair,
        };
        // Not what `parse` takes besides, such as a sign.
        if port.is_empty() || !port.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let ip = match host {
            "" | "localhost" => IpAddr::V4(Ipv4Addr::LOCALHOST),
            _ => match host.strip_prefix('[').and_then(|it| it.strip_suffix(']')) {
                Some(v6) => IpAddr::V6(v6.parse::<Ipv6Addr>().ok()?),
                None => IpAddr::V4(host.parse::<Ipv4Addr>().ok()?),
            },
        };
        Some(Self(SocketAddr::new(ip, port.parse().ok()?)))
    }

    /// Whether only this machine can reach it.
    pub fn is_local(self) -> bool {
        self.0.ip().to_canonical().is_loopback()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parsed(text: &str) -> Option<String> {
        Listen::parse(text).map(|listen| listen.0.to_string())
    }

    #[test]
    fn without_a_host_it_is_this_machine() {
        for (text, want) in [
            ("9100", "127.0.0.1:9100"),
            (":9100", "127.0.0.1:9100"),
            ("0", "127.0.0.1:0"),
            ("localhost:80", "127.0.0.1:80"),
            ("127.0.0.2:1", "127.0.0.2:1"),
            ("0.0.0.0:65535", "0.0.0.0:65535"),
            ("[::1]:9100", "[::1]:9100"),
            ("[::]:9100", "[::]:9100"),
        ] {
            assert_eq!(parsed(text).as_deref(), Some(want), "{text}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused_by_name() {
        for text in [
            ":",
            "a",
            "65536",
            "-1",
            "+1",
            "1.2.3:1",
            "::1:9100",
            "[::1]",
            "[::1]9100",
            "1:2:3",
            "http://127.0.0.1:9100",
            "example.com:80",
            "127.0.0.1:",
            "[127.0.0.1]:1",
            "9100 9101",
            "*:9100",
            "127.0.0.1:0x50",
            "١٢",
        ] {
            let error = Listen::of(Some(text)).unwrap_err();
            assert_eq!(error.property, PROPERTY, "{text}");
            assert!(error.reason.contains(text), "{text}: {}", error.reason);
        }
        assert_eq!(Listen::of(None), Ok(None));
        assert_eq!(Listen::of(Some("  ")), Ok(None));
    }

    #[test]
    fn only_loopback_is_local() {
        let local = |text| Listen::parse(text).unwrap().is_local();
        for text in ["1", "127.9.9.9:1", "[::1]:1", "[::ffff:127.0.0.1]:1"] {
            assert!(local(text), "{text}");
        }
        for text in [
            "0.0.0.0:1",
            "192.168.1.2:1",
            "[::]:1",
            "[::ffff:10.0.0.1]:1",
        ] {
            assert!(!local(text), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_an_address_or_an_error(text in "\\PC{0,24}|[0-9.:\\[\\]a-f]{0,24}") {
            if let Ok(Some(listen)) = Listen::of(Some(&text)) {
                // As it is written out, it means the same.
                prop_assert_eq!(Listen::parse(&listen.0.to_string()), Some(listen));
            }
        }
    }
}
