// Charts by Plotly, whose script is loaded only where a chart is shown.
"use strict";

/** @returns {Promise<any>} */
async function plotly() {
  const scope = /** @type {any} */ (window);
  if (!scope.Plotly) {
    // Plotly would write a style element, which the page's policy forbids; its rules are in site.css.
    const marker = make("link", { id: "plotly.js-style-global", className: "no-inline-styles" });
    if (!document.getElementById(marker.id)) document.head.append(marker);
    await loadScript("static/plotly.min.js");
  }
  return scope.Plotly;
}

/** Colors that stay apart for color-blind readers (Okabe and Ito), and shapes beside them. */
const SERIES = isDarkColors(false);
const SYMBOLS = ["circle", "square", "diamond", "triangle-up", "cross", "star", "x", "hexagon"];

/** @param {boolean} dark */
function isDarkColors(dark) {
  return dark
    ? ["#8fb8f4", "#f0a868", "#7fd1b4", "#e9a3d0", "#e8d56a", "#a5a8b2"]
    : ["#1c4f9c", "#b04a12", "#00795c", "#9c3f83", "#7a6a00", "#5c5e66"];
}

/** @param {number} index */
function seriesColor(index) {
  const colors = isDark() ? isDarkColors(true) : SERIES;
  return colors[index % colors.length] ?? "#888888";
}

/** @param {string} name */
function cssColor(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

/** @param {Record<string, any>} more */
function layout(more) {
  const axis = {
    gridcolor: cssColor("line"), zerolinecolor: cssColor("line"), linecolor: cssColor("chance"),
    automargin: true, color: cssColor("soft"), fixedrange: true,
  };
  const { xaxis, yaxis, ...rest } = more;
  return {
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
    font: { family: getComputedStyle(document.body).fontFamily, color: cssColor("ink"), size: 13 },
    margin: { l: 56, r: 16, t: 12, b: 48 }, hovermode: "closest", dragmode: false,
    legend: { orientation: "h", y: 1, yanchor: "bottom", x: 0 },
    hoverlabel: { bgcolor: cssColor("raised"), bordercolor: cssColor("chance"), font: { color: cssColor("ink") } },
    xaxis: { ...axis, ...xaxis }, yaxis: { ...axis, ...yaxis }, ...rest,
  };
}

const PLOT_CONFIG = { displayModeBar: false, responsive: true, staticPlot: false };

/**
 * @param {HTMLElement} box @param {any[]} traces @param {Record<string, any>} more
 */
async function draw(box, traces, more) {
  const library = await plotly();
  await library.react(box, traces, layout(more), PLOT_CONFIG);
  // What is drawn is said in a table beside it.
  for (const svg of box.querySelectorAll("svg")) svg.setAttribute("aria-hidden", "true");
}

/** Text that Plotly would take for markup stays text. @param {string} value */
function plain(value) {
  return value.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
