// What a search asks for, and the nodes that answer it: pure functions, no page.
// The table is visit/web/screen/search.py's: columns of every node of the graph.
(function () {
  "use strict";

  const V = (window.visit = window.visit || {});

  // ------------------------------------------------------------------ words

  // What a query may compare, beside the number of a kind.
  const MEASURES = {
    ...{ l: "layer", layer: "layer", pos: "position", position: "position" },
    ...{ head: "head", index: "index" },
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

  // The kinds that a name names, as the table has it; null if it is none.
  const kindsOf = (name, { names }) => own(names, name.toLowerCase());

  // What a name's number is: the number of a head, or a node's own. Null where its kinds have none, or
  // not all the same.
  function numberedBy(name, table) {
    const named = kindsOf(name, table) || [];
    const by = new Set(table.kinds.filter(([kind, , , number]) => number && named.includes(kind)).map((row) => row[3]));
    return by.size === 1 ? [...by][0] : null;
  }

  const measureOf = (name, table) => own(MEASURES, name.toLowerCase()) || numberedBy(name, table);

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

  function piecesOf(text, table) {
    const pieces = [];
    for (let at = 0; at < text.length; ) {
      for (const [is, pattern] of Object.entries(PIECES)) {
        pattern.lastIndex = at;
        const said = pattern.exec(text);
        if (!said || (is === "compared" && !isComparison(said, table))) continue;
        if (is !== "space") pieces.push({ is, said });
        at += said[0].length;
        break;
      }
    }
    return pieces;
  }

  // A colon compares only what can be compared; else it is a part of a token.
  const isComparison = ([, name, sign], table) => sign !== ":" || measureOf(name, table) !== null;

  // A query as terms that must all hold, and in words what could not be read of it.
  function parse(text, table) {
    const read = { terms: [], unread: [] };
    const pieces = piecesOf(text, table);
    while (pieces.length) {
      const { is, said } = pieces[0];
      const taken = is === "word" ? readTogether(pieces, table, read) : 0;
      pieces.splice(0, taken || 1);
      if (taken) continue;
      if (is === "quoted") readQuoted(said[1], read);
      else if (is === "group") readGroup(said[1] ?? said[2], read);
      else if (is === "compared") readComparison(said, table, read);
      else readWord(said[0], table, read);
    }
    return read;
  }

  const equals = (measure, number) => ({ is: "compare", measure, sign: "=", number });

  function readQuoted(text, { terms }) {
    if (text) terms.push({ is: "text", text: fold(text) });
  }

  // Words that go together, as many as do: a kind's name of several, `attention neurons`, and a name
  // with a number, `layer 5`, `memory value 3`. Answers how many pieces they are; 0 if none.
  function readTogether(pieces, table, { terms }) {
    const end = pieces.findIndex(({ is }) => is !== "word");
    const words = pieces.slice(0, end < 0 ? pieces.length : end).map(({ said }) => said[0]);
    for (let many = Math.min(words.length, table.longest); many > 0; many--) {
      const name = words.slice(0, many).join(" ");
      const kinds = kindsOf(name, table);
      const measure = measureOf(name, table);
      const following = words[many] ?? "";
      const hasNumber = COUNTED.includes(measure) && /^[\d,]+$/.test(following) && numberOf(following) !== null;
      if (!hasNumber && !(kinds && many > 1)) continue;
      if (kinds) terms.push({ is: "kind", kinds });
      if (hasNumber) terms.push(equals(measure, numberOf(following)));
      return many + Number(hasNumber);
    }
    return 0;
  }

  function readGroup(name, { terms, unread }) {
    if (name) terms.push({ is: "group", text: fold(name) });
    else unread.push("“#” lacks the name of a group");
  }

  function readComparison([said, name, sign, value], table, { terms, unread }) {
    const measure = measureOf(name, table);
    const number = numberOf(value);
    if (!measure) {
      unread.push(`“${said}” is not read: compare L, pos, head, index, rank, logit, carried or norm, or put it in quotes`);
    } else if (!value) unread.push(`“${said.trim()}” lacks a number`);
    else if (number === null) unread.push(`“${said}” is not read: “${value}” is no number`);
    else {
      const kinds = own(MEASURES, name.toLowerCase()) ? null : kindsOf(name, table);
      if (kinds) terms.push({ is: "kind", kinds });
      terms.push({ is: "compare", measure, sign: SIGNS[sign] || sign, number });
    }
  }

  function readWord(word, table, { terms, unread }) {
    const [, before, after] = /^([^@]*)@(.*)$/.exec(word) || [null, word, null];
    const layer = /^L(\d+)$/i.exec(before);
    const kinds = kindsOf(before, table);
    if (after !== null && !before) {
      if (/^\d+$/.test(after)) terms.push(equals("position", Number(after)));
      else if (after) terms.push({ is: "at", text: fold(after).trim() });
      else unread.push("“@” lacks a position");
    } else if (layer || kinds) {
      if (layer) terms.push(equals("layer", Number(layer[1])));
      if (kinds) terms.push({ is: "kind", kinds });
      if (/^\d+$/.test(after ?? "")) terms.push(equals("position", Number(after)));
      else if (after !== null) unread.push(`“${word}” lacks a position after “@”`);
    } else if (isId(word, table)) terms.push({ is: "id", text: word.toLowerCase() });
    else terms.push({ is: "text", text: fold(word) });
  }

  // An id or how it begins, with its layer or without: `L5.head3@7`, `L5.mem`, `head3`, `head3.key@2`.
  function isId(word, { stems }) {
    if (/^L\d+\.[a-z_]*\d*(\.[a-z_]*)?(@\d*)?$/i.test(word)) return true;
    const said = /^([a-z_]+)\d+(\.[a-z_]*)?(@\d*)?$/i.exec(word);
    return said !== null && stems.has(said[1].toLowerCase());
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
      longest: Math.max(...Object.keys(table.names).map((name) => name.split(" ").length)),
      stems: new Set(table.kinds.filter(([, , , number]) => number).map(([, , , , stem]) => stem)),
    };
  }

  // The words of the glossary that a query asks the meaning of, by their names or the field's.
  function meaningsOf(text, { glossary }) {
    const sought = fold(text).trim();
    const asked = [sought, sought.replace(/s$/, "")];
    return glossary.filter(([name, also]) => [name, ...also].some((said) => asked.includes(fold(said))));
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

  V.search = { parse, find, meaningsOf, prepare, fold };
})();
