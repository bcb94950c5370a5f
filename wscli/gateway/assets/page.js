// The status page: what the feed of /status says, kept up to date row by row, so that focus and selection stay.
"use strict";

(() => {
  const SVG = "http://www.w3.org/2000/svg";
  const SAMPLES = 60; // seconds of a chart
  const KEY = "wscli.token";
  const SHAPES = {
    ready: "M6 1a5 5 0 1 0 0 10A5 5 0 1 0 6 1z",
    connecting: "M6 1a5 5 0 1 0 0 10A5 5 0 1 0 6 1zM6 2.5a3.5 3.5 0 0 1 0 7z",
    handshaking: "M6 1a5 5 0 1 0 0 10A5 5 0 1 0 6 1zM6 2.5a3.5 3.5 0 0 1 0 7z",
    waiting: "M6 .8 11.6 11H.4z",
    offline: "M0 6 6 0l6 6-6 6zM3 5.2v1.6h6V5.2z",
    failed: "M2.5 1 6 4.5 9.5 1 11 2.5 7.5 6 11 9.5 9.5 11 6 7.5 2.5 11 1 9.5 4.5 6 1 2.5z",
    paused: "M2 1h3v10H2zM7 1h3v10H7z",
    stopped: "M1.5 1.5h9v9h-9z",
    done: "M1 6.5 2.5 5 4.8 7.3 9.7 2.4 11 3.8 4.8 10z",
    idle: "M6 1a5 5 0 1 0 0 10A5 5 0 1 0 6 1zM6 2.5a3.5 3.5 0 0 1 0 7A3.5 3.5 0 0 1 6 2.5z",
  };

  const $ = (id) => document.getElementById(id);

  function element(tag, properties = {}, ...children) {
    const { role, ...others } = properties;
    const made = Object.assign(document.createElement(tag), others);
    if (role) made.setAttribute("role", role);
    made.append(...children.filter((child) => child !== null)); // strings become text, whatever a server put into them
    return made;
  }

  function drawn(tag, attributes, ...children) {
    const made = document.createElementNS(SVG, tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    made.append(...children);
    return made;
  }

  function write(node, text) {
    if (node.textContent !== text) node.textContent = text;
  }

  function glyph(state) {
    const path = drawn("path", { d: SHAPES[state] ?? SHAPES.idle });
    return drawn("svg", { class: "glyph", viewBox: "0 0 12 12", "aria-hidden": "true" }, path);
  }

  // figures

  const whole = new Intl.NumberFormat("en");
  const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
  const day = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "medium" });

  function bytes(count) {
    const units = ["B", "KiB", "MiB", "GiB", "TiB"];
    const at = count < 1024 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(count) / 10));
    return `${at ? (count / 1024 ** at).toFixed(1) : count} ${units[at]}`;
  }

  function perSecond(rate) {
    return rate >= 99.95 ? whole.format(Math.round(rate)) : rate.toFixed(1);
  }

  function duration(seconds) {
    const left = Math.max(0, Math.floor(seconds));
    const parts = [[Math.floor(left / 86400), "d"], [Math.floor(left / 3600) % 24, "h"], [Math.floor(left / 60) % 60, "min"], [left % 60, "s"]];
    const first = parts.findIndex(([count]) => count);
    return first < 0 ? "0 s" : parts.slice(first, first + 2).map(([count, unit]) => `${count} ${unit}`).join(" ");
  }

  function milliseconds(seconds) {
    if (seconds == null) return "–";
    return seconds >= 0.0995 ? `${Math.round(seconds * 1000)} ms` : `${(seconds * 1000).toFixed(1)} ms`;
  }

  // A line over the last minute, as high as its highest second; the figure beside it says the same to a reader.
  class Chart {
    #samples = [];
    #area = drawn("path", { class: "area" });
    #line = drawn("path", { class: "line" });
    node = drawn(
      "svg",
      { class: "chart", viewBox: "0 0 120 30", preserveAspectRatio: "none", "aria-hidden": "true" },
      drawn("path", { class: "base", d: "M0 29.5H120" }),
    );

    constructor() {
      this.node.append(this.#area, this.#line);
    }

    add(value) {
      this.#samples = [...this.#samples, value].slice(-SAMPLES);
      const top = Math.max(1, ...this.#samples);
      const step = 120 / (SAMPLES - 1);
      const first = 120 - step * (this.#samples.length - 1);
      const points = this.#samples.map((one, at) => `${(first + at * step).toFixed(1)} ${(29.5 - (one / top) * 27).toFixed(1)}`);
      this.#line.setAttribute("d", `M${points.join("L")}`);
      this.#area.setAttribute("d", `M${first.toFixed(1)} 29.5L${points.join("L")}L120 29.5z`);
    }
  }

  class Rate {
    chart = new Chart();
    text = element("span", { textContent: "–" });
    #before = null;

    // `count` only grows; `at` is the manager's own clock, in seconds.
    count(count, at) {
      const before = this.#before;
      this.#before = { count, at };
      if (!before || at <= before.at || count < before.count) return; // the first of its kind, or another manager
      const rate = (count - before.count) / (at - before.at);
      write(this.text, `${perSecond(rate)} /s`);
      this.chart.add(rate);
    }
  }

  // totals

  function tile(label, ...children) {
    const value = element("dd", {}, ...children);
    return { value, node: element("div", {}, element("dl", {}, element("dt", { textContent: label }), value)) };
  }

  const totals = {
    connected: element("span", { textContent: "–" }),
    received: new Rate(),
    sent: new Rate(),
    readers: element("span", { textContent: "–" }),
    uptime: element("span", { textContent: "–" }),
  };
  $("totals").append(
    tile("Connected", totals.connected).node,
    tile("Received", totals.received.text, totals.received.chart.node).node,
    tile("Sent", totals.sent.text, totals.sent.chart.node).node,
    tile("Readers", totals.readers).node,
    tile("Up for", totals.uptime).node,
  );

  // channels

  let skew = 0; // the manager's wall clock less ours, in seconds
  const now = () => Date.now() / 1000 + skew;
  const rows = new Map();

  function nextText({ action, at }, state) {
    if (at != null && state === "waiting") return ["next try in ", duration(Math.ceil(at - now()))];
    const texts = {
      network: ["dials when the ", "network is back"],
      use: ["opens at its ", "first use"],
      resume: ["held until ", "wscli resume"],
      start: ["waits for ", "wscli start"],
    };
    return texts[action] ?? null;
  }

  const DETAILS = {
    "In this state for": (status) => duration(now() - status.since),
    Received: (_, one) => `${whole.format(one.received)} (${bytes(one.received_bytes)})`,
    Sent: (_, one) => `${whole.format(one.sent)} (${bytes(one.sent_bytes)})`,
    Connections: (_, one) => `${one.connects}, ${one.reconnects} of them again`,
    "Connected again after": (_, one) =>
      Object.entries(one.reconnects_by_reason ?? {}).map(([reason, count]) => `${reason} ${count}`).join(", ") || "–",
    "Last close": (_, one) =>
      one.last_close ? [one.last_close.code ?? "none", one.last_close.reason, `by ${one.last_close.by}`].filter(Boolean).join(" ") : "–",
    "Short outages": (_, one) => `${one.short_outages ?? 0}`,
    Kept: (_, one) => (one.history.last >= one.history.first ? `${whole.format(one.history.last - one.history.first + 1)} messages` : "nothing yet"),
    Gaps: (_, one) => Object.entries(one.gaps ?? {}).map(([reason, count]) => `${reason} ${count}`).join(", ") || "none",
    Hooks: (_, one) =>
      Object.entries(one.hooks ?? {}).map(([hook, counted]) => `${hook} ${Object.entries(counted).map((pair) => pair.join(" ")).join(", ")}`).join("; ") || "none",
    "Attempts in a row": (status) => `${status.attempt}`,
    Transport: (_, one) => one.transport ?? "–",
  };

  class Row {
    received = new Rate();
    sent = new Rate();
    #status = null;
    #stats = null;
    #mark = element("span", { className: "state" });
    #why = element("span", { className: "why" });
    #next = element("span", { className: "next" });
    #problems = element("span");
    #rtt = element("td", { className: "n", role: "cell" });
    #readers = element("td", { className: "n", role: "cell" });
    #fields = new Map();

    constructor(name) {
      this.button = element("button", { type: "button", textContent: name });
      this.button.setAttribute("aria-expanded", "false");
      this.head = element("th", { scope: "row", role: "rowheader" }, this.button);
      const rate = (of, label) => {
        const cell = element("td", { className: "n wide", role: "cell" }, element("span", { className: "rate" }, of.chart.node, of.text));
        cell.dataset.label = label;
        return cell;
      };
      this.#rtt.dataset.label = "ping";
      this.#readers.dataset.label = "readers";
      this.node = element(
        "tr",
        { className: "row", role: "row" },
        this.head,
        element("td", { role: "cell" }, this.#mark),
        element("td", { className: "because", role: "cell" }, this.#why, this.#next, this.#problems),
        rate(this.received, "in"),
        rate(this.sent, "out"),
        this.#rtt,
        this.#readers,
      );
      const list = element("dl");
      for (const label of Object.keys(DETAILS)) {
        const field = element("dd");
        this.#fields.set(label, field);
        list.append(element("div", {}, element("dt", { textContent: label }), field));
      }
      const cell = element("td", { colSpan: 7, role: "cell" }, list);
      this.detail = element("tr", { className: "detail", role: "row", hidden: true, id: `detail-${rows.size}` }, cell);
      this.button.setAttribute("aria-controls", this.detail.id);
      this.node.addEventListener("click", () => getSelection().isCollapsed && this.#toggle());
    }

    #toggle() {
      this.detail.hidden = !this.detail.hidden;
      this.button.setAttribute("aria-expanded", String(!this.detail.hidden));
      this.tick();
    }

    show(status, stats) {
      if (this.#status?.state !== status.state) {
        this.#mark.className = `state ${status.state}`;
        this.#mark.replaceChildren(glyph(status.state), status.state);
      }
      if (this.#status?.critical !== status.critical) {
        this.head.replaceChildren(this.button, status.critical ? "" : element("span", { className: "tag", textContent: "not critical" }));
      }
      const problems = JSON.stringify(status.problems ?? []);
      if (JSON.stringify(this.#status?.problems ?? []) !== problems) {
        this.#problems.replaceChildren(...status.problems.map((textContent) => element("span", { className: "problem", textContent })));
      }
      this.#status = status;
      write(this.#why, status.reason.text);
      if (stats) {
        this.#stats = stats;
        write(this.#rtt, milliseconds(stats.rtt_s));
        write(this.#readers, `${stats.readers}`);
      }
      this.tick();
    }

    // What changes with time alone.
    tick() {
      const next = nextText(this.#status.next, this.#status.state);
      const text = next ? next.join("") : "";
      if (this.#next.textContent !== text) {
        this.#next.replaceChildren(...(next ? [next[0], element("b", { textContent: next[1] })] : []));
      }
      if (this.detail.hidden || !this.#stats) return;
      for (const [label, field] of this.#fields) write(field, DETAILS[label](this.#status, this.#stats));
    }
  }

  function showChannels(view, counted) {
    const names = new Set(view.channels.map((status) => status.channel));
    for (const [name, row] of rows) {
      if (names.has(name)) continue;
      row.node.remove();
      row.detail.remove();
      rows.delete(name);
    }
    for (const status of view.channels) {
      let row = rows.get(status.channel);
      if (!row) {
        row = new Row(status.channel);
        rows.set(status.channel, row);
        $("rows").append(row.node, row.detail);
      }
      const stats = view.stats?.channels[status.channel];
      row.show(status, stats);
      if (stats && counted) {
        row.received.count(stats.received, view.stats.uptime_s);
        row.sent.count(stats.sent, view.stats.uptime_s);
      }
    }
    $("none").hidden = !view.connected || names.size > 0;
  }

  function showTotals(view, counted) {
    write(totals.connected, view.connected ? `${view.active}/${view.total}` : "–");
    if (!view.stats || !counted) return;
    const all = Object.values(view.stats.channels);
    const sum = (key) => all.reduce((total, one) => total + one[key], 0);
    totals.received.count(sum("received"), view.stats.uptime_s);
    totals.sent.count(sum("sent"), view.stats.uptime_s);
    write(totals.readers, whole.format(sum("readers")));
    write(totals.uptime, duration(view.stats.uptime_s));
  }

  // tokens

  const tokens = new Map();

  class Token {
    #lasts = 0;
    #until = null;
    #left = element("span", { className: "quiet" });
    #state = element("span");
    #counts = element("small");
    #fill = element("i");
    #bar = element("span", { className: "bar" }, this.#fill);

    constructor(name) {
      const title = element("span", {}, element("span", { className: "name", textContent: name }), " ", this.#state);
      this.node = element("li", {}, element("p", {}, title, this.#left), this.#bar, this.#counts);
    }

    show({ state, expires_in_s: left, fetches, served, failures }) {
      this.#state.className = state;
      write(this.#state, state);
      const failed = failures ? `, ${failures} failed` : "";
      write(this.#counts, `${whole.format(fetches)} fetched${failed}, ${whole.format(served)} times given`);
      this.#until = left == null ? null : performance.now() / 1000 + left;
      this.#lasts = left == null ? 0 : Math.max(this.#lasts, left);
      this.#bar.hidden = left == null;
      this.tick();
    }

    tick() {
      const left = this.#until == null ? null : this.#until - performance.now() / 1000;
      write(this.#left, left == null ? "" : left > 0 ? `expires in ${duration(left)}` : "expired");
      if (left == null) return;
      const part = Math.max(0, Math.min(1, left / this.#lasts));
      this.#fill.style.transform = `scaleX(${part})`;
      this.#bar.classList.toggle("low", part < 0.15);
    }
  }

  function showTokens(view) {
    const told = view.stats?.tokens ?? {};
    for (const [name, token] of tokens) {
      if (name in told) continue;
      token.node.remove();
      tokens.delete(name);
    }
    for (const [name, one] of Object.entries(told)) {
      if (!tokens.has(name)) {
        tokens.set(name, new Token(name));
        $("tokens").append(tokens.get(name).node);
      }
      tokens.get(name).show(one);
    }
    $("no-tokens").hidden = tokens.size > 0;
  }

  // changes and announcements

  function entry(ts, channel, state, text, said) {
    const time = element("time", { textContent: clock.format(ts * 1000), dateTime: new Date(ts * 1000).toISOString(), title: day.format(ts * 1000) });
    const words = said ?? state;
    return element(
      "li",
      { className: said ? "said" : "" },
      time,
      element("span", { className: "where", textContent: channel }),
      element("span", { className: `state ${state}` }, glyph(state), words),
      element("span", { className: "text", textContent: text }),
    );
  }

  function showChanges(view) {
    const changes = view.changes.filter((one, at, all) => {
      const later = all.slice(at + 1).find((other) => other.channel === one.channel);
      return later?.since !== one.since || later?.state !== one.state; // of two steps in one state the last says it all
    });
    const entries = [
      ...changes.map((one) => [one.since, entry(one.since, one.channel, one.state, one.reason.text)]),
      ...view.announcements.map((one) => {
        const text = one.text.startsWith(`${one.channel}: `) ? one.text.slice(one.channel.length + 2) : one.text;
        return [one.ts, entry(one.ts, one.channel, one.event === "lost" ? "failed" : "ready", text, one.event)];
      }),
    ];
    entries.sort((one, other) => other[0] - one[0]);
    $("changes").replaceChildren(...entries.map(([, node]) => node));
  }

  // the page as a whole

  function showProblems(view) {
    const items = view.problems.map((textContent) => element("li", { textContent }));
    $("trouble").hidden = !items.length;
    $("problems").replaceChildren(...items);
  }

  let shown = null;

  function showLink() {
    const view = shown;
    if (!view) return;
    document.body.classList.toggle("stale", !view.connected);
    const gone = !view.connected && !view.refused && view.event !== "present";
    $("link").hidden = !gone;
    if (gone) {
      const left = view.retryAt ? Math.ceil((view.retryAt - Date.now()) / 1000) : 0;
      write($("link"), `Not connected to the manager. Trying again ${left > 0 ? `in ${left} s` : "now"}.`);
    }
    write($("fresh"), view.connected ? `Live, ${clock.format(now() * 1000)}` : "Not live: what stands here is the last that was heard");
  }

  const COLOURS = { up: "#1a7f4b", down: "#b3261e", away: "#667484" };

  function showTitle(view) {
    const name = view.instance ?? "wscli";
    const title = view.connected ? `${view.active}/${view.total} ${name}` : `not connected – ${name}`;
    if (document.title === title) return;
    document.title = title;
    const kind = !view.connected ? "away" : view.active === view.total ? "up" : "down";
    const shape = { up: SHAPES.ready, down: SHAPES.waiting, away: SHAPES.idle }[kind];
    const icon = `<svg xmlns="${SVG}" viewBox="0 0 12 12"><path fill="${COLOURS[kind]}" fill-rule="evenodd" d="${shape}"/></svg>`;
    $("icon").href = `data:image/svg+xml,${encodeURIComponent(icon)}`;
  }

  function show(view) {
    shown = view;
    const counted = view.event === "snapshot" || view.event === "stats";
    const waiting = view.stats && Object.entries(view.stats.channels).find(([, one]) => one.retry_in_s > 0);
    const status = waiting && view.channels.find((one) => one.channel === waiting[0]);
    if (counted && status?.next.at) skew = status.next.at - waiting[1].retry_in_s - Date.now() / 1000;
    if (view.connected) {
      write($("instance"), view.instance);
      write($("about"), `wscli ${view.version}, process ${view.stats.pid}`);
      $("ask").hidden = true;
    } else if (view.refused && $("ask").hidden) {
      $("ask").hidden = false;
      write($("wrong"), sessionStorage.getItem(KEY) ? "The one that was given is refused." : "It stands in the file, under gateway.auth.");
      $("token").focus();
    }
    showLink();
    showTitle(view);
    showTotals(view, counted);
    showChannels(view, counted);
    if (counted) {
      showTokens(view);
      showProblems(view);
    }
    if (view.event === "snapshot" || view.event === "state" || view.event === "announce") showChanges(view);
    if (view.event === "announce") {
      const last = view.announcements.at(-1);
      write($("announcer"), `${last.event}: ${last.text}`);
    }
  }

  // The token comes by #token= or ?token=, and stays with this tab: out of the address, the history and bookmarks.
  function takeToken() {
    const url = new URL(location.href);
    const hash = new URLSearchParams(url.hash.slice(1).replaceAll("+", "%2B")); // a plus is a plus in a fragment
    const given = hash.get("token") ?? url.searchParams.get("token");
    if (given !== null) {
      sessionStorage.setItem(KEY, given);
      hash.delete("token");
      url.searchParams.delete("token");
      url.hash = hash.toString();
      history.replaceState(null, "", url);
    }
    return sessionStorage.getItem(KEY);
  }

  $("ask").addEventListener("submit", (event) => {
    event.preventDefault();
    sessionStorage.setItem(KEY, $("token").value);
    $("token").value = "";
    $("ask").hidden = true;
    webSocketManager.configure({ token: sessionStorage.getItem(KEY) });
  });
  addEventListener("hashchange", () => {
    if (location.hash.includes("token=")) webSocketManager.configure({ token: takeToken() });
  });

  webSocketManager.configure({ token: takeToken() });
  webSocketManager.onStatus(show);
  setInterval(() => {
    showLink();
    for (const row of rows.values()) row.tick();
    for (const token of tokens.values()) token.tick();
  }, 500);
})();
