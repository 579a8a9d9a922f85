// If the browser denies storage (in a notebook's frame, or by the user's choice), keep values in
// memory until the page closes. Runs before every other script, because some read it at once.
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
