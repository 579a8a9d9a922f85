// How fine a PNG is, written into it.
"use strict";

const assert = require("node:assert/strict");
const { test } = require("node:test");
const zlib = require("node:zlib");
const { load } = require("./load.js");

const { withDensity } = load("png.js").png;

// A header, some data and an end: the shortest there are.
const chunk = (name, data) => {
  const body = Buffer.concat([Buffer.from(name), data]);
  const ends = Buffer.alloc(8);
  ends.writeUInt32BE(data.length);
  ends.writeUInt32BE(zlib.crc32 ? zlib.crc32(body) : 0, 4);
  return Buffer.concat([ends.subarray(0, 4), body, ends.subarray(4)]);
};
const SIGNATURE = Buffer.from([137, 80, 78, 71, 13, 10, 26, 10]);
const PNG = Buffer.concat([SIGNATURE, chunk("IHDR", Buffer.alloc(13)), chunk("IDAT", Buffer.from([1, 2])), chunk("IEND", Buffer.alloc(0))]);

test("the density stands right after the header, and all else is as it was", () => {
  const made = Buffer.from(withDensity(new Uint8Array(PNG), 300));
  assert.deepEqual(made.subarray(0, 33), PNG.subarray(0, 33));
  assert.deepEqual(made.subarray(54), PNG.subarray(33));
  const density = made.subarray(33, 54);
  assert.equal(density.readUInt32BE(0), 9);
  assert.equal(density.subarray(4, 8).toString(), "pHYs");
  assert.deepEqual([density.readUInt32BE(8), density.readUInt32BE(12), density[16]], [11811, 11811, 1]);
  // 300 dots per inch, as other programs write it: the check sum is theirs.
  assert.equal(density.readUInt32BE(17), 0x78a53f76);
});
