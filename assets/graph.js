// The graph on the canvas: taps, hover, threshold, highlight, viewport; no question to the server.
(function () {
  "use strict";

  const V = window.visit;
  const $ = V.$;
  const state = V.state;
  // Of the canvas alone: its edges by what they carry, how many of them are hidden,
  // the key of the graph that was fitted, whether the reader has moved it since, what a search found,
  // and what part of the graph a link asks to see.
  const own = {
    edges: /** @type {CyCollection[]} */ ([]),
    hidden: 0,
    fitted: "",
    moved: false,
    found: /** @type {Set<string>} */ (new Set()),
    levels: [0],
    unexplained: [0],
    asked: state.viewport,
  };
  /** @type {Cy | null} */
  let drawing = null;

  // dash-cytoscape always passes a wheel sensitivity of 1, and Cytoscape warns about any value.
  const warn = console.warn;
  console.warn = (...said) => {
    if (!String(said[0]).startsWith("You have set a custom wheel sensitivity")) warn(...said);
  };

  // The instance, for what is done only while something is drawn.
  function canvas() {
    if (!drawing) throw new Error("no graph is drawn yet");
    return drawing;
  }

  const pickedNode = () => canvas().getElementById(state.picked || "");

  // A tap picks a node and opens it; a tap on the picked one closes it again.
  function tap(/** @type {CyCollection} */ node) {
    const id = node.id();
    if (node.data("open") && state.picked === id) V.close(id, node.data("closes").split(" "));
    else if (node.data("opens") && !node.data("open")) V.open([id]);
    V.pick(id);
  }

  // ------------------------------------------------------------------ the graph's instance

  function attach() {
    const box = $("graph");
    const cy = box && box._cyreg && box._cyreg.cy;
    if (!box || !cy || cy === drawing) return;
    drawing = cy;
    console.warn = warn;
    cy.off("viewport"); // else every pan frame walks all elements
    cy.renderer().textureOnViewport = true;
    cy.on("tap", "node[family]", (event) => tap(event.target));
    cy.on("tap", (event) => {
      if (event.target === cy) V.pick(null);
    });
    cy.on("mouseover", "node[family]", (event) => hover(event.target));
    cy.on("mouseout", "node[family]", () => hover(null));
    cy.on("dragpan scrollzoom pinchzoom", () => {
      own.moved = true;
      V.writeAddress();
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
    const cy = canvas();
    own.edges = cy
      .edges("[?hides]")
      .sort((a, b) => a.data("carried") - b.data("carried"))
      .toArray();
    own.hidden = 0;
    cy.batch(() => {
      cy.edges(".below").removeClass("below");
      applyLevel();
      applyHidden();
      applyFound();
      mark();
    });
    V.onDrawn(cy.nodes("[family]").map((node) => node.id()));
    scheduleMargin();
    if (!state.view || !cy.nodes("[family]").length) return;
    const isOther = own.fitted !== state.view.key;
    if (isOther) own.moved = false;
    own.fitted = state.view.key;
    if (own.asked) seeAgain(own.asked);
    if (!own.moved) {
      const node = pickedNode();
      if (node.length && node.data("open")) focus(node);
      else fit(false);
    }
    keepInSight();
    if (isOther) V.filled("graph", V.part("graph"));
  }

  // What part of the graph is seen, as "x,y,zoom" of the middle, once the reader has chosen it.
  V.viewport = () => {
    const cy = drawing;
    if (!cy || !own.moved) return own.asked;
    const zoom = cy.zoom();
    const { x, y } = cy.pan();
    const numbers = [(cy.width() / 2 - x) / zoom, (cy.height() / 2 - y) / zoom, zoom];
    return numbers.map((number) => Number(number.toPrecision(5))).join(",");
  };

  function seeAgain(/** @type {string} */ asked) {
    const [x, y, zoom] = asked.split(",").map(Number);
    own.asked = null;
    if (![x, y, zoom].every(Number.isFinite)) return;
    const cy = canvas();
    cy.resize();
    cy.zoom(zoom);
    cy.pan({ x: cy.width() / 2 - cy.zoom() * x, y: cy.height() / 2 - cy.zoom() * y });
    own.moved = true;
  }

  // ------------------------------------------------------------------ threshold, legend

  // The server says which part each step of the slider stands for (visit/graph/flows.py), and how
  // much of the traced residual is unexplained by what is left at that step.
  V.setLevels = ({ levels, unexplained }) => {
    Object.assign(own, { levels, unexplained });
    V.setLevel(state.level);
  };

  V.setLevel = (step) => {
    state.level = Math.min(step, own.levels.length - 1);
    if ($("threshold")) {
      V.field("threshold").value = String(state.level);
      V.part("threshold-text").textContent = V.threshold.percent(own.levels[state.level]);
      V.part("unexplained").textContent = V.threshold.percent(own.unexplained[state.level]);
    }
    if (drawing) drawing.batch(applyLevel);
    V.writeAddress();
  };

  V.level = () => own.levels[state.level];

  // Only the edges between the old level and the new one change; they are sorted for that.
  function applyLevel() {
    const { edges } = own;
    const below = V.threshold.countBelow(edges.length, (i) => edges[i].data("carried"), V.level());
    for (let i = own.hidden; i < below; i++) edges[i].addClass("below");
    for (let i = below; i < own.hidden; i++) edges[i].removeClass("below");
    own.hidden = below;
  }

  // Families that the legend hides, with the edges at them.
  V.toggleFamily = (family) => {
    const hidden = new Set(state.hidden);
    if (!hidden.delete(family)) hidden.add(family);
    V.set("hidden", hidden);
  };
  V.onChange(["hidden"], applyHidden);

  function applyHidden() {
    for (const entry of document.querySelectorAll("[data-family]")) {
      entry.setAttribute("aria-pressed", String(!state.hidden.has(entry.dataset.family || "")));
    }
    const cy = drawing;
    cy?.batch(() => {
      cy.nodes("[family]").forEach((node) => {
        node.toggleClass("hushed", state.hidden.has(node.data("family")));
      });
    });
  }

  // ------------------------------------------------------------------ found, highlight, hover

  // Nodes that a search found stand out, by their ids. Answers how many of them can be seen.
  V.showFound = (found) => {
    own.found = found;
    if (!drawing) return 0;
    drawing.batch(applyFound);
    return drawing.nodes(".found").filter((node) => !node.hasClass("hushed")).length;
  };

  function applyFound() {
    canvas().nodes("[family]").forEach((node) => node.toggleClass("found", own.found.has(node.id())));
  }

  // The picked node with its strongest path up to the tokens and down to the output; the rest fades.
  function mark() {
    const cy = canvas();
    cy.elements(".faded, .picked").removeClass("faded picked");
    const node = pickedNode();
    if (!node.length) return;
    const kept = node.union(node.connectedEdges()).union(node.neighborhood("node")).union(V.ways.insides(node));
    const way = V.ways.wayFrom(node, "back").union(V.ways.wayFrom(node, "on"));
    cy.elements("[family], edge").difference(kept.union(way)).addClass("faded");
    node.addClass("picked");
  }

  function hover(/** @type {CyCollection | null} */ node) {
    const tip = V.part("tooltip");
    canvas().nodes(".hovered").removeClass("hovered");
    document.querySelector(".canvas")?.classList.toggle("on-node", Boolean(node));
    if (!node) {
      tip.hidden = true;
      return;
    }
    node.addClass("hovered");
    const place = node.renderedBoundingBox({ includeLabels: false });
    tip.textContent = node.data("tip") || node.id();
    tip.hidden = false;
    const width = V.part("graph").clientWidth;
    const x = Math.min(Math.max((place.x1 + place.x2) / 2, tip.offsetWidth / 2 + 6), width - tip.offsetWidth / 2 - 6);
    const above = place.y1 - tip.offsetHeight - 8;
    tip.style.left = `${x}px`;
    tip.style.top = `${above > 4 ? above : place.y2 + 8}px`;
  }

  // ------------------------------------------------------------------ viewport

  const READABLE = 0.45;

  // Everything, as long as it can be read; else the end, where the prediction is made.
  function fit(/** @type {boolean} */ everything) {
    const cy = drawing;
    if (!cy) return;
    if (everything) own.moved = false;
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
    // What fits is in the middle; of what does not, the end is shown.
    /** @type {(size: number, low: number, high: number) => number} */
    const along = (size, low, high) => {
      const fits = READABLE * (high - low) + 2 * margin <= size;
      return fits ? (size - READABLE * (low + high)) / 2 : size - margin - READABLE * high;
    };
    cy.viewport({
      zoom: READABLE,
      pan: { x: along(cy.width(), all.x1, all.x2), y: along(cy.height(), all.y1, all.y2) },
    });
  }

  // What was opened, large enough to read.
  function focus(/** @type {CyCollection} */ node) {
    const cy = canvas();
    const inside = V.ways.insides(node).nodes().filter((part) => !part.data("residual"));
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
    const cy = canvas();
    const node = pickedNode();
    if (!node.length || cy.animated()) return;
    const near = node.union(node.incomers("node"));
    const box = near.renderedBoundingBox({ includeLabels: false });
    const margin = 20;
    /** @type {(low: number, high: number, size: number) => number} */
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
      const cy = canvas();
      /** @type {HTMLElement[]} */
      const labels = [];
      cy.nodes("[frame = 'row'], [frame = 'column']").forEach((title) => {
        const at = title.renderedPosition();
        const isRow = title.data("frame") === "row";
        const gone = isRow ? at.x - 30 * cy.zoom() < 0 : at.y < 8;
        const there = isRow ? at.y > 24 && at.y < cy.height() - 12 : at.x > 60 && at.x < cy.width() - 40;
        if (!gone || !there) return;
        const label = document.createElement("span");
        label.textContent = title.data("label");
        const states = ["traced", "special", "template"].filter((state) => title.data(state));
        label.className = [title.data("frame"), ...states.map((state) => `is-${state}`)].join(" ");
        label.style[isRow ? "top" : "left"] = `${isRow ? at.y : at.x}px`;
        labels.push(label);
      });
      V.part("margin").classList.toggle("has-rows", labels.some((label) => label.classList.contains("row")));
      V.part("margin").replaceChildren(...labels);
    });
  }

  V.fit = fit;
  V.tap = tap;
  V.onChange(["picked"], () => {
    if (!drawing) return;
    drawing.batch(mark);
    keepInSight();
  });
  V.settle = () => {
    if (drawing) scheduleSettle();
  };
  V.cy = () => drawing;

  new MutationObserver(attach).observe(document.documentElement, { childList: true, subtree: true });
})();
