// How a prediction is explained and how much is drawn (visit/web/asking/settings.py): the form under the prompt.
// The state holds the fields that say otherwise than is served, as they are typed; the server says what is wrong.
(function () {
  "use strict";

  const V = window.visit;
  const $ = V.$;
  const fields = () => /** @type {NodeListOf<HTMLInputElement>} */ (document.querySelectorAll("[data-setting]"));
  const nameOf = (/** @type {HTMLElement} */ field) => field.dataset.setting || "";
  const servedOf = (/** @type {HTMLElement} */ field) => field.dataset.served || "";

  function show() {
    const { settings } = V.state;
    for (const field of fields()) {
      const said = settings[nameOf(field)];
      if (field !== document.activeElement) field.value = said ?? servedOf(field);
      field.closest(".setting")?.classList.toggle("is-set", said !== undefined);
    }
    const many = Object.keys(settings).length;
    const summary = $("settings-said");
    if (summary) summary.textContent = many ? `Settings, ${many} changed` : "Settings";
  }

  // What the server says of the fields, each in one line beside it.
  V.showSettingProblems = (problems) => {
    for (const field of fields()) {
      const problem = problems[nameOf(field)] || "";
      field.toggleAttribute("aria-invalid", Boolean(problem));
      V.part(`${field.id}-problem`).textContent = problem;
    }
  };

  document.addEventListener("input", ({ target }) => {
    const field = /** @type {HTMLInputElement} */ (V.element(target));
    const name = nameOf(field);
    if (!name) return;
    const { [name]: _, ...others } = V.state.settings;
    const isServed = field.value === "" || field.value === servedOf(field);
    V.set("settings", isServed ? others : { ...others, [name]: field.value });
  });

  document.addEventListener("focusout", ({ target }) => {
    if (nameOf(V.element(target))) setTimeout(show, 0); // an emptied field says again what is served
  });

  document.addEventListener("click", ({ target }) => {
    const asked = V.element(target).closest("button[data-settings]")?.dataset.settings;
    if (asked === "reset") V.set("settings", {});
    if (asked !== "trace") return;
    V.closeMenus();
    V.trace();
  });

  V.onChange(["settings"], show);
  V.onFilled((id) => {
    if (id === "settings-menu") show();
  });
})();
