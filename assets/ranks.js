// The panel of all parts (visit/web/ranking): its map, its table and the parts × tokens map, drawn of columns.
(function () {
  "use strict";

  const V = window.visit;
  const { MEASURES, isKnown, measureOf, rank, largest, withEffects } = V.ranking;
  const AT_ONCE = 60; // rows, and as many more on demand
  const IN_MAP = 24; // parts of the parts × tokens map
  const WIDTH = 330; // of a map, in units of its own
  const UNDER_WORDS = 45; // per cent of a colour at most where a number is read on it (WCAG AA in every theme)

  /** @type {RankColumns | null} */
  let columns = null;
  let key = "";
  /** @type {RankNews | null} */
  let heard = null; // the last news, which may come before the page knows of their graph
  let shown = AT_ONCE;
  const filters = { sort: "", layer: "", source: "" };

  // ------------------------------------------------------------------ what is known

  // Filters are of one graph: its layers and its tokens.
  /** @type {(of: string, told: RankColumns) => void} */
  function take(of, told) {
    if (key !== of) {
      Object.assign(filters, { sort: "", layer: "", source: "" });
      shown = AT_ONCE;
    }
    [key, columns] = [of, told];
  }

  // The graph's own parts; not where more is known of the same graph already.
  V.setDrawnParts = (drawn) => {
    const now = V.state.view?.key ?? "";
    if (columns && key === now && columns.known !== "drawn") return;
    take(now, drawn);
    if (heard?.key === now) V.setRanking(heard);
    else draw();
  };

  // What the server found out since about the parts of one graph.
  V.setRanking = (news) => {
    heard = news ?? heard;
    if (!news || news.key !== V.state.view?.key) return;
    if (news.searchable) V.setSearchable(news.searchable);
    if (news.columns) take(news.key, news.columns);
    if (!columns || key !== news.key) return;
    if (news.effects) columns = withEffects(columns, news.effects);
    if (news.known) columns = { ...columns, known: news.known };
    draw();
  };

  // ------------------------------------------------------------------ numbers and words

  const signed = (/** @type {number | null} */ value) =>
    value === null ? "" : `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(2)}`;
  /** @type {(by: RankMeasure, value: number | null) => string} */
  function said(by, value) {
    if (value === null) return "";
    if (by === "norm") return value.toPrecision(3);
    return by === "share" ? `${signed(100 * value)} %` : signed(value);
  }

  /** @type {(tag: string, attributes: Record<string, string>, ...children: Tree[]) => Exclude<Tree, string>} */
  const tree = (tag, attributes, ...children) => ({ tag, attributes, children });
  const token = (/** @type {string} */ text) => tree("span", { class: "token", title: text }, text);

  // A change that comes of taking a part away is against the target where the part speaks for it.
  /** @type {(by: RankMeasure, part: number) => number} */
  const towards = (by, part) => (by === "effect" || by === "estimate" ? -part : part);

  // The colour of a part of the largest, signed towards the target: the theme's two hues, from its middle on.
  function shade(/** @type {number} */ part, deepest = 100) {
    const depth = Math.round(deepest * Math.sqrt(Math.min(1, Math.abs(part))));
    return `color-mix(in srgb, var(--${part < 0 ? "minus" : "plus"}) ${depth}%, var(--middle))`;
  }

  const byNow = (/** @type {RankColumns} */ table) => measureOf(table, /** @type {RankMeasure} */ (V.state.rankedBy));

  // ------------------------------------------------------------------ the panel

  function draw() {
    if (!columns || !V.$("rank-rows")) return;
    showSide();
    offer(columns);
    const by = byNow(columns);
    const rows = rank(columns, by, filters);
    say(columns, rows.length);
    drawMap(columns, by);
    drawRows(columns, by, rows);
    drawTokens(columns, by, rows);
  }

  // What can be chosen: the measures that are known, and what the filters find.
  function offer(/** @type {RankColumns} */ table) {
    const pick = /** @type {HTMLSelectElement} */ (V.part("rank-by"));
    for (const option of pick.options) {
      const by = /** @type {RankMeasure} */ (option.value);
      option.disabled = !isKnown(table, by);
      option.title = option.disabled ? "Not known of these parts" : "";
    }
    pick.value = byNow(table);
    fillPick("rank-sort", "sort", [...new Set(table.sort)].map((sort) => [sort, sort]));
    fillPick("rank-layer", "layer", [...new Set(table.layer)].sort((a, b) => a - b).map((n) => [String(n), `layer ${n}`]));
    const read = [...new Set(table.source.filter((at) => at !== null))].sort((a, b) => a - b);
    fillPick("rank-source", "source", read.map((at) => [String(at), `reads ${table.prompt[at]} at ${at}`]));
  }

  /** @type {(id: string, name: keyof typeof filters, options: string[][]) => void} */
  function fillPick(id, name, options) {
    const pick = /** @type {HTMLSelectElement} */ (V.part(id));
    const made = options.map(([value, words]) => V.build(tree("option", { value }, words)));
    pick.replaceChildren(pick.options[0], ...made);
    pick.value = filters[name];
    if (pick.selectedIndex < 0) pick.value = filters[name] = "";
  }

  function say(/** @type {RankColumns} */ table, /** @type {number} */ many) {
    const place = V.part("rank-said");
    place.dataset.known = table.known;
    const count = `${many.toLocaleString("en")} parts`;
    if (table.known === "measuring") place.replaceChildren(`${count}; measuring…`);
    else if (table.known === "ranked") {
      const ask = tree("button", { class: "quiet", "data-measure": "all", title: "Runs the model again without each of them" }, "Measure effects");
      place.replaceChildren(count, V.build(ask));
    } else place.replaceChildren(table.known === "drawn" ? `${count} of the graph` : count);
  }

  // ------------------------------------------------------------------ heads × layers

  function drawMap(/** @type {RankColumns} */ table, /** @type {RankMeasure} */ by) {
    const { n_layers: nLayers, n_heads: nHeads } = table;
    const cells = [...table.id.keys()].filter((row) => table.position[row] === table.traced && ["heads", "MLPs"].includes(table.sort[row]));
    const most = largest(table, by, cells) || 1;
    const left = 30;
    const wide = (WIDTH - left) / nLayers;
    const high = Math.max(5, Math.min(11, wide * 0.9));
    const gap = 3;
    const top = (/** @type {number} */ row) => (table.sort[row] === "MLPs" ? nHeads * high + gap : (table.number[row] ?? 0) * high);
    const drawn = cells.map((row) => {
      const value = table[by][row];
      const place = { x: String(left + table.layer[row] * wide), y: String(top(row)), width: String(wide), height: String(high) };
      const part = value === null ? 0 : towards(by, value / most);
      const style = value === null ? "fill: none" : `fill: ${shade(part)}`;
      const marks = [tree("rect", { ...place, style, class: "cell" })];
      if (part < -0.1 && high >= 7) {
        const [x, y] = [left + (table.layer[row] + 0.5) * wide, top(row) + high / 2];
        marks.push(tree("line", { class: "minus-mark", x1: String(x - 2), x2: String(x + 2), y1: String(y), y2: String(y) }));
      }
      const flag = table.flag[row];
      const words = `${table.name[row]}: ${said(by, value)}${flag ? `, ${flag}` : ""}`;
      return tree("g", { "data-node": table.id[row] }, tree("title", {}, words), ...marks);
    });
    const bottom = (nHeads + 1) * high + gap;
    const every = Math.max(1, Math.ceil(nLayers / 6));
    const labels = [
      ...[0, nHeads - 1].map((head) => label(left - 4, (head + 0.5) * high, String(head), "at-end")),
      label(left - 4, nHeads * high + gap + high / 2, "MLP", "at-end"),
      ...[...Array(nLayers).keys()].filter((n) => n % every === 0).map((n) => label(left + (n + 0.5) * wide, bottom + 8, String(n), "in-middle")),
    ];
    const box = { viewBox: `0 0 ${WIDTH} ${bottom + 16}`, width: "100%", role: "img", "aria-label": "Heads by layers; the table below has the numbers" };
    V.part("rank-map").replaceChildren(V.build(tree("svg", box, ...drawn, ...labels)), V.build(scale(by, most)));
  }

  /** @type {(x: number, y: number, words: string, name: string) => Tree} */
  const label = (x, y, words, name) => tree("text", { x: String(x), y: String(y), dy: "0.35em", class: name }, words);

  // What the colours say.
  function scale(/** @type {RankMeasure} */ by, /** @type {number} */ most) {
    const words = towards(by, 1) < 0 ? "Δ without it" : "towards the target";
    const title = "Blue speaks for the target, orange with a stroke against it";
    const chips = [-1, -0.25, 0, 0.25, 1].map((part) => tree("span", { class: "chip-colour", title, style: `background: ${shade(towards(by, part))}` }));
    return tree("p", { class: "hint scale" }, "head × layer", tree("span", { class: "number" }, said(by, -most)), ...chips, tree("span", { class: "number" }, said(by, most)), words);
  }

  // ------------------------------------------------------------------ the table

  /** @type {(table: RankColumns, by: RankMeasure, rows: number[]) => void} */
  function drawRows(table, by, rows) {
    const most = largest(table, by, rows) || 1;
    const whole = document.querySelector(".ranks");
    if (!whole) return;
    whole.setAttribute("data-by", by);
    for (const heading of whole.querySelectorAll("th[data-measure]")) {
      const name = heading.getAttribute("data-measure");
      heading.setAttribute("aria-sort", name === by ? "descending" : "none");
      heading.classList.toggle("is-by", name === by);
    }
    V.part("rank-rows").replaceChildren(...rows.slice(0, shown).map((row) => V.build(rowOf(table, by, row, most))));
    V.part("rank-more").hidden = rows.length <= shown;
  }

  /** @type {(table: RankColumns, by: RankMeasure, row: number, most: number) => Exclude<Tree, string>} */
  function rowOf(table, by, row, most) {
    const value = table[by][row];
    const at = table.source[row];
    const position = table.position[row];
    const name = [tree("span", { class: `swatch ${table.role[row]}` }), tree("span", { class: "part-name" }, table.name[row])];
    if (position !== table.traced) name.push(tree("span", { class: "said" }, "@", token(table.prompt[position])));
    const flag = table.flag[row];
    if (flag) name.push(tree("span", { class: `flagged ${flag}`, title: FLAGS[flag] }, flag === "reversed" ? "↯" : "⟲"));
    const source = at === null ? [] : [tree("span", { title: `attention ${Math.round(100 * (table.attention[row] ?? 0))} %` }, token(table.prompt[at]))];
    const go = tree("button", { class: "go", title: table.id[row], "data-node": table.id[row] }, ...name);
    return tree(
      "tr",
      { "data-node": table.id[row] },
      tree("td", {}, go),
      tree("td", { class: "of-source" }, ...source),
      tree("td", {}, ...wordOf(table, row)),
      tree("td", {}, bar(by, (value ?? 0) / most)),
      ...MEASURES.map((one) => tree("td", { class: `number of-measure of-${one}${one === by ? " is-by" : ""}` }, said(one, table[one][row]))),
    );
  }

  /** @type {Record<string, string>} */
  const FLAGS = {
    repaired: "Repaired: less than a quarter of its direct effect is left, what follows makes up for it",
    reversed: "Reversed: without it the metric changes the other way than its direct effect says",
  };

  // What a part promotes; with a minus, what it suppresses, if it works against the metric.
  /** @type {(table: RankColumns, row: number) => Tree[]} */
  function wordOf(table, row) {
    const [up, down] = [table.promotes[row], table.suppresses[row]];
    const against = (table.flow[row] ?? 0) < 0 && down.length > 0;
    const word = (against ? down : up)[0];
    if (word === undefined) return [];
    const title = `promotes ${up.join(" ")}; suppresses ${down.join(" ")}`;
    return [tree("span", { class: "token", title }, `${against ? "−" : ""}${word}`)];
  }

  /** @type {(by: RankMeasure, part: number) => Tree} */
  function bar(by, part) {
    const width = 50 * Math.min(1, Math.abs(part));
    const left = part < 0 ? 50 - width : 50;
    const style = `left: ${left.toFixed(1)}%; width: ${width.toFixed(1)}%`;
    return tree("span", { class: "signed-bar", style: "--zero: 50%" }, tree("span", { class: towards(by, part) < 0 ? "minus" : "plus", style }));
  }

  // ------------------------------------------------------------------ parts × tokens

  /** @type {(table: RankColumns, by: RankMeasure, rows: number[]) => void} */
  function drawTokens(table, by, rows) {
    const place = V.part("rank-tokens");
    const some = rows.filter((row) => table.tokens[row].length > 0).slice(0, IN_MAP);
    if (!some.length) {
      place.replaceChildren("The document does not hold it: it takes a model to ask.");
      return;
    }
    const most = Math.max(...some.flatMap((row) => table.tokens[row].map(Math.abs))) || 1;
    const heads = table.next.map((word) => tree("th", { scope: "col", title: word }, tree("span", { class: "token" }, word)));
    const body = some.map((row) =>
      tree(
        "tr",
        { "data-node": table.id[row] },
        tree("th", { scope: "row" }, tree("button", { class: "go", "data-node": table.id[row] }, table.name[row])),
        ...table.tokens[row].map((flow, at) =>
          tree("td", { class: "number", style: `background: ${shade(flow / most, UNDER_WORDS)}`, title: `${table.name[row]} to ${table.next[at]}: ${signed(flow)}` }, Math.abs(flow) < most / 20 ? "" : flow.toFixed(1).replace("-", "−")),
        ),
      ),
    );
    const made = tree("table", { class: "token-map" }, tree("thead", {}, tree("tr", {}, tree("th", {}), ...heads)), tree("tbody", {}, ...body));
    const more = tree("p", { class: "hint" }, `The ${some.length} strongest of the parts that are listed, by ${by === "effect" ? "effect" : by}.`);
    place.replaceChildren(V.build(made), V.build(more));
  }

  // ------------------------------------------------------------------ what is chosen

  function showSide() {
    for (const tab of document.querySelectorAll("[data-overview]")) {
      const isShown = tab.dataset.overview === V.state.overview;
      tab.setAttribute("aria-selected", String(isShown));
      const side = V.$(`over-${tab.dataset.overview}`);
      if (side) side.hidden = !isShown;
    }
  }

  // The effects of all parts, where they are not measured or being measured already.
  V.measureParts = () => {
    if (columns?.known === "ranked") V.setProps("measure", { data: { key, asked: Date.now() } });
  };

  V.onChange(["overview", "rankedBy"], draw);
  V.onFilled((id) => {
    if (id === "inspector") draw();
  });
  document.addEventListener("change", (event) => {
    const { id, value } = /** @type {HTMLSelectElement} */ (event.target);
    if (id === "rank-by") V.set("rankedBy", value);
    const filter = /^rank-(sort|layer|source)$/.exec(id);
    if (!filter) return;
    filters[/** @type {keyof typeof filters} */ (filter[1])] = value;
    shown = AT_ONCE;
    draw();
  });
  document.addEventListener("click", (event) => {
    if (!V.element(event.target).closest("#rank-more")) return;
    shown += AT_ONCE;
    draw();
  });
})();
