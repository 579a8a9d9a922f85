// What a search asks for, and the nodes that answer it: pure functions, no page.
// The table is visit/web/screen/search.py's: columns of every node of the graph.
(function () {
  "use strict";

  const V = (window.visit = window.visit || {});

  // ------------------------------------------------------------------ words

  const RESTS = [
    ...["sources_rest", "heads_rest", "neurons_rest", "positions_rest", "memories_rest"],
    "experts_rest",
  ];
  const ONE_KIND = [
    ...["embed", "ln1", "query", "head", "attn_neuron", "attn_bias", "attn", "resid_mid", "ln2"],
    ...["memory_key", "memory_value", "mlp_bias", "mlp", "resid_post", "final_norm", "output"],
    ...["shared_expert", ...RESTS],
  ];
  const KINDS = {
    ...Object.fromEntries(ONE_KIND.map((kind) => [kind, [kind]])),
    key: ["key", "memory_key"],
    value: ["value", "memory_value"],
    memory: ["memory_key", "memory_value"],
    expert: ["expert", "shared_expert"],
    neuron: ["attn_neuron"],
    residual: ["resid_mid", "resid_post"],
    rest: RESTS,
    bias: ["attn_bias", "mlp_bias"],
    norm: ["ln1", "ln2", "final_norm"],
  };
  const ALIASES = { attention: "attn", embedding: "embed", resid: "residual", querie: "query", memorie: "memory", biase: "bias" };
  // What a query may compare; a head, memory, neuron or expert by its number is a kind as well.
  const MEASURES = {
    ...{ l: "layer", layer: "layer", pos: "position", position: "position" },
    ...{ head: "head", index: "index", memory: "index", neuron: "index", expert: "index" },
    ...{ rank: "rank", logit: "logit", carried: "carried", norm: "norm" },
  };
  const COUNTED = ["layer", "position", "head", "index", "rank"];
  const SIGNS = { "==": "=", ":": "=", "≤": "<=", "≥": ">=", "≠": "!=" };
  const HOLDS = {
    "<": (a, b) => a < b,
    "<=": (a, b) => a <= b,
    ">": (a, b) => a > b,
    ">=": (a, b) => a >= b,
    "=": (a, b) => a === b,
    "!=": (a, b) => a !== b,
  };

  const own = (object, name) => (Object.hasOwn(object, name) ? object[name] : null);

  // A kind's name as KINDS has it: `Heads` and `attention` are `head` and `attn`; null if it is none.
  function kindOf(word) {
    const said = word.toLowerCase();
    for (const name of [said, said.replace(/s$/, "")]) {
      const plain = own(ALIASES, name) || name;
      if (own(KINDS, plain)) return plain;
    }
    return null;
  }

  // Two words that name one kind, like `attention neurons` and `final norm`.
  function kindOfTwo(first, second) {
    const joined = `${own(ALIASES, first.toLowerCase()) || first}_${second}`;
    return kindOf(joined);
  }

  // Letters of one size, and a space for the mark that stands for it.
  const fold = (text) => text.toLowerCase().replaceAll("·", " ");

  // A number as it is typed or as the screen shows it: `1,234`, `−0.5`, `3%`; null if it is none.
  function numberOf(text) {
    const plain = text.replace("−", "-").replace(/,(?=\d{3}(?!\d))/g, "");
    const said = /^([+-]?(?:\d+\.?\d*|\.\d+))(%?)$/.exec(plain);
    return said && Number(said[1]) / (said[2] ? 100 : 1);
  }

  // ------------------------------------------------------------------ reading a query

  const PIECES = {
    space: /\s+/y,
    quoted: /["“”]([^"“”]*)(?:["“”]|$)/y,
    group: /#(?:["“”]([^"“”]*)(?:["“”]|$)|([^\s"“”]*))/y,
    compared: /(\p{L}+)\s*(<=|>=|!=|==|[<>=:≤≥≠])\s*([^\s"“”]*)/uy,
    word: /[^\s"“”]+/y,
  };

  function piecesOf(text) {
    const pieces = [];
    for (let at = 0; at < text.length; ) {
      for (const [is, pattern] of Object.entries(PIECES)) {
        pattern.lastIndex = at;
        const said = pattern.exec(text);
        if (!said || (is === "compared" && !isComparison(said))) continue;
        if (is !== "space") pieces.push({ is, said });
        at += said[0].length;
        break;
      }
    }
    return pieces;
  }

  // A colon compares only what can be compared; else it is a part of a token.
  const isComparison = ([, name, sign]) => sign !== ":" || own(MEASURES, name.toLowerCase()) !== null;

  // A query as terms that must all hold, and in words what could not be read of it.
  function parse(text) {
    const read = { terms: [], unread: [] };
    const pieces = piecesOf(text);
    while (pieces.length) {
      const { is, said } = pieces.shift();
      if (is === "quoted") readQuoted(said[1], read);
      else if (is === "group") readGroup(said[1] ?? said[2], read);
      else if (is === "compared") readComparison(said, read);
      else if (pieces[0]?.is === "word" && readTwo(said[0], pieces[0].said[0], read)) pieces.shift();
      else readWord(said[0], read);
    }
    return read;
  }

  const equals = (measure, number) => ({ is: "compare", measure, sign: "=", number });

  function readQuoted(text, { terms }) {
    if (text) terms.push({ is: "text", text: fold(text) });
  }

  // Two words that go together: `attention neurons`, `layer 5`, `head 3`. Answers whether they do.
  function readTwo(first, second, { terms }) {
    const both = kindOfTwo(first, second);
    const measure = own(MEASURES, first.toLowerCase());
    if (both) terms.push({ is: "kind", kinds: KINDS[both] });
    else if (COUNTED.includes(measure) && /^[\d,]+$/.test(second) && numberOf(second) !== null) {
      const kind = kindOf(first);
      if (kind) terms.push({ is: "kind", kinds: KINDS[kind] });
      terms.push(equals(measure, numberOf(second)));
    } else return false;
    return true;
  }

  function readGroup(name, { terms, unread }) {
    if (name) terms.push({ is: "group", text: fold(name) });
    else unread.push("“#” lacks the name of a group");
  }

  function readComparison([said, name, sign, value], { terms, unread }) {
    const measure = own(MEASURES, name.toLowerCase());
    const number = numberOf(value);
    if (!measure) {
      unread.push(`“${said}” is not read: compare L, pos, head, index, rank, logit, carried or norm, or put it in quotes`);
    } else if (!value) unread.push(`“${said.trim()}” lacks a number`);
    else if (number === null) unread.push(`“${said}” is not read: “${value}” is no number`);
    else {
      const kind = measure === "index" && kindOf(name);
      if (kind) terms.push({ is: "kind", kinds: KINDS[kind] });
      terms.push({ is: "compare", measure, sign: SIGNS[sign] || sign, number });
    }
  }

  function readWord(word, { terms, unread }) {
    const [, before, after] = /^([^@]*)@(.*)$/.exec(word) || [null, word, null];
    const layer = /^L(\d+)$/i.exec(before);
    const kind = kindOf(before);
    if (after !== null && !before) {
      if (/^\d+$/.test(after)) terms.push(equals("position", Number(after)));
      else if (after) terms.push({ is: "at", text: fold(after).trim() });
      else unread.push("“@” lacks a position");
    } else if (layer || kind) {
      if (layer) terms.push(equals("layer", Number(layer[1])));
      if (kind) terms.push({ is: "kind", kinds: KINDS[kind] });
      if (/^\d+$/.test(after ?? "")) terms.push(equals("position", Number(after)));
      else if (after !== null) unread.push(`“${word}” lacks a position after “@”`);
    } else if (isId(word)) terms.push({ is: "id", text: word.toLowerCase() });
    else terms.push({ is: "text", text: fold(word) });
  }

  // An id or how it begins, with its layer or without: `L5.head3@7`, `L5.mem`, `head3`, `head3.key@2`.
  function isId(word) {
    return /^L\d+\.[a-z_]*\d*(\.[a-z_]*)?(@\d*)?$/i.test(word) || /^(head|memory|attn_neuron|expert)\d+(\.[a-z_]*)?(@\d*)?$/i.test(word);
  }

  // ------------------------------------------------------------------ finding

  // A table with what is looked up at every key worked out once.
  function prepare(table) {
    const low = table.id.map((id) => id.toLowerCase());
    return {
      ...table,
      low,
      tail: low.map((id) => id.slice(id.indexOf(".") + 1)),
      folded: table.words.map(fold),
      row: new Map(table.id.map((id, row) => [id, row])),
      at: table.tokens.map((token) => fold(token).trim()),
    };
  }

  // How well a word answers a text: 0 the word itself, 1 begun by it, 2 holding it, null not at all.
  // A space before the word makes no difference, unless the text has one too.
  function quality(word, text) {
    const at = word.indexOf(text);
    if (at < 0) return null;
    const from = text[0] === " " ? 0 : word.length - word.trimStart().length;
    if (at !== from) return 2;
    return word.length === at + text.length ? 0 : 1;
  }

  // Each test says how well a row holds, 0 best, or null; TOP_WORDS ranks of a word are one quality.
  const TOP_WORDS = 5;

  function testOf(term, table, notes) {
    if (term.is === "text") return textTest(term.text, table, notes);
    if (term.is === "group") return noteTest(term.text, table, notes, ["group", "name"]);
    const held = heldBy(term, table);
    return (row) => (held(row) ? 0 : null);
  }

  function heldBy(term, table) {
    if (term.is === "kind") {
      const among = table.kinds.map(([kind]) => term.kinds.includes(kind));
      return (row) => among[table.kind[row]];
    }
    if (term.is === "at") return (row) => table.at[table.position[row]] === term.text;
    if (term.is === "id") {
      const whole = /^l\d/.test(term.text) ? table.low : table.tail;
      const endsInNumber = /\d$/.test(term.text);
      const goesOn = (id) => endsInNumber && /\d/.test(id[term.text.length] || "");
      return (row) => whole[row].startsWith(term.text) && !goesOn(whole[row]);
    }
    const column = table[term.measure];
    const holds = HOLDS[term.sign];
    return (row) => column[row] !== null && holds(column[row], term.number);
  }

  function textTest(text, table, notes) {
    const qualities = table.folded.map((word) => quality(word, text));
    const noted = noteTest(text, table, notes, ["name", "group", "text"]);
    return (row) => {
      let best = noted(row);
      table.top[row].forEach((word, rank) => {
        if (qualities[word] === null) return;
        const now = qualities[word] * TOP_WORDS + rank;
        if (best === null || now < best) best = now;
      });
      return best;
    };
  }

  function noteTest(text, table, notes, parts) {
    const rows = new Map();
    for (const [id, note] of Object.entries(notes)) {
      const found = parts.map((part) => (note[part] ? quality(fold(note[part]), text) : null)).filter((q) => q !== null);
      if (found.length) rows.set(table.row.get(id), Math.min(...found) * TOP_WORDS);
    }
    return (row) => rows.get(row) ?? null;
  }

  // Kinds are joined: what they have in common (`memory key`), or all of them where that is nothing,
  // since no node is of two kinds (`query key`).
  function joined(terms) {
    const kinds = terms.filter((term) => term.is === "kind").map((term) => term.kinds);
    const others = terms.filter((term) => term.is !== "kind");
    if (!kinds.length) return others;
    const common = kinds.reduce((left, right) => left.filter((kind) => right.includes(kind)));
    return [{ is: "kind", kinds: common.length ? common : kinds.flat() }, ...others];
  }

  // The rows of a prepared table where every term holds, best first: the word itself before what
  // begins with it or holds it, the first word of a reading before the others; then what writes most
  // towards the target or against it; then what carries most of the traced residual.
  function find(table, terms, notes) {
    if (!terms.length) return [];
    const tests = joined(terms).map((term) => testOf(term, table, notes || {}));
    const scores = new Map();
    for (let row = 0; row < table.id.length; row++) {
      let score = 0;
      for (const test of tests) {
        const held = test(row);
        if (held === null) {
          score = null;
          break;
        }
        score += held;
      }
      if (score !== null) scores.set(row, score);
    }
    const logit = (row) => Math.abs(table.logit[row] ?? 0);
    return [...scores.keys()].sort(
      (a, b) =>
        scores.get(a) - scores.get(b) || logit(b) - logit(a) || table.carried[b] - table.carried[a] || a - b,
    );
  }

  V.search = { parse, find, prepare, fold };
})();
