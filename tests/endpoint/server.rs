// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! A server that does as it is told, request by request.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::common::until;

/// What a request is answered with.
#[derive(Debug, Clone)]
pub enum Answer {
    Status(u16),
    /// With these header lines.
    With(u16, Vec<String>),
    /// Nothing, for as long as the server runs.
    Hang,
    /// The connection is closed after the request, which is kept.
    CloseAfter,
    /// The connection is closed within the body of the request.
    CloseWithin,
    /// Half an answer.
    BreakOff,
    /// An answer byte by byte.
    Drip,
    /// An answer that is no HTTP.
    Nonsense,
    /// Accepted, with an endless body.
    Endless,
}

pub const OK: Answer = Answer::Status(200);

/// A request that came whole.
#[derive(Debug, Clone)]
pub struct Request {
    pub head: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// It was answered with 2xx.
    pub accepted: bool,
}

impl Request {
    #[track_caller]
    pub fn header(&self, name: &str) -> &str {
        self.find(name)
            .unwrap_or_else(|| panic!("no {name} in {:?}", self.headers))
    }

    pub fn find(&self, name: &str) -> Option<&str> {
        let mut found = self
            .headers
            .iter()
            .filter(|(is, _)| is.eq_ignore_ascii_case(name));
        let first = found.next()?;
        assert!(found.next().is_none(), "{name} twice");
        Some(&first.1)
    }

    pub fn key(&self) -> &str {
        self.header("Idempotency-Key")
    }

    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

type Script = Box<dyn FnMut(&Request) -> Answer + Send>;

struct State {
    requests: Mutex<Vec<Request>>,
    script: Mutex<Script>,
    connections: AtomicUsize,
    stopping: AtomicBool,
    streams: Mutex<Vec<TcpStream>>,
    changed: Condvar,
    tls: Option<Arc<ServerConfig>>,
}

pub struct Server {
    address: SocketAddr,
    state: Arc<State>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// One that accepts everything.
    pub fn new() -> Self {
        Self::scripted(|_| OK)
    }

    /// One that answers by a function of the request.
    pub fn scripted(script: impl FnMut(&Request) -> Answer + Send + 'static) -> Self {
        Self::start("127.0.0.1:0", None, script)
    }

    /// One that gives these answers, and then accepts everything.
    pub fn with(answers: impl IntoIterator<Item = Answer>) -> Self {
        let mut answers: VecDeque<_> = answers.into_iter().collect();
        Self::scripted(move |_| answers.pop_front().unwrap_or(OK))
    }

    pub fn with_tls(config: Arc<ServerConfig>) -> Self {
        Self::start("127.0.0.1:0", Some(config), |_| OK)
    }

    /// At the address of one that is gone.
    pub fn at(address: SocketAddr) -> Self {
        Self::start(&address.to_string(), None, |_| OK)
    }

    fn start(
        address: &str,
        tls: Option<Arc<ServerConfig>>,
        script: impl FnMut(&Request) -> Answer + Send + 'static,
    ) -> Self {
        let listener = TcpListener::bind(address).unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(State {
            requests: Mutex::default(),
            script: Mutex::new(Box::new(script)),
            connections: AtomicUsize::new(0),
            stopping: AtomicBool::new(false),
            streams: Mutex::default(),
            changed: Condvar::new(),
            tls,
        });
        let thread = std::thread::spawn({
            let state = state.clone();
            move || serve(&listener, &state)
        });
        Self {
            address,
            state,
            thread: Some(thread),
        }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn url(&self) -> String {
        format!("http://{}/captures", self.address)
    }

    /// By name, for certificates.
    pub fn tls_url(&self) -> String {
        format!("https://localhost:{}/captures", self.address.port())
    }

    pub fn connections(&self) -> usize {
        self.state.connections.load(Ordering::SeqCst)
    }

    /// All requests so far, also those that were not accepted.
    pub fn requests(&self) -> Vec<Request> {
        self.state.requests.lock().unwrap().clone()
    }

    pub fn accepted(&self) -> Vec<Request> {
        let mut requests = self.requests();
        requests.retain(|request| request.accepted);
        requests
    }

    #[track_caller]
    pub fn wait_for(&self, count: usize) {
        until("so many requests", || {
            self.state.requests.lock().unwrap().len() >= count
        });
    }

    pub fn set(&self, script: impl FnMut(&Request) -> Answer + Send + 'static) {
        *self.state.script.lock().unwrap() = Box::new(script);
    }

    /// Gone, with all its connections. Returns its address and what it received.
    pub fn stop(mut self) -> (SocketAddr, Vec<Request>) {
        self.shut_down();
        (self.address, self.requests())
    }

    fn shut_down(&mut self) {
        let Some(thread) = self.thread.take() else {
            return;
        };
        self.state.stopping.store(true, Ordering::SeqCst);
        for stream in self.state.streams.lock().unwrap().drain(..) {
            let _ = stream.shutdown(std::net::Shutdown::Both);
        }
        self.state.changed.notify_all();
        // Wakes the listener.
        let _ = TcpStream::connect(self.address);
        thread.join().unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shut_down();
    }
}

fn serve(listener: &TcpListener, state: &Arc<State>) {
    let mut threads = Vec::new();
    loop {
        let (stream, _) = listener.accept().unwrap();
        if state.stopping.load(Ordering::SeqCst) {
            break;
        }
        state.connections.fetch_add(1, Ordering::SeqCst);
        stream.set_nodelay(true).unwrap();
        state
            .streams
            .lock()
            .unwrap()
            .push(stream.try_clone().unwrap());
        let state = state.clone();
        threads.push(std::thread::spawn(move || {
            let closer = stream.try_clone().unwrap();
            // Errors are those of a client that is gone, or of certificates it does not trust.
            let _ = match state.tls.clone() {
                None => talk(stream, &state),
                Some(config) => {
                    let tls = ServerConnection::new(config).unwrap();
                    talk(StreamOwned::new(tls, stream), &state)
                }
            };
            let _ = closer.shutdown(std::net::Shutdown::Both);
        }));
    }
    for stream in state.streams.lock().unwrap().drain(..) {
        let _ = stream.shutdown(std::net::Shutdown::Both);
    }
    for thread in threads {
        thread.join().unwrap();
    }
}

fn talk(stream: impl Read + Write, state: &State) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    loop {
        let mut head = String::new();
        if stream.read_line(&mut head)? == 0 {
            return Ok(());
        }
        let mut headers = Vec::new();
        loop {
            let mut line = String::new();
            stream.read_line(&mut line)?;
            let line = line.strip_suffix("\r\n").expect("a whole line");
            if line.is_empty() {
                break;
            }
            let (name, value) = line.split_once(": ").expect("a header");
            headers.push((name.to_owned(), value.to_owned()));
        }
        let mut request = Request {
            head: head.trim_end().to_owned(),
            headers,
            body: Vec::new(),
            accepted: false,
        };
        let length: usize = request.header("Content-Length").parse().unwrap();
        let answer = (state.script.lock().unwrap())(&request);
        if let Answer::CloseWithin = answer {
            let mut part = vec![0; length / 2];
            stream.read_exact(&mut part)?;
            return Ok(());
        }
        request.body.resize(length, 0);
        stream.read_exact(&mut request.body)?;
        request.accepted = match &answer {
            Answer::Status(status) | Answer::With(status, _) => (200..300).contains(status),
            Answer::Endless => true,
            _ => false,
        };
        state.requests.lock().unwrap().push(request);
        let out = stream.get_mut();
        match answer {
            Answer::Status(status) => respond(out, status, &[])?,
            Answer::With(status, lines) => respond(out, status, &lines)?,
            Answer::Hang => {
                let mut guard = state.requests.lock().unwrap();
                while !state.stopping.load(Ordering::SeqCst) {
                    let step = Duration::from_millis(50);
                    guard = state.changed.wait_timeout(guard, step).unwrap().0;
                }
                return Ok(());
            }
            Answer::CloseAfter | Answer::CloseWithin => return Ok(()),
            Answer::BreakOff => {
                out.write_all(b"HTTP/1.1 200 OK\r\nContent-Le")?;
                out.flush()?;
                return Ok(());
            }
            Answer::Drip => {
                for byte in b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n".iter().cycle() {
                    if state.stopping.load(Ordering::SeqCst) {
                        return Ok(());
                    }
                    out.write_all(&[*byte])?;
                    out.flush()?;
                    std::thread::sleep(Duration::from_millis(20));
                }
            }
            Answer::Nonsense => {
                out.write_all(b"220 mail ready\r\n\r\n")?;
                out.flush()?;
                return Ok(());
            }
            Answer::Endless => {
                out.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")?;
                let chunk = [b"1000\r\n".as_slice(), &[b'x'; 4096], b"\r\n"].concat();
                loop {
                    out.write_all(&chunk)?;
                }
            }
        }
    }
}

fn respond(out: &mut impl Write, status: u16, lines: &[String]) -> std::io::Result<()> {
    let mut text = format!("HTTP/1.1 {status} Said\r\nContent-Length: 6\r\n");
    for line in lines {
        text.push_str(line);
        text.push_str("\r\n");
    }
    text.push_str("\r\nthanks");
    out.write_all(text.as_bytes())?;
    out.flush()
}
