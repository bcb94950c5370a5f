// A client on the npm package @stomp/stompjs, which reconnects by itself. node stomp_client.js URL QUEUE
"use strict";

const { npm, say, obey } = require("../../servers/control.js");
Object.assign(global, { WebSocket: npm("ws").WebSocket });
const { Client } = npm("@stomp/stompjs");

const [brokerURL, queue] = process.argv.slice(2);
const client = new Client({
  brokerURL,
  connectHeaders: { login: "guest", passcode: "guest" },
  onConnect: () => {
    client.subscribe(`/queue/${queue}`, (message) => say({ got: message.body }));
    say({ connected: true });
  },
  onStompError: (frame) => say({ failed: frame.headers.message }),
  onWebSocketClose: (event) => say({ closed: event.code }),
});
client.activate();
obey({ send: (body) => client.publish({ destination: `/queue/${queue}`, body }) });
