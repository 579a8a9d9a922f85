// What the page's scripts share: `visit`, and the data that the server sends (visit/web).

// ------------------------------------------------------------------ what the page shows

/** A row of the state's table (visit/web/state/table.py). */
interface StatePiece {
  name: Exclude<keyof PageState, "view">;
  default: any; // of the piece's own type, as JSON has it
  key: string | null;
  writing: "text" | "words" | "pane" | "fields";
  store: "none" | "page" | "local";
  told: boolean;
  kept: boolean;
}

/** A way of writing a piece of whatever type: null, and "", for what says nothing. */
interface StateWriting {
  read: (text: string) => any;
  write: (value: any) => string;
}

/** Graph or Sankey, and of the latter the layer and how much room it has. */
interface Pane {
  name: string;
  layer?: number;
  of?: string; // what is explored
  width?: number;
  height?: number;
}

/** How the prompt is read. */
interface PromptForm {
  bos: boolean | null;
  chat: boolean;
}

/** A position among the tokens of a prompt as a model reads them. */
interface ChosenPosition {
  prompt: string;
  model: string;
  position: number;
}

/** Tokens of a model by their ids, and what the field says of them. */
interface ChosenTokens {
  typed: string;
  model?: string;
  target_id?: number | null;
  versus_id?: number | null;
}

/** Every piece of the table, and the view. */
interface PageState {
  view: View | null;
  picked: string | null;
  tab: string;
  overview: string;
  rankedBy: string;
  pane: Pane;
  colouring: string;
  width: string;
  palette: string;
  chosenBy: string; // what the strongest parts are the strongest by: flow or effect
  parts: string | null; // how many of the strongest are drawn; as many as are legible when null
  kept: string | null; // ids with a space between two
  unfolded: string | null; // layers with a space between two
  room: number[] | null; // the canvas's width and height
  hidden: Set<string>;
  viewport: string | null;
  theme: string | null;
  dockOpen: boolean | null;
  dockMeasure: string;
  dockWhole: boolean;
  form: PromptForm;
  settings: Record<string, string>;
  position: ChosenPosition | null;
  chosen: ChosenTokens | null;
  collected: Set<string>; // sites to leave out, a way after a "~"
  how: string;
  second: string | null;
  site: string | null;
  predicted: string;
  exploredBy: Record<string, string>; // by explorable and option
  continued: string | null; // branches, as visit/web/continuing/branches.py writes them
}

/** What the tab Causes says of a node (visit/web/causes/without.py). */
interface CauseAnswer {
  of: string;
  panels: Panels;
}



/** How large a pane may be, in pixels, and which way its separator is dragged. */
interface Size {
  variable: string;
  low: number;
  high: number;
  fallback: number;
  sign: number;
  axis: string;
}

interface NodeNote {
  name?: string;
  text?: string;
  group?: string;
  pinned?: boolean;
}

type Notes = Record<string, NodeNote>;

interface TraceRequest extends Partial<PromptForm> {
  prompt: string;
  model?: string | null;
  position?: number | null;
  target_id?: number | null;
  versus_id?: number | null;
  prompt_ids?: number[];
}

/** A graph by its key, and what is open and noted in it (visit/web/state/view.py). */
interface View {
  key: string;
  request: TraceRequest;
  texts: Record<string, string>;
  settings: Record<string, string>;
  typed: string;
  opened: string[];
  notes: Notes;
  fixed: boolean;
  weights: string | null;
}

interface Moment {
  view: View;
  picked: string | null;
}

// ------------------------------------------------------------------ what the server sends

/** A text, or an element (visit/web/trees.py). */
type Tree = string | { tag: string; attributes: Record<string, string>; children: Tree[] };

type Panels = Record<string, Tree[]>;
type PanelListener = (id: string, panel: HTMLElement) => void;
type ViewListener = (view: View, isNew: boolean) => void;
type Abilities = { model?: string; chat?: boolean | null; bos?: boolean | null };
type Rules = object[];

interface Stylesheets {
  [shade: string]: {
    [palette: string]: { rules: Rules; colourings: Record<string, Rules>; widths: Record<string, Rules> };
  };
}

/** What the slider offers (visit/web/screen/graph_panels.py). */
interface CountSteps {
  counts: number[];
  unexplained: number[];
}

interface GraphPanels {
  panels: Panels;
  counts?: number[]; // where no server says them
  unexplained?: number[];
  measurable: boolean;
  searchable: SearchTable;
  ranking: RankColumns;
  abilities?: Abilities;
  proposal?: Proposal | null;
}

/** Prompts that are proposed to be read together (visit/web/consensus/first.py). */
interface Proposal {
  prompts: string;
  values: string;
}

/** Columns of every node of a graph (visit/web/screen/search.py). */
interface SearchTable {
  id: string[];
  kind: number[];
  kinds: [kind: string, family: string, title: string, numberedBy: Measure | null, stem: string][];
  names: Record<string, string[]>;
  glossary: Meaning[];
  way: number[];
  ways: string[];
  position: number[];
  layer: (number | null)[];
  head: (number | null)[];
  index: (number | null)[];
  rank: (number | null)[];
  logit: (number | null)[];
  carried: (number | null)[];
  norm: number[];
  words: string[];
  top: number[][];
  tokens: string[];
}

type Measure = "layer" | "position" | "head" | "index" | "rank" | "logit" | "carried" | "norm";

/** A word of the glossary, what else it is called, and what it means. */
type Meaning = [name: string, also: string[], says: string];

/** A table with what is looked up at every key worked out once. */
interface PreparedTable extends SearchTable {
  low: string[];
  tail: string[];
  folded: string[];
  row: Map<string, number>;
  at: string[];
  longest: number;
  stems: Set<string>;
}

/** What a query asks of a node. */
type Term =
  | { is: "text" | "group" | "at" | "id"; text: string }
  | { is: "kind"; kinds: string[] }
  | { is: "compare"; measure: Measure; sign: string; number: number };

/** What could be read of a query, and in words what could not. */
interface Query {
  terms: Term[];
  unread: string[];
}

/** What parts are ranked by; of "effect", the metric without the part less the metric with it. */
type RankMeasure = "effect" | "flow" | "logit" | "estimate" | "share" | "norm";

/** Columns of every ranked part (visit/web/ranking/rows.py). */
interface RankColumns extends Record<RankMeasure, (number | null)[]> {
  known: "drawn" | "ranked" | "measuring" | "measured";
  n_layers: number;
  n_heads: number;
  traced: number;
  prompt: string[];
  next: string[];
  id: string[];
  name: string[];
  sort: string[];
  role: string[];
  layer: number[];
  number: (number | null)[];
  position: number[];
  source: (number | null)[];
  attention: (number | null)[];
  promotes: string[][];
  suppresses: string[][];
  tokens: number[][];
  flag: (string | null)[];
}

/** What was measured, by the part's id. */
interface RankEffects {
  effect: Record<string, number | null>;
  estimate: Record<string, number | null>;
  flag: Record<string, string>;
}

interface RankNews {
  key: string;
  known?: RankColumns["known"];
  columns?: RankColumns;
  searchable?: SearchTable;
  effects?: RankEffects;
}

interface RankFilters {
  sort: string;
  layer: string;
  source: string;
}

interface RankingTools {
  MEASURES: RankMeasure[];
  isKnown: (columns: RankColumns, by: RankMeasure) => boolean;
  measureOf: (columns: RankColumns, asked: RankMeasure) => RankMeasure;
  /** The rows that pass, the largest first. */
  rank: (columns: RankColumns, by: RankMeasure, filters: RankFilters) => number[];
  largest: (columns: RankColumns, by: RankMeasure, rows: number[]) => number;
  withEffects: (columns: RankColumns, effects: RankEffects) => RankColumns;
}

/** A Plotly figure of the lens grid (visit/web/plots/lens_grid.py). */
interface LensFigure {
  data: { customdata: string[][] }[];
  layout: {
    meta: { key: string; traced: number; left_out: string; columns: string[] };
    margin: { l: number; r: number; t: number; b: number };
  };
}

interface PlotlyClick {
  points?: { customdata?: string | string[]; curveNumber?: number }[];
}

// ------------------------------------------------------------------ visit

interface AddressTools {
  /** What an address says of the pieces; what it does not say is absent. */
  read: (table: StatePiece[], search: string) => Partial<PageState>;
  /** The address of a state and a view; what is as by default is left out. */
  write: (table: StatePiece[], state: Record<string, any>, view: Pick<View, "texts" | "opened">) => string;
  defaultOf: (piece: StatePiece) => any;
}

interface ViewHistory {
  past: Moment[];
  future: Moment[];
  leave(moment: Moment): void;
  undo(moment: Moment): Moment | undefined;
  redo(moment: Moment): Moment | undefined;
}

interface ViewTools {
  withOpened: (view: View, ids: string[]) => View;
  withClosed: (view: View, id: string, inside: string[]) => View;
  withNote: (view: View, id: string, change: NodeNote) => View;
  History: new (most?: number) => ViewHistory;
}

/** What the browser keeps of a prompt and a model: notes, and pieces of the state by their names. */
interface Kept {
  notes: Notes;
  pieces: Record<string, any>;
}

interface KeepingTools {
  subjectOf: (view: Pick<View, "request" | "texts" | "weights">) => string;
  notesFrom: (data: unknown) => Notes;
  keptFrom: (text: string | null) => Kept;
  load: (storage: Storage, subject: string) => Kept;
  save: (storage: Storage, subject: string, kept: Kept, now: number) => boolean;
}

interface WayTools {
  insides: (start: CyCollection) => CyCollection;
  wayFrom: (start: CyCollection, direction: "back" | "on") => CyCollection;
  neighbour: (node: CyCollection, way: string) => CyCollection | null;
}

interface SearchTools {
  parse: (text: string, table: PreparedTable) => Query;
  /** The rows that answer, best first. */
  find: (table: PreparedTable, terms: Term[], notes: Notes) => number[];
  meaningsOf: (text: string, table: PreparedTable) => Meaning[];
  exampleOf: (table: PreparedTable) => string;
  prepare: (table: SearchTable) => PreparedTable;
  fold: (text: string) => string;
}

/** A cell, node or link of a drawing: where it is in the window, what it says, and what a click on it does. */
interface Cell {
  box: DOMRect;
  words: string;
  act: () => void;
}

/** What Plotly drew in a part of the page, and what it binds to a node or a link of a Sankey. */
interface PlotlyPlace extends HTMLElement {
  data?: object[];
  layout?: { meta?: { isolates?: boolean } };
}
interface SankeyTrace {
  node: { label: string[]; customdata: string[] };
  link: { label: string[]; customdata: string[] };
}
interface SankeyDrawn {
  node?: { pointNumber: number };
  link: { pointNumber: number };
}
interface ScatterDrawn {
  i: number;
  trace: { text: string[]; customdata: string[] };
}
interface BarTrace {
  hovertext: string[];
  customdata: (string | null)[];
}
interface HeatmapTrace {
  xaxis?: string;
  yaxis: string;
  text: string[][];
  customdata: (string | null)[][];
}

/** A figure for print (visit/web/exports/printed.py): an image, and what Plotly draws into it. */
interface PlotlyFigure {
  data: object[];
  layout: { width: number; height: number };
}

interface PrintedFigure {
  svg: string;
  name: string;
  figure: PlotlyFigure | null;
  dpi: number | null;
}

interface PngTools {
  withDensity: (png: Uint8Array<ArrayBuffer>, dpi: number) => Uint8Array<ArrayBuffer>;
}

interface Visit {
  // explore.js
  exploring: () => string;
  explore: (of: string) => void;
  chooseExplored: (name: string, text: string | null) => void;

  // app.js
  $: (id: string) => HTMLElement | null;
  part: (id: string) => HTMLElement;
  field: (id: string) => HTMLInputElement;
  inputs: (selector: string) => NodeListOf<HTMLInputElement>;
  element: (target: EventTarget | null) => HTMLElement;
  setProps: (id: string, props: Record<string, unknown>) => void;
  onceAFrame: (act: () => void) => () => void;
  onFilled: (listener: PanelListener) => void;
  filled: PanelListener;
  onView: (listener: ViewListener) => void;
  viewed: ViewListener;
  table: StatePiece[];
  state: PageState;
  set: <Name extends keyof PageState>(name: Name, value: PageState[Name]) => void;
  hold: <Name extends keyof PageState>(name: Name, value: PageState[Name]) => void;
  tell: Visit["hold"];
  onChange: (names: (keyof PageState)[], listener: () => void) => void;
  writeAddress: (atOnce?: boolean) => void;

  // address.js, history.js: pure
  address: AddressTools;
  views: ViewTools;
  keeping: KeepingTools;

  // view.js
  changeView: (change: (view: View) => View) => void;
  showView: (view: View, picked: string | null) => void;
  pick: (id: string | null) => void;
  open: (ids: string[]) => void;
  close: (id: string, inside: string[]) => void;
  closeAll: () => void;
  note: (id: string, change: NodeNote) => void;
  noteOf: (id: string) => NodeNote;
  nodeOfNote: (part: Element) => string;
  circuitAsked: () => object;
  goTo: (id: string, within?: string) => void;
  remember: (view: View | null, picked?: string | null) => boolean;
  showAgain: (change?: Partial<View>) => void;
  undo: () => void;
  redo: () => void;

  // causes.js
  collect: (site: string) => void;
  showInFlow: (id: string) => void;
  tokenAt: (position: number | string) => string;

  // many.js
  propose: (proposal: Proposal | null | undefined) => void;
  manyAsked: () => object;

  // continuing.js
  showContinuing: (panels: Panels | null) => void;

  // ask.js, form.js
  modelOf: (view: View) => string;
  showRequest: (view: View) => void;
  say: (id: "prompt" | "model" | "target", value: string) => void;
  trace: () => void;
  askPrompt: (prompt: string, typed?: string) => void;
  askTarget: (chosen: ChosenTokens) => void;
  askPosition: (position: number) => void;
  chosenFrom: (part: HTMLElement, typed: string) => ChosenTokens;
  setForm: (form: Partial<PromptForm>) => void;
  setAbilities: (abilities: Abilities) => void;

  // settings.js
  showSettingProblems: (problems: Record<string, string>) => void;

  // look.js, lens.js
  shade: () => "light" | "dark";
  dress: (sheets: Stylesheets) => [Rules, "light" | "dark", { palette: string }];
  dockIsOpen: () => boolean;
  askForLens: () => void;
  setPane: (pane: Pane) => void;
  showLens: (figure: LensFigure | null) => void;

  // ways.js, graph.js, parts.js
  ways: WayTools;
  cy: () => Cy | null;
  canvas: () => Cy;
  pickedNode: () => CyCollection;
  tap: (node: CyCollection) => void;
  settle: () => void;
  setCounts: (steps: CountSteps) => void;
  setMeasurable: (can: boolean) => void;
  chooseBy: (by: string) => void;
  moveCount: (step: number) => void;
  setCount: (step: number) => void;
  keep: (id: string) => void;
  toggleFold: (title: CyCollection) => void;
  toggleFamily: (family: string) => void;
  showFound: (ids: Set<string>) => number;

  // viewport.js
  sight: { attach: () => void; arrange: () => boolean; keepInSight: () => void };
  fit: () => void;
  show: (id: string) => void;
  viewport: () => string | null;

  // search.js, finder.js
  search: SearchTools;
  setSearchable: (table: SearchTable) => void;
  onDrawn: (ids: string[]) => void;

  // ranking.js (pure), ranks.js
  ranking: RankingTools;
  setDrawnParts: (columns: RankColumns) => void;
  setRanking: (news: RankNews | null) => void;
  measureParts: () => void;

  // panels.js, controls.js, help.js, tour.js
  build: (tree: Exclude<Tree, string>) => HTMLElement;
  fill: (panels: Panels | null) => void;
  closeMenus: (except?: Element | null) => boolean;
  isTyping: (target: Element) => boolean;

  // export.js, png.js (pure)
  save: (blob: Blob, name: string) => void;
  exportAs: (kept: string) => void;
  saveFigure: (made: PrintedFigure | null) => Promise<void>;
  showMaking: (told: { stage: string; part: number } | null) => void;
  png: PngTools;

  showHelp: (wanted: boolean) => void;
  endTour: () => void;

  // offline/
  offline: OfflineTools;
}

/** An element of the drawing, as Cytoscape takes it. */
interface DrawnElement {
  data: { id: string; family?: string; label?: string; tip?: string; pinned?: number; group?: number };
}

/** What a page without a server carries (visit/web/exports/offline.py). */
interface OfflineData {
  view: View;
  graph: { place: string };
  stylesheets: Stylesheets;
  fixed_panels: Panels;
  graph_panels: GraphPanels;
  groups: number; // how many colours they have
  look: Pick<PageState, "theme" | "palette" | "colouring" | "width"> & { hidden: string[] };
  tabs: Record<string, Tree>;
  editor: Exclude<Tree, string>;
  libraries: number;
  name: string;
  svg: string;
  media_types: Record<string, string>; // of the files that the page makes, by their endings
  parts: string[];
  pictures: Picture[];
}

/** A drawing with some blocks open: its elements by number, and the panels that go with it. */
interface Picture {
  opened: string[];
  parts: number[];
  panels: Panels;
}

interface OfflineTools {
  noted: (element: DrawnElement, notes: Notes, groups: string[], nColours: number) => DrawnElement;
  showNote: (panel: HTMLElement, note: NodeNote) => void;
  listNotes: (panel: HTMLElement, notes: Notes, rowOf: (id: string) => Tree[]) => void;
  documentWith: (text: string, notes: Notes) => string;
  groupsOf: (notes: Notes, isOne?: (id: string) => boolean) => string[];
}

// ------------------------------------------------------------------ the page's globals

interface DashClientside {
  set_props: (id: string, props: any) => void;
  no_update: unknown;
  state: Record<string, (value: any) => void>;
  visit: {
    begin: (page?: string, form?: PromptForm | null, fixed?: Panels) => string;
    dress: Visit["dress"];
    remember: (view: View | null, picked?: string | null, fixed?: Panels) => unknown;
    choose: (clicked: PlotlyClick | null) => void;
    lens: Visit["showLens"];
    fill: Visit["fill"];
    saveFigure: (made: PrintedFigure | null) => void;
    showMaking: Visit["showMaking"];
    showGraphPanels: (data: GraphPanels | null) => void;
    setCounts: (steps: CountSteps | null) => void;
    setRanking: (news: RankNews | null) => void;
    setSearchable: (table: SearchTable | null) => void;
    showSettingProblems: (problems: Record<string, string> | null) => void;
    showContinuing: (panels: Panels | null) => void;
  };
}

declare var visit: Visit;
declare var dash_clientside: DashClientside;

interface PlotlyLibrary {
  toImage: (figure: PlotlyFigure, options: object) => Promise<string>;
  restyle: (place: PlotlyPlace, changes: object) => void;
}

interface Window {
  /** Until it is loaded, the promise of it. */
  Plotly: PlotlyLibrary | Promise<PlotlyLibrary>;
  visit: Visit;
  dash_clientside: DashClientside;
}
