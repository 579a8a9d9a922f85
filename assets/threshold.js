// What the threshold's slider hides, and how its step is written: pure. Which part each step stands for, the
// server says (visit/graph/flows.py); visit/graph/selection.py hides by the same rule in exports.
(function () {
  "use strict";

  const V = (globalThis.visit = globalThis.visit || {});

  // How many of so many weights, in ascending order, are below a level: those are hidden.
  /** @type {ThresholdTools["countBelow"]} */
  function countBelow(many, weightAt, level) {
    let low = 0;
    let high = many;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (weightAt(middle) < level) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  // A part of the traced residual, with as many digits as can be read.
  /** @type {ThresholdTools["percent"]} */
  function percent(part) {
    const value = 100 * part;
    if (value === 0) return "0 %";
    return value < 0.1 ? "< 0.1 %" : `${value < 10 ? value.toFixed(1) : value.toFixed(0)} %`;
  }

  V.threshold = { countBelow, percent };
})();
