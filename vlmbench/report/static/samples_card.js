// One sample: images, prompt, options, references, and the chosen models' answers.
"use strict";

const FOLDED_LINES = 6;
const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";

/** @param {import("./types").Picture} picture @param {number} at */
function figure(picture, at) {
  if (picture.src === null) return make("span", { className: "badge warn", label: "unreadable" });
  const name = `${text("image_number")} ${at}`;
  const img = make("img", { src: ROOT + (picture.thumb ?? picture.src), alt: name, decoding: "async", width: picture.width, height: picture.height });
  const link = make("a", { href: ROOT + picture.src, className: "image", title: text("zoom"), "data-t-title": "zoom" }, img);
  link.addEventListener("click", (/** @type {MouseEvent} */ event) => {
    if (event.metaKey || event.ctrlKey || event.shiftKey) return;
    event.preventDefault();
    enlarge(ROOT + picture.src, name);
  });
  return link;
}

/** @param {string} src @param {string} name */
function enlarge(src, name) {
  const img = make("img", { src, alt: name });
  const close = make("button", { type: "button", label: "close" });
  const dialog = make("dialog", { className: "zoom", "aria-label": name }, close, make("div", { className: "zoom-box" }, img));
  close.addEventListener("click", () => dialog.close());
  img.addEventListener("click", () => img.classList.toggle("full"));
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}

/** Characters that cannot be seen are shown, or a wrong answer may look like its reference. */
const UNSEEN = /[\u200b-\u200f\u202a-\u202e\u2060-\u2064\u00ad\ufeff]/gu;

/** @param {string} said @param {any} target */
function appendVisible(target, said) {
  let last = 0;
  for (const match of said.matchAll(UNSEEN)) {
    target.append(said.slice(last, match.index));
    const code = match[0].codePointAt(0)?.toString(16).toUpperCase().padStart(4, "0");
    target.append(make("span", { className: "unseen-mark", content: `U+${code}` }));
    last = match.index + match[0].length;
  }
  target.append(said.slice(last));
}

/** A text of which long ones are folded. @param {string} said @param {any} [how] */
function foldable(said, how = {}) {
  const box = make("div", { className: "said", lang: INDEX.language, ...how });
  appendVisible(box, said);
  if (said.length < 300 && said.split("\n").length <= FOLDED_LINES) return box;
  box.classList.add("folded");
  const button = make("button", { type: "button", className: "small", label: "more_text", "aria-expanded": "false" });
  button.addEventListener("click", () => {
    const open = box.classList.toggle("folded");
    button.dataset.t = open ? "more_text" : "less_text";
    button.textContent = text(button.dataset.t);
    button.setAttribute("aria-expanded", String(!open));
  });
  return make("div", {}, box, button);
}

/**
 * What of an answer is not in the reference: the longest common subsequence of characters is left
 * plain, the rest is marked. Only for short texts, where it helps.
 * @param {string} said @param {string} reference
 */
function marked(said, reference) {
  const box = make("div", { className: "said", lang: INDEX.language });
  const [a, b] = [[...said], [...reference]];
  const rows = Array.from({ length: a.length + 1 }, () => new Uint16Array(b.length + 1));
  for (let i = a.length - 1; i >= 0; i -= 1) {
    for (let j = b.length - 1; j >= 0; j -= 1) {
      const here = /** @type {Uint16Array} */ (rows[i]);
      const next = /** @type {Uint16Array} */ (rows[i + 1]);
      here[j] = a[i] === b[j] ? (next[j + 1] ?? 0) + 1 : Math.max(next[j] ?? 0, here[j + 1] ?? 0);
    }
  }
  let [i, j] = [0, 0];
  let run = "";
  let common = true;
  const flush = () => {
    if (run) {
      const part = make(common ? "span" : "mark", {});
      appendVisible(part, run);
      box.append(part);
    }
    run = "";
  };
  while (i < a.length) {
    const same = j < b.length && a[i] === b[j];
    if (!same && j < b.length && (rows[i]?.[j + 1] ?? 0) > (rows[i + 1]?.[j] ?? 0)) {
      j += 1;
      continue;
    }
    if (same !== common) flush();
    common = same;
    run += a[i];
    i += 1;
    if (same) j += 1;
  }
  flush();
  return box;
}

/** @param {string} said @param {string[]} references */
function nearest(said, references) {
  const letters = new Set(said);
  const share = (/** @type {string} */ one) => [...new Set(one)].filter((letter) => letters.has(letter)).length / Math.max(1, new Set(one).size);
  return references.reduce((best, one) => (share(one) > share(best) ? one : best), references[0] ?? "");
}

/** @param {import("./types").SampleText} sample */
function promptBox(sample) {
  const box = make("div", { className: "prompt" });
  let row = null;
  let count = 0;
  for (const part of sample.parts) {
    if (typeof part === "string") {
      row = null;
      if (part.trim()) box.append(foldable(part.trim()));
    } else {
      if (!row) box.append((row = make("div", { className: "images" })));
      row.append(figure(part, (count += 1)));
    }
  }
  return box;
}

/** @param {import("./types").SampleText} sample */
function options(sample) {
  const right = new Set(sample.references);
  const items = sample.choices.map((choice, index) => {
    const letter = LETTERS[index] ?? String(index + 1);
    const item = make("li", {}, make("b", { content: letter }), " ", make("span", { content: choice, lang: INDEX.language }));
    if (right.has(letter) || right.has(choice)) item.append(" ", make("span", { className: "chip right", label: "correct_option" }));
    return item;
  });
  return make("div", { className: "listing" }, make("h2", { label: "choices" }), make("ul", { className: "options" }, ...items));
}

/** @param {import("./types").SampleText} sample */
function references(sample) {
  const items = sample.references.map((value) => make("li", {}, foldable(value)));
  return make("div", { className: "listing" }, make("h2", { label: "references" }), make("ul", {}, ...items));
}

/** @param {import("./types").Answer | null | undefined} answer @param {import("./types").SampleText} sample */
function answerText(answer, sample) {
  if (!answer) return make("p", { className: "absent", label: "not_run" });
  const box = make("div", { className: "answer-text" });
  if (answer.error) {
    const key = `error_${answer.error.kind}`;
    box.append(make("span", { className: "badge warn", ...(STRINGS[key] ? { label: key } : { content: answer.error.kind }) }), " ", make("span", { className: "note", content: answer.error.message }));
  } else if (answer.text === null) box.append(make("span", { className: "note", label: "no_answer_text" }));
  else if (!answer.text.trim()) box.append(make("span", { className: "note", label: "empty_answer" }));
  else {
    const said = answer.text.trim();
    const reference = nearest(said, sample.references);
    const short = said.length <= 120 && reference.length <= 200 && !sample.choices.length;
    box.append(short && answer.outcome !== "right" && reference ? marked(said, reference) : foldable(said));
  }
  if (answer.characters) box.append(make("span", { className: "note" }, make("span", { label: "cut_text" }), ` ${answer.characters}`));
  if (answer.extracted !== undefined) box.append(make("span", { className: "note" }, make("span", { label: "parsed_as" }), " ", make("span", { content: answer.extracted, lang: INDEX.language })));
  if (answer.truncated) box.append(make("span", { className: "badge warn", label: "truncated" }));
  if (answer.other_prompt) box.append(make("span", { className: "badge incomparable", label: "other_prompt" }));
  return box;
}

/** @param {import("./types").Answer} answer */
function scores(answer) {
  const box = make("div", { className: "scores" });
  if (answer.outcome !== "error") {
    const chip = make("span", { className: `chip ${answer.outcome}` }, make("span", { content: markOf(answer.outcome), "aria-hidden": "true" }), make("span", { className: "unseen", label: answer.outcome }), " ");
    chip.append(answer.value === null ? answer.unscored ?? "–" : number(answer.value));
    box.append(chip, " ", make("span", { className: "metric-name", content: answer.metric ?? "" }));
  }
  for (const [metric, value] of Object.entries(answer.others ?? {})) {
    box.append(make("span", { className: "other-score" }, make("span", { className: "metric-name", content: metric }), ` ${value === null ? "–" : number(value)}`));
  }
  return box;
}

/** @param {import("./types").Variant} variant */
function variantName(variant) {
  if (variant.kind === "image") return make("span", { label: `mode_${variant.name}` });
  const kind = make("span", { label: variant.kind === "prompt" ? "prompt" : "rotated_by" });
  const key = `prompt_${variant.name}`;
  const name = variant.kind === "prompt" && STRINGS[key] ? make("span", { label: key }) : make("span", { content: variant.name });
  return make("span", {}, kind, " ", name);
}

/** @param {import("./types").Variant} variant */
function variantAnswer(variant) {
  const chip = make("span", { className: `chip ${variant.outcome}` }, make("span", { content: markOf(variant.outcome), "aria-hidden": "true" }));
  if (variant.error) chip.append(` ${variant.error}`);
  else if (variant.value !== null) chip.append(` ${number(variant.value)}`);
  const content = make("dd", {});
  if (variant.text?.trim()) content.append(make("span", { content: variant.text.trim(), lang: INDEX.language }));
  else if (!variant.error) content.append(make("span", { className: "note", label: variant.text === null ? "no_answer_text" : "empty_answer" }));
  if (variant.option !== null) content.append(make("span", { className: "note" }, make("span", { label: "parsed_as" }), " ", make("span", { content: variant.option, lang: INDEX.language })));
  return make("div", {}, make("dt", {}, variantName(variant), " ", chip), content);
}

/** @param {import("./types").Answer} answer */
function folds(answer) {
  const found = [];
  if (answer.judges) {
    const replies = answer.judges.map((one) => make("div", {}, make("p", { className: "metric-name", content: one.metric }), foldable(one.text)));
    found.push(make("details", { className: "inline judge" }, make("summary", { label: "judge_reply" }), ...replies));
  }
  if (answer.variants) {
    const summary = make("summary", {}, make("span", { label: "variant_answers" }));
    for (const variant of answer.variants) {
      const mark = make("span", { className: `sign ${variant.outcome}`, content: markOf(variant.outcome) });
      summary.append(" ", make("span", { className: "brief" }, variantName(variant), " ", mark));
    }
    found.push(make("details", { className: "inline variants" }, summary, make("dl", {}, ...answer.variants.map(variantAnswer))));
  }
  return found;
}

/**
 * @param {number} place @param {import("./types").SampleText} sample
 * @param {{name: string, baseline: boolean}[]} models @param {(import("./types").Answer | null | undefined)[]} answers
 */
function cardContent(place, sample, models, answers) {
  const name = INDEX.ids[place] ?? "";
  const head = make("header", {}, make("code", { className: "sample-id", content: name }));
  const named = vlmData[`task/${SLUG}`]?.names ?? {};
  for (const [field, { values, codes }] of Object.entries(INDEX.fields)) {
    const value = values[codes[place] ?? -1];
    if (value !== undefined) head.append(make("span", { className: "tag" }, make("span", { both: [field, named[field] ?? field] }), ": ", make("span", { both: [value, named[value] ?? value] })));
  }
  head.append(make("a", { className: "permalink", href: `#${new URLSearchParams({ id: name })}`, label: "link" }));
  const given = make("div", { className: "given" }, promptBox(sample));
  if (sample.choices.length) given.append(options(sample));
  if (sample.references.length) given.append(references(sample));
  const said = models.map((model, index) => {
    const answer = answers[index];
    return make("section", { className: `answer${model.baseline ? " baseline" : ""}`, "aria-label": model.name },
      make("h2", { content: model.name }), answerText(answer, sample), ...(answer ? [scores(answer), ...folds(answer)] : []));
  });
  return [head, make("div", { className: "halves" }, given, make("div", { className: "answers" }, ...said))];
}
