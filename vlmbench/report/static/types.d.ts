// What the scripts of data put; see vlmbench/report/board_data.py and samples.py.

export interface Costs {
  seconds: number | null;
  usd: number | null;
  memory: number | null;
}

export interface BoardModel {
  name: string;
  slug: string;
  baseline: boolean;
  parameters: number | null;
  family: string | null;
  license: string | null;
  open: boolean | null;
  date: string;
  parent: string | null;
  costs: Costs;
}

export interface BoardTask {
  name: string;
  slug: string;
  title: [string, string];
  capability: string | null;
  language: string | null;
  field: number[];
  deviations: number[];
  /** Millionths, four digits of base 36 each. */
  pair_deviations: string;
  columns: { metric: string; lower: boolean; ends: [number, number] | null; signs: string }[];
}

export interface Board {
  models: BoardModel[];
  tasks: BoardTask[];
  values: (number | null)[][];
}

export interface Differences {
  metric: string;
  lower: boolean;
  part: [string, string] | null;
  n: number[];
  values: (number | null)[];
  low: (number | null)[];
  high: (number | null)[];
}

export interface TaskPairs {
  models: string[];
  won: [number, number][];
  whole: Differences[];
  parts: Differences[];
  names: Record<string, string>;
}

export interface SamplesIndex {
  task: string;
  language: string;
  headlines: string[];
  total: number;
  chunk: number;
  /** The place of the first sample of each file of the search. */
  find: number[];
  ids: string[];
  fields: Record<string, { values: string[]; codes: number[] }>;
  goodness: (number | null)[];
  spread: number[];
  models: { name: string; slug: string; baseline: boolean; parent: string | null }[];
}

export interface Picture {
  src: string | null;
  thumb: string | null;
  width: number;
  height: number;
}

export interface SampleText {
  parts: (string | Picture)[];
  references: string[];
  choices: string[];
}

export interface Variant {
  kind: string;
  name: string;
  text: string | null;
  error: string | null;
  outcome: string;
  value: number | null;
  option: string | null;
}

export interface Answer {
  text: string | null;
  outcome: string;
  metric: string | null;
  value: number | null;
  characters?: number;
  error?: { kind: string; message: string };
  truncated?: boolean;
  unscored?: string;
  extracted?: string;
  others?: Record<string, number | null>;
  other_prompt?: boolean;
  variants?: Variant[];
  judges?: { metric: string; text: string }[];
}

export interface Head {
  outcomes: string;
  values: (number | null)[];
  find: number[];
}
