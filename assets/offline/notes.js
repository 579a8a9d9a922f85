// A reader's notes in a page that has no server: put beside what was made without them.
(function () {
  "use strict";

  const V = window.visit;

  // The names of the groups that notes are in, in order; of all notes, or of some nodes'.
  /** @type {OfflineTools["groupsOf"]} */
  const groupsOf = (notes, isOne = () => true) => {
    const named = Object.entries(notes).flatMap(([id, { group }]) => (group && isOne(id) ? [group] : []));
    return [...new Set(named)].sort();
  };

  // A node of a picture with its note, as visit/web/flow/elements.py puts it there.
  /** @type {OfflineTools["noted"]} */
  const noted = (element, notes, groups, nColours) => {
    const { data } = element;
    const note = data.family ? notes[data.id] : undefined;
    if (!note) return element;
    if (note.name) data.label = note.name;
    if (note.pinned) data.pinned = 1;
    if (note.group) data.group = groups.indexOf(note.group) % nColours;
    const said = [note.name, note.text, note.group && `group: ${note.group}`];
    data.tip = [data.tip, ...said.filter(Boolean)].join("\n");
    return element;
  };

  /** @type {(className: string, text: string) => Tree} */
  const span = (className, text) => ({ tag: "span", attributes: { class: className }, children: [text] });

  // A node's panel with its note, as visit/web/inspector/note.py shows it.
  /** @type {OfflineTools["showNote"]} */
  const showNote = (panel, note) => {
    const head = panel.querySelector(".node-head");
    const title = head?.querySelector("h2");
    if (title && note.name) title.textContent = note.name;
    if (note.text || note.group) {
      /** @type {Tree[]} */
      const children = [];
      if (note.group) children.push(span("group-name", note.group));
      if (note.text) children.push(span("note-text", note.text));
      head?.append(V.build({ tag: "p", attributes: { class: "node-note" }, children }));
    }
    for (const field of V.inputs("#inspector [data-note]")) {
      const part = /** @type {keyof NodeNote} */ (field.dataset.note);
      if (part !== "pinned") {
        field.value = note[part] || "";
        continue;
      }
      field.setAttribute("aria-pressed", String(Boolean(note.pinned)));
      field.textContent = note.pinned ? "Pinned" : "Pin";
    }
    panel.querySelector(".note-editor")?.toggleAttribute("open", Object.keys(note).length > 0);
  };

  // The whole trace's panel with what was noted: pinned nodes, each group, and what else has a note.
  /** @type {OfflineTools["listNotes"]} */
  const listNotes = (panel, notes, rowOf) => {
    const entries = Object.entries(notes).filter(([id]) => rowOf(id).length);
    /** @type {{ heading: Tree, isListed: (note: NodeNote) => unknown }[]} */
    const lists = [
      { heading: "Pinned", isListed: (note) => note.pinned },
      ...groupsOf(notes, (id) => rowOf(id).length > 0).map((group) => ({
        heading: span("group-name", group),
        isListed: (/** @type {NodeNote} */ note) => note.group === group,
      })),
      { heading: "Noted", isListed: (note) => !note.pinned && !note.group },
    ];
    const made = [];
    for (const { heading, isListed } of lists) {
      const listed = entries.filter(([, note]) => isListed(note));
      const rows = listed.map(([id, note]) => {
        const row = V.build({ tag: "li", attributes: {}, children: rowOf(id) });
        const name = row.querySelector(".part-name");
        if (name && note.name) name.textContent = note.name;
        return row;
      });
      if (!rows.length) continue;
      const list = V.build({ tag: "ul", attributes: { class: "company" }, children: [] });
      list.append(...rows);
      made.push(V.build({ tag: "h3", attributes: {}, children: [heading] }), list);
    }
    panel.querySelector("#over-model")?.prepend(...made);
  };

  // The document with the notes as they are now, and else as it was, letter for letter. They are the
  // first thing in "graph", since keys are sorted, and "audit" comes after them. A quote inside a
  // text is escaped, so neither mark can be part of one.
  /** @type {OfflineTools["documentWith"]} */
  const documentWith = (text, notes) => {
    const mark = '\n"graph":{';
    const from = text.indexOf(mark) + mark.length;
    const to = text.indexOf('"audit":{', from);
    const said = Object.keys(notes).length ? `"annotations":${JSON.stringify({ nodes: sorted(notes) })},` : "";
    return text.slice(0, from) + said + text.slice(to);
  };

  /** @type {(value: any) => any} */
  const sorted = (value) =>
    value && typeof value === "object"
      ? Object.fromEntries(Object.keys(value).sort().map((name) => [name, sorted(value[name])]))
      : value;

  V.offline = { noted, showNote, listNotes, documentWith, groupsOf };
})();
