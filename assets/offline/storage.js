// Where a page may keep nothing, as in a notebook's frame or by the reader's choice, what it would
// keep is held until it is closed. Runs before every other script, since some look there at once.
(function () {
  "use strict";

  try {
    if (window.localStorage) return;
  } catch {
    // a browser refuses by throwing
  }
  /** @type {Map<string, string>} */
  const held = new Map();
  /** @type {Pick<Storage, "getItem" | "setItem" | "removeItem">} */
  const value = {
    getItem: (name) => held.get(name) ?? null,
    setItem: (name, said) => void held.set(name, String(said)),
    removeItem: (name) => void held.delete(name),
  };
  Object.defineProperty(window, "localStorage", { value });
})();
