// Clients on the npm package "ws": node client.js URL TOKEN COUNT prints "INDEX<TAB>MESSAGE" for each message of each.
"use strict";

const path = require("node:path");
const WebSocket = require(path.join(__dirname, "npm", "node_modules", "ws"));

const [url, token, count] = process.argv.slice(2);
for (let index = 0; index < Number(count); index++) {
  const socket = new WebSocket(url, { headers: { Authorization: `Bearer ${token}` } });
  socket.on("message", (data) => process.stdout.write(`${index}\t${data}\n`));
  socket.on("error", (error) => { console.error(String(error)); process.exitCode = 1; });
}
