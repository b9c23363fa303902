// Ranks with ties and the overall score, for whichever models and tasks are shown: the rules of
// vlmbench/report/ranking.py and tables.overall_scores.
"use strict";

const Z95 = 1.959963984540054;

/** @returns {import("./types").Board} */
function boardData() {
  return vlmData.board;
}

/**
 * Where a pair stands in a list (0, 1), (0, 2) ... (1, 2) ...
 * @param {number} first @param {number} second @param {number} count
 */
function pairPlace(first, second, count) {
  const [low, high] = first < second ? [first, second] : [second, first];
  return (low * (2 * count - low - 1)) / 2 + high - low - 1;
}

/**
 * The tasks that more than half of the models completed; while fewer than half have all of them,
 * the one that most lack is left out.
 * @param {number[]} models @param {number[]} tasks
 */
function sharedTasks(models, tasks) {
  const values = boardData().values;
  models = models.filter((model) => tasks.some((task) => has(values[model], task)));
  /** @param {number} task */
  const having = (task) => models.filter((model) => has(values[model], task)).length;
  const shared = tasks.filter((task) => 2 * having(task) > models.length);
  const complete = () => models.filter((model) => shared.every((task) => has(values[model], task)));
  while (shared.length && 2 * complete().length < models.length) {
    const least = Math.min(...shared.map(having));
    shared.splice(shared.findIndex((task) => having(task) === least), 1);
  }
  return shared;
}

/** @param {(number | null)[] | undefined} row @param {number} task */
function has(row, task) {
  return row?.[task] !== null && row?.[task] !== undefined;
}

/**
 * @param {number[]} models Those that decide which tasks are shared.
 * @param {number[]} all Those that get a score.
 * @param {number[]} tasks
 */
function overallScores(models, all, tasks) {
  const shared = sharedTasks(models, tasks);
  const { values, tasks: known } = boardData();
  /** @type {Map<number, {value: number, low: number, high: number}>} */
  const scores = new Map();
  for (const model of shared.length ? all : []) {
    const row = values[model];
    if (!row || !shared.every((task) => has(row, task))) continue;
    const value = shared.reduce((sum, task) => sum + (row[task] ?? 0), 0) / shared.length;
    const variance = shared.reduce((sum, task) => {
      const field = known[task];
      const place = field?.field.indexOf(model) ?? -1;
      return sum + (field?.deviations[place] ?? 0) ** 2;
    }, 0);
    const half = (Z95 * Math.sqrt(variance)) / shared.length;
    scores.set(model, { value, low: value - half, high: Math.max(value, Math.min(1, value + half)) });
  }
  return { shared, scores };
}

/**
 * Ranks by the overall score: 1 + the number of models that are told to be better.
 * @param {Map<number, {value: number}>} scores @param {number[]} shared @param {number[]} models
 */
function overallRanks(scores, shared, models) {
  const ranked = models.filter((model) => scores.has(model));
  /** @type {Map<number, number>} */
  const ranks = new Map();
  for (const model of ranked) {
    const better = ranked.filter((other) => {
      if (other === model) return false;
      const variance = shared.reduce((sum, task) => sum + pairDeviation(task, model, other) ** 2, 0);
      const needed = (Z95 * Math.sqrt(variance)) / shared.length;
      return (scores.get(other)?.value ?? 0) - (scores.get(model)?.value ?? 0) > needed;
    });
    ranks.set(model, 1 + better.length);
  }
  return ranks;
}

/** @param {number} task @param {number} first @param {number} second */
function pairDeviation(task, first, second) {
  const known = boardData().tasks[task];
  if (!known) return 0;
  const [x, y] = [known.field.indexOf(first), known.field.indexOf(second)];
  // Without a pair nothing is told apart.
  if (x < 0 || y < 0) return Infinity;
  const at = 4 * pairPlace(x, y, known.field.length);
  const digits = known.pair_deviations.slice(at, at + 4);
  return digits ? parseInt(digits, 36) / 1e6 : Infinity;
}

/**
 * Ranks in one column.
 * @param {number} task @param {string} metric @param {number[]} models
 */
function columnRanks(task, metric, models) {
  const known = boardData().tasks[task];
  const column = known?.columns.find((one) => one.metric === metric);
  /** @type {Map<number, number>} */
  const ranks = new Map();
  if (!known || !column) return ranks;
  const ranked = models.filter((model) => known.field.includes(model));
  for (const model of ranked) {
    const better = ranked.filter((other) => {
      if (other === model) return false;
      const [x, y] = [known.field.indexOf(other), known.field.indexOf(model)];
      const sign = column.signs[pairPlace(x, y, known.field.length)];
      return sign === (x < y ? "+" : "-");
    });
    ranks.set(model, 1 + better.length);
  }
  return ranks;
}
