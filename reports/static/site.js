// Language toggle, sortable tables and the views of the leaderboard. No text from data is ever
// parsed as markup: everything goes through textContent and attributes.
"use strict";

const STRINGS = JSON.parse(document.getElementById("strings").textContent);
const LANGUAGES = ["en", "ja"];
let language = "en";

function text(key) {
  return STRINGS[key][LANGUAGES.indexOf(language)];
}

function remembered(name) {
  try {
    return localStorage.getItem(name);
  } catch {
    return null; // Storage may be switched off for files.
  }
}

function remember(name, value) {
  try {
    localStorage.setItem(name, value);
  } catch {
    // Then the choice lasts for this page only.
  }
}

function translate(root) {
  for (const element of root.querySelectorAll("[data-t]")) {
    element.textContent = text(element.dataset.t);
  }
  for (const attribute of ["aria-label", "placeholder"]) {
    for (const element of root.querySelectorAll(`[data-t-${attribute}]`)) {
      element.setAttribute(attribute, text(element.getAttribute(`data-t-${attribute}`)));
    }
  }
}

function setLanguage(next) {
  language = next;
  document.documentElement.lang = next;
  const button = document.getElementById("language");
  button.textContent = text("language_button");
  button.lang = next === "en" ? "ja" : "en";
  translate(document);
}

function startLanguage() {
  const button = document.getElementById("language");
  button.hidden = false;
  button.addEventListener("click", () => {
    setLanguage(language === "en" ? "ja" : "en");
    remember("vlmbench-language", language);
  });
  const preferred = remembered("vlmbench-language") ?? navigator.language.slice(0, 2);
  if (preferred === "ja") setLanguage("ja");
}

// Rows keep to their body, so models stay apart from baselines. Cells without a value go last.
function sortRows(table, index, descending, numeric) {
  const sign = descending ? -1 : 1;
  const keyOf = (row) => row.children[index]?.dataset.sort;
  for (const body of table.tBodies) {
    const rows = [...body.rows].filter((row) => !row.classList.contains("divider"));
    rows.sort((a, b) => {
      const [x, y] = [keyOf(a), keyOf(b)];
      if (x === undefined || y === undefined) return (x === undefined) - (y === undefined);
      return sign * (numeric ? Number(x) - Number(y) : x.localeCompare(y, "ja", { numeric: true }));
    });
    body.append(...rows);
  }
}

function makeSortable(table) {
  const headers = [...table.tHead.rows[0].cells];
  headers.forEach((header, index) => {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "sort";
    button.append(...header.childNodes);
    header.append(button);
    const numeric = header.dataset.order === "number";
    button.addEventListener("click", () => {
      const before = header.getAttribute("aria-sort");
      // Numbers start with the highest, names with the first.
      const descending = before ? before === "ascending" : numeric;
      for (const other of headers) other.removeAttribute("aria-sort");
      header.setAttribute("aria-sort", descending ? "descending" : "ascending");
      sortRows(table, index, descending, numeric);
    });
  });
}

function startViews() {
  const group = document.querySelector(".views");
  if (!group) return;
  group.hidden = false;
  const buttons = [...group.querySelectorAll("button")];
  const show = (name) => {
    for (const button of buttons) {
      button.setAttribute("aria-pressed", String(button.dataset.view === name));
    }
    for (const panel of document.querySelectorAll("[data-panel]")) {
      panel.hidden = panel.dataset.panel !== name;
    }
  };
  for (const button of buttons) button.addEventListener("click", () => show(button.dataset.view));
  show("overall");
}

startLanguage();
document.querySelectorAll("table.sortable").forEach(makeSortable);
startViews();
