// What part of the graph is seen: fitted until the reader moves it, and then kept where the reader looks.
(function () {
  "use strict";

  const V = window.visit;
  const state = V.state;
  const canvas = () => V.canvas();
  const pickedNode = () => V.pickedNode();
  const CLOSEST = 3;
  const [LEAST, SMALLEST] = [10, 12]; // letters, in pixels: on the screen, and as they are drawn
  const MARGIN = 12;
  const ROOM = 0.06; // so large a change of the canvas, as a share, is told to the server
  // The key of the graph that was fitted, whether the reader has moved it since, what part of it a link asks
  // to see, which node is to be shown once it is drawn, where the nodes were when last looked at, and how
  // large the canvas was.
  const own = {
    fitted: "",
    moved: false,
    asked: state.viewport,
    awaited: "",
    places: /** @type {Map<string, CyPoint>} */ (new Map()),
    size: /** @type {number[] | null} */ (null),
  };

  function attach() {
    const cy = canvas();
    const box = V.part("graph");
    cy.on("dragpan pinchzoom", move);
    cy.on("pan zoom resize", scheduleMargin);
    box.parentElement?.addEventListener("wheel", turn, { passive: false, capture: true });
    new ResizeObserver(measure).observe(box);
    measure();
  }

  // After the elements changed, find a good view. Answers whether it is of another graph.
  function arrange() {
    const cy = canvas();
    const nodes = cy.nodes("[family]");
    scheduleMargin();
    if (!state.view || !nodes.length) return false;
    const isOther = own.fitted !== state.view.key;
    if (isOther) own.moved = false;
    own.fitted = state.view.key;
    let follows = true;
    if (own.asked) follows = !seeAgain(own.asked);
    else if (own.moved) follows = holdStill();
    find();
    if (follows) keepInSight();
    own.places = new Map(nodes.map((node) => [node.id(), { ...node.position() }]));
    return isOther;
  }

  function find() {
    const cy = canvas();
    const awaited = cy.getElementById(own.awaited);
    const node = pickedNode();
    if (awaited.length) {
      own.awaited = "";
      focus(awaited);
    } else if (!own.moved) {
      if (node.length && node.data("open")) focus(node);
      else fit();
    }
  }

  // What part of the graph is seen, as "x,y,zoom" of the middle, once the reader has chosen it. Of a graph that is
  // not drawn yet nothing is.
  V.viewport = () => {
    const cy = V.cy();
    if (!cy || !own.moved || own.fitted !== state.view?.key) return own.asked;
    const { x, y } = middle(cy);
    return [x, y, cy.zoom()].map((number) => Number(number.toPrecision(5))).join(",");
  };

  // The middle of the canvas, in the drawing's pixels.
  function middle(/** @type {Cy} */ cy) {
    const { x, y } = cy.pan();
    return { x: (cy.width() / 2 - x) / cy.zoom(), y: (cy.height() / 2 - y) / cy.zoom() };
  }

  // Where the drawing is to be for a place in it to be in the middle of the canvas.
  function panTo(/** @type {CyPoint} */ { x, y }, /** @type {number} */ zoom) {
    const cy = canvas();
    return { x: cy.width() / 2 - zoom * x, y: cy.height() / 2 - zoom * y };
  }

  // Answers whether it could be read.
  function seeAgain(/** @type {string} */ asked) {
    const [x, y, zoom] = asked.split(",").map(Number);
    own.asked = null;
    if (![x, y, zoom].every(Number.isFinite)) return false;
    const cy = canvas();
    cy.resize();
    cy.zoom(zoom); // which Cytoscape bounds
    cy.pan(panTo({ x, y }, cy.zoom()));
    own.moved = true;
    return true;
  }

  // The drawing is laid out for the canvas's size; a large change of it is told to the server. What the
  // reader has moved to the middle stays there.
  function measure() {
    const cy = canvas();
    cy.resize();
    const [width, height] = [cy.width(), cy.height()];
    if (own.moved && own.size) cy.panBy({ x: (width - own.size[0]) / 2, y: (height - own.size[1]) / 2 });
    own.size = [width, height];
    const room = own.size.map((length) => Math.round(length - 2 * MARGIN));
    const before = state.room;
    const isOther = !before || room.some((length, i) => Math.abs(length - before[i]) > ROOM * before[i]);
    if (isOther && room.every((length) => length > 200)) V.set("room", room);
    if (!own.moved) fit();
  }

  // Laid out anew under a reader's eyes, the drawing is moved so that what was looked at stays: the picked
  // node where it was in sight, else the one nearest to the middle that is drawn still. Answers whether the picked
  // node is looked at: one that the reader has moved out of sight stays there.
  function holdStill() {
    const cy = canvas();
    const { picked } = state;
    const { x1, x2, y1, y2 } = cy.extent();
    const { x, y } = middle(cy);
    /** @type {(at: CyPoint) => number} */
    const distance = (at) => (at.x - x) ** 2 + (at.y - y) ** 2;
    const seen = [...own.places].filter(([id, at]) => {
      return x1 < at.x && at.x < x2 && y1 < at.y && at.y < y2 && cy.getElementById(id).length;
    });
    seen.sort(([, one], [, other]) => distance(one) - distance(other));
    const chosen = seen.find(([id]) => id === picked) || seen[0];
    if (chosen) putBack(...chosen);
    return chosen?.[0] === picked || !own.places.has(picked || "");
  }

  // Moves the drawing so that a node is where it was.
  function putBack(/** @type {string} */ id, /** @type {CyPoint} */ before) {
    const cy = canvas();
    const now = cy.getElementById(id).position();
    const by = { x: (before.x - now.x) * cy.zoom(), y: (before.y - now.y) * cy.zoom() };
    if (!by.x && !by.y) return;
    cy.stop(); // it knows where it began
    cy.panBy(by);
    V.writeAddress();
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
    const cy = V.cy();
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
    cy.resize(); // it may have been hidden
    const inside = V.ways.insides(node).nodes().filter((part) => !part.data("residual"));
    const box = node.union(inside).union(node.outgoers("node")).boundingBox({ includeLabels: false });
    const margin = 70;
    const zoom = Math.min((cy.width() - 2 * margin) / box.w, (cy.height() - 2 * margin) / box.h);
    const clamped = Math.max(LEAST / SMALLEST, Math.min(zoom, 1.4));
    cy.stop();
    cy.animate({
      zoom: clamped,
      pan: panTo({ x: (box.x1 + box.x2) / 2, y: (box.y1 + box.y2) / 2 }, clamped),
      duration: 220,
      easing: "ease-out",
    });
  }

  // After opening, move only as far as the picked node needs to be seen with its parts.
  function keepInSight() {
    const cy = canvas();
    const node = pickedNode();
    if (!cy.width() || !node.length || !node.visible() || cy.animated()) return;
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
  const scheduleMargin = V.onceAFrame(() => {
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

  V.fit = () => {
    own.moved = false;
    V.cy()?.stop();
    fit(true);
    V.writeAddress();
  };

  // A node is drawn, whatever its strength, moved to, and picked.
  V.show = (id) => {
    own.awaited = id;
    const there = V.cy()?.getElementById(id);
    if (there?.length) {
      own.awaited = "";
      focus(there);
    } else V.keep(id);
    V.pick(id);
  };

  V.sight = { attach, arrange, keepInSight };
})();
