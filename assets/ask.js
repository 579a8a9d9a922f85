// What the header's fields ask for, and clicks that ask: for an example, a target, another position. What was
// clicked is asked by its id or its number, as long as the fields still say what they said then: several tokens
// can have one text (visit/web/server/tracing.py). What is typed is exactly a text (visit/graph/typed.py).
(function () {
  "use strict";

  const V = window.visit;
  const $ = V.$;

  // In a field of the header. One that says it already is left alone: Dash takes some frames for each that is set.
  V.say = (id, value) => {
    if (V.field(id).value !== value) V.setProps(id, { value });
  };

  // Once the properties that were set have reached Dash. While another trace runs, which this one ends, the button
  // is disabled, and a disabled one is not clicked.
  V.trace = () => {
    const button = V.part("trace");
    if (button instanceof HTMLButtonElement && button.disabled) V.setProps("trace", { disabled: false });
    setTimeout(() => button.click(), 0);
  };

  // The model that a graph is of. The server names the one that answered; an old document may not.
  V.modelOf = ({ request }) => request.model || V.field("model").value.trim();

  // What the header says is that of the graph that is shown.
  V.showRequest = (view) => {
    const { request, typed } = view;
    const viewed = document.querySelector(".viewed");
    if (viewed) {
      viewed.textContent = request.prompt;
      V.part("viewing").textContent = request.chat ? "Viewing a chat" : "Viewing";
    }
    if (!$("trace")) return;
    const { prompt, position, target_id, versus_id } = request;
    const model = V.modelOf(view);
    V.say("prompt", prompt);
    V.say("model", model);
    V.say("target", typed);
    V.setForm(request);
    V.set("settings", view.settings);
    V.set("position", position == null ? null : { prompt, model, position });
    const isById = target_id != null || versus_id != null;
    V.set("chosen", isById ? { typed, model, target_id, versus_id } : null);
  };

  // ------------------------------------------------------------------ what a click asks for

  V.askPrompt = (prompt, typed = "") => {
    V.closeMenus();
    V.say("prompt", prompt);
    V.say("target", typed);
    V.set("position", null);
    V.setForm({});
    V.trace();
  };

  // A token of the model that the shown graph is of.
  V.askTarget = (chosen) => {
    if (!$("target")) return;
    V.say("target", chosen.typed);
    choose(chosen);
    V.trace();
  };

  V.askPosition = (position) => {
    const { view } = V.state;
    if (!view || !$("trace") || view.fixed) return;
    const { prompt } = view.request;
    const model = V.modelOf(view);
    V.say("prompt", prompt);
    V.say("model", model);
    V.setForm(view.request);
    V.set("position", { prompt, model, position });
    V.trace();
  };

  /** @param {ChosenTokens} chosen */
  function choose(chosen) {
    const { view } = V.state;
    V.set("chosen", view && { ...chosen, model: V.modelOf(view) });
  }

  V.chosenFrom = ({ dataset }, typed) => ({
    typed,
    target_id: Number(dataset.targetId),
    versus_id: dataset.versusId === undefined ? undefined : Number(dataset.versusId),
  });

  // An option of the target's picker is chosen; the same text, where it is typed, is only that text.
  document.addEventListener("input", (event) => {
    const isTyped = event instanceof InputEvent && event.inputType !== "insertReplacementText";
    if (isTyped || event.target !== $("target")) return;
    const { value } = V.field("target");
    const options = document.querySelectorAll("#target-choices option");
    for (const option of /** @type {NodeListOf<HTMLOptionElement>} */ (options)) {
      if (option.value === value) return choose(V.chosenFrom(option, value));
    }
  });
})();
