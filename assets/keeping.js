// What the browser keeps of a prompt and a model: notes, and the pieces of the state that are marked as kept. Pure
// but for the storage that it is given.
(function () {
  "use strict";

  const V = (globalThis.visit = globalThis.visit || {});
  const PREFIX = "visit.kept:";
  const MOST = 200; // prompts; those kept longest ago go first
  const TEXTS = /** @type {("name" | "text" | "group")[]} */ (["name", "text", "group"]);
  const LONGEST = 20000; // letters of a note's part

  // The prompt as the model reads it, and the weights that read it: what a node's id is of.
  /** @type {KeepingTools["subjectOf"]} */
  function subjectOf({ request, texts, weights }) {
    const { prompt, model } = request;
    const read = ["prompt_ids", "bos", "chat"].map((name) => texts[name] ?? null);
    return JSON.stringify([weights ?? model ?? null, prompt, ...read]);
  }

  // Notes of whatever origin, a link's among them, as the server takes them: what is no note is left out.
  /** @type {KeepingTools["notesFrom"]} */
  function notesFrom(data) {
    /** @type {[string, NodeNote][]} */
    const notes = Object.entries(isRecord(data) ? /** @type {object} */ (data) : {}).map(([id, said]) => [id, noteFrom(said)]);
    return Object.fromEntries(notes.filter(([, note]) => Object.keys(note).length));
  }

  function noteFrom(/** @type {any} */ said) {
    /** @type {NodeNote} */
    const note = {};
    if (!isRecord(said)) return note;
    for (const part of TEXTS) {
      if (typeof said[part] === "string" && said[part]) note[part] = said[part].slice(0, LONGEST);
    }
    if (said.pinned === true) note.pinned = true;
    return note;
  }

  const isRecord = (/** @type {any} */ value) =>
    typeof value === "object" && value !== null && !Array.isArray(value);

  /** @type {(text: string | null) => any} */
  function read(text) {
    try {
      return JSON.parse(text || "null");
    } catch {
      return null;
    }
  }

  /** @type {KeepingTools["keptFrom"]} */
  function keptFrom(text) {
    const said = read(text);
    return { notes: notesFrom(said?.notes), pieces: isRecord(said?.pieces) ? said.pieces : {} };
  }

  /** @type {KeepingTools["load"]} */
  const load = (storage, subject) => keptFrom(storage.getItem(PREFIX + subject));

  // Answers whether it is kept now. Nothing to keep is kept by keeping nothing.
  /** @type {KeepingTools["save"]} */
  function save(storage, subject, { notes, pieces }, now) {
    const name = PREFIX + subject;
    if (!Object.keys(notes).length && !Object.keys(pieces).length) {
      storage.removeItem(name);
      return true;
    }
    const others = oldestFirst(storage).filter((other) => other !== name);
    while (others.length >= MOST) storage.removeItem(others.shift() ?? "");
    for (;;) {
      try {
        storage.setItem(name, JSON.stringify({ at: now, notes, pieces }));
        return true;
      } catch {
        const oldest = others.shift(); // the browser's room is full
        if (oldest === undefined) return false;
        storage.removeItem(oldest);
      }
    }
  }

  function oldestFirst(/** @type {Storage} */ storage) {
    const names = Array.from({ length: storage.length }, (_, i) => storage.key(i) ?? "");
    const kept = names.filter((name) => name.startsWith(PREFIX));
    const at = new Map(kept.map((name) => [name, Number(read(storage.getItem(name))?.at) || 0]));
    return kept.sort((a, b) => (at.get(a) ?? 0) - (at.get(b) ?? 0));
  }

  V.keeping = { subjectOf, notesFrom, keptFrom, load, save };
})();
