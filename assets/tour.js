// The tour (visit/web/screen/tour.py): one card at a time, beside the part that it is about and never on it.
(function () {
  "use strict";

  const V = window.visit;
  const $ = V.$;
  const KEPT = "visit.tour";
  const GAP = 14; // between a part and the card
  const ROOM = 5; // between a part and its outline
  /** @type {HTMLElement[]} */
  let steps = []; // those whose parts are on the page
  /** @type {number | null} */
  let at = null; // the number of the step that is shown
  /** @type {HTMLElement | null} */
  let before = null; // what had the focus

  // ------------------------------------------------------------------ where things are

  const rectOf = (/** @type {Element} */ element) => element.getBoundingClientRect();
  const isSeen = (/** @type {DOMRect} */ rect) => rect.width > 0 && rect.height > 0;

  const partsOf = (/** @type {HTMLElement} */ step) => [...document.querySelectorAll(step.dataset.part || "body")];

  // The rectangle around all that a step is about; null where nothing of it is on the page.
  /** @type {(step: HTMLElement) => DOMRect | null} */
  function place(step) {
    const rects = partsOf(step).map(rectOf).filter(isSeen);
    if (!rects.length) return null;
    const left = Math.min(...rects.map((rect) => rect.left));
    const top = Math.min(...rects.map((rect) => rect.top));
    const right = Math.max(...rects.map((rect) => rect.right));
    const bottom = Math.max(...rects.map((rect) => rect.bottom));
    return new DOMRect(left, top, right - left, bottom - top);
  }

  /** @type {(low: number, value: number, high: number) => number} */
  const between = (low, value, high) => Math.max(low, Math.min(value, high));

  // The first of the step's sides on which the card has room; in the part's corner where none has.
  /** @type {(part: DOMRect, width: number, height: number, sides: string[]) => [number, number]} */
  function beside(part, width, height, sides) {
    const x = between(GAP, part.left, window.innerWidth - width - GAP);
    const y = between(GAP, part.top + GAP, window.innerHeight - height - GAP);
    /** @type {Record<string, [number, number]>} */
    const spots = {
      below: [x, part.bottom + GAP],
      above: [x, part.top - height - GAP],
      right: [part.right + GAP, y],
      left: [part.left - width - GAP, y],
    };
    const fits = (/** @type {[number, number]} */ [left, top]) =>
      left >= 0 && top >= 0 && left + width <= window.innerWidth && top + height <= window.innerHeight;
    const side = sides.find((name) => fits(spots[name]));
    return side ? spots[side] : [part.right - width - GAP, part.bottom - height - GAP];
  }

  function arrange() {
    if (at === null) return;
    const part = place(steps[at]);
    const card = V.part("tour-card");
    const outline = V.part("tour-outline");
    outline.hidden = !part;
    if (!part) return;
    const [x, y] = beside(part, card.offsetWidth, card.offsetHeight, (steps[at].dataset.sides || "").split(" "));
    Object.assign(card.style, { left: `${x}px`, top: `${y}px` });
    // At the window's edge the outline would be out of sight.
    const left = Math.max(part.left - ROOM, 1);
    const top = Math.max(part.top - ROOM, 1);
    Object.assign(outline.style, {
      left: `${left}px`,
      top: `${top}px`,
      width: `${Math.min(part.right + ROOM, window.innerWidth - 1) - left}px`,
      height: `${Math.min(part.bottom + ROOM, window.innerHeight - 1) - top}px`,
    });
  }

  window.addEventListener("resize", arrange);
  const sizes = new ResizeObserver(arrange);

  // ------------------------------------------------------------------ from step to step

  const buttonOf = (/** @type {string} */ act) =>
    /** @type {HTMLElement} */ (V.part("tour-card").querySelector(`[data-tour=${act}]`));

  function show(/** @type {number} */ number) {
    at = number;
    const step = steps[number];
    for (const other of document.querySelectorAll("#tour-steps > section")) other.hidden = other !== step;
    V.part("tour-count").textContent = `${number + 1} of ${steps.length}`;
    const card = V.part("tour-card");
    const isLast = number === steps.length - 1;
    buttonOf("back").hidden = number === 0;
    buttonOf("end").hidden = isLast;
    buttonOf("next").textContent = isLast ? "Done" : "Next";
    card.hidden = false;
    arrange();
    sizes.disconnect();
    for (const part of partsOf(step)) sizes.observe(part);
    buttonOf("next").focus();
  }

  function start() {
    V.showHelp(false);
    remember();
    steps = [...document.querySelectorAll("#tour-steps > section")].filter(place);
    before = /** @type {HTMLElement | null} */ (document.activeElement);
    if (steps.length) show(0);
  }

  V.endTour = () => {
    if (at === null) return;
    at = null;
    sizes.disconnect();
    const hadFocus = V.part("tour-card").contains(document.activeElement);
    V.part("tour-card").hidden = true;
    V.part("tour-outline").hidden = true;
    if (hadFocus && before && before.isConnected) before.focus();
  };

  const go = (/** @type {number} */ by) => {
    if (at !== null && at + by < steps.length) show(at + by);
    else V.endTour();
  };
  /** @type {Record<string, () => void>} */
  const ACTS = { start, decline: remember, end: () => V.endTour(), back: () => go(-1), next: () => go(1) };

  document.addEventListener("click", (event) => {
    const button = V.element(event.target).closest("[data-tour]");
    if (button) ACTS[button.dataset.tour || ""]();
  });

  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && V.element(event.target).closest("#tour-card")) V.endTour();
  });

  // ------------------------------------------------------------------ the offer

  // Once, when there is something to be shown around in; whoever took it, declined or went on by themselves is not
  // asked again.
  function remember() {
    localStorage.setItem(KEPT, "done");
    V.part("offer").hidden = true;
  }

  V.onChange(["picked"], () => {
    if (V.state.picked) remember();
  });

  V.onFilled((id) => {
    const offer = $("offer");
    if (id === "graph" && offer) offer.hidden = localStorage.getItem(KEPT) === "done";
  });
})();
