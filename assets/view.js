// The graph that is shown and the picked node: what opens, closes, notes, undoes. The view in the store "view"
// is the truth: these functions set it, the server draws what it says, and it comes back to V.remember.
(function () {
  "use strict";

  const V = window.visit;
  const history = new V.views.History();
  /** @type {View | null} */
  let sent = null; // the newest view that is on its way through Dash
  // All that are, each with what was picked before it; of an undo's or redo's own, there is nothing to undo.
  /** @type {WeakMap<View, { isStep: boolean, picked: string | null }>} */
  const underway = new WeakMap();

  // ------------------------------------------------------------------ view and picked node

  // Of two changes in a row the second is made to what the first made.
  const current = () => sent ?? V.state.view;

  function send(/** @type {View} */ view, isStep = false) {
    sent = view;
    underway.set(view, { isStep, picked: V.state.picked });
    V.setProps("view", { data: view });
  }

  V.changeView = (change) => {
    const view = current();
    const changed = view && change(view);
    if (changed && changed !== view) send(changed);
  };

  // Another view, with what is picked in it; what is shown till now can be gone back to.
  V.showView = (view, picked) => {
    send(view);
    V.pick(picked);
  };

  V.pick = (id) => V.set("picked", id);
  V.open = (ids) => V.changeView((view) => V.views.withOpened(view, ids));
  V.close = (id, inside) => V.changeView((view) => V.views.withClosed(view, id, inside));
  V.closeAll = () => V.changeView((view) => ({ ...view, opened: [] }));
  V.note = (id, change) => V.changeView((view) => V.views.withNote(view, id, change));
  V.noteOf = (id) => (V.state.view && V.state.view.notes[id]) || {};

  // A node shown with the blocks that hide it opened.
  V.goTo = (id, within) => {
    V.open((within || "").split(" ").filter(Boolean));
    V.show(id);
  };

  // ------------------------------------------------------------------ what is shown now

  // The server or this page made a new view; the server says what is picked in its own. Answers whether it is of
  // another graph.
  V.remember = (view, picked) => {
    const before = V.state.view;
    const own = view && underway.get(view);
    const isStep = own?.isStep;
    // What was sent has come, or what the server made of it, or another graph.
    if (!view || view === sent || !underway.has(view)) sent = null;
    if (view) underway.delete(view);
    if (!isStep && before && view) history.leave({ view: before, picked: (own ?? V.state).picked });
    V.state.view = view;
    if (view && !own && picked !== undefined && picked !== V.state.picked) V.hold("picked", picked);
    showButtons();
    V.writeAddress();
    const isOther = (before && before.key) !== (view && view.key);
    if (view) V.viewed(view, isOther && !isStep);
    return isOther;
  };

  // What is shown is asked for again, with notes that were kept: nothing to undo.
  V.showAgain = (change = {}) => {
    const view = current();
    if (view) send({ ...view, ...change }, true);
  };

  function showButtons() {
    if (V.$("undo")) V.field("undo").disabled = !history.past.length;
    if (V.$("redo")) V.field("redo").disabled = !history.future.length;
    if (V.$("close-all")) V.part("close-all").hidden = !V.state.view?.opened.length;
  }

  V.onFilled((id) => {
    if (id === "toolbar") showButtons();
  });

  // ------------------------------------------------------------------ undo and redo

  function travel(/** @type {"undo" | "redo"} */ way) {
    const { picked } = V.state;
    const now = current();
    const moment = now && history[way]({ view: now, picked });
    if (!moment) return;
    if (moment.view.key !== now.key) V.showRequest(moment.view);
    send(moment.view, true);
    V.pick(moment.picked);
  }

  V.undo = () => travel("undo");
  V.redo = () => travel("redo");
})();
