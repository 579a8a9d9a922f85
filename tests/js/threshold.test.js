// What the threshold's slider hides, and how its step is written.
"use strict";

const assert = require("node:assert/strict");
const { test } = require("node:test");
const { load } = require("./load.js");

const { countBelow, percent } = load("threshold.js").threshold;

test("what carries less than the level is hidden, and what carries just as much is not", () => {
  const weights = [0, 0.1, 0.1, 0.25, 0.25, 1];
  for (const level of [0, 0.05, 0.1, 0.2, 0.25, 0.9, 1, 2]) {
    const hidden = weights.filter((weight) => weight < level).length;
    assert.equal(countBelow(weights.length, (i) => weights[i], level), hidden, `at ${level}`);
  }
  assert.equal(countBelow(0, () => 1, 0.5), 0);
});

test("a part is written with as many digits as can be read", () => {
  assert.deepEqual([0, 0.0004, 0.0123, 0.099, 0.5, 1].map(percent), ["0 %", "< 0.1 %", "1.2 %", "9.9 %", "50 %", "100 %"]);
});
