// The search box and the list of what it finds; assets/search.js reads the query.
(function () {
  "use strict";

  const V = window.visit;
  const LISTED = 40; // more are counted and marked, not listed
  // The table looked through, of which graph it is, the words of the glossary and the rows found, which
  // of these is active, and for which graph a table with fetched blocks was asked for.
  const own = {
    table: /** @type {PreparedTable | null} */ (null),
    key: "",
    meanings: /** @type {Meaning[]} */ ([]),
    rows: /** @type {number[]} */ ([]),
    terms: /** @type {Term[]} */ ([]),
    active: 0,
    asked: "",
  };

  const box = () => V.field("search");
  const isOpen = () => !V.part("found-panel").hidden;

  // ------------------------------------------------------------------ the table

  // Of one graph a table only grows: a smaller one was made before it.
  V.setSearchable = (table) => {
    const key = V.state.view?.key ?? "";
    if (own.table && own.key === key && table.id.length < own.table.id.length) return;
    own.table = V.search.prepare(table);
    own.key = key;
    own.asked = "";
    if (!V.$("search")) return;
    box().placeholder = ["Search", V.search.exampleOf(own.table)].filter(Boolean).join("  ");
    if (box().value) look();
  };

  // A block that was fetched brings nodes that the table lacks: the server is asked for it again.
  V.onDrawn = (ids) => {
    const view = V.state.view;
    const { table } = own;
    if (!table || !view || view.fixed || own.key !== view.key) return;
    const lacking = ids.filter((id) => !table.row.has(id)).sort().join(" ");
    if (!lacking || lacking === own.asked) return;
    own.asked = lacking;
    V.setProps("grown", { data: lacking });
  };

  // ------------------------------------------------------------------ looking

  // What is typed is looked for, listed, and marked in the graph; one of those found is active, at first
  // the best node.
  function look(/** @type {number | undefined} */ active = undefined) {
    const text = box().value;
    const { table } = own;
    const notes = V.state.view?.notes ?? {};
    const { terms, unread } = table ? V.search.parse(text, table) : { terms: [], unread: [] };
    own.terms = terms;
    own.meanings = table ? V.search.meaningsOf(text, table) : [];
    own.rows = table ? V.search.find(table, terms, notes) : [];
    V.part("search-clear").hidden = !text;
    const drawn = V.showFound(new Set(own.rows.map((row) => table?.id[row] ?? "")));
    list(notes, said(drawn), unread);
    activate(active ?? (own.rows.length ? own.meanings.length : 0));
  }

  function said(/** @type {number} */ drawn) {
    if (!own.table) return "Nothing is traced yet.";
    if (!own.terms.length) return "Search tokens, kinds and ids; every term must hold:";
    if (!own.rows.length && own.meanings.length) return "No node is called so or says so. What it means:";
    if (!own.rows.length) return "Nothing found; every term must hold:";
    const best = own.rows.length > LISTED ? `; the best ${LISTED} are listed` : "";
    return `${own.rows.length.toLocaleString("en")} found, ${drawn.toLocaleString("en")} drawn${best}`;
  }

  /** @type {(notes: Notes, summary: string, unread: string[]) => void} */
  function list(notes, summary, unread) {
    const { table } = own;
    const texts = own.terms.flatMap((term) => (term.is === "text" ? [term.text] : []));
    const lines = unread.map((line) => part("p", "unread", line));
    if (summary) lines.push(part("p", "", summary));
    V.part("found-note").replaceChildren(...lines);
    const nodes = table ? own.rows.slice(0, LISTED).map((row) => option(table, row, notes, texts)) : [];
    const options = [...own.meanings.map(meaning), ...nodes];
    options.forEach((made, n) => {
      made.setAttribute("role", "option");
      made.id = `found-${n}`;
    });
    const found = V.part("found");
    found.replaceChildren(...options);
    found.hidden = !options.length;
    found.scrollTop = 0;
    const grammar = V.part("found-panel").querySelector(".grammar");
    if (grammar) grammar.hidden = options.length > 0;
  }

  /** @type {(tag: string, className: string, ...children: (string | Node)[]) => HTMLElement} */
  function part(tag, className, ...children) {
    const made = document.createElement(tag);
    if (className) made.className = className;
    made.append(...children);
    return made;
  }

  // ------------------------------------------------------------------ one line of the list

  // A word of the glossary, with what it means.
  function meaning(/** @type {Meaning} */ [name, also, says]) {
    const made = part(
      "div",
      "found-word",
      part("span", "found-title", name),
      part("span", "also", also.join(", ")),
      part("span", "says", says),
    );
    made.dataset.word = name;
    made.title = "Opens the help at this word";
    return made;
  }

  /** @type {(table: PreparedTable, row: number, notes: Notes, texts: string[]) => HTMLElement} */
  function option(table, row, notes, texts) {
    const [, family, title] = table.kinds[table.kind[row]];
    const number = table.head[row] ?? table.index[row] ?? "";
    const layer = table.layer[row] === null ? [] : [`layer ${table.layer[row]}`];
    const token = part("span", "token", table.tokens[table.position[row]]);
    const place = part("span", "place", [...layer, ""].join(" · "), token);
    const { name, group } = notes[table.id[row]] || {};
    const noted = [name || "", group ? `#${group}` : ""]
      .filter(Boolean)
      .map((text) => part("span", "noted", ...marked(text, texts)));
    const words = table.top[row].map((word) => {
      const pieces = marked(table.words[word], texts);
      return part("span", pieces.some((piece) => typeof piece !== "string") ? "token is-match" : "token", ...pieces);
    });
    const [logit, rank, carried] = [table.logit[row], table.rank[row], table.carried[row]];
    const made = part(
      "div",
      "found-node",
      part("span", `swatch ${family}`),
      part("span", "found-title", `${title}${number}`),
      place,
      part("span", "number", logit === null ? "" : `logit ${signed(logit)}`),
      part("span", "found-words", ...noted, ...words),
      part("span", "number rank", rank === null ? "promoted" : `rank ${rank.toLocaleString("en")}`),
    );
    made.dataset.row = String(row);
    const right = rank === null ? "the direct logit; the words are what it promotes in the end" : "the direct logit and the target's rank";
    const carries = carried === null ? "" : `carries ${(100 * carried).toFixed(2)} %; `;
    made.title = `${table.id[row]}\n${carries}on the right ${right}`;
    return made;
  }

  const signed = (/** @type {number} */ value) => `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(2)}`;

  // A text with what was searched for in it set off; folding keeps every letter's place, or nothing
  // is set off.
  /** @type {(text: string, texts: string[]) => (string | Node)[]} */
  function marked(text, texts) {
    const folded = V.search.fold(text);
    const sought = texts.find((other) => folded.includes(other));
    if (sought === undefined || folded.length !== text.length) return [text];
    const at = folded.indexOf(sought);
    const end = at + sought.length;
    const pieces = [text.slice(0, at), part("mark", "", text.slice(at, end)), text.slice(end)];
    return pieces.filter((piece) => piece !== "");
  }

  // ------------------------------------------------------------------ moving, going, closing

  function activate(/** @type {number} */ n) {
    const options = V.part("found").querySelectorAll("[role=option]");
    own.active = Math.max(0, Math.min(n, options.length - 1));
    options.forEach((each, i) => each.setAttribute("aria-selected", String(i === own.active)));
    const active = options[own.active];
    if (active && isOpen()) {
      box().setAttribute("aria-activedescendant", active.id);
      active.scrollIntoView({ block: "nearest" });
    } else box().removeAttribute("aria-activedescendant");
  }

  function show(/** @type {boolean} */ open) {
    V.part("found-panel").hidden = !open;
    box().setAttribute("aria-expanded", String(open));
    activate(own.active);
  }

  // Looked for again: blocks may have opened since, and notes been made.
  function open() {
    look(own.active);
    show(true);
  }

  function clear() {
    box().value = "";
    look();
  }

  // To a node: what hides it is opened, and a kind that the legend hides comes back.
  function go(/** @type {number} */ row) {
    const { table } = own;
    if (!table) return;
    const family = table.kinds[table.kind[row]][1];
    if (V.state.hidden.has(family)) V.toggleFamily(family);
    V.goTo(table.id[row], table.ways[table.way[row]]);
    show(false);
  }

  // To a word: the help is opened at it.
  function explain(/** @type {string} */ word) {
    show(false);
    V.showHelp(true);
    const entry = document.querySelector(`#help [data-word="${CSS.escape(word)}"]`);
    if (!entry) return;
    entry.tabIndex = -1;
    entry.focus();
    entry.scrollIntoView({ block: "center" });
  }

  // To what an option of the list is of.
  const choose = (/** @type {HTMLElement} */ { dataset }) => (dataset.word ? explain(dataset.word) : go(Number(dataset.row)));

  function chooseActive() {
    const active = V.part("found").querySelector("[aria-selected=true]");
    if (active) choose(active);
  }

  /** @type {Record<string, () => void>} */
  const KEYS = {
    ArrowDown: () => (isOpen() ? activate(own.active + 1) : open()),
    ArrowUp: () => activate(own.active - 1),
    Enter: () => (isOpen() ? chooseActive() : open()),
  };

  function keydown(/** @type {KeyboardEvent} */ event) {
    if (event.isComposing || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape") box().blur(); // which closes the list; what is found stays marked
    else if (KEYS[event.key]) KEYS[event.key]();
    else return;
    event.preventDefault();
  }

  V.onFilled((id, panel) => {
    if (id !== "finder") return;
    const input = box();
    input.addEventListener("keydown", keydown);
    input.addEventListener("input", () => {
      look();
      show(true);
    });
    for (const name of ["focus", "click"]) {
      input.addEventListener(name, () => {
        if (!isOpen()) open();
      });
    }
    panel.addEventListener("focusout", (event) => {
      if (!panel.contains(/** @type {Node | null} */ (event.relatedTarget))) show(false);
    });
    // The focus stays in the box, whatever is clicked beside it.
    panel.addEventListener("mousedown", (event) => {
      if (event.target !== input) event.preventDefault();
    });
    panel.addEventListener("click", (event) => {
      const target = V.element(event.target);
      const found = target.closest("[role=option]");
      if (found) choose(found);
      else if (target.closest("#search-clear")) {
        clear();
        input.focus();
      }
    });
  });
})();
