// Plays the part of Dash and of the server in a page that has neither (visit/web/exports/offline.py): holds
// the stores, and when one changes calls what visit/web/callbacks.py calls for it.
(function () {
  "use strict";

  const V = window.visit;
  const dash = window.dash_clientside;
  const $ = V.$;
  const own = { data: null, root: null, graph: {}, theme: null, look: null };

  dash.no_update = Symbol("no update");
  dash.set_props = (id, props) => {
    if (id in CHANGED && "data" in props) CHANGED[id](props.data);
  };

  const ALONE = {
    tag: "span",
    attributes: { title: "This file holds a picture of each block opened alone, and none of these together" },
    children: ["one block at a time"],
  };

  const CHANGED = {
    view(asked) {
      const opened = nearest(asked.opened);
      dash.visit.remember(opened.join() === asked.opened.join() ? asked : { ...asked, opened });
      draw();
      if (opened.length < asked.opened.length) $("note").append(V.build(ALONE));
      inspect();
    },
    picked(picked) {
      dash.visit.mark(picked);
      inspect();
    },
    tab(tab) {
      dash.visit.tab(tab);
      inspect();
    },
    pane: (pane) => dash.visit.pane(pane),
    theme(theme) {
      own.theme = theme;
      dress();
    },
    look(look) {
      own.look = look;
      dress();
    },
    export: ({ kept }) => EXPORTS[kept](),
  };

  // ------------------------------------------------------------------ the graph

  // The page holds a picture of each block opened alone, and few others (visit/web/exports/prepared.py).
  // Shown is one that has open nothing but what is asked for: with what was opened last, then with
  // as much as can be of what else was, then of all that is asked for.
  function nearest(asked) {
    const before = V.state.view ? V.state.view.opened : [];
    const added = asked.filter((id) => !before.includes(id));
    const last = added.at(-1);
    const rank = ({ opened }) => [
      opened.includes(last) ? 1 : 0,
      opened.filter((id) => added.includes(id)).length,
      opened.length,
    ];
    const isBelow = (a, b) => {
      const at = a.findIndex((part, i) => part !== b[i]);
      return at >= 0 && a[at] < b[at];
    };
    return own.data.pictures
      .filter(({ opened }) => opened.every((id) => asked.includes(id)))
      .reduce((best, other) => (isBelow(rank(best), rank(other)) ? other : best)).opened;
  }

  function draw() {
    const { opened, notes } = V.state.view;
    const isShown = (shown) => shown.opened.length === opened.length && shown.opened.every((id) => opened.includes(id));
    const picture = own.data.pictures.find(isShown);
    const groups = [...new Set(Object.values(notes).map((note) => note.group).filter(Boolean))].sort();
    const { parts, groups: nColours } = own.data;
    own.graph.elements = picture.parts.map((part) => V.offline.noted(JSON.parse(parts[part]), notes, groups, nColours));
    render();
    dash.visit.fill(picture.panels);
  }

  function dress() {
    [own.graph.stylesheet] = dash.visit.dress(own.theme, own.look, own.data.stylesheets);
    render();
  }

  function render() {
    const { React, dash_cytoscape: library } = window;
    own.root.render(React.createElement(library.Cytoscape, { ...own.graph, setProps: () => {} }));
  }

  // ------------------------------------------------------------------ the inspector

  // Pieces of panels by node, as JSON; a kind of piece is unpacked when it is first needed.
  const kinds = new Map();
  function piecesOf(kind) {
    if (!kinds.has(kind)) {
      kinds.set(
        kind,
        unpacked(`panels-${kind}`).then((text) => new Map(text.split("\n").map((line) => line.split("\t")))),
      );
    }
    return kinds.get(kind);
  }

  let asked = 0;
  async function inspect() {
    const mine = ++asked;
    const tab = V.state.tab in own.data.tabs ? V.state.tab : "words";
    const [heads, bodies, rows] = await Promise.all(["head", tab, "noted"].map(piecesOf));
    if (mine !== asked) return;
    const { picked, view } = V.state;
    const panel = $("inspector");
    const read = (pieces, id) => (pieces.has(id) ? JSON.parse(pieces.get(id)) : []);
    if (!picked || !heads.has(picked)) {
      dash.visit.fill({ inspector: read(heads, "") });
      V.offline.listNotes(panel, view.notes, (id) => read(rows, id));
    } else {
      const { tabs, editor } = own.data;
      const noted = { ...editor, attributes: { ...editor.attributes, "data-noted": picked } };
      dash.visit.fill({ inspector: [...read(heads, picked), tabs[tab], ...read(bodies, picked), noted] });
      V.offline.showNote(panel, V.noteOf(picked));
    }
  }

  // ------------------------------------------------------------------ files

  const embedded = () =>
    $("document").textContent.replace(/\\(u003c|[^])/g, (all, one) => (one === "u003c" ? "<" : all));

  const EXPORTS = {
    json: () => save("json", V.offline.documentWith(embedded(), V.state.view.notes)),
    svg: () => save("svg", own.data.svg),
  };

  const save = (ending, text) =>
    V.save(new Blob([text], { type: own.data.media_types[ending] }), `${own.data.name}.${ending}`);

  // ------------------------------------------------------------------ the beginning

  async function unpacked(id) {
    const bytes = Uint8Array.from(atob($(id).textContent), (letter) => letter.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Response(stream).text();
  }

  // The page's policy knows each library by its hash, and lets no other script be added.
  async function load(id) {
    const script = document.createElement("script");
    script.textContent = await unpacked(id);
    document.body.append(script);
  }

  async function begin() {
    own.data = JSON.parse(await unpacked("page-data"));
    const { view, graph, look, furniture, surroundings, libraries } = own.data;
    for (let n = 0; n < libraries; n++) await load(`library-${n}`);
    const { place, ...settings } = graph;
    const { theme, level, hidden, ...looks } = look;
    Object.assign(own, { theme, look: looks, graph: settings, root: window.ReactDOM.createRoot($(place)) });
    V.asked.level = Math.max(0, surroundings.levels.findIndex((step) => step >= level));
    V.asked.hidden = new Set(hidden);
    dash.visit.fill(furniture);
    dress();
    dash.visit.address();
    dash.visit.around(surroundings);
    CHANGED.view(view);
  }

  begin().catch((error) => {
    const problem = $("problem");
    problem.textContent = `This page cannot be shown (${error.message}); visit show can open it, and its document is in it.`;
    problem.hidden = false;
  });
})();
