// What the model goes on with (visit/web/continuing): the menu, the scrubber over the new tokens, the others of a step,
// the branches. The step that is traced is the token behind the traced position, so that undo and a link have it.
(function () {
  "use strict";

  const V = window.visit;
  let shown = ""; // the strip as it was filled
  /** @type {number | undefined} */
  let waiting; // for the scrubber to be asked about
  let asked = 0; // when it was
  const SCRUB_EVERY = 120; // ms

  const chips = () => /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("#continuing [data-step]"));
  const idsOf = (/** @type {string} */ text) => text.split(".").map(Number);

  // Filled anew only where it says something else: the scrubber may be held meanwhile.
  V.showContinuing = (panels) => {
    const text = JSON.stringify(panels);
    if (!panels || text === shown) return mark();
    shown = text;
    V.fill(panels);
    mark();
  };

  // ------------------------------------------------------------------ the step that is traced

  function traced() {
    const request = V.state.view?.request;
    return request?.position == null ? null : request.position + 1;
  }

  function mark(step = traced()) {
    for (const chip of chips()) {
      const isTraced = Number(chip.dataset.step) === step;
      chip.classList.toggle("is-traced", isTraced);
      chip.setAttribute("aria-pressed", String(isTraced));
      if (isTraced) bringInto(chip);
    }
    for (const row of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("#continuing [data-others]"))) {
      row.hidden = Number(row.dataset.others) !== step;
    }
    const scrubber = V.$("continuing-step") && V.field("continuing-step");
    if (scrubber && step !== null && waiting === undefined) scrubber.value = String(step);
  }

  function bringInto(/** @type {HTMLElement} */ chip) {
    const row = chip.parentElement;
    if (!row) return;
    const { left, right } = chip.getBoundingClientRect();
    const room = row.getBoundingClientRect();
    if (left < room.left) row.scrollLeft += left - room.left - 12;
    else if (right > room.right) row.scrollLeft += right - room.right + 12;
  }

  // A token becomes the target, and the position before it the traced one. The text is asked for by its ids still.
  function askStep(/** @type {number} */ step) {
    const { view } = V.state;
    const chip = [...chips()].find(({ dataset }) => Number(dataset.step) === step);
    if (!view || !chip) return;
    const { prompt } = view.request;
    const model = V.modelOf(view);
    const typed = chip.dataset.typed || "";
    V.say("prompt", prompt);
    V.say("model", model);
    V.say("target", typed);
    V.setForm(view.request);
    V.set("position", { prompt, model, position: step - 1 });
    V.set("chosen", { ...V.chosenFrom(chip, typed), model });
    V.trace();
  }

  // A single step is asked for at once; of many in a row, some on the way and the last.
  document.addEventListener("input", (event) => {
    if (event.target !== V.$("continuing-step")) return;
    mark(Number(V.field("continuing-step").value));
    if (waiting !== undefined) return;
    const wait = Math.max(0, asked + SCRUB_EVERY - performance.now());
    waiting = setTimeout(() => {
      waiting = undefined;
      asked = performance.now();
      if (V.$("continuing-step")) askStep(Number(V.field("continuing-step").value));
    }, wait);
  });

  V.onView(() => mark());

  // ------------------------------------------------------------------ going on

  const typed = () => {
    /** @type {Record<string, string>} */
    const how = {};
    for (const field of V.inputs("[data-continuing]")) how[field.dataset.continuing || ""] = field.value;
    return how;
  };

  const ask = (/** @type {object} */ what) => {
    V.closeMenus();
    V.setProps("continue", { data: { ...typed(), ...what, asked: Date.now() } });
  };

  // Where the continuation begins in the text that is shown.
  const begins = () => parseInt(V.state.continued || "0", 10);

  function forget(/** @type {string} */ ids) {
    const [head, kept] = (V.state.continued || "").split(":");
    const others = (kept || "").split(",").filter((one) => one !== ids);
    V.set("continued", others.length ? `${head}:${others.join()}` : null);
  }

  document.addEventListener("click", (event) => {
    const button = /** @type {HTMLElement | null} */ (V.element(event.target).closest("button"));
    if (!button || !button.closest("#continuing, #continue-menu")) return;
    const { step, instead, place, branch, at, drop, goOn } = button.dataset;
    if (goOn === "own") ask({});
    else if (goOn === "given") ask({ text: V.field("continue-text").value });
    else if (instead) {
      const before = V.state.view?.request.prompt_ids?.slice(begins(), Number(place)) || [];
      ask({ given: [...before, Number(instead)] });
    } else if (branch) ask({ given: idsOf(branch), at: Number(at) });
    else if (drop) forget(drop);
    else if (step) {
      mark(Number(step));
      askStep(Number(step));
    }
  });

  // In these fields Enter goes on, and traces nothing.
  document.addEventListener(
    "keydown",
    (event) => {
      const field = V.element(event.target);
      const isText = field.id === "continue-text";
      if (event.key !== "Enter" || !(isText ? event.ctrlKey || event.metaKey : field.dataset.continuing)) return;
      event.preventDefault();
      event.stopPropagation();
      ask(isText ? { text: V.field("continue-text").value } : {});
    },
    { capture: true },
  );
})();
