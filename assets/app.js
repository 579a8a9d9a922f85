// What the page shows, piece by piece, and who is told when it changes. Loaded before all that uses it: Dash
// loads the scripts of this folder in the order of their names. They share one object, `visit`:
//
//   app       state, set, hold, tell, onChange: the state; writeAddress; onFilled: panels; $, setProps: the page and Dash
//   address   reads and writes what a link says of the state; pure
//   ask       what the header's fields ask for: askPrompt, askTarget, askPosition, trace
//   history   what a view becomes when a block is opened or a note written, undo and redo; pure
//   view      the graph that is shown, the picked node: open, close, pick, goTo, note, undo
//   graph     the drawing: tap, hover, highlight                search, finder   the search (pure), and its list
//   viewport  what part of it is seen: show, fit
//   ways      what in the drawing goes together                 parts            how much of the graph is drawn
//   look      theme, colours, panes, the lens dock              lens             what lies over the lens grid
//   figures   when Plotly is loaded
//   panels    fills the panels that the server sends            terms, help, tour, cover, drop   one part each
//   keeping   what the browser keeps of a prompt; pure          kept             keeps it, and puts it into a link
//   entries   Back and Forward                                  draft            what is typed and not traced yet
//   server    says when the server is gone
//   ranking   which parts are listed, in which order; pure      ranks        the panel of all parts
//   form      how the prompt is read                            settings         how it is explained
//   controls  clicks and keys                                   export       files to keep, figures for print
//   png       how fine a PNG is; pure
//   causes    what parts cause, and comparing           many             what holds over many prompts
//   continuing  what the model goes on with: its tokens, the scrubber, branches
//   cells     maps and the Sankey by the keyboard
//   bindings  what Dash's callbacks call                        offline/         stands for Dash and the server
//
// types/page.d.ts says what each takes and answers.
(function () {
  "use strict";

  const V = (globalThis.visit = globalThis.visit || {});

  V.$ = (id) => document.getElementById(id);
  // A part that this page must have, and one that can be typed into.
  V.part = (id) => {
    const found = V.$(id);
    if (!found) throw new Error(`this page has no part #${id}`);
    return found;
  };
  V.field = (id) => /** @type {HTMLInputElement} */ (V.part(id));
  V.inputs = (selector) => /** @type {NodeListOf<HTMLInputElement>} */ (document.querySelectorAll(selector));
  // What an event fell on: a text or the document is no element, and is as the page.
  V.element = (target) => /** @type {HTMLElement} */ (target instanceof Element ? target : document.body);
  V.setProps = (id, props) => window.dash_clientside.set_props(id, props);

  // What is asked for several times before the next frame is done once, in it.
  V.onceAFrame = (act) => {
    let waits = false;
    return () => {
      if (waits) return;
      waits = true;
      requestAnimationFrame(() => {
        waits = false;
        act();
      });
    };
  };

  // A panel that was filled (assets/panels.js) is told to those who look after something in it.
  /** @type {PanelListener[]} */
  const ofPanels = [];
  V.onFilled = (listener) => ofPanels.push(listener);
  V.filled = (id, panel) => ofPanels.forEach((listener) => listener(id, panel));

  // The view that is shown is told to those who keep it; isNew: it is of another graph than before, and was not
  // come back to by undo.
  /** @type {ViewListener[]} */
  const ofViews = [];
  V.onView = (listener) => ofViews.push(listener);
  V.viewed = (view, isNew) => ofViews.forEach((listener) => listener(view, isNew));

  // ------------------------------------------------------------------ the state

  // visit/web/state/table.py, which the page carries.
  /** @type {StatePiece[]} */
  V.table = JSON.parse(V.part("state-table").textContent || "[]");
  const pieces = /** @type {Map<string, StatePiece>} */ (new Map(V.table.map((piece) => [piece.name, piece])));
  const kept = (/** @type {string} */ name) => `visit.${name}`;

  // What the address says goes before what the browser kept of an earlier page.
  const initial = V.table.map((piece) => {
    const said = piece.store === "local" ? localStorage.getItem(kept(piece.name)) : null;
    return [piece.name, said === null ? V.address.defaultOf(piece) : JSON.parse(said)];
  });
  V.state = {
    view: null,
    ...Object.fromEntries(initial),
    ...V.address.read(V.table, window.location.search),
  };

  /** @type {Map<string, (() => void)[]>} */
  const ofPieces = new Map();
  V.onChange = (names, listener) => {
    for (const name of names) ofPieces.set(name, [...(ofPieces.get(name) || []), listener]);
  };

  function pieceOf(/** @type {string} */ name) {
    const piece = pieces.get(name);
    if (!piece) throw new Error(`no piece of the state is called ${name}`);
    return piece;
  }

  // What this page put into a store comes back from it, when something newer may be held already.
  const own = new WeakSet();
  V.tell = (name, value) => {
    if (value !== V.state[name] && !own.has(Object(value))) V.hold(name, value);
  };

  // Held at once; Dash takes some frames to hand it to the server.
  V.set = (name, value) => {
    const piece = pieceOf(name);
    if (piece.store === "local") localStorage.setItem(kept(name), JSON.stringify(value));
    V.hold(name, value);
    if (piece.store !== "page") return;
    own.add(Object(value));
    V.setProps(name, { data: value });
  };

  V.hold = (name, value) => {
    Object.assign(V.state, { [name]: value ?? V.address.defaultOf(pieceOf(name)) });
    for (const listener of ofPieces.get(name) || []) listener();
    V.writeAddress();
  };

  // ------------------------------------------------------------------ the address

  /** @type {number | undefined} */
  let writing;
  V.writeAddress = (atOnce = false) => {
    clearTimeout(writing);
    if (atOnce) write();
    else writing = setTimeout(write, 150);
  };

  // What a link or a reload needs to show the same again (visit/web/state/address.py reads the request).
  function write() {
    const { view } = V.state;
    if (!view || !V.$("trace")) return;
    V.state.viewport = V.viewport();
    // No link leads to a document.
    const search = view.fixed ? window.location.pathname : `?${V.address.write(V.table, V.state, view)}`;
    window.history.replaceState(window.history.state, "", search);
  }
})();
