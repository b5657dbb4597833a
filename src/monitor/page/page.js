"use strict";

// What comes from the elements is data: it is put into the page as text and numbers, by textContent
// and attributes, never as markup.

const POLL = 1000; // ms
const POLL_HIDDEN = 5000;
const PATIENCE = 5000;
const MAX_CARDS = 64;
const MAX_KEPT = 256;
const HISTORY = 180; // points of the plots
const SVG = "http://www.w3.org/2000/svg";

const $ = (id) => document.getElementById(id);

function make(tag, name, text) {
  const made = document.createElement(tag);
  if (name) made.className = name;
  if (text !== undefined) made.textContent = text;
  return made;
}

function draw(tag, attributes) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}

// Changes nothing that is so already, which would cost a layout and a selection of text.
function say(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

const whole = new Intl.NumberFormat("en");
const short = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });
const count = (value) => (value < 1e6 ? whole.format(value) : short.format(value));

function rate(value) {
  return value >= 100 ? whole.format(Math.round(value)) : value.toFixed(1);
}

function bytes(value) {
  for (const [unit, size] of [["GB", 1e9], ["MB", 1e6], ["kB", 1e3]]) {
    if (value >= size) return `${(value / size).toFixed(1)} ${unit}`;
  }
  return `${Math.round(value)} B`;
}

function duration(seconds) {
  if (seconds >= 1) return `${seconds.toFixed(2)} s`;
  return `${(seconds * 1000).toFixed(seconds < 0.01 ? 2 : 1)} ms`;
}

// --- captures

let captures = []; // newest first
let last = 0; // the latest that is shown, or was passed over
let known = 0; // the latest that there is
let missed = 0; // since the look before
let paused = false;
let process = null;
const labels = new Set();
const streams = new Set();
const captors = new Set();

function clear() {
  captures = [];
  last = known = 0;
  streams.clear();
  labels.clear();
  $("grid").replaceChildren();
  for (const panel of panels.values()) panel.node.remove();
  panels.clear();
}

function passes(capture) {
  const element = $("element").value;
  const stream = $("stream").value;
  const label = $("label").value.trim().toLowerCase();
  return (
    (!element || capture.element === element) &&
    (!stream || String(capture.stream) === stream) &&
    (!label || capture.objects.some((object) => object.label.toLowerCase().includes(label)))
  );
}

const REASONS = {
  interval: () => "Its turn, by the interval",
  metadata: (it) =>
    `${count(it.matches_total)} of ${count(it.objects_total)} object${it.objects_total === 1 ? "" : "s"} matched`,
  manual: () => "Asked for",
  pre: () => "Before what triggered",
  post: () => "After what triggered",
  best: () => "The best view of an object",
};

function why(capture) {
  const reason = REASONS[capture.reason];
  return reason ? reason(capture) : capture.reason;
}

function confidence(value) {
  return value === null ? "" : ` ${Math.round(value * 100)} %`;
}

// One colour for one label, wherever it is met.
function hue(label) {
  let hash = 0;
  for (const character of label) hash = (hash * 31 + character.codePointAt(0)) % 3600;
  return (hash * 137.5) % 360;
}

function overlay(capture) {
  const [width, height] = capture.size;
  const svg = draw("svg", { viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none" });
  for (const object of capture.objects) {
    const [left, top, w, h] = object.box;
    if (![left, top, w, h].every(Number.isFinite)) continue;
    const box = draw("rect", { x: left, y: top, width: Math.max(w, 0), height: Math.max(h, 0) });
    box.style.setProperty("--hue", hue(object.label));
    if (object.matched) box.classList.add("match");
    svg.append(box);
  }
  return svg;
}

function cell(capture, picture, number) {
  const node = make("span", "cell");
  const shot = make("span", "shot");
  const image = make("img");
  const of = capture.objects.find((object) => object.place === picture.object);
  image.alt = of ? of.label : `Frame ${capture.frame} of stream ${capture.stream}`;
  image.loading = "lazy";
  image.decoding = "async";
  image.draggable = false;
  const fit = (width, height) => width && shot.style.setProperty("--aspect", width / height);
  const isFrame = picture.object === null;
  if (isFrame) fit(...capture.size);
  image.addEventListener("load", () => {
    fit(image.naturalWidth, image.naturalHeight);
    shot.classList.add("loaded");
  });
  const address = `captures/${capture.id}/${number}`;
  let tries = 0;
  image.addEventListener("error", () => {
    tries += 1;
    // The server may have had too many to talk to.
    if (tries < 3 && node.isConnected) setTimeout(() => { image.src = `${address}?${tries}`; }, 1000 * tries);
    else node.replaceChildren(make("span", "none", "This picture is not kept any more."));
  });
  image.src = address;
  shot.append(image);
  if (isFrame && !picture.annotated) shot.append(overlay(capture));
  node.append(shot);
  return node;
}

function view(capture, tag) {
  const node = make(tag, "view");
  const shown = capture.pictures;
  node.style.setProperty("--columns", Math.ceil(Math.sqrt(shown.length)) || 1);
  node.append(...shown.map((picture, number) => cell(capture, picture, number)));
  if (!shown.length) {
    const none = make("span", "cell");
    none.append(make("span", "none", capture.note ?? "No picture is made: only what is known is recorded."));
    node.append(none);
  }
  return node;
}

function clock(time) {
  const date = new Date(time);
  const two = (value, digits = 2) => String(value).padStart(digits, "0");
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}.${two(date.getMilliseconds(), 3)}`;
}

function facts(capture, all) {
  const node = make("div", "facts");
  const line = make("p", "line");
  const stream = make("span", "stream", capture.sensor ?? `Stream ${capture.stream}`);
  stream.style.setProperty("--hue", (capture.stream * 137.5 + 165) % 360);
  line.append(stream, make("span", "", `frame ${capture.frame}`));
  if (captors.size > 1 || all) line.append(make("span", "", capture.element));
  const time = make("time", "", clock(capture.time));
  time.dateTime = time.title = capture.time;
  line.append(time);
  node.append(line, make("p", "why", why(capture)));
  const most = all ? capture.objects.length : 6;
  const list = make("ul", "objects");
  for (const object of capture.objects.slice(0, most)) {
    const item = make("li", object.matched ? "match" : "");
    // Whatever direction it is written in, what follows stays behind it.
    item.append(make("bdi", "", object.label || "object"));
    item.style.setProperty("--hue", hue(object.label));
    item.append(make("b", "", confidence(object.confidence)));
    if (all && object.track !== null) item.append(` #${object.track}`);
    if (!all) item.title = object.label;
    list.append(item);
  }
  const more = capture.objects_total - Math.min(most, capture.objects.length);
  if (more > 0) list.append(make("li", "", `${count(more)} more`));
  if (list.childElementCount) node.append(list);
  const pictures = capture.pictures_total - capture.pictures.length;
  if (pictures > 0 && capture.pictures.length) {
    node.append(make("p", "line", `${count(pictures)} more pictures are not shown`));
  }
  if (all) {
    const pts = capture.pts === null ? "no timestamp" : `at ${(capture.pts / 1e9).toFixed(3)} s`;
    node.append(make("p", "line", `Capture ${capture.number}, ${pts}, ${capture.size.join(" × ")}, ${capture.time}`));
  }
  return node;
}

function enlarge(capture) {
  $("large-body").replaceChildren(view(capture, "div"), facts(capture, true));
  $("large").showModal();
}

function card(capture) {
  const node = make("article", "card");
  node.dataset.id = capture.id;
  const button = view(capture, "button");
  button.type = "button";
  button.setAttribute("aria-label", `Enlarge frame ${capture.frame} of stream ${capture.stream}`);
  button.addEventListener("click", () => enlarge(capture));
  node.append(button, facts(capture, false));
  return node;
}

// Keeps the cards that are there: pictures must not be fetched again.
function showCaptures() {
  const wanted = captures.filter(passes).slice(0, MAX_CARDS);
  const grid = $("grid");
  const there = new Map();
  for (const node of grid.children) there.set(node.dataset.id, node);
  const wasEmpty = there.size === 0;
  let place = grid.firstElementChild;
  for (const capture of wanted) {
    const id = String(capture.id);
    let node = there.get(id);
    if (node) {
      there.delete(id);
    } else {
      node = card(capture);
      if (!wasEmpty) node.classList.add("new");
    }
    if (node === place) place = place.nextElementSibling;
    else grid.insertBefore(node, place);
  }
  for (const node of there.values()) node.remove();
  let first = true;
  for (const node of grid.children) {
    node.classList.toggle("lead", first && wanted.length > 2);
    first = false;
  }
  $("empty").hidden = wanted.length > 0;
  const filtered = captures.length > 0;
  say($("empty-title"), filtered ? "Nothing passes the filter" : "No captures yet");
  say($("empty-text"), filtered
    ? `${count(captures.length)} captures are of other streams or labels.`
    : "They appear here as they are committed.");
}

function options(select, values, text) {
  const chosen = select.value;
  const there = [...select.options].slice(1).map((option) => option.value);
  if (there.join("\n") === values.join("\n")) return;
  const all = select.options[0];
  select.replaceChildren(all, ...values.map((value) => {
    const option = make("option", "", text(value));
    option.value = value;
    return option;
  }));
  // What is not there any more is still what was asked for.
  if (chosen && !values.includes(chosen)) {
    const gone = make("option", "", text(chosen));
    gone.value = chosen;
    select.append(gone);
  }
  select.value = chosen;
}

function showChoices() {
  const byNumber = [...streams].sort((a, b) => a - b).slice(0, 1024).map(String);
  options($("stream"), byNumber, (value) => value);
  options($("element"), [...captors].sort(), (value) => value);
  $("element-field").hidden = captors.size < 2 && !$("element").value;
  const list = $("labels");
  const names = [...labels].sort();
  if (list.childElementCount !== names.length) {
    list.replaceChildren(...names.map((name) => {
      const option = make("option");
      option.value = name;
      return option;
    }));
  }
}

function learn(capture) {
  streams.add(capture.stream);
  for (const object of capture.objects) {
    if (object.label && labels.size < 500) labels.add(object.label);
  }
}

function take(news) {
  known = news.last;
  if (paused) return;
  for (const capture of news.captures) {
    learn(capture);
    captures.unshift(capture);
  }
  captures.length = Math.min(captures.length, MAX_KEPT);
  // At the first look nobody was waiting for them.
  missed = last ? news.missed : 0;
  last = news.last;
}

function showNotice() {
  const waiting = known - last;
  const parts = [];
  if (paused) parts.push(waiting ? `Paused; ${count(waiting)} new since.` : "Paused.");
  else if (missed) parts.push(`${count(missed)} captures came and went between two looks.`);
  say($("notice"), parts.join(" "));
}

// --- elements

const panels = new Map();

const NAMES = {
  dsframe_pictures_renamed_total: "Pictures renamed",
  dsframe_captures_rotated_total: "Old captures deleted",
  dsframe_objects_skipped_total: "Objects without a box in the frame",
  dsframe_labels_left_out_total: "Objects left out of labels",
  dsframe_metadata_left_out_total: "Metadata passed over",
  dsframe_condition_errors_total: "Condition errors",
  dsframe_log_repairs_total: "Log lines cut off",
  dsframe_captures_not_shown_total: "Captures not on this page",
  dsframe_inject_skipped_total: "Frames skipped",
  dsframe_inject_repeated_total: "Frames repeated",
  dsframe_inject_timeouts_total: "Timeouts",
};
const QUIET = new Set(["dsframe_captures_rotated_total", "dsframe_captures_not_shown_total", "dsframe_inject_repeated_total"]);
// What has a place of its own. All others are listed, also those that a newer version may have.
const PLACED = new Set([
  "dsframe_frames_total", "dsframe_frames_seen_total", "dsframe_frames_pending",
  "dsframe_pictures_total", "dsframe_picture_bytes_total", "dsframe_queue_jobs",
  "dsframe_queue_jobs_max", "dsframe_encode_seconds", "dsframe_capture_seconds",
  "dsframe_channel_readers", "dsframe_channel_frames_total", "dsframe_channel_in_flight",
  "dsframe_injected_frames_total", "dsframe_injected_bytes_total",
  "dsframe_inject_waiting_seconds_total",
]);
const DROPS = new Set(["dropped-overflow", "dropped-flush", "dropped-timeout", "dropped-full"]);

function summed(samples) {
  const of = { streams: new Map(), channels: new Map(), endpoint: {}, others: [], values: new Map() };
  for (const [name, labels, value] of samples) {
    if (name.startsWith("dsframe_frames_")) {
      const stream = labels[1];
      let row = of.streams.get(stream);
      if (!row) {
        row = { seen: 0, captured: 0, notSelected: 0, dropped: 0, failed: 0, pending: 0 };
        of.streams.set(stream, row);
      }
      if (name === "dsframe_frames_seen_total") row.seen += value;
      else if (name === "dsframe_frames_pending") row.pending += value;
      else if (labels[2] === "captured") row.captured += value;
      else if (labels[2] === "not-selected") row.notSelected += value;
      else if (DROPS.has(labels[2])) row.dropped += value;
      else row.failed += value;
    } else if (name.startsWith("dsframe_channel_")) {
      const row = of.channels.get(labels[1]) ?? {};
      row[labels[2] ?? name] = value;
      of.channels.set(labels[1], row);
    } else if (name.startsWith("dsframe_endpoint_")) {
      of.endpoint[labels[1] ?? name] = value;
    } else if (PLACED.has(name)) {
      of.values.set(name, value);
    } else {
      of.others.push([name, labels.slice(1), value]);
    }
  }
  of.total = { seen: 0, captured: 0, notSelected: 0, dropped: 0, failed: 0, pending: 0 };
  for (const row of of.streams.values()) {
    for (const key of Object.keys(of.total)) of.total[key] += row[key];
  }
  return of;
}

function tile(list, name) {
  const node = make("div");
  const value = make("dd", "", "0");
  node.append(make("dt", "", name), value);
  list.append(node);
  return (text, bad) => {
    say(value, text);
    node.classList.toggle("bad", Boolean(bad));
  };
}

function plot(list, name, wide) {
  const node = make("figure", wide ? "plot wide" : "plot");
  const caption = make("figcaption", "", name);
  const value = make("b");
  caption.append(value);
  const svg = draw("svg", { viewBox: "0 0 100 30", preserveAspectRatio: "none", "aria-hidden": "true" });
  const area = draw("path", { class: "area" });
  const lines = ["second", "third", "first"].map((which) => draw("path", { class: which }));
  svg.append(area, ...lines);
  node.append(caption, svg);
  list.append(node);
  // `points`: [seconds ago, value] of each line, newest last.
  return (text, first, second = [], third = []) => {
    say(value, text);
    const most = Math.max(...[first, second, third].flat().map((point) => point[1]), 1e-9) * 1.1;
    const span = Math.min(Math.max(first[0]?.[0] ?? 0, 30), HISTORY);
    const path = (points) => points
      .map(([ago, y]) => `${(100 - (ago / span) * 100).toFixed(2)} ${(29 - (y / most) * 28).toFixed(2)}`)
      .join("L");
    const shown = path(first);
    area.setAttribute("d", shown && `M${shown}V30H${shown.split(" ")[0]}Z`);
    for (const [line, points] of [[lines[2], first], [lines[0], second], [lines[1], third]]) {
      const drawn = points.some((point) => point[1] > 0) ? path(points) : "";
      line.setAttribute("d", drawn && `M${drawn}`);
    }
  };
}

function gauge(parent, name) {
  const node = make("div", "gauge");
  const line = make("p", "", name);
  const value = make("b");
  line.append(value);
  const track = make("div", "track");
  const bar = make("i");
  track.append(bar);
  node.append(line, track);
  parent.append(node);
  return (text, share) => {
    say(value, text);
    bar.style.setProperty("--share", Math.min(Math.max(share, 0), 1));
    track.classList.toggle("full", share >= 1);
  };
}

// Rows by name, in the order of the values; those that are gone leave.
function table(parent, heads, kind = "") {
  const node = make("div", `table ${kind}`.trim());
  node.tabIndex = 0;
  const inner = make("table");
  const head = make("tr");
  head.append(...heads.map((name) => make("th", "", name)));
  const body = make("tbody");
  const top = make("thead");
  top.append(head);
  inner.append(top, body);
  node.append(inner);
  parent.append(node);
  const rows = new Map();
  return (values) => {
    node.hidden = !values.length;
    const wanted = new Set(values.map(([name]) => name));
    for (const [name, row] of rows) {
      if (!wanted.has(name)) {
        row.remove();
        rows.delete(name);
      }
    }
    let place = body.firstElementChild;
    for (const [name, ...cells] of values) {
      let row = rows.get(name);
      if (!row) {
        row = make("tr");
        row.append(make("td", "name", name), ...cells.map(() => make("td")));
        rows.set(name, row);
      }
      if (row === place) place = place.nextElementSibling;
      else body.insertBefore(row, place);
      cells.forEach(([text, bad], number) => {
        const cell = row.children[number + 1];
        say(cell, text);
        cell.classList.toggle("bad", Boolean(bad));
      });
    }
  };
}

function listed(parent) {
  const node = make("dl", "more");
  parent.append(node);
  return (values) => {
    node.hidden = !values.length;
    node.replaceChildren(...values.map(([name, text, bad]) => {
      const row = make("div", bad ? "bad" : "");
      row.append(make("dt", "", name), make("dd", "", text));
      return row;
    }));
  };
}

// What was per second, at each look, smoothed over three.
class History {
  constructor() { this.points = []; }

  add(now, values) {
    const before = this.points.at(-1);
    // Counters begin anew with a run.
    if (before && values.some((value, at) => value < before.values[at])) this.points = [];
    this.points.push({ now, values });
    while (this.points.length > HISTORY + 3) this.points.shift();
  }

  rates(at) {
    const rates = [];
    const end = this.points.at(-1)?.now ?? 0;
    for (let place = 1; place < this.points.length; place += 1) {
      const to = this.points[place];
      const from = this.points[Math.max(place - 3, 0)];
      const seconds = Math.max((to.now - from.now) / 1000, 1e-3);
      rates.push([(end - to.now) / 1000, (to.values[at] - from.values[at]) / seconds]);
    }
    return rates.filter(([ago]) => ago <= HISTORY);
  }

  // Of sums and numbers of times.
  means(sum, number) {
    const sums = this.rates(sum);
    const numbers = this.rates(number);
    return sums.map(([ago, value], at) => [ago, numbers[at][1] > 0 ? value / numbers[at][1] : 0]);
  }
}

const newest = (points) => points.at(-1)?.[1] ?? 0;

function panel(element) {
  const node = make("article", "element");
  const title = make("h2", "", element.name);
  const kind = make("small");
  title.append(kind);
  const tiles = make("dl", "tiles");
  const plots = make("div", "plots");
  node.append(title, tiles, plots);
  const history = new History();
  const show = element.kind === "capture"
    ? capturePanel(node, kind, tiles, plots, history)
    : injectPanel(node, kind, tiles, plots, history);
  return { node, kind: element.kind, show };
}

function otherValues(others) {
  return others
    .filter(([name, , value]) => !(name in NAMES) || value > 0)
    .map(([name, labels, value]) => {
      const text = Array.isArray(value) ? `${count(value[0])} in ${duration(value[1])}` : count(value);
      const own = NAMES[name] ?? name.replace(/^dsframe_/, "").replace(/_total$/, "").replaceAll("_", " ");
      return [[own, ...labels].join(", "), text, name in NAMES && !QUIET.has(name)];
    });
}

function channelRows(channels) {
  return [...channels].map(([name, row]) => [
    name,
    ["dsframe_channel_readers" in row ? count(row.dsframe_channel_readers) : "–"],
    [count(row.sent ?? 0)],
    [count((row.dropped ?? 0) + (row.unread ?? 0)), row.dropped > 0],
    [count(row.dsframe_channel_in_flight ?? 0)],
  ]);
}

const CHANNEL_HEADS = ["Channel", "Readers", "Sent", "Dropped", "In flight"];

const BREAKER = ["answers", "left alone", "tried again"];

// Of one server, so a line for each fact: a panel is too narrow for a row of them.
function endpointRows(row) {
  if (!("dsframe_endpoint_breaker" in row)) return [];
  const [posts, spent] = row.dsframe_endpoint_post_seconds ?? [0, 0];
  const breaker = row.dsframe_endpoint_breaker;
  const spooled = `${count(row.dsframe_endpoint_spooled)}, ${bytes(row.dsframe_endpoint_spooled_bytes)}`;
  return [
    ["State", [BREAKER[breaker] ?? "–", breaker !== 0]],
    ...(row.because ? [["Because", [row.because, true]]] : []),
    ["Posted", [count(row.posted)]],
    ["Took", [duration(posts ? spent / posts : 0)]],
    ["Waiting", [count(row.dsframe_endpoint_waiting)]],
    ["In the spool", [spooled, breaker !== 0]],
    ["Dropped", [count(row.dropped), row.dropped > 0]],
    ["Failed", [count(row.failed), row.failed > 0]],
  ];
}

const ENDPOINT_HEADS = ["Server", ""];

function capturePanel(node, kind, tiles, plots, history) {
  const seen = tile(tiles, "Seen");
  const captured = tile(tiles, "Captured");
  const notSelected = tile(tiles, "Not selected");
  const dropped = tile(tiles, "Dropped");
  const failed = tile(tiles, "Failed");
  const pending = tile(tiles, "Pending");
  const frames = plot(plots, "Captured and seen per second", true);
  const volume = plot(plots, "Written per second");
  const time = plot(plots, "Time to capture");
  const queue = gauge(node, "Queue");
  const byStream = table(node, ["Stream", "Seen", "Captured", "Dropped", "Failed", "Pending"]);
  const byChannel = table(node, CHANNEL_HEADS);
  const posts = table(node, ENDPOINT_HEADS, "wordy");
  const others = listed(node);
  return (of, now) => {
    const { total, values } = of;
    const [times, spent] = values.get("dsframe_capture_seconds") ?? [0, 0];
    const written = values.get("dsframe_picture_bytes_total") ?? 0;
    const lost = total.dropped + total.failed;
    history.add(now, [total.seen, total.captured, written, spent, times, lost]);
    say(kind, `${count(of.streams.size)} stream${of.streams.size === 1 ? "" : "s"}`);
    seen(count(total.seen));
    captured(count(total.captured));
    notSelected(count(total.notSelected));
    dropped(count(total.dropped), total.dropped);
    failed(count(total.failed), total.failed);
    pending(count(total.pending));
    const [seenRates, rates, byteRates] = [0, 1, 2].map((at) => history.rates(at));
    frames(`${rate(newest(rates))} of ${rate(newest(seenRates))}`, rates, seenRates, history.rates(5));
    volume(bytes(newest(byteRates)), byteRates);
    const means = history.means(3, 4);
    time(duration(newest(means)), means);
    const [jobs, bound] = ["dsframe_queue_jobs", "dsframe_queue_jobs_max"].map((it) => values.get(it) ?? 0);
    queue(`${count(jobs)} of ${count(bound)}`, bound ? jobs / bound : 0);
    byStream([...of.streams].map(([name, row]) => [
      name, [count(row.seen)], [count(row.captured)], [count(row.dropped), row.dropped],
      [count(row.failed), row.failed], [count(row.pending)],
    ]));
    byChannel(channelRows(of.channels));
    posts(endpointRows(of.endpoint));
    others(otherValues(of.others));
  };
}

function injectPanel(node, kind, tiles, plots, history) {
  say(kind, "injector");
  const frames = tile(tiles, "Frames");
  const volume = tile(tiles, "Bytes");
  const waiting = tile(tiles, "Waited");
  const rates = plot(plots, "Frames per second", true);
  const byChannel = table(node, CHANNEL_HEADS);
  const others = listed(node);
  return (of, now) => {
    const pushed = of.values.get("dsframe_injected_frames_total") ?? 0;
    history.add(now, [pushed]);
    frames(count(pushed));
    volume(bytes(of.values.get("dsframe_injected_bytes_total") ?? 0));
    waiting(duration(of.values.get("dsframe_inject_waiting_seconds_total") ?? 0));
    const points = history.rates(0);
    rates(rate(newest(points)), points);
    byChannel(channelRows(of.channels));
    others(otherValues(of.others));
  };
}

let gpus = null;

function showGpus(samples) {
  const memory = new Map();
  for (const [name, labels, value] of samples) {
    if (name !== "dsframe_gpu_memory_bytes") continue;
    const gpu = memory.get(labels[0]) ?? {};
    gpu[labels[1]] = value;
    memory.set(labels[0], gpu);
  }
  const names = [...memory.keys()].join();
  if (gpus?.names !== names) {
    gpus?.node.remove();
    gpus = { names, node: make("article", "element"), bars: new Map() };
    gpus.node.append(make("h2", "", "Memory of GPUs"));
    for (const name of memory.keys()) gpus.bars.set(name, gauge(gpus.node, `GPU ${name}`));
    if (memory.size) $("elements").append(gpus.node);
  }
  for (const [name, { used = 0, free = 0 }] of memory) {
    gpus.bars.get(name)(`${bytes(used)} of ${bytes(used + free)}`, used / Math.max(used + free, 1));
  }
}

function showElements(state, now) {
  captors.clear();
  const there = new Set();
  // Captures are what the page is about: they go first.
  const order = [...state.elements].sort((a, b) => (a.kind === "capture" ? 0 : 1) - (b.kind === "capture" ? 0 : 1));
  for (const element of order) {
    there.add(element.name);
    let shown = panels.get(element.name);
    if (shown && shown.kind !== element.kind) {
      shown.node.remove();
      shown = undefined;
    }
    if (!shown) {
      shown = panel(element);
      panels.set(element.name, shown);
      $("elements").append(shown.node);
    }
    const of = summed(element.samples);
    of.endpoint.because = element.notes?.endpoint;
    if (element.kind === "capture") captors.add(element.name);
    for (const stream of of.streams.keys()) {
      if (/^\d+$/.test(stream)) streams.add(Number(stream));
    }
    shown.show(of, now);
  }
  for (const [name, shown] of panels) {
    if (!there.has(name)) {
      shown.node.remove();
      panels.delete(name);
    }
  }
  showGpus(state.samples);
}

// --- the connection

let lostSince = null;
let timer = 0;
let polling = false;

function showState() {
  const state = $("state");
  if (lostSince !== null) {
    const seconds = Math.round((performance.now() - lostSince) / 1000);
    state.dataset.state = "lost";
    say(state, `Connection lost ${seconds} s ago; trying again`);
  } else if (process === null) {
    state.dataset.state = "connecting";
    say(state, "Connecting …");
  } else {
    state.dataset.state = paused ? "paused" : "live";
    say(state, paused ? "Paused" : "Live");
  }
}

async function look() {
  const from = paused ? known : last;
  const asked = await fetch(`live?after=${from}`, {
    cache: "no-store",
    signal: AbortSignal.timeout(PATIENCE),
  });
  if (!asked.ok) throw new Error(`status ${asked.status}`);
  const state = await asked.json();
  if (process !== null && process !== state.process) {
    // Another process has taken the address: what it counts is not what this one did.
    clear();
    process = state.process;
    return true;
  }
  process = state.process;
  document.title = `dsframe ${state.version}`;
  showElements(state, performance.now());
  // Pressed while we waited: what came is asked for again.
  if (from === (paused ? known : last)) take(state);
  return false;
}

async function poll() {
  if (polling) return;
  polling = true;
  clearTimeout(timer);
  let again = false;
  try {
    again = await look();
    lostSince = null;
  } catch {
    lostSince ??= performance.now();
  }
  polling = false;
  showState();
  showChoices();
  showCaptures();
  showNotice();
  timer = setTimeout(poll, again ? 0 : document.hidden ? POLL_HIDDEN : POLL);
}

$("pause").addEventListener("click", () => {
  paused = !paused;
  $("pause").setAttribute("aria-pressed", String(paused));
  say($("pause"), paused ? "Resume" : "Pause");
  showState();
  showNotice();
  poll();
});
// Where there is no room for both.
$("swap").addEventListener("click", () => {
  const numbers = document.body.classList.toggle("numbers");
  say($("swap"), numbers ? "Captures" : "Numbers");
  scrollTo(0, 0);
});
for (const id of ["element", "stream", "label"]) {
  $(id).addEventListener("input", showCaptures);
}
$("tools").addEventListener("submit", (event) => event.preventDefault());
$("boxes").addEventListener("change", () => {
  document.body.classList.toggle("plain", !$("boxes").checked);
});
$("close").addEventListener("click", () => $("large").close());
$("large").addEventListener("click", (event) => {
  if (event.target === $("large")) $("large").close();
});
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) poll();
});
poll();
