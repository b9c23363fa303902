// Languages, colors, sortable tables, views, and the helpers of the other scripts. No text from data
// is ever parsed as markup: everything goes through textContent and attributes.
"use strict";

/** @type {Record<string, [string, string]>} */
const STRINGS = vlmData.strings ?? JSON.parse(document.getElementById("strings")?.textContent ?? "{}");
const ROOT = document.body.dataset.root ?? "";
const THEMES = ["auto", "light", "dark"];
let language = "en";
/** What to draw again when language or colors change. @type {(() => void)[]} */
const redraws = [];

/** @param {string} key */
function text(key) {
  return STRINGS[key]?.[language === "ja" ? 1 : 0] ?? key;
}

/**
 * Half-width and full-width forms, letter case, and hiragana and katakana count as equal.
 * @param {string} value
 */
function folded(value) {
  return value.normalize("NFKC").toLowerCase()
    .replace(/[\u3041-\u3096]/g, (kana) => String.fromCharCode(kana.charCodeAt(0) + 0x60));
}

/**
 * An element; `label` is a key of the strings, `both` a text in English and Japanese.
 * @param {string} tag
 * @param {Record<string, any>} [options]
 * @param {...(Node | string)} children
 * @returns {any}
 */
function make(tag, options = {}, ...children) {
  const { className, label, both, content, lang, ...attributes } = options;
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (lang) element.lang = lang;
  if (label) {
    element.dataset.t = label;
    element.textContent = text(label);
  }
  if (both) {
    [element.dataset.en, element.dataset.ja] = both;
    element.textContent = both[language === "ja" ? 1 : 0];
  }
  if (content !== undefined) element.textContent = content;
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== null && value !== false) {
      element.setAttribute(name, value === true ? "" : String(value));
    }
  }
  element.append(...children);
  return element;
}

/** @param {number} value */
const number = (value) => value.toFixed(3);

/** @param {number} value */
const signed = (value) => (value < 0 ? "−" : "+") + Math.abs(value).toFixed(3);

/** @param {ParentNode} root */
function translate(root) {
  for (const element of root.querySelectorAll("[data-t]")) {
    element.textContent = text(/** @type {HTMLElement} */ (element).dataset.t ?? "");
  }
  for (const element of /** @type {NodeListOf<HTMLElement>} */ (root.querySelectorAll("[data-ja]"))) {
    element.textContent = element.dataset[language] ?? "";
  }
  for (const attribute of ["aria-label", "placeholder", "title"]) {
    for (const element of root.querySelectorAll(`[data-t-${attribute}]`)) {
      element.setAttribute(attribute, text(element.getAttribute(`data-t-${attribute}`) ?? ""));
    }
  }
}

/** @param {string} next */
function setLanguage(next) {
  language = next;
  document.documentElement.lang = next;
  const button = document.getElementById("language");
  if (button) {
    button.textContent = text("language_button");
    button.lang = next === "en" ? "ja" : "en";
  }
  translate(document);
  showTheme();
  document.title = pageTitle();
  for (const redraw of redraws) redraw();
}

function pageTitle() {
  const heading = document.querySelector("h1");
  return heading && vlmData.strings ? `${heading.textContent?.replace(/\s+/g, " ").trim()} · vlmbench` : document.title;
}

function startLanguage() {
  const button = document.getElementById("language");
  if (!button) return;
  button.hidden = false;
  button.addEventListener("click", () => {
    setLanguage(language === "en" ? "ja" : "en");
    remember("language", language);
  });
  const preferred = remembered("language") ?? navigator.language.slice(0, 2);
  if (preferred === "ja") setLanguage("ja");
}

function theme() {
  return document.documentElement.dataset.theme ?? "auto";
}

/** Whether the page is dark now. */
function isDark() {
  return theme() === "dark" || (theme() === "auto" && matchMedia("(prefers-color-scheme: dark)").matches);
}

function showTheme() {
  const button = document.getElementById("theme");
  if (button) button.textContent = text(`theme_${theme()}`);
}

function startTheme() {
  const button = document.getElementById("theme");
  if (!button) return;
  button.hidden = false;
  button.addEventListener("click", () => {
    const next = THEMES[(THEMES.indexOf(theme()) + 1) % THEMES.length] ?? "auto";
    if (next === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = next;
    remember("theme", next);
    showTheme();
    for (const redraw of redraws) redraw();
  });
  showTheme();
}

// ---- the address: what is shown, so that it can be linked to and comes back with Back -----------

/** @returns {Record<string, string>} */
function readHash() {
  return Object.fromEntries(new URLSearchParams(location.hash.slice(1)));
}

/**
 * @param {Record<string, string | null | undefined>} changes Empty ones are taken out.
 * @param {{push?: boolean}} [how] Whether Back returns to what was shown before.
 */
function writeHash(changes, { push = true } = {}) {
  const state = { ...readHash(), ...changes };
  const kept = Object.entries(state).filter(([name, value]) => value && STATE_NAMES.test(name));
  const hash = new URLSearchParams(/** @type {[string, string][]} */ (kept)).toString();
  const target = hash ? `#${hash}` : location.pathname + location.search;
  if (hash === location.hash.slice(1)) return;
  if (push) history.pushState(null, "", target);
  else history.replaceState(null, "", target);
}

const STATE_NAMES = /^[a-z]+(\..+)?$/;

/**
 * Loads a script of data once.
 * @param {string} name What it puts.
 * @param {string} path Relative to the site.
 * @returns {Promise<any>}
 */
function loadData(name, path) {
  if (name in vlmData) return Promise.resolve(vlmData[name]);
  return new Promise((resolve, reject) => {
    const before = vlmWaiting[name];
    vlmWaiting[name] = (value) => {
      before?.(value);
      resolve(value);
    };
    if (!before) loadScript(path).catch(reject);
  });
}

/**
 * @param {string} path Relative to the site.
 * @returns {Promise<void>}
 */
function loadScript(path) {
  return new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = ROOT + path;
    script.addEventListener("load", () => resolve());
    script.addEventListener("error", () => reject(new Error(path)));
    document.head.append(script);
  });
}

// ---- tables --------------------------------------------------------------------------------------

/**
 * Rows keep to their body, so models stay apart from baselines. Cells without a value go last.
 * @param {HTMLTableElement} table
 * @param {number} index
 * @param {boolean} descending
 * @param {boolean} numeric
 */
function sortRows(table, index, descending, numeric) {
  const sign = descending ? -1 : 1;
  /** @param {HTMLTableRowElement} row */
  const keyOf = (row) => /** @type {HTMLElement | undefined} */ (row.children[index])?.dataset.sort;
  for (const body of table.tBodies) {
    const rows = [...body.rows].filter((row) => !row.classList.contains("divider"));
    rows.sort((a, b) => {
      const [x, y] = [keyOf(a), keyOf(b)];
      if (x === undefined || y === undefined) return Number(x === undefined) - Number(y === undefined);
      return sign * (numeric ? Number(x) - Number(y) : x.localeCompare(y, "ja", { numeric: true }));
    });
    body.append(...rows);
  }
}

/**
 * @param {HTMLTableElement} table
 * @param {(index: number, descending: boolean) => void} [sorted] Called after the rows are in order.
 * @returns {(key: string, descending?: boolean) => void} Sorts by the key of a column.
 */
function makeSortable(table, sorted) {
  const headers = [...(table.tHead?.rows[0]?.cells ?? [])];
  /** @param {number} index @param {boolean} descending */
  const sort = (index, descending) => {
    const header = headers[index];
    if (!header) return;
    for (const other of headers) other.removeAttribute("aria-sort");
    header.setAttribute("aria-sort", descending ? "descending" : "ascending");
    sortRows(table, index, descending, header.dataset.order !== "text");
    sorted?.(index, descending);
  };
  headers.forEach((header, index) => {
    if (!header.dataset.order) return;
    const button = make("button", { type: "button", className: "sort" });
    const words = [...header.childNodes].filter((node) => !(node instanceof Element && node.matches(".ends, .direction")));
    button.append(...words);
    header.prepend(button);
    button.addEventListener("click", () => {
      const before = header.getAttribute("aria-sort");
      // Numbers start with the best, names with the first.
      sort(index, before ? before === "ascending" : header.dataset.order === "number");
      writeHash({ sort: sortName(table, header) });
    });
  });
  return (key, descending) => {
    const index = headers.findIndex((header) => header.dataset.key === key);
    if (index >= 0) sort(index, descending ?? headers[index]?.dataset.order === "number");
  };
}

/** @param {HTMLTableElement} table @param {HTMLElement} header */
function sortName(table, header) {
  const tables = [...document.querySelectorAll("table.sortable, table.leader")];
  const down = header.getAttribute("aria-sort") === "descending" ? "-" : "";
  return `${down}${tables.indexOf(table)}.${header.dataset.key ?? ""}`;
}

/** @type {Map<Element, (key: string, descending?: boolean) => void>} */
const sorters = new Map();

function sortByHash() {
  const found = /^(-?)(\d+)\.(.*)$/.exec(readHash().sort ?? "");
  if (!found) return false;
  const table = [...document.querySelectorAll("table.sortable, table.leader")][Number(found[2])];
  if (table) sorters.get(table)?.(found[3] ?? "", found[1] === "-");
  return true;
}

/** Says at the edges of a box that it holds more columns or rows. @param {Element} box */
function markOverflow(box) {
  box.classList.toggle("more-below", box.scrollHeight - box.clientHeight - box.scrollTop > 4);
  const more = box.scrollWidth - box.clientWidth - box.scrollLeft > 4;
  box.classList.toggle("more-right", more);
}

/** @type {WeakSet<Element>} */
const watched = new WeakSet();

function startScrolling() {
  for (const box of document.querySelectorAll(".scroll")) {
    if (watched.has(box)) continue;
    watched.add(box);
    box.addEventListener("scroll", () => markOverflow(box), { passive: true });
    new ResizeObserver(() => markOverflow(box)).observe(box);
  }
}

// ---- views ---------------------------------------------------------------------------------------

/** @param {string} name */
function showView(name) {
  const buttons = /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll(".views button"));
  const known = [...buttons].some((button) => button.dataset.view === name);
  const shown = known ? name : buttons[0]?.dataset.view;
  for (const button of buttons) {
    button.setAttribute("aria-pressed", String(button.dataset.view === shown));
  }
  for (const panel of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("[data-panel]"))) {
    panel.hidden = panel.dataset.panel !== shown;
  }
  for (const redraw of redraws) redraw();
}

function startViews() {
  const group = /** @type {HTMLElement | null} */ (document.querySelector(".views"));
  if (!group) return;
  group.hidden = false;
  for (const button of /** @type {NodeListOf<HTMLElement>} */ (group.querySelectorAll("button"))) {
    button.addEventListener("click", () => {
      const view = button.dataset.view ?? "";
      writeHash({ view: view === "table" ? null : view });
      showView(view);
    });
  }
  showView(readHash().view ?? "");
}

startTheme();
startLanguage();
for (const table of /** @type {NodeListOf<HTMLTableElement>} */ (document.querySelectorAll("table.sortable"))) {
  sorters.set(table, makeSortable(table));
}
sortByHash();
startViews();
startScrolling();
addEventListener("popstate", () => {
  if (document.querySelector(".views")) showView(readHash().view ?? "");
  sortByHash();
});
