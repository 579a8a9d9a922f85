// Clicks and keys, wherever they fall: what a button stands for is in its data- attributes.
(function () {
  "use strict";

  const V = window.visit;
  const $ = V.$;

  // A menu is a <details>; it closes when something else is clicked, and on Escape.
  V.closeMenus = (except) => {
    const isOpen = (/** @type {Element} */ menu) => menu !== except;
    const open = [...document.querySelectorAll("details.menu[open]")].filter(isOpen);
    for (const menu of open) menu.removeAttribute("open");
    return open.length > 0;
  };

  document.addEventListener("pointerdown", (event) => V.closeMenus(V.element(event.target).closest("details.menu")));

  // ------------------------------------------------------------------ clicks

  const paneOf = (/** @type {string} */ name) => {
    if (name === "explore") return { name, of: V.exploring() };
    return name === "sankey" ? { name, layer: layerForSankey() } : { name };
  };

  // By the data- attribute of what was clicked.
  /** @type {Record<string, (data: Record<string, string>, button: HTMLElement) => void>} */
  const CLICKS = {
    node: ({ node, open }) => V.goTo(node, open),
    tab: ({ tab }) => V.set("tab", tab),
    overview: ({ overview }) => V.set("overview", overview),
    rank: ({ rank }) => V.set("rankedBy", rank),
    measure: () => V.measureParts(),
    back: () => V.pick(null),
    note: (_, button) => {
      const id = V.nodeOfNote(button);
      V.note(id, { pinned: !V.noteOf(id).pinned });
    },
    family: ({ family }) => V.toggleFamily(family),
    dock: () => V.set("dockOpen", !V.dockIsOpen()),
    pane: ({ pane }) => V.setPane(paneOf(pane)),
    target: ({ target }, button) => V.askTarget(V.chosenFrom(button, target)),
    prompt: ({ prompt, typed }) => V.askPrompt(prompt, typed),
    position: ({ position }) => V.askPosition(Number(position)),
    export: (data) => {
      V.closeMenus();
      V.exportAs(data.export);
    },
  };

  /** @type {Record<string, () => void>} */
  const BUTTONS = {
    fit: () => V.fit(),
    undo: () => V.undo(),
    redo: () => V.redo(),
    "close-all": () => V.closeAll(),
    "theme-button": () => V.set("theme", V.shade() === "dark" ? "light" : "dark"),
  };

  document.addEventListener("click", (event) => {
    for (const [name, act] of Object.entries(CLICKS)) {
      const kinds = ["button", "a", "g", "tr"].map((tag) => `${tag}[data-${name}]`);
      const found = V.element(event.target).closest(kinds.join());
      if (!found) continue;
      act(/** @type {Record<string, string>} */ (found.dataset), found);
      return;
    }
    const button = V.element(event.target).closest("button");
    if (button && BUTTONS[button.id]) BUTTONS[button.id]();
  });

  // The node whose note a field or button is of.
  V.nodeOfNote = (part) => part.closest("[data-noted]")?.getAttribute("data-noted") || "";

  // The layer of the picked node, else the last one.
  function layerForSankey() {
    const inLayer = /^L(\d+)\./.exec(V.state.picked || "");
    const layers = document.querySelectorAll("#sankey-layer option").length;
    return inLayer ? Number(inLayer[1]) : Math.max(0, layers - 1);
  }

  // ------------------------------------------------------------------ what is typed and chosen

  document.addEventListener("input", (event) => {
    if (event.target === $("count")) V.moveCount(Number(V.field("count").value));
  });

  document.addEventListener("change", (event) => {
    const field = /** @type {HTMLInputElement} */ (event.target);
    const { name, value, id, dataset } = field;
    const look = /^look-(colouring|palette|width)$/.exec(name);
    if (look) V.set(/** @type {"colouring" | "palette" | "width"} */ (look[1]), value);
    else if (name === "dock-measure") V.set("dockMeasure", value);
    else if (id === "dock-whole") V.set("dockWhole", field.checked);
    else if (id === "count") V.setCount(Number(value));
    else if (id === "count-by") V.chooseBy(value);
    else if (id === "sankey-layer") V.setPane({ name: "sankey", layer: Number(value) });
    else if (dataset.note) V.note(V.nodeOfNote(field), { [dataset.note]: value.trim() });
  });

  // ------------------------------------------------------------------ keys

  /** @type {Record<string, string>} */
  const WAYS = { ArrowLeft: "left", ArrowRight: "right", ArrowUp: "up", ArrowDown: "down" };

  V.isTyping = (target) =>
    Boolean(target.closest("textarea, select, input:not([type=range]):not([type=radio])"));

  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented) return;
    const { key } = event;
    const target = V.element(event.target);
    const withControl = event.ctrlKey || event.metaKey;
    if (key === "Enter" && withControl && $("trace")) {
      event.preventDefault();
      V.trace();
      return;
    }
    if (key === "Escape" && V.closeMenus()) return;
    if (V.isTyping(target)) {
      if (key === "Escape") target.blur();
      return;
    }
    if (withControl && key.toLowerCase() === "z") {
      event.preventDefault();
      if (event.shiftKey) V.redo();
      else V.undo();
      return;
    }
    if (withControl && key.toLowerCase() === "y") {
      event.preventDefault();
      V.redo();
      return;
    }
    const cy = V.cy();
    if (withControl || event.altKey || !cy || target.closest("input, [role=dialog]")) return;
    const node = V.state.picked ? cy.getElementById(V.state.picked) : cy.collection();
    if (key === "Escape") V.pick(null);
    else if (key === "f") V.fit();
    else if (key === "p" && node.length) V.note(node.id(), { pinned: !V.noteOf(node.id()).pinned });
    else if (key === "/" && $("search")) {
      event.preventDefault();
      V.part("search").focus();
    } else if (key === "Enter" && node.length && !target.closest("button, a, summary")) V.tap(node);
    else if (WAYS[key] && !target.closest("[role=tab], .splitter")) {
      event.preventDefault();
      const next = node.length ? V.ways.neighbour(node, WAYS[key]) : cy.nodes("[kind = 'output']").first();
      if (next && next.length) V.pick(next.id());
    }
  });
})();
