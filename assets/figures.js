// When Plotly is loaded: it is several times all other scripts together, and no figure is seen before a pane or
// the lens grid is opened. So it waits for the first graph to be drawn, and then for the page to have nothing to do.
(function () {
  "use strict";

  const V = window.visit;
  const LATEST = 2000;

  // Dash's figures take the library, or wait for it where it is still promised.
  window.Plotly = new Promise((resolve) => {
    let isAsked = false;
    V.onFilled((id) => {
      if (id !== "graph" || isAsked) return;
      isAsked = true;
      window.requestIdleCallback(load, { timeout: LATEST });
    });

    function load() {
      const address = window._dashPlotlyJSURL;
      if (!address) return; // a page without a server has no figures
      const script = document.createElement("script");
      script.src = address;
      script.onload = () => resolve(window.Plotly); // which is the library by now
      script.onerror = () => {
        script.remove();
        setTimeout(load, LATEST); // the server is gone, which the page tells of; it may come back
      };
      document.body.append(script);
    }
  });
})();
