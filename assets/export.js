// Files to keep: what the server makes, and figures for print, which end here. A figure comes as an image with
// sizes for paper (visit/web/exports/printed.py). Plotly draws its own into it, and PNG is made of the same image.
(function () {
  "use strict";

  const V = window.visit;
  const FIGURES = ["svg", "png"];
  const MOST_PIXELS = 16000; // across or down: browsers draw no larger image
  const MM_PER_INCH = 25.4;

  V.save = (blob, name) => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = name;
    link.click();
    URL.revokeObjectURL(link.href);
  };

  // ------------------------------------------------------------------ what is asked for

  const dialog = () => /** @type {HTMLDialogElement | null} */ (V.$("figure-dialog"));

  // A file, or where it is a figure its sizes first; nothing ends what is being made.
  V.exportAs = (kept) => {
    if (!V.state.view) return;
    if (FIGURES.includes(kept) && dialog()) showDialog();
    else ask(kept || null, {});
  };

  // What is drawn, and how.
  function look(/** @type {string | undefined} */ theme) {
    const { colouring, palette, width, hidden, parts, chosenBy: by, kept, unfolded, room } = V.state;
    return { colouring, palette, width, theme, hidden: [...hidden], parts, by, kept, unfolded, room };
  }

  // The time makes each request a new one.
  function ask(/** @type {string | null} */ kept, /** @type {object} */ more) {
    V.setProps("export", { data: { kept, look: look(V.shade()), ...more, asked: Date.now() } });
  }

  // ------------------------------------------------------------------ the dialog

  const inputsOf = (/** @type {string} */ name) => [...V.inputs(`#figure-dialog input[name="${name}"]`)];
  const chosen = (/** @type {string} */ name) => inputsOf(name).find(({ checked }) => checked)?.value;

  const isSeen = (/** @type {string} */ selector) => document.querySelector(selector)?.checkVisibility() ?? false;
  const isDrawn = (/** @type {string} */ id) =>
    /** @type {PlotlyPlace | null} */ (document.querySelector(`#${id} .js-plotly-plot`))?.data?.length ?? false;
  const isIn = (/** @type {string} */ pane) => V.state.pane.name === pane;
  const rows = () => [...document.querySelectorAll("#rank-tokens tr[data-node]")].map((row) => row.dataset.node);

  // What can be seen on the screen, and what each shows (visit/web/exports/figures/subjects.py draws it by that).
  /** @type {Record<string, { isThere: () => unknown, shown?: () => object }>} */
  const SUBJECTS = {
    view: { isThere: () => isIn("flow") },
    flow: { isThere: () => isIn("flow") },
    sankey: { isThere: () => isIn("sankey"), shown: () => V.state.pane },
    agreement: { isThere: () => isIn("causes") && isDrawn("agreement"), shown: () => ({ by: V.state.predicted }) },
    patching: { isThere: () => isIn("causes") && isDrawn("patching"), shown: () => ({ second: V.state.second }) },
    consensus: { isThere: () => isIn("causes") && isDrawn("consensus"), shown: () => V.manyAsked() },
    explore: {
      isThere: () => isIn("explore") && isDrawn("explore"),
      shown: () => ({ of: V.exploring(), chosen: V.state.exploredBy }),
    },
    circuit: { isThere: () => isIn("causes") && isDrawn("circuit"), shown: () => V.circuitAsked() },
    lens: { isThere: () => V.dockIsOpen(), shown: () => ({ measure: V.state.dockMeasure, whole: V.state.dockWhole }) },
    attention: { isThere: () => isSeen("svg.heatmap"), shown: () => ({ node: V.state.picked }) },
    heads: {
      isThere: () => isSeen("#rank-map svg"),
      shown: () => ({ by: document.querySelector(".ranks")?.dataset.by, known: V.part("rank-said").dataset.known }),
    },
    tokens: { isThere: () => isSeen("#rank-tokens table"), shown: () => ({ rows: rows() }) },
  };

  function showDialog() {
    for (const input of inputsOf("figure-what")) {
      const isOffered = Boolean(SUBJECTS[input.value]?.isThere());
      input.closest("label")?.toggleAttribute("hidden", !isOffered);
      if (!isOffered) input.checked = false;
    }
    const offered = inputsOf("figure-what").filter((input) => !input.closest("label")?.hidden);
    if (!chosen("figure-what")) {
      const first = offered.find(({ value }) => value === "flow") || offered[0];
      if (first) first.checked = true;
    }
    if (!chosen("figure-theme")) inputsOf("figure-theme")[0].checked = true;
    dialog()?.showModal();
  }

  function askForFigure(/** @type {string} */ kept) {
    const fields = [...V.inputs("#figure-dialog .figure-sizes input")];
    if (!fields.every((input) => input.reportValidity())) return;
    const [width_mm, font_pt, dpi] = fields.map(({ value }) => Number(value));
    const paper = { width_mm, font_pt, dpi, title: V.field("figure-title-said").value };
    const what = chosen("figure-what") ?? "";
    const shown = SUBJECTS[what]?.shown?.() ?? {};
    ask(kept, { look: look(chosen("figure-theme")), paper, what, shown, frame: frame() });
    dialog()?.close();
  }

  // What is seen of the flow, in its own pixels.
  function frame() {
    const cy = V.cy();
    if (!cy) return null;
    const { x1, y1, x2, y2 } = cy.extent();
    return [x1, y1, x2, y2];
  }

  document.addEventListener("click", (event) => {
    const button = V.element(event.target).closest("button[data-figure]");
    if (!button) return;
    const kept = button.getAttribute("data-figure");
    if (kept) askForFigure(kept);
    else dialog()?.close();
  });

  // A press on the backdrop is one on the dialog itself, whose inside is all covered.
  document.addEventListener("pointerdown", (event) => {
    if (event.target === dialog()) dialog()?.close();
  });

  // A title is of the graph that it was written for.
  V.onView((_, isNew) => {
    if (isNew && dialog()) V.field("figure-title-said").value = "";
  });

  // Keys in the open dialog are its own.
  V.onFilled((id) => {
    if (id === "help") dialog()?.addEventListener("keydown", (event) => event.stopPropagation());
  });

  // ------------------------------------------------------------------ a figure that came

  V.saveFigure = async (made) => {
    if (!made) return;
    try {
      const image = new DOMParser().parseFromString(made.svg, "image/svg+xml");
      if (made.figure) await putInto(image, made.figure);
      if (made.dpi) V.save(await pngFrom(image, made.dpi), `${made.name}.png`);
      else V.save(new Blob([textOf(image)], { type: "image/svg+xml" }), `${made.name}.svg`);
    } catch (error) {
      const problem = V.part("problem");
      problem.textContent = `The figure was not made: ${error instanceof Error ? error.message : error}`;
      problem.hidden = false;
    }
  };

  // Plotly's own drawing goes into the frame that was left for it.
  async function putInto(/** @type {Document} */ image, /** @type {PlotlyFigure} */ figure) {
    const { width, height } = figure.layout;
    const options = { format: "svg", width, height, imageDataOnly: true };
    const text = await (await window.Plotly).toImage(figure, options);
    const drawn = new DOMParser().parseFromString(text, "image/svg+xml").documentElement;
    image.getElementById("figure")?.append(image.importNode(drawn, true));
  }

  const textOf = (/** @type {Document} */ image) =>
    `<?xml version="1.0" encoding="UTF-8"?>\n${new XMLSerializer().serializeToString(image.documentElement)}\n`;

  async function pngFrom(/** @type {Document} */ image, /** @type {number} */ dpi) {
    const root = image.documentElement;
    const pixels = (/** @type {string} */ side) =>
      Math.round((parseFloat(root.getAttribute(side) || "") / MM_PER_INCH) * dpi);
    const [width, height] = [pixels("width"), pixels("height")];
    if (Math.max(width, height) > MOST_PIXELS) {
      throw new Error(`${width} × ${height} pixels are more than a browser draws; choose fewer dots per inch`);
    }
    root.setAttribute("width", String(width));
    root.setAttribute("height", String(height));
    const picture = new Image();
    picture.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(textOf(image))}`;
    await picture.decode();
    const canvas = document.createElement("canvas");
    Object.assign(canvas, { width, height });
    canvas.getContext("2d")?.drawImage(picture, 0, 0, width, height);
    const blob = await new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
    if (!blob) throw new Error("the browser could not draw so large an image; choose fewer dots per inch");
    const bytes = V.png.withDensity(new Uint8Array(await blob.arrayBuffer()), dpi);
    return new Blob([bytes], { type: "image/png" });
  }

  // ------------------------------------------------------------------ what is being made

  // How far a file is that takes longer, with a way to end it.
  V.showMaking = (told) => {
    const making = V.$("making");
    if (!making) return;
    making.hidden = !told;
    if (told) V.part("making-said").textContent = `${told.stage} ${Math.round(100 * told.part)} %`;
  };
})();
