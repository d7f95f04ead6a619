// The points as marks of Plot: cells over two axes, or growth rates along one; each is a button.

/** Remember which element is which point, and make it a button. */
const register = (ids) => (index, scales, values, dimensions, context, next) => {
  const group = next(index, scales, values, dimensions, context);
  [...group.children].forEach((made, k) => {
    const i = ids[index[k]];
    marks.set(i, made);
    made.dataset.point = i;
    made.setAttribute("role", "button");
    made.setAttribute("tabindex", -1);
    made.setAttribute("aria-label", sentence(i));
    made.setAttribute("aria-pressed", i === chosen);
  });
  return group;
};

/** Cells over two axes; their borders where an axis is of numbers. */
function plane(ids, x, y, facet) {
  const across = isNumber(x) ? {x1: border(x, 0), x2: border(x, 1)} : {x: value(x)};
  const up = isNumber(y) ? {y1: border(y, 0), y2: border(y, 1)} : {y: value(y)};
  const forms = [Plot.cell, Plot.barY, Plot.barX, Plot.rect]; // by which axis is of numbers
  const mark = forms[2 * isNumber(x) + isNumber(y)];
  const paint = (i) => {
    if (zero[i]) return growthColour(-Infinity);
    return numbers.mean[i] === null ? "url(#explorer-hatch)" : growthColour(numbers.mean[i]);
  };
  return [
    mark(ids, {
      ...across,
      ...up,
      ...facet,
      stroke: "var(--line)",
      fill: {value: paint, scale: null},
      render: register(ids),
    }),
  ];
}

/** Growth rates along one axis, with their intervals; at the bottom what has none. */
function line(ids, x, facet) {
  const known = ids.filter((i) => numbers.mean[i] !== null),
    of = (name) => (i) => numbers[name][i];
  const lost = ids.filter((i) => numbers.mean[i] === null),
    at = {x: value(x), ...facet};
  const order = isNumber(x) ? {sort: (i) => places[x][i]} : {};
  return [
    Plot.ruleY([0], {strokeOpacity: 0.6}),
    Plot.ruleX(known, {...at, y1: of("low"), y2: of("high"), strokeOpacity: 0.5}),
    ...(isNumber(x)
      ? [Plot.line(known, {...at, ...order, y: of("mean"), strokeOpacity: 0.35})]
      : []),
    Plot.dot(known, {
      ...at,
      y: of("mean"),
      fill: {value: colourOf, scale: null},
      r: 5,
      render: register(known),
      stroke: "var(--ink)",
      strokeWidth: 0.5,
      symbol: (i) => kinds[verdicts[i]][0],
    }),
    Plot.dot(lost, {
      ...at,
      frameAnchor: "bottom",
      dy: -8,
      symbol: "times",
      r: 5,
      stroke: "var(--soft)",
      strokeWidth: 2,
      render: register(lost),
    }),
  ];
}

/** What has no growth rate; in colours of the page, light and dark. */
function hatch() {
  const holder = document.createElement("div");
  holder.innerHTML = `<svg><defs><pattern id="explorer-hatch" width="6" height="6"
    patternUnits="userSpaceOnUse" patternTransform="rotate(45)">
    <rect width="6" height="6" fill="var(--back)"></rect>
    <rect width="1.5" height="6" fill="var(--soft)"></rect></pattern></defs></svg>`;
  return holder.querySelector("defs");
}
