// What lies over the lens grid (visit/web/plots/lens_grid.py): its heading, which stays in sight while the grid is
// scrolled, and the picked cell's outline. So neither of the two draws the figure again.
(function () {
  "use strict";

  const V = window.visit;
  /** @type {string | undefined} */
  let scrolled; // the graph whose traced row was brought into sight
  /** @type {HTMLElement | undefined} */
  let watched; // the figure whose tips are moved into sight
  /** @type {string[][]} */
  let ids = []; // of the cells, a row a position

  V.showLens = (figure) => {
    if (!figure || !figure.layout.meta) return;
    const { meta, margin } = figure.layout;
    watch();
    V.part("lens-left-out").textContent = meta.left_out;
    const over = V.part("lens-over");
    const sides = { left: margin.l, right: margin.r, top: margin.t, bottom: margin.b };
    for (const [side, size] of Object.entries(sides)) over.style.setProperty(`--${side}`, `${size}px`);
    ids = figure.data[0].customdata;
    over.replaceChildren(heading(meta.columns));
    outline();
    if (scrolled === meta.key) return;
    scrolled = meta.key;
    requestAnimationFrame(() => show(margin, (meta.traced + 0.5) / ids.length));
  };

  function heading(/** @type {string[]} */ columns) {
    const cells = columns.map((name) => ({ tag: "span", attributes: {}, children: [name] }));
    return V.build({ tag: "div", attributes: { class: "lens-columns" }, children: cells });
  }

  const headingHeight = () => V.part("lens-over").querySelector(".lens-columns")?.offsetHeight ?? 0;

  // Around the cell that is picked, if one is.
  function outline() {
    const { picked } = V.state;
    const over = V.part("lens-over");
    over.querySelector(".lens-picked")?.remove();
    const row = ids.findIndex((line) => picked !== null && line.includes(picked));
    if (row < 0 || picked === null) return;
    const frame = V.build({ tag: "div", attributes: { class: "lens-picked" }, children: [] });
    const places = { row, rows: ids.length, column: ids[row].indexOf(picked), columns: ids[row].length };
    for (const [name, place] of Object.entries(places)) frame.style.setProperty(`--${name}`, String(place));
    over.append(frame);
  }
  V.onChange(["picked"], () => ids.length && outline());

  // A row, by how far down the grid it is, comes to the middle of what is seen of the grid.
  function show(/** @type {LensFigure["layout"]["margin"]} */ margin, /** @type {number} */ part) {
    const body = V.part("dock-body");
    const over = V.part("lens-over");
    const row = margin.t + part * (over.clientHeight - margin.t - margin.b);
    body.scrollTop = row - (body.clientHeight + headingHeight()) / 2;
  }

  // Plotly keeps a tip inside the figure, of which only a part is seen; it measures the tip before.
  function watch() {
    const figure = document.querySelector("#lens .js-plotly-plot");
    if (watched || !figure) return;
    watched = figure;
    figure.on?.("plotly_beforehover", () => {
      moveTip(0);
      queueMicrotask(() => moveTip(wayIntoSight()));
    });
  }

  const tipLayer = () => watched?.querySelector(".hoverlayer");

  function moveTip(/** @type {number} */ by) {
    tipLayer()?.style.setProperty("transform", by ? `translateY(${by}px)` : "");
  }

  function wayIntoSight() {
    const tip = tipLayer()?.querySelector(".hovertext");
    if (!tip) return 0;
    const { top, bottom } = tip.getBoundingClientRect();
    const seen = V.part("dock-body").getBoundingClientRect();
    return Math.max(Math.min(0, seen.bottom - bottom), seen.top + headingHeight() - top);
  }
})();
