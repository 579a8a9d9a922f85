// Plays the part of Dash and of the server in a page that has neither (visit/web/offline.py): holds
// the stores, and when one changes calls what visit/web/callbacks.py calls for it.
(function () {
  "use strict";

  const V = window.visit;
  const dash = window.dash_clientside;
  const $ = V.$;
  const own = { data: null, panels: new Map(), root: null, graph: {}, theme: null, look: null };

  dash.no_update = Symbol("no update");
  dash.set_props = (id, props) => {
    if (id in CHANGED && "data" in props) CHANGED[id](props.data);
  };

  const CHANGED = {
    view(asked) {
      const opened = nearest(asked.opened);
      const view = opened.join() === asked.opened.join() ? asked : { ...asked, opened };
      dash.visit.remember(view);
      draw();
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

  // ------------------------------------------------------------------ pictures

  // The page holds a picture of each block opened alone, and few others (visit/web/pictures.py).
  // Shown is one that has open nothing but what is asked for, with as much as can be of what was
  // opened last, and then of all that is asked for.
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
    const is = (picture) => picture.opened.length === opened.length && picture.opened.every((id) => opened.includes(id));
    const picture = own.data.pictures.find(is);
    const groups = [...new Set(Object.values(notes).map((note) => note.group).filter(Boolean))].sort();
    own.graph.elements = picture.parts.map((part) => noted(JSON.parse(own.data.parts[part]), notes, groups));
    render();
    dash.visit.fill(picture.panels);
  }

  // A node with what a reader noted beside it, as visit/web/elements.py does it.
  function noted(element, notes, groups) {
    const { data } = element;
    const note = notes[data.id];
    if (!note || !data.family) return element;
    if (note.name) data.label = note.name;
    if (note.pinned) data.pinned = 1;
    if (note.group) data.group = groups.indexOf(note.group) % own.data.groups;
    const said = [note.name, note.text, note.group && `group: ${note.group}`];
    data.tip = [data.tip, ...said.filter(Boolean)].join("\n");
    return element;
  }

  function dress() {
    [own.graph.stylesheet] = dash.visit.dress(own.theme, own.look, own.data.stylesheets);
    render();
  }

  function render() {
    const { React, dash_cytoscape: { Cytoscape } } = window;
    if (own.root) own.root.render(React.createElement(Cytoscape, { ...own.graph, setProps: () => {} }));
  }

  // ------------------------------------------------------------------ inspector

  function inspect() {
    const { picked, tab } = V.state;
    const tabs = own.panels.get(picked || "") || own.panels.get("");
    if (!tabs) return; // not unpacked yet
    dash.visit.fill({ inspector: JSON.parse(tabs.get(tab) || tabs.values().next().value) });
    showNote($("inspector"), V.noteOf(picked));
  }

  // The panels were made without notes.
  function showNote(panel, note) {
    for (const field of panel.querySelectorAll("input[data-note], textarea[data-note]")) {
      field.value = note[field.dataset.note] || "";
    }
    for (const button of panel.querySelectorAll("button[data-note='pinned']")) {
      button.setAttribute("aria-pressed", String(Boolean(note.pinned)));
      button.textContent = note.pinned ? "Pinned" : "Pin";
    }
    const editor = panel.querySelector(".note-editor");
    if (editor) editor.open = Object.keys(note).length > 0;
  }

  // ------------------------------------------------------------------ files

  const EXPORTS = {
    json: () => V.save(new Blob([noteDown()], { type: "application/json" }), `${own.data.name}.json`),
    svg: () => V.save(new Blob([own.data.svg], { type: "image/svg+xml" }), `${own.data.name}.svg`),
  };

  // The document as it was, letter for letter, but for the reader's notes: they are the first thing
  // in "graph", since keys are sorted, and "audit" comes after them. A quote inside a text is
  // escaped, so neither mark can be part of one.
  function noteDown() {
    const text = $("document").textContent.replace(/\\(u003c|[^])/g, (all, one) => (one === "u003c" ? "<" : all));
    const mark = '\n"graph":{';
    const from = text.indexOf(mark) + mark.length;
    const to = text.indexOf('"audit":{', from);
    const notes = sorted(V.state.view.notes);
    const said = Object.keys(notes).length ? `"annotations":${JSON.stringify({ nodes: notes })},` : "";
    return text.slice(0, from) + said + text.slice(to);
  }

  const sorted = (value) =>
    value && typeof value === "object"
      ? Object.fromEntries(Object.keys(value).sort().map((name) => [name, sorted(value[name])]))
      : value;

  // ------------------------------------------------------------------ beginning

  async function unpacked(id) {
    const bytes = Uint8Array.from(atob($(id).textContent), (letter) => letter.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Response(stream).text();
  }

  async function begin() {
    own.data = JSON.parse(await unpacked("page-data"));
    const { view, graph, look, furniture, surroundings } = own.data;
    const { place, ...settings } = graph;
    const { theme, level, hidden, ...looks } = look;
    dash.visit.fill(furniture);
    Object.assign(own, { theme, look: looks, graph: settings });
    own.root = window.ReactDOM.createRoot($(place));
    V.asked.level = Math.max(0, surroundings.levels.findIndex((step) => step >= level));
    V.asked.hidden = new Set(hidden);
    dress();
    dash.visit.address();
    dash.visit.around(surroundings);
    CHANGED.view(view);
    for (const line of (await unpacked("panels")).split("\n")) {
      const [node, tab, trees] = line.split("\t");
      if (!own.panels.has(node)) own.panels.set(node, new Map());
      own.panels.get(node).set(tab, trees);
    }
    inspect();
  }

  begin().catch((error) => {
    const problem = $("problem");
    problem.textContent = `This page cannot be shown (${error.message}); its document can still be opened with visit show.`;
    problem.hidden = false;
  });
})();
