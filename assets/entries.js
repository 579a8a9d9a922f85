// Back and Forward step through the traces: each has an entry in the browser's history, whose address follows what
// is shown of it (assets/app.js).
(function () {
  "use strict";

  const V = window.visit;
  // The views that this page has shown, by their entries; an earlier page's are asked for by their addresses.
  /** @type {Map<number, View>} */
  const views = new Map();
  let at = entryOf(window.history.state) ?? 0;
  /** @type {View | null} */
  let shown = null;
  /** @type {View | null} */
  let returning = null; // the view of an entry that was gone to, on its way through Dash

  /** @type {(state: any) => number | undefined} */
  function entryOf(state) {
    return typeof state?.entry === "number" ? state.entry : undefined;
  }

  const isSameTrace = (/** @type {View} */ one, /** @type {View} */ other) =>
    one.key === other.key || (!one.fixed && !other.fixed && said(one) === said(other));
  const said = (/** @type {View} */ view) => JSON.stringify(Object.entries(view.texts).sort());

  // Notes are of a prompt and a model: those that there are now, where that is the same.
  function withNotes(/** @type {View} */ view) {
    const now = V.state.view;
    const { subjectOf } = V.keeping;
    return now && !now.fixed && !view.fixed && subjectOf(now) === subjectOf(view) ? { ...view, notes: now.notes } : view;
  }

  V.onView((view) => {
    if (!V.$("trace")) return;
    if (view === returning) returning = null;
    else if (shown === null) window.history.replaceState({ entry: at }, "");
    else if (!isSameTrace(view, shown)) {
      at += 1;
      for (const later of views.keys()) if (later >= at) views.delete(later);
      window.history.pushState({ entry: at }, "");
      V.writeAddress(true);
    }
    shown = view;
    views.set(at, view);
  });

  window.addEventListener("popstate", ({ state }) => {
    const entry = entryOf(state);
    if (entry === undefined) return; // a link within the page
    const view = views.get(entry);
    if (!view) {
      window.location.reload();
      return;
    }
    at = entry;
    returning = withNotes(view);
    V.showRequest(view);
    V.showView(returning, V.address.read(V.table, window.location.search).picked ?? null);
  });
})();
