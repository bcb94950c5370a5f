// A client on the npm package graphql-ws, which reconnects by itself. node graphql_client.js URL ROOM
"use strict";

const { npm, say } = require("../../servers/control.js");
const { WebSocket } = npm("ws");
const { createClient } = npm("graphql-ws");

const [url, room] = process.argv.slice(2);
const client = createClient({
  url,
  webSocketImpl: WebSocket,
  on: { connected: () => say({ connected: true }), closed: (event) => say({ closed: event.code }) },
});
client.subscribe(
  { query: `subscription { messages(room: "${room}") { text } }` },
  {
    next: ({ data }) => say({ got: data.messages.text }),
    error: (error) => say({ failed: String(error) }),
    complete: () => say({ completed: true }),
  },
);
