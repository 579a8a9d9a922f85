// What a search asks for, and the nodes that answer it: pure functions, no page.
// The table is visit/web/screen/search.py's: columns of every node of the graph.
(function () {
  "use strict";

  const V = (globalThis.visit = globalThis.visit || {});

  // ------------------------------------------------------------------ words

  // What a query may compare, beside the number of a kind.
  /** @type {Record<string, Measure>} */
  const MEASURES = {
    ...{ l: "layer", layer: "layer", pos: "position", position: "position" },
    ...{ head: "head", index: "index" },
    ...{ rank: "rank", logit: "logit", carried: "carried", norm: "norm" },
  };
  const COUNTED = ["layer", "position", "head", "index", "rank"];
  /** @type {Record<string, string>} */
  const SIGNS = { "==": "=", ":": "=", "≤": "<=", "≥": ">=", "≠": "!=" };
  /** @type {Record<string, (a: number, b: number) => boolean>} */
  const HOLDS = {
    "<": (a, b) => a < b,
    "<=": (a, b) => a <= b,
    ">": (a, b) => a > b,
    ">=": (a, b) => a >= b,
    "=": (a, b) => a === b,
    "!=": (a, b) => a !== b,
  };

  /** @type {<T>(object: Record<string, T>, name: string) => T | null} */
  const own = (object, name) => (Object.hasOwn(object, name) ? object[name] : null);

  // The kinds that a name names, as the table has it; null if it is none.
  /** @type {(name: string, table: SearchTable) => string[] | null} */
  const kindsOf = (name, { names }) => own(names, name.toLowerCase());

  // What a name's number is: the number of a head, or a node's own. Null where its kinds have none, or
  // not all the same.
  /** @type {(name: string, table: SearchTable) => Measure | null} */
  function numberedBy(name, table) {
    const named = kindsOf(name, table) || [];
    const by = new Set(table.kinds.filter(([kind, , , number]) => number && named.includes(kind)).map((row) => row[3]));
    return by.size === 1 ? [...by][0] : null;
  }

  /** @type {(name: string, table: SearchTable) => Measure | null} */
  const measureOf = (name, table) => own(MEASURES, name.toLowerCase()) || numberedBy(name, table);

  // Letters of one size, and a space for the mark that stands for it.
  const fold = (/** @type {string} */ text) => text.toLowerCase().replaceAll("·", " ");

  // A number as it is typed or as the screen shows it: `1,234`, `−0.5`, `3%`; null if it is none.
  function numberOf(/** @type {string} */ text) {
    const plain = text.replace("−", "-").replace(/,(?=\d{3}(?!\d))/g, "");
    const said = /^([+-]?(?:\d+\.?\d*|\.\d+))(%?)$/.exec(plain);
    return said && Number(said[1]) / (said[2] ? 100 : 1);
  }

  // ------------------------------------------------------------------ reading a query

  /** @typedef {{ is: string, said: string[] }} Piece */
  const PIECES = {
    space: /\s+/y,
    quoted: /["“”]([^"“”]*)(?:["“”]|$)/y,
    group: /#(?:["“”]([^"“”]*)(?:["“”]|$)|([^\s"“”]*))/y,
    compared: /(\p{L}+)\s*(<=|>=|!=|==|[<>=:≤≥≠])\s*([^\s"“”]*)/uy,
    word: /[^\s"“”]+/y,
  };

  /** @type {(text: string, table: SearchTable) => Piece[]} */
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
  /** @type {(said: string[], table: SearchTable) => boolean} */
  const isComparison = ([, name, sign], table) => sign !== ":" || measureOf(name, table) !== null;

  // A query as terms that must all hold, and in words what could not be read of it.
  /** @type {SearchTools["parse"]} */
  function parse(text, table) {
    /** @type {Query} */
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

  /** @type {(measure: Measure, number: number) => Term} */
  const equals = (measure, number) => ({ is: "compare", measure, sign: "=", number });

  function readQuoted(/** @type {string} */ text, /** @type {Query} */ { terms }) {
    if (text) terms.push({ is: "text", text: fold(text) });
  }

  // Words that go together, as many as do: a kind's name of several, `attention neurons`, and a name
  // with a number, `layer 5`, `memory value 3`. Answers how many pieces they are; 0 if none.
  /** @type {(pieces: Piece[], table: PreparedTable, read: Query) => number} */
  function readTogether(pieces, table, { terms }) {
    const end = pieces.findIndex(({ is }) => is !== "word");
    const words = pieces.slice(0, end < 0 ? pieces.length : end).map(({ said }) => said[0]);
    for (let many = Math.min(words.length, table.longest); many > 0; many--) {
      const name = words.slice(0, many).join(" ");
      const kinds = kindsOf(name, table);
      const measure = measureOf(name, table);
      const following = words[many] ?? "";
      const isCounted = measure !== null && COUNTED.includes(measure) && /^[\d,]+$/.test(following);
      const number = isCounted ? numberOf(following) : null;
      if (number === null && !(kinds && many > 1)) continue;
      if (kinds) terms.push({ is: "kind", kinds });
      if (measure !== null && number !== null) terms.push(equals(measure, number));
      return number === null ? many : many + 1;
    }
    return 0;
  }

  function readGroup(/** @type {string} */ name, /** @type {Query} */ { terms, unread }) {
    if (name) terms.push({ is: "group", text: fold(name) });
    else unread.push("“#” lacks the name of a group");
  }

  /** @type {(said: string[], table: SearchTable, read: Query) => void} */
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

  /** @type {(word: string, table: PreparedTable, read: Query) => void} */
  function readWord(word, table, { terms, unread }) {
    const at = word.indexOf("@");
    const before = at < 0 ? word : word.slice(0, at);
    const after = at < 0 ? null : word.slice(at + 1);
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
  function isId(/** @type {string} */ word, /** @type {PreparedTable} */ { stems }) {
    if (/^L\d+\.[a-z_]*\d*(\.[a-z_]*)?(@\d*)?$/i.test(word)) return true;
    const said = /^([a-z_]+)\d+(\.[a-z_]*)?(@\d*)?$/i.exec(word);
    return said !== null && stems.has(said[1].toLowerCase());
  }

  // ------------------------------------------------------------------ finding

  // A table with what is looked up at every key worked out once.
  /** @type {SearchTools["prepare"]} */
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
  /** @type {SearchTools["meaningsOf"]} */
  function meaningsOf(text, { glossary }) {
    const sought = fold(text).trim();
    const asked = [sought, sought.replace(/s$/, "")];
    return glossary.filter(([name, also]) => [name, ...also].some((said) => asked.includes(fold(said))));
  }

  // How well a word answers a text: 0 the word itself, 1 begun by it, 2 holding it, null not at all.
  // A space before the word makes no difference, unless the text has one too.
  function quality(/** @type {string} */ word, /** @type {string} */ text) {
    const at = word.indexOf(text);
    if (at < 0) return null;
    const from = text[0] === " " ? 0 : word.length - word.trimStart().length;
    if (at !== from) return 2;
    return word.length === at + text.length ? 0 : 1;
  }

  // Each test says how well a row holds, 0 best, or null; TOP_WORDS ranks of a word are one quality.
  const TOP_WORDS = 5;

  /** @typedef {(row: number) => number | null} RowTest */
  /** @type {(term: Term, table: PreparedTable, notes: Notes) => RowTest} */
  function testOf(term, table, notes) {
    if (term.is === "text") return textTest(term.text, table, notes);
    if (term.is === "group") return noteTest(term.text, table, notes, ["group", "name"]);
    const held = heldBy(term, table);
    return (row) => (held(row) ? 0 : null);
  }

  /** @type {(term: Term, table: PreparedTable) => (row: number) => boolean} */
  function heldBy(term, table) {
    if (term.is === "kind") {
      const among = table.kinds.map(([kind]) => term.kinds.includes(kind));
      return (row) => among[table.kind[row]];
    }
    if (term.is === "at") return (row) => table.at[table.position[row]] === term.text;
    if (term.is === "id") {
      const whole = /^l\d/.test(term.text) ? table.low : table.tail;
      const endsInNumber = /\d$/.test(term.text);
      const goesOn = (/** @type {string} */ id) => endsInNumber && /\d/.test(id[term.text.length] || "");
      return (row) => whole[row].startsWith(term.text) && !goesOn(whole[row]);
    }
    if (term.is !== "compare") throw new Error(`no row is tested by ${term.is}`);
    const column = table[term.measure];
    const holds = HOLDS[term.sign];
    return (row) => {
      const value = column[row];
      return value !== null && holds(value, term.number);
    };
  }

  /** @type {(text: string, table: PreparedTable, notes: Notes) => RowTest} */
  function textTest(text, table, notes) {
    const qualities = table.folded.map((word) => quality(word, text));
    const noted = noteTest(text, table, notes, ["name", "group", "text"]);
    return (row) => {
      let best = noted(row);
      table.top[row].forEach((word, rank) => {
        const found = qualities[word];
        if (found === null) return;
        const now = found * TOP_WORDS + rank;
        if (best === null || now < best) best = now;
      });
      return best;
    };
  }

  /** @type {(text: string, table: PreparedTable, notes: Notes, parts: ("name" | "group" | "text")[]) => RowTest} */
  function noteTest(text, table, notes, parts) {
    const rows = new Map();
    for (const [id, note] of Object.entries(notes)) {
      const found = parts.flatMap((part) => quality(fold(note[part] || ""), text) ?? []);
      if (found.length) rows.set(table.row.get(id), Math.min(...found) * TOP_WORDS);
    }
    return (row) => rows.get(row) ?? null;
  }

  // Kinds are joined: what they have in common (`memory key`), or all of them where that is nothing,
  // since no node is of two kinds (`query key`).
  /** @type {(terms: Term[]) => Term[]} */
  function joined(terms) {
    const kinds = terms.flatMap((term) => (term.is === "kind" ? [term.kinds] : []));
    const others = terms.filter((term) => term.is !== "kind");
    if (!kinds.length) return others;
    const common = kinds.reduce((left, right) => left.filter((kind) => right.includes(kind)));
    return [{ is: "kind", kinds: common.length ? common : kinds.flat() }, ...others];
  }

  // The rows of a prepared table where every term holds, best first: the word itself before what
  // begins with it or holds it, the first word of a reading before the others; then what writes most
  // towards the target or against it; then what carries most of the traced residual.
  /** @type {SearchTools["find"]} */
  function find(table, terms, notes) {
    if (!terms.length) return [];
    const tests = joined(terms).map((term) => testOf(term, table, notes || {}));
    /** @type {Map<number, number>} */
    const scores = new Map();
    for (let row = 0; row < table.id.length; row++) {
      /** @type {number | null} */
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
    const logit = (/** @type {number} */ row) => Math.abs(table.logit[row] ?? 0);
    const carried = (/** @type {number} */ row) => table.carried[row] ?? 0;
    const score = (/** @type {number} */ row) => scores.get(row) ?? 0;
    return [...scores.keys()].sort(
      (a, b) =>
        score(a) - score(b) || logit(b) - logit(a) || carried(b) - carried(a) || a - b,
    );
  }

  // A query that finds something here: the head that writes most among those whose first word is letters alone,
  // by its layer and that word. Empty where there is no such head.
  /** @type {SearchTools["exampleOf"]} */
  function exampleOf(table) {
    const { terms } = parse("head", table);
    for (const row of find(table, terms, {})) {
      const said = /^[· ]?(\p{L}{3,})$/u.exec(table.words[table.top[row][0]] ?? "");
      if (said) return `head L>=${table.layer[row]} "${said[1]}"`;
    }
    return "";
  }

  V.search = { parse, find, meaningsOf, exampleOf, prepare, fold };
})();
