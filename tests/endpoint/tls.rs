// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! HTTPS: good certificates are trusted, and each kind of bad one is refused with what to do about it.

use std::fs;
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd,
};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;

use crate::common::at;
use crate::kit::{all, numbers, only_warning, posts, rig_at};
use crate::server::Server;

struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        Self {
            issuer: CertifiedIssuer::self_signed(params, key).unwrap(),
        }
    }

    fn pem(&self) -> String {
        self.issuer.pem()
    }

    /// A server with a certificate for a name.
    fn server(&self, name: &str, change: impl FnOnce(&mut CertificateParams)) -> Server {
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivateKeyDer::Pkcs8(key.serialize_der().into()),
            )
            .unwrap();
        Server::with_tls(Arc::new(config))
    }
}

#[test]
fn a_certificate_of_the_given_authority_is_trusted() {
    let folder = tempfile::tempdir().unwrap();
    let ca = at(&folder, "ca.pem");
    let authority = Authority::new("ours");
    fs::write(&ca, authority.pem()).unwrap();
    let server = authority.server("localhost", |_| ());
    let rig = rig_at(&server.tls_url(), &[("endpoint-ca-file", &ca)]);
    rig.push_all(0..50);
    let messages = rig.end();
    assert!(messages.warnings().is_empty(), "{:?}", messages.warnings());
    assert_eq!(numbers(&server.requests()), all(50));
    assert_eq!(server.connections(), 1);
}

#[test]
fn bad_certificates_are_refused_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let ca = at(&folder, "ca.pem");
    let authority = Authority::new("ours");
    fs::write(&ca, authority.pem()).unwrap();
    let expired = |params: &mut CertificateParams| {
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2021, 1, 1);
    };
    let early = |params: &mut CertificateParams| params.not_before = date_time_ymd(2190, 1, 1);
    let servers = [
        (
            authority.server("localhost", expired),
            "has expired: renew it",
        ),
        (authority.server("localhost", early), "is not valid yet"),
        (authority.server("elsewhere", |_| ()), "is for another host"),
        (
            Authority::new("ours").server("localhost", |_| ()),
            "set endpoint-ca-file",
        ),
        (
            Authority::new("another").server("localhost", |_| ()),
            "set endpoint-ca-file",
        ),
    ];
    for (server, expected) in servers {
        let url = server.tls_url();
        let rig = rig_at(
            &url,
            &[("endpoint-ca-file", &ca), ("endpoint-retries", "1")],
        );
        rig.push(0).unwrap();
        let warning = only_warning(&rig.end());
        assert!(warning.contains(expected), "{warning}");
        assert_eq!(posts(&rig.element, "failed"), 1);
        assert!(server.requests().is_empty());
    }
}

#[test]
fn without_an_authority_of_its_own_only_those_of_the_system_are_trusted() {
    let server = Authority::new("ours").server("localhost", |_| ());
    // Where the system has none, that is said at the start.
    let rig = crate::common::rig::Rig::stopped(&crate::kit::properties(
        &server.tls_url(),
        &[("endpoint-retries", "0")],
    ));
    use gst::prelude::*;
    if rig.element.set_state(gst::State::Playing).is_err() {
        let errors = rig.messages().errors();
        assert!(
            errors[0].1.contains("install ca-certificates"),
            "{errors:?}"
        );
        return;
    }
    rig.start();
    rig.begin(
        &crate::common::rig::numbered_info(),
        &gst::FormattedSegment::new(),
    );
    rig.push(0).unwrap();
    assert!(only_warning(&rig.end()).contains("set endpoint-ca-file"));
    assert!(server.requests().is_empty());
}

#[test]
fn what_speaks_no_tls_is_said() {
    let server = Server::new();
    let folder = tempfile::tempdir().unwrap();
    let ca = at(&folder, "ca.pem");
    fs::write(&ca, Authority::new("ours").pem()).unwrap();
    // A server of plain text takes a handshake for a request, and gives up.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap();
    let answer = std::thread::spawn(move || {
        use std::io::{Read, Write};
        let (mut stream, _) = silent.accept().unwrap();
        let _ = stream.read(&mut [0; 512]);
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
    });
    let url = format!("https://localhost:{}/", address.port());
    let rig = rig_at(
        &url,
        &[("endpoint-ca-file", &ca), ("endpoint-retries", "0")],
    );
    rig.push(0).unwrap();
    let warning = only_warning(&rig.end());
    assert!(
        warning.contains("speaks no TLS: is http:// meant?"),
        "{warning}"
    );
    answer.join().unwrap();
    drop(server);
}
