// Where the arrow keys lead.
"use strict";

const assert = require("node:assert/strict");
const { test } = require("node:test");
const { load } = require("./load.js");

const { neighbour } = load("ways.js").ways;

// Three nodes that feed one: the marked way comes from the second, the strongest edge from the third.
function drawing(hidden = []) {
  const nodes = {};
  const edges = ["first", "second", "third"].map((id, carried) => ({
    visible: () => !hidden.includes(id),
    data: () => carried,
    source: () => nodes[id],
    target: () => nodes.end,
  }));
  const collection = (list) => ({
    length: list.length,
    filter: (keep) => collection(list.filter(keep)),
    max: (of) => ({ ele: list.reduce((best, one) => (of(one) > of(best) ? one : best)) }),
  });
  const cy = { getElementById: (id) => nodes[id] ?? collection([]) };
  for (const id of ["first", "second", "third", "end"]) {
    nodes[id] = {
      length: 1,
      id,
      cy: () => cy,
      visible: () => !hidden.includes(id),
      data: (name) => ({ end: { back: "second" }, second: { on: "end" } })[id]?.[name] ?? "",
      incomers: () => collection(id === "end" ? edges : []),
      outgoers: () => collection(edges.filter((edge) => edge.source().id === id)),
    };
  }
  return nodes;
}

test("an arrow follows the marked way, and not the strongest of the edges that happen to be drawn", () => {
  const nodes = drawing();
  assert.equal(neighbour(nodes.end, "left").id, "second");
  assert.equal(neighbour(nodes.second, "right").id, "end");
});

test("where the marked way is hidden or there is none, an arrow follows the strongest edge", () => {
  assert.equal(neighbour(drawing(["second"]).end, "left").id, "third");
  assert.equal(neighbour(drawing().first, "right").id, "end");
  assert.equal(neighbour(drawing().first, "left"), null);
});
