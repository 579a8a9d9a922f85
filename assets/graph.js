// The graph on the canvas: taps, hover, highlight, viewport; no question to the server.
(function () {
  "use strict";

  const V = window.visit;
  const $ = V.$;
  const state = V.state;
  // Of the canvas alone: the key of the graph that was fitted, whether the reader has moved it since, what a
  // search found, what part of the graph a link asks to see, which node is to be shown once it is drawn, and
  // which one the pointer is on.
  const own = {
    fitted: "",
    moved: false,
    found: /** @type {Set<string>} */ (new Set()),
    asked: state.viewport,
    awaited: "",
    hovered: /** @type {CyCollection | null} */ (null),
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
    cy.on("tap", "node[family]", (event) => tap(event.target));
    cy.on("tap", (event) => {
      if (event.target === cy) V.pick(null);
    });
    cy.on("tap", "node[first]", (event) => V.toggleFold(event.target));
    cy.on("mouseover", "node[family]", (event) => hover(event.target));
    cy.on("mouseout", "node[family]", () => hover(null));
    cy.on("dragpan pinchzoom", move);
    cy.on("pan zoom resize", () => {
      scheduleMargin();
      placeTip();
    });
    box.parentElement?.addEventListener("wheel", turn, { passive: false, capture: true });
    cy.on("add remove data position", scheduleSettle);
    for (const name of ["mouseenter", "mousedown", "wheel", "touchstart"]) {
      box.addEventListener(name, () => cy.renderer().invalidateContainerClientCoordsCache(), {
        capture: true,
        passive: true,
      });
    }
    box.addEventListener("mouseleave", () => hover(null));
    new ResizeObserver(measure).observe(box);
    measure();
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

  // After the elements changed: mark, and find a good view.
  function settle() {
    const cy = canvas();
    cy.batch(() => {
      cy.nodes(".below").removeClass("below");
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
    const awaited = cy.getElementById(own.awaited);
    const node = pickedNode();
    if (awaited.length) {
      own.awaited = "";
      focus(awaited);
    } else if (!own.moved) {
      if (node.length && node.data("open")) focus(node);
      else fit();
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

  // ------------------------------------------------------------------ legend

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
    own.hovered = node;
    canvas().nodes(".hovered").removeClass("hovered");
    document.querySelector(".canvas")?.classList.toggle("on-node", Boolean(node));
    if (!node) {
      tip.hidden = true;
      return;
    }
    node.addClass("hovered");
    tip.textContent = node.data("tip") || node.id();
    tip.hidden = false;
    placeTip();
  }

  // Beside its node, wherever that was panned to.
  function placeTip() {
    const node = own.hovered;
    const tip = V.part("tooltip");
    if (!node || tip.hidden) return;
    const place = node.renderedBoundingBox({ includeLabels: false });
    const width = V.part("graph").clientWidth;
    const x = Math.min(Math.max((place.x1 + place.x2) / 2, tip.offsetWidth / 2 + 6), width - tip.offsetWidth / 2 - 6);
    const above = place.y1 - tip.offsetHeight - 8;
    tip.style.left = `${x}px`;
    tip.style.top = `${above > 4 ? above : place.y2 + 8}px`;
  }

  // ------------------------------------------------------------------ viewport

  const CLOSEST = 3;
  const [LEAST, SMALLEST] = [10, 12]; // letters, in pixels: on the screen, and as they are drawn
  const MARGIN = 12;

  // The drawing is laid out for the canvas's size; a large change of it is told to the server.
  function measure() {
    const cy = canvas();
    cy.resize();
    const size = [cy.width() - 2 * MARGIN, cy.height() - 2 * MARGIN].map(Math.round);
    const before = state.room;
    const isOther = !before || size.some((length, i) => Math.abs(length - before[i]) > 0.06 * before[i]);
    if (isOther && size.every((length) => length > 200)) V.set("room", size);
    if (!own.moved) fit();
  }

  function move() {
    own.moved = true;
    V.writeAddress();
  }

  // A notch of the wheel zooms by a fifth at most about the pointer, two fingers by as much as they spread;
  // with Shift, or sideways, the wheel pans.
  function turn(/** @type {WheelEvent} */ event) {
    const cy = canvas();
    event.preventDefault();
    event.stopPropagation(); // Cytoscape's own steps are larger
    const unit = event.deltaMode === 1 ? 33 : event.deltaMode === 2 ? 400 : 1;
    const { deltaX: x, deltaY: y } = event;
    if (event.shiftKey || Math.abs(x) > Math.abs(y)) {
      cy.panBy({ x: -unit * (x || y), y: event.shiftKey ? 0 : -unit * y });
    } else {
      const notch = Math.max(-1, Math.min(1, (unit * y) / (event.ctrlKey ? 40 : 120)));
      const box = V.part("graph").getBoundingClientRect();
      zoomTo(cy.zoom() * 1.2 ** -notch, { x: event.clientX - box.left, y: event.clientY - box.top });
    }
    move();
  }

  function zoomTo(/** @type {number} */ level, /** @type {{ x: number, y: number }} */ about) {
    canvas().zoom({ level: Math.max(0.15, Math.min(CLOSEST, level)), renderedPosition: about });
  }

  // Everything that is drawn, which at first is as much as is legible (visit/web/flow/elements.py). Where the reader
  // asked for more it is the end, where the prediction is made, until all of it is asked for.
  function fit(everything = false) {
    const cy = drawing;
    if (!cy || !cy.elements().length) return;
    cy.resize();
    const all = cy.elements().boundingBox();
    const fitting = Math.min((cy.width() - 2 * MARGIN) / all.w, (cy.height() - 2 * MARGIN) / all.h, 1.25);
    const zoom = everything ? fitting : Math.max(fitting, LEAST / SMALLEST);
    /** @type {(size: number, low: number, high: number) => number} */
    const along = (size, low, high) => {
      const fits = zoom * (high - low) <= size;
      return fits ? (size - zoom * (low + high)) / 2 : size - MARGIN - zoom * high;
    };
    cy.viewport({ zoom, pan: { x: along(cy.width(), all.x1, all.x2), y: along(cy.height(), all.y1, all.y2) } });
  }

  // What was opened, large enough to read.
  function focus(/** @type {CyCollection} */ node) {
    const cy = canvas();
    const inside = V.ways.insides(node).nodes().filter((part) => !part.data("residual"));
    const box = node.union(inside).union(node.outgoers("node")).boundingBox({ includeLabels: false });
    const margin = 70;
    const zoom = Math.min((cy.width() - 2 * margin) / box.w, (cy.height() - 2 * margin) / box.h);
    const clamped = Math.max(LEAST / SMALLEST, Math.min(zoom, 1.4));
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

  V.fit = () => {
    own.moved = false;
    fit(true);
  };

  // A node is drawn, whatever its strength, moved to, and picked.
  V.show = (id) => {
    own.awaited = id;
    const there = drawing?.getElementById(id);
    if (there?.length) {
      own.awaited = "";
      focus(there);
    } else V.keep(id);
    V.pick(id);
  };

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
