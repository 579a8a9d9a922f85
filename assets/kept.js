// Notes, and the pieces of the state that are marked as kept (visit/web/state/table.py), are kept by themselves in
// the browser for each prompt and model, come back with them, and go with a link.
(function () {
  "use strict";

  const V = window.visit;
  const { keeping } = V;
  const PIECES = V.table.filter(({ kept }) => kept);
  const LINK = "#kept=";
  const own = {
    subject: "",
    isLost: false, // what is there now, when the page closes
    linked: linkedIn(window.location.hash),
  };

  // What a link brought, for the first graph that is shown.
  function linkedIn(/** @type {string} */ hash) {
    if (!hash.startsWith(LINK)) return null;
    try {
      return keeping.keptFrom(decodeURIComponent(hash.slice(LINK.length)));
    } catch {
      return null; // a link that was cut short still shows the rest
    }
  }

  // Pieces that are as at first are not kept.
  function now() {
    const changed = PIECES.filter(({ name, default: first }) => said(V.state[name]) !== said(first));
    return {
      notes: V.state.view?.notes || {},
      pieces: Object.fromEntries(changed.map(({ name }) => [name, plain(V.state[name])])),
    };
  }

  // A set is a list where it is kept, as its default in the table is.
  const plain = (/** @type {any} */ value) => (value instanceof Set ? [...value] : value);
  const said = (/** @type {unknown} */ value) => JSON.stringify(plain(value));

  // A piece as it was kept; as at first where that is not of its kind.
  /** @type {(piece: StatePiece, value: any) => any} */
  function valueOf(piece, value) {
    if (piece.writing !== "words") return value ?? piece.default;
    return new Set(Array.isArray(value) ? value.filter((word) => typeof word === "string") : piece.default);
  }

  function save() {
    if (!own.subject) return;
    const kept = now();
    const isKept = keeping.save(window.localStorage, own.subject, kept, Date.now());
    const isSomething = Object.keys(kept.notes).length + Object.keys(kept.pieces).length > 0;
    // A page that was refused the browser's storage holds them in memory (assets/offline/storage.js).
    own.isLost = isSomething && !(isKept && window.localStorage instanceof Storage);
  }

  // What an address says of a piece goes before what was kept.
  const saidAtFirst = V.address.read(V.table, window.location.search);

  function restore(/** @type {View} */ view) {
    const { notes, pieces } = own.linked || { notes: {}, pieces: {} };
    own.linked = null;
    const kept = restorePieces(view, pieces);
    const all = { ...kept.notes, ...view.notes, ...notes };
    if (said(all) !== said(view.notes)) V.showAgain({ notes: all });
  }

  // The pieces of the view's prompt and model, those of a link first. Answers what was kept.
  /** @type {(view: View, linked: Record<string, unknown>) => Kept} */
  function restorePieces(view, linked) {
    const isFirst = !own.subject;
    const kept = keeping.load(window.localStorage, keeping.subjectOf(view));
    own.subject = ""; // nothing is saved while it is half restored
    for (const piece of PIECES) {
      const { name } = piece;
      if (isFirst && name in saidAtFirst) continue;
      const value = valueOf(piece, linked[name] ?? kept.pieces[name]);
      if (said(value) === said(V.state[name])) continue;
      V.set(name, value);
    }
    own.subject = keeping.subjectOf(view);
    return kept;
  }

  // What the button copies is in its name.
  function nameLink() {
    const words = Object.keys(V.state.view?.notes || {}).length ? "Copy link with notes" : "Copy link";
    const button = V.$("copy-link");
    if (button && button.textContent !== words) button.textContent = words;
  }

  V.onView((view, isNew) => {
    if (isNew) restore(view);
    else {
      if (own.subject !== keeping.subjectOf(view)) restorePieces(view, {}); // undo led to another prompt
      save();
    }
    nameLink();
    const button = V.$("copy-link");
    if (button) button.hidden = view.fixed; // no link leads to a document
  });
  V.onChange(PIECES.map(({ name }) => name), save);

  window.addEventListener("beforeunload", (event) => {
    if (own.isLost) event.preventDefault();
  });

  // ------------------------------------------------------------------ the link

  function link() {
    const { origin, pathname, search } = window.location;
    const kept = now();
    const isSomething = Object.keys(kept.notes).length + Object.keys(kept.pieces).length > 0;
    return origin + pathname + search + (isSomething ? LINK + encodeURIComponent(JSON.stringify(kept)) : "");
  }

  // A page that is not served safely has no clipboard, but what is chosen in it can be copied.
  async function copy(/** @type {string} */ text) {
    if (window.isSecureContext) return navigator.clipboard.writeText(text);
    const field = document.createElement("textarea");
    field.value = text;
    document.body.append(field);
    field.select();
    document.execCommand("copy");
    field.remove();
  }

  document.addEventListener("click", async ({ target }) => {
    const button = V.element(target).closest("#copy-link");
    if (!button) return;
    try {
      await copy(link());
      button.textContent = "Copied";
    } catch {
      button.textContent = "The browser refuses; copy the address";
    }
    setTimeout(nameLink, 1600);
  });
})();
