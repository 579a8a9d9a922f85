// The help, and the keys that only it tells of. The dialog itself is made by visit/web/screen/help.py.
(function () {
  "use strict";

  const V = window.visit;
  const dialog = () => /** @type {HTMLDialogElement | null} */ (V.$("help-dialog"));

  V.showHelp = (wanted) => {
    const help = dialog();
    if (!help || help.open === wanted) return;
    if (!wanted) {
      help.close();
      return;
    }
    V.closeMenus();
    V.endTour();
    help.showModal();
    help.querySelector(".help-words")?.focus(); // so that the arrow keys scroll at once
  };

  document.addEventListener("click", (event) => {
    const target = V.element(event.target);
    if (target.closest("#help-button")) V.showHelp(true);
    else if (target.closest("[data-help=close]")) V.showHelp(false);
  });

  // A press on the backdrop is one on the dialog itself, whose inside is all covered.
  document.addEventListener("pointerdown", (event) => {
    if (event.target === dialog()) V.showHelp(false);
  });

  // Keys in the open dialog are its own: arrows scroll it and do not walk the graph behind.
  V.onFilled((id) => {
    if (id !== "help") return;
    dialog()?.addEventListener("keydown", (event) => {
      event.stopPropagation();
      if (event.key === "?") V.showHelp(false);
    });
  });

  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    const target = V.element(event.target);
    if (V.isTyping(target) || target.closest("[role=dialog]")) return;
    if (event.key === "?") {
      event.preventDefault();
      V.showHelp(true);
    } else if (/^[1-9]$/.test(event.key)) {
      const tabs = document.querySelectorAll("#inspector [role=tab]");
      tabs[Number(event.key) - 1]?.click();
    }
  });
})();
