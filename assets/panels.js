// Panels that the server sends as plain trees (visit/web/trees.py), built of elements and texts.
(function () {
  "use strict";

  const V = window.visit;
  const SVG = "http://www.w3.org/2000/svg";

  // Nothing in a tree is ever read as markup, so a token can hold anything.
  /** @type {(tree: Tree, inSvg: boolean) => HTMLElement | Text} */
  function build(tree, inSvg) {
    if (typeof tree === "string") return document.createTextNode(tree);
    const isSvg = inSvg || tree.tag === "svg";
    const made = isSvg ? document.createElementNS(SVG, tree.tag) : document.createElement(tree.tag);
    const element = /** @type {HTMLElement} */ (made);
    for (const [name, value] of Object.entries(tree.attributes)) element.setAttribute(name, value);
    element.append(...tree.children.map((child) => build(child, isSvg)));
    return element;
  }

  V.build = (tree) => /** @type {HTMLElement} */ (build(tree, false));

  // Panels by the id of the part they fill. What is being typed stays, and so does the focus.
  V.fill = (panels) => {
    for (const [id, trees] of Object.entries(panels || {})) {
      const panel = V.$(id);
      if (!panel) continue;
      const goOn = panel.contains(document.activeElement) ? leave(/** @type {HTMLElement} */ (document.activeElement)) : null;
      panel.replaceChildren(...trees.map((tree) => build(tree, false)));
      goOn?.(panel);
      V.filled(id, panel);
    }
  };

  // Remembers what has the focus, and what of it is not kept yet; answers what goes on with it in a panel made anew.
  /** @type {(focused: HTMLElement) => ((panel: HTMLElement) => void) | null} */
  function leave(focused) {
    const name = focused.dataset.focus;
    if (!name) return null;
    const of = V.nodeOfNote(focused);
    const { value, defaultValue, selectionStart, selectionEnd } = /** @type {HTMLInputElement} */ (focused);
    return (panel) => {
      const field = /** @type {HTMLInputElement | null} */ (panel.querySelector(`[data-focus="${CSS.escape(name)}"]`));
      field?.focus();
      if (!field || selectionStart === undefined || value === defaultValue || V.nodeOfNote(field) !== of) return;
      field.value = value;
      field.setSelectionRange(selectionStart, selectionEnd);
      // Of what a script has filled in, a field says no change when it is left.
      field.addEventListener("blur", () => field.dispatchEvent(new Event("change", { bubbles: true })), { once: true });
    };
  }

  // A long prompt's strip shows the traced token with what comes next in its middle.
  V.onFilled((id, strip) => {
    const traced = id === "tokens" ? strip.querySelector(".is-traced") : null;
    if (!traced) return;
    const from = strip.getBoundingClientRect();
    const at = traced.getBoundingClientRect();
    strip.scrollLeft += at.left + at.width / 2 - (from.left + from.width / 2);
  });

  // Keep the measure that the reader chose for the ledgers' bars.
  /** @type {string | undefined} */
  let by;
  document.addEventListener("change", (event) => {
    const { name, dataset } = /** @type {HTMLInputElement} */ (event.target);
    if (name === "ledger-by") by = dataset.by;
  });
  V.onFilled((id) => {
    if (id !== "inspector" || !by) return;
    const [chosen] = V.inputs(`#inspector input[name="ledger-by"][data-by="${by}"]`);
    if (chosen) chosen.checked = true;
  });

  // The tabs that can say nothing of the picked node, each with the reason.
  V.onFilled((id, panel) => {
    const head = id === "inspector" ? panel.querySelector("[data-idle-tabs]") : null;
    for (const [tab, reason] of Object.entries(JSON.parse(head?.dataset.idleTabs || "{}"))) {
      const button = /** @type {HTMLButtonElement | null} */ (panel.querySelector(`[data-tab="${tab}"]`));
      if (button) Object.assign(button, { disabled: true, title: reason });
    }
  });

  // While the inspector shows what is read from where, the chips above the graph say it too.
  V.onFilled((id) => {
    if (id !== "inspector" && id !== "tokens") return;
    const shown = document.querySelector("#inspector [data-attention]");
    const parts = (shown?.dataset.attention || "").split(",").map(Number);
    const reader = shown?.dataset.reader;
    for (const chip of document.querySelectorAll("#tokens .chip[data-position]")) {
      const part = parts[Number(chip.dataset.position)] || 0;
      chip.classList.toggle("is-reader", chip.dataset.position === reader);
      chip.classList.toggle("is-read", part > 0);
      chip.style.setProperty("--read", `${Math.round(45 * Math.sqrt(part))}%`);
    }
  });
})();
