"use strict";
// Shows what /events says. What comes from there is text, and never markup.

/** What the codes of docs/log.md that refuse a client mean, in words. */
const REASONS = {
  unknown: "no such service",
  denied: "not permitted",
  closed_hours: "closed at this hour",
  limit_global: "the server is full",
  limit_service: "the service is full",
  limit_source: "too many of one address",
  rate: "too fast",
  penalty: "penalty of an address",
  draining: "the server is stopping",
  too_long: "name too long",
  bad_byte: "malformed name",
  empty: "empty name",
  bad_request: "malformed request",
  proxy_error: "wrong header of a proxy",
  tls_error: "no TLS, or none agreed on",
  bad_certificate: "no good certificate",
  eof: "ended within the name",
  silence: "came and said nothing",
  timeout: "too slow with the name",
  backend_down: "service not reachable",
  backend_refused: "refused by its upstream",
  idle_timeout: "idle for too long",
  half_closed_timeout: "half-closed for too long",
  stall_timeout: "took nothing for too long",
  max_duration: "longer than permitted",
  failed: "fault",
  aborted: "left before the reply",
  killed: "ended by hand",
  stopped: "the server stopped",
};

/** Seconds of the lines in the tiles. */
const MEMORY = 120;

/** Rows that are made above and below those that are seen. */
const MARGIN = 6;

const byId = (id) => document.getElementById(id);

/** Sets a text, if it is another one. */
function say(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

function element(name, className, ...children) {
  const node = document.createElement(name);
  if (className) node.className = className;
  node.append(...children);
  return node;
}

// Numbers and times in words.

const whole = new Intl.NumberFormat("en");
const count = (number) => whole.format(number);

function bytes(number) {
  if (number < 1000) return `${Math.round(number)} B`;
  const units = ["kB", "MB", "GB", "TB", "PB"];
  let unit = -1;
  do {
    number /= 1000;
    unit++;
  } while (number >= 999.5 && unit < units.length - 1);
  return `${number < 9.95 ? number.toFixed(1) : Math.round(number)} ${
    units[unit]
  }`;
}

function perSecond(number) {
  return number > 0 && number < 9.95
    ? number.toFixed(1)
    : count(Math.round(number));
}

function lasting(ms) {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${seconds % 60} s`;
  const hours = Math.floor(minutes / 60);
  return hours < 48
    ? `${hours} h ${minutes % 60} min`
    : `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

const ago = (at, now) => now - at < 1500 ? "now" : `${lasting(now - at)} ago`;

/** An address without its port. */
const hostOf = (remote) => remote.replace(/:\d+$/, "");

// What is linked to: it stands in the fragment of the URL.

const wish = {
  q: "",
  service: "",
  services: "-sessions",
  connections: "for",
};

function readFragment() {
  const said = new URLSearchParams(location.hash.slice(1));
  wish.q = said.get("q") ?? "";
  wish.service = said.get("service") ?? "";
  wish.services = said.get("services") ?? "-sessions";
  wish.connections = said.get("connections") ?? "for";
}

function fragmentOf(changes) {
  const all = new URLSearchParams();
  for (const [key, value] of Object.entries({ ...wish, ...changes })) {
    const isUsual = value === "" ||
      key === "services" && value === "-sessions" ||
      key === "connections" && value === "for";
    if (!isUsual) all.set(key, value);
  }
  return `#${all}`;
}

function change(changes) {
  Object.assign(wish, changes);
  history.replaceState(null, "", fragmentOf({}));
  show();
}

// Tables, of which only the rows that are seen are made.

class Grid {
  /**
   * @param columns of `key`, `title`, `className`, `value` (to sort by), and
   * `fill`, which writes a row into a cell
   */
  constructor(id, sortKey, title, columns, keyOf) {
    this.box = byId(id);
    this.sortKey = sortKey;
    this.columns = columns;
    this.keyOf = keyOf;
    this.rows = [];
    this.made = new Map();
    this.heads = columns.map((column) => this.headOf(column));
    const head = element("thead", "", element("tr", "", ...this.heads));
    this.above = this.spaceOf();
    this.below = this.spaceOf();
    this.body = element("tbody", "", this.above, this.below);
    this.table = element(
      "table",
      "",
      element("caption", "hidden", title),
      head,
      this.body,
    );
    this.none = element("p", "none");
    this.box.append(this.table, this.none);
    this.box.addEventListener("scroll", () => this.later(), { passive: true });
    addEventListener("resize", () => {
      this.height = undefined;
      this.later();
    });
  }

  headOf({ key, title, className }) {
    const button = element("button", "", title);
    button.type = "button";
    button.addEventListener("click", () => {
      const isSorted = wish[this.sortKey] === `-${key}`;
      change({ [this.sortKey]: isSorted ? key : `-${key}` });
    });
    const head = element("th", className, button);
    head.scope = "col";
    return head;
  }

  spaceOf() {
    const row = element("tr", "space", element("td"));
    row.setAttribute("aria-hidden", "true");
    return row;
  }

  /** Shows these rows, sorted as is wished. */
  show(rows, none) {
    const wanted = wish[this.sortKey];
    const isDown = wanted.startsWith("-");
    const key = wanted.replace(/^-/, "");
    const by = this.columns.find((column) => column.key === key) ??
      this.columns[0];
    this.columns.forEach((column, index) => {
      if (column !== by) this.heads[index].removeAttribute("aria-sort");
      else {
        const way = isDown ? "descending" : "ascending";
        this.heads[index].setAttribute("aria-sort", way);
      }
    });
    const sign = isDown ? -1 : 1;
    this.rows = rows.map((row) => [by.value(row), row])
      .sort(([a, one], [b, other]) =>
        sign * (a < b ? -1 : a > b ? 1 : 0) ||
        (this.keyOf(one) < this.keyOf(other) ? -1 : 1)
      )
      .map(([, row]) => row);
    say(this.none, rows.length === 0 ? none : "");
    this.none.hidden = rows.length > 0;
    this.draw();
  }

  later() {
    if (this.isAsked) return;
    this.isAsked = true;
    requestAnimationFrame(() => {
      this.isAsked = false;
      this.draw();
    });
  }

  draw() {
    const { rows, box } = this;
    const height = this.height ??= this.measure();
    const from = Math.max(0, Math.floor(box.scrollTop / height) - MARGIN);
    const seen = Math.ceil(box.clientHeight / height) + 2 * MARGIN;
    const seenRows = rows.slice(from, from + seen);
    this.table.setAttribute("aria-rowcount", rows.length + 1);
    this.spread(this.above, from * height);
    this.spread(this.below, (rows.length - from - seenRows.length) * height);
    const focused = document.activeElement;
    const kept = new Map();
    let place = this.above;
    seenRows.forEach((row, index) => {
      const key = this.keyOf(row);
      const node = this.made.get(key) ?? this.make();
      kept.set(key, node);
      node.setAttribute("aria-rowindex", from + index + 2);
      this.columns.forEach(({ fill }, index) => fill(node.cells[index], row));
      if (place.nextSibling !== node) place.after(node);
      place = node;
    });
    for (const [key, node] of this.made) if (!kept.has(key)) node.remove();
    this.made = kept;
    // A row that has moved has lost the focus.
    if (focused !== document.activeElement && this.body.contains(focused)) {
      focused.focus({ preventScroll: true });
    }
  }

  make() {
    const cells = this.columns.map(({ className }) => element("td", className));
    return element("tr", "", ...cells);
  }

  spread(space, height) {
    const cell = space.firstChild;
    const text = `${Math.max(0, height)}px`;
    if (cell.style.height !== text) cell.style.height = text;
    space.hidden = height <= 0;
  }

  /** The height of a row, as the style has it on this screen. */
  measure() {
    const row = this.make();
    this.below.before(row);
    const { height } = row.getBoundingClientRect();
    row.remove();
    return height || 32;
  }
}

/** A link in a cell that shows the connections of a service. */
function link(cell, service) {
  if (cell.firstElementChild === null) cell.replaceChildren(element("a"));
  const node = cell.firstElementChild;
  say(node, service);
  const target = fragmentOf({ service });
  if (node.getAttribute("href") !== target) node.setAttribute("href", target);
}

/** A column of a row's words, sorted by `value`. */
const words = (key, title, className, value, text = value) => ({
  key,
  title,
  className,
  value,
  fill: (cell, row) => say(cell, text(row)),
});

/** A column of a row's own number. */
const number = (key, title, className, show = count) =>
  words(
    key,
    title,
    `number ${className}`,
    (row) => row[key],
    (row) => show(row[key]),
  );

const whatOf = ({ enabled, switched_off, description }) =>
  (switched_off ? "switched off" : enabled ? "" : "not enabled") || description;

function fillName(cell, row) {
  if (cell.childNodes.length === 0) {
    cell.append(element("a"), element("span", "soft"));
  }
  const [node, more] = cell.children;
  say(node, row.name);
  const target = fragmentOf({ service: row.name });
  if (node.getAttribute("href") !== target) node.setAttribute("href", target);
  const what = whatOf(row);
  say(more, what === "" ? "" : ` ${what}`);
}

function upstreamOf({ failure, kind }, now) {
  if (failure === null) {
    return kind === "connect" || kind === "tcpmux" ? "–" : "";
  }
  const [isLatest, at, times, reason] = failure;
  return isLatest
    ? `failing, ${count(times)} times, ${ago(at, now)}: ${reason}`
    : `failed ${ago(at, now)}: ${reason}`;
}

const services = new Grid("services", "services", "The services", [
  {
    key: "name",
    title: "Service",
    className: "name",
    value: (row) => row.name.toLowerCase(),
    fill: fillName,
  },
  words("kind", "Kind", "soft kind", (row) => row.kind),
  number("sessions", "Now", "short"),
  words("who", "Clients now", "wide", (row) => row.clients.size, whoOf),
  number("served", "Served", "wide"),
  number("refused", "Refused", "roomy"),
  number("failed", "Failed", "short"),
  number("in", "In", "wide", bytes),
  number("out", "Out", "wide", bytes),
  {
    key: "upstream",
    title: "Upstream",
    className: "roomy",
    value: ({ failure }) => failure?.[0] ? 2 : failure ? 1 : 0,
    fill: (cell, row) => {
      const text = upstreamOf(row, state.now);
      say(cell, text);
      cell.title = text;
      cell.classList.toggle("bad-words", row.failure?.[0] ?? false);
    },
  },
], (row) => row.name);

const connections = new Grid(
  "connections",
  "connections",
  "The connections under way",
  [
    words("client", "Client", "client", (row) => row.remote),
    {
      key: "service",
      title: "Service",
      className: "",
      value: (row) => row.service.toLowerCase(),
      fill: (cell, row) => {
        if (row.service !== "") return link(cell, row.service);
        say(cell, "(handshake)");
      },
    },
    words(
      "for",
      "For",
      "number",
      (row) => -row.since,
      (row) => lasting(state.now - row.since),
    ),
    number("in", "In", "wide", bytes),
    number("out", "Out", "wide", bytes),
    number(
      "speed",
      "Per second",
      "roomy",
      (speed) => speed > 0 ? `${bytes(speed)}/s` : "–",
    ),
    number("id", "No.", "soft roomy", String),
  ],
  (row) => row.id,
);

function whoOf({ clients }) {
  const names = [...clients].slice(0, 2).map(([host, times]) =>
    times === 1 ? host : `${host} ×${times}`
  );
  const more = clients.size - names.length;
  return names.join(", ") + (more > 0 ? ` and ${count(more)} more` : "");
}

// What is known.

const state = {
  summary: undefined,
  services: [],
  connections: new Map(),
  troubles: [],
  /** By the clock of the server. */
  now: Date.now(),
  /** Lists of what moved each second. */
  past: { rate: [], in: [], out: [] },
  refusedBefore: [],
  hasContact: false,
};

function counted(service, counts) {
  [
    service.sessions,
    service.served,
    service.refused,
    service.failed,
    service.in,
    service.out,
    service.failure,
  ] = counts;
}

function took(
  { summary, added = [], moved = [], ended = [], counts, ...data },
) {
  const before = state.summary;
  const { past } = state;
  const seconds = before && Math.max(0.2, (summary.at - before.at) / 1000);
  state.summary = summary;
  state.now = summary.at;
  if (data.services) {
    state.services = data.services.map((named, index) => {
      const service = { ...named, clients: new Map() };
      counted(service, counts[index]);
      return service;
    });
    state.connections = new Map();
    for (const row of data.connections) add(row);
  } else {
    for (const [index, one] of counts) counted(state.services[index], one);
    for (const one of state.connections.values()) one.speed = 0;
    for (const row of added) add(row);
    for (const [id, service, bytesIn, bytesOut] of moved) {
      const one = state.connections.get(id);
      one.service = service;
      one.speed = (bytesIn + bytesOut - one.in - one.out) / (seconds ?? 1);
      one.in = bytesIn;
      one.out = bytesOut;
    }
    for (const id of ended) state.connections.delete(id);
  }
  if (data.troubles) state.troubles = data.troubles;
  const totals = { in: 0, out: 0 };
  for (const service of state.services) {
    totals.in += service.in;
    totals.out += service.out;
  }
  if (seconds && before.pid === summary.pid) {
    remember(past.rate, (summary.accepted - before.accepted) / seconds);
    remember(past.in, Math.max(0, totals.in - state.totals.in) / seconds);
    remember(past.out, Math.max(0, totals.out - state.totals.out) / seconds);
  }
  state.totals = totals;
  remember(state.refusedBefore, refusedOf(summary), 60);
}

function add([id, service, remote, since, bytesIn, bytesOut]) {
  state.connections.set(id, {
    id,
    service,
    remote,
    since,
    in: bytesIn,
    out: bytesOut,
    speed: 0,
  });
}

function remember(list, value, most = MEMORY) {
  list.push(value);
  if (list.length > most) list.shift();
}

const refusedOf = ({ results }) =>
  Object.keys(REASONS).reduce((sum, code) => sum + (results[code] ?? 0), 0);

// What is shown.

let isPaused = false;
let isAsked = false;

/** Shows all of it anew, once for each picture of the screen. */
function show() {
  if (isAsked || state.summary === undefined) return;
  isAsked = true;
  requestAnimationFrame(() => {
    isAsked = false;
    if (document.hidden) return;
    showState();
    showTiles();
    showTables();
    showRefusals();
    showErrors();
  });
}

function showState() {
  const { summary, hasContact } = state;
  const words = !hasContact
    ? "no contact"
    : summary.draining
    ? "stopping"
    : isPaused
    ? "paused"
    : summary.reload?.ok === false
    ? "serving the old table"
    : "serving";
  say(byId("state-words"), words);
  byId("state").className = words === "serving"
    ? "good"
    : hasContact
    ? ""
    : "bad";
  const where = summary.reload?.ok === false
    ? `The last reload failed: ${summary.reload.error}`
    : `${summary.listeners.join("  ")}  ·  ${summary.table}`;
  say(byId("where"), where);
  const up = lasting(summary.at - Date.parse(summary.started));
  say(
    byId("about"),
    `tcpmux ${summary.version}, ${summary.runtime}, process ${summary.pid}, up ${up}`,
  );
  document.title = `${count(summary.connections)} connections · tcpmux`;
}

function showTiles() {
  const { summary, past, services } = state;
  say(byId("now"), count(summary.connections));
  const shaking = summary.connections - summary.serving;
  say(byId("now-more"), shaking > 0 ? `${count(shaking)} in handshake` : "");
  say(byId("rate"), perSecond(past.rate.at(-1) ?? 0));
  say(byId("in"), `${bytes(past.in.at(-1) ?? 0)}/s`);
  say(byId("out"), `${bytes(past.out.at(-1) ?? 0)}/s`);
  for (const name of ["rate", "in", "out"]) draw(`${name}-line`, past[name]);
  const refused = refusedOf(summary);
  const lately = refused - state.refusedBefore[0];
  say(byId("refused"), count(refused));
  say(byId("refused-more"), lately > 0 ? `${count(lately)} in a minute` : "");
  const failing = services.filter(({ failure }) => failure?.[0]);
  say(byId("failing"), count(failing.length));
  const first = failing[0]?.name ?? "";
  const more = failing.length > 1 ? ` and ${failing.length - 1} more` : "";
  say(byId("failing-more"), `${first}${more}`);
  byId("failing-tile").classList.toggle("bad", failing.length > 0);
}

function draw(id, values) {
  const svg = byId(id);
  const path = svg.firstChild ??
    svg.appendChild(
      document.createElementNS("http://www.w3.org/2000/svg", "path"),
    );
  svg.setAttribute("viewBox", `0 0 ${MEMORY - 1} 30`);
  svg.setAttribute("preserveAspectRatio", "none");
  const most = Math.max(...values, 1e-9);
  const from = MEMORY - values.length;
  path.setAttribute(
    "d",
    values.map((value, index) =>
      `${index ? "L" : "M"}${from + index} ${
        (29 - 28 * value / most).toFixed(1)
      }`
    ).join(""),
  );
}

function showTables() {
  const asked = wish.q.toLowerCase().split(/\s+/).filter((word) => word !== "");
  const has = (text) =>
    asked.every((word) => text.toLowerCase().includes(word));
  for (const service of state.services) service.clients.clear();
  const byName = new Map(state.services.map((one) => [one.name, one]));
  for (const { service, remote } of state.connections.values()) {
    const clients = byName.get(service)?.clients;
    const host = hostOf(remote);
    clients?.set(host, (clients.get(host) ?? 0) + 1);
  }
  const shownServices = state.services.filter((one) =>
    has(`${one.name} ${one.aliases.join(" ")} ${one.kind} ${whatOf(one)}`)
  );
  const shownConnections = [...state.connections.values()].filter((one) =>
    (wish.service === "" || one.service === wish.service) &&
    has(`${one.remote} ${one.service}`)
  );
  services.show(shownServices, "No service matches.");
  connections.show(
    shownConnections,
    state.connections.size === 0 ? "Nobody is connected." : "None matches.",
  );
  say(
    byId("services-count"),
    part(shownServices.length, state.services.length),
  );
  const { summary: { connections: all } } = state;
  const unlisted = all - state.connections.size;
  say(
    byId("connections-count"),
    part(shownConnections.length, state.connections.size) +
      (unlisted > 0 ? `, and ${count(unlisted)} that are not listed` : ""),
  );
  const only = byId("only");
  only.hidden = wish.service === "";
  say(only, `Connections of ${wish.service} alone: show all`);
  const filter = byId("filter");
  if (filter.value !== wish.q) filter.value = wish.q;
}

const part = (shown, all) =>
  shown === all ? count(all) : `${count(shown)} of ${count(all)}`;

function showRefusals() {
  const { results } = state.summary;
  const found = Object.entries(REASONS)
    .map(([code, words]) => ({ code, words, times: results[code] ?? 0 }))
    .filter(({ times }) => times > 0)
    .sort((a, b) => b.times - a.times);
  const most = found[0]?.times ?? 1;
  fillList(byId("refusals"), found, "Nobody was refused.", {
    make: () =>
      element(
        "li",
        "",
        element("span"),
        element("span"),
        element("span", "bar", element("i")),
      ),
    fill: ({ children: [name, number, bar] }, { code, words, times }) => {
      say(name, words);
      name.title = code;
      say(number, count(times));
      bar.setAttribute("aria-hidden", "true");
      bar.firstChild.style.width = `${Math.max(1, 100 * times / most)}%`;
    },
  });
}

function showErrors() {
  fillList(byId("errors"), state.troubles, "None so far.", {
    make: () =>
      element(
        "li",
        "",
        element("p", "head", element("a"), element("span", "more")),
        element("p"),
        element("p", "more"),
      ),
    fill: ({ children: [head, reason, more] }, trouble) => {
      const { service, code, remote, at, times } = trouble;
      const [name, when] = head.children;
      say(name, service || "the server");
      if (service) name.setAttribute("href", fragmentOf({ service }));
      else name.removeAttribute("href");
      say(when, ago(at, state.now));
      say(reason, trouble.reason);
      const often = times > 1 ? `, ${count(times)} times` : "";
      const what = code === "ok" ? "served" : code;
      say(more, `${what}${often}, last ${remote}`);
    },
  });
}

/** Makes a list have an element for each thing, and changes what differs. */
function fillList(list, things, none, { make, fill }) {
  if (things.length === 0) {
    if (list.firstChild?.className !== "none") {
      list.replaceChildren(element("li", "none", none));
    }
    return;
  }
  if (list.firstChild?.className === "none") list.replaceChildren();
  while (list.children.length > things.length) list.lastChild.remove();
  while (list.children.length < things.length) list.append(make());
  things.forEach((thing, index) => fill(list.children[index], thing));
}

// What comes.

/** Milliseconds until the next attempt, where the server is gone. */
const AGAIN = 3_000;

/** Milliseconds without a message after which there is no contact. */
const SILENCE = 5_000;

let lastMessage = performance.now();

function watch() {
  const source = new EventSource("events");
  const take = ({ data }) => {
    lastMessage = performance.now();
    state.hasContact = true;
    took(JSON.parse(data));
    if (!isPaused) show();
  };
  source.addEventListener("full", take);
  source.addEventListener("change", take);
  source.addEventListener("error", () => {
    state.hasContact = false;
    say(byId("state-words"), "no contact");
    byId("state").className = "bad";
    if (source.readyState !== EventSource.CLOSED) return;
    setTimeout(watch, AGAIN);
  });
}

setInterval(() => {
  if (!state.hasContact || performance.now() - lastMessage < SILENCE) return;
  state.hasContact = false;
  show();
}, 1_000);

byId("pause").addEventListener("click", ({ target }) => {
  isPaused = !isPaused;
  target.setAttribute("aria-pressed", isPaused);
  show();
});
byId("filters").addEventListener("submit", (event) => event.preventDefault());
byId("filter").addEventListener(
  "input",
  ({ target }) => change({ q: target.value }),
);
byId("only").addEventListener("click", () => change({ service: "" }));
addEventListener("hashchange", () => {
  readFragment();
  show();
});
addEventListener("visibilitychange", show);
readFragment();
watch();
