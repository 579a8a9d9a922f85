// Which nodes and edges of the drawing go together: what is inside a block, the strongest path through a node,
// and where the arrow keys lead. Nothing here changes the drawing.
(function () {
  "use strict";

  const V = (globalThis.visit = globalThis.visit || {});

  // Everything inside the picked node's block that flows into it: a head's values, keys and query.
  function insides(/** @type {CyCollection} */ start) {
    let found = start.cy().collection();
    const waiting = [start];
    for (let node = waiting.pop(); node; node = waiting.pop()) {
      const edges = node.incomers("edge").difference(found);
      found = found.union(edges).union(edges.sources());
      edges.sources().forEach((source) => {
        if (!source.data("residual")) waiting.push(source);
      });
    }
    return found;
  }

  // The strongest path through a node, "back" or "on": each step is the server's (visit/graph/paths.py),
  // with what leads from one to the next.
  function wayFrom(/** @type {CyCollection} */ start, /** @type {"back" | "on"} */ direction) {
    let way = start.cy().collection();
    let node = start;
    while (node.length && node.data(direction)) {
      const next = start.cy().getElementById(node.data(direction));
      way = way.union(next).union(direction === "back" ? between(next, node) : between(node, next));
      node = next;
    }
    return way;
  }

  // The edges from one node to another; into an opened block, the parts of it that lead there.
  function between(/** @type {CyCollection} */ from, /** @type {CyCollection} */ to) {
    const edges = from.edgesTo(to);
    if (edges.length || !from.length || !to.length) return edges;
    const inside = insides(to);
    let found = from.cy().collection();
    const waiting = [from];
    for (let node = waiting.pop(); node; node = waiting.pop()) {
      const more = node.outgoers("edge").intersection(inside).difference(found);
      found = found.union(more).union(more.targets());
      more.targets().forEach((target) => waiting.push(target));
    }
    return found;
  }

  // Left and right follow the marked way, and where its next node is hidden, the strongest edge that is not;
  // up and down go to the nearest node of the column.
  function neighbour(/** @type {CyCollection} */ node, /** @type {string} */ way) {
    if (way === "left" || way === "right") {
      const marked = node.cy().getElementById(node.data(way === "left" ? "back" : "on"));
      if (marked.length && marked.visible()) return marked;
      const edges = (way === "left" ? node.incomers("edge") : node.outgoers("edge")).filter((e) => e.visible());
      const edge = edges.length ? edges.max((e) => e.data("carried")).ele : null;
      return edge && (way === "left" ? edge.source() : edge.target());
    }
    const { x, y } = node.position();
    const sign = way === "up" ? -1 : 1;
    const column = node
      .cy()
      .nodes("[family]")
      .filter((other) => other.visible())
      .filter((other) => Math.abs(other.position("x") - x) < 2 && sign * (other.position("y") - y) > 1);
    return column.length ? column.min((other) => sign * (other.position("y") - y)).ele : null;
  }

  V.ways = { insides, wayFrom, neighbour };
})();
