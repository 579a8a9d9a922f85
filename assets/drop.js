// A document opened in the app: dropped anywhere on the page, or chosen (visit/web/server/upload.py).
(function () {
  "use strict";

  const V = window.visit;
  const $ = V.$;
  const holdsFile = (/** @type {DragEvent} */ event) =>
    $("open") !== null && Boolean(event.dataTransfer?.types.includes("Files"));

  function tell(/** @type {string | null} */ problem) {
    V.setProps("problem", { children: problem || "", hidden: !problem });
  }

  // ------------------------------------------------------------------ sending

  // Only the last file that was given is shown, however long each takes.
  let latest = 0;
  async function open(/** @type {File} */ file) {
    const mine = ++latest;
    const most = Number(V.part("open").dataset.max);
    tell(null);
    if (file.size > most) {
      tell(`${file.name} is larger than ${Math.round(most / 2 ** 20)} MB; open it with visit show`);
      return;
    }
    cover("Opening…");
    try {
      const answer = await fetch("/open", { method: "POST", headers: { "x-visit-open": "1" }, body: file });
      if (mine !== latest) return;
      if (answer.ok) show(await answer.json());
      else tell(`${file.name}: ${await answer.text()}`);
    } catch {
      tell(`${file.name} could not be sent to the server; see whether it still runs`);
    } finally {
      if (mine === latest) cover(null);
    }
  }

  function show(/** @type {View} */ view) {
    const cancel = $("cancel");
    if (cancel && !cancel.hidden) cancel.click(); // a trace under way would take its place
    V.showRequest(view);
    V.showView(view, null);
  }

  // ------------------------------------------------------------------ choosing

  document.addEventListener("click", (event) => {
    if (!V.element(event.target).closest("#open")) return;
    const input = document.createElement("input");
    input.type = "file";
    input.accept = ".json,.html,.htm";
    input.addEventListener("change", () => input.files?.length && open(input.files[0]));
    input.click();
  });

  // ------------------------------------------------------------------ dropping

  function cover(/** @type {string | null} */ words) {
    if (!$("drop")) {
      document.body.append(V.build({ tag: "div", attributes: { id: "drop", role: "status" }, children: [] }));
    }
    const over = V.part("drop");
    over.hidden = !words;
    over.textContent = words || "";
  }

  for (const name of /** @type {("dragenter" | "dragover")[]} */ (["dragenter", "dragover"])) {
    document.addEventListener(name, (event) => {
      if (!holdsFile(event)) return;
      event.preventDefault();
      if (event.dataTransfer) event.dataTransfer.dropEffect = "copy";
      cover("Drop to open");
    });
  }

  document.addEventListener("dragleave", (event) => {
    if (holdsFile(event) && !event.relatedTarget) cover(null); // out of the window
  });

  document.addEventListener("drop", (event) => {
    if (!holdsFile(event)) return;
    event.preventDefault();
    cover(null);
    const files = event.dataTransfer?.files || [];
    if (files.length === 1) open(files[0]);
    else tell("one document is opened at a time; drop one file");
  });
})();
