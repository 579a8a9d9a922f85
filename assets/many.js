// What holds over many prompts (visit/web/consensus): what is proposed and typed, and what was asked.
(function () {
  "use strict";

  const V = window.visit;
  const own = {
    proposed: { prompts: "", values: "" },
    asked: /** @type {object} */ ({}),
    isWaited: false, // for an answer, which is shown when it comes
  };

  const typed = () => ({ prompts: V.field("many-prompts").value, values: V.field("many-values").value });

  // What the reader typed stays; a proposal that was left as it is makes room for the next graph's.
  V.propose = (proposal) => {
    if (!proposal || !V.$("many-prompts")) return;
    const { prompts, values } = typed();
    const isTouched = prompts !== own.proposed.prompts || values !== own.proposed.values;
    if (isTouched && (prompts || values)) return;
    own.proposed = proposal;
    V.field("many-prompts").value = proposal.prompts;
    V.field("many-values").value = proposal.values;
    showValues();
  };

  // Prompts one a line have no slots to fill.
  const showValues = () => {
    V.field("many-values").disabled = !V.field("many-prompts").value.includes("{");
  };

  document.addEventListener("input", (event) => {
    if (event.target === V.$("many-prompts")) showValues();
  });

  function ask(/** @type {object} */ what) {
    own.asked = { ...what, by: V.inputs('input[name="many-by"]:checked')[0]?.value, of: V.state.view?.key };
    own.isWaited = true;
    V.setProps("many", { data: { ...own.asked, asked: Date.now() } });
  }

  V.manyAsked = () => own.asked;

  V.onFilled((id, panel) => {
    if (id !== "consensus-parts" || !own.isWaited) return;
    own.isWaited = false;
    if (panel.children.length) panel.closest("section")?.scrollIntoView({ block: "start" });
  });

  document.addEventListener("click", (event) => {
    if (V.element(event.target).closest("button[data-many]")) ask(typed());
  });

  // In these fields Ctrl + Enter is of them, and traces nothing.
  document.addEventListener(
    "keydown",
    (event) => {
      const isOurs = ["many-prompts", "many-values"].includes(V.element(event.target).id);
      if (!isOurs || event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
      event.preventDefault();
      event.stopPropagation();
      ask(typed());
    },
    { capture: true },
  );

  // What was read already is ranked anew; effects are measured where they are asked for.
  document.addEventListener("change", (event) => {
    const { name } = /** @type {HTMLInputElement} */ (event.target);
    if (name === "many-by" && "prompts" in own.asked) ask(own.asked);
  });
})();
