"use strict";

const { test } = require("node:test");
const assert = require("node:assert");
const { load } = require("./load.js");

const { ranking } = load("ranking.js");

const COLUMNS = ranking.withEffects(
  {
    known: "ranked", n_layers: 2, n_heads: 2, traced: 3, prompt: ["a", "b", "c", "d"], next: [],
    id: ["h0", "h1", "m0", "n0"],
    sort: ["heads", "heads", "MLPs", "memories"],
    layer: [0, 1, 0, 1],
    source: [1, 3, null, null],
    flow: [0.5, -2, 1, null],
    logit: [0, 0, 0, 0],
    share: [0, 0, 0, 0],
    norm: [1, 2, 3, 4],
    effect: [7, null, null, null],
    estimate: [null, null, null, null],
    flag: ["repaired", null, null, null],
  },
  { effect: { h0: -3, m0: 1 }, estimate: {}, flag: { m0: "reversed" } },
);
const ALL = { sort: "", layer: "", source: "" };
const names = (rows) => rows.map((row) => COLUMNS.id[row]);

test("the largest comes first, whatever its sign, and what is not known last", () => {
  assert.deepStrictEqual(names(ranking.rank(COLUMNS, "flow", ALL)), ["h1", "m0", "h0", "n0"]);
  assert.deepStrictEqual(names(ranking.rank(COLUMNS, "effect", ALL)), ["h0", "m0", "h1", "n0"]);
  assert.deepStrictEqual(names(ranking.rank(COLUMNS, "norm", ALL)), ["n0", "m0", "h1", "h0"]);
});

test("a row is listed if it passes every filter", () => {
  assert.deepStrictEqual(names(ranking.rank(COLUMNS, "flow", { ...ALL, sort: "heads" })), ["h1", "h0"]);
  assert.deepStrictEqual(names(ranking.rank(COLUMNS, "flow", { ...ALL, layer: "0" })), ["m0", "h0"]);
  assert.deepStrictEqual(names(ranking.rank(COLUMNS, "flow", { ...ALL, source: "3" })), ["h1"]);
  assert.deepStrictEqual(names(ranking.rank(COLUMNS, "flow", { sort: "MLPs", layer: "1", source: "" })), []);
});

test("where a measure is not known, the first that is takes its place", () => {
  const before = { ...COLUMNS, effect: [null, null, null, null] };
  assert.strictEqual(ranking.measureOf(COLUMNS, "effect"), "effect");
  assert.strictEqual(ranking.measureOf(before, "effect"), "flow");
  assert.strictEqual(ranking.measureOf(COLUMNS, "estimate"), "effect");
  assert.strictEqual(ranking.measureOf(COLUMNS, "no such thing"), "effect");
});

test("effects go to their rows, and the largest of some rows is found", () => {
  assert.deepStrictEqual(COLUMNS.effect, [-3, null, 1, null]);
  assert.deepStrictEqual(COLUMNS.flag, [null, null, "reversed", null]);
  assert.strictEqual(ranking.largest(COLUMNS, "effect", [0, 1, 2, 3]), 3);
  assert.strictEqual(ranking.largest(COLUMNS, "flow", []), 0);
});
