// How fine a PNG is, written into it: programs that place it on paper give it its size by that. Pure.
(function () {
  "use strict";

  const V = (globalThis.visit = globalThis.visit || {});
  const METRES_PER_INCH = 0.0254;
  const AFTER_HEADER = 33; // the signature, then the first chunk, whose size is always the same

  // The check sum that ends a chunk (PNG, annex D).
  function checkSum(/** @type {Uint8Array} */ bytes) {
    let sum = 0xffffffff;
    for (const byte of bytes) {
      sum ^= byte;
      for (let bit = 0; bit < 8; bit++) sum = sum & 1 ? (sum >>> 1) ^ 0xedb88320 : sum >>> 1;
    }
    return ~sum >>> 0;
  }

  // The same PNG with a pHYs chunk: so many dots per metre, both ways.
  /** @type {PngTools["withDensity"]} */
  const withDensity = (png, dpi) => {
    const chunk = new Uint8Array(21);
    const fields = new DataView(chunk.buffer);
    const perMetre = Math.round(dpi / METRES_PER_INCH);
    fields.setUint32(0, 9);
    chunk.set([..."pHYs"].map((letter) => letter.charCodeAt(0)), 4);
    fields.setUint32(8, perMetre);
    fields.setUint32(12, perMetre);
    chunk[16] = 1;
    fields.setUint32(17, checkSum(chunk.subarray(4, 17)));
    const made = new Uint8Array(png.length + chunk.length);
    made.set(png.subarray(0, AFTER_HEADER));
    made.set(chunk, AFTER_HEADER);
    made.set(png.subarray(AFTER_HEADER), AFTER_HEADER + chunk.length);
    return made;
  };

  V.png = { withDensity };
})();
