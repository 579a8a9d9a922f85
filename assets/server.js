// Says in place that the server does not answer, asks until it does, and then asks again for what was under way.
(function () {
  "use strict";

  const V = window.visit;
  const EVERY = 5000;
  const AGAIN = 1500; // while it does not answer
  const PATIENCE = 4000;
  let isGone = false;
  /** @type {number | undefined} */
  let timer;

  async function answers() {
    try {
      await fetch("/health", { cache: "no-store", signal: AbortSignal.timeout(PATIENCE) });
      return true;
    } catch {
      return false;
    }
  }

  // A single answer that is late is no sign; two are.
  async function look() {
    clearTimeout(timer);
    const isHere = document.hidden || (await answers()) || (!isGone && (await answers()));
    if (isHere === isGone) show(!isHere);
    timer = setTimeout(look, isGone ? AGAIN : EVERY);
  }

  function show(/** @type {boolean} */ gone) {
    isGone = gone;
    V.part("gone").hidden = !gone;
    if (gone) return;
    // Dash forgets what it was waiting for when the line breaks.
    const trace = V.$("trace");
    if (!(trace instanceof HTMLButtonElement) || !trace.disabled) {
      V.showAgain();
      return;
    }
    V.setProps("trace", { disabled: false });
    setTimeout(() => trace.click(), 0);
  }

  V.onFilled((id) => {
    if (id === "toolbar" && V.$("gone") && !timer) timer = setTimeout(look, EVERY);
  });
  for (const event of ["online", "offline"]) {
    window.addEventListener(event, () => {
      if (timer) look();
    });
  }
  document.addEventListener("visibilitychange", () => {
    if (timer && !document.hidden) look();
  });
})();
