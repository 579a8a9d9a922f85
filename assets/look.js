// How things look: light or dark, what colour and width say, and how the panes share the screen.
(function () {
  "use strict";

  const V = (window.visit = window.visit || {});
  const LOOKS = ["colouring", "palette", "width"];

  V.isDark = (theme) => (theme ? theme === "dark" : window.matchMedia("(prefers-color-scheme: dark)").matches);

  // The graph's rules for a theme and a look, and the theme's name.
  V.dress = (theme, look, sheets) => {
    const shade = V.isDark(theme) ? "dark" : "light";
    const asked = V.asked;
    const chosen = { ...V.state.look, ...look };
    for (const name of ["colouring", "width"]) {
      if (asked[name]) chosen[name] = asked[name];
      asked[name] = null;
    }
    const { rules, colourings, widths } = sheets[shade][chosen.palette] || sheets[shade].safe;
    if (!(chosen.colouring in colourings)) chosen.colouring = "kind";
    if (!(chosen.width in widths)) chosen.width = "carried";
    V.state.look = chosen;
    Object.assign(document.documentElement.dataset, { theme: shade, ...chosen });
    showLook();
    V.writeAddress();
    return [[...rules, ...colourings[chosen.colouring], ...widths[chosen.width]], shade];
  };

  V.setLook = (change) => V.setProps("look", { data: { ...V.state.look, ...change } });

  function showLook() {
    for (const name of LOOKS) {
      for (const input of document.querySelectorAll(`input[name="look-${name}"]`)) {
        input.checked = input.value === V.state.look[name];
      }
    }
  }

  V.onFilled((id) => {
    if (id === "toolbar") showLook();
  });

  // ------------------------------------------------------------------ panes

  // A separator is dragged, or moved by the arrow keys; the size it sets is a variable of the page.
  const SIZES = {
    "split-side": { variable: "--side", low: 300, high: 640, fallback: 364, sign: -1, axis: "x" },
    "split-dock": { variable: "--dock", low: 120, high: 520, fallback: 238, sign: -1, axis: "y" },
  };
  const kept = (name) => `visit.${name}`;

  function setSize(id, size) {
    const { variable, low, high } = SIZES[id];
    const clamped = Math.round(Math.max(low, Math.min(high, size)));
    document.documentElement.style.setProperty(variable, `${clamped}px`);
    localStorage.setItem(kept(id), clamped);
    const bar = V.$(id);
    if (bar) bar.setAttribute("aria-valuenow", clamped);
    window.dispatchEvent(new Event("resize")); // Plotly's figures follow the window
  }

  const sizeOf = (id) => Number(localStorage.getItem(kept(id))) || SIZES[id].fallback;
  for (const id of Object.keys(SIZES)) {
    document.documentElement.style.setProperty(SIZES[id].variable, `${sizeOf(id)}px`);
  }

  V.onFilled((id) => {
    if (id !== "toolbar") return;
    for (const [name, { low, high }] of Object.entries(SIZES)) {
      const bar = V.$(name);
      if (!bar) continue;
      for (const [which, size] of [["min", low], ["max", high], ["now", sizeOf(name)]]) {
        bar.setAttribute(`aria-value${which}`, size);
      }
    }
  });

  document.addEventListener("pointerdown", (event) => {
    const bar = event.target.closest && event.target.closest(".splitter");
    if (!bar) return;
    const { axis, sign } = SIZES[bar.id];
    const place = (moved) => (axis === "x" ? moved.clientX : moved.clientY);
    const from = place(event);
    const size = sizeOf(bar.id);
    const move = (moved) => setSize(bar.id, size + sign * (place(moved) - from));
    const end = () => {
      document.removeEventListener("pointermove", move);
      document.documentElement.classList.remove("resizing");
    };
    event.preventDefault();
    document.documentElement.classList.add("resizing");
    document.addEventListener("pointermove", move);
    document.addEventListener("pointerup", end, { once: true });
    document.addEventListener("pointercancel", end, { once: true });
  });

  document.addEventListener("keydown", (event) => {
    const bar = event.target.closest && event.target.closest(".splitter");
    if (!bar) return;
    const { axis, sign } = SIZES[bar.id];
    const step = { ArrowLeft: ["x", -16], ArrowRight: ["x", 16], ArrowUp: ["y", -16], ArrowDown: ["y", 16] }[event.key];
    if (!step || step[0] !== axis) return;
    event.preventDefault();
    event.stopPropagation();
    setSize(bar.id, sizeOf(bar.id) + sign * step[1]);
  });

  // ------------------------------------------------------------------ the lens dock

  const isOpenAtFirst = () => {
    const said = localStorage.getItem(kept("dock-open"));
    return said === null ? window.innerHeight >= 860 : said === "1";
  };

  V.dock = { open: isOpenAtFirst(), measure: localStorage.getItem(kept("dock-measure")) || "prob" };

  V.setDock = (change) => {
    Object.assign(V.dock, change);
    // Only what was chosen is kept, so that a window's first height does not choose for every later one.
    if ("open" in change) localStorage.setItem(kept("dock-open"), change.open ? "1" : "0");
    if ("measure" in change) localStorage.setItem(kept("dock-measure"), change.measure);
    showDock();
    const body = V.$("dock-body");
    V.setProps("dock", { data: { ...V.dock, width: body ? body.clientWidth - 20 : 0 } });
  };

  function showDock() {
    document.documentElement.dataset.dock = V.dock.open ? "open" : "closed";
    const button = document.querySelector("button[data-dock]");
    if (button) button.setAttribute("aria-expanded", String(V.dock.open));
    for (const input of document.querySelectorAll('input[name="dock-measure"]')) {
      input.checked = input.value === V.dock.measure;
    }
  }
  document.documentElement.dataset.dock = V.dock.open ? "open" : "closed";

  V.onFilled((id) => {
    if (id === "dock-head") showDock();
  });

  // ------------------------------------------------------------------ graph or Sankey

  V.setPane = (pane) => {
    const canvas = document.querySelector(".canvas");
    const { clientWidth: width, clientHeight: height } = canvas || {};
    V.setProps("pane", { data: pane.name === "flow" ? pane : { ...V.state.pane, ...pane, width, height } });
  };

  V.showPane = (pane) => {
    V.state.pane = pane;
    document.documentElement.dataset.pane = pane.name;
    for (const button of document.querySelectorAll("button[data-pane]")) {
      button.setAttribute("aria-pressed", String(button.dataset.pane === pane.name));
    }
    const layer = V.$("sankey-layer");
    if (layer && pane.layer !== undefined) layer.value = String(pane.layer);
    V.writeAddress();
  };

  V.onFilled((id) => {
    if (id === "toolbar" || id === "sankey-layer") V.showPane(V.state.pane);
  });
})();
