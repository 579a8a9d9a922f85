// Where a page may keep nothing, as in a notebook's frame or by the reader's choice, what it would
// keep is held until it is closed. Runs before every other script, since some look there at once.
(function () {
  "use strict";

  try {
    if (window.localStorage) return;
  } catch {
    // a browser refuses by throwing
  }
  const held = new Map();
  const value = {
    getItem: (name) => (held.has(name) ? held.get(name) : null),
    setItem: (name, said) => held.set(name, String(said)),
    removeItem: (name) => held.delete(name),
  };
  Object.defineProperty(window, "localStorage", { value });
})();
