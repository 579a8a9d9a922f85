// Replaces Dash and the server in a page that has neither (visit/web/exports/offline.py): holds the
// stores and, when one changes, calls what visit/web/callbacks.py registers for it.
(function () {
  "use strict";

  const V = window.visit;
  const dash = window.dash_clientside;
  // What the page carries, what draws its graph, and with what.
  /** @type {{ data: OfflineData, root: { render: (element: unknown) => void }, graph: object }} */
  const own = /** @type {any} */ ({ graph: {} });

  dash.no_update = Symbol("no update");
  // What is set for the server alone says nothing here.
  dash.set_props = (id, props) => {
    if (id === "graph") render(props);
    else if (id === "view") show(props.data);
    else if (id === "export") EXPORTS[props.data.kept]();
  };
  V.onChange(["picked", "tab"], () => inspect());

  // ------------------------------------------------------------------ the graph

  // The page holds a picture of each strong block opened alone, and few others (visit/web/exports/prepared.py).
  // Shown is one that has open nothing but what is asked for: with what was opened last, then with
  // as much as can be of what else was, then of all that is asked for.
  function nearest(/** @type {string[]} */ asked) {
    const before = V.state.view ? V.state.view.opened : [];
    const added = asked.filter((id) => !before.includes(id));
    const last = added.at(-1) ?? "";
    const rank = (/** @type {Picture} */ { opened }) => [
      opened.includes(last) ? 1 : 0,
      opened.filter((id) => added.includes(id)).length,
      opened.length,
    ];
    /** @type {(a: number[], b: number[]) => boolean} */
    const isBelow = (a, b) => {
      const at = a.findIndex((part, i) => part !== b[i]);
      return at >= 0 && a[at] < b[at];
    };
    return own.data.pictures
      .filter(({ opened }) => opened.every((id) => asked.includes(id)))
      .reduce((best, other) => (isBelow(rank(best), rank(other)) ? other : best)).opened;
  }

  const ALONE = {
    tag: "span",
    attributes: { title: "This file holds pictures of the strongest blocks, each opened alone; visit show opens the file with all of them" },
    children: ["one block at a time"],
  };

  function show(/** @type {View} */ asked) {
    const opened = nearest(asked.opened);
    dash.visit.remember(opened.join() === asked.opened.join() ? asked : { ...asked, opened });
    draw();
    if (opened.length < asked.opened.length) V.part("note").append(V.build(ALONE));
    inspect();
  }

  function draw() {
    const { opened, notes } = /** @type {View} */ (V.state.view);
    const isShown = (/** @type {Picture} */ shown) => shown.opened.length === opened.length && shown.opened.every((id) => opened.includes(id));
    const picture = own.data.pictures.find(isShown);
    if (!picture) throw new Error("this page holds no such picture");
    const groups = V.offline.groupsOf(notes);
    const { parts, groups: nColours } = own.data;
    const noted = (/** @type {string} */ part) => V.offline.noted(JSON.parse(part), notes, groups, nColours);
    render({ elements: picture.parts.map((number) => noted(parts[number])) });
    dash.visit.fill(picture.panels);
  }

  function render(/** @type {object} */ changed) {
    Object.assign(own.graph, changed);
    const { React, dash_cytoscape: library } = window;
    own.root.render(React.createElement(library.Cytoscape, { ...own.graph, setProps: () => {} }));
  }

  // ------------------------------------------------------------------ the inspector

  // Pieces of panels by node, as JSON; a kind of piece is unpacked when it is first needed.
  /** @typedef {Map<string, string>} Pieces */
  /** @type {Map<string, Promise<Pieces>>} */
  const kinds = new Map();
  function piecesOf(/** @type {string} */ kind) {
    const pieces = kinds.get(kind) || unpacked(`panels-${kind}`).then(piecesFrom);
    kinds.set(kind, pieces);
    return pieces;
  }

  function piecesFrom(/** @type {string} */ text) {
    const lines = text.split("\n").map((line) => line.split("\t"));
    return new Map(lines.map(([id, piece]) => [id, piece]));
  }

  // Said of what the page does not have, though its document does.
  const LACKING = "visit show opens the file with all of it.";
  /** @type {(...said: string[]) => Tree} */
  const hint = (...said) => ({ tag: "p", attributes: { class: "hint" }, children: [said.join(" ")] });

  let asked = 0;
  async function inspect() {
    if (!V.state.view) return;
    const mine = ++asked;
    const tab = V.state.tab in own.data.tabs ? V.state.tab : "words";
    const [heads, bodies, rows] = await Promise.all(["head", tab, "noted"].map(piecesOf));
    if (mine !== asked) return;
    const { picked, view } = V.state;
    if (!view) return;
    const panel = V.part("inspector");
    /** @type {(pieces: Pieces, id: string) => Tree[]} */
    const read = (pieces, id) => JSON.parse(pieces.get(id) || "[]");
    if (!picked || !heads.has(picked)) {
      const lacking = picked ? [hint(`This file has no panel of ${picked}, only of what carries most.`, LACKING)] : [];
      dash.visit.fill({ inspector: [...lacking, ...read(heads, "")] });
      V.offline.listNotes(panel, view.notes, (id) => read(rows, id));
    } else {
      const { tabs, editor } = own.data;
      const noted = { ...editor, attributes: { ...editor.attributes, "data-noted": picked } };
      const lacking = hint(`This file has this tab of the ${bodies.size} nodes that carry most.`, LACKING);
      const body = bodies.has(picked) ? read(bodies, picked) : [lacking];
      dash.visit.fill({ inspector: [...read(heads, picked), tabs[tab], ...body, noted] });
      V.offline.showNote(panel, V.noteOf(picked));
    }
  }

  // ------------------------------------------------------------------ files


  const notesNow = () => (V.state.view ? V.state.view.notes : {});

  /** @type {Record<string, () => void>} */
  const EXPORTS = {
    json: () => unpacked("document").then((text) => save("json", V.offline.documentWith(text, notesNow()))),
    svg: () => V.saveFigure({ svg: own.data.svg, name: own.data.name, figure: null, dpi: null }),
    png: () => V.saveFigure({ svg: own.data.svg, name: own.data.name, figure: null, dpi: 300 }),
  };

  /** @type {(ending: string, text: string) => void} */
  const save = (ending, text) =>
    V.save(new Blob([text], { type: own.data.media_types[ending] }), `${own.data.name}.${ending}`);

  // ------------------------------------------------------------------ the beginning

  async function unpacked(/** @type {string} */ id) {
    const bytes = Uint8Array.from(atob(V.part(id).textContent || ""), (letter) => letter.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Response(stream).text();
  }

  // The page's policy knows each library by its hash, and lets no other script be added.
  async function load(/** @type {string} */ id) {
    const script = document.createElement("script");
    script.textContent = await unpacked(id);
    document.body.append(script);
  }

  async function begin() {
    own.data = JSON.parse(await unpacked("page-data"));
    const { view, graph, look, fixed_panels: fixed, graph_panels: panels, libraries } = own.data;
    for (let n = 0; n < libraries; n++) await load(`library-${n}`);
    const { place, ...settings } = graph;
    Object.assign(own, { graph: settings, root: window.ReactDOM.createRoot(V.part(place)) });
    const { hidden, ...looks } = look;
    Object.assign(V.state, { ...looks, hidden: new Set(hidden) });
    dash.visit.fill(fixed);
    const [stylesheet] = dash.visit.dress(own.data.stylesheets);
    render({ stylesheet });
    dash.visit.begin();
    dash.visit.showGraphPanels(panels);
    show(view);
  }

  begin().catch((error) => {
    const problem = V.part("problem");
    problem.textContent = `This page cannot be shown (${error.message}); visit show can open it, and its document is in it.`;
    problem.hidden = false;
  });
})();
