// How much of the graph is drawn: how many parts, which ones whatever their strength, which layers. The server
// draws what is asked for (visit/web/look.py).
(function () {
  "use strict";

  const V = window.visit;
  const { $ } = V;
  const own = { counts: [0], unexplained: [0], drawn: 0, by: "flow", left: 0, measurable: false };

  // ------------------------------------------------------------------ the slider

  // The numbers of parts that the slider offers, and how much is unexplained with each: the server says both
  // (visit/graph/flows.py).
  V.setCounts = ({ counts, unexplained }) => {
    Object.assign(own, { counts, unexplained });
    if ($("count")) V.field("count").max = String(counts.length - 1);
    showCount();
  };

  // What the server drew: how many parts, what they are the strongest by, and how much they leave unexplained.
  V.onFilled((id, panel) => {
    const said = id === "note" ? panel.querySelector("[data-drawn]") : null;
    if (said) {
      const { drawn, by, unexplained } = said.dataset;
      Object.assign(own, { drawn: Number(drawn), by, left: Number(unexplained) });
    }
    if (said || id === "toolbar") {
      showCount();
      showBy();
    }
  });

  function showCount() {
    if (!$("count")) return;
    const step = own.counts.findIndex((count) => count >= own.drawn);
    V.field("count").value = String(step < 0 ? own.counts.length - 1 : step);
    say(own.drawn, own.left);
  }

  function say(/** @type {number} */ count, /** @type {number} */ left) {
    V.part("count-text").textContent = String(count);
    V.part("unexplained").textContent = `${Math.round(100 * left)} %`;
  }

  // While the slider moves, weaker parts than it says hide, but for what is kept or picked; once it is let go, the
  // server draws anew what is left.
  V.moveCount = (step) => {
    const most = own.counts[step];
    say(most, own.unexplained[step]);
    const cy = V.cy();
    const stays = new Set([...words(V.state.kept), V.state.picked]);
    cy?.batch(() => {
      cy.nodes("[place]").forEach((node) => node.toggleClass("below", node.data("place") > most && !stays.has(node.id())));
    });
  };

  // What is picked stays though it is weaker than the number asked for.
  V.setCount = (step) => {
    const count = own.counts[step];
    const { picked } = V.state;
    if (picked && (V.cy()?.getElementById(picked).data("place") ?? 0) > count) V.keep(picked);
    V.set("parts", String(count));
  };

  // ------------------------------------------------------------------ by flow or by effect

  // Whether effects can be measured, or are in the document.
  V.setMeasurable = (can) => {
    own.measurable = can;
    showBy();
  };

  // By effect the graph is drawn by flow until the effects of all parts are measured.
  function showBy() {
    if (!$("count-by")) return;
    const { chosenBy } = V.state;
    const field = V.field("count-by");
    field.value = chosenBy;
    const effect = /** @type {HTMLOptionElement | null} */ (field.querySelector("[value=effect]"));
    if (effect) effect.disabled = !own.measurable;
    const waits = own.measurable && chosenBy !== own.by;
    V.part("count-said").textContent = waits ? "measuring effects; by flow until then…" : "";
  }

  V.chooseBy = (by) => {
    V.set("chosenBy", by);
    if (by === "effect" && own.measurable) V.measureParts();
  };
  V.onChange(["chosenBy"], showBy);

  // ------------------------------------------------------------------ what is drawn whatever its strength

  const words = (/** @type {string | null} */ text) => (text || "").split(" ").filter(Boolean);

  V.keep = (id) => V.set("kept", [...new Set([...words(V.state.kept), id])].join(" "));

  // A run of layers that is folded unfolds, and the other way round.
  V.toggleFold = (title) => {
    const [first, last] = [title.data("first"), title.data("last")];
    const run = Array.from({ length: last - first + 1 }, (_, i) => String(first + i));
    const shown = words(V.state.unfolded);
    const isShown = title.data("frame") === "column";
    const kept = isShown ? neighbours(first, shown) : [...shown, ...run];
    V.set("unfolded", kept.join(" "));
  };

  // What stays unfolded when the run of unfolded layers around one is folded again.
  function neighbours(/** @type {number} */ layer, /** @type {string[]} */ shown) {
    const gone = new Set([layer]);
    for (const way of [-1, 1]) {
      for (let next = layer + way; shown.includes(String(next)); next += way) gone.add(next);
    }
    return shown.filter((other) => !gone.has(Number(other)));
  }
})();
