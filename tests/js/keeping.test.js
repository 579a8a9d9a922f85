// What the browser keeps of a prompt and a model.
"use strict";

const assert = require("node:assert/strict");
const { test } = require("node:test");
const { load: loadScripts } = require("./load.js");

const { subjectOf, notesFrom, keptFrom, load, save } = loadScripts("keeping.js").keeping;

// As the browser's, with room for so many letters.
class FakeStorage {
  constructor(room = Infinity) {
    this.room = room;
    this.items = new Map();
  }
  get length() {
    return this.items.size;
  }
  key(i) {
    return [...this.items.keys()][i] ?? null;
  }
  getItem(name) {
    return this.items.get(name) ?? null;
  }
  setItem(name, text) {
    const others = [...this.items].filter(([other]) => other !== name).map(([, said]) => said.length);
    if (others.reduce((sum, n) => sum + n, text.length) > this.room) throw new Error("no room");
    this.items.set(name, text);
  }
  removeItem(name) {
    this.items.delete(name);
  }
}

const viewOf = (prompt, weights, texts = {}) => ({ request: { prompt, model: "mini" }, texts, weights });
const noted = (text) => ({ notes: { "L1.head0@7": { text } }, pieces: {} });

test("a subject is a prompt, how it is read, and the weights that read it", () => {
  const one = subjectOf(viewOf("a", "w1", { target: "x" }));
  assert.equal(subjectOf(viewOf("a", "w1", { target: "y", heads: "3" })), one);
  for (const other of [viewOf("b", "w1"), viewOf("a", "w2"), viewOf("a", "w1", { bos: "true" })]) {
    assert.notEqual(subjectOf(other), one);
  }
  assert.equal(subjectOf(viewOf("a", null)), subjectOf(viewOf("a", "mini")));
});

test("what is kept comes back, and nothing is kept of nothing", () => {
  const storage = new FakeStorage();
  const kept = { notes: { "L1.head0@7": { name: "mover", pinned: true } }, pieces: { tray: ["L1.head0@7 zero"] } };
  assert.equal(save(storage, "a", kept, 1), true);
  assert.deepEqual(load(storage, "a"), kept);
  assert.deepEqual(load(storage, "b"), { notes: {}, pieces: {} });
  save(storage, "a", { notes: {}, pieces: {} }, 2);
  assert.equal(storage.length, 0);
});

test("what was kept longest ago makes room, and what has none at all is said to be lost", () => {
  const storage = new FakeStorage(200);
  storage.setItem("visit.theme", '"dark"');
  for (const [at, subject] of [[3, "c"], [1, "a"], [2, "b"]]) save(storage, subject, noted("x".repeat(20)), at);
  assert.deepEqual(load(storage, "a").notes, {});
  assert.deepEqual(load(storage, "c"), noted("x".repeat(20)));
  assert.equal(save(storage, "d", noted("x".repeat(300)), 4), false);
  assert.equal(storage.getItem("visit.theme"), '"dark"');
});

test("notes from elsewhere are taken as far as they are notes", () => {
  const data = {
    "L1.head0@7": { name: "mover", pinned: true, colour: "red", text: 5 },
    "L2.head0@7": { pinned: "yes" },
    "L3.head0@7": "note",
  };
  assert.deepEqual(notesFrom(data), { "L1.head0@7": { name: "mover", pinned: true } });
  for (const broken of [null, "", "[1]", '{"notes":[1]}', '{"notes":', '{"pieces":3}']) {
    assert.deepEqual(keptFrom(broken), { notes: {}, pieces: {} });
  }
});
