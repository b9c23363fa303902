// The samples of one task: filters, order, pages. Everything shown is set with textContent.
"use strict";

const PAGE_SIZE = 20;
const DATA = JSON.parse(document.getElementById("data").textContent);
const OUTCOMES = ["right", "partial", "wrong", "unscored", "error", "not_run"];

// Half-width and full-width forms, and letter case, count as equal in a search.
const folded = (value) => value.normalize("NFKC").toLowerCase();

for (const sample of DATA.samples) {
  const texts = sample.parts.filter((part) => typeof part === "string");
  const answers = sample.answers.map((answer) => answer?.text ?? "");
  sample.haystack = folded([sample.id, ...texts, ...sample.references, ...answers].join("\n"));
}

function make(tag, { className, label, content, lang, ...attributes } = {}, ...children) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (lang) element.lang = lang;
  if (label) {
    element.dataset.t = label;
    element.textContent = text(label);
  }
  if (content !== undefined) element.textContent = content;
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

// ---- state: kept in the address, so that a view can be linked to -------------------------------

const EMPTY = { q: "", model: "", outcome: "", order: "task", baselines: "", page: "1" };
let state = readState();

function readState() {
  return { ...EMPTY, ...Object.fromEntries(new URLSearchParams(location.hash.slice(1))) };
}

function change(changes) {
  state = { ...state, page: "1", ...changes };
  const kept = Object.entries(state).filter(([name, value]) => value !== (EMPTY[name] ?? ""));
  const hash = new URLSearchParams(kept).toString();
  history.replaceState(null, "", hash ? `#${hash}` : location.pathname);
  showSamples();
}

const MIXED = new Set(DATA.models.map((model) => model.baseline)).size === 2;

function isShown(model) {
  return !MIXED || !model.baseline || state.baselines === "1" || state.model === model.name;
}

const field = (name) => state[`field.${name}`] ?? "";

// ---- filter and order --------------------------------------------------------------------------

function chosenAnswers(sample) {
  const index = DATA.models.findIndex((model) => model.name === state.model);
  if (index >= 0) return [sample.answers[index]];
  // "Any model" means models: a baseline is nearly always wrong somewhere.
  const models = sample.answers.filter((_, i) => !DATA.models[i].baseline);
  return models.length ? models : sample.answers;
}

function fits(sample, needle) {
  for (const name of Object.keys(DATA.fields)) {
    if (field(name) && String(sample.slices[name]) !== field(name)) return false;
  }
  if (needle && !sample.haystack.includes(needle)) return false;
  if (!state.outcome) return true;
  return chosenAnswers(sample).some((answer) => (answer?.outcome ?? "not_run") === state.outcome);
}

function orderValue(sample) {
  const values = chosenAnswers(sample).map((answer) => answer?.value).filter(Number.isFinite);
  return values.length ? values.reduce((a, b) => a + b) / values.length : null;
}

function selected() {
  const needle = folded(state.q.trim());
  const found = DATA.samples.filter((sample) => fits(sample, needle));
  if (state.order === "task") return found;
  const sign = state.order === "low" ? 1 : -1;
  const keyed = found.map((sample) => [orderValue(sample), sample]);
  keyed.sort(([a], [b]) => (a === null) - (b === null) || sign * (a - b));
  return keyed.map(([, sample]) => sample);
}

// ---- one sample --------------------------------------------------------------------------------

function figure(index) {
  const image = DATA.images[index];
  if (image.src === null) return make("span", { className: "badge warn", label: "unreadable" });
  const img = make("img", {
    src: `../${image.src}`, alt: "", loading: "lazy", decoding: "async",
    width: image.width, height: image.height,
  });
  return make("a", { href: `../${image.src}`, className: "image" }, img);
}

function promptBox(sample) {
  const box = make("div", { className: "prompt", lang: DATA.language });
  let row = null;
  for (const part of sample.parts) {
    if (typeof part === "string") {
      row = null;
      if (part.trim()) box.append(make("p", { content: part.trim() }));
    } else {
      // Images that follow one another share a row.
      if (!row) box.append((row = make("div", { className: "images" })));
      row.append(figure(part));
    }
  }
  return box;
}

function listing(label, values) {
  const items = values.map((value) => make("li", { content: value, lang: DATA.language }));
  return make("div", { className: "listing" }, make("h4", { label }), make("ul", {}, ...items));
}

const number = (value) => value.toFixed(3);

function answerText(answer) {
  const cell = make("td", { className: "answer-text" });
  if (!answer) return make("td", { className: "answer-text absent", label: "not_run" });
  if (answer.error) {
    cell.append(make("span", { className: "badge warn", content: answer.error.kind }));
    cell.append(" ", make("span", { className: "note", content: answer.error.message }));
  } else if (answer.text === null) {
    cell.append(make("span", { className: "note", label: "no_answer_text" }));
  } else if (answer.text.trim() === "") {
    cell.append(make("span", { className: "note", label: "empty_answer" }));
  } else {
    cell.append(make("span", { content: answer.text.trim(), lang: DATA.language }));
  }
  if (answer.extracted !== null && answer.extracted !== answer.text) {
    const value = make("span", { content: answer.extracted, lang: DATA.language });
    cell.append(make("span", { className: "note" }, make("span", { label: "parsed_as" }), " ", value));
  }
  if (answer.truncated) cell.append(make("span", { className: "note", label: "truncated" }));
  if (answer.other_prompt) cell.append(make("span", { className: "badge incomparable", label: "other_prompt" }));
  return cell;
}

const markOf = (outcome) => ({ right: "✓", wrong: "✗", unscored: "?", error: "!" })[outcome] ?? "◐";

// Which variant it was: what stood in the image's place, the paraphrase, how far options moved.
function variantName(variant) {
  if (variant.kind === "image") return make("span", { label: `mode_${variant.name}` });
  const kind = make("span", { label: variant.kind === "prompt" ? "prompt" : "rotated_by" });
  return make("span", {}, kind, ` ${variant.name}`);
}

function variantAnswer(variant) {
  const chip = make("span", { className: `chip ${variant.outcome}` });
  chip.append(make("span", { content: markOf(variant.outcome), "aria-hidden": "true" }));
  if (variant.error) chip.append(` ${variant.error}`);
  else if (variant.value !== null) chip.append(` ${number(variant.value)}`);
  const content = make("dd", {});
  if (variant.text?.trim()) content.append(make("span", { content: variant.text.trim(), lang: DATA.language }));
  else if (!variant.error) content.append(make("span", { className: "note", label: variant.text === null ? "no_answer_text" : "empty_answer" }));
  if (variant.option !== null) {
    const option = make("span", { content: variant.option, lang: DATA.language });
    content.append(make("span", { className: "note" }, make("span", { label: "parsed_as" }), " ", option));
  }
  return make("div", {}, make("dt", {}, variantName(variant), " ", chip), content);
}

function variantRow(answer) {
  const summary = make("summary", {}, make("span", { label: "variant_answers" }));
  for (const variant of answer.variants) {
    const mark = make("span", { className: `sign ${variant.outcome}`, content: markOf(variant.outcome) });
    summary.append(" ", make("span", { className: "brief" }, variantName(variant), " ", mark));
  }
  const list = make("dl", {}, ...answer.variants.map(variantAnswer));
  const details = make("details", { className: "inline" }, summary, list);
  return make("tr", { className: "variants" }, make("td", { colspan: "3" }, details));
}

function answerScore(answer) {
  const cell = make("td", { className: "scored" });
  if (!answer) return cell;
  if (answer.outcome !== "error") {
    const mark = markOf(answer.outcome);
    const chip = make("span", { className: `chip ${answer.outcome}` });
    chip.append(make("span", { content: mark, "aria-hidden": "true" }), " ");
    if (answer.value === null) chip.append(make("span", { content: answer.unscored ?? "–" }));
    else chip.append(make("span", { content: number(answer.value) }));
    cell.append(chip);
    if (answer.metric !== DATA.metric) {
      cell.append(make("span", { className: "note", content: answer.metric ?? "" }));
    }
  }
  for (const [metric, value] of Object.entries(answer.other_metrics)) {
    cell.append(make("span", { className: "note", content: `${metric} ${number(value)}` }));
  }
  return cell;
}

function answerTable(sample) {
  const head = make("tr", {},
    make("th", { scope: "col", label: "model" }),
    make("th", { scope: "col", label: "answer" }),
    make("th", { scope: "col" }, make("span", { content: DATA.metric })));
  const rows = DATA.models.flatMap((model, index) => !isShown(model) ? [] : [
    make("tr", { className: model.baseline ? "baseline" : "" },
      make("th", { scope: "row", content: model.name }),
      answerText(sample.answers[index]),
      answerScore(sample.answers[index])),
    ...(sample.answers[index]?.variants.length ? [variantRow(sample.answers[index])] : [])]);
  return make("table", { className: "answers" },
    make("thead", {}, head), make("tbody", {}, ...rows));
}

function card(sample) {
  const head = make("header", {}, make("code", { content: sample.id }));
  for (const [name, value] of Object.entries(sample.slices)) {
    head.append(make("span", { className: "tag", content: `${name}: ${value}` }));
  }
  const given = make("div", { className: "given" });
  given.append(promptBox(sample));
  if (sample.choices.length) given.append(listing("choices", sample.choices));
  given.append(listing("references", sample.references));
  return make("article", { className: "sample" }, head,
    make("div", { className: "halves" }, given, answerTable(sample)));
}

// ---- the page ----------------------------------------------------------------------------------

function option(value, label, content) {
  return make("option", content === undefined ? { value, label } : { value, content });
}

function control(label, element) {
  const name = make("span", label.key ? { label: label.key } : { content: label.content });
  return make("label", {}, name, element);
}

function select(name, options) {
  const element = make("select", { name }, ...options);
  element.addEventListener("change", () => change({ [name]: element.value }));
  return element;
}

function buildFilters() {
  const form = document.getElementById("filters");
  const search = make("input", { type: "search", name: "q", placeholder: text("search_hint"),
    "data-t-placeholder": "search_hint", autocomplete: "off" });
  search.addEventListener("input", () => change({ q: search.value }));
  form.append(control({ key: "search" }, search));
  for (const [name, values] of Object.entries(DATA.fields)) {
    const options = values.map((value) => option(String(value), null, String(value)));
    form.append(control({ content: name }, select(`field.${name}`, [option("", "all"), ...options])));
  }
  const present = new Set(DATA.samples.flatMap((sample) =>
    sample.answers.map((answer) => answer?.outcome ?? "not_run")));
  const outcomes = OUTCOMES.filter((name) => present.has(name)).map((name) => option(name, name));
  form.append(control({ key: "outcome" }, select("outcome", [option("", "all"), ...outcomes])));
  const models = DATA.models.map((model) => option(model.name, null, model.name));
  form.append(control({ key: "model_filter" }, select("model", [option("", "any_model"), ...models])));
  form.append(control({ key: "order" }, select("order", [
    option("task", "order_task"), option("low", "order_low"), option("high", "order_high")])));
  if (MIXED) {
    const box = make("input", { type: "checkbox", name: "baselines" });
    box.addEventListener("change", () => change({ baselines: box.checked ? "1" : "" }));
    form.append(make("label", { className: "check" }, box, make("span", { label: "show_baselines" })));
  }
  const reset = make("button", { type: "button", label: "reset" });
  reset.addEventListener("click", () => {
    state = { ...EMPTY };
    change({});
    showState();
  });
  form.append(reset);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.hidden = false;
}

function showState() {
  for (const element of document.getElementById("filters").elements) {
    if (element.type === "checkbox") element.checked = state[element.name] === "1";
    else if (element.name) element.value = state[element.name] ?? "";
  }
}

function buildPager(page, pages) {
  const pager = document.getElementById("pager");
  pager.replaceChildren();
  if (pages < 2) return;
  const go = (label, target) => {
    const button = make("button", { type: "button", label });
    button.disabled = target < 1 || target > pages;
    button.addEventListener("click", () => {
      change({ page: String(target) });
      document.getElementById("browser").scrollIntoView();
    });
    return button;
  };
  const place = make("span", { content: ` ${page} / ${pages} ` });
  pager.append(go("previous", page - 1), place, go("next", page + 1));
}

function showSamples() {
  const found = selected();
  const pages = Math.max(1, Math.ceil(found.length / PAGE_SIZE));
  const page = Math.min(pages, Math.max(1, Number.parseInt(state.page, 10) || 1));
  const visible = found.slice((page - 1) * PAGE_SIZE, page * PAGE_SIZE);
  const box = document.getElementById("samples");
  box.replaceChildren(...visible.map(card));
  if (!visible.length) box.append(make("p", { className: "problem", label: "none_found" }));
  document.getElementById("count").replaceChildren(
    `${found.length} / ${DATA.samples.length} `, make("span", { label: "shown" }));
  buildPager(page, pages);
}

buildFilters();
showState();
showSamples();
addEventListener("hashchange", () => {
  state = readState();
  showState();
  showSamples();
});
