// The leaderboard: which models, tasks and columns are shown, ranks among these, and the scatter.
"use strict";
{
  const board = boardData();
  const table = /** @type {HTMLTableElement} */ (document.getElementById("board"));
  const form = /** @type {HTMLFormElement} */ (document.getElementById("board-filters"));
  const headers = [...(table.tHead?.rows[0]?.cells ?? [])];
  const rows = /** @type {HTMLTableRowElement[]} */ ([...table.querySelectorAll("tr[data-model]")]);
  const numberOf = new Map(board.models.map((model, index) => [model.name, index]));
  const COSTS = /** @type {const} */ (["parameters", "seconds", "usd", "memory"]);
  const COST_LABELS = { parameters: "parameters", seconds: "cost_seconds", usd: "cost_usd_sample", memory: "cost_memory" };
  const SCATTER_HEIGHT = 430;
  const short = (/** @type {number} */ value) => (value < 1 ? String(Number(value.toPrecision(1)))
    : value.toLocaleString("en", { notation: "compact" }));
  let sortedBy = { key: "overall", descending: true };

  /** @param {string} name @returns {Set<string>} */
  const list = (name) => new Set((readHash()[name] ?? "").split("\n").filter(Boolean));

  /** @param {HTMLTableRowElement} row */
  const modelOf = (row) => /** @type {number} */ (numberOf.get(row.dataset.model ?? ""));

  // ---- which models, tasks and columns ------------------------------------------------------------

  /** @param {number} index */
  function fits(index) {
    const model = board.models[index];
    const state = readHash();
    if (!model) return false;
    if (list("hidden").has(model.name)) return false;
    if (state.only && list("pins").size && !list("pins").has(model.name)) return false;
    if (model.baseline) return true;
    const sought = folded(state.q ?? "").split(/\s+/).filter(Boolean);
    const said = folded(`${model.name} ${model.family ?? ""}`);
    if (!sought.every((word) => said.includes(word))) return false;
    if (state.family && model.family !== state.family) return false;
    if (state.license && model.license !== state.license) return false;
    if (state.weights && String(model.open) !== state.weights) return false;
    if (state.size && !(model.parameters !== null && model.parameters <= Number(state.size))) return false;
    return !(state.since && model.date < state.since);
  }

  function tasksShown() {
    const state = readHash();
    const away = list("tasksoff");
    return board.tasks.map((_, index) => index).filter((index) => {
      const task = board.tasks[index];
      if (!task || away.has(task.name)) return false;
      if (state.capability && task.capability !== state.capability) return false;
      return !(state.lang && task.language !== state.lang);
    });
  }

  /** @param {number} index Of the column. */
  function taskOf(index) {
    const key = headers[index]?.dataset.key ?? "";
    return board.tasks.findIndex((task) => key.startsWith(`${task.name}:`));
  }

  function apply() {
    const shown = board.models.map((_, index) => index).filter(fits);
    const models = shown.filter((index) => !board.models[index]?.baseline);
    const tasks = tasksShown();
    const { shared, scores } = overallScores(models, shown, tasks);
    const order = headers.findIndex((header) => header.dataset.key === sortedBy.key);
    const task = taskOf(order);
    const ranks = task < 0 ? overallRanks(scores, shared, models)
      : columnRanks(task, sortedBy.key.slice((board.tasks[task]?.name.length ?? 0) + 1), models);
    for (const row of rows) placeRow(row, shown, scores, ranks, shared);
    const hidden = new Set(headers.map((_, index) => index)
      .filter((index) => taskOf(index) >= 0 && !tasks.includes(taskOf(index))));
    for (const row of table.rows) {
      if (row.classList.contains("divider")) continue;
      [...row.cells].forEach((cell, index) => { cell.hidden = hidden.has(index); });
    }
    for (const cell of /** @type {NodeListOf<HTMLTableCellElement>} */ (table.querySelectorAll(".divider th"))) {
      cell.colSpan = headers.length - hidden.size;
    }
    drawOverall(shown, scores);
    sortRows(table, order, sortedBy.descending, sortedBy.key !== "model");
    const count = document.getElementById("board-count");
    count?.replaceChildren(`${models.length} / ${board.models.filter((one) => !one.baseline).length} `,
      make("span", { label: "models_shown" }), " · ", make("span", { label: "overall_of" }), ` ${shared.length} `,
      make("span", { label: shared.length === 1 ? "task_count" : "tasks_count" }));
    const state = readHash();
    table.classList.toggle("no-intervals", state.intervals === "0");
    table.classList.toggle("no-facts", state.facts === "0");
    const cited = document.getElementById("cited");
    if (cited) cited.hidden = state.published !== "1";
    for (const box of document.querySelectorAll(".scroll")) markOverflow(box);
    showControls();
    drawScatter(shown, scores, tasks);
  }

  /**
   * @param {HTMLTableRowElement} row @param {number[]} shown
   * @param {Map<number, {value: number, low: number, high: number}>} scores
   * @param {Map<number, number>} ranks @param {number[]} shared
   */
  function placeRow(row, shown, scores, ranks, shared) {
    const index = modelOf(row);
    row.hidden = !shown.includes(index);
    const rank = row.cells[0];
    if (rank) rank.textContent = String(ranks.get(index) ?? "");
    row.classList.toggle("pinned", list("pins").has(row.dataset.model ?? ""));
    const cell = row.cells[2];
    const score = scores.get(index);
    if (!cell) return;
    if (score) {
      cell.dataset.sort = String(score.value);
      const interval = make("span", { className: "interval", content: `${number(score.low)}–${number(score.high)}` });
      cell.replaceChildren(make("div", { className: "figures" }, make("span", { className: "value", content: number(score.value) }), " ", interval));
    } else {
      delete cell.dataset.sort;
      const lacking = shared.filter((task) => !has(board.values[index], task)).length;
      cell.replaceChildren(make("span", { className: "none", content: "–" }));
      if (lacking) {
        cell.append(" ", make("span", { className: "note" }, `${lacking} / ${shared.length} `, make("span", { label: "tasks_missing" })));
      }
    }
    if (!board.models[index]?.baseline) {
      const body = document.getElementById(score ? "ranked" : "apart");
      if (row.parentElement !== body) body?.append(row);
    }
    const apart = document.getElementById("apart");
    const divider = apart?.querySelector(".divider") ?? makeDivider(apart);
    if (divider instanceof HTMLElement) {
      divider.hidden = ![...(apart?.querySelectorAll("tr[data-model]") ?? [])].some((one) => !(/** @type {HTMLElement} */ (one).hidden));
    }
  }

  /** @param {HTMLElement | null} body */
  function makeDivider(body) {
    const cell = make("th", { scope: "rowgroup", colspan: headers.length }, make("span", { label: "not_ranked" }));
    const row = make("tr", { className: "divider" }, cell);
    body?.prepend(row);
    return row;
  }

  /** @param {string} tag @param {Record<string, any>} attributes */
  function svg(tag, attributes) {
    const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
    return element;
  }

  /** @param {number[]} shown @param {Map<number, {value: number, low: number, high: number}>} scores */
  function drawOverall(shown, scores) {
    const models = shown.filter((index) => !board.models[index]?.baseline && scores.has(index));
    const ends = models.flatMap((index) => [scores.get(index)?.low ?? 0, scores.get(index)?.high ?? 0]);
    const [low, high] = [Math.min(...ends), Math.max(...ends)];
    const width = Math.max(high - low, 0.01) * 1.08;
    const start = (low + high - width) / 2;
    /** @param {number} value */
    const at = (value) => Math.min(100, Math.max(0, (100 * (value - start)) / width));
    for (const row of rows) {
      const score = scores.get(modelOf(row));
      if (!score || !models.length) continue;
      const bar = svg("svg", { class: "bar", viewBox: "0 0 100 10", preserveAspectRatio: "none", "aria-hidden": "true" });
      bar.append(svg("path", { class: "span", d: `M${at(score.low)} 5H${at(score.high)}` }));
      if (score.value >= start && score.value <= start + width) bar.append(svg("path", { class: "point", d: `M${at(score.value)} 1V9` }));
      else bar.append(svg("path", { class: "beyond", d: score.value < start ? "M3 2L0 5L3 8" : "M97 2L100 5L97 8" }));
      row.cells[2]?.append(bar);
    }
  }

  // ---- controls -----------------------------------------------------------------------------------

  /** @param {Record<string, string | null>} changes @param {boolean} [push] */
  function change(changes, push = true) {
    writeHash(changes, { push });
    apply();
  }

  /** @param {string} name @param {string} label @param {[string, any][]} options */
  function select(name, label, options) {
    const shown = options.map(([value, how]) => make("option", { value, ...how }));
    const element = make("select", { name }, make("option", { value: "", label: "any" }), ...shown);
    element.addEventListener("change", () => change({ [name]: element.value }));
    return make("label", {}, make("span", { label }), element);
  }

  /** @param {string} list_ @param {string} value @param {boolean} on */
  function toggle(list_, value, on) {
    const values = list(list_);
    if (on) values.add(value);
    else values.delete(value);
    change({ [list_]: [...values].join("\n") });
  }

  /** @param {string} name @param {boolean} checked @param {(on: boolean) => void} act @param {any} how @param {string} [key] */
  function check(name, checked, act, how, key) {
    const box = make("input", { type: "checkbox", name, value: key ?? "1" });
    box.checked = checked;
    box.addEventListener("change", () => act(box.checked));
    return make("label", { className: "check" }, box, make("span", how));
  }

  function buildControls() {
    const search = make("input", { type: "search", name: "q", autocomplete: "off", placeholder: text("find_hint"), "data-t-placeholder": "find_hint" });
    search.addEventListener("input", () => change({ q: search.value }, false));
    form.append(make("label", { className: "grow" }, make("span", { label: "find_models" }), search));
    /** @param {(model: import("./types").BoardModel) => string | null} of */
    const known = (of) => [...new Set(board.models.filter((one) => !one.baseline).map(of))].filter((one) => one !== null).sort();
    const families = known((model) => model.family);
    if (families.length > 1) form.append(select("family", "family", families.map((one) => [one, { content: one }])));
    const licenses = known((model) => model.license);
    if (licenses.length) form.append(select("license", "license", licenses.map((one) => [one, { content: one }])));
    const opens = known((model) => (model.open === null ? null : String(model.open)));
    if (opens.length > 1) form.append(select("weights", "weights", opens.map((one) => [one, { label: one === "true" ? "open" : "closed" }])));
    const sizes = board.models.flatMap((model) => model.parameters ?? []);
    const limits = [1e8, 1e9, 2e9, 4e9, 8e9, 14e9, 35e9, 80e9].filter((one) => sizes.some((size) => size <= one) && sizes.some((size) => size > one));
    if (limits.length) form.append(select("size", "largest", limits.map((one) => [String(one), { content: one >= 1e9 ? `${one / 1e9} B` : `${one / 1e6} M` }])));
    const dates = known((model) => model.date);
    if (dates.length > 1) form.append(select("since", "since", dates.map((one) => [one, { content: one }])));
    const kinds = [...new Set(board.tasks.map((task) => task.capability ?? ""))].filter(Boolean).sort();
    if (kinds.length > 1) {
      form.append(select("capability", "task_kind", kinds.map((one) => {
        const key = `capability_${one.replaceAll("-", "_")}`;
        return [one, STRINGS[key] ? { label: key } : { content: one }];
      })));
    }
    const languages = [...new Set(board.tasks.map((task) => task.language ?? ""))].filter(Boolean).sort();
    if (languages.length > 1) form.append(select("lang", "task_language", languages.map((one) => [one, STRINGS[`language_${one}`] ? { label: `language_${one}` } : { content: one }])));
    form.append(buildChooser());
    const reset = make("button", { type: "button", label: "reset" });
    reset.addEventListener("click", () => {
      const { view } = readHash();
      history.pushState(null, "", view ? `#view=${view}` : location.pathname + location.search);
      sortedBy = { key: "overall", descending: true };
      sorters.get(table)?.("overall", true);
      apply();
    });
    form.append(reset);
    form.addEventListener("submit", (event) => event.preventDefault());
    form.hidden = false;
  }

  function buildChooser() {
    const models = make("fieldset", {}, make("legend", { label: "chosen_models" }));
    for (const model of board.models.filter((one) => !one.baseline)) {
      const pin = check("pins", false, (on) => toggle("pins", model.name, on), { label: "pin" }, model.name);
      const shown = check("hidden", true, (on) => toggle("hidden", model.name, !on), { content: model.name }, model.name);
      models.append(make("div", { className: "choice" }, shown, pin));
    }
    const compare = make("a", { id: "compare-pinned", className: "button", label: "compare_pinned", href: "compare.html" });
    models.append(check("only", false, (on) => change({ only: on ? "1" : "" }), { label: "only_pinned" }), compare);
    const tasks = make("fieldset", {}, make("legend", { label: "chosen_tasks" }));
    for (const task of board.tasks) {
      tasks.append(check("tasksoff", true, (on) => toggle("tasksoff", task.name, !on), { both: task.title }, task.name));
    }
    const columns = make("fieldset", {}, make("legend", { label: "chosen_columns" }),
      check("intervals", true, (on) => change({ intervals: on ? "" : "0" }), { label: "show_interval" }),
      check("facts", true, (on) => change({ facts: on ? "" : "0" }), { label: "show_facts" }));
    if (document.getElementById("cited")) {
      columns.append(check("published", false, (on) => change({ published: on ? "1" : "" }), { label: "show_published" }));
    }
    return make("details", { className: "chooser" }, make("summary", { label: "choose" }), make("div", { className: "chooser-box" }, models, tasks, columns));
  }

  function showControls() {
    const state = readHash();
    const [pins, hidden, off] = [list("pins"), list("hidden"), list("tasksoff")];
    for (const element of /** @type {any} */ (form.elements)) {
      if (element.type === "checkbox") {
        if (element.name === "pins") element.checked = pins.has(element.value);
        else if (element.name === "hidden") element.checked = !hidden.has(element.value);
        else if (element.name === "tasksoff") element.checked = !off.has(element.value);
        else if (element.name === "intervals" || element.name === "facts") element.checked = state[element.name] !== "0";
        else element.checked = state[element.name] === "1";
      } else if (element.name && document.activeElement !== element) element.value = state[element.name] ?? "";
    }
    const link = /** @type {HTMLAnchorElement | null} */ (document.getElementById("compare-pinned"));
    if (link) {
      const names = [...pins].slice(0, 4);
      link.href = `compare.html${names.length ? `#${new URLSearchParams({ models: names.join("\n") })}` : ""}`;
    }
  }

  // ---- score against size, time, cost or memory -----------------------------------------------------

  const chartForm = /** @type {HTMLFormElement} */ (document.getElementById("chart-filters"));

  /** @param {number} index @param {string} kind */
  function cost(index, kind) {
    const model = board.models[index];
    if (!model) return null;
    return kind === "parameters" ? model.parameters : model.costs[/** @type {"seconds" | "usd" | "memory"} */ (kind)];
  }

  function buildChartForm() {
    const present = COSTS.filter((kind) => board.models.some((model, index) => !model.baseline && cost(index, kind) !== null));
    const x = make("select", { name: "x" }, ...present.map((kind) => make("option", { value: kind, label: COST_LABELS[kind] })));
    x.addEventListener("change", () => change({ x: x.value }));
    const y = make("select", { name: "y" }, make("option", { value: "", label: "overall" }),
      ...board.tasks.map((task) => make("option", { value: task.name, both: task.title })));
    y.addEventListener("change", () => change({ y: y.value }));
    chartForm.append(make("label", {}, make("span", { label: "x_axis" }), x), make("label", {}, make("span", { label: "y_axis" }), y));
    chartForm.addEventListener("submit", (event) => event.preventDefault());
  }

  /**
   * @param {number[]} shown @param {Map<number, {value: number, low: number, high: number}>} scores
   * @param {number[]} tasks
   */
  function drawScatter(shown, scores, tasks) {
    const box = /** @type {HTMLElement} */ (document.getElementById("scatter"));
    if (readHash().view !== "chart") return;
    const state = readHash();
    for (const element of /** @type {any} */ (chartForm.elements)) if (state[element.name] !== undefined) element.value = state[element.name];
    const kind = /** @type {any} */ (chartForm.elements).x.value || "parameters";
    const task = board.tasks.findIndex((one) => one.name === state.y);
    const points = shown.filter((index) => !board.models[index]?.baseline).flatMap((index) => {
      const x = cost(index, kind);
      const overall = scores.get(index);
      const value = task < 0 ? overall?.value : board.values[index]?.[task];
      if (x === null || value === undefined || value === null) return [];
      const place = board.tasks[task]?.field.indexOf(index) ?? -1;
      const half = task < 0 ? (overall?.high ?? value) - value : Z95 * (board.tasks[task]?.deviations[place] ?? 0);
      return [{ name: board.models[index]?.name ?? "", x, y: value, half }];
    });
    points.sort((a, b) => a.x - b.x || b.y - a.y);
    const front = points.filter((point, index) => points.slice(0, index).every((other) => other.y < point.y));
    const title = text(COST_LABELS[/** @type {keyof typeof COST_LABELS} */ (kind)]);
    const list_ = document.getElementById("scatter-table");
    const head = make("tr", {}, make("th", { scope: "col", label: "model" }), make("th", { scope: "col", content: title }),
      make("th", { scope: "col", label: "value" }), make("th", { scope: "col", label: "pareto" }));
    const body = points.map((point) => make("tr", {}, make("th", { scope: "row", content: point.name }),
      make("td", { content: point.x.toLocaleString("en", kind === "parameters" ? {} : { maximumSignificantDigits: 4 }) }), make("td", { content: number(point.y) }),
      make("td", { content: front.includes(point) ? "✓" : "" })));
    list_?.replaceChildren(points.length
      ? make("div", { className: "scroll fitting", tabindex: "0", role: "region", "aria-label": `${text("chart")} ${text("scroll_table")}` }, make("table", { className: "board slim" }, make("thead", {}, head), make("tbody", {}, ...body)))
      : make("p", { className: "problem", label: "no_points" }));
    startScrolling();
    box.hidden = !points.length;
    if (!points.length) return;
    const [least, largest] = [points[0]?.x ?? 0, points.at(-1)?.x ?? 0];
    const logarithmic = kind !== "memory" && least > 0 && largest >= 4 * least;
    const ends = points.flatMap((one) => [one.y - one.half, one.y + one.half]);
    const [bottom, top] = [Math.min(...ends), Math.max(...ends)];
    const share = (/** @type {number} */ x) => (largest <= least ? 0.5
      : logarithmic ? Math.log(x / least) / Math.log(largest / least) : (x - least) / (largest - least));
    const room = box.clientWidth > 700 ? 130 : 40;
    const width = box.clientWidth - 80 - room;
    const names = namePlaces(points.map((one) => ({ name: one.name, first: front.includes(one),
      x: width * (0.05 + 0.9 * share(one.x)), y: (SCATTER_HEIGHT - 90) * (0.05 + (0.9 * (top - one.y)) / (top - bottom || 1)) })), width, room);
    draw(box, [
      { x: front.map((one) => one.x), y: front.map((one) => one.y), mode: "lines", line: { color: cssColor("chance"), dash: "dot", shape: "hv" }, name: text("pareto"), hoverinfo: "skip" },
      { x: points.map((one) => one.x), y: points.map((one) => one.y), text: points.map((one, index) => (names[index] ? plain(one.name) : "")), mode: "markers+text",
        textposition: names.map((one) => one ?? "middle right"), name: text("models"), cliponaxis: false,
        hovertext: points.map((one) => plain(one.name)),
        error_y: { type: "data", array: points.map((one) => one.half), thickness: 1.2, color: cssColor("chance") },
        marker: { size: 11, color: points.map((one) => (front.includes(one) ? seriesColor(0) : cssColor("chance"))) },
        hovertemplate: "%{hovertext}<br>%{x} · %{y:.3f}<extra></extra>" },
    ], {
      xaxis: { title: { text: title }, ...(logarithmic ? { type: "log", ...logTicks(least, largest) } : { type: "linear", exponentformat: "B" }) },
      yaxis: { title: { text: task < 0 ? text("overall") : plain(board.tasks[task]?.title[language === "ja" ? 1 : 0] ?? "") } },
      height: SCATTER_HEIGHT, showlegend: false, margin: { l: 64, r: room, t: 30, b: 56 },
    });
  }

  /** 1, 2 and 5 times the powers of ten. @param {number} least @param {number} largest */
  function logTicks(least, largest) {
    const powers = Array.from({ length: 30 }, (_, at) => 10 ** (at - 12));
    const shown = powers.flatMap((one) => [one, 2 * one, 5 * one]).filter((one) => one >= least / 2 && one <= largest * 2);
    return { tickvals: shown, ticktext: shown.map(short) };
  }

  /**
   * Where the name of each point stands so that no two overlap; null where there is no room.
   * @param {{name: string, first: boolean, x: number, y: number}[]} points In pixels, from the upper left.
   * @param {number} width @param {number} room To the right of it.
   */
  function namePlaces(points, width, room) {
    /** @type {number[][]} */
    const taken = points.map(({ x, y }) => [x - 7, y - 7, x + 7, y + 7]);
    return points.map(({ name, first, x, y }) => {
      const long = 7.5 * name.length;
      /** @type {Record<string, number[]>} */
      const boxes = { "middle right": [x + 8, y - 8, x + 8 + long, y + 8], "middle left": [x - 8 - long, y - 8, x - 8, y + 8],
        "top left": [x - 2 - long, y - 24, x - 2, y - 8], "top right": [x + 2, y - 24, x + 2 + long, y - 8],
        "bottom left": [x - 2 - long, y + 8, x - 2, y + 24], "bottom right": [x + 2, y + 8, x + 2 + long, y + 24] };
      // The line of the front leaves its points to the right and comes from below.
      const places = first ? ["top left", "middle left", "top right", "bottom left"] : ["middle right", "middle left", "top left", "bottom left", "top right", "bottom right"];
      const place = places.find((one) => {
        const [left = 0, over = 0, right = 0, under = 0] = boxes[one] ?? [];
        return left > -60 && right < width + room && !taken.some(([l = 0, t = 0, r = 0, b = 0]) => left < r && l < right && over < b && t < under);
      });
      if (place) taken.push(boxes[place] ?? []);
      return place ?? null;
    });
  }

  const sort = makeSortable(table, (index, descending) => {
    sortedBy = { key: headers[index]?.dataset.key ?? "overall", descending };
    apply();
  });
  sorters.set(table, sort);
  buildControls();
  buildChartForm();
  if (!sortByHash()) apply();
  redraws.push(() => { if (readHash().view === "chart") apply(); });
  addEventListener("popstate", () => {
    if (!readHash().sort) sort("overall", true);
    else apply();
  });
}
