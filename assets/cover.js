// What stands in the graph's place until the first one is drawn (visit/web/screen/cover.py): which state it
// shows follows from what the page shows already. A page without a model to ask has none.
(function () {
  "use strict";

  const V = window.visit;
  const $ = V.$;
  /** @type {MutationObserver | null} */
  let watching = null;

  const isShown = (/** @type {HTMLElement | null} */ element) => element !== null && !element.hidden;
  const isDrawn = () => Boolean(V.cy()?.nodes("[family]").length);

  // A graph that has arrived and is not drawn yet is still under way.
  function state() {
    if (isDrawn()) return "none";
    if (isShown($("progress"))) return "running";
    if (isShown($("problem"))) return "failed";
    return V.state.view ? "running" : "empty";
  }

  function update() {
    const cover = V.part("cover");
    const now = state();
    if (cover.dataset.state !== now) cover.dataset.state = now;
    const stage = V.part("stage").textContent || "";
    const known = [...cover.querySelectorAll("[data-stage]")];
    for (const said of known) said.hidden = said.dataset.stage !== stage;
    const other = cover.querySelector(".other-stage");
    if (other) other.textContent = known.some((said) => !said.hidden) ? "" : stage;
    if (now === "none") watching?.disconnect();
  }

  V.onFilled((id) => {
    if (id === "cover") {
      watching = new MutationObserver(update);
      const inside = { childList: true, characterData: true, subtree: true };
      const seen = { attributes: true, attributeFilter: ["hidden"], ...inside };
      for (const name of ["progress", "problem", "stage"]) watching.observe(V.part(name), seen);
    }
    if (watching) update();
  });

  document.addEventListener("click", (event) => {
    if (V.element(event.target).closest("[data-cover=afresh]")) window.location.assign(window.location.pathname);
  });
})();
