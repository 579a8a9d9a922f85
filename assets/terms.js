// Words of the glossary: pointed at, or reached by the keyboard, each says what it means on a card.
// Any element with data-term is one; what the card says is in the help (visit/web/screen/help.py).
(function () {
  "use strict";

  const V = window.visit;
  const WAIT = 250; // before the card appears
  const GRACE = 140; // to reach the card with the pointer
  /** @type {HTMLElement | null} */
  let card = null;
  /** @type {HTMLElement | null} */
  let shown = null; // the word whose card is shown
  /** @type {number | undefined} */
  let timer;

  const entry = (/** @type {string} */ name) => document.querySelector(`#help [data-word="${CSS.escape(name)}"] dd`);

  function makeCard() {
    const attributes = { id: "term-card", class: "term-card", role: "tooltip" };
    const made = V.build({ tag: "div", attributes, children: [] });
    document.body.append(made);
    return made;
  }

  function show(/** @type {HTMLElement} */ term) {
    const word = term.dataset.term || "";
    const said = term.isConnected && entry(word);
    if (!said) return;
    card = card || makeCard();
    hide();
    const name = V.build({ tag: "strong", attributes: {}, children: [word] });
    card.replaceChildren(name, ...said.cloneNode(true).childNodes);
    card.hidden = false;
    shown = term;
    term.setAttribute("aria-describedby", card.id);
    place(card, term.getBoundingClientRect());
  }

  // Beneath the word, or above it where there is no room; never out of the window.
  function place(/** @type {HTMLElement} */ card, /** @type {DOMRect} */ at) {
    const margin = 8;
    const left = Math.max(margin, Math.min(at.left - 6, window.innerWidth - card.offsetWidth - margin));
    const below = at.bottom + 6;
    const fits = below + card.offsetHeight + margin <= window.innerHeight;
    card.style.left = `${left}px`;
    card.style.top = `${fits ? below : Math.max(margin, at.top - card.offsetHeight - 6)}px`;
  }

  function hide() {
    clearTimeout(timer);
    if (!shown || !card) return;
    shown.removeAttribute("aria-describedby");
    shown = null;
    card.hidden = true;
  }

  function later(/** @type {() => void} */ act, /** @type {number} */ wait) {
    clearTimeout(timer);
    timer = setTimeout(act, wait);
  }

  const termAt = (/** @type {EventTarget | null} */ target) => V.element(target).closest("[data-term]");

  document.addEventListener("pointerover", (event) => {
    const term = termAt(event.target);
    if (term && term !== shown) later(() => show(term), WAIT);
    else if (term || card?.contains(V.element(event.target))) clearTimeout(timer);
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

  // Escape closes the card and does nothing else.
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
  const reachable = (/** @type {HTMLElement} */ panel) =>
    [...panel.querySelectorAll("[data-term]")].filter((term) => !term.closest("button, a, label, summary"));

  V.onFilled((_id, panel) => {
    if (shown && !shown.isConnected) hide();
    reachable(panel).forEach((term, i) => term.setAttribute("tabindex", i ? "-1" : "0"));
  });

  /** @type {Record<string, number>} */
  const STEPS = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 };

  window.addEventListener(
    "keydown",
    (event) => {
      const step = STEPS[event.key];
      const from = V.element(event.target);
      const panel = from.closest("[id]");
      if (!step || !panel || !from.matches("[data-term][tabindex]")) return;
      const terms = reachable(panel);
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
