// Scripts of assets/ that need no page, loaded as a page loads them: each adds to one `visit`.
// Node's test runner gives every test file a process, and so a `visit`, of its own.
"use strict";

const path = require("node:path");

const ASSETS = path.join(__dirname, "..", "..", "assets");

globalThis.window = globalThis;

exports.load = (...names) => {
  for (const name of names) require(path.join(ASSETS, name));
  return globalThis.visit;
};
