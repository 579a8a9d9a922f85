// The graph on the canvas: taps, hover, highlight; no question to the server. What part of it is seen: viewport.js.
(function () {
  "use strict";

  const V = window.visit;
  const $ = V.$;
  const state = V.state;
  // Of the canvas alone: what a search found, and which node the pointer is on.
  const own = {
    found: /** @type {Set<string>} */ (new Set()),
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
  V.canvas = canvas;
  V.pickedNode = pickedNode;

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
    cy.on("pan zoom resize", placeTip);
    cy.on("add remove data position", scheduleSettle);
    for (const name of ["mouseenter", "mousedown", "wheel", "touchstart"]) {
      box.addEventListener(name, () => cy.renderer().invalidateContainerClientCoordsCache(), {
        capture: true,
        passive: true,
      });
    }
    box.addEventListener("mouseleave", () => hover(null));
    V.sight.attach();
    scheduleSettle();
  }

  const scheduleSettle = V.onceAFrame(settle);

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
    const isOther = V.sight.arrange();
    if (isOther) V.filled("graph", V.part("graph"));
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

  V.tap = tap;
  V.onChange(["picked"], () => {
    if (!drawing) return;
    drawing.batch(mark);
    V.sight.keepInSight();
  });
  V.settle = () => {
    if (drawing) scheduleSettle();
  };
  V.cy = () => drawing;

  new MutationObserver(attach).observe(document.documentElement, { childList: true, subtree: true });
})();
