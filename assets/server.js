// Says in place that the server does not answer, asks until it does, and then asks again for what was under way.
(function () {
  "use strict";

  const V = window.visit;
  const EVERY = 5000;
  const AGAIN = 1500; // while it does not answer
  const PATIENCE = 4000;
  const SETTLED = 60000; // after which what is sent arrives
  let isGone = false;
  let backAt = -Infinity;
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
    backAt = performance.now();
    // Dash forgets what it was waiting for when the line breaks.
    const trace = V.$("trace");
    if (!(trace instanceof HTMLButtonElement) || !trace.disabled) {
      V.showAgain();
      return;
    }
    V.trace();
  }

  // Dash's worker may open two connections when the server is back, and what waits for the one is then sent on the other
  // before it is open, and lost. A trace that has arrived shows at once, by its button or by what is drawn.
  document.addEventListener("click", (event) => {
    const trace = V.element(event.target).closest("#trace");
    if (!(trace instanceof HTMLButtonElement) || performance.now() > backAt + SETTLED) return;
    const [view, problem] = [V.state.view, V.part("problem").textContent];
    setTimeout(() => {
      const isLost = !trace.disabled && V.state.view === view && V.part("problem").textContent === problem;
      if (isLost && !isGone) trace.click();
    }, PATIENCE);
  });

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
