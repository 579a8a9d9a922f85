// Words of the glossary: pointed at, or reached by the keyboard, each says what it means on a card.
// Any element with data-term is one; what the card says is in the help (visit/web/screen/help.py).
(function () {
  "use strict";

  const V = (window.visit = window.visit || {});
  const WAIT = 250; // before the card appears
  const GRACE = 140; // to reach the card with the pointer
  let card = null;
  let shown = null; // the word whose card is shown
  let timer = null;

  const entry = (name) => document.querySelector(`#help [data-word="${CSS.escape(name)}"] dd`);

  function show(term) {
    const said = term.isConnected && entry(term.dataset.term);
    if (!said) return;
    if (!card) {
      card = document.createElement("div");
      Object.assign(card, { id: "term-card", className: "term-card", role: "tooltip" });
      document.body.append(card);
    }
    hide();
    const name = document.createElement("strong");
    name.textContent = term.dataset.term;
    card.replaceChildren(name, ...said.cloneNode(true).childNodes);
    card.hidden = false;
    shown = term;
    term.setAttribute("aria-describedby", card.id);
    place(term.getBoundingClientRect());
  }

  // Beneath the word, or above it where there is no room; never out of the window.
  function place(at) {
    const margin = 8;
    const left = Math.max(margin, Math.min(at.left - 6, window.innerWidth - card.offsetWidth - margin));
    const below = at.bottom + 6;
    const fits = below + card.offsetHeight + margin <= window.innerHeight;
    card.style.left = `${left}px`;
    card.style.top = `${fits ? below : Math.max(margin, at.top - card.offsetHeight - 6)}px`;
  }

  function hide() {
    clearTimeout(timer);
    if (!shown) return;
    shown.removeAttribute("aria-describedby");
    shown = null;
    card.hidden = true;
  }

  function later(act, wait) {
    clearTimeout(timer);
    timer = setTimeout(act, wait);
  }

  const termAt = (target) => target.closest && target.closest("[data-term]");

  document.addEventListener("pointerover", (event) => {
    const term = termAt(event.target);
    if (term && term !== shown) later(() => show(term), WAIT);
    else if (term || (card && card.contains(event.target))) clearTimeout(timer);
    else if (shown && shown !== document.activeElement) later(hide, GRACE);
    else clearTimeout(timer);
  });
  document.documentElement.addEventListener("pointerleave", hide);
  document.addEventListener("focusin", (event) => {
    const term = termAt(event.target);
    if (term) later(() => show(term), WAIT);
    else hide();
  });
  document.addEventListener("focusout", hide);
  document.addEventListener("pointerdown", (event) => {
    if (!termAt(event.target)) hide();
  });
  document.addEventListener("scroll", hide, { capture: true, passive: true });

  // Escape takes the card away, and nothing else with it.
  window.addEventListener(
    "keydown",
    (event) => {
      if (event.key !== "Escape" || !shown) return;
      hide();
      event.stopPropagation();
    },
    { capture: true },
  );

  // ------------------------------------------------------------------ by the keyboard

  // A panel's words are one stop of the Tab key, and the arrow keys go from one to the next: a stop
  // for each would make a long way through the page. A word inside a button is the button's.
  const reachable = (panel) =>
    [...panel.querySelectorAll("[data-term]")].filter((term) => !term.closest("button, a, label, summary"));

  V.onFilled((_id, panel) => {
    if (shown && !shown.isConnected) hide();
    reachable(panel).forEach((term, i) => term.setAttribute("tabindex", i ? "-1" : "0"));
  });

  const STEPS = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 };

  window.addEventListener(
    "keydown",
    (event) => {
      const step = STEPS[event.key];
      const from = event.target.closest && event.target.closest("[data-term][tabindex]");
      if (!step || !from || from !== event.target) return;
      const terms = reachable(from.closest("[id]"));
      const to = terms[(terms.indexOf(from) + step + terms.length) % terms.length];
      event.preventDefault();
      event.stopPropagation();
      from.setAttribute("tabindex", "-1");
      to.setAttribute("tabindex", "0");
      to.focus();
    },
    { capture: true },
  );
})();
