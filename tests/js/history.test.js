// What a view becomes when a block is opened or closed or a note is written, and the way back.
"use strict";

const assert = require("node:assert/strict");
const { test } = require("node:test");
const { load } = require("./load.js");

const { withOpened, withClosed, withNote, History } = load("history.js").views;

const viewOf = (opened, notes = {}) => ({ key: "k", opened, notes });

test("a block is opened once", () => {
  const view = viewOf(["L1.attn@7"]);
  assert.equal(withOpened(view, ["L1.attn@7"]), view);
  assert.deepEqual(withOpened(view, ["L1.attn@7", "L2.mlp@7"]).opened, ["L1.attn@7", "L2.mlp@7"]);
});

test("a block closes with what is open inside it, and nothing else does", () => {
  const others = ["L1.attn@6", "L1.head0@6", "L11.attn@7", "L11.head0@7", "L1.mlp@7"];
  const view = viewOf(["L1.attn@7", "L1.head0@7", "L1.neurons_rest@7", ...others]);
  assert.deepEqual(withClosed(view, "L1.attn@7", ["L1.head0@7", "L1.neurons_rest@7"]).opened, others);
  assert.deepEqual(withClosed(viewOf(["L1.attn@7", "L1.head0@7"]), "L1.head0@7", []).opened, ["L1.attn@7"]);
});

test("a note is written, added to, and gone when nothing of it is left", () => {
  const named = withNote(viewOf([]), "L1.head0@7", { name: "mover" });
  const pinned = withNote(named, "L1.head0@7", { pinned: true });
  assert.deepEqual(pinned.notes, { "L1.head0@7": { name: "mover", pinned: true } });
  assert.equal(withNote(pinned, "L1.head0@7", { name: "mover" }), pinned);
  assert.equal(withNote(pinned, "L1.head0@7", { text: "" }), pinned);
  const unnamed = withNote(pinned, "L1.head0@7", { name: "" });
  assert.deepEqual(unnamed.notes, { "L1.head0@7": { pinned: true } });
  assert.deepEqual(withNote(unnamed, "L1.head0@7", { pinned: false }).notes, {});
  assert.deepEqual(named.notes, { "L1.head0@7": { name: "mover" } }); // views are never changed
});

test("undo and redo walk through what was shown, and something new ends the way forward", () => {
  const history = new History();
  const [a, b, c] = ["a", "b", "c"].map((key) => ({ view: { key }, picked: null }));
  history.leave(a);
  history.leave(b);
  assert.equal(history.undo(c), b);
  assert.equal(history.undo(b), a);
  assert.equal(history.undo(a), undefined);
  assert.equal(history.redo(a), b);
  history.leave(b);
  assert.equal(history.redo(c), undefined);
  assert.equal(history.undo(c), b);
});

test("no more than so many moments are kept", () => {
  const history = new History(2);
  for (const key of ["a", "b", "c"]) history.leave({ view: { key }, picked: null });
  assert.deepEqual(history.past.map(({ view }) => view.key), ["b", "c"]);
});
