// Panels that the server sends as plain trees (visit/web/tree.py), built of elements and texts.
(function () {
  "use strict";

  const V = (window.visit = window.visit || {});
  const SVG = "http://www.w3.org/2000/svg";

  // Nothing in a tree is ever read as markup, so a token can hold anything.
  function build(tree, inSvg) {
    if (typeof tree === "string") return document.createTextNode(tree);
    const isSvg = inSvg || tree.tag === "svg";
    const element = isSvg ? document.createElementNS(SVG, tree.tag) : document.createElement(tree.tag);
    for (const [name, value] of Object.entries(tree.attributes)) element.setAttribute(name, value);
    element.append(...tree.children.map((child) => build(child, isSvg)));
    return element;
  }

  V.build = (tree) => build(tree, false);

  // Panels by the id of the part they fill. What is typed into stays, and so does the focus.
  V.fill = (panels) => {
    for (const [id, trees] of Object.entries(panels || {})) {
      const panel = V.$(id);
      if (!panel) continue;
      const focused = panel.contains(document.activeElement) ? document.activeElement : null;
      const again = focused && focused.getAttribute("data-focus");
      panel.replaceChildren(...trees.map(V.build));
      if (again) panel.querySelector(`[data-focus="${CSS.escape(again)}"]`)?.focus();
      V.filled(id, panel);
    }
  };
})();
