// A reader's notes in a page that has no server: put beside what was made without them.
(function () {
  "use strict";

  const V = window.visit;
  const offline = (V.offline = {});

  // A node of a picture with its note, as visit/web/flow/elements.py puts it there.
  offline.noted = (element, notes, groups, nColours) => {
    const { data } = element;
    const note = data.family && notes[data.id];
    if (!note) return element;
    if (note.name) data.label = note.name;
    if (note.pinned) data.pinned = 1;
    if (note.group) data.group = groups.indexOf(note.group) % nColours;
    const said = [note.name, note.text, note.group && `group: ${note.group}`];
    data.tip = [data.tip, ...said.filter(Boolean)].join("\n");
    return element;
  };

  const span = (className, text) => ({ tag: "span", attributes: { class: className }, children: [text] });

  // A node's panel with its note, as visit/web/inspector/note.py shows it.
  offline.showNote = (panel, note) => {
    const head = panel.querySelector(".node-head");
    if (note.name) head.querySelector("h2").textContent = note.name;
    if (note.text || note.group) {
      const children = [];
      if (note.group) children.push(span("group-name", note.group));
      if (note.text) children.push(span("note-text", note.text));
      head.append(V.build({ tag: "p", attributes: { class: "node-note" }, children }));
    }
    for (const field of panel.querySelectorAll("[data-note]")) {
      if (field.dataset.note !== "pinned") {
        field.value = note[field.dataset.note] || "";
        continue;
      }
      field.setAttribute("aria-pressed", String(Boolean(note.pinned)));
      field.textContent = note.pinned ? "Pinned" : "Pin";
    }
    panel.querySelector(".note-editor").open = Object.keys(note).length > 0;
  };

  // The whole trace's panel with what was noted: pinned nodes, each group, and what else has a note.
  offline.listNotes = (panel, notes, rowOf) => {
    const noted = Object.entries(notes).filter(([id]) => rowOf(id).length);
    const groups = [...new Set(noted.map(([, note]) => note.group).filter(Boolean))].sort();
    const lists = [
      ["Pinned", ([, note]) => note.pinned],
      ...groups.map((group) => [span("group-name", group), ([, note]) => note.group === group]),
      ["Noted", ([, note]) => !note.pinned && !note.group],
    ];
    const made = [];
    for (const [heading, is] of lists) {
      const rows = noted.filter(is).map(([id, note]) => {
        const row = V.build({ tag: "li", attributes: {}, children: rowOf(id) });
        if (note.name) row.querySelector(".part-name").textContent = note.name;
        return row;
      });
      if (!rows.length) continue;
      const list = V.build({ tag: "ul", attributes: { class: "company" }, children: [] });
      list.append(...rows);
      made.push(V.build({ tag: "h3", attributes: {}, children: [heading] }), list);
    }
    (panel.querySelector(".versus") || panel.querySelector(".facts")).after(...made);
  };

  // The document with the notes as they are now, and else as it was, letter for letter. They are the
  // first thing in "graph", since keys are sorted, and "audit" comes after them. A quote inside a
  // text is escaped, so neither mark can be part of one.
  offline.documentWith = (text, notes) => {
    const mark = '\n"graph":{';
    const from = text.indexOf(mark) + mark.length;
    const to = text.indexOf('"audit":{', from);
    const said = Object.keys(notes).length ? `"annotations":${JSON.stringify({ nodes: sorted(notes) })},` : "";
    return text.slice(0, from) + said + text.slice(to);
  };

  const sorted = (value) =>
    value && typeof value === "object"
      ? Object.fromEntries(Object.keys(value).sort().map((name) => [name, sorted(value[name])]))
      : value;
})();
