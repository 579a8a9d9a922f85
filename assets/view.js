// The graph that is shown and the picked node: what opens, closes, notes, undoes. The view in the store "view"
// is the truth: these functions set it, the server draws what it says, and it comes back to V.remember.
(function () {
  "use strict";

  const V = window.visit;
  const history = new V.views.History();
  /** @type {View | null} */
  let travelling = null; // the view of an undo or redo on its way through Dash

  // ------------------------------------------------------------------ view and picked node

  const setView = (/** @type {View} */ view) => V.setProps("view", { data: view });

  /** @type {View | null} */
  let latest = null; // what this page made of the view, on its way through Dash

  // Of two changes in a row the second is made to what the first made.
  V.changeView = (change) => {
    const view = latest ?? V.state.view;
    const changed = view && change(view);
    if (changed && changed !== view) setView((latest = changed));
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

  // The server or this page made a new view. Answers whether it is of another graph.
  V.remember = (view) => {
    const before = V.state.view;
    if (view === latest || view?.key !== latest?.key) latest = null;
    const isTravel = view !== null && view === travelling;
    if (isTravel) travelling = null;
    else if (before && view) history.leave({ view: before, picked: V.state.picked });
    V.state.view = view;
    showButtons();
    V.writeAddress();
    const isOther = (before && before.key) !== (view && view.key);
    if (view) V.viewed(view, isOther && !isTravel);
    return isOther;
  };

  // What is shown is asked for again, with notes that were kept: nothing to undo.
  V.showAgain = (change = {}) => {
    if (!V.state.view) return;
    travelling = { ...V.state.view, ...change };
    setView(travelling);
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
    const { view: now, picked } = V.state;
    const moment = now && history[way]({ view: now, picked });
    if (!moment) return;
    travelling = moment.view;
    latest = null;
    if (moment.view.key !== now.key) V.showRequest(moment.view);
    setView(moment.view);
    V.pick(moment.picked);
  }

  V.undo = () => travel("undo");
  V.redo = () => travel("redo");
})();
