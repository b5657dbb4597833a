// Copyright (C) 2026 The gst-plugin-dsframe authors
// Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What the page and the metrics cost at 30 captures a second of 1080p, with a client in a process of
//! its own that asks as the page does, fetches every picture, and scrapes the metrics each second.
//! Against the same line without `monitor-address`, alternating.
//!
//! `cargo bench --bench monitor`; `DSFRAME_BENCH_SMOKE=1` runs one short round.

use std::error::Error;
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use gst::prelude::*;

type Res<T> = Result<T, Box<dyn Error>>;

const CLIENT: &str = "DSFRAME_BENCH_CLIENT";

/// A request and its answer, on a connection that is kept.
fn ask(stream: &mut TcpStream, path: &str) -> Res<Vec<u8>> {
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n")?;
    let mut bytes = Vec::new();
    let mut buffer = vec![0; 1 << 18];
    loop {
        let read = stream.read(&mut buffer)?;
        if read == 0 {
            return Err("closed".into());
        }
        bytes.extend_from_slice(&buffer[..read]);
        let Some(head) = bytes.windows(4).position(|it| it == b"\r\n\r\n") else {
            continue;
        };
        let text = String::from_utf8_lossy(&bytes[..head]).to_lowercase();
        let length = text.split("content-length: ").nth(1).ok_or("no length")?;
        let length: usize = length.split_whitespace().next().unwrap_or("0").parse()?;
        if bytes.len() >= head + 4 + length {
            return Ok(bytes.split_off(head + 4));
        }
    }
}

/// Until it is killed.
fn client(address: SocketAddr) -> Res<()> {
    let mut stream = TcpStream::connect(address)?;
    let mut last = 0;
    loop {
        let begun = Instant::now();
        let news: serde_json::Value =
            serde_json::from_slice(&ask(&mut stream, &format!("/live?after={last}"))?)?;
        last = news["last"].as_u64().ok_or("no last")?;
        for capture in news["captures"].as_array().ok_or("no captures")? {
            ask(&mut stream, &format!("/captures/{}/0", capture["id"]))?;
        }
        ask(&mut stream, "/metrics")?;
        std::thread::sleep(Duration::from_secs(1).saturating_sub(begun.elapsed()));
    }
}

/// Seconds of CPU that the threads of this process with such a name had.
fn cpu_of(name: &str) -> Res<f64> {
    let mut nanos = 0;
    for task in fs::read_dir("/proc/self/task")? {
        let task = task?.path();
        let Ok(comm) = fs::read_to_string(task.join("comm")) else {
            continue;
        };
        if comm.trim() == name {
            let stat = fs::read_to_string(task.join("schedstat"))?;
            nanos += stat.split(' ').next().ok_or("no times")?.parse::<u64>()?;
        }
    }
    Ok(nanos as f64 / 1e9)
}

fn cpu() -> Res<f64> {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Ok(Duration::try_from(time)?.as_secs_f64())
}

struct Spent {
    process: f64,
    server: f64,
    seen: u64,
    captured: u64,
}

struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Shares of a core.
fn run(watched: bool, seconds: u64) -> Res<Spent> {
    let folder = tempfile::tempdir()?;
    let address = if watched { "monitor-address=0" } else { "" };
    let pipeline = gst::parse::launch(&format!(
        "dsframeinject pattern=objects is-live=true ! video/x-raw,width=1920,height=1080,framerate=30/1 ! \
         dsframecapture name=cap interval=1 max-files=0 {address} location={}/%06d.jpg",
        folder.path().display()
    ))?;
    let pipeline = pipeline
        .downcast::<gst::Pipeline>()
        .map_err(|_| "no pipeline")?;
    pipeline.set_state(gst::State::Playing)?;
    let cap = pipeline.by_name("cap").ok_or("no capture")?;
    let stats = cap.property::<gst::Structure>("stats");
    let _client = match stats.get::<String>("monitor-url") {
        Err(_) => None,
        Ok(url) => {
            let address = url.trim_start_matches("http://").trim_end_matches('/');
            let mut command = Command::new(std::env::current_exe()?);
            Some(Killed(command.env(CLIENT, address).spawn()?))
        }
    };
    std::thread::sleep(Duration::from_secs(2));
    let before = (cpu()?, cpu_of("dsframemonitor")?, Instant::now());
    std::thread::sleep(Duration::from_secs(seconds));
    let wall = before.2.elapsed().as_secs_f64();
    let spent = Spent {
        process: (cpu()? - before.0) / wall,
        server: (cpu_of("dsframemonitor")? - before.1) / wall,
        seen: cap.property::<gst::Structure>("stats").get("seen")?,
        captured: cap.property::<u32>("captured").into(),
    };
    pipeline.set_state(gst::State::Null)?;
    Ok(spent)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn main() -> Res<()> {
    if let Ok(address) = std::env::var(CLIENT) {
        return client(address.parse()?);
    }
    gst::init()?;
    gstdsframe::plugin_register_static()?;
    let smoke = std::env::var_os("DSFRAME_BENCH_SMOKE").is_some();
    let (rounds, seconds) = if smoke { (1, 3) } else { (5, 15) };
    let (mut servers, mut more) = (Vec::new(), Vec::new());
    println!("% of a core        without    with  server thread");
    for _ in 0..rounds {
        let (without, with) = (run(false, seconds)?, run(true, seconds)?);
        println!(
            "                   {:7.2} {:7.2}        {:7.2}   ({} of {} frames captured)",
            100.0 * without.process,
            100.0 * with.process,
            100.0 * with.server,
            with.captured,
            with.seen,
        );
        servers.push(100.0 * with.server);
        more.push(100.0 * (with.process - without.process));
    }
    println!(
        "median: server thread {:.2} %, all threads {:+.2} %",
        median(servers),
        median(more)
    );
    Ok(())
}
