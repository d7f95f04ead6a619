// Which points are shown, the order of the table, and the beginning of it all.

const controls = [
  ...document.querySelectorAll("#explorer .controls [data-axis], #explorer [data-verdict]"),
];

function passing() {
  const tests = [];
  for (const control of controls) {
    const k = Number(control.dataset.axis),
      at = Number(control.value);
    if (control.dataset.verdict !== undefined) {
      if (!control.checked) tests.push((i) => verdicts[i] !== Number(control.dataset.verdict));
    } else if (control.type === "checkbox") {
      if (!control.checked) tests.push((i) => places[k][i] !== at);
    } else if (control.dataset.end === "low") tests.push((i) => places[k][i] >= at);
    else if (control.dataset.end === "high") tests.push((i) => places[k][i] <= at);
    else if (at >= 0) tests.push((i) => places[k][i] === at);
  }
  return points.filter((i) => tests.every((test) => test(i)));
}

function filter() {
  shown = passing();
  const there = new Set(shown);
  rows.forEach((row, i) => (row.hidden = !there.has(i)));
  element("explorer-count").textContent =
    shown.length === count
      ? `${count} points`
      : `${shown.length} of ${count} points pass the filters`;
  met = null;
  if (!there.has(chosen) && shown.length) choose(first(), false);
  drawDiagram();
  drawPoint();
  drawCurve();
}

/** The point that is closest to the edge: where the interest begins. */
const first = () => {
  const known = shown.filter((i) => numbers.mean[i] !== null);
  return known.sort((a, b) => Math.abs(numbers.mean[a]) - Math.abs(numbers.mean[b]))[0] ?? shown[0];
};

/** The same axis cannot be across and up: the other one of the two gives way. */
function separate(kept) {
  const [across, up] = [element("explorer-across"), element("explorer-up")];
  if (!across || across.value !== up.value) return;
  const other = kept === across ? up : across;
  other.value = [...other.options].map((o) => o.value).find((v) => v !== kept.value);
}

function changeAxes(event) {
  separate(event.target);
  drawDiagram();
}

function reset() {
  for (const control of controls) {
    if (control.type === "checkbox") control.checked = true;
    else
      control.value =
        control.dataset.end === "high"
          ? control.options[control.length - 1].value
          : control.options[0].value;
  }
  filter();
}

const valueOf = (column) =>
  typeof column === "number" ? places[column] : column === "verdicts" ? verdicts : numbers[column];

function sortBy(head, column) {
  const down = head.getAttribute("aria-sort") === "ascending",
    values = valueOf(column);
  for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", down ? "descending" : "ascending");
  const order = [...points].sort((a, b) => {
    if (values[a] === null || values[b] === null)
      return (values[a] === null) - (values[b] === null);
    return (down ? -1 : 1) * (values[a] - values[b]);
  });
  table.tBodies[0].append(...order.map((i) => rows[i]));
}

function makeTable() {
  [...table.tHead.rows[0].cells].forEach((head, k) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    button.addEventListener("click", () => sortBy(head, data.columns[k]));
    head.replaceChildren(button);
  });
  table.classList.add("explored");
  table.addEventListener("click", (event) => {
    const row = event.target.closest("tbody tr");
    if (row) choose(rows.indexOf(row));
  });
  table.addEventListener("keydown", onKeyOfTable);
}

function listen(holder) {
  const pointOf = (event) => event.target.closest?.("[data-point]")?.dataset.point;
  holder.addEventListener("click", (event) => {
    const i = pointOf(event);
    if (i !== undefined) choose(Number(i));
  });
  holder.addEventListener("pointerover", (event) => {
    const i = pointOf(event);
    if (i !== undefined && event.pointerType !== "touch") meet(Number(i));
  });
  holder.addEventListener("pointerleave", () => meet(null));
  holder.addEventListener("focusin", (event) => meet(Number(pointOf(event))));
  holder.addEventListener("focusout", () => meet(null));
  holder.addEventListener("keydown", onKeyOfDiagram);
  for (const control of controls) control.addEventListener("change", filter);
  for (const axis of ["across", "up"]) {
    element(`explorer-${axis}`)?.addEventListener("change", changeAxes);
  }
  element("explorer-reset").addEventListener("click", reset);
}

function redrawOnResize(holder) {
  let width = holder.clientWidth;
  const redraw = () => {
    drawDiagram();
    drawCurve();
  };
  new ResizeObserver(() => {
    if (holder.clientWidth === width) return;
    width = holder.clientWidth;
    requestAnimationFrame(redraw);
  }).observe(holder);
}

function begin() {
  const holder = element("explorer-diagram");
  element("explorer-without").remove();
  element("explorer").hidden = false;
  makeTable();
  listen(holder);
  separate(element("explorer-across"));
  filter();
  redrawOnResize(holder);
}

begin();
