// The page of a task's samples: filters, the list, one sample beside it, keys and the address.
"use strict";
{
  const form = /** @type {HTMLFormElement} */ (document.getElementById("filters"));
  const card = /** @type {HTMLElement} */ (document.getElementById("card"));
  const count = /** @type {HTMLElement} */ (document.getElementById("count"));
  const OUTCOMES = ["right", "partial", "wrong", "unscored", "error", "not_run"];
  const list = new SampleList((place) => choose(place, true));
  const FILTERS = /^(q|outcome|show|order|models|field\..+)$/;
  let turn = 0;
  let shownFilters = "";
  /** What passes the filters, which stay while a word is typed. @type {{key: string, places: number[]}} */
  let passing = { key: "", places: [] };

  /** @param {Record<string, string | null>} changes @param {boolean} [push] */
  function change(changes, push = true) {
    writeHash(changes, { push });
    refresh();
  }

  function filterState() {
    return JSON.stringify(Object.entries(readHash()).filter(([name]) => FILTERS.test(name)).sort());
  }

  async function refresh() {
    const mine = (turn += 1);
    const state = readHash();
    shownFilters = filterState();
    showControls();
    const models = chosenModels();
    const heads = await Promise.all(models.map((model) => headOf(model.slug)));
    if (mine !== turn) return;
    const words = folded(state.q ?? "").split(/\s+/).filter(Boolean);
    const key = JSON.stringify([...Object.entries(state).filter(([name]) => FILTERS.test(name) && name !== "q"), models.map((model) => model.name)]);
    if (passing.key !== key) passing = { key, places: filtered(state, heads) };
    const { places } = passing;
    if (!words.length) {
      showFound(places, heads);
      return;
    }
    const found = await search(places, words, searchFiles(models, heads), () => mine !== turn,
      (some, share) => {
        // Until something is found the former list stays.
        if (some.length) list.show(some, heads);
        showCount(some.length, share);
      });
    if (found && mine === turn) showFound(found, heads);
  }

  /** @param {number} found @param {number} [share] How much has been searched, if not everything. */
  function showCount(found, share) {
    count.replaceChildren(`${found.toLocaleString("en")} / ${INDEX.ids.length.toLocaleString("en")} `, make("span", { label: "shown" }),
      ...(share === undefined ? [] : [" · ", make("span", { label: "searching" }), ` ${Math.floor(100 * share)} %`]));
  }

  /** @param {number[]} places @param {import("./types").Head[]} heads */
  function showFound(places, heads) {
    list.show(places, heads);
    showCount(places.length);
    const asked = INDEX.ids.indexOf(readHash().id ?? "");
    const place = asked >= 0 ? asked : places.includes(list.current) ? list.current : places[0];
    if (place === undefined) card.replaceChildren(make("p", { className: "problem", label: "none_found" }));
    else choose(place, false, false);
  }

  /** @param {number} place @param {boolean} push @param {boolean} [named] Whether the address names it. */
  async function choose(place, push, named = true) {
    if (named) writeHash({ id: INDEX.ids[place] ?? "" }, { push });
    list.select(place);
    const models = chosenModels();
    const chunk = chunkOf(place);
    const at = place - chunk * INDEX.chunk;
    const [texts, ...answers] = await Promise.all([textChunk(chunk), ...models.map((model) => answerChunk(model.slug, chunk))]);
    if (list.current !== place) return;
    const sample = texts[at] ?? { parts: [], references: [], choices: [] };
    card.replaceChildren(...cardContent(place, sample, models, answers.map((one) => one[at])));
  }

  /** @param {number} step */
  function move(step) {
    const at = list.places.indexOf(list.current);
    const place = list.places[Math.min(list.places.length - 1, Math.max(0, at + step))];
    if (place !== undefined && place !== list.current) choose(place, false);
  }

  // ---- controls -----------------------------------------------------------------------------------

  /** @param {string} name @param {any} label @param {[string, any][]} known @param {any} [first] */
  function select(name, label, known, first = { label: "all" }) {
    const element = make("select", { name }, make("option", { value: "", ...first }), ...known.map(([value, how]) => make("option", { value, ...how })));
    element.addEventListener("change", () => change({ [name]: element.value, id: "" }));
    return make("label", {}, make("span", label), element);
  }

  function buildControls() {
    const named = vlmData[`task/${SLUG}`]?.names ?? {};
    const box = make("input", { type: "search", name: "q", autocomplete: "off", placeholder: text("search_hint"), "data-t-placeholder": "search_hint" });
    box.addEventListener("input", () => change({ q: box.value, id: "" }, false));
    box.addEventListener("focus", async () => {
      const models = chosenModels();
      prepareSearch(searchFiles(models, await Promise.all(models.map((model) => headOf(model.slug)))));
    }, { once: true });
    form.append(make("label", { className: "grow" }, make("span", { label: "search" }), box));
    for (const [name, field] of Object.entries(INDEX.fields)) {
      if (field.values.length > 60) continue;
      form.append(select(`field.${name}`, { both: [name, named[name] ?? name] }, field.values.map((value) => [value, { both: [value, named[value] ?? value] }])));
    }
    form.append(select("outcome", { label: "outcome" }, OUTCOMES.map((name) => [name, { label: name }])));
    form.append(select("show", { label: "show" }, ["won", "lost", "differ", "nobody"].map((name) => [name, { label: `show_${name}` }]), { label: "show_all" }));
    form.append(select("order", { label: "order" }, ["low", "high", "spread"].map((name) => [name, { label: `order_${name}` }]), { label: "order_task" }));
    const models = make("fieldset", {}, make("legend", { label: "answers_of" }));
    for (const model of INDEX.models) {
      const check = make("input", { type: "checkbox", name: "model", value: model.name });
      check.addEventListener("change", () => {
        const names = chosenModels().map((one) => one.name).filter((one) => one !== model.name);
        if (check.checked) names.push(model.name);
        change({ models: names.slice(-MOST_CHOSEN).join("\n") });
      });
      models.append(make("label", { className: "check" }, check, make("span", { content: model.name })));
    }
    form.append(make("details", { className: "chooser" }, make("summary", { label: "answers_of" }), make("div", { className: "chooser-box" }, models)));
    const reset = make("button", { type: "button", label: "reset" });
    reset.addEventListener("click", () => {
      history.pushState(null, "", location.pathname + location.search);
      refresh();
    });
    form.append(reset);
    form.addEventListener("submit", (event) => event.preventDefault());
    form.hidden = false;
    /** @type {HTMLElement} */ (document.getElementById("browser")).hidden = false;
  }

  function showControls() {
    const state = readHash();
    const names = new Set(chosenModels().map((model) => model.name));
    for (const element of /** @type {any} */ (form.elements)) {
      if (element.type === "checkbox") element.checked = names.has(element.value);
      else if (element.name && document.activeElement !== element) {
        element.value = state[element.name] ?? "";
        // A value of the address that there is not stands for all.
        if (element.tagName === "SELECT" && element.selectedIndex < 0) element.value = "";
      }
    }
  }

  addEventListener("keydown", (event) => {
    const inside = /** @type {HTMLElement | null} */ (event.target)?.closest("input, select, textarea, dialog");
    if (inside || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "j") move(1);
    else if (event.key === "k") move(-1);
    else if (event.key === "/") {
      event.preventDefault();
      /** @type {any} */ (form.elements.namedItem("q"))?.focus();
    }
  });
  list.box.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1, PageDown: 8, PageUp: -8 }[event.key];
    if (step) {
      event.preventDefault();
      move(step);
    }
  });
  addEventListener("popstate", () => {
    if (filterState() !== shownFilters) refresh();
    else {
      const place = INDEX.ids.indexOf(readHash().id ?? "");
      if (place >= 0) choose(place, false, false);
    }
  });
  addEventListener("hashchange", () => {
    const place = INDEX.ids.indexOf(readHash().id ?? "");
    if (place >= 0 && place !== list.current) choose(place, false, false);
  });
  redraws.push(() => {
    list.draw();
    if (list.current >= 0) choose(list.current, false, false);
  });
  buildControls();
  refresh();
}
