// What a view becomes when a block is opened or closed or a note is written, and the way back: pure.
// A view is as visit/web/state/view.py has it.
(function () {
  "use strict";

  const V = (globalThis.visit = globalThis.visit || {});

  /** @type {ViewTools["withOpened"]} */
  function withOpened(view, ids) {
    const added = ids.filter((id) => !view.opened.includes(id));
    return added.length ? { ...view, opened: [...view.opened, ...added] } : view;
  }

  // Closing a node closes what is open inside it, which its element names (visit/web/flow/elements.py):
  // a head goes with its attention.
  /** @type {ViewTools["withClosed"]} */
  function withClosed(view, id, inside) {
    return { ...view, opened: view.opened.filter((other) => other !== id && !inside.includes(other)) };
  }

  // A note of which nothing is left is none; one that says the same again changes nothing.
  /** @type {ViewTools["withNote"]} */
  function withNote(view, id, change) {
    const { [id]: before = {}, ...notes } = view.notes;
    const said = Object.entries({ ...before, ...change }).filter(([, part]) => part);
    const was = new Map(Object.entries(before));
    if (said.length === was.size && said.every(([name, part]) => was.get(name) === part)) return view;
    return { ...view, notes: said.length ? { ...notes, [id]: Object.fromEntries(said) } : notes };
  }

  // What was shown before and after what is shown now; going to one of them leaves the others there.
  class History {
    constructor(most = 100) {
      this.most = most;
      /** @type {Moment[]} */
      this.past = [];
      /** @type {Moment[]} */
      this.future = [];
    }

    // Something new is shown in a moment's place.
    leave(/** @type {Moment} */ moment) {
      this.past.push(moment);
      if (this.past.length > this.most) this.past.shift();
      this.future = [];
    }

    undo(/** @type {Moment} */ moment) {
      return move(this.past, this.future, moment);
    }

    redo(/** @type {Moment} */ moment) {
      return move(this.future, this.past, moment);
    }
  }

  // The moment to go to, if there is any; the one that is left can be come back to.
  function move(/** @type {Moment[]} */ from, /** @type {Moment[]} */ to, /** @type {Moment} */ moment) {
    const found = from.pop();
    if (found) to.push(moment);
    return found;
  }

  V.views = { withOpened, withClosed, withNote, History };
})();
