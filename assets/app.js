// What the page shows, and how it got there: the view, the picked node, undo and redo, the address.
// The view in the store "view" is the state; these functions change it, the server draws what it says.
// Dash loads the scripts of this folder in the order of their names: this one first, and it defines
// what the others use as they load.
(function () {
  "use strict";

  const V = (window.visit = window.visit || {});
  const NAMES = ["model", "target", "versus", "position", "bos", "chat"];

  V.$ = (id) => document.getElementById(id);
  V.setProps = (id, props) => window.dash_clientside.set_props(id, props);
  // A panel that was filled (assets/panels.js) is told to those who look after something in it.
  const listeners = [];
  V.onFilled = (listener) => listeners.push(listener);
  V.filled = (id, panel) => listeners.forEach((listener) => listener(id, panel));

  V.state = {
    view: null, // as visit/web/state/view.py has it
    picked: null, // a node's id
    tab: "words",
    pane: { name: "flow" },
    look: { colouring: "kind", palette: "safe", width: "carried" },
    level: 0, // the threshold slider's step
    hidden: new Set(), // families that the legend hides
  };

  // ------------------------------------------------------------------ view and picked node

  V.setView = (change) => {
    if (V.state.view) V.setProps("view", { data: { ...V.state.view, ...change } });
  };

  V.pick = (id) => V.setProps("picked", { data: id });

  V.showTab = (tab) => V.setProps("tab", { data: tab });

  V.open = (ids) => {
    const opened = V.state.view.opened;
    const added = ids.filter((id) => !opened.includes(id));
    if (added.length) V.setView({ opened: [...opened, ...added] });
  };

  // Closing a node closes what is open inside it: a head goes with its attention.
  V.close = (id) => {
    const inside = /^(L\d+)\.attn(@\d+)$/.exec(id);
    const goes = (other) =>
      other === id ||
      (inside && other.endsWith(inside[2]) && /\.(head|neurons)/.test(other) && other.startsWith(`${inside[1]}.`));
    V.setView({ opened: V.state.view.opened.filter((other) => !goes(other)) });
  };

  // A node shown with the blocks that hide it opened.
  V.goTo = (id, within) => {
    V.open((within || "").split(" ").filter(Boolean));
    V.pick(id);
  };

  V.note = (id, change) => {
    const note = { ...(V.state.view.notes[id] || {}), ...change };
    for (const [name, said] of Object.entries(note)) if (!said) delete note[name];
    const notes = { ...V.state.view.notes };
    if (Object.keys(note).length) notes[id] = note;
    else delete notes[id];
    V.setView({ notes });
  };

  V.noteOf = (id) => (V.state.view && V.state.view.notes[id]) || {};

  // ------------------------------------------------------------------ undo and redo

  const past = [];
  const future = [];
  const MANY = 100;
  let travelling = null;

  const moment = () => ({ view: V.state.view, picked: V.state.picked });

  function travel(from, to) {
    if (!from.length) return;
    to.push(moment());
    const { view, picked } = from.pop();
    travelling = view;
    if (view.key !== V.state.view.key) V.showRequest(view);
    V.setProps("view", { data: view });
    V.pick(picked);
  }

  V.undo = () => travel(past, future);
  V.redo = () => travel(future, past);

  // The model that a graph is of, as the header's field named it: a request may leave it out.
  const models = new Map();
  V.modelOf = ({ key, request }) => {
    if (!models.has(key)) models.set(key, request.model || V.$("model").value.trim());
    return models.get(key);
  };

  // What the header says is that of the graph that is shown.
  V.showRequest = (view) => {
    const { request, typed } = view;
    const viewed = document.querySelector(".viewed");
    if (viewed) {
      viewed.textContent = request.prompt;
      viewed.previousSibling.textContent = request.chat ? "Viewing a chat" : "Viewing";
    }
    if (!V.$("trace")) return;
    const { prompt, position } = request;
    const model = V.modelOf(view);
    V.setProps("prompt", { value: prompt });
    V.setProps("model", { value: model });
    V.setProps("target", { value: typed });
    V.setForm(request);
    V.setProps("position", { data: Number.isInteger(position) ? { prompt, model, position } : null });
  };

  // The server or this page made a new view. Answers whether it is of another graph.
  V.remember = (view) => {
    const before = V.state.view;
    if (view === travelling) travelling = null;
    else if (before && view) {
      past.push(moment());
      if (past.length > MANY) past.shift();
      future.length = 0;
    }
    V.state.view = view;
    if (view && V.$("model")) V.modelOf(view);
    showButtons();
    V.writeAddress();
    return !before !== !view || Boolean(view && before.key !== view.key);
  };

  function showButtons() {
    for (const [id, way] of [["undo", past], ["redo", future]]) if (V.$(id)) V.$(id).disabled = !way.length;
    if (V.$("close-all")) V.$("close-all").hidden = !V.state.view || !V.state.view.opened.length;
  }

  V.onFilled((id) => {
    if (id === "toolbar") showButtons();
  });

  // ------------------------------------------------------------------ address

  let writing = null;
  V.writeAddress = () => {
    clearTimeout(writing);
    writing = setTimeout(write, 150);
  };

  // What a link or a reload needs to show the same again (visit/web/state/address.py reads the request).
  function write() {
    const { view, picked, tab, pane, look, level, hidden } = V.state;
    if (!view || !V.$("trace")) return;
    if (view.fixed) {
      window.history.replaceState(null, "", window.location.pathname); // no link leads to a document
      return;
    }
    const said = new URLSearchParams({ prompt: view.request.prompt });
    for (const name of NAMES) {
      const value = view.request[name];
      if (value !== null && value !== undefined) said.set(name, value);
    }
    if (view.opened.length) said.set("open", view.opened.join(" "));
    if (picked) said.set("pick", picked);
    if (tab !== "words") said.set("tab", tab);
    if (pane.name !== "flow") said.set("pane", `${pane.name} ${pane.layer}`);
    if (look.colouring !== "kind") said.set("colour", look.colouring);
    if (look.width !== "carried") said.set("width", look.width);
    if (level) said.set("level", level);
    if (hidden.size) said.set("hide", [...hidden].join(" "));
    const at = V.viewport && V.viewport();
    if (at) said.set("at", at);
    window.history.replaceState(null, "", `?${said}`);
  }

  // What the address says of the view, beside the request; read once, before anything is written.
  V.fromAddress = () => {
    const said = new URLSearchParams(window.location.search);
    const [name, layer] = (said.get("pane") || "flow").split(" ");
    return {
      picked: said.get("pick"),
      tab: said.get("tab") || "words",
      pane: name === "sankey" && /^\d+$/.test(layer) ? { name, layer: Number(layer) } : { name: "flow" },
      colouring: said.get("colour"),
      width: said.get("width"),
      level: Math.max(0, Math.min(100, Number(said.get("level")) || 0)),
      hidden: new Set((said.get("hide") || "").split(" ").filter(Boolean)),
      at: said.get("at"),
    };
  };
  V.asked = V.fromAddress();
})();
