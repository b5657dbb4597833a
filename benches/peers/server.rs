// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! A server on this machine that reads what is posted to it and throws it away.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use super::Res;

pub struct Server {
    url: String,
    received: Arc<AtomicUsize>,
}

impl Server {
    /// Takes connections as long as the process lives.
    pub fn start() -> Res<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let url = format!("http://{}/", listener.local_addr()?);
        let received = Arc::<AtomicUsize>::default();
        let counter = received.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let counter = counter.clone();
                // Ends with its connection.
                thread::spawn(move || read(stream, &counter));
            }
        });
        Ok(Self { url, received })
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    /// Requests that came whole since this was asked last.
    pub fn take_received(&self) -> usize {
        self.received.swap(0, Ordering::SeqCst)
    }
}

fn read(stream: TcpStream, received: &AtomicUsize) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut stream = BufReader::with_capacity(1 << 18, stream);
    loop {
        let mut length = 0;
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line)? == 0 {
                return Ok(());
            }
            let line = line.trim_end().to_ascii_lowercase();
            if line.is_empty() {
                break;
            }
            if let Some(value) = line.strip_prefix("content-length: ") {
                length = value.parse().map_err(io::Error::other)?;
            }
        }
        io::copy(&mut (&mut stream).take(length), &mut io::sink())?;
        received.fetch_add(1, Ordering::SeqCst);
        stream
            .get_mut()
            .write_all(b"HTTP/1.1 204 No Content\r\n\r\n")?;
    }
}
