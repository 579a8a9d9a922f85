// Which parts are listed, and in which order: pure functions of the columns (visit/web/ranking/rows.py).
(function () {
  "use strict";

  const V = (globalThis.visit = globalThis.visit || {});

  /** @type {RankMeasure[]} */
  const MEASURES = ["effect", "flow", "logit", "estimate", "share", "norm"];

  /** @type {RankingTools["isKnown"]} */
  const isKnown = (columns, by) => columns[by].some((value) => value !== null);

  // What parts are ranked by: as asked, or the first that is known.
  /** @type {RankingTools["measureOf"]} */
  const measureOf = (columns, asked) => [asked, ...MEASURES].find((by) => by in columns && isKnown(columns, by)) || "norm";

  // The rows that pass the filters, the largest first, whatever their sign; unknown ones come last.
  /** @type {RankingTools["rank"]} */
  function rank(columns, by, { sort, layer, source }) {
    const rows = [...columns.id.keys()].filter(
      (row) =>
        (sort === "" || columns.sort[row] === sort) &&
        (layer === "" || columns.layer[row] === Number(layer)) &&
        (source === "" || columns.source[row] === Number(source)),
    );
    const size = (/** @type {number} */ row) => Math.abs(columns[by][row] ?? -1e-12);
    const isUnknown = (/** @type {number} */ row) => (columns[by][row] === null ? 1 : 0);
    return rows.sort((a, b) => isUnknown(a) - isUnknown(b) || size(b) - size(a) || a - b);
  }

  /** @type {RankingTools["largest"]} */
  const largest = (columns, by, rows) => rows.reduce((most, row) => Math.max(most, Math.abs(columns[by][row] ?? 0)), 0);

  // Columns with what was measured since the graph was made.
  /** @type {RankingTools["withEffects"]} */
  const withEffects = (columns, { effect, estimate, flag }) => ({
    ...columns,
    effect: columns.id.map((id, row) => effect[id] ?? columns.effect[row]),
    estimate: columns.id.map((id, row) => estimate[id] ?? columns.estimate[row]),
    flag: columns.id.map((id, row) => (id in effect ? flag[id] ?? null : columns.flag[row])),
  });

  V.ranking = { MEASURES, isKnown, measureOf, rank, largest, withEffects };
})();
