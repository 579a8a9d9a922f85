// How the prompt is read (visit/web/asking/prompt_form.py): the menu beside it, and what it says while it is closed.
(function () {
  "use strict";

  const V = window.visit;
  const $ = V.$;
  /** @type {Abilities} */
  let abilities = {}; // of the model that was traced last

  /** @type {Record<string, boolean | null>} */
  const BOS = { auto: null, bos: true, none: false };
  const LACKS = {
    chat: "This model has no chat template",
    bos: "This model has no BOS token",
  };

  // Of a request, or of nothing in particular.
  V.setForm = ({ bos = null, chat = false }) => {
    const { form } = V.state;
    if (bos !== form.bos || chat !== form.chat) V.set("form", { bos, chat });
  };

  // What is known of the model that was traced last; of any other nothing is.
  V.setAbilities = (known) => {
    abilities = known;
    show();
  };

  function show() {
    const { bos, chat } = V.state.form;
    const said = $("form-said");
    if (!said) return;
    said.textContent = [chat ? "Chat" : "Text", bos === null ? "" : bos ? "with BOS" : "without BOS"]
      .filter(Boolean)
      .join(", ");
    const known = V.field("model").value.trim() === abilities.model ? abilities : {};
    const chosen = { chat: chat ? "chat" : "text", bos: Object.keys(BOS).find((name) => BOS[name] === bos) };
    for (const name of /** @type {("chat" | "bos")[]} */ (["chat", "bos"])) {
      for (const field of V.inputs(`input[name="form-${name}"]`)) {
        field.checked = field.value === chosen[name];
        if (field.value !== name) continue;
        field.disabled = known[name] === false;
        sayWhy(field.closest("label") || field, field.disabled ? LACKS[name] : "");
      }
    }
  }

  // Show the reason below the choice, because a title is seen only with a pointer.
  function sayWhy(/** @type {HTMLElement} */ label, /** @type {string} */ reason) {
    label.title = reason;
    const next = label.nextElementSibling;
    if (next && next.matches(".why")) next.remove();
    if (reason) label.after(V.build({ tag: "span", attributes: { class: "why hint" }, children: [reason] }));
  }

  document.addEventListener("change", ({ target }) => {
    const { name, value } = /** @type {HTMLInputElement} */ (target);
    const { bos, chat } = V.state.form;
    if (name === "form-chat") V.setForm({ bos, chat: value === "chat" });
    else if (name === "form-bos") V.setForm({ bos: BOS[value], chat });
    else return;
    V.set("position", null); // it was chosen among other tokens
  });

  document.addEventListener("toggle", ({ target }) => V.element(target).matches("details.form") && show(), true);

  V.onChange(["form"], show);
  V.onFilled((id) => {
    if (id === "form-menu") show();
  });
})();
