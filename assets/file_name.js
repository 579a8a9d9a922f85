// A path does not fit into the model's field: what of it is the file's name lies over it.
(function () {
  "use strict";

  const V = window.visit;

  function show() {
    const name = V.$("file-name");
    if (!name) return;
    const path = V.field("model").value.trim();
    name.hidden = !/[\\/]/.test(path) || !/^[./~\\]|^\w:|\.gguf$/.test(path);
    name.textContent = path.split(/[\\/]/).filter(Boolean).pop() ?? "";
    V.field("model").title = path;
  }

  V.onView(() => setTimeout(show, 0)); // the field may be filled by what brought the view
  V.onFilled((id) => id === "form-menu" && show());
  document.addEventListener("input", show);
})();
