// A server on the npm packages graphql-ws, graphql and ws. node graphql_ws.js PORT
"use strict";

const { npm, say, obey, logins } = require("./control.js");
const { WebSocketServer } = npm("ws");
const { buildSchema } = npm("graphql");
const { useServer } = npm("graphql-ws/use/ws");

const schema = buildSchema(`
  type Message { room: String!, text: String! }
  type Query { echo(text: String!): String! }
  type Subscription { messages(room: String!): Message! }
`);

const streams = new Set(); // of {room, push, end}

// Not an async generator, whose return() waits for the next message.
function messages({ room }) {
  const queue = [];
  let wake = () => {};
  const put = (result) => { queue.push(result); wake(); };
  const end = () => {
    if (streams.delete(stream)) say({ unsubscribed: room });
    put({ done: true });
  };
  const stream = { room, push: (message) => put({ value: { messages: message }, done: false }), end };
  streams.add(stream);
  say({ subscribed: room });
  return {
    [Symbol.asyncIterator]() { return this; },
    async next() {
      while (queue.length === 0) await new Promise((resolve) => (wake = resolve));
      return queue.shift();
    },
    async return() { end(); return { done: true }; },
  };
}

const login = logins();
const server = new WebSocketServer({ host: "127.0.0.1", port: Number(process.argv[2]), path: "/graphql" });
useServer(
  {
    schema,
    roots: { query: { echo: ({ text }) => text }, subscription: { messages } },
    connectionInitWaitTimeout: 10_000,
    onConnect: async (context) => {
      say({ init: context.connectionParams ?? null });
      await login.gate;
      return login.accepts(context.connectionParams?.Authorization?.replace("Bearer ", ""));
    },
  },
  server,
);
const of = (room) => [...streams].filter((stream) => stream.room === room);
obey({
  ...login.orders,
  publish: ({ room, text }) => of(room).forEach((stream) => stream.push({ room, text })),
  complete: (room) => of(room).forEach((stream) => stream.end()),
  close: (code) => server.clients.forEach((client) => client.close(code, "as ordered")),
});
server.on("listening", () => say({ port: server.address().port }));
