// Draws a report's figures, in the page's shade; each figure is in the page for light and for dark.
(function () {
  "use strict";

  const root = document.documentElement;
  const place = document.getElementById("figures");
  /** @type {Record<string, Record<string, { data: object[], layout: object }>>} */
  const figures = JSON.parse((place && place.textContent) || "{}");
  const config = { displayModeBar: false, responsive: true };
  const system = window.matchMedia("(prefers-color-scheme: dark)");
  let chosen = "";

  function draw(/** @type {string} */ shade) {
    root.dataset.theme = shade;
    for (const [id, shades] of Object.entries(figures)) {
      const { data, layout } = structuredClone(shades[shade]); // Plotly writes into what it is given
      /** @type {any} */ (window).Plotly.react(id, data, layout, config);
    }
  }

  const shade = () => chosen || (system.matches ? "dark" : "light");

  const button = document.getElementById("shade");
  if (button) {
    button.hidden = false;
    button.addEventListener("click", () => {
      chosen = shade() === "dark" ? "light" : "dark";
      draw(chosen);
    });
  }
  system.addEventListener("change", () => draw(shade()));
  window.addEventListener("beforeprint", () => draw("light"));
  window.addEventListener("afterprint", () => draw(shade()));
  draw(shade());
})();
