// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The server of an address: one thread, and a bound on everything.

use std::convert::Infallible;
use std::future::{Future, poll_fn, ready};
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::pin::{Pin, pin};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak, mpsc};
use std::task::Poll;
use std::thread::JoinHandle;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Body as _, Bytes, Incoming};
use hyper::header::{self, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::sync::{Notify, Semaphore};
use tokio::time::timeout;

use crate::fault::Fault;

use super::GALLERY;
use super::address::{Listen, PROPERTY};
use super::http::{Answer, Body, HEADERS, answer};
use super::patient::Patient;
use super::sending::Sending;

/// Connections at a time. Further ones are told to come back.
const MAX_CONNECTIONS: usize = 64;
/// Above, a connection ends with its answer: browsers keep half a dozen, and few of them busy.
const MANY_CONNECTIONS: usize = 32;
/// Of a request's first line and its headers together.
const MAX_HEAD: usize = 16 << 10;
const MAX_HEADERS: usize = 64;
/// From the beginning of a connection, or the answer before, to the end of a request's headers.
const HEAD_TIME: Duration = Duration::from_secs(10);
/// How long a client may take nothing of what it is sent.
const PATIENCE: Duration = Duration::from_secs(10);
/// After which a client has to connect anew, whatever it does.
const LIFETIME: Duration = Duration::from_secs(600);
/// How long the thread may take to notice that it is to end.
const STUCK: Duration = Duration::from_secs(2);
/// How long to wait where the system refuses to accept connections.
const RECOVERY: Duration = Duration::from_millis(100);

#[derive(Debug, thiserror::Error)]
#[error("property \"{PROPERTY}\": cannot listen on {address}: {error}{hint}")]
pub struct ListenError {
    address: SocketAddr,
    error: io::Error,
    hint: &'static str,
}

impl ListenError {
    fn new(address: SocketAddr, error: io::Error) -> Self {
        let hint = match error.kind() {
            io::ErrorKind::AddrInUse => "; use another port, or 0 for any that is free",
            io::ErrorKind::AddrNotAvailable => "; it must be an address of this machine",
            io::ErrorKind::PermissionDenied => "; ports below 1024 are for root",
            _ => "",
        };
        Self {
            address,
            error,
            hint,
        }
    }
}

impl From<&ListenError> for Fault {
    fn from(error: &ListenError) -> Self {
        Self::resource(gst::ResourceError::OpenRead, error)
    }
}

/// An address in use, until its thread has ended.
struct Place {
    asked: SocketAddr,
    bound: SocketAddr,
    /// Gone while the thread is ending.
    server: Weak<Server>,
}

static PLACES: Mutex<Vec<Place>> = Mutex::new(Vec::new());
static FREED: Condvar = Condvar::new();

fn places() -> MutexGuard<'static, Vec<Place>> {
    PLACES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Listens until it is dropped.
#[derive(Debug)]
pub struct Server {
    bound: SocketAddr,
    stop: Arc<Notify>,
    thread: Option<JoinHandle<()>>,
    /// Closed by the thread when it ends.
    ended: Mutex<mpsc::Receiver<Infallible>>,
}

impl Server {
    /// The server of an address, and whether it was started for it. Who asks for port 0 shares the
    /// one that others got by it.
    pub fn get(listen: Listen) -> Result<(Arc<Self>, bool), ListenError> {
        let Listen(asked) = listen;
        let mut places = places();
        loop {
            let mut here = places
                .iter()
                .filter(|it| it.asked == asked || it.bound == asked);
            let Some(place) = here.next() else {
                break;
            };
            if let Some(server) = place.server.upgrade() {
                return Ok((server, false));
            }
            // The one before is about to leave it.
            let (guard, waited) = FREED
                .wait_timeout(places, 2 * STUCK)
                .unwrap_or_else(PoisonError::into_inner);
            places = guard;
            if waited.timed_out() {
                break;
            }
        }
        let failed = |error| ListenError::new(asked, error);
        let server = Arc::new(Self::start(asked, listen.is_local()).map_err(failed)?);
        places.push(Place {
            asked,
            bound: server.bound,
            server: Arc::downgrade(&server),
        });
        Ok((server, true))
    }

    fn start(asked: SocketAddr, is_local: bool) -> io::Result<Self> {
        let listener = TcpListener::bind(asked)?;
        listener.set_nonblocking(true)?;
        let bound = listener.local_addr()?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .build()?;
        let stop = Arc::<Notify>::default();
        let (running, ended) = mpsc::channel();
        let stopped = stop.clone();
        // Names of threads end after 15 bytes.
        let thread = std::thread::Builder::new().name("dsframemonitor".into());
        let thread = thread.spawn(move || {
            let _running = running;
            // With the runtime go the connections.
            runtime.block_on(async {
                let accepting = pin!(accept(listener, is_local));
                first(accepting, pin!(stopped.notified())).await;
            });
        })?;
        GALLERY.open();
        Ok(Self {
            bound,
            stop,
            thread: Some(thread),
            ended: Mutex::new(ended),
        })
    }

    /// Where a browser finds it.
    pub fn url(&self) -> String {
        let mut address = self.bound;
        if address.ip().is_unspecified() {
            let local: std::net::IpAddr = match address {
                SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
                SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
            };
            address.set_ip(local);
        }
        format!("http://{address}/")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.notify_one();
        let ended = self
            .ended
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner)
            .recv_timeout(STUCK);
        // One that is stuck in a driver is left to itself: it owns all it touches.
        if ended == Err(mpsc::RecvTimeoutError::Disconnected)
            && let Some(thread) = self.thread.take()
        {
            let _ = thread.join();
        }
        GALLERY.close();
        places().retain(|place| place.bound != self.bound);
        FREED.notify_all();
    }
}

/// Goes on until either is done.
async fn first(
    mut one: Pin<&mut impl Future<Output = ()>>,
    mut other: Pin<&mut impl Future<Output = ()>>,
) {
    poll_fn(|context| {
        let done = one.as_mut().poll(context).is_ready() || other.as_mut().poll(context).is_ready();
        if done { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

async fn accept(listener: TcpListener, is_local: bool) {
    let Ok(listener) = tokio::net::TcpListener::from_std(listener) else {
        return;
    };
    let room = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // Most likely no file descriptor is left.
            tokio::time::sleep(RECOVERY).await;
            continue;
        };
        match room.clone().try_acquire_owned() {
            Ok(place) => {
                let room = room.clone();
                tokio::spawn(async move {
                    serve(stream, is_local, &room).await;
                    drop(place);
                });
            }
            Err(_) => turn_away(&stream),
        }
    }
}

/// As much of it as there is room for at once, which is all unless somebody plays tricks.
fn turn_away(stream: &TcpStream) {
    let _ = stream.try_write(
        b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\n\
          Connection: close\r\n\r\n",
    );
}

async fn serve(stream: TcpStream, is_local: bool, room: &Semaphore) {
    let _ = stream.set_nodelay(true);
    let service = service_fn(|request| {
        let ends = room.available_permits() < MAX_CONNECTIONS - MANY_CONNECTIONS;
        ready(Ok::<_, Infallible>(respond(request, is_local, ends)))
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME)
        .max_buf_size(MAX_HEAD)
        .max_headers(MAX_HEADERS)
        .serve_connection(TokioIo::new(Patient::new(stream, PATIENCE)), service);
    let mut connection = pin!(connection);
    // What goes wrong with a connection is its end, and the business of the client.
    if timeout(LIFETIME, connection.as_mut()).await.is_err() {
        connection.as_mut().graceful_shutdown();
        let _ = timeout(PATIENCE, connection).await;
    }
}

fn respond(request: Request<Incoming>, is_local: bool, ends: bool) -> Response<Full<Bytes>> {
    let (request, body) = request.into_parts();
    let Answer {
        mut status,
        mut media_type,
        body,
        close,
    } = answer(&request, !body.is_end_stream(), is_local, &GALLERY);
    let bytes = match body {
        Body::Text(text) => Bytes::from(text),
        Body::Fixed(text) => Bytes::from_static(text.as_bytes()),
        Body::Picture(bytes) => match Sending::begin(bytes) {
            Some(sending) => Bytes::from_owner(sending),
            None => {
                status = StatusCode::SERVICE_UNAVAILABLE;
                media_type = "text/plain; charset=utf-8";
                Bytes::from_static(b"Too many pictures are on their way. Ask again in a moment.\n")
            }
        },
    };
    let mut response = Response::new(Full::new(bytes));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.extend(HEADERS);
    if status == StatusCode::METHOD_NOT_ALLOWED {
        headers.insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
    }
    if close || ends || request.method == Method::CONNECT {
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}
