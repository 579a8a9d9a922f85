// How things look: light or dark, what colour and width say, and how the panes share the screen.
(function () {
  "use strict";

  const V = window.visit;
  const LOOKS = /** @type {("colouring" | "palette" | "width")[]} */ (["colouring", "palette", "width"]);
  /** @type {Stylesheets | null} */
  let sheets = null;

  const systemIsDark = () => window.matchMedia("(prefers-color-scheme: dark)").matches;
  V.shade = () => (V.state.theme === "dark" || (!V.state.theme && systemIsDark()) ? "dark" : "light");

  // At once, before anything is drawn in another shade.
  document.documentElement.dataset.theme = V.shade();

  // The graph's rules in the reader's look, the theme's name, and what figures need of the look.
  V.dress = (given) => {
    sheets = given;
    const { state } = V;
    const shade = V.shade();
    const { rules, colourings, widths } = sheets[shade][state.palette] || sheets[shade].safe;
    if (!(state.colouring in colourings)) state.colouring = "kind";
    if (!(state.width in widths)) state.width = "carried";
    const { colouring, palette, width } = state;
    Object.assign(document.documentElement.dataset, { theme: shade, colouring, palette, width });
    showLook();
    return [[...rules, ...colourings[colouring], ...widths[width]], shade, { palette }];
  };

  V.onChange(["theme", ...LOOKS], () => {
    if (!sheets) return;
    const [stylesheet, shade, look] = V.dress(sheets);
    V.setProps("graph", { stylesheet });
    V.setProps("shade", { data: shade });
    V.setProps("look", { data: look });
  });

  function showLook() {
    for (const name of LOOKS) {
      for (const input of V.inputs(`input[name="look-${name}"]`)) input.checked = input.value === V.state[name];
    }
  }

  V.onFilled((id) => {
    if (id === "toolbar") showLook();
  });

  // ------------------------------------------------------------------ panes

  // A separator is dragged, or moved by the arrow keys; the size it sets is a variable of the page.
  /** @type {Record<string, Size>} */
  const SIZES = {
    "split-side": { variable: "--side", low: 300, high: 640, fallback: 400, sign: -1, axis: "x" },
    "split-dock": { variable: "--dock", low: 120, high: 520, fallback: 238, sign: -1, axis: "y" },
  };
  const kept = (/** @type {string} */ name) => `visit.${name}`;

  function setSize(/** @type {string} */ id, /** @type {number} */ size) {
    const { variable, low, high } = SIZES[id];
    const clamped = Math.round(Math.max(low, Math.min(high, size)));
    document.documentElement.style.setProperty(variable, `${clamped}px`);
    localStorage.setItem(kept(id), String(clamped));
    const bar = V.$(id);
    if (bar) bar.setAttribute("aria-valuenow", String(clamped));
    window.dispatchEvent(new Event("resize")); // Plotly's figures follow the window
  }

  const sizeOf = (/** @type {string} */ id) => Number(localStorage.getItem(kept(id))) || SIZES[id].fallback;
  for (const id of Object.keys(SIZES)) {
    document.documentElement.style.setProperty(SIZES[id].variable, `${sizeOf(id)}px`);
  }

  V.onFilled((id) => {
    if (id !== "toolbar") return;
    for (const [name, { low, high }] of Object.entries(SIZES)) {
      const bar = V.$(name);
      if (!bar) continue;
      for (const [which, size] of Object.entries({ min: low, max: high, now: sizeOf(name) })) {
        bar.setAttribute(`aria-value${which}`, String(size));
      }
    }
  });

  document.addEventListener("pointerdown", (event) => {
    const bar = V.element(event.target).closest(".splitter");
    if (!bar) return;
    const { axis, sign } = SIZES[bar.id];
    const place = (/** @type {PointerEvent} */ moved) => (axis === "x" ? moved.clientX : moved.clientY);
    const from = place(event);
    const size = sizeOf(bar.id);
    const move = (/** @type {PointerEvent} */ moved) => setSize(bar.id, size + sign * (place(moved) - from));
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

  /** @type {Record<string, { axis: string, by: number }>} */
  const STEPS = {
    ...{ ArrowLeft: { axis: "x", by: -16 }, ArrowRight: { axis: "x", by: 16 } },
    ...{ ArrowUp: { axis: "y", by: -16 }, ArrowDown: { axis: "y", by: 16 } },
  };

  document.addEventListener("keydown", (event) => {
    const bar = V.element(event.target).closest(".splitter");
    if (!bar) return;
    const { axis, sign } = SIZES[bar.id];
    const step = STEPS[event.key];
    if (!step || step.axis !== axis) return;
    event.preventDefault();
    event.stopPropagation();
    setSize(bar.id, sizeOf(bar.id) + sign * step.by);
  });

  // ------------------------------------------------------------------ the lens dock

  // The graph has the room until the reader opens the dock.
  V.dockIsOpen = () => V.state.dockOpen ?? false;

  // The grid is drawn by the server, as wide as it is shown.
  V.askForLens = () => {
    const body = V.$("dock-body");
    const { dockMeasure: measure, dockWhole: whole } = V.state;
    const asked = { open: V.dockIsOpen(), measure, whole, width: body ? body.clientWidth - 20 : 0 };
    V.setProps("dock", { data: asked });
  };

  V.onChange(["dockOpen", "dockMeasure", "dockWhole"], () => {
    showDock();
    V.askForLens();
  });

  function showDock() {
    const isOpen = V.dockIsOpen();
    document.documentElement.dataset.dock = isOpen ? "open" : "closed";
    const button = document.querySelector("button[data-dock]");
    if (button) button.setAttribute("aria-expanded", String(isOpen));
    for (const input of V.inputs('input[name="dock-measure"]')) input.checked = input.value === V.state.dockMeasure;
    if (V.$("dock-whole")) V.field("dock-whole").checked = V.state.dockWhole;
  }
  document.documentElement.dataset.dock = V.dockIsOpen() ? "open" : "closed";

  V.onFilled((id) => {
    if (id === "dock-head") showDock();
  });

  // ------------------------------------------------------------------ graph or Sankey

  V.setPane = (pane) => {
    const canvas = V.part("graph").closest(".canvas");
    const { clientWidth: width, clientHeight: height } = canvas || document.body;
    V.set("pane", pane.name === "flow" ? pane : { ...V.state.pane, ...pane, width, height });
  };

  function showPane() {
    const { pane } = V.state;
    document.documentElement.dataset.pane = pane.name;
    for (const button of document.querySelectorAll("button[data-pane]")) {
      button.setAttribute("aria-pressed", String(button.getAttribute("data-pane") === pane.name));
    }
    if (V.$("sankey-layer") && pane.layer !== undefined) V.field("sankey-layer").value = String(pane.layer);
  }

  V.onChange(["pane"], showPane);
  V.onFilled((id) => {
    if (id === "toolbar" || id === "sankey-layer") showPane();
  });
})();
