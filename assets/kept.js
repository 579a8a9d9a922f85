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
      pieces: Object.fromEntries(changed.map(({ name }) => [name, V.state[name]])),
    };
  }

  const said = (/** @type {unknown} */ value) => JSON.stringify(value);

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
    const isFirst = !own.subject;
    const kept = keeping.load(window.localStorage, keeping.subjectOf(view));
    const { notes, pieces } = own.linked || { notes: {}, pieces: {} };
    own.linked = null;
    own.subject = ""; // nothing is saved while it is half restored
    for (const { name, default: first } of PIECES) {
      if (isFirst && name in saidAtFirst) continue;
      const value = pieces[name] ?? kept.pieces[name] ?? first;
      if (said(value) === said(V.state[name])) continue;
      V.hold(name, value);
      V.set(name, value);
    }
    own.subject = keeping.subjectOf(view);
    const all = { ...kept.notes, ...view.notes, ...notes };
    if (said(all) !== said(view.notes)) V.showAgain({ notes: all });
  }

  V.onView((view, isNew) => {
    if (isNew) restore(view);
    else {
      own.subject = keeping.subjectOf(view);
      save();
    }
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
    const words = button.textContent;
    try {
      await copy(link());
      button.textContent = "Copied";
    } catch {
      button.textContent = "The browser refuses; copy the address";
    }
    setTimeout(() => (button.textContent = words), 1600);
  });
})();
