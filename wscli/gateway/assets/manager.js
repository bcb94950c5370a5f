// window.webSocketManager: the channels of a wscli manager, for pages. docs/browser.md says how to use it.
//
// A channel has one WebSocket to the gateway, however many parts of the page use it (Link). One more, to /status, is
// opened while the page asks for states, or after a connection was lost: it tells whether the gateway is there, so that
// a page with ten channels makes one attempt at a time and not ten (Feed).
"use strict";

(() => {
  if (window.webSocketManager) return; // loaded twice: connections stay where they are

  const FIRST_WAIT = 200; // milliseconds before the first new attempt; it doubles up to LAST_WAIT
  const LAST_WAIT = 5000;
  const LINGER = 1000; // milliseconds that a connection outlives its last user, who may be back at once
  const SILENCE = 5000; // milliseconds without the statistics of each second: the gateway is not there any more
  const PATIENCE = 5000; // milliseconds that a lost connection waits for the gateway before it goes direct
  const STATS_WITHIN = 10000; // milliseconds for stats()
  const QUEUE_BYTES = 1 << 20; // what may wait for a connection, by channel
  const QUEUE_MESSAGES = 1000;
  const UNKNOWN_TRIES = 3; // refusals before a channel that the gateway does not list is given up
  const ANNOUNCEMENTS = 20;
  const CHANGES = 50;
  const OVER = new Set(["failed", "done"]);
  const UNSAID = new Set([1001, 1005, 1006, 1015]); // the gateway went away, or no code was given

  const script = document.currentScript;
  const source = new URL(script?.src || location.href);
  const settings = {
    base: new URL(".", source),
    token: script?.dataset.token ?? (script ? source.searchParams.get("token") : null),
    direct: new Map(),
  };

  const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
  const backoff = (tries) => Math.min(LAST_WAIT, FIRST_WAIT * 2 ** tries) * (0.5 + Math.random() / 2);
  const encoder = new TextEncoder();

  function sizeOf(data) {
    return typeof data === "string" ? encoder.encode(data).length : (data.byteLength ?? data.size ?? 0);
  }

  function gatewayUrl(path) {
    const url = new URL(path, settings.base);
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    return url.href;
  }

  // The token goes by subprotocol: a URL would show it in logs and in the console.
  function openGateway(path, protocols = []) {
    const offered = [...protocols];
    if (settings.token) {
      const bytes = String.fromCharCode(...encoder.encode(settings.token));
      const token = btoa(bytes).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
      offered.push("wscli", `wscli.token.${token}`);
    }
    return new WebSocket(gatewayUrl(path), offered);
  }

  // Closing a WebSocket that is still connecting would be an error in the console.
  function hangUp(socket, code, reason) {
    if (socket?.readyState === WebSocket.CONNECTING) socket.onopen = () => socket.close(code, reason);
    else socket?.close(code, reason);
  }

  function call(fn, ...args) {
    try {
      fn(...args);
    } catch (error) {
      reportError(error); // a listener that fails must not keep events from others
    }
  }

  // What the gateway says of all channels, and whether it is there: unknown, up, absent or refused.
  class Feed {
    state = "unknown";
    #view = { instance: null, version: null, channels: [], stats: null, changes: [], problems: [], announcements: [] };
    #users = new Set();
    #listeners = new Set();
    #waiting = [];
    #socket = null;
    #run = 0;
    #tries = 0;
    #timer = null;
    #probing = false;
    #idle = null;
    #retryAt = 0;

    hold(user, doubtful = false) {
      this.known();
      this.#users.add(user);
      clearTimeout(this.#idle);
      if (this.#busy) return;
      const wait = this.#retryAt - Date.now();
      if (wait > 0) this.#again(wait);
      else if (doubtful) this.#probe();
      else this.#open();
    }

    release(user) {
      if (!this.#users.delete(user) || this.#users.size) return;
      this.#idle = setTimeout(() => this.#stop(), LINGER);
    }

    // Forget what is known: the gateway or the token is another.
    reset() {
      this.#retryAt = this.#tries = 0;
      this.#stop();
      if (this.#users.size) this.#open();
    }

    get #busy() {
      return this.#socket !== null || this.#timer !== null || this.#probing;
    }

    // Whether a new connection should try the gateway; an old answer is asked for again.
    known() {
      if (!this.#busy && Date.now() >= this.#retryAt) this.state = "unknown";
      return this.state;
    }

    async settled() {
      while (this.state === "unknown") await this.changed();
      return this.state;
    }

    changed() {
      return new Promise((resolve) => this.#waiting.push(resolve));
    }

    channel(name) {
      return this.#view.channels.find((status) => status.channel === name);
    }

    listen(fn) {
      const listener = (view) => fn(view);
      this.#listeners.add(listener);
      this.hold(listener);
      call(fn, this.view("present"));
      return () => {
        this.#listeners.delete(listener);
        this.release(listener);
      };
    }

    view(event) {
      const connected = this.state === "up";
      const channels = [...this.#view.channels];
      return {
        ...this.#view,
        event,
        connected,
        refused: this.state === "refused",
        retryAt: connected || !this.#timer ? null : this.#retryAt,
        active: connected ? channels.filter((status) => status.state === "ready").length : 0,
        total: channels.length,
        channels,
        changes: [...this.#view.changes],
        announcements: [...this.#view.announcements],
      };
    }

    #open() {
      const run = ++this.#run;
      clearTimeout(this.#timer);
      this.#timer = null;
      const socket = (this.#socket = openGateway("status"));
      let opened = false;
      let heard = performance.now();
      let stale = false;
      const watch = setInterval(() => {
        const silent = performance.now() - heard > SILENCE;
        if (silent && stale) lost(); // asked twice: a page that slept hears its timers before its messages
        stale = silent;
      }, 1000);
      const lost = (event) => {
        clearInterval(watch);
        if (run !== this.#run) return;
        this.#run += 1;
        this.#socket = null;
        hangUp(socket);
        if (opened) {
          this.#tries = 0;
          this.#again(backoff(0));
          this.#turn("unknown", "gateway");
        } else {
          this.#probe(Boolean(event)); // closed before it was open: absent or refused; hung: only absent
        }
      };
      socket.onmessage = (event) => {
        if (run !== this.#run) return clearInterval(watch);
        opened = true;
        heard = performance.now();
        this.#take(JSON.parse(event.data));
      };
      socket.onclose = lost;
    }

    // Ask whether the gateway is there: fewer errors in the console than a WebSocket, and it tells refusal from absence.
    async #probe(refused = false) {
      const run = ++this.#run;
      this.#timer = null;
      this.#probing = true;
      const alive = await fetch(new URL("healthz", settings.base), { mode: "no-cors", cache: "no-store", signal: AbortSignal.timeout(SILENCE) }).then(
        () => true,
        () => false,
      );
      if (run !== this.#run) return;
      this.#probing = false;
      if (alive && !refused) return this.#open();
      this.#again(backoff(alive ? 6 : this.#tries++));
      this.#turn(alive ? "refused" : "absent", "gateway");
    }

    #again(wait) {
      clearTimeout(this.#timer);
      this.#retryAt = Date.now() + wait;
      this.#timer = setTimeout(() => this.#probe(), wait);
    }

    hurry() {
      if (this.#timer !== null && this.state === "absent") this.#again(0);
    }

    #stop() {
      this.#run += 1;
      clearTimeout(this.#timer);
      hangUp(this.#socket);
      this.#timer = this.#socket = null;
      this.#probing = false;
      if (this.state === "up" || !this.#retryAt) this.#turn("unknown", "gateway");
    }

    #turn(state, event) {
      this.state = state;
      const view = this.view(event);
      for (const listener of [...this.#listeners]) call(listener, view);
      for (const resolve of this.#waiting.splice(0)) resolve();
    }

    #take(message) {
      const view = this.#view;
      if (message.type === "snapshot") {
        const { instance, version, status: channels, stats, changes, problems } = message;
        Object.assign(view, { instance, version, channels, stats, changes, problems });
        this.#tries = this.#retryAt = 0;
      } else if (message.type === "state") {
        const at = view.channels.findIndex((status) => status.channel === message.status.channel);
        view.channels = at < 0 ? [...view.channels, message.status] : view.channels.with(at, message.status);
        view.changes = [...view.changes, message.status].slice(-CHANGES);
      } else if (message.type === "stats") {
        const { stats, problems } = message;
        const channels = view.channels.filter((status) => status.channel in stats.channels); // others were removed
        Object.assign(view, { channels, stats, problems });
      } else if (message.type === "announce") {
        const { type, ...announcement } = message;
        view.announcements = [...view.announcements, announcement].slice(-ANNOUNCEMENTS);
      } else {
        return; // of a later version
      }
      this.#turn("up", message.type);
    }
  }

  const feed = new Feed();
  const warned = new Set();

  function warnOnce(text) {
    if (!warned.has(text)) console.warn(`webSocketManager: ${text}`);
    warned.add(text);
  }

  // One WebSocket of a channel, renewed for as long as it has users: {opened, message, lost, ended, stays}.
  class Link {
    via = null;
    socket = null;
    users = new Set();
    #run = 0;
    #tries = 0;
    #queue = [];
    #queued = 0;
    #everOpen = false;
    #lostAt = 0;
    #idle = null;

    constructor(channel, { direct, protocols, onIdle }) {
      Object.assign(this, { channel, direct, protocols, onIdle });
      if (["absent", "refused"].includes(feed.known())) this.#seek();
      else this.#dial("gateway");
    }

    get isOpen() {
      return this.socket?.readyState === WebSocket.OPEN;
    }

    get bufferedAmount() {
      return this.#queued + (this.socket?.bufferedAmount ?? 0);
    }

    get url() {
      return this.via === "direct" ? this.#directUrl() : gatewayUrl(this.#path());
    }

    add(user) {
      clearTimeout(this.#idle);
      this.users.add(user);
      if (this.isOpen) queueMicrotask(() => this.users.has(user) && user.opened?.());
    }

    remove(user, code, reason) {
      if (!this.users.delete(user) || this.users.size) return;
      clearTimeout(this.#idle);
      this.#idle = setTimeout(() => this.#idleEnd(code, reason), code === undefined ? LINGER : 0);
    }

    #idleEnd(code, reason) {
      if (this.users.size) return;
      if (this.#queue.length && code === undefined) return void (this.#idle = setTimeout(() => this.#idleEnd(), LINGER));
      this.close(code, reason);
    }

    close(code, reason) {
      this.#run += 1;
      feed.release(this);
      hangUp(this.socket, code, reason);
      this.socket = null;
      this.#reject(`the connection of channel "${this.channel}" was closed`);
      this.onIdle(this);
    }

    // Resolves once it was handed to an open connection; a WebSocket tells no more.
    send(data) {
      if (this.isOpen) {
        this.socket.send(data);
        return Promise.resolve();
      }
      const size = sizeOf(data);
      if (this.#queue.length >= QUEUE_MESSAGES || this.#queued + size > QUEUE_BYTES) {
        const text = `channel "${this.channel}" is not connected and ${this.#queue.length} messages wait already`;
        throw new DOMException(text, "QuotaExceededError");
      }
      this.#queued += size;
      return new Promise((resolve, reject) => this.#queue.push({ data, resolve, reject }));
    }

    #reject(text) {
      for (const { reject } of this.#queue.splice(0)) reject(new DOMException(text, "NetworkError"));
      this.#queued = 0;
    }

    #path() {
      return `ws/${this.channel.split("/").map(encodeURIComponent).join("/")}`;
    }

    #directUrl() {
      return new URL(this.direct ?? settings.direct.get(this.channel), location.href).href;
    }

    get #hasDirect() {
      return Boolean(this.direct ?? settings.direct.get(this.channel));
    }

    #dial(via) {
      const run = ++this.#run;
      const protocols = this.protocols ?? [];
      this.via = via;
      const socket = (this.socket =
        via === "gateway" ? openGateway(this.#path(), protocols) : new WebSocket(this.#directUrl(), protocols));
      socket.binaryType = "arraybuffer";
      let opened = false;
      socket.onopen = () => {
        if (run !== this.#run) return;
        opened = this.#everOpen = true;
        this.#tries = 0;
        if (via === "gateway") warned.clear();
        for (const { data, resolve } of this.#queue.splice(0)) resolve(socket.send(data));
        this.#queued = 0;
        for (const user of [...this.users]) call(() => user.opened?.());
      };
      socket.onmessage = ({ data }) => {
        if (run === this.#run) for (const user of [...this.users]) call(() => user.message?.(data));
      };
      socket.onclose = (event) => {
        if (run !== this.#run) return;
        this.socket = null;
        if (opened) {
          this.#lostAt = performance.now();
          for (const user of [...this.users]) call(() => user.lost?.());
        } else {
          this.#tries += 1;
        }
        if (opened && event.code === 1000) this.#end(event.code, event.reason);
        if (this.users.size) this.#seek(event);
      };
    }

    // Decide what follows a connection that ended, or that could not be opened.
    async #seek(event) {
      const run = ++this.#run;
      if (event && (this.#everOpen || this.#tries > 1)) await pause(backoff(this.#tries));
      if (run !== this.#run) return;
      feed.hold(this, true);
      let via = null;
      for (;;) {
        const state = await feed.settled();
        if (run !== this.#run) return;
        via = this.#next(state, event);
        if (via) break;
        const patience = this.#patience;
        await (patience > 0 ? Promise.race([feed.changed(), pause(patience)]) : feed.changed());
        if (run !== this.#run) return;
      }
      feed.release(this);
      this.#dial(via);
    }

    // What is left of the time in which a gateway that was there may come back.
    get #patience() {
      return this.#everOpen && this.via === "gateway" ? this.#lostAt + PATIENCE - performance.now() : 0;
    }

    #next(state, event) {
      if (state === "up") {
        const status = feed.channel(this.channel);
        if (OVER.has(status?.state)) {
          const known = event && !UNSAID.has(event.code);
          this.#end(known ? event.code : 1014, known ? event.reason : status.reason.text);
          return null;
        }
        if (status || this.#tries < UNKNOWN_TRIES) return "gateway";
        return this.#fallBack(`the gateway has no channel "${this.channel}"`);
      }
      if (this.#patience > 0) return null;
      if (state === "refused") return this.#fallBack("the gateway refuses this page: its token, or its origin");
      return this.#hasDirect ? this.#fallBack(`no gateway answers at ${settings.base.origin}`) : null;
    }

    #fallBack(why) {
      if (this.#hasDirect) {
        warnOnce(`${why}; connecting directly`);
        return "direct";
      }
      warnOnce(why);
      this.#end(1008, why);
      return null;
    }

    // End every connection; a subscription stays, because the channel may be started again.
    #end(code, reason) {
      this.#reject(`channel "${this.channel}": ${reason || `closed with ${code}`}`);
      for (const user of [...this.users]) {
        if (!user.stays) {
          this.users.delete(user);
          call(() => user.ended(code, reason));
        }
      }
      if (!this.users.size) this.close();
    }
  }

  const links = new Map();

  function linkOf(channel, options = {}) {
    if (typeof channel !== "string" || !channel) throw new TypeError("a channel is named by a string");
    const found = links.get(channel);
    const cameBack = found?.via === "direct" && feed.known() === "up"; // new users go by the gateway again
    if (found && !cameBack) {
      found.direct ??= options.direct;
      return found;
    }
    const link = new Link(channel, { ...options, onIdle: () => links.get(channel) === link && links.delete(channel) });
    links.set(channel, link);
    return link;
  }

  // The interface of WebSocket, on a link that is renewed; beside it the events "reconnecting" and "reconnected".
  class Connection extends EventTarget {
    #link;
    #user;
    #readyState = 0;
    #protocol = "";
    #binaryType = "blob";
    #handlers = new Map();

    constructor(channel, { direct, protocols } = {}) {
      super();
      const own = protocols?.length ? [protocols].flat() : null;
      this.#link = own ? new Link(channel, { direct, protocols: own, onIdle: () => {} }) : linkOf(channel, { direct });
      this.#user = {
        opened: () => this.#opened(),
        message: (data) => this.#message(data),
        lost: () => this.dispatchEvent(new Event("reconnecting")),
        ended: (code, reason) => this.#ended(code, reason, code === 1000),
      };
      this.#link.add(this.#user);
    }

    get readyState() { return this.#readyState; }
    get protocol() { return this.#protocol; }
    get extensions() { return this.#link.socket?.extensions ?? ""; }
    get url() { return this.#link.url; }
    get via() { return this.#link.via; }
    get bufferedAmount() { return this.#link.bufferedAmount; }
    get binaryType() { return this.#binaryType; }
    set binaryType(type) { if (type === "blob" || type === "arraybuffer") this.#binaryType = type; }

    send(data) {
      if (this.#readyState === 0) throw new DOMException("still in CONNECTING state", "InvalidStateError");
      if (this.#readyState !== 1) return;
      this.#link.send(data).catch(() => {
        this.dispatchEvent(new Event("error"));
      });
    }

    close(code, reason = "") {
      if (code !== undefined && code !== 1000 && !(code >= 3000 && code <= 4999)) {
        throw new DOMException(`the code must be 1000 or between 3000 and 4999, not ${code}`, "InvalidAccessError");
      }
      if (encoder.encode(reason).length > 123) throw new DOMException("the reason is over 123 bytes", "SyntaxError");
      if (this.#readyState >= 2) return;
      this.#readyState = 2;
      this.#link.remove(this.#user, code ?? 1000, reason);
      queueMicrotask(() => this.#ended(code ?? 1005, reason, true));
    }

    #opened() {
      const again = this.#readyState === 1;
      const protocol = this.#link.socket.protocol;
      this.#protocol = protocol === "wscli" || protocol.startsWith("wscli.token.") ? "" : protocol;
      this.#readyState = 1;
      this.dispatchEvent(new Event(again ? "reconnected" : "open"));
    }

    #message(data) {
      const given = typeof data !== "string" && this.#binaryType === "blob" ? new Blob([data]) : data;
      this.dispatchEvent(new MessageEvent("message", { data: given, origin: new URL(this.url).origin }));
    }

    #ended(code, reason, wasClean) {
      this.#readyState = 3;
      if (!wasClean) this.dispatchEvent(new Event("error"));
      this.dispatchEvent(new CloseEvent("close", { code, reason, wasClean }));
    }

    get onopen() { return this.#handler("open"); }
    set onopen(fn) { this.#handle("open", fn); }
    get onmessage() { return this.#handler("message"); }
    set onmessage(fn) { this.#handle("message", fn); }
    get onerror() { return this.#handler("error"); }
    set onerror(fn) { this.#handle("error", fn); }
    get onclose() { return this.#handler("close"); }
    set onclose(fn) { this.#handle("close", fn); }

    #handler(name) {
      return this.#handlers.get(name) ?? null;
    }

    #handle(name, fn) {
      this.removeEventListener(name, this.#handler(name));
      this.#handlers.set(name, typeof fn === "function" ? fn : null);
      this.addEventListener(name, this.#handler(name));
    }
  }
  const STATES = { CONNECTING: 0, OPEN: 1, CLOSING: 2, CLOSED: 3 };
  for (const [name, value] of Object.entries(STATES)) {
    for (const owner of [Connection, Connection.prototype]) Object.defineProperty(owner, name, { value, enumerable: true });
  }

  document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && feed.hurry());

  window.webSocketManager = Object.freeze({
    // Where the gateway is, its token, and by channel the URL to go to where there is no gateway.
    configure({ gateway, token, direct } = {}) {
      if (gateway !== undefined) settings.base = new URL(gateway.replace(/^ws/, "http").replace(/\/*$/, "/"));
      if (token !== undefined) settings.token = token;
      if (direct !== undefined) settings.direct = new Map(Object.entries(direct));
      if (gateway !== undefined || token !== undefined) feed.reset();
    },

    // Calls fn(data, {channel, via}) for each message: a string, or an ArrayBuffer. Gives what ends it.
    subscribe(channel, fn) {
      const link = linkOf(channel);
      const user = { stays: true, message: (data) => fn(data, { channel, via: link.via }) };
      link.add(user);
      return () => link.remove(user);
    },

    async send(channel, data) {
      const link = linkOf(channel);
      const user = { stays: false, ended: () => {} };
      link.add(user);
      try {
        await link.send(data);
      } finally {
        link.remove(user);
      }
    },

    // The object of `wscli stats --json`, a second old at most.
    stats() {
      return new Promise((resolve, reject) => {
        const late = () => {
          stop();
          reject(new DOMException(`no gateway answers at ${settings.base.origin}`, "TimeoutError"));
        };
        const timer = setTimeout(late, STATS_WITHIN);
        let stop = () => {};
        const take = (view) => {
          if (!view.connected || !view.stats) return;
          clearTimeout(timer);
          queueMicrotask(() => stop());
          resolve(view.stats);
        };
        stop = feed.listen(take);
      });
    },

    onStatus: (fn) => feed.listen(fn),

    getConnection: (channel, options) => new Connection(channel, options),
  });
})();
