// What a search asks for, and the nodes that answer it; tests/browser/test_search.py has the grammar
// as a researcher uses it.
"use strict";

const assert = require("node:assert/strict");
const { test } = require("node:test");
const { load } = require("./load.js");

const { search } = load("search.js");

const TABLE = search.prepare({
  id: ["L0.attn@1", "L0.head3@1", "L1.mlp@1"],
  kind: [0, 1, 2],
  kinds: [
    ["attn", "attention", "Attention", null, "attn"],
    ["head", "attention", "Head ", "head", "head"],
    ["mlp", "mlp", "MLP", null, "mlp"],
  ],
  names: {
    ...{ attn: ["attn"], attention: ["attn"], head: ["head"], heads: ["head"], "attention head": ["head"] },
    ...{ mlp: ["mlp"], "feed-forward": ["mlp"] },
  },
  glossary: [
    ["direct logit", ["direct logit attribution", "DLA"], "What a part adds by itself."],
    ["lens", ["logit lens"], "From the residual to the vocabulary."],
  ],
  layer: [0, 0, 1],
  position: [1, 1, 1],
  head: [null, 3, null],
  index: [null, null, null],
  rank: [40, 2, 1],
  logit: [0.5, -2, 1],
  carried: [0.9, 0.2, 0.8],
  norm: [1, 2, 3],
  words: [" Tokyo", " Paris", "·"],
  top: [[1, 0], [0], [2, 0]],
  tokens: ["The", " capital"],
});

const found = (query) => {
  const { terms, unread } = search.parse(query, TABLE);
  assert.deepEqual(unread, []);
  return search.find(TABLE, terms, {}).map((row) => TABLE.id[row]);
};

test("every term must hold", () => {
  assert.deepEqual(found("head tokyo"), ["L0.head3@1"]);
  assert.deepEqual(found("mlp paris"), []);
});

test("a kind goes by the words that researchers use", () => {
  assert.deepEqual(found("attention"), ["L0.attn@1"]);
  assert.deepEqual(found("heads"), ["L0.head3@1"]);
  assert.deepEqual(found("attention head"), ["L0.head3@1"]);
  assert.deepEqual(found("feed-forward"), ["L1.mlp@1"]);
});

test("a kind's number is a comparison, of the measure that its kinds are numbered by", () => {
  assert.deepEqual(found("head 3"), ["L0.head3@1"]);
  assert.deepEqual(found("attention head 3"), ["L0.head3@1"]);
  assert.deepEqual(found("head3"), ["L0.head3@1"]);
  assert.deepEqual(found("head=4"), []);
});

test("a word of the glossary is found by its name and by the field's, and by nothing less", () => {
  const meanings = (query) => search.meaningsOf(query, TABLE).map(([name]) => name);
  assert.deepEqual(meanings("DLA"), ["direct logit"]);
  assert.deepEqual(meanings("Direct logits "), ["direct logit"]);
  assert.deepEqual(meanings("logit lens"), ["lens"]);
  assert.deepEqual(meanings("logit"), []);
  assert.deepEqual(meanings(""), []);
});

test("numbers are compared, as they are shown and as they are typed", () => {
  assert.deepEqual(found("rank<=2 L=0"), ["L0.head3@1"]);
  assert.deepEqual(found("logit < −1"), ["L0.head3@1"]);
  assert.deepEqual(found("carried > 50%"), ["L1.mlp@1", "L0.attn@1"]);
});

test("the first word of a reading comes before its others", () => {
  assert.deepEqual(found("tokyo"), ["L0.head3@1", "L1.mlp@1", "L0.attn@1"]);
});

test("what cannot be read is said in words", () => {
  assert.deepEqual(search.parse("rank<x", TABLE).unread, ["“rank<x” is not read: “x” is no number"]);
  assert.deepEqual(search.parse("#", TABLE).unread, ["“#” lacks the name of a group"]);
});

test("a query is proposed that finds something", () => {
  assert.equal(search.exampleOf(TABLE), 'head L>=0 "Tokyo"');
  assert.deepEqual(found(search.exampleOf(TABLE)), ["L0.head3@1"]);
  assert.equal(search.exampleOf({ ...TABLE, words: ["·", "1", "a"] }), "");
});
