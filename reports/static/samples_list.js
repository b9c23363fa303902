// The samples of a task: their data, loaded in pieces, and which of them are found.
"use strict";

const SLUG = document.body.dataset.slug ?? "";
/** @type {import("./types").SamplesIndex} */
const INDEX = vlmData[`samples/${SLUG}/index`];
const MOST_CHOSEN = 4;
const SLICE_MS = 12;

/** The models whose answers are shown, in their order. */
function chosenModels() {
  const asked = (readHash().models ?? "").split("\n");
  const known = asked.flatMap((name) => INDEX.models.find((model) => model.name === name) ?? []);
  if (known.length) return [...new Set(known)].slice(0, MOST_CHOSEN);
  const models = INDEX.models.filter((model) => !model.baseline);
  return (models.length ? models : INDEX.models).slice(0, 3);
}

/** @param {string} name @returns {string} */
const path = (name) => `samples/${SLUG}/${name}`;

/** @param {number} chunk @returns {Promise<import("./types").SampleText[]>} */
const textChunk = (chunk) => loadData(`${path(`text-${chunk}`)}`, `${path(`text-${chunk}`)}.js`);

/** @param {string} model @param {number} chunk @returns {Promise<(import("./types").Answer | null)[]>} */
const answerChunk = (model, chunk) =>
  loadData(path(`${model}.${chunk}`), `${path(`${model}.${chunk}`)}.js`).catch(() => []);

/** @param {string} model @returns {Promise<import("./types").Head>} */
const headOf = (model) => loadData(path(`${model}.head`), `${path(`${model}.head`)}.js`);

const chunkOf = (/** @type {number} */ place) => Math.floor(place / INDEX.chunk);

// ---- full-text search ----------------------------------------------------------------------------

const AHEAD = 4;

/** The texts of a file, a line each, and where each line begins. @type {Map<string, {lines: string, starts: Uint32Array}>} */
const searched = new Map();

/** A file of texts to search. @param {string} name */
async function searchFile(name) {
  const known = searched.get(name);
  if (known) return known;
  /** @type {string} */
  const lines = await loadData(path(name), `${path(name)}.js`).catch(() => "");
  const starts = [0];
  for (let at = lines.indexOf("\n"); at >= 0; at = lines.indexOf("\n", at + 1)) starts.push(at + 1);
  const file = { lines, starts: Uint32Array.from(starts) };
  searched.set(name, file);
  return file;
}

/**
 * The files in which prompts and the models' answers are, from the first sample to the last.
 * @param {{slug: string}[]} models @param {import("./types").Head[]} heads
 */
function searchFiles(models, heads) {
  const files = INDEX.find.map((first, at) => ({ name: `find-${at}`, first }));
  models.forEach((model, index) => {
    files.push(...(heads[index]?.find ?? []).map((first, at) => ({ name: `${model.slug}.find-${at}`, first })));
  });
  return files.sort((a, b) => a.first - b.first);
}

/**
 * Notes which samples of a file hold a word.
 * @param {{lines: string, starts: Uint32Array}} file @param {string} word @param {Uint8Array} hits
 * @param {number} first Place of its first sample.
 */
function noteHits(file, word, hits, first) {
  const { lines, starts } = file;
  let line = 0;
  for (let at = lines.indexOf(word); at >= 0;) {
    while ((starts[line + 1] ?? Infinity) <= at) line += 1;
    hits[first + line] = 1;
    const next = starts[line + 1];
    at = next === undefined ? -1 : lines.indexOf(word, next);
  }
}

/** Lets the browser draw and take keys. */
const pause = () => new Promise((resolve) => { setTimeout(resolve, 0); });

/**
 * The places whose prompt or answers hold every word.
 * @param {number[]} places @param {string[]} words @param {{name: string, first: number}[]} files
 * @param {() => boolean} outdated Whether the answer is no longer wanted.
 * @param {(found: number[], share: number) => void} told Called as files are looked through.
 */
async function search(places, words, files, outdated, told) {
  const hits = words.map(() => new Uint8Array(INDEX.ids.length));
  const found = () => places.filter((place) => hits.every((one) => one[place]));
  let started = performance.now();
  for (const [number, { name, first }] of files.entries()) {
    for (const next of files.slice(number + 1, number + 1 + AHEAD)) searchFile(next.name);
    const file = searched.get(name) ?? await searchFile(name);
    if (outdated()) return null;
    words.forEach((word, at) => noteHits(file, word, /** @type {Uint8Array} */ (hits[at]), first));
    if (performance.now() - started > SLICE_MS) {
      told(found(), number / files.length);
      await pause();
      if (outdated()) return null;
      started = performance.now();
    }
  }
  return found();
}

/** Loads what a search will read, piece by piece. @param {{name: string}[]} files */
async function prepareSearch(files) {
  for (const { name } of files) {
    await searchFile(name);
    await pause();
  }
}

// ---- filters and order ---------------------------------------------------------------------------

const OUTCOME_OF = { r: "right", p: "partial", w: "wrong", u: "unscored", e: "error", "-": "not_run" };

/**
 * @param {Record<string, string>} state @param {import("./types").Head[]} heads Of the chosen models.
 * @returns {number[]}
 */
function filtered(state, heads) {
  const fields = Object.entries(INDEX.fields).flatMap(([name, field]) => {
    const wanted = state[`field.${name}`];
    return wanted === undefined ? [] : [{ codes: field.codes, code: field.values.indexOf(wanted) }];
  }).filter((one) => one.code >= 0);
  const outcome = Object.entries(OUTCOME_OF).find(([, name]) => name === state.outcome)?.[0];
  const [a, b] = heads;
  const places = [];
  for (let place = 0; place < INDEX.ids.length; place += 1) {
    if (fields.some((one) => one.codes[place] !== one.code)) continue;
    if (outcome && !heads.some((head) => head.outcomes[place] === outcome)) continue;
    if (state.show && a && !passes(state.show, place, heads, a, b)) continue;
    places.push(place);
  }
  return ordered(places, state.order);
}

/**
 * @param {string} show @param {number} place @param {import("./types").Head[]} heads
 * @param {import("./types").Head} a @param {import("./types").Head | undefined} b
 */
function passes(show, place, heads, a, b) {
  if (show === "nobody") return heads.every((head) => head.outcomes[place] !== "r" && head.outcomes[place] !== "-");
  if (show === "differ") {
    return new Set(heads.map((head) => `${head.outcomes[place]} ${head.values[place]}`)).size > 1;
  }
  const [x, y] = [a.values[place], b?.values[place]];
  if (typeof x !== "number" || typeof y !== "number") return false;
  const up = LOWER ? x < y : x > y;
  const down = LOWER ? x > y : x < y;
  return show === "won" ? up : show === "lost" ? down : true;
}

/** Whether lower is better in the first headline metric. */
const LOWER = Boolean(vlmData[`task/${SLUG}`]?.whole?.[0]?.lower);

/** @param {number[]} places @param {string | undefined} order */
function ordered(places, order) {
  const good = (/** @type {number} */ place) => INDEX.goodness[place] ?? null;
  if (order === "low" || order === "high") {
    const sign = order === "low" ? 1 : -1;
    return places.sort((a, b) => {
      const [x, y] = [good(a), good(b)];
      if (x === null || y === null) return Number(x === null) - Number(y === null);
      return sign * (x - y) || a - b;
    });
  }
  if (order === "spread") return places.sort((a, b) => (INDEX.spread[b] ?? 0) - (INDEX.spread[a] ?? 0) || a - b);
  return places;
}

// ---- the list: only what is seen is in the page ----------------------------------------------------

const ROW_HEIGHT = 52;

class SampleList {
  /** @param {(place: number) => void} chosen Called when a sample is chosen. */
  constructor(chosen) {
    this.box = /** @type {HTMLElement} */ (document.getElementById("list"));
    this.inner = /** @type {HTMLElement} */ (document.getElementById("list-inner"));
    /** @type {number[]} */
    this.places = [];
    this.current = -1;
    /** @type {import("./types").Head[]} */
    this.heads = [];
    this.chosen = chosen;
    this.box.addEventListener("scroll", () => this.draw(), { passive: true });
    new ResizeObserver(() => this.draw()).observe(this.box);
  }

  /** @param {number[]} places @param {import("./types").Head[]} heads */
  show(places, heads) {
    this.places = places;
    this.heads = heads;
    this.inner.style.height = `${places.length * ROW_HEIGHT}px`;
    this.draw();
  }

  /** @param {number} place */
  select(place) {
    this.current = place;
    const at = this.places.indexOf(place);
    if (at >= 0) {
      const top = at * ROW_HEIGHT;
      if (top < this.box.scrollTop) this.box.scrollTop = top;
      else if (top + ROW_HEIGHT > this.box.scrollTop + this.box.clientHeight) this.box.scrollTop = top + ROW_HEIGHT - this.box.clientHeight;
    }
    this.draw();
  }

  draw() {
    const first = Math.max(0, Math.floor(this.box.scrollTop / ROW_HEIGHT) - 3);
    const last = Math.min(this.places.length, first + Math.ceil(this.box.clientHeight / ROW_HEIGHT) + 6);
    const rows = [];
    for (let at = first; at < last; at += 1) rows.push(this.row(at));
    this.inner.replaceChildren(...rows);
    this.box.setAttribute("aria-activedescendant", this.places.includes(this.current) ? `row-${this.current}` : "");
  }

  /** @param {number} at */
  row(at) {
    const place = this.places[at] ?? 0;
    const marks = this.heads.map((head) => {
      const name = OUTCOME_OF[/** @type {keyof typeof OUTCOME_OF} */ (head.outcomes[place])] ?? "not_run";
      const mark = make("span", { className: `sign ${name}`, content: markOf(name), "aria-hidden": "true" });
      return make("span", {}, mark, make("span", { className: "unseen", label: name }));
    });
    const question = make("span", { className: "question", lang: INDEX.language });
    const known = vlmData[path(`text-${chunkOf(place)}`)];
    const offset = place - chunkOf(place) * INDEX.chunk;
    if (known) question.textContent = brief(known, offset);
    else textChunk(chunkOf(place)).then((texts) => { question.textContent = brief(texts, offset); }).catch(() => {});
    const row = make("div", { className: "row", id: `row-${place}`, role: "option", "aria-selected": String(place === this.current) },
      make("span", { className: "row-id", content: INDEX.ids[place] ?? "" }), make("span", { className: "marks" }, ...marks), question);
    row.style.transform = `translateY(${at * ROW_HEIGHT}px)`;
    row.addEventListener("click", () => this.chosen(place));
    return row;
  }
}

/** @param {import("./types").SampleText | undefined} one */
function asked(one) {
  return (one?.parts ?? []).filter((part) => typeof part === "string").join(" ").replace(/\s+/g, " ").trim();
}

/** The beginning that most prompts of a chunk share: the task's own instruction. @type {Map<any, string>} */
const beginnings = new Map();

/** @param {import("./types").SampleText[]} texts */
function beginning(texts) {
  const prompts = texts.map(asked).filter(Boolean);
  const sentences = prompts.map((one) => one.split(/(?<=[。：、 ])/));
  let common = "";
  for (let at = 0; ; at += 1) {
    /** @type {Map<string, number>} */
    const counts = new Map();
    for (const [n, one] of sentences.entries()) {
      const next = common + (one[at] ?? "");
      if (one[at] && prompts[n]?.startsWith(next)) counts.set(next, (counts.get(next) ?? 0) + 1);
    }
    const most = [...counts].find(([, count_]) => count_ >= 3 && 2 * count_ > prompts.length);
    if (!most) return common;
    common = most[0];
  }
}

/** @param {import("./types").SampleText[]} texts @param {number} at */
function brief(texts, at) {
  const common = beginnings.get(texts) ?? beginning(texts);
  beginnings.set(texts, common);
  const whole = asked(texts[at]);
  // Where all are asked the same, the reference tells them apart.
  const said = (whole.startsWith(common) ? whole.slice(common.length).trim() : whole) || texts[at]?.references[0] || whole;
  return said.length > 140 ? `${said.slice(0, 140)}…` : said;
}

/** @param {string} outcome */
const markOf = (outcome) => /** @type {Record<string, string>} */ ({ right: "✓", wrong: "✗", unscored: "?", error: "!", not_run: "–" })[outcome] ?? "◐";
