// What lies over the lens grid (visit/web/plots/lens_grid.py): its heading, which stays in sight while the grid is
// scrolled, and the picked cell's outline. So neither of the two draws the figure again.
(function () {
  "use strict";

  const V = (window.visit = window.visit || {});
  const $ = (id) => V.$(id);
  let scrolled = null; // the graph whose traced row was brought into sight
  let watched = null; // the figure whose tips are moved into sight

  V.showLens = (figure, picked) => {
    const { meta, margin } = (figure && figure.layout) || {};
    if (!meta) return;
    watch();
    $("lens-left-out").textContent = meta.left_out;
    const over = $("lens-over");
    const sides = { left: margin.l, right: margin.r, top: margin.t, bottom: margin.b };
    for (const [side, size] of Object.entries(sides)) over.style.setProperty(`--${side}`, `${size}px`);
    const ids = figure.data[0].customdata;
    over.replaceChildren(heading(meta.columns), ...outline(ids, picked));
    if (scrolled === meta.key) return;
    scrolled = meta.key;
    requestAnimationFrame(() => show(margin, (meta.traced + 0.5) / ids.length));
  };

  function heading(columns) {
    const cells = columns.map((name) => ({ tag: "span", attributes: {}, children: [name] }));
    return V.build({ tag: "div", attributes: { class: "lens-columns" }, children: cells });
  }

  const headingHeight = () => $("lens-over").firstChild.offsetHeight;

  function outline(ids, picked) {
    const row = ids.findIndex((line) => picked && line.includes(picked));
    if (row < 0) return [];
    const frame = V.build({ tag: "div", attributes: { class: "lens-picked" }, children: [] });
    const places = { row, rows: ids.length, column: ids[row].indexOf(picked), columns: ids[row].length };
    for (const [name, place] of Object.entries(places)) frame.style.setProperty(`--${name}`, place);
    return [frame];
  }

  // A row, by how far down the grid it is, comes to the middle of what is seen of the grid.
  function show(margin, part) {
    const body = $("dock-body");
    const over = $("lens-over");
    const row = margin.t + part * (over.clientHeight - margin.t - margin.b);
    body.scrollTop = row - (body.clientHeight + headingHeight()) / 2;
  }

  // Plotly keeps a tip inside the figure, of which only a part is seen; it measures the tip before.
  function watch() {
    const figure = document.querySelector("#lens .js-plotly-plot");
    if (watched || !figure) return;
    watched = figure;
    figure.on("plotly_beforehover", () => {
      moveTip(0);
      queueMicrotask(() => moveTip(wayIntoSight()));
    });
  }

  const tipLayer = () => watched.querySelector(".hoverlayer");

  function moveTip(by) {
    if (tipLayer()) tipLayer().style.transform = by ? `translateY(${by}px)` : "";
  }

  function wayIntoSight() {
    const tip = tipLayer() && tipLayer().querySelector(".hovertext");
    if (!tip) return 0;
    const { top, bottom } = tip.getBoundingClientRect();
    const seen = $("dock-body").getBoundingClientRect();
    return Math.max(Math.min(0, seen.bottom - bottom), seen.top + headingHeight() - top);
  }
})();
