// A server on the npm package socket.io (Engine.IO 4). node socket_io.js PORT PING_INTERVAL_MS PING_TIMEOUT_MS
"use strict";

const { createServer } = require("node:http");
const { npm, say, obey, logins } = require("./control.js");
const { Server } = npm("socket.io");

const [port, pingInterval, pingTimeout] = process.argv.slice(2).map(Number);
const http = createServer();
const io = new Server(http, { pingInterval, pingTimeout, serveClient: false });
const login = logins();

io.use(async (socket, next) => {
  say({ auth: socket.handshake.auth });
  await login.gate;
  next(login.accepts(socket.handshake.auth.token) ? undefined : new Error("invalid token"));
});
io.on("connection", (socket) => {
  socket.on("join", (room, ack) => {
    const refused = room === "secret";
    if (!refused) socket.join(room);
    say({ [refused ? "refused" : "joined"]: room });
    if (ack) ack(refused ? { ok: false } : { ok: true });
  });
  socket.on("leave", (room) => {
    socket.leave(room);
    say({ left: room });
  });
  socket.on("echo", (value, ack) => ack({ echo: value }));
  socket.on("disconnect", (reason) => say({ disconnected: reason }));
});
io.engine.on("connection", (raw) => raw.on("heartbeat", () => say({ pong: true })));
obey({
  ...login.orders,
  publish: ({ room, text }) => (room ? io.to(room) : io).emit("message", { room, text }),
  binary: (text) => io.emit("binary", Buffer.from(text)),
  drop: () => io.sockets.sockets.forEach((socket) => socket.conn.close()),
  disconnect: (close) => io.disconnectSockets(close),
});
http.listen(port, "127.0.0.1", () => say({ port: http.address().port }));
