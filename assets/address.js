// The page's state and the address, by the state's table (visit/web/state/table.py): what every piece is at
// first, and what a link says of it. Pure. The request's part of the address is the server's, which sends it
// with the view (visit/graph/request.py).
(function () {
  "use strict";

  const V = (globalThis.visit = globalThis.visit || {});

  // How each way of writing is read, and said: read gives null, and write "", for what says nothing.
  /** @type {Record<StatePiece["writing"], StateWriting>} */
  const WRITINGS = {
    text: { read: (text) => text || null, write: (value) => value ?? "" },
    words: {
      read: (text) => new Set(text.split(" ").filter(Boolean)),
      write: (value) => [...value].join(" "),
    },
    pane: {
      read(text) {
        const [name, layer] = text.split(" ");
        if (name === "causes") return { name };
        if (name === "explore") return { name, of: layer };
        return name === "sankey" && /^\d+$/.test(layer) ? { name, layer: Number(layer) } : null;
      },
      write({ name, layer, of }) {
        const more = /** @type {Record<string, unknown>} */ ({ sankey: layer, explore: of })[name];
        return name === "flow" ? "" : [name, ...(more === undefined ? [] : [more])].join(" ");
      },
    },
    fields: {
      read: (text) => Object.fromEntries(new URLSearchParams(text)),
      write: (value) => String(new URLSearchParams(value)),
    },
  };

  /** @type {AddressTools["defaultOf"]} */
  const defaultOf = (piece) => (piece.writing === "words" ? new Set(piece.default) : piece.default);

  /** @type {AddressTools["read"]} */
  function read(table, search) {
    const said = new URLSearchParams(search);
    const found = [];
    for (const { name, key, writing } of table) {
      const text = key && said.get(key);
      const value = text ? WRITINGS[writing].read(text) : null;
      if (value !== null) found.push([name, value]);
    }
    return Object.fromEntries(found);
  }

  /** @type {AddressTools["write"]} */
  function write(table, state, view) {
    const said = new URLSearchParams(view.texts);
    if (view.opened.length) said.set("open", view.opened.join(" "));
    for (const piece of table) {
      if (!piece.key) continue;
      const { write: textOf } = WRITINGS[piece.writing];
      const text = textOf(state[piece.name]);
      if (text && text !== textOf(defaultOf(piece))) said.set(piece.key, text);
    }
    return String(said);
  }

  V.address = { read, write, defaultOf };
})();
