// A sweep's points: what is known of them, and how they are told. A point is a number: its row in
// the table, its place in all lists. Text of a sweep reaches the page as text alone (textContent,
// attributes, Plot), never as markup.

const element = (id) => document.getElementById(id);
const data = JSON.parse(element("explorer-data").textContent);
const {axes, places, numbers, kinds, verdicts, zero, failed, traces} = data;
const count = verdicts.length;
const points = Array.from({length: count}, (_, i) => i);
const table = element("table-points").closest("table");
const rows = [...table.tBodies[0].rows];
const heads = [...table.tHead.rows[0].cells].map((cell) => cell.textContent);
const cells = (i) => [...rows[i].cells].map((cell) => cell.textContent);
const MOST_PANELS = 12;
const MOST_TICKS = 12; // at swept values; of more, at round numbers
const LONGEST = 16; // characters of a name below the diagram, where they are many
const NARROWEST = 230; // pixels of a panel
const SYMBOLS = ["circle", "triangle", "square", "diamond", "star", "wye"];
const growthColour = Plot.scaleLinear(
  data.growth.map((g) => g[0]),
  data.growth.map((g) => g[1]),
).clamp(true);
let chosen = null; // the point that is kept
let met = null; // the one that is pointed at
let shown = points; // those that pass the filters
let marks = new Map(); // their elements in the diagram

const named = (i) => axes.map((axis, k) => `${axis.name}=${axis.texts[places[k][i]]}`).join(", ");
const FIRST = ["verdicts", "mean", "low"]; // columns that are told first
const told = (i) => {
  const text = cells(i),
    [verdict, mean, low] = FIRST.map((name) => text[data.columns.indexOf(name)]);
  if (numbers.mean[i] === null) return verdict;
  return `${verdict}, ${mean} nats per step${low === undefined ? "" : ` (95 %: ${low})`}`;
};
const sentence = (i) => `${named(i)}: ${told(i)}${failed[i] ? `: ${failed[i]}` : ""}`;
const colourOf = (i) => (i === null ? "currentColor" : kinds[verdicts[i]][1]);

function drawPoint() {
  const at = met ?? chosen,
    holder = element("explorer-point");
  if (at === null) return holder.replaceChildren();
  holder.style.borderColor = colourOf(at);
  const title = document.createElement("strong"),
    more = document.createElement("span");
  title.textContent = named(at);
  const others = (name) => typeof name === "string" && !FIRST.includes(name);
  const left = cells(at)
    .map((text, k) => (others(data.columns[k]) && text !== "-" ? `; ${heads[k]}: ${text}` : ""))
    .join("");
  more.textContent = told(at) + left + (failed[at] ? `: ${failed[at]}` : "");
  holder.replaceChildren(title, document.createElement("br"), more);
  holder.classList.toggle("passing", at !== chosen);
}
