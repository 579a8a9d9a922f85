// What Dash's client-side callbacks call (visit/web/callbacks.py names them).
(function () {
  "use strict";

  const V = (window.visit = window.visit || {});

  window.dash_clientside = window.dash_clientside || {};
  window.dash_clientside.visit = {
    dress: (theme, look, sheets) => V.dress(theme, look, sheets),

    // The address, and with it what the page shows beside the view.
    address() {
      const { tab, pane, level, hidden, picked } = V.asked;
      V.state.hidden = hidden;
      V.state.level = level;
      V.state.picked = picked;
      V.setProps("tab", { data: tab });
      V.setProps("pane", { data: pane });
      V.setDock({});
      return window.location.search;
    },

    // The graph's key, which changes only with the graph.
    remember(view) {
      const isOther = V.remember(view);
      V.settle();
      return isOther ? view && view.key : window.dash_clientside.no_update;
    },

    mark(picked) {
      V.state.picked = picked || null;
      V.mark();
      V.writeAddress();
    },

    tab(tab) {
      V.state.tab = tab || "words";
      V.writeAddress();
    },

    form: (form) => V.showForm(form || {}),

    pane(pane) {
      if (pane) V.showPane(pane);
    },

    // A cell of the lens grid, or a node or link of the Sankey, is a node of the graph.
    choose(clicked) {
      const point = clicked && clicked.points && clicked.points[0];
      const id = point && (Array.isArray(point.customdata) ? point.customdata[0] : point.customdata);
      if (typeof id === "string") V.pick(id);
    },

    lens: (figure, picked) => V.showLens(figure, picked),

    fill: (panels) => V.fill(panels),

    around(data) {
      if (!data) return;
      V.fill(data.panels);
      V.setLevels(data);
      if (data.abilities) V.setAbilities(data.abilities);
      V.setSearchable(data.searchable);
    },

    // The same of a graph that a fetched block was added to.
    searchable(table) {
      if (table) V.setSearchable(table);
    },
  };
})();
