// A server on the npm package "ws": numbered messages to every client, and an echo of what a client sends.
// node server.js PORT FIRST INTERVAL_MS; prints {"port": N} once it listens.
"use strict";

const path = require("node:path");
const { WebSocketServer } = require(path.join(__dirname, "npm", "node_modules", "ws"));

const [port, first, interval] = process.argv.slice(2).map(Number);
const server = new WebSocketServer({ host: "127.0.0.1", port });
let next = first;

server.on("listening", () => console.log(JSON.stringify({ port: server.address().port })));
server.on("connection", (socket) => {
  socket.on("message", (data, binary) => {
    socket.send(binary ? data : JSON.stringify({ echo: data.toString() }), { binary });
  });
});
setInterval(() => {
  const message = JSON.stringify({ n: next++ });
  for (const socket of server.clients) socket.send(message);
}, interval);
