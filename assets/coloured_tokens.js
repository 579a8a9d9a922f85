// Coloured tokens (visit/web/explore/coloured_tokens.py): pointing at one that is explained, or going to it by the
// keyboard, shows what the others have of it. Shades and numbers are the server's.
(function () {
  "use strict";

  const V = window.visit;

  /** What a strip shows by itself, until it shows another token's sources. @type {WeakMap<Element, HTMLElement>} */
  const own = new WeakMap();

  const chipsOf = (/** @type {Element} */ strip) => /** @type {HTMLElement[]} */ ([...strip.querySelectorAll(".coloured")]);
  const shownOf = (/** @type {Element} */ strip) => /** @type {HTMLElement | null} */ (strip.querySelector(".is-shown"));

  function paint(/** @type {Element} */ strip, /** @type {HTMLElement} */ of) {
    if (of.dataset.levels === undefined || shownOf(strip) === of) return;
    const shades = (strip.getAttribute("data-shades") ?? "").split(" ").map((shade) => shade.split(","));
    const levels = of.dataset.levels.split(" ").map(Number);
    const numbers = (of.dataset.numbers ?? "").split("|");
    shownOf(strip)?.classList.remove("is-shown");
    of.classList.add("is-shown");
    chipsOf(strip).forEach((chip, place) => {
      const [colour, ink] = shades[levels[place]] ?? ["transparent", "var(--faint)"];
      chip.style.background = colour;
      chip.style.color = ink;
      const amount = chip.querySelector(".amount");
      if (amount) amount.textContent = numbers[place] ?? "";
    });
  }

  function show(/** @type {Event} */ event) {
    const chip = /** @type {HTMLElement | null} */ (V.element(event.target).closest(".coloured"));
    const strip = chip?.closest(".coloured-tokens");
    if (!chip || !strip) return;
    const first = shownOf(strip);
    if (!own.has(strip) && first) own.set(strip, first);
    paint(strip, chip);
  }

  function restore(/** @type {Event} */ event) {
    const strip = V.element(event.target).closest(".coloured-tokens");
    const to = /** @type {{ relatedTarget?: EventTarget | null }} */ (event).relatedTarget;
    if (!strip || (to instanceof Node && strip.contains(to))) return;
    const held = /** @type {HTMLElement | null} */ (strip.querySelector(".coloured:focus-visible"));
    const back = held ?? own.get(strip);
    if (back) paint(strip, back);
  }

  document.addEventListener("pointerover", show);
  document.addEventListener("focusin", show);
  document.addEventListener("pointerout", restore);
  document.addEventListener("focusout", restore);
})();
