// What the scripts use of the browser and of Dash's libraries beyond what TypeScript knows of them.

// What our scripts look up in the page is HTML; whoever looks up an SVG element asks it nothing more.
interface ParentNode {
  querySelector(selectors: string): HTMLElement | null;
  querySelectorAll(selectors: string): NodeListOf<HTMLElement>;
}

interface Element {
  closest(selectors: string): HTMLElement | null;
}

interface HTMLElement {
  /** Of a figure, once Plotly has drawn it. */
  on?: (event: string, act: (said: any) => void) => void;
  /** Of the graph's box, once Cytoscape draws in it. */
  _cyreg?: { cy: Cy };
}

// ------------------------------------------------------------------ Cytoscape, as bundled by dash-cytoscape

interface CyPoint {
  x: number;
  y: number;
}

interface CyBox {
  x1: number;
  x2: number;
  y1: number;
  y2: number;
  w: number;
  h: number;
}

/** Nodes and edges; what is asked of one is asked of the first. */
interface CyCollection {
  length: number;
  cy(): Cy;
  data(name: string): any;
  id(): string;
  position(): CyPoint;
  position(axis: "x" | "y"): number;
  renderedPosition(): CyPoint;
  boundingBox(how?: { includeLabels: boolean }): CyBox;
  renderedBoundingBox(how?: { includeLabels: boolean }): CyBox;
  visible(): boolean;
  hasClass(name: string): boolean;
  addClass(names: string): CyCollection;
  removeClass(names: string): CyCollection;
  toggleClass(name: string, wanted: boolean): CyCollection;
  source(): CyCollection;
  target(): CyCollection;
  sources(): CyCollection;
  targets(): CyCollection;
  incomers(selector: string): CyCollection;
  outgoers(selector: string): CyCollection;
  neighborhood(selector: string): CyCollection;
  connectedEdges(): CyCollection;
  edgesTo(other: CyCollection): CyCollection;
  union(other: CyCollection): CyCollection;
  difference(other: CyCollection): CyCollection;
  intersection(other: CyCollection): CyCollection;
  nodes(): CyCollection;
  first(): CyCollection;
  filter(holds: (one: CyCollection) => boolean): CyCollection;
  forEach(act: (one: CyCollection) => void): void;
  map<T>(make: (one: CyCollection) => T): T[];
  sort(compare: (a: CyCollection, b: CyCollection) => number): CyCollection;
  max(value: (one: CyCollection) => number): { ele: CyCollection };
  min(value: (one: CyCollection) => number): { ele: CyCollection };
  toArray(): CyCollection[];
}

interface CyEvent {
  target: any; // a node or an edge; the instance itself where nothing was hit
}

interface Cy {
  /** What is seen, in the drawing's pixels. */
  extent(): CyBox;
  on(events: string, act: (event: CyEvent) => void): void;
  on(events: string, selector: string, act: (event: CyEvent) => void): void;
  off(events: string): void;
  batch(act: () => void): void;
  nodes(selector?: string): CyCollection;
  edges(selector?: string): CyCollection;
  elements(selector?: string): CyCollection;
  collection(): CyCollection;
  getElementById(id: string): CyCollection;
  width(): number;
  height(): number;
  zoom(): number;
  zoom(to: number | { level: number; renderedPosition: CyPoint }): void;
  panBy(by: CyPoint): void;
  pan(): CyPoint;
  pan(to: CyPoint): void;
  viewport(to: { zoom: number; pan: CyPoint }): void;
  animate(how: object): void;
  animated(): boolean;
  stop(): void;
  resize(): void;
  png(how: object): Promise<Blob>;
  /** Not part of Cytoscape's documented interface. */
  renderer(): { textureOnViewport: boolean; invalidateContainerClientCoordsCache(): void };
}

interface Window {
  ReactDOM: { createRoot: (place: HTMLElement) => { render: (element: unknown) => void } };
  React: { createElement: (type: unknown, props: object) => unknown };
  dash_cytoscape: { Cytoscape: unknown };
  /** Where Dash has Plotly from; a page without a server has no figures. */
  _dashPlotlyJSURL?: string;
}
