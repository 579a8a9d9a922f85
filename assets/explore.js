// What can be explored of a pass (visit/web/explore): which one is shown, and what is chosen of it. Everything chosen
// is a text in the state, by explorable and option, so that a link and a reload have it; the server draws.
(function () {
  "use strict";

  const V = window.visit;
  const FIRST = () => document.querySelector("button[data-explore]")?.getAttribute("data-explore") ?? "";
  const fields = () => /** @type {NodeListOf<HTMLInputElement>} */ (document.querySelectorAll("[data-explored]"));
  const nameOf = (/** @type {HTMLElement} */ field) => field.getAttribute("data-explored") ?? "";

  V.exploring = () => V.state.pane.of || FIRST();

  function show() {
    const of = V.exploring();
    for (const button of document.querySelectorAll("button[data-explore][aria-pressed]")) {
      button.setAttribute("aria-pressed", String(button.getAttribute("data-explore") === of));
    }
    for (const head of document.querySelectorAll(".explore-of")) head.hidden = head.getAttribute("data-of") !== of;
  }

  // What is as it was served is not said, so that an address says what was chosen and nothing else.
  function showChosen() {
    for (const field of fields()) {
      if (field === document.activeElement) continue;
      const served = field.tagName === "SELECT" ? field.getAttribute("data-served") ?? "" : "";
      field.value = V.state.exploredBy[nameOf(field)] ?? served;
    }
  }

  V.explore = (of) => V.setPane({ name: "explore", of });

  // A field that took Enter says the same once more as it is left, which would draw all anew.
  V.chooseExplored = (name, text) => {
    if ((V.state.exploredBy[name] ?? null) === text) return;
    const { [name]: _, ...others } = V.state.exploredBy;
    V.set("exploredBy", text === null ? others : { ...others, [name]: text });
  };

  const wait = () => document.querySelector(".explore-view")?.classList.add("is-waiting");
  V.onChange(["pane"], () => {
    show();
    if (V.state.pane.name === "explore") wait();
  });
  V.onChange(["exploredBy"], () => {
    showChosen();
    if (V.state.pane.name === "explore") wait();
  });
  V.onFilled((id) => {
    if (id === "explorables" || id === "explore-heads") {
      show();
      showChosen();
    }
    if (id === "explore-said") document.querySelector(".explore-view")?.classList.remove("is-waiting");
  });

  // In a figure of several rows, the row that is pointed at stands alone.
  /** @type {PlotlyPlace | null} */
  let watched = null;
  V.onFilled((id) => {
    const place = /** @type {PlotlyPlace | null} */ (document.querySelector("#explore .js-plotly-plot"));
    if (id !== "explore-said" || !place || place === watched) return;
    watched = place;
    place.on?.("plotly_hover", (/** @type {PlotlyClick} */ { points }) => isolate(place, points?.[0]?.curveNumber));
    place.on?.("plotly_unhover", () => isolate(place, undefined));
  });

  function isolate(/** @type {PlotlyPlace} */ place, /** @type {number | undefined} */ row) {
    if (!place.layout?.meta?.isolates) return;
    const opacity = (place.data ?? []).map((_, number) => (row === undefined || number === row ? 1 : 0.18));
    const plotly = /** @type {PlotlyLibrary} */ (window.Plotly); // what drew the figure
    plotly.restyle(place, { opacity });
  }

  document.addEventListener("change", (event) => {
    const field = /** @type {HTMLInputElement} */ (event.target);
    if (!field.dataset.explored) return;
    const isServed = !field.value.trim() || field.value === field.dataset.served;
    V.chooseExplored(nameOf(field), isServed ? null : field.value);
  });

  document.addEventListener("click", (event) => {
    const button = V.element(event.target).closest("button[data-explore], button[data-explore-save]");
    const of = button?.getAttribute("data-explore");
    const [name, text] = (button?.getAttribute("data-chosen") ?? "").split("=");
    if (of && text) V.chooseExplored(name, text);
    if (of) V.explore(of);
    else if (button) V.setProps("explore-save", { data: { kept: button.getAttribute("data-explore-save"), asked: Date.now() } });
  });

  // In these fields Enter takes what is typed, and traces nothing.
  document.addEventListener(
    "keydown",
    (event) => {
      const field = /** @type {HTMLInputElement} */ (event.target);
      if (event.key !== "Enter" || !field.dataset?.explored || (field.tagName === "TEXTAREA" && !event.ctrlKey)) return;
      event.preventDefault();
      event.stopPropagation();
      field.dispatchEvent(new Event("change", { bubbles: true }));
    },
    { capture: true },
  );
})();
