// Pointing at points and keeping one, with the mouse and with the keyboard.

function meet(i) {
  if (met === i) return;
  met = i;
  ring("met", i === chosen ? null : i);
  drawPoint();
  drawCurve();
}

function choose(i, speak = true) {
  marks.get(chosen)?.setAttribute("aria-pressed", false);
  rows[chosen]?.classList.remove("chosen");
  rows[chosen]?.removeAttribute("aria-current");
  chosen = i;
  met = null;
  marks.get(i)?.setAttribute("aria-pressed", true);
  rows[i].classList.add("chosen");
  rows[i].setAttribute("aria-current", "true");
  if (speak) show(i);
  ring("met", null);
  ring("chosen", i);
  makeStop(i);
  drawPoint();
  drawCurve();
  if (speak) element("explorer-said").textContent = `Kept: ${sentence(i)}`;
}

/** Scroll to a row within the box of the table: the page stays where it is. */
function show(i) {
  const box = table.parentNode,
    row = rows[i];
  const top = row.offsetTop - table.tHead.offsetHeight,
    bottom = row.offsetTop + row.offsetHeight;
  if (top < box.scrollTop) box.scrollTop = top;
  if (bottom > box.scrollTop + box.clientHeight) box.scrollTop = bottom - box.clientHeight;
}

/** The one mark, and the one row, that the Tab key stops at. */
function makeStop(i) {
  const wanted = marks.has(i) ? i : marks.keys().next().value;
  for (const made of marks.values()) made.setAttribute("tabindex", -1);
  marks.get(wanted)?.setAttribute("tabindex", 0);
  const there = rows.filter((row) => !row.hidden);
  for (const row of rows) row.tabIndex = -1;
  const row =
    i === null || rows[i].hidden ? [...table.tBodies[0].rows].find((r) => !r.hidden) : rows[i];
  if (row && there.length) row.tabIndex = 0;
}

/** The next point from here along an axis, in this panel or, across, in the one beside it. */
function next(i, along, step) {
  const {x, y} = view(),
    key = panels(x, y).key,
    own = key(i),
    ids = [...marks.keys()];
  const order = along === "x" ? x : y,
    other = along === "x" ? y : x;
  const same = (k) => !(other >= 0) || places[other][k] === places[other][i];
  const beyond = (k) => step * (places[order][k] - places[order][i]);
  const found = ids
    .filter((k) => key(k) === own && same(k) && beyond(k) > 0)
    .sort((a, b) => beyond(a) - beyond(b))[0];
  if (found !== undefined || along === "y") return found ?? i;
  const names = [...new Set(ids.map(key))],
    beside = names[names.indexOf(own) + step];
  return (
    ids
      .filter((k) => key(k) === beside && same(k))
      .sort((a, b) => step * (places[order][a] - places[order][b]))[0] ?? i
  );
}

function onKeyOfDiagram(event) {
  const here = event.target.dataset?.point;
  if (here === undefined) return;
  const i = Number(here),
    {y} = view();
  const upright = y >= 0 ? {ArrowUp: ["y", 1], ArrowDown: ["y", -1]} : {};
  const moves = {ArrowRight: ["x", 1], ArrowLeft: ["x", -1], ...upright};
  if (event.key === "Enter" || event.key === " ") choose(i);
  else if (moves[event.key]) {
    const flip = moves[event.key][0] === "y" && !isNumber(y) ? -1 : 1; // bands run from the top
    const to = next(i, moves[event.key][0], flip * moves[event.key][1]);
    makeStop(to);
    marks.get(to).focus();
  } else return;
  event.preventDefault();
}

function onKeyOfTable(event) {
  const row = event.target;
  if (row.tagName !== "TR") return;
  const there = [...table.tBodies[0].rows].filter((one) => !one.hidden),
    at = there.indexOf(row);
  const to = {ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: there.length - 1}[event.key];
  if (event.key === "Enter" || event.key === " ") choose(rows.indexOf(row));
  else if (to !== undefined && there[to]) {
    row.tabIndex = -1;
    there[to].tabIndex = 0;
    there[to].focus();
  } else if (to === undefined) return;
  event.preventDefault();
}
