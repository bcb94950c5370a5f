// <ws-status>: a dot, how many channels are connected, and the statistics of each on hover, focus or a tap.
//
// It goes by window.webSocketManager, and loads manager.js from beside itself where the page has none.
// What the dot means is told by its shape and by words as well as by its colour.
"use strict";

(() => {
  if (customElements.get("ws-status")) return;

  const script = document.currentScript;
  const SVG = "http://www.w3.org/2000/svg";
  const SHAPES = {
    up: "M6 1a5 5 0 1 0 0 10A5 5 0 1 0 6 1z", // a full circle
    partly: "M6 1a5 5 0 1 0 0 10A5 5 0 1 0 6 1zM6 2.5a3.5 3.5 0 0 1 0 7z", // a half-filled ring
    down: "M6 .8 11.6 11H.4z", // a triangle
    failed: "M2.5 1 6 4.5 9.5 1 11 2.5 7.5 6 11 9.5 9.5 11 6 7.5 2.5 11 1 9.5 4.5 6 1 2.5z", // a cross
    away: "M6 1a5 5 0 1 0 0 10A5 5 0 1 0 6 1zM6 2.5a3.5 3.5 0 0 1 0 7A3.5 3.5 0 0 1 6 2.5z", // a ring
  };
  const TROUBLE = new Set(["waiting", "offline"]);
  const OPENING = new Set(["connecting", "handshaking"]);

  const sheet = new CSSStyleSheet();
  sheet.replaceSync(`
    :host { display: inline-block; --ok: #1a7f4b; --busy: #2563a8; --bad: #b3261e; --off: #667484; --ground: #fff; --ink: #16202c;
      --line: #d5dce4; font: 500 13px/1.4 Inter, "Segoe UI", system-ui, sans-serif; font-variant-numeric: tabular-nums; }
    :host([hidden]) { display: none; }
    @media (prefers-color-scheme: dark) { :host { --ok: #4cc38a; --busy: #6cb0f5; --bad: #ff8b80; --off: #93a1b1; --ground: #171d25;
      --ink: #e4eaf1; --line: #313b47; } }
    button { all: unset; display: inline-flex; align-items: center; gap: 6px; padding: 3px 9px; border: 1px solid var(--line);
      border-radius: 999px; background: var(--ground); color: var(--ink); cursor: default; font: inherit; }
    button:focus-visible { outline: 2px solid var(--busy); outline-offset: 2px; }
    svg { width: 11px; height: 11px; fill: currentColor; fill-rule: evenodd; flex: none; }
    .up { color: var(--ok); } .partly { color: var(--busy); } .down, .failed { color: var(--bad); } .away { color: var(--off); }
    #tip { position: fixed; z-index: 2147483647; box-sizing: border-box; width: max-content; max-width: min(420px, 100vw - 16px);
      padding: 10px 12px; border: 1px solid var(--line); border-radius: 8px; background: var(--ground); color: var(--ink);
      box-shadow: 0 6px 24px rgb(0 0 0 / .18); font-weight: 400; overflow-wrap: anywhere; }
    #tip[hidden] { display: none; }
    table { border-collapse: collapse; } td, th { padding: 2px 12px 2px 0; text-align: left; vertical-align: top; font-weight: 400; }
    td.n { text-align: right; white-space: nowrap; } td:last-child { padding-right: 0; } th { font-weight: 600; }
    th svg { margin-right: 6px; } p { margin: 0 0 4px; } .why { color: var(--off); }
    #live { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
  `);

  function element(tag, properties = {}, ...children) {
    const made = Object.assign(document.createElement(tag), properties);
    made.append(...children); // strings become text, whatever a server put into them
    return made;
  }

  function glyph(kind) {
    const svg = document.createElementNS(SVG, "svg");
    svg.setAttribute("viewBox", "0 0 12 12");
    svg.setAttribute("aria-hidden", "true");
    svg.setAttribute("class", kind);
    const path = svg.appendChild(document.createElementNS(SVG, "path"));
    path.setAttribute("d", SHAPES[kind]);
    return svg;
  }

  function kindOf(state) {
    if (state === "ready") return "up";
    if (state === "failed") return "failed";
    if (TROUBLE.has(state)) return "down";
    return OPENING.has(state) ? "partly" : "away";
  }

  // The worst state of some channels: a critical channel in trouble outweighs others in trouble.
  function overall(channels) {
    const kinds = channels.map((status) => [kindOf(status.state), status.critical]);
    for (const kind of ["failed", "down"]) if (kinds.some(([one, critical]) => one === kind && critical)) return kind;
    if (kinds.some(([one]) => one === "failed" || one === "down" || one === "partly")) return "partly";
    return kinds.some(([one]) => one === "up") ? "up" : "away";
  }

  function load() {
    if (!window.webSocketManager) {
      return new Promise((resolve, reject) => {
        const loader = element("script", { src: new URL("manager.js", script?.src || location.href).href });
        if (script?.dataset.token) loader.dataset.token = script.dataset.token;
        loader.onload = () => resolve(window.webSocketManager);
        loader.onerror = () => reject(new Error(`${loader.src} cannot be loaded`));
        document.head.append(loader);
      });
    }
    return Promise.resolve(window.webSocketManager);
  }

  let loading = null;
  const parsed = new Promise((resolve) => {
    if (document.readyState === "complete") resolve();
    for (const name of ["DOMContentLoaded", "load"]) addEventListener(name, resolve, { once: true });
  });
  const manager = () => (loading ??= parsed.then(load)); // not before the page's own script tags had their turn

  class StatusBadge extends HTMLElement {
    static observedAttributes = ["channels"];
    #view = null;
    #stop = null;
    #announced = null;
    #open = false;
    #pinned = false;
    #button = element("button", { type: "button" });
    #tip = element("div", { id: "tip", hidden: true });
    #live = element("div", { id: "live" });

    constructor() {
      super();
      const root = this.attachShadow({ mode: "open" });
      root.adoptedStyleSheets = [sheet];
      this.#tip.setAttribute("role", "tooltip");
      this.#live.setAttribute("role", "status");
      this.#live.setAttribute("aria-live", "polite");
      this.#button.setAttribute("aria-describedby", "tip");
      root.append(this.#button, this.#tip, this.#live);
      this.addEventListener("pointerenter", (event) => event.pointerType === "mouse" && this.#show(true));
      this.addEventListener("pointerleave", (event) => event.pointerType === "mouse" && !this.#pinned && this.#show(false));
      this.#button.addEventListener("focus", () => this.#button.matches(":focus-visible") && this.#show(true));
      this.#button.addEventListener("blur", () => this.#show((this.#pinned = false)));
      this.#button.addEventListener("click", () => this.#show((this.#pinned = !this.#pinned)));
      this.addEventListener("keydown", (event) => event.key === "Escape" && this.#show((this.#pinned = false)));
    }

    connectedCallback() {
      this.#render();
      const mine = (this.#stop = { ended: false, end: () => (mine.ended = true) });
      manager().then(
        (found) => {
          if (!mine.ended) mine.end = found.onStatus((view) => this.#take(view));
        },
        (error) => console.warn(`ws-status: ${error.message}`),
      );
    }

    disconnectedCallback() {
      this.#stop?.end();
      this.#stop = null;
      this.#show((this.#pinned = false));
    }

    attributeChangedCallback() {
      this.#render();
    }

    #take(view) {
      this.#view = view;
      const last = view.announcements.at(-1);
      const news = view.event === "announce" && last !== this.#announced && this.#watches(last.channel);
      this.#announced = last;
      if (news) {
        this.#live.textContent = `${last.event}: ${last.text}`;
        this.dispatchEvent(new CustomEvent("ws-announce", { detail: { ...last }, bubbles: true, composed: true }));
      }
      this.#render();
    }

    #watches(name) {
      const names = this.getAttribute("channels")?.split(/\s+/).filter(Boolean) ?? [];
      return !names.length || names.includes(name);
    }

    #render() {
      const view = this.#view;
      const channels = view?.channels.filter((status) => this.#watches(status.channel)) ?? [];
      const active = channels.filter((status) => status.state === "ready").length;
      const kind = view?.connected ? overall(channels) : "away";
      const numbers = view?.connected ? `${active}/${channels.length}` : "–/–";
      const rest = channels.filter((status) => status.state !== "ready").map((status) => `${status.channel} ${status.state}`);
      const label = view?.connected
        ? [`${active} of ${channels.length} channels connected`, ...rest].join(", ")
        : `No connection to the manager${view?.refused ? ": it refuses this page" : ""}`;
      if (label !== this.#button.ariaLabel || !this.#button.firstChild) {
        this.#button.ariaLabel = label;
        this.#button.replaceChildren(glyph(kind), element("span", { textContent: numbers }));
        this.dataset.state = kind;
      }
      if (this.#open) this.#fill(channels, label);
    }

    #fill(channels, label) {
      const stats = this.#view?.stats?.channels ?? {};
      const rows = channels.map((status) => {
        const counted = stats[status.channel];
        const why = status.state === "ready" ? "" : status.reason.text;
        const name = element("th", { scope: "row" }, glyph(kindOf(status.state)), status.channel);
        const state = element("td", {}, status.state, why && element("div", { className: "why", textContent: why }));
        const numbers = [`${counted?.received ?? 0} in`, `${counted?.sent ?? 0} out`];
        return element("tr", {}, name, state, ...numbers.map((text) => element("td", { className: "n", textContent: text })));
      });
      const told = this.#view?.connected ? rows : [];
      this.#tip.replaceChildren(element("p", { textContent: label.split(",")[0] }), element("table", {}, ...told));
      this.#place();
    }

    #place() {
      const at = this.#button.getBoundingClientRect();
      const tip = this.#tip.getBoundingClientRect();
      const left = Math.max(8, Math.min(at.left, document.documentElement.clientWidth - tip.width - 8));
      const below = at.bottom + 6 + tip.height <= innerHeight || at.top < tip.height + 6;
      this.#tip.style.left = `${left}px`;
      this.#tip.style.top = `${below ? at.bottom + 6 : at.top - tip.height - 6}px`;
    }

    #show(open) {
      this.#open = open;
      this.#tip.hidden = !open;
      if (open) this.#render();
    }
  }

  customElements.define("ws-status", StatusBadge);
})();
