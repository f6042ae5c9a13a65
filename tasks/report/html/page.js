"use strict";
// Charts are drawn when their part is first seen, in the colours of the page.
const drawers = {};
let expected = 0;
const dark = window.matchMedia("(prefers-color-scheme: dark)");

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

function paint() {
  const [ink, line] = [colour("--ink"), colour("--line")];
  for (const doc of Bokeh.documents) {
    for (const model of doc._all_models.values()) {
      if (model.type.endsWith("Axis")) {
        model.setv({
          axis_label_text_color: ink, major_label_text_color: ink,
          axis_line_color: line, major_tick_line_color: line,
        });
      } else if (model.type === "Grid" && model.grid_line_color != null) {
        model.setv({ grid_line_color: line });
      } else if (model.type === "Legend") {
        model.setv({ label_text_color: ink });
      } else if (model.type === "ColorBar") {
        model.setv({ title_text_color: ink, major_label_text_color: ink });
      } else if (model.type === "Text" && model.text_color?.field == null) {
        model.setv({ text_color: { value: ink } });
      }
    }
  }
}

function draw(key) {
  if (key in drawers) {
    expected += 1;
    drawers[key]();
    delete drawers[key];
    paintSoon();
  }
}

// Bokeh makes a part's document some moments later.
function paintSoon() {
  paint();
  if (Bokeh.documents.length < expected) setTimeout(paintSoon, 50);
}

function sort(button) {
  const head = button.closest("th");
  const table = head.closest("table");
  const place = [...head.parentNode.children].indexOf(head);
  const down = head.getAttribute("aria-sort") === "ascending";
  for (const other of head.parentNode.children) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", down ? "descending" : "ascending");
  const value = (row) => {
    const cell = row.children[place];
    const key = cell.dataset.key ?? cell.textContent;
    return cell.classList.contains("number") ? Number(key) : key;
  };
  const rows = [...table.tBodies[0].rows].map((row) => [value(row), row]);
  const empty = (key) => key === "" || Number.isNaN(key);
  rows.sort(([a], [b]) => {
    if (empty(a) || empty(b)) return empty(a) - empty(b);
    return (a < b ? -1 : a > b ? 1 : 0) * (down ? -1 : 1);
  });
  table.tBodies[0].append(...rows.map(([, row]) => row));
}

document.addEventListener("DOMContentLoaded", () => {
  for (const part of document.querySelectorAll("[data-draws]")) {
    if (part.tagName !== "DETAILS" || part.open) draw(part.dataset.draws);
    part.addEventListener("toggle", () => part.open && draw(part.dataset.draws));
  }
  for (const button of document.querySelectorAll("th button")) {
    button.addEventListener("click", () => sort(button));
  }
  dark.addEventListener("change", paint);
});
