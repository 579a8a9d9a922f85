// What the scripts use of the browser and of Dash's libraries beyond what TypeScript knows of them.

// What our scripts look up in the page is HTML; whoever looks up an SVG element asks it nothing more.
interface ParentNode {
  querySelector(selectors: string): HTMLElement | null;
  querySelectorAll(selectors: string): NodeListOf<HTMLElement>;
}

interface Element {
  closest(selectors: string): HTMLElement | null;
}

/** A figure once Plotly has drawn it. */
interface HTMLElement {
  on?: (event: string, act: () => void) => void;
}

interface Window {
  ReactDOM: { createRoot: (place: HTMLElement) => { render: (element: unknown) => void } };
  React: { createElement: (type: unknown, props: object) => unknown };
  dash_cytoscape: { Cytoscape: unknown };
}
