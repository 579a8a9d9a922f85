// The picked node in words, for those who do not see the graph: what it is, what feeds it and where it leads.
(function () {
  "use strict";

  const V = window.visit;
  const MOST = 5; // neighbours that are named on a side

  const nameOf = (/** @type {CyCollection} */ node) => String(node.data("tip") || node.id()).split("\n")[0];

  /** @type {(words: string, nodes: CyCollection) => string} */
  function list(words, nodes) {
    const names = nodes.filter((node) => node.visible()).map(nameOf);
    if (!names.length) return "";
    const more = names.length > MOST ? ` and ${names.length - MOST} more` : "";
    return ` ${words}: ${names.slice(0, MOST).join("; ")}${more}.`;
  }

  function say() {
    const place = V.$("spoken");
    const node = V.cy()?.getElementById(V.state.picked || "");
    if (!place) return;
    if (!node || !node.length) {
      place.textContent = V.state.picked ? `${V.state.picked} is picked.` : "";
      return;
    }
    const tip = String(node.data("tip") || node.id()).replaceAll("\n", ", ");
    const from = list("From", node.incomers("node[family]"));
    place.textContent = `${tip}.${from}${list("To", node.outgoers("node[family]"))}`;
  }

  V.onChange(["picked"], say);
})();
