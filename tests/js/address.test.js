// What a link says of the page's state, by the page's own table.
"use strict";

const assert = require("node:assert/strict");
const { test } = require("node:test");
const { load } = require("./load.js");
const table = require("./state_table.json");

const { address } = load("address.js");
const defaults = () => Object.fromEntries(table.map((piece) => [piece.name, address.defaultOf(piece)]));
const VIEW = { texts: { prompt: "Paris is in & out" }, opened: [] };

test("a state of defaults adds nothing to what the request says", () => {
  assert.equal(address.write(table, defaults(), VIEW), "prompt=Paris+is+in+%26+out");
});

test("a link of an earlier version is read as it was meant", () => {
  const link =
    "?prompt=Rome+is&model=mini&open=L1.attn%401+L1.head0%401&pick=L1.head0%401&tab=ledger&pane=sankey+2" +
    "&colour=rank&width=share&level=40&hide=mlp+rest&at=812.5%2C-40%2C0.6";
  assert.deepEqual(address.read(table, link), {
    picked: "L1.head0@1",
    tab: "ledger",
    pane: { name: "sankey", layer: 2 },
    colouring: "rank",
    width: "share",
    hidden: new Set(["mlp", "rest"]),
    viewport: "812.5,-40,0.6",
  });
});

test("what is explored and what is chosen of it survive a link, whatever is typed", () => {
  const chosen = { "watch.tokens": " Tokyo\n &=+ Rome", "saliency.method": "gradient" };
  const state = { ...defaults(), pane: { name: "explore", of: "norms", width: 9 }, exploredBy: chosen };
  const read = address.read(table, `?${address.write(table, state, VIEW)}`);
  assert.deepEqual(read, { pane: { name: "explore", of: "norms" }, exploredBy: chosen });
  assert.deepEqual(address.read(table, "?pane=explore"), { pane: { name: "explore", of: undefined } });
});

test("what is written is read back, in the words and the order that links have always had", () => {
  const state = {
    ...defaults(),
    picked: "L1.attn@4",
    tab: "path",
    pane: { name: "sankey", layer: 0, width: 900, height: 500 },
    parts: "12",
    kept: "L1.head0@4 L2.mlp@4",
    hidden: new Set(["mlp"]),
    viewport: "1,2,0.5",
  };
  const said = address.write(table, state, { ...VIEW, opened: ["L1.attn@4"] });
  assert.deepEqual(
    [...new URLSearchParams(said)],
    [
      ["prompt", "Paris is in & out"],
      ["open", "L1.attn@4"],
      ["pick", "L1.attn@4"],
      ["tab", "path"],
      ["pane", "sankey 0"],
      ["parts", "12"],
      ["keep", "L1.head0@4 L2.mlp@4"],
      ["hide", "mlp"],
      ["at", "1,2,0.5"],
    ],
  );
  const { width, height, ...pane } = state.pane;
  const read = address.read(table, `?${said}`);
  assert.deepEqual({ ...defaults(), ...read }, { ...state, pane });
});

test("what a link says amiss is as if it said nothing", () => {
  const read = (search) => address.read(table, search);
  assert.deepEqual(read("?pane=sankey+x"), {});
  assert.deepEqual(read("?pane=lens+2&tab=&pick="), {});
});

test("two pages never share a set of words", () => {
  const piece = table.find(({ writing }) => writing === "words");
  assert.notEqual(address.defaultOf(piece), address.defaultOf(piece));
});
