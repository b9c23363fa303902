// The curve of a training's checkpoints, out of the table below it.
"use strict";
{
  const drawSeries = () => {
    const table = /** @type {HTMLTableElement} */ (document.getElementById("series-table"));
    const heads = [...(table.tHead?.rows[0]?.cells ?? [])].slice(1);
    const rows = [...(table.tBodies[0]?.rows ?? [])];
    const traces = heads.map((head, index) => {
      const points = rows.flatMap((row) => {
        const data = row.cells[index + 1]?.dataset ?? {};
        return data.value === undefined ? [] : [{ step: Number(row.dataset.step), value: Number(data.value), low: Number(data.low), high: Number(data.high) }];
      });
      return {
        x: points.map((one) => one.step), y: points.map((one) => one.value), mode: "lines+markers",
        name: plain(head.textContent?.replace(/\s+/g, " ").trim() ?? ""),
        line: { color: seriesColor(index) }, marker: { symbol: SYMBOLS[index % SYMBOLS.length], size: 9 },
        error_y: { type: "data", symmetric: false, array: points.map((one) => one.high - one.value), arrayminus: points.map((one) => one.value - one.low), thickness: 1.2 },
      };
    });
    draw(/** @type {HTMLElement} */ (document.getElementById("series-plot")), traces, { height: 430, xaxis: { title: { text: text("step") } } });
  };
  redraws.push(drawSeries);
  drawSeries();
}
