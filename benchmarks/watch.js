// Put into a page before anything else: notes when things happen, by the page's own clock.
// `visitWatch.measure(...)` starts to watch; `visitWatch.result` is there once it has ended.
(() => {
  "use strict";

  const answers = { view: null, elements: null, labels: new Map() };
  const watch = { ready: null, result: null, answers };
  window.visitWatch = watch;

  // What the websocket's worker hands to the page, at the moment it does.
  const handler = Object.getOwnPropertyDescriptor(MessagePort.prototype, "onmessage");
  Object.defineProperty(MessagePort.prototype, "onmessage", {
    ...handler,
    set(listen) {
      handler.set.call(this, (event) => {
        note(event.data);
        listen.call(this, event);
      });
    },
  });

  function note(message) {
    const said = message && message.type === "callback_response" && message.payload && message.payload.data;
    const response = said && said.response;
    if (!response) return;
    if (response.view && response.view.data) answers.view = performance.now();
    if (response.graph && Array.isArray(response.graph.elements)) {
      answers.elements = performance.now();
      answers.labels = new Map(response.graph.elements.map(({ data }) => [data.id, data.label]));
    }
  }

  // The callback runs once the next frame is on the screen.
  function afterPaint(callback) {
    requestAnimationFrame(() => {
      const channel = new MessageChannel();
      channel.port1.addEventListener("message", () => callback(performance.now()), { once: true });
      channel.port1.start();
      channel.port2.postMessage(null);
    });
  }

  function twoFrames(callback) {
    requestAnimationFrame(() => requestAnimationFrame(() => callback(performance.now())));
  }

  function cytoscape() {
    const graph = document.getElementById("graph");
    return graph && graph._cyreg && graph._cyreg.cy;
  }

  function everyFrame(check, then) {
    const look = () => (check() ? then() : requestAnimationFrame(look));
    look();
  }

  // Whether what is drawn is what the last answer said, and not an earlier graph of the same shape.
  function holds(cy) {
    const { labels } = answers;
    return labels.size > 0 && cy.elements().length === labels.size &&
      cy.elements().every((element) => labels.has(element.id()) && labels.get(element.id()) === element.data("label"));
  }

  // Ready: the first graph is painted, and a trace can be asked for.
  everyFrame(
    () => {
      const cy = cytoscape();
      const trace = document.getElementById("trace");
      return cy && answers.elements && holds(cy) && trace && !trace.disabled;
    },
    () => twoFrames((now) => { watch.ready = now; }),
  );

  const since = (name) => new Promise((resolve) => {
    document.addEventListener(name, (event) => resolve(event.timeStamp), { once: true, capture: true });
  });

  const shown = (id, check) => new Promise((resolve) => {
    const part = document.getElementById(id);
    const look = () => {
      if (!check(part)) return;
      observer.disconnect();
      afterPaint(resolve);
    };
    const observer = new MutationObserver(look);
    observer.observe(part, { childList: true, subtree: true, characterData: true, attributes: true });
    look();
  });

  // The elements of the next answer, painted.
  const drawn = () => new Promise((resolve) => {
    answers.elements = null;
    everyFrame(() => answers.elements && holds(cytoscape()), () => twoFrames(resolve));
  });

  // These return at once, so that their caller can go on to move the mouse.
  async function finish(began, ended) {
    watch.result = null;
    const [from, to] = await Promise.all([began, ended]);
    watch.result = { from, to };
  }

  watch.trace = () => {
    answers.view = null;
    finish(since("click"), drawn().then((now) => ({ now, view: answers.view })));
  };
  watch.tap = (id) => {
    const named = (panel) => [...panel.querySelectorAll(".node-id")].some((name) => name.textContent === id);
    finish(since("mousedown"), shown("inspector", named));
  };
  watch.open = () => {
    const began = since("mousedown");
    finish(began, began.then(drawn));
  };
  // Another pass's graph; one of this pass may come yet, with a part that was picked.
  watch.run = () => {
    const { key } = window.visit.state.view;
    const isOther = () => window.visit.state.view.key !== key;
    finish(since("mousedown"), new Promise((resolve) => everyFrame(isOther, () => resolve(drawn()))));
  };
  // What a part causes, once its numbers are there: with them comes what collects it.
  watch.without = (id) => {
    const from = performance.now();
    window.visit.pick(id);
    const isThere = () => document.querySelector(`#causes-result [data-collect="${id}"]`);
    finish(from, new Promise((resolve) => everyFrame(isThere, () => afterPaint(resolve))));
  };
  watch.heads = () => {
    const heads = cytoscape().nodes('[kind = "head"]').map((node) => node.id());
    const positionOf = (id) => Number(id.split("@")[1]);
    return heads.filter((id) => positionOf(id) === Math.max(...heads.map(positionOf)));
  };
  // The scrubber over a continuation, one step on.
  watch.scrub = () => {
    const scrubber = document.getElementById("continuing-step");
    const from = performance.now();
    scrubber.stepUp();
    scrubber.dispatchEvent(new Event("input", { bubbles: true }));
    finish(from, drawn());
  };
  watch.rank = (name) => {
    const from = performance.now();
    document.querySelector(`.sorter[data-rank="${name}"]`).click();
    finish(from, shown("rank-rows", (rows) => rows.closest("table").querySelector(
      `th[aria-sort="descending"] .sorter[data-rank="${name}"]`) && rows.childElementCount > 0));
  };
  watch.ranked = () => document.getElementById("rank-rows")?.childElementCount > 0;
  watch.hover = (id) => {
    const tip = cytoscape().getElementById(id).data("tip") || id;
    finish(since("mousemove"), shown("tooltip", (part) => !part.hidden && part.textContent === tip));
  };

  // One step of the slider of the parts: a real input event, and the frame that shows it.
  watch.drag = async (values) => {
    const slider = document.getElementById("count");
    const set = Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, "value").set;
    const took = [];
    for (const value of values) {
      const began = performance.now();
      set.call(slider, String(value));
      slider.dispatchEvent(new Event("input", { bubbles: true }));
      const ended = await new Promise(afterPaint);
      took.push(ended - began);
      await new Promise((resolve) => setTimeout(resolve, 60));
    }
    return took;
  };

  // Nodes that a real mouse can hit: in sight, under nothing else, with room around them.
  watch.places = (which) => {
    const cy = cytoscape();
    cy.resize();
    const box = document.getElementById("graph");
    const frame = box.getBoundingClientRect();
    const chosen = {
      any: () => true,
      whole: (node) => !node.data("opens"),
      closed: (node) => ["attn", "mlp"].includes(node.data("kind")) && !node.data("open"),
    }[which];
    return cy.nodes("[family]").filter(chosen).map((node) => {
      const at = node.renderedPosition();
      return { id: node.id(), x: frame.left + at.x, y: frame.top + at.y, wide: node.renderedWidth() };
    }).filter(({ x, y, wide }) => wide > 12 && x > frame.left + 30 && x < frame.right - 30 &&
      y > frame.top + 30 && y < frame.bottom - 30 && box.contains(document.elementFromPoint(x, y)));
  };
  watch.still = () => {
    const cy = cytoscape();
    return !cy.animated() && JSON.stringify([cy.zoom(), cy.pan()]);
  };
  watch.step = () => Number(document.getElementById("count").value);
  watch.hidden = () => cytoscape().nodes("[place]").filter((part) => !part.visible()).length;
  watch.count = () => cytoscape().elements().length;
})();
