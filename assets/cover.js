// What stands in the graph's place until the first one is drawn (visit/web/screen/cover.py): which state it
// shows follows from what the page shows already. A page without a model to ask has none.
(function () {
  "use strict";

  const V = (window.visit = window.visit || {});
  const $ = (id) => V.$(id);
  let watching = null;

  const isShown = (element) => Boolean(element) && !element.hidden;
  const isDrawn = () => Boolean(V.cy() && V.cy().nodes("[family]").length);

  // A graph that has arrived and is not drawn yet is still under way.
  function state() {
    if (isDrawn()) return "none";
    if (isShown($("progress"))) return "running";
    if (isShown($("problem"))) return "failed";
    return V.state.view ? "running" : "empty";
  }

  function update() {
    const cover = $("cover");
    const now = state();
    if (cover.dataset.state !== now) cover.dataset.state = now;
    const stage = $("stage").textContent;
    const known = [...cover.querySelectorAll("[data-stage]")];
    for (const said of known) said.hidden = said.dataset.stage !== stage;
    cover.querySelector(".other-stage").textContent = known.some((said) => !said.hidden) ? "" : stage;
    if (now === "none") watching.disconnect();
  }

  V.onFilled((id) => {
    if (id === "cover") {
      watching = new MutationObserver(update);
      const seen = { attributes: true, attributeFilter: ["hidden"], childList: true, characterData: true, subtree: true };
      for (const name of ["progress", "problem", "stage"]) watching.observe($(name), seen);
    }
    if (watching) update();
  });

  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-cover=afresh]")) window.location.assign(window.location.pathname);
  });
})();
