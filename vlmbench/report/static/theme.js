// Before the page is drawn: its colors and language, and the place where data scripts put things.
"use strict";

/** @type {Record<string, any>} */
const vlmData = {};
/** @type {Record<string, (value: any) => void>} */
const vlmWaiting = {};

/**
 * Called by the scripts that hold data.
 * @param {string} name
 * @param {any} value
 */
function vlmPut(name, value) {
  vlmData[name] = value;
  vlmWaiting[name]?.(value);
}

/**
 * @param {string} name
 * @returns {string | null}
 */
function remembered(name) {
  try {
    return localStorage.getItem(`vlmbench-${name}`);
  } catch {
    return null; // Storage may be switched off for files.
  }
}

/**
 * @param {string} name
 * @param {string} value
 */
function remember(name, value) {
  try {
    localStorage.setItem(`vlmbench-${name}`, value);
  } catch {
    // Then the choice lasts for this page only.
  }
}

{
  const theme = remembered("theme");
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
}
