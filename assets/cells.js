// Maps and diagrams by the keyboard: a drawing is one tab stop, the arrow keys move from cell to cell, what is there
// is spoken, and Enter does what a click does. Which cells a drawing has is looked up when a key is pressed.
(function () {
  "use strict";

  const V = window.visit;
  /** @type {Record<string, [number, number]>} */
  const STEPS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  const ASIDE = 3; // how much worse it is to go aside than ahead

  // ------------------------------------------------------------------ which cells there are

  // By the data-cells of the part that takes the focus.
  /** @type {Record<string, (place: HTMLElement) => Cell[]>} */
  const READERS = {
    ...{ parts: partsOf, attention: sourcesOf, sankey: linksOf, patching: mapsOf, agreement: pointsOf },
    consensus: (place) => [...barsOf(place), ...mapsOf(place)],
    explore: (place) => [...barsOf(place), ...mapsOf(place), ...pointsOf(place)],
  };

  // Heads × layers: a group each, which a click finds.
  function partsOf(/** @type {HTMLElement} */ place) {
    return [...place.querySelectorAll("g[data-node]")].map((group) => ({
      box: group.getBoundingClientRect(),
      words: group.querySelector("title")?.textContent ?? "",
      act: () => clickAt(group),
    }));
  }

  // A head's pattern: cells of one size, whose numbers its data holds (visit/web/plots/heatmap.py).
  function sourcesOf(/** @type {HTMLElement} */ place) {
    const map = place.querySelector("svg.heatmap");
    if (!map) return [];
    const from = map.getBoundingClientRect();
    const [left, top, width] = (map.getAttribute("viewBox") || "").split(" ").map(Number);
    const scale = from.width / width;
    const [cell, start] = [Number(map.dataset.cell), Number(map.dataset.start)];
    const rows = (map.dataset.percents || "").split(";").map((row) => row.split(" "));
    return rows.flatMap((row, reader) =>
      row.map((part, source) => {
        const [x, y] = [from.x + (source * cell - left) * scale, from.y + (reader * cell - top) * scale];
        const box = new DOMRect(x, y, cell * scale, cell * scale);
        const words = `${tokenAt(start + reader)} reads ${tokenAt(start + source)}: ${part} %`;
        return { box, words, act: () => clickAt(map, box) };
      }),
    );
  }

  const tokenAt = (/** @type {number} */ position) => `${V.tokenAt(position)} at ${position}`;

  function clickAt(/** @type {HTMLElement} */ part, box = part.getBoundingClientRect()) {
    const place = { clientX: box.x + box.width / 2, clientY: box.y + box.height / 2 };
    part.dispatchEvent(new MouseEvent("click", { bubbles: true, ...place }));
  }

  const plotIn = (/** @type {HTMLElement} */ place) => /** @type {PlotlyPlace | null} */ (place.querySelector(".js-plotly-plot"));

  // Nodes and links, which Plotly binds to what it draws.
  function linksOf(/** @type {HTMLElement} */ place) {
    const [trace] = /** @type {SankeyTrace[]} */ (plotIn(place)?.data ?? []);
    return [...place.querySelectorAll(".sankey-node, .sankey-link")].map((element) => {
      const { node, link } = /** @type {SankeyDrawn} */ (/** @type {any} */ (element).__data__);
      const [told, number] = node ? [trace.node, node.pointNumber] : [trace.link, link.pointNumber];
      const box = (element.querySelector(".node-rect") ?? element).getBoundingClientRect();
      return { box, words: plainOf(told.label[number]), act: () => V.pick(told.customdata[number]) };
    });
  }

  const tracesIn = (/** @type {HTMLElement} */ place, /** @type {string} */ type) =>
    (plotIn(place)?.data ?? []).filter((trace) => "type" in trace && trace.type === type);

  // Maps of the pane of causes (visit/web/causes/patching.py, visit/web/consensus/figure.py).
  function mapsOf(/** @type {HTMLElement} */ place) {
    const traces = /** @type {HeatmapTrace[]} */ (tracesIn(place, "heatmap"));
    return traces.flatMap(({ xaxis = "x", yaxis, text, customdata }) => {
      const sheet = place.querySelector(`.nsewdrag[data-subplot="${xaxis}${yaxis}"]`);
      const { x, y, width, height } = (sheet ?? place).getBoundingClientRect();
      const [wide, high] = [width / text[0].length, height / text.length];
      return customdata.flatMap((ids, row) =>
        ids.flatMap((id, column) => {
          if (id === null) return [];
          const box = new DOMRect(x + column * wide, y + row * high, wide, high);
          const act = () => V.showInFlow(id);
          return [{ box, words: plainOf(text[row][column]), act }];
        }),
      );
    });
  }

  // Parts over many prompts, strongest first; one that the shown prompt lacks leads nowhere.
  function barsOf(/** @type {HTMLElement} */ place) {
    const [trace] = /** @type {BarTrace[]} */ (tracesIn(place, "bar"));
    return [...place.querySelectorAll(".barlayer .point")].map((element, row) => {
      const id = trace.customdata[row];
      const act = () => void (id && V.showInFlow(id));
      return { box: element.getBoundingClientRect(), words: plainOf(trace.hovertext[row]), act };
    });
  }

  // Predicted against measured (visit/web/causes/agreement.py): Plotly binds its number to each point.
  function pointsOf(/** @type {HTMLElement} */ place) {
    return [...place.querySelectorAll(".scatterlayer .point")].map((element) => {
      const [{ trace }] = /** @type {ScatterDrawn[]} */ (/** @type {any} */ (element.closest(".trace")).__data__);
      const { i } = /** @type {ScatterDrawn} */ (/** @type {any} */ (element).__data__);
      const { text, customdata } = trace;
      const act = () => V.showInFlow(customdata[i]);
      return { box: element.getBoundingClientRect(), words: plainOf(text[i]), act };
    });
  }

  // What a figure's tip says, without Plotly's markup (literal in visit/web/plots/plotly.py). It is only set as text.
  /** @type {Record<string, string>} */
  const MARKUP = { "<br>": ", ", "<b>": "", "</b>": "", "&lt;": "<", "&gt;": ">", "&amp;": "&", "&#37;": "%", "&#36;": "$" };
  const plainOf = (/** @type {string} */ tip) =>
    tip.replace(/<br>|<\/?b>|&(?:lt|gt|amp|#3[67]);/g, (found) => MARKUP[found]).replace(/\s+/g, " ");

  // ------------------------------------------------------------------ from cell to cell

  // Where the reader was in each drawing, from its corner: it is drawn anew under them.
  /** @type {Map<string, DOMPoint>} */
  const were = new Map();

  const middleOf = (/** @type {DOMRect} */ box) => new DOMPoint(box.x + box.width / 2, box.y + box.height / 2);

  /** @type {(cells: Cell[], cost: (across: number, down: number) => number, from: DOMPoint) => Cell | null} */
  function cheapest(cells, cost, from) {
    const costs = cells.map(({ box }) => cost(middleOf(box).x - from.x, middleOf(box).y - from.y));
    const least = costs.reduce((low, one) => Math.min(low, one), Infinity);
    return least < Infinity ? cells[costs.indexOf(least)] : null;
  }

  const nearest = (/** @type {Cell[]} */ cells, /** @type {DOMPoint} */ to) => cheapest(cells, Math.hypot, to);

  // The nearest cell that way, and rather straight ahead.
  /** @type {(cells: Cell[], from: Cell, step: [number, number]) => Cell | null} */
  function next(cells, from, [x, y]) {
    const cost = (/** @type {number} */ across, /** @type {number} */ down) => {
      const ahead = across * x + down * y;
      return ahead > 0.5 ? ahead + ASIDE * Math.abs(across * y + down * x) : Infinity;
    };
    return cheapest(cells, cost, middleOf(from.box));
  }

  function mark(/** @type {HTMLElement} */ place, /** @type {Cell} */ { box, words }) {
    const [at, from] = [middleOf(box), place.getBoundingClientRect()];
    were.set(place.dataset.cells ?? "", new DOMPoint(at.x - from.x, at.y - from.y));
    const frame = V.part("cell-mark");
    frame.hidden = false;
    const size = { width: `${box.width}px`, height: `${box.height}px` };
    Object.assign(frame.style, { left: `${box.x}px`, top: `${box.y}px`, ...size });
    frame.classList.toggle("is-low", at.y > window.innerHeight / 2);
    frame.classList.toggle("is-right", at.x > window.innerWidth / 2);
    V.part("cell-said").textContent = V.part("spoken").textContent = words;
  }

  document.addEventListener("keydown", (event) => {
    const place = V.element(event.target);
    const name = place.dataset.cells ?? "";
    const step = STEPS[event.key];
    if (!(name in READERS) || event.ctrlKey || event.metaKey || event.altKey || !(step || event.key === "Enter")) return;
    event.preventDefault();
    const cells = READERS[name](place);
    const { x, y } = place.getBoundingClientRect();
    const was = were.get(name);
    const here = nearest(cells, new DOMPoint(x + (was?.x ?? 0), y + (was?.y ?? 0)));
    if (!here) return;
    if (!step) {
      hide();
      here.act();
    } else if (V.part("cell-mark").hidden) mark(place, here);
    else mark(place, next(cells, here, step) ?? here);
  });

  function hide() {
    const frame = V.$("cell-mark");
    if (frame) frame.hidden = true;
  }

  // A drawing that is made anew takes the focus along without a word.
  V.onFilled((id) => {
    if (id === "inspector") hide();
  });
  document.addEventListener("focusout", hide);
  document.addEventListener("pointerdown", hide);
  window.addEventListener("scroll", hide, { capture: true });
  window.addEventListener("resize", hide);
})();
