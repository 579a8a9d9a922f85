// What parts cause: the tab of a picked node, the tray of sites to leave out, and cells and points that are
// clicked. The server measures (visit/web/causes/callbacks.py); what is collected is in the state, so that a
// link and a reload have it.
(function () {
  "use strict";

  const V = window.visit;
  const WAYS = ["zero", "mean", "resample", "patch"];
  const FROM_ANOTHER = ["resample", "patch"];
  // Of the pass that is shown: what is off in it, whether it is held against another prompt's, and what the
  // tray says of it; of the tab, its last answer;
  // and the colouring before that of the difference.
  const own = {
    off: /** @type {string[]} */ ([]),
    compared: false,
    said: /** @type {Panels} */ ({}),
    answer: /** @type {CauseAnswer | null} */ (null),
    colouring: "kind",
    kept: /** @type {object} */ ({}), // what was asked of a circuit
  };

  // What is chosen of each, until the reader chooses.
  const AT_FIRST = { "circuit-by": "effect", "compare-by": "prompt", "many-by": "flow" };
  const chosenOf = (/** @type {string} */ name) => V.inputs(`input[name="${name}"]:checked`)[0]?.value;

  // A site with its way is two words; in the state, which the address says in words, it is one.
  const wordOf = (/** @type {string} */ text) => text.trim().replace(/ zero$/, "").replace(" ", "~");
  const textOf = (/** @type {string} */ word) => word.replace("~", " ");

  V.showInFlow = (id) => {
    V.setPane({ name: "flow" });
    V.show(id);
  };

  V.collect = (site) => V.set("collected", new Set([...V.state.collected, wordOf(site)]));
  const drop = (/** @type {string} */ word) =>
    V.set("collected", new Set([...V.state.collected].filter((other) => other !== word)));

  // ------------------------------------------------------------------ the tray

  const isDrawn = () => V.state.how === "zero";
  const isOffNow = () =>
    own.off.length === V.state.collected.size && own.off.every((word) => V.state.collected.has(word));

  /** @type {(tag: string, attributes: Record<string, string>, ...children: Tree[]) => Exclude<Tree, string>} */
  const make = (tag, attributes, ...children) => ({ tag, attributes, children });

  // As researchers write it: 23.4, L28 MLP, 23.4 ← ·Japan.
  function nameOf(/** @type {string} */ word) {
    const [site, way] = word.split("~");
    const found = /^(?:L(\d+)\.)?([a-z_]+)(\d*)(?:\.value)?@(\d+|\*)(?:<(\d+))?$/.exec(site);
    if (!found) return word;
    const [, layer, kind, number, position, source] = found;
    const kinds = /** @type {Record<string, string>} */ ({ mlp: "MLP", attn: "attention" });
    const what = number ? `${layer}.${number}` : `${layer ? `L${layer} ` : ""}${kinds[kind] || kind}`;
    const from = source === undefined ? "" : ` ← ${V.tokenAt(source)}`;
    const isTraced = document.querySelector(`#tokens .is-traced[data-position="${position}"]`);
    const at = position === "*" ? " everywhere" : isTraced ? "" : ` at ${V.tokenAt(position)}`;
    return `${what}${from}${at}${way && way !== "knockout" ? ` ${way}` : ""}`;
  }

  V.tokenAt = (position) => document.querySelector(`#tokens [data-position="${position}"]`)?.textContent ?? String(position);

  function chip(/** @type {string} */ word) {
    const text = textOf(word);
    const remove = { class: "quiet", "data-drop": word, "aria-label": `Leave ${text} in`, title: "Leave it in" };
    const name = make("span", { class: "chip-name" }, nameOf(word));
    const is = own.off.includes(word) ? "cause-chip is-off" : "cause-chip";
    return make("span", { class: is, title: text }, name, make("button", remove, "×"));
  }

  function waySelect() {
    const options = WAYS.map((way) =>
      make("option", way === V.state.how ? { value: way, selected: "" } : { value: way }, way),
    );
    const label = "What is put in their place";
    return make("select", { "data-cause-how": "", "aria-label": label, title: label }, ...options);
  }

  function show() {
    const bar = V.$("what-if");
    if (!bar) return;
    const collected = [...V.state.collected];
    bar.hidden = !collected.length && !own.off.length && !own.compared;
    if (bar.hidden) return;
    const doing = isDrawn() ? "Run without them" : "Measure without them";
    const isDone = !collected.length || (isDrawn() && isOffNow());
    const buttons = isDone ? [] : [make("button", { class: "primary", "data-run": "" }, doing)];
    const keeping = { "data-keep-only": "", title: "All other heads are ablated: patched from the second prompt, or set to a mean" };
    if (collected.length && !own.off.length) buttons.push(make("button", keeping, "Keep only these…"));
    if (own.off.length) buttons.push(make("button", { "data-run": "plain" }, "Back to the plain pass"));
    else buttons.push(make("button", { class: "quiet", "data-clear": "" }, "Clear"));
    const sites = [
      make("span", { class: "what-if-name" }, own.off.length ? "Without" : "What if"),
      make("span", { class: "cause-chips" }, ...collected.map(chip)),
      waySelect(),
      ...buttons,
    ];
    const isCompared = own.compared && !collected.length;
    const shown = isCompared ? [make("span", { class: "what-if-name" }, "Compared")] : sites;
    V.part("what-if-sites").replaceChildren(...shown.map(V.build));
    V.fill(own.said);
  }

  V.onChange(["collected", "how", "second"], show);
  V.onFilled((id) => {
    if (id === "tokens") show();
  });

  function run(/** @type {string[]} */ words) {
    const { how, second } = V.state;
    const isMeasured = !isDrawn() && words.length > 0;
    const data = { sites: words.map(textOf), how, second, asked: Date.now() };
    V.setProps(isMeasured ? "weigh" : "run", { data });
  }

  // Another prompt, target or model in place of the shown one (visit/web/comparing/others.py).
  function compare() {
    const by = chosenOf("compare-by") ?? "prompt";
    const field = by === "prompt" ? V.field("second-of-comparing") : V.field(`compare-${by}`);
    if (!field.value.trim()) return field.focus();
    V.setPane({ name: "flow" });
    V.setProps("compare", { data: { by, said: field.value, asked: Date.now() } });
  }

  // Only some parts are kept, all others in question ablated; which ones follows from what is asked.
  function keepOnly(/** @type {{ sites?: string[], keep?: number }} */ which) {
    const { second, view } = V.state;
    V.setPane({ name: "causes" });
    V.part("circuit").scrollIntoView({ block: "end" });
    own.kept = { ...which, second, by: chosenOf("circuit-by") ?? "effect", of: view?.key };
    V.setProps("keep-only", { data: { ...own.kept, asked: Date.now() } });
  }

  V.circuitAsked = () => own.kept;

  // ------------------------------------------------------------------ the tab

  function showAnswer() {
    const place = V.$("causes-result");
    if (!place || !own.answer || own.answer.of !== V.state.picked) return;
    place.classList.remove("is-waiting");
    V.fill(own.answer.panels);
  }

  const wait = () => V.$("causes-result")?.classList.add("is-waiting");
  V.onChange(["how", "second", "site"], wait);

  // The source whose cell was clicked is of one head.
  V.onChange(["picked"], () => {
    const { picked, site } = V.state;
    if (site && !(picked || "").startsWith(site.split("@")[0])) V.set("site", null);
  });

  function showControls() {
    const { how, second, predicted } = V.state;
    for (const input of V.inputs('input[name="cause-how"]')) input.checked = input.value === how;
    for (const input of V.inputs('input[name="cause-predicted"]')) input.checked = input.value === predicted;
    for (const [name, value] of Object.entries(AT_FIRST)) {
      if (chosenOf(name)) continue;
      for (const input of V.inputs(`input[name="${name}"][value="${value}"]`)) input.checked = true;
    }
    for (const input of V.inputs("input[data-second]")) {
      if (input !== document.activeElement) input.value = second ?? "";
    }
    document.documentElement.dataset.fromAnother = String(FROM_ANOTHER.includes(how));
  }
  V.onChange(["how", "second", "predicted"], showControls);
  V.onFilled((id) => {
    showControls();
    if (id === "inspector") showAnswer();
  });

  document.addEventListener("change", (event) => {
    const field = /** @type {HTMLInputElement} */ (event.target);
    if (field.name === "cause-how" || "causeHow" in field.dataset) V.set("how", field.value);
    else if (field.name === "cause-predicted") V.set("predicted", field.value);
    else if ("second" in field.dataset) V.set("second", field.value.trim() ? field.value : null);
  });

  // ------------------------------------------------------------------ clicks and keys

  // What a pass can be drawn without (DRAWN_KINDS in visit/graph/interventions.py).
  const IS_DRAWN = /^L\d+\.(?:attn|mlp|head\d+|expert\d+|memory\d+\.value)@\d+$/;

  // With Shift, a part in any list or map is collected instead of gone to.
  document.addEventListener(
    "click",
    (event) => {
      const id = event.shiftKey && V.element(event.target).closest("[data-node]")?.getAttribute("data-node");
      if (!id || !IS_DRAWN.test(id) || !V.$("trace")) return;
      event.preventDefault();
      event.stopPropagation();
      V.collect(id);
    },
    { capture: true },
  );

  document.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && "other" in V.element(event.target).dataset) compare();
    const { picked } = V.state;
    if (event.key !== "w" || event.ctrlKey || event.metaKey || event.altKey || !V.$("trace")) return;
    if (picked && IS_DRAWN.test(picked) && !V.isTyping(V.element(event.target))) V.collect(picked);
  });

  document.addEventListener("click", (event) => {
    const target = V.element(event.target);
    const button = target.closest("button");
    const { collect, drop: dropped, run: asked, clear, compare: asksToCompare, tab } = button?.dataset ?? {};
    if (collect !== undefined) V.collect(collect);
    else if (dropped !== undefined) drop(dropped);
    else if (asksToCompare !== undefined) compare();
    else if (clear !== undefined) V.set("collected", new Set());
    else if (asked !== undefined) run(asked === "plain" ? [] : [...V.state.collected]);
    else if (button?.dataset.keepOnly !== undefined) keepOnly({ sites: [...V.state.collected].map(textOf) });
    else if (button?.dataset.circuit !== undefined) keepOnly({});
    else if (button?.dataset.keepDrawn !== undefined) {
      V.set("kept", button.dataset.keepDrawn);
      V.set("parts", "0");
      V.setPane({ name: "flow" });
    } else if (tab === "causes") V.set("site", null);
    else chooseSource(event, target.closest("svg.heatmap"));
  });

  // A cell of a head's pattern: the pass in which that reader may not read that source.
  function chooseSource(/** @type {MouseEvent} */ event, /** @type {HTMLElement | null} */ map) {
    const head = /^L\d+\.head\d+/.exec(V.state.picked || "");
    if (!map || !head || !document.querySelector('button[data-tab="causes"]')) return;
    const box = map.getBoundingClientRect();
    const [left, top, width] = (map.getAttribute("viewBox") || "").split(" ").map(Number);
    const scale = width / box.width;
    const cell = Number(map.dataset.cell);
    const column = Math.floor(((event.clientX - box.left) * scale + left) / cell);
    const row = Math.floor(((event.clientY - box.top) * scale + top) / cell);
    if (column < 0 || row < 0 || column > row || row >= Number(map.dataset.count)) return;
    const start = Number(map.dataset.start);
    V.set("site", `${head[0]}@${start + row}<${start + column}`);
    V.set("tab", "causes");
  }

  // ------------------------------------------------------------------ what the server answers

  Object.assign(window.dash_clientside.visit, {
    // What is off in the pass that is shown now.
    changed(/** @type {{ off: string[], compared: boolean, panels: Panels } | null} */ data) {
      if (!data) return;
      const wasDiffering = own.off.length > 0 || own.compared;
      own.off = data.off.map(wordOf);
      own.compared = data.compared;
      own.said = data.panels;
      if (own.off.length || own.compared) {
        if (!wasDiffering && V.state.colouring !== "difference") own.colouring = V.state.colouring;
        V.set("colouring", "difference");
        if (own.off.length) V.set("collected", new Set(own.off));
        // Nobody typed the compared prompt into the header.
        if (own.compared && V.state.view) V.showRequest(V.state.view);
      } else if (V.state.colouring === "difference") V.set("colouring", own.colouring);
      show();
    },

    weighed(/** @type {Panels | null} */ panels) {
      if (!panels) return;
      own.said = panels;
      show();
    },

    fillCauses(/** @type {CauseAnswer | null} */ answer) {
      own.answer = answer;
      showAnswer();
    },

    // A point of the curve is a circuit of so many parts.
    keepSize(/** @type {PlotlyClick | null} */ clicked) {
      const size = clicked?.points?.[0]?.customdata;
      if (typeof size === "number") keepOnly({ keep: size });
    },

    // A point of the scatter or a cell of a map is a part of the graph.
    goTo(/** @type {PlotlyClick | null} */ clicked) {
      const id = clicked?.points?.[0]?.customdata;
      if (typeof id === "string") V.showInFlow(id);
    },
  });
})();
