// What Dash's client-side callbacks call (visit/web/callbacks.py names them).
(function () {
  "use strict";

  const V = window.visit;
  const dash = (window.dash_clientside = window.dash_clientside || {});

  // A piece of the state that the server puts into its store, by the piece's name.
  dash.state = Object.fromEntries(
    V.table
      .filter(({ told }) => told)
      .map(({ name }) => [name, (/** @type {any} */ value) => V.tell(name, value)]),
  );

  // What is there from the start is filled before anything else is done, by whichever callback comes first.
  let isFilled = false;
  function fillFirst(/** @type {Panels | undefined} */ fixed) {
    if (isFilled || !fixed) return;
    isFilled = true;
    V.fill(fixed);
  }

  dash.visit = {
    // What the page shows at first, told to the server's callbacks. Answers the address.
    begin(_page, form, fixed) {
      fillFirst(fixed);
      if (form) V.hold("form", form);
      const said = V.address.read(V.table, window.location.search);
      for (const { name, store } of V.table) {
        if (store === "page" && name in said) V.set(name, V.state[name]);
      }
      V.askForLens();
      return window.location.search;
    },

    // The graph's rules in the reader's look, the theme's name, and what figures need of the look.
    dress: (sheets) => V.dress(sheets),

    // The graph's key, which changes only with the graph.
    remember(view, picked, fixed) {
      fillFirst(fixed);
      const isOther = V.remember(view, picked);
      V.settle();
      return isOther ? view && view.key : dash.no_update;
    },

    // A cell of the lens grid, or a node or link of the Sankey, is a node of the graph.
    choose(clicked) {
      const point = clicked && clicked.points && clicked.points[0];
      const id = point && (Array.isArray(point.customdata) ? point.customdata[0] : point.customdata);
      if (typeof id === "string") V.pick(id);
    },

    lens: (figure) => V.showLens(figure),

    fill: (panels) => V.fill(panels),

    // A figure for print, and how far a file is that takes longer.
    saveFigure: (made) => void V.saveFigure(made),
    showMaking: (told) => V.showMaking(told),

    // What stays while the graph's blocks open and close.
    showGraphPanels(data) {
      if (!data) return;
      V.fill(data.panels);
      V.propose(data.proposal);
      if (data.counts) V.setCounts({ counts: data.counts, unexplained: data.unexplained ?? [] });
      V.setMeasurable(data.measurable);
      if (data.abilities) V.setAbilities(data.abilities);
      V.setSearchable(data.searchable);
      V.setDrawnParts(data.ranking);
    },

    // What the slider offers, by what parts are chosen by.
    setCounts(steps) {
      if (steps) V.setCounts(steps);
    },

    // What was found out since about all parts.
    setRanking: (news) => V.setRanking(news),

    // What can be searched, of a graph that a fetched block was added to.
    setSearchable(table) {
      if (table) V.setSearchable(table);
    },

    showSettingProblems: (problems) => V.showSettingProblems(problems || {}),

    showContinuing: (panels) => V.showContinuing(panels),
  };
})();
