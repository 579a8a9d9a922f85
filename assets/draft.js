// What is typed in the header's fields and not traced yet outlives a reload of the page.
(function () {
  "use strict";

  const V = window.visit;
  const $ = V.$;
  const PLACE = "visit.draft";
  const FIELDS = ["prompt", "model", "target"];
  let isRestored = false;

  const typed = () => Object.fromEntries(FIELDS.map((name) => [name, V.field(name).value]));

  function isTraced(/** @type {Record<string, string>} */ { prompt, model, target }) {
    const { view } = V.state;
    return view !== null && prompt === view.request.prompt && target === view.typed && model === V.modelOf(view);
  }

  function save() {
    const draft = typed();
    if (isTraced(draft)) window.sessionStorage.removeItem(PLACE);
    else window.sessionStorage.setItem(PLACE, JSON.stringify(draft));
  }

  // Once what the address asks for is traced, or could not be: before, its own request fills the fields.
  function restore() {
    if (isRestored) return;
    isRestored = true;
    const draft = JSON.parse(window.sessionStorage.getItem(PLACE) || "null");
    if (!draft) return;
    for (const name of FIELDS) V.setProps(name, { value: draft[name] });
  }

  document.addEventListener("input", ({ target }) => {
    if (FIELDS.includes(V.element(target).id)) save();
  });

  V.onFilled((id) => {
    if (id !== "form-menu") return;
    const trace = V.field("trace");
    let isRunning = trace.disabled;
    const watching = new MutationObserver(() => {
      if (isRunning && !trace.disabled) {
        watching.disconnect();
        restore();
      }
      isRunning = trace.disabled;
    });
    watching.observe(trace, { attributes: true, attributeFilter: ["disabled"] });
  });

  V.onView((_view, isNew) => {
    if (!$("trace") || !isNew) return;
    if (isRestored) setTimeout(() => window.sessionStorage.getItem(PLACE) && save(), 0);
    else restore();
  });
})();
