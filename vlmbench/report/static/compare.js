// Two to four models side by side: differences from the first one by task and slice.
"use strict";
{
  const board = boardData();
  const box = /** @type {HTMLElement} */ (document.getElementById("comparison"));
  const form = /** @type {HTMLFormElement} */ (document.getElementById("partners"));
  const MOST = 4;
  const ENOUGH = 30;
  const FEWEST = 10;
  let turn = 0;

  /** The chosen models; by default a checkpoint and what it was trained from, else the best two. */
  function chosen() {
    const names = (readHash().models ?? "").split("\n").filter((name) => board.models.some((model) => model.name === name));
    const unique = [...new Set(names)].slice(0, MOST);
    if (unique.length > 1) return unique;
    const first = unique[0];
    const child = first ? board.models.find((model) => model.name === first) : board.models.find((model) => model.parent);
    if (child?.parent) return [child.parent, child.name];
    const offspring = board.models.find((model) => first && model.parent === first);
    if (first && offspring) return [first, offspring.name];
    const others = board.models.filter((model) => model.name !== first).sort((a, b) => Number(a.baseline) - Number(b.baseline));
    return [first ?? others.shift()?.name, others[0]?.name].filter((name) => name !== undefined);
  }

  function buildForm() {
    const names = chosen();
    const selects = names.map((name, index) => {
      const element = make("select", { name: `m${index}` }, ...board.models.map((model) => make("option", { value: model.name, content: model.name })));
      element.value = name;
      element.addEventListener("change", () => choose(names.map((one, at) => (at === index ? element.value : one))));
      const label = make("label", {}, make("span", { label: index ? "other_model" : "first_model" }), element);
      if (index < 2) return label;
      const away = make("button", { type: "button", label: "remove" });
      away.addEventListener("click", () => choose(names.filter((_, at) => at !== index)));
      return make("div", { className: "with-button" }, label, away);
    });
    const free = board.models.filter((model) => !names.includes(model.name));
    const add = make("button", { type: "button", label: "add_model" });
    add.disabled = names.length >= MOST || !free.length;
    add.addEventListener("click", () => choose([...names, free[0]?.name ?? ""]));
    form.replaceChildren(...selects, add);
    form.hidden = false;
  }

  /** @param {string[]} names */
  function choose(names) {
    writeHash({ models: names.join("\n") });
    show();
  }

  async function show() {
    const mine = ++turn;
    buildForm();
    const names = chosen();
    const numbers = names.map((name) => board.models.findIndex((model) => model.name === name));
    const tasks = board.tasks.filter((task) => numbers.filter((one) => task.field.includes(one)).length > 1 && task.field.includes(numbers[0] ?? -1));
    /** @type {import("./types").TaskPairs[]} */
    const pairs = await Promise.all(tasks.map((task) => loadData(`task/${task.slug}`, `data/${task.slug}.js`)));
    if (mine !== turn) return;
    const found = tasks.map((task, index) => ({ task, pairs: /** @type {import("./types").TaskPairs} */ (pairs[index]) }));
    box.replaceChildren(...(tasks.length ? [overview(found, names), ...found.flatMap((one) => slices(one.task, one.pairs, names))]
      : [make("p", { className: "problem", label: "no_common" })]));
    startScrolling();
    profile(tasks, pairs, names);
  }

  /** The widest difference that is drawn. @param {import("./types").Differences[]} all @param {import("./types").TaskPairs} pairs @param {string[]} names */
  function widest(all, pairs, names) {
    const ends = all.flatMap((one) => names.slice(1).flatMap((name) => {
      const found = difference(one, pairs, name, names[0] ?? "");
      return found ? [Math.abs(found.low ?? found.value), Math.abs(found.high ?? found.value)] : [];
    }));
    return Math.max(0.01, ...ends) * 1.05;
  }

  /** @param {string[]} names @param {string} label */
  function headOf(names, label) {
    return make("thead", {}, make("tr", {}, make("th", { scope: "col", label }), make("th", { scope: "col", content: names[0] }),
      ...names.slice(1).flatMap((name) => [make("th", { scope: "col", content: name }), make("th", { scope: "col", label: "difference" })])));
  }

  /** @param {string} id @param {...any} tables */
  const scrolling = (id, ...tables) => make("div", { className: "scroll", tabindex: "0", role: "region", "aria-labelledby": `${id} word-table` }, ...tables);

  /** All tasks, a row each. @param {{task: import("./types").BoardTask, pairs: import("./types").TaskPairs}[]} found @param {string[]} names */
  function overview(found, names) {
    const [first = "", ...others] = names;
    const rows = found.flatMap(({ task, pairs }) => pairs.whole.map((one) => {
      const made = row(one, pairs, first, others, widest([one], pairs, names));
      made.firstChild.replaceChildren(make("a", { href: `tasks/${task.slug}.html`, both: task.title }), make("span", { className: "metric", content: one.metric }));
      others.forEach((name, at) => made.children[3 + 2 * at]?.append(wonLost(task, pairs, name, first)));
      return made;
    }));
    return make("section", { "aria-labelledby": "by-task" }, make("h2", { id: "by-task", label: "tasks" }),
      scrolling("by-task", make("table", { className: "board slim compare" }, headOf(names, "task"), make("tbody", {}, ...rows))));
  }

  /** @param {import("./types").BoardTask} task @param {import("./types").TaskPairs} pairs @param {string[]} names */
  function slices(task, pairs, names) {
    const parts = pairs.parts.filter((one) => Math.max(...one.n) >= FEWEST);
    if (!parts.length) return [];
    const [first = "", ...others] = names;
    const half = widest(parts, pairs, names);
    const id = `slices-${task.slug}`;
    const summary = make("summary", { id }, make("span", { both: task.title }), " · ", make("span", { label: "slices" }));
    const table = make("table", { className: "board slim compare" }, headOf(names, "slices"), make("tbody", {}, ...parts.map((one) => row(one, pairs, first, others, half))));
    return [make("details", {}, summary, scrolling(id, table))];
  }

  /** The value of `name` minus that of `first`. @param {import("./types").Differences} one @param {import("./types").TaskPairs} pairs @param {string} name @param {string} first */
  function difference(one, pairs, name, first) {
    const [x, y] = [pairs.models.indexOf(name), pairs.models.indexOf(first)];
    if (x < 0 || y < 0 || x === y) return null;
    const [mine, theirs] = [one.values[x], one.values[y]];
    if (mine === null || theirs === null || mine === undefined || theirs === undefined) return null;
    const place = pairPlace(x, y, pairs.models.length);
    const [low, high] = [one.low[place] ?? null, one.high[place] ?? null];
    const value = mine - theirs;
    if (low === null || high === null) return { value, low: null, high: null };
    return x < y ? { value, low, high } : { value, low: -high, high: -low };
  }

  /**
   * @param {import("./types").Differences} one @param {import("./types").TaskPairs} pairs @param {string} first @param {string[]} others @param {number} half
   */
  function row(one, pairs, first, others, half) {
    /** @param {string} name */
    const valueCell = (name) => {
      const value = one.values[pairs.models.indexOf(name)];
      return value === null || value === undefined ? make("td", { className: "absent", content: "–" }) : make("td", {}, make("span", { className: "value", content: number(value) }));
    };
    const title = one.part
      ? make("th", { scope: "row" }, make("span", { both: [one.part[0], pairs.names[one.part[0]] ?? one.part[0]] }), ": ", make("span", { both: [one.part[1], pairs.names[one.part[1]] ?? one.part[1]] }), " ", make("span", { className: "n", content: `n ${Math.max(...one.n)}` }))
      : make("th", { scope: "row" }, make("span", { label: "all_samples" }), " ", make("span", { className: "metric", content: one.metric }));
    return make("tr", {}, title, valueCell(first), ...others.flatMap((name) => {
      const found = difference(one, pairs, name, first);
      return [valueCell(name), found ? differenceCell(found, one.lower, half) : make("td", { className: "absent", content: "–" })];
    }));
  }

  /** @param {{value: number, low: number | null, high: number | null}} found @param {boolean} lower @param {number} half */
  function differenceCell(found, lower, half) {
    const cell = make("td", {}, make("div", { className: "figures" }, make("span", { className: "value", content: signed(found.value) })));
    if (found.low === null || found.high === null) return cell;
    cell.firstChild.append(" ", make("span", { className: "interval", content: `${signed(found.low)} … ${signed(found.high)}` }));
    const space = "http://www.w3.org/2000/svg";
    const bar = document.createElementNS(space, "svg");
    for (const [name, value] of Object.entries({ class: "bar", viewBox: "0 0 100 10", preserveAspectRatio: "none", "aria-hidden": "true" })) bar.setAttribute(name, value);
    /** @param {number} value */
    const at = (value) => Math.min(100, Math.max(0, 50 + (50 * value) / half)).toFixed(1);
    for (const [name, d] of [["chance", "M50 0V10"], ["span", `M${at(found.low)} 5H${at(found.high)}`], ["point", `M${at(found.value)} 1V9`]]) {
      const path = document.createElementNS(space, "path");
      path.setAttribute("class", name ?? "");
      path.setAttribute("d", d ?? "");
      bar.append(path);
    }
    cell.append(bar);
    if (found.low > 0 || found.high < 0) {
      const better = found.value > 0 !== lower;
      cell.append(make("span", { className: `badge ${better ? "good" : "bad"}`, label: better ? "better" : "worse" }));
    } else cell.append(make("span", { className: "badge", label: "not_told_apart" }));
    return cell;
  }

  /** @param {import("./types").BoardTask} task @param {import("./types").TaskPairs} pairs @param {string} name @param {string} first */
  function wonLost(task, pairs, name, first) {
    const [x, y] = [pairs.models.indexOf(name), pairs.models.indexOf(first)];
    if (x < 0 || y < 0) return make("span", {});
    const counts = pairs.won[pairPlace(x, y, pairs.models.length)] ?? [0, 0];
    const [won, lost] = x < y ? counts : [counts[1], counts[0]];
    /** @param {string} show @param {number | undefined} count */
    const link = (show, count) => make("a", { href: `samples/${task.slug}.html#${new URLSearchParams({ models: [name, first].join("\n"), show })}`, content: String(count) });
    return make("p", { className: "won-lost note" }, make("span", { label: "won_lost" }), ": ", link("won", won), " / ", link("lost", lost));
  }

  /** @param {import("./types").BoardTask[]} tasks @param {import("./types").TaskPairs[]} pairs @param {string[]} names */
  function profile(tasks, pairs, names) {
    const section = /** @type {HTMLElement} */ (document.getElementById("profile-section"));
    /** @type {{title: string, values: (number | null)[]}[]} */
    const lines = [];
    tasks.forEach((task, index) => {
      const found = pairs[index];
      for (const one of found ? [...found.whole, ...found.parts] : []) {
        const ends = task.columns.find((column) => column.metric === one.metric)?.ends;
        if (!ends || (one.part && Math.max(...one.n) < ENOUGH)) continue;
        const ja = language === "ja";
        const name = (/** @type {string} */ value) => (ja ? found?.names[value] ?? value : value);
        const title = task.title[ja ? 1 : 0];
        lines.push({ title: one.part ? `${title} · ${name(one.part[0])}: ${name(one.part[1])}` : title,
          values: names.map((model) => {
            const value = one.values[found?.models.indexOf(model) ?? -1] ?? null;
            return value === null ? null : (value - ends[0]) / (ends[1] - ends[0]);
          }) });
      }
    });
    section.hidden = lines.length < 2;
    if (section.hidden) return;
    const plot = /** @type {HTMLElement} */ (document.getElementById("profile"));
    const titles = lines.map((line) => plain(line.title));
    draw(plot, names.map((name, index) => ({
      x: lines.map((line) => line.values[index]), y: titles, type: "scatter", mode: "markers", name: plain(name),
      marker: { size: 11, color: seriesColor(index), symbol: SYMBOLS[index % SYMBOLS.length] },
      hovertemplate: "%{y}: %{x:.3f}<extra>%{fullData.name}</extra>",
    })), { height: 90 + 24 * lines.length, yaxis: { range: [lines.length - 0.4, -0.6], automargin: true, tickfont: { size: 12 } }, margin: { l: 20, r: 20, t: 40, b: 40 } });
  }

  redraws.push(show);
  addEventListener("popstate", show);
  show();
}
