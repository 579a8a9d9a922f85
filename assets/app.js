// What the browser does without asking the server: taps, hover, threshold, theme, keys.
// The state is the view in the store "view"; this file changes it, the server draws what it says.
(function () {
  "use strict";

  const $ = (id) => document.getElementById(id);
  const setProps = (id, props) => window.dash_clientside.set_props(id, props);
  const state = { cy: null, view: null, key: null, picked: null, level: 0, edges: [], shown: 0, fitted: null, moved: false };

  // dash-cytoscape always passes on its default wheel sensitivity of 1, and Cytoscape warns of any.
  const warn = console.warn;
  console.warn = (...said) => {
    if (!String(said[0]).startsWith("You have set a custom wheel sensitivity")) warn(...said);
  };

  // ------------------------------------------------------------------ view and picked node

  function setView(change) {
    if (state.view) setProps("view", { data: { ...state.view, ...change } });
  }

  function pick(id) {
    setProps("picked", { data: id });
  }

  function open(ids) {
    const opened = state.view.opened;
    const added = ids.filter((id) => !opened.includes(id));
    if (added.length) setView({ opened: [...opened, ...added] });
  }

  // Closing a node closes what is open inside it: a head goes with its attention.
  function close(id) {
    const inside = /^(L\d+)\.attn(@\d+)$/.exec(id);
    const goes = (other) =>
      other === id ||
      (inside && other.endsWith(inside[2]) && /\.(head|neurons)/.test(other) && other.startsWith(`${inside[1]}.`));
    setView({ opened: state.view.opened.filter((other) => !goes(other)) });
  }

  // A tap picks a node and opens it; a tap on the picked one closes it again.
  function tap(node) {
    const id = node.id();
    if (node.data("open") && state.picked === id) close(id);
    else if (node.data("opens") && !node.data("open")) open([id]);
    pick(id);
  }

  // ------------------------------------------------------------------ the graph's instance

  function attach() {
    const box = $("graph");
    const cy = box && box._cyreg && box._cyreg.cy;
    if (!cy || cy === state.cy) return;
    state.cy = cy;
    console.warn = warn;
    cy.off("viewport"); // else every pan frame walks all elements
    cy.renderer().textureOnViewport = true;
    cy.on("tap", "node[family]", (event) => tap(event.target));
    cy.on("tap", (event) => {
      if (event.target === cy) pick(null);
    });
    cy.on("mouseover", "node[family]", (event) => hover(event.target));
    cy.on("mouseout", "node[family]", () => hover(null));
    cy.on("dragpan scrollzoom pinchzoom", () => {
      state.moved = true;
    });
    cy.on("pan zoom resize", scheduleMargin);
    cy.on("add remove data position", scheduleSettle);
    for (const name of ["mouseenter", "mousedown", "wheel", "touchstart"]) {
      box.addEventListener(name, () => cy.renderer().invalidateContainerClientCoordsCache(), {
        capture: true,
        passive: true,
      });
    }
    box.addEventListener("mouseleave", () => hover(null));
    new ResizeObserver(() => cy.resize()).observe(box);
    scheduleSettle();
  }

  let settling = false;
  function scheduleSettle() {
    if (settling) return;
    settling = true;
    requestAnimationFrame(() => {
      settling = false;
      settle();
    });
  }

  // After the elements changed: sort the edges, hide the weak ones, mark, and find a good view.
  function settle() {
    const cy = state.cy;
    state.edges = cy
      .edges("[carried]")
      .filter((edge) => !edge.data("stream"))
      .sort((a, b) => a.data("carried") - b.data("carried"))
      .toArray();
    state.shown = 0;
    cy.batch(() => {
      cy.edges(".below").removeClass("below");
      applyLevel();
      mark();
    });
    scheduleMargin();
    if (!state.view || !cy.nodes("[family]").length) return;
    if (state.fitted !== state.view.key) state.moved = false;
    state.fitted = state.view.key;
    if (!state.moved) {
      const node = state.picked ? cy.getElementById(state.picked) : null;
      if (node && node.length && node.data("open")) focus(node);
      else fit(false);
    }
    keepInSight();
  }

  // ------------------------------------------------------------------ threshold

  // The slider runs over orders of magnitude: 0, then 0.1 % to 50 %.
  function levelFromSlider(value) {
    return value <= 0 ? 0 : Math.pow(10, -3 + (value / 100) * 2.7);
  }

  function setLevel(value) {
    state.level = levelFromSlider(Number(value));
    const text = $("threshold-text");
    const percent = 100 * state.level;
    text.textContent = percent === 0 ? "0 %" : `${percent < 10 ? percent.toFixed(1) : percent.toFixed(0)} %`;
    if (state.cy) state.cy.batch(applyLevel);
  }

  // Only the edges between the old level and the new one change; they are sorted for that.
  function applyLevel() {
    const edges = state.edges;
    let low = 0;
    let high = edges.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (edges[middle].data("carried") < state.level) low = middle + 1;
      else high = middle;
    }
    for (let i = state.shown; i < low; i++) edges[i].addClass("below");
    for (let i = low; i < state.shown; i++) edges[i].removeClass("below");
    state.shown = low;
  }

  // ------------------------------------------------------------------ highlight, hover

  // The picked node with its strongest way up to the tokens and down to the output; the rest fades.
  function mark() {
    const cy = state.cy;
    if (!cy) return;
    cy.elements(".faded, .picked").removeClass("faded picked");
    const node = state.picked ? cy.getElementById(state.picked) : null;
    if (!node || !node.length) return;
    const kept = node.union(node.connectedEdges()).union(node.neighborhood("node")).union(insides(node));
    const way = strongest(node, "incomers", "source").union(strongest(node, "outgoers", "target"));
    cy.elements("[family], edge").difference(kept.union(way)).addClass("faded");
    node.addClass("picked");
  }

  // Everything inside the picked node's block that flows into it: a head's values, keys and query.
  function insides(start) {
    let found = state.cy.collection();
    const waiting = [start];
    while (waiting.length) {
      const edges = waiting.pop().incomers("edge").difference(found);
      found = found.union(edges).union(edges.sources());
      edges.sources().forEach((source) => {
        if (!["residual", "token"].includes(source.data("family"))) waiting.push(source);
      });
    }
    return found;
  }

  function strongest(start, step, end) {
    let way = state.cy.collection();
    let node = start;
    const seen = new Set();
    while (node.length && !seen.has(node.id())) {
      seen.add(node.id());
      const edges = node[step]("edge");
      if (!edges.length) break;
      const edge = edges.max((e) => e.data("carried")).ele;
      node = edge[end]();
      way = way.union(edge).union(node);
    }
    return way;
  }

  function hover(node) {
    const tip = $("tooltip");
    state.cy.nodes(".hovered").removeClass("hovered");
    document.querySelector(".canvas").classList.toggle("on-node", Boolean(node));
    if (!node) {
      tip.hidden = true;
      return;
    }
    node.addClass("hovered");
    const place = node.renderedBoundingBox({ includeLabels: false });
    tip.textContent = node.data("tip") || node.id();
    tip.hidden = false;
    const width = $("graph").clientWidth;
    const x = Math.min(Math.max((place.x1 + place.x2) / 2, tip.offsetWidth / 2 + 6), width - tip.offsetWidth / 2 - 6);
    const above = place.y1 - tip.offsetHeight - 8;
    tip.style.left = `${x}px`;
    tip.style.top = `${above > 4 ? above : place.y2 + 8}px`;
  }

  // ------------------------------------------------------------------ viewport

  const READABLE = 0.5;

  // Everything, as long as it can be read; else the end, where the prediction is made.
  function fit(everything) {
    const cy = state.cy;
    if (!cy) return;
    if (everything) state.moved = false;
    cy.resize();
    const margin = 24;
    const all = cy.elements().boundingBox();
    const zoom = Math.min((cy.width() - 2 * margin) / all.w, (cy.height() - 2 * margin) / all.h, 1.25);
    if (everything || zoom >= READABLE) {
      cy.viewport({
        zoom,
        pan: {
          x: (cy.width() - zoom * (all.x1 + all.x2)) / 2,
          y: (cy.height() - zoom * (all.y1 + all.y2)) / 2,
        },
      });
      return;
    }
    const fits = READABLE * all.h + 2 * margin <= cy.height();
    cy.viewport({
      zoom: READABLE,
      pan: {
        x: cy.width() - margin - READABLE * all.x2,
        y: fits
          ? (cy.height() - READABLE * (all.y1 + all.y2)) / 2
          : cy.height() - margin - READABLE * all.y2,
      },
    });
  }

  // What was opened, large enough to read.
  function focus(node) {
    const cy = state.cy;
    const inside = insides(node).nodes().filter((part) => !["residual", "token"].includes(part.data("family")));
    const box = node.union(inside).union(node.outgoers("node")).boundingBox({ includeLabels: false });
    const margin = 70;
    const zoom = Math.min((cy.width() - 2 * margin) / box.w, (cy.height() - 2 * margin) / box.h);
    const clamped = Math.max(READABLE, Math.min(zoom, 0.85));
    cy.stop();
    cy.animate({
      zoom: clamped,
      pan: {
        x: cy.width() / 2 - (clamped * (box.x1 + box.x2)) / 2,
        y: cy.height() / 2 - (clamped * (box.y1 + box.y2)) / 2,
      },
      duration: 220,
      easing: "ease-out",
    });
  }

  // After opening, move only as far as the picked node needs to be seen with its parts.
  function keepInSight() {
    const cy = state.cy;
    const node = state.picked ? cy.getElementById(state.picked) : null;
    if (!node || !node.length || cy.animated()) return;
    const near = node.union(node.incomers("node"));
    const box = near.renderedBoundingBox({ includeLabels: false });
    const margin = 20;
    const shift = (low, high, size) => {
      if (high - low > size - 2 * margin) return high > size - margin ? size - margin - high : 0;
      if (low < margin) return margin - low;
      return high > size - margin ? size - margin - high : 0;
    };
    const by = { x: shift(box.x1, box.x2, cy.width()), y: shift(box.y1, box.y2, cy.height()) };
    if (by.x || by.y) cy.animate({ panBy: by, duration: 160, queue: false });
  }

  // Titles of rows and columns that went out of sight stay in the margin.
  let margining = false;
  function scheduleMargin() {
    if (margining) return;
    margining = true;
    requestAnimationFrame(() => {
      margining = false;
      const labels = [];
      state.cy.nodes("[frame = 'row'], [frame = 'column']").forEach((title) => {
        const at = title.renderedPosition();
        const isRow = title.data("frame") === "row";
        const gone = isRow ? at.x - 30 * state.cy.zoom() < 0 : at.y < 8;
        const there = isRow ? at.y > 24 && at.y < state.cy.height() - 12 : at.x > 60 && at.x < state.cy.width() - 40;
        if (!gone || !there) return;
        const label = document.createElement("span");
        label.textContent = title.data("label");
        label.className = title.data("traced") ? `${title.data("frame")} is-traced` : title.data("frame");
        label.style[isRow ? "top" : "left"] = `${isRow ? at.y : at.x}px`;
        labels.push(label);
      });
      $("margin").replaceChildren(...labels);
    });
  }

  // ------------------------------------------------------------------ address

  // What a link or a reload needs to show the same again (visit/web/address.py reads it).
  function writeAddress({ request, opened }) {
    const said = new URLSearchParams({ prompt: request.prompt });
    for (const name of ["model", "target", "position"]) {
      if (request[name] !== null && request[name] !== undefined) said.set(name, request[name]);
    }
    if (opened.length) said.set("open", opened.join(" "));
    window.history.replaceState(null, "", `?${said}`);
  }

  // ------------------------------------------------------------------ panels

  // A tree of visit/web/tree.py as elements and texts; nothing in it is ever read as markup.
  function build(tree) {
    if (typeof tree === "string") return document.createTextNode(tree);
    const element = document.createElement(tree.tag);
    for (const [name, value] of Object.entries(tree.attributes)) element.setAttribute(name, value);
    element.append(...tree.children.map(build));
    return element;
  }

  // ------------------------------------------------------------------ export

  // The server makes every file but the PNG. The time makes each request a new one.
  function exportAs(kept) {
    if (!state.view || !state.cy) return;
    if (kept === "png") savePng();
    else {
      const theme = document.documentElement.dataset.theme;
      setProps("export", { data: { kept, theme, level: state.level, asked: Date.now() } });
    }
  }

  async function savePng() {
    const background = getComputedStyle(document.querySelector(".graph-pane")).backgroundColor;
    const picture = await state.cy.png({
      output: "blob-promise",
      full: true,
      scale: 2,
      maxWidth: 16000,
      maxHeight: 16000,
      bg: background,
    });
    const link = document.createElement("a");
    link.href = URL.createObjectURL(picture);
    link.download = "visit.png";
    link.click();
    URL.revokeObjectURL(link.href);
  }

  // ------------------------------------------------------------------ theme

  function isDark(theme) {
    if (theme) return theme === "dark";
    return window.matchMedia("(prefers-color-scheme: dark)").matches;
  }

  // ------------------------------------------------------------------ events of the page

  // A menu is a <details>; it closes when something else is clicked, and on Escape.
  function closeMenus(except) {
    const open = [...document.querySelectorAll("details.menu[open]")].filter((menu) => menu !== except);
    for (const menu of open) menu.open = false;
    return open.length > 0;
  }

  document.addEventListener("pointerdown", (event) => closeMenus(event.target.closest("details.menu")));

  document.addEventListener("click", (event) => {
    const go = event.target.closest("[data-node]");
    if (go) {
      open((go.dataset.open || "").split(" ").filter(Boolean));
      pick(go.dataset.node);
      return;
    }
    const prediction = event.target.closest("[data-target]");
    if (prediction && $("target")) {
      setProps("target", { value: prediction.dataset.target });
      setTimeout(() => $("trace").click(), 0);
      return;
    }
    const example = event.target.closest("[data-prompt]");
    if (example) {
      closeMenus();
      setProps("prompt", { value: example.dataset.prompt });
      setProps("target", { value: "" });
      setProps("position", { data: null });
      setTimeout(() => $("trace").click(), 0);
      return;
    }
    const kept = event.target.closest("[data-export]");
    if (kept) {
      closeMenus();
      exportAs(kept.dataset.export);
      return;
    }
    const chip = event.target.closest("[data-position]");
    if (chip && $("trace")) {
      const prompt = state.view.request.prompt;
      setProps("prompt", { value: prompt });
      setProps("position", { data: { prompt, position: Number(chip.dataset.position) } });
      setTimeout(() => $("trace").click(), 0);
      return;
    }
    const button = event.target.closest("button");
    if (!button) return;
    if (button.id === "fit") fit(true);
    if (button.id === "close-all") setView({ opened: [] });
    if (button.id === "theme-button") {
      const dark = document.documentElement.dataset.theme === "dark";
      setProps("theme", { data: dark ? "light" : "dark" });
    }
  });

  document.addEventListener("input", (event) => {
    if (event.target.id === "threshold") setLevel(event.target.value);
  });

  document.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && $("trace")) {
      event.preventDefault();
      $("trace").click();
      return;
    }
    if (event.key === "Escape" && closeMenus()) return;
    if (event.target.closest("input, textarea, select") || event.ctrlKey || event.metaKey || !state.cy) return;
    const way = { ArrowLeft: "left", ArrowRight: "right", ArrowUp: "up", ArrowDown: "down" }[event.key];
    const node = state.picked ? state.cy.getElementById(state.picked) : state.cy.collection();
    if (event.key === "Escape") pick(null);
    else if (event.key === "f") fit(true);
    else if (event.key === "Enter" && node.length && !event.target.closest("button")) tap(node);
    else if (way) {
      event.preventDefault();
      const next = node.length ? neighbour(node, way) : state.cy.nodes("[kind = 'output']").first();
      if (next && next.length) pick(next.id());
    }
  });

  // Left and right follow the strongest edge; up and down go to the nearest node of the column.
  function neighbour(node, way) {
    if (way === "left" || way === "right") {
      const edges = (way === "left" ? node.incomers("edge") : node.outgoers("edge")).filter((e) => e.visible());
      const edge = edges.length ? edges.max((e) => e.data("carried")).ele : null;
      return edge && (way === "left" ? edge.source() : edge.target());
    }
    const { x, y } = node.position();
    const sign = way === "up" ? -1 : 1;
    const column = state.cy
      .nodes("[family]")
      .filter((other) => Math.abs(other.position("x") - x) < 2 && sign * (other.position("y") - y) > 1);
    return column.length ? column.min((other) => sign * (other.position("y") - y)).ele : null;
  }

  new MutationObserver(attach).observe(document.documentElement, { childList: true, subtree: true });

  // ------------------------------------------------------------------ for Dash's callbacks

  window.dash_clientside = window.dash_clientside || {};
  window.dash_clientside.visit = {
    dress(theme, colouring, sheets) {
      const name = isDark(theme) ? "dark" : "light";
      document.documentElement.dataset.theme = name;
      document.documentElement.dataset.colouring = colouring;
      return sheets[name][colouring];
    },
    address() {
      return window.location.search;
    },
    remember(view) {
      state.view = view;
      if (view && $("trace")) writeAddress(view);
      if (view && state.cy) scheduleSettle();
      const known = state.key;
      state.key = view ? view.key : null;
      return state.key === known ? window.dash_clientside.no_update : state.key;
    },
    mark(picked) {
      state.picked = picked || null;
      if (state.cy) {
        state.cy.batch(mark);
        keepInSight();
      }
    },
    fill(panels) {
      for (const [id, trees] of Object.entries(panels || {})) {
        if ($(id)) $(id).replaceChildren(...trees.map(build));
      }
    },
  };
})();
