#!/usr/bin/env python3
# Copyright (C) 2026 The gst-plugin-dsframe authors
# Licensed under Apache-2.0 or MIT, at your option; see LICENSE-APACHE and LICENSE-MIT.
# SPDX-License-Identifier: Apache-2.0 OR MIT
"""The live page in headless Chromium, over pipelines that run. Started by tests/page.sh.

    page.py                     the tests
    page.py --pictures FOLDER   pictures of the page for the documentation
    page.py --look FOLDER       pictures of every state that is to be looked at

CHROMIUM names the browser, GST_PLUGIN_PATH the folder of the plugin.
"""

import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

import numpy as np
from playwright.sync_api import expect, sync_playwright

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "python"))
from dsframe import Detection, FrameSender  # noqa: E402

LIMIT = 30_000  # ms
SCRIPT = "<script>alert('x')</script><img src=x onerror=alert(1)>"
LONG = "a label that goes on and on " * 20
FOREIGN = ["歩行者", "велосипед", "سيارة", "वाहन", "🚲 بس", "e\u0301\u0301\u0301"]

expect.set_options(timeout=LIMIT)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Line:
    """A gst-launch-1.0 line, until it is stopped."""

    def __init__(self, text, port):
        self.text, self.port = text, port
        self.url = f"http://127.0.0.1:{port}/"
        self.start()

    def start(self):
        self.process = subprocess.Popen(
            ["gst-launch-1.0", "-q", *self.text.split()], stdout=subprocess.DEVNULL
        )
        deadline = time.monotonic() + LIMIT / 1000
        while time.monotonic() < deadline:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            if self.process.poll() is not None:
                raise RuntimeError(f"it ended: {self.text}")
            time.sleep(0.05)
        raise RuntimeError(f"nothing listens: {self.text}")

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


class Scene:
    """Cameras that are none: so many streams, with these labels, one frame after the other."""

    def __init__(self, path, streams=1, labels=("person", "car"), fps=10, size=(360, 640), sensors=()):
        self.stop_asked = threading.Event()
        self.thread = threading.Thread(
            target=self.run, args=(path, streams, labels, fps, size, sensors), daemon=True
        )
        self.thread.start()

    def run(self, path, streams, labels, fps, size, sensors):
        height, width = size
        y, x = np.mgrid[:height, :width]
        with FrameSender(path, fps=fps, overflow="drop-oldest", linger=0.1) as sender:
            number = 0
            while not self.stop_asked.wait(1 / fps):
                stream = number % streams
                frame = sender.frame(height, width)
                frame.array[..., 0] = (x // 4 + 5 * number) % 200
                frame.array[..., 1] = 60 + (stream * 40) % 160
                frame.array[..., 2] = y // 3
                found = []
                for place, label in enumerate(labels):
                    left = (40 + 90 * place + 7 * number) % (width - 90)
                    top = 20 + (place * 50) % (height - 110)
                    frame.array[top : top + 80, left : left + 60] = 230
                    confidence = max(0.97 - 0.11 * place, 0.05)
                    found.append(Detection(label, (left, top, 60, 80), confidence, track_id=place))
                sensor = sensors[stream] if stream < len(sensors) else ""
                sender.send(frame, detections=found, stream=stream, pad=stream, sensor=sensor)
                number += 1

    def stop(self):
        self.stop_asked.set()
        self.thread.join(10)


class Stage:
    """A folder, and what runs in it."""

    def __init__(self):
        self.folder = tempfile.mkdtemp()
        self.running = []

    def scene(self, capture="mode=interval interval=1", **kwargs):
        path = f"{self.folder}/s"
        self.running.append(Scene(path, **kwargs))
        return self.line(f"dsframeinject channel=unix:{path} ! queue ! dsframecapture name=cap {capture}")

    def line(self, text):
        port = free_port()
        text = f"{text} monitor-address={port} location={self.folder}/%06d.jpg"
        line = Line(text, port)
        self.running.append(line)
        return line

    def close(self):
        for one in reversed(self.running):
            one.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


def launch(playwright):
    # Its sandbox needs what containers do not give; it is shown our own page only.
    return playwright.chromium.launch(
        executable_path=os.environ.get("CHROMIUM", "/usr/bin/chromium"), args=["--no-sandbox"]
    )


class PageTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.playwright = sync_playwright().start()
        cls.browser = launch(cls.playwright)

    @classmethod
    def tearDownClass(cls):
        cls.browser.close()
        cls.playwright.stop()

    def setUp(self):
        self.stage = Stage()
        self.addCleanup(self.stage.close)
        self.complaints, self.requests = [], []

    def open(self, line, size=(1280, 800)):
        context = self.browser.new_context(viewport={"width": size[0], "height": size[1]})
        self.addCleanup(context.close)
        page = context.new_page()
        page.set_default_timeout(LIMIT)
        page.on("console", lambda it: self.complaints.append(it.text) if it.type in ("error", "warning") else None)
        page.on("pageerror", lambda it: self.complaints.append(str(it)))
        page.on("dialog", lambda it: (self.complaints.append(f"dialog {it.message}"), it.dismiss()))
        page.on("request", lambda it: self.requests.append(it.url))
        page.goto(line.url)
        return page

    def assert_quiet(self, line):
        self.assertEqual(self.complaints, [])
        elsewhere = [url for url in self.requests if not url.startswith(line.url)]
        self.assertEqual(elsewhere, [])
        self.assertTrue(self.requests)

    @staticmethod
    def ids(page):
        return page.eval_on_selector_all(".card", "all => all.map(it => Number(it.dataset.id))")

    def until(self, page, condition, what):
        deadline = time.monotonic() + LIMIT / 1000
        while not condition():
            self.assertLess(time.monotonic(), deadline, what)
            page.wait_for_timeout(100)

    def test_captures_appear_as_they_come(self):
        line = self.stage.scene()
        page = self.open(line)
        expect(page.locator("#state")).to_have_text("Live")
        page.wait_for_selector(".card")
        first = self.ids(page)
        self.until(page, lambda: self.ids(page)[0] > first[0] + 20, "newer captures")
        ids = self.ids(page)
        self.assertEqual(ids, sorted(ids, reverse=True), "newest first")
        self.assertLessEqual(len(ids), 64)
        card = page.locator(".card").nth(1)
        expect(card.locator(".why")).to_have_text("Its turn, by the interval")
        expect(card.locator(".objects li").first).to_have_text("person 97 %")
        expect(card.locator(".shot")).to_have_class("shot loaded")
        self.until(
            page,
            lambda: card.locator("img").evaluate("it => it.complete && it.naturalWidth === 640"),
            "a picture",
        )
        # Each box lies where the object is: they are drawn in white.
        self.assertEqual(card.locator("svg rect").count(), 2)
        tiles = page.locator(".element", has_text="cap").first
        expect(tiles.locator("dt", has_text="Captured")).to_be_visible()
        self.until(
            page,
            lambda: int(tiles.locator("dd").nth(1).inner_text().replace(",", "")) > 20,
            "counters",
        )
        self.until(page, lambda: page.locator(".plot path.first").first.get_attribute("d"), "a plot")
        self.assert_quiet(line)

    def test_streams_and_labels_are_filtered(self):
        line = self.stage.scene(streams=4, fps=20, sensors=["gate"])
        page = self.open(line)
        page.wait_for_selector(".card")
        self.until(page, lambda: page.locator("#stream option").count() == 5, "all streams")
        page.select_option("#stream", "2")
        streams = lambda: set(page.locator(".card .stream").all_inner_texts())  # noqa: E731
        self.until(page, lambda: streams() == {"Stream 2"}, "one stream")
        before = self.ids(page)[0]
        self.until(page, lambda: self.ids(page)[0] > before, "it goes on")
        self.assertEqual(streams(), {"Stream 2"})
        page.select_option("#stream", "0")
        self.until(page, lambda: streams() == {"gate"}, "by its sensor's name")
        page.select_option("#stream", "")
        page.fill("#label", "zebra")
        expect(page.locator("#empty-title")).to_have_text("Nothing passes the filter")
        self.assertEqual(page.locator(".card").count(), 0)
        page.fill("#label", "PERS")
        page.wait_for_selector(".card")
        self.assert_quiet(line)

    def test_labels_are_text_whatever_they_say(self):
        line = self.stage.scene(labels=[SCRIPT, LONG, *FOREIGN], sensors=[SCRIPT])
        for size in ((1280, 800), (390, 844), (320, 640)):
            page = self.open(line, size)
            page.wait_for_selector(".card")
            self.until(page, lambda: page.locator(".card").count() > 3, "captures")
            first = page.locator(".card").nth(1).locator(".objects li").first
            expect(first).to_contain_text(SCRIPT)
            self.assertEqual(page.locator("script").count(), 1)
            inside = page.locator("#grid script, #grid .facts img, #elements img, #grid [onerror]")
            self.assertEqual(inside.count(), 0)
            for label in FOREIGN[:4]:
                self.assertIn(label, page.locator("#grid").inner_text())
            page.locator(".card .view").nth(1).click()
            expect(page.locator("#large")).to_be_visible()
            self.assertEqual(page.locator("#large script, #large .facts img").count(), 0)
            page.locator("#close").click()
            expect(page.locator("#large")).to_be_hidden()
            width = page.evaluate("document.documentElement.scrollWidth")
            self.assertLessEqual(width, size[0], "nothing sticks out")
        self.assert_quiet(line)

    def test_a_pause_is_one_and_ends(self):
        line = self.stage.scene()
        page = self.open(line)
        page.wait_for_selector(".card")
        page.click("#pause")
        expect(page.locator("#state")).to_have_text("Paused")
        held = self.ids(page)
        self.until(page, lambda: "new since" in page.locator("#notice").inner_text(), "a count")
        page.wait_for_timeout(1500)
        self.assertEqual(self.ids(page), held)
        page.click("#pause")
        expect(page.locator("#state")).to_have_text("Live")
        self.until(page, lambda: self.ids(page)[0] > held[0], "newer captures")
        page.uncheck("#boxes")
        self.assertFalse(page.locator(".card svg").first.is_visible())
        self.assert_quiet(line)

    def test_a_lost_connection_is_said_and_healed(self):
        line = self.stage.line("dsframeinject pattern=objects is-live=true ! dsframecapture name=cap interval=6")
        page = self.open(line)
        page.wait_for_selector(".card")
        self.until(page, lambda: self.ids(page)[0] > 10, "some captures")
        self.assertEqual(self.complaints, [])
        line.stop()
        expect(page.locator("#state")).to_contain_text("Connection lost")
        self.assertGreater(page.locator(".card").count(), 0, "what was shown stays")
        line.start()
        expect(page.locator("#state")).to_have_text("Live")
        self.until(page, lambda: 0 < min(self.ids(page), default=0) <= 3, "the captures of the next process")
        refused = [it for it in self.complaints if "ERR_CONNECTION" not in it and "ERR_EMPTY" not in it]
        self.assertEqual(refused, [])

    def test_without_captures_it_says_so(self):
        line = self.stage.line("dsframeinject is-live=true ! dsframecapture name=cap mode=manual")
        page = self.open(line)
        expect(page.locator("#state")).to_have_text("Live")
        expect(page.locator("#empty-title")).to_have_text("No captures yet")
        self.until(page, lambda: page.locator(".element").count() == 2, "both elements")
        self.assert_quiet(line)

    def assert_tables_fit(self, page):
        wide = page.eval_on_selector_all(
            ".table", "all => all.filter(it => it.scrollWidth > it.clientWidth).map(it => it.innerText)"
        )
        self.assertEqual(wide, [], "no table scrolls sideways")

    def assert_server_is_left_alone(self, page):
        server = page.locator(".table", has_text="Server")
        rows = server.locator("tbody tr")
        expect(rows.nth(0)).to_have_text("Stateleft alone")
        expect(rows.nth(1).locator("td.name")).to_have_text("Because")
        expect(rows.nth(1).locator("td").nth(1)).not_to_be_empty()

    def test_a_phone_shows_captures_or_numbers(self):
        # Nobody listens there, and that is known at once.
        line = self.stage.scene(
            "mode=interval interval=1 endpoint=http://127.0.0.1:1/ endpoint-breaker-threshold=1 "
            f"endpoint-spool={self.stage.folder}/spool",
            streams=16,
            fps=20,
        )
        page = self.open(line, (390, 844))
        page.wait_for_selector(".card")
        self.assertFalse(page.locator("#elements").is_visible())
        page.click("#swap")
        expect(page.locator("#elements")).to_be_visible()
        self.assertFalse(page.locator("#grid").is_visible())
        self.until(page, lambda: page.locator("tbody tr").count() >= 16, "a row for each stream")
        width = page.evaluate("document.documentElement.scrollWidth")
        self.assertLessEqual(width, 390)
        self.assert_server_is_left_alone(page)
        self.assert_tables_fit(page)
        page.click("#swap")
        expect(page.locator("#grid")).to_be_visible()
        page = self.open(line)
        self.until(page, lambda: page.locator("tbody tr").count() >= 16, "a row for each stream")
        self.assert_server_is_left_alone(page)
        self.assert_tables_fit(page)
        self.assert_quiet(line)


SIZES = {"wide": (1280, 800), "phone": (390, 844)}


def shoot(browser, line, name, folder, wait=12, schemes=("light", "dark"), before=None, **options):
    shots = []
    for place, size in SIZES.items():
        for scheme in schemes:
            context = browser.new_context(viewport={"width": size[0], "height": size[1]}, color_scheme=scheme)
            page = context.new_page()
            page.goto(line.url)
            shots.append((place, scheme, context, page))
    time.sleep(wait)
    for place, scheme, context, page in shots:
        if before:
            before(page, place)
        page.wait_for_timeout(300)
        page.screenshot(path=f"{folder}/{name}-{place}-{scheme}.png", **options)
        context.close()


def look(folder):
    os.makedirs(folder, exist_ok=True)
    with sync_playwright() as playwright:
        browser = launch(playwright)
        for name, kwargs in {
            "empty": None,
            "streams": {"streams": 16, "fps": 24},
            "long": {"labels": [LONG, "x" * 200, "person"], "sensors": [LONG]},
            "foreign": {"labels": FOREIGN},
            "script": {"labels": [SCRIPT, "car"], "sensors": [SCRIPT]},
        }.items():
            stage = Stage()
            if kwargs is None:
                line = stage.line("dsframeinject is-live=true ! dsframecapture name=cap mode=manual")
            else:
                line = stage.scene(**kwargs)
            shoot(browser, line, name, folder, wait=8)
            if name == "streams":
                def numbers(page, place):
                    if place == "phone":
                        page.click("#swap")
                    else:
                        page.locator(".card .view").first.click()
                shoot(browser, line, "streams-more", folder, wait=4, schemes=("dark",), before=numbers)
                line.stop()
                shoot_lost(browser, line, folder)
            stage.close()
        browser.close()


def shoot_lost(browser, line, folder):
    line.start()
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    page = context.new_page()
    page.goto(line.url)
    page.wait_for_selector(".card")
    line.stop()
    expect(page.locator("#state")).to_contain_text("Connection lost")
    page.screenshot(path=f"{folder}/lost.png")
    context.close()


def pictures(folder):
    """Of what a line of the documentation shows."""
    os.makedirs(folder, exist_ok=True)
    stage = Stage()
    line = stage.line(
        "dsframeinject pattern=objects is-live=true ! video/x-raw,width=1280,height=720,framerate=30/1 "
        "! dsframecapture name=capture classes=person,bicycle cooldown=500000000"
    )
    with sync_playwright() as playwright:
        browser = launch(playwright)
        shots = []
        for name, size, scheme in (("monitor", (1280, 800), "light"), ("monitor-phone", (390, 844), "dark")):
            context = browser.new_context(viewport={"width": size[0], "height": size[1]}, color_scheme=scheme)
            page = context.new_page()
            page.goto(line.url)
            shots.append((name, page))
        time.sleep(40)
        for name, page in shots:
            # What is in view is whole, however busy the machine is.
            page.get_by_role("button", name="Pause").click()
            page.wait_for_function(
                "[...document.images].every(it => it.getBoundingClientRect().top > innerHeight || (it.complete && it.naturalWidth))",
                timeout=LIMIT,
            )
            page.screenshot(path=f"{folder}/{name}.png")
        browser.close()
    stage.close()


if __name__ == "__main__":
    if sys.argv[1:2] == ["--pictures"]:
        pictures(sys.argv[2])
    elif sys.argv[1:2] == ["--look"]:
        look(sys.argv[2])
    else:
        unittest.main(verbosity=2)
