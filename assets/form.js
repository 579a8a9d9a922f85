// How the prompt is read (visit/web/screen/prompt_form.py): the menu beside it, and what it says while it is closed.
(function () {
  "use strict";

  const V = (window.visit = window.visit || {});
  const $ = (id) => V.$(id);
  const own = { form: { bos: null, chat: false }, abilities: {} };

  const BOS = { auto: null, bos: true, none: false };
  const LACKS = {
    chat: "This model has no chat template",
    bos: "This model has no BOS token",
  };

  // Of a request, or of nothing in particular. Shown at once, for the next choice may be made before
  // Dash hands this one back.
  V.setForm = ({ bos = null, chat = false }) => {
    V.showForm({ bos, chat });
    V.setProps("form", { data: { bos, chat } });
  };

  V.showForm = ({ bos = null, chat = false }) => {
    own.form = { bos, chat };
    show();
  };

  // What is known of the model that was traced last; of any other nothing is.
  V.setAbilities = (abilities) => {
    own.abilities = abilities;
    show();
  };

  function show() {
    const { bos, chat } = own.form;
    const said = $("form-said");
    if (!said) return;
    said.textContent = [chat ? "Chat" : "Text", bos === null ? "" : bos ? "with BOS" : "without BOS"]
      .filter(Boolean)
      .join(", ");
    const known = $("model").value.trim() === own.abilities.model ? own.abilities : {};
    const chosen = { chat: chat ? "chat" : "text", bos: Object.keys(BOS).find((name) => BOS[name] === bos) };
    for (const name of ["chat", "bos"]) {
      for (const field of document.querySelectorAll(`input[name="form-${name}"]`)) {
        field.checked = field.value === chosen[name];
        if (field.value !== name) continue;
        const lacks = known[name] === false;
        field.disabled = lacks;
        field.closest("label").title = lacks ? LACKS[name] : "";
        why(field.closest("label"), lacks ? LACKS[name] : "");
      }
    }
  }

  // The reason stands below the choice it is of, for a title is seen by those alone who point at it.
  function why(label, reason) {
    const next = label.nextElementSibling;
    const note = next && next.matches(".why") ? next : null;
    if (note) note.remove();
    if (!reason) return;
    label.after(V.build({ tag: "span", attributes: { class: "why hint" }, children: [reason] }));
  }

  document.addEventListener("change", ({ target }) => {
    const { bos, chat } = own.form;
    if (target.name === "form-chat") V.setForm({ bos, chat: target.value === "chat" });
    else if (target.name === "form-bos") V.setForm({ bos: BOS[target.value], chat });
    else return;
    V.setProps("position", { data: null }); // it was chosen among other tokens
  });

  document.addEventListener("toggle", ({ target }) => target.matches("details.form") && show(), true);

  V.onFilled((id) => {
    if (id === "form-menu") show();
  });
})();
