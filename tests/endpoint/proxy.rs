// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Servers that are reached through a proxy, which alone knows where they are.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;

use crate::common::{child, is_child};
use crate::kit::{all, fates, numbers, rig_at};
use crate::server::Server;

/// For a host that no resolver has.
const URL: &str = "http://cameras.invalid/captures";

/// Answers as a proxy, and passes all on to a server.
fn proxy(server: SocketAddr, greet: fn(&mut TcpStream) -> std::io::Result<String>) -> Proxy {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (asked, targets) = std::sync::mpsc::channel();
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let asked = asked.clone();
            thread::spawn(move || {
                let mut client = client;
                let Ok(target) = greet(&mut client) else {
                    return;
                };
                let _ = asked.send(target);
                let mut server = TcpStream::connect(server).unwrap();
                let (mut back, mut to) = (server.try_clone().unwrap(), client.try_clone().unwrap());
                thread::spawn(move || std::io::copy(&mut back, &mut to));
                let _ = std::io::copy(&mut client, &mut server);
            });
        }
    });
    Proxy { address, targets }
}

struct Proxy {
    address: SocketAddr,
    targets: std::sync::mpsc::Receiver<String>,
}

/// `CONNECT host:port`.
fn http(client: &mut TcpStream) -> std::io::Result<String> {
    let mut reader = BufReader::new(client.try_clone()?);
    let mut first = String::new();
    reader.read_line(&mut first)?;
    let mut line = first.clone();
    while !line.trim().is_empty() {
        line.clear();
        reader.read_line(&mut line)?;
    }
    client.write_all(b"HTTP/1.1 200 OK\r\n\r\n")?;
    Ok(first.split(' ').nth(1).unwrap_or_default().to_owned())
}

/// SOCKS 5 without a password, to a name.
fn socks(client: &mut TcpStream) -> std::io::Result<String> {
    let mut greeting = [0; 2];
    client.read_exact(&mut greeting)?;
    let mut methods = vec![0; greeting[1].into()];
    client.read_exact(&mut methods)?;
    client.write_all(&[5, 0])?;
    let mut request = [0; 5];
    client.read_exact(&mut request)?;
    assert_eq!(request[..4], [5, 1, 0, 3], "connect, to a name");
    let mut name = vec![0; request[4].into()];
    client.read_exact(&mut name)?;
    let mut port = [0; 2];
    client.read_exact(&mut port)?;
    client.write_all(&[5, 0, 0, 1, 127, 0, 0, 1, 0, 80])?;
    let name = String::from_utf8_lossy(&name).into_owned();
    Ok(format!("{name}:{}", u16::from_be_bytes(port)))
}

/// Posts in a process whose environment names the proxy.
#[track_caller]
fn posts_through(test: &str, scheme: &str, greet: fn(&mut TcpStream) -> std::io::Result<String>) {
    if is_child() {
        let rig = rig_at(URL, &[]);
        rig.push_all(0..3);
        let messages = rig.end();
        assert_eq!(fates(&rig.element), [3, 0, 0, 0, 0]);
        assert!(messages.warning_texts().is_empty());
        return;
    }
    let server = Server::new();
    let proxy = proxy(server.address(), greet);
    let address = format!("{scheme}://{}", proxy.address);
    let environment = [("ALL_PROXY", &*address), ("NO_PROXY", "elsewhere.invalid")];
    let others = ["HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"];
    let mut child = child(test);
    for name in others {
        child.env_remove(name);
    }
    let output = child.envs(environment).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(numbers(&server.accepted()), all(3));
    assert_eq!(proxy.targets.try_recv().unwrap(), "cameras.invalid:80");
}

#[test]
fn an_http_proxy_is_asked_to_connect() {
    posts_through("proxy::an_http_proxy_is_asked_to_connect", "http", http);
}

#[test]
fn a_socks_proxy_is_asked_by_name() {
    posts_through("proxy::a_socks_proxy_is_asked_by_name", "socks5h", socks);
}
