// What the servers share: the packages of npm, orders as lines of JSON on stdin, and what happens as lines on stdout.
"use strict";

const path = require("node:path");
const { createRequire } = require("node:module");
const { createInterface } = require("node:readline");

// The packages are installed once, for all peers of the tests.
exports.npm = createRequire(path.join(__dirname, "..", "e2e", "peers", "npm", "package.json"));

exports.say = (what) => console.log(JSON.stringify(what));

// {"name": argument} calls orders.name(argument).
exports.obey = (orders) => {
  createInterface({ input: process.stdin }).on("line", (line) => {
    for (const [name, argument] of Object.entries(JSON.parse(line))) orders[name](argument);
    exports.say({ obeyed: line });
  });
};

// The tokens that are accepted, none: any; and a gate that holds back the answer to a log-in.
exports.logins = () => {
  const logins = {
    tokens: [],
    gate: Promise.resolve(),
    accepts: (token) => logins.tokens.length === 0 || logins.tokens.includes(token),
  };
  let open = () => {};
  logins.orders = {
    tokens: (tokens) => (logins.tokens = tokens),
    hold: () => (logins.gate = new Promise((resolve) => (open = resolve))),
    release: () => open(),
  };
  return logins;
};
