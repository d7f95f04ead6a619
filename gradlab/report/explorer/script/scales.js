// Where a point is in the diagram, and the scales and panels of Plot that follow from it.

const isNumber = (k) => axes[k].at !== undefined;
const value = (k) => (i) => (isNumber(k) ? axes[k].at[places[k][i]] : axes[k].texts[places[k][i]]);
const border = (k, more) => (i) => axes[k].borders[places[k][i] + more];
const view = () => {
  const across = element("explorer-across"),
    up = element("explorer-up");
  return across ? {x: Number(across.value), y: Number(up.value)} : {x: data.across, y: -1};
};

/** Of ascending values those that are not too near to the one before. */
function apart(axis, there, most) {
  const positions = there.map((p) => axis.at[p]);
  const least = (positions[positions.length - 1] - positions[0]) / most;
  let last = -Infinity;
  return positions.filter((p) => p - last >= least && ((last = p), true));
}

/** A scale of Plot's for an axis of the sweep, in as many pixels. */
function scale(k, pixels, upright) {
  const axis = axes[k],
    there = [...new Set(shown.map((i) => places[k][i]))].sort((a, b) => a - b);
  const label = `${axis.name}${axis.log ? " (log scale)" : ""}`;
  if (!isNumber(k)) {
    const domain = there.map((p) => axis.texts[p]);
    const every = upright ? Math.ceil((14 * domain.length) / pixels) : 1; // a line of text is 14
    const ticks = domain.filter((_, i) => i % every === 0);
    return {type: "band", label, domain, ticks, padding: 0.06};
  }
  const room = upright ? 22 : 50,
    most = Math.max(2, pixels / room);
  const few = there.length <= MOST_TICKS || axis.log; // then they are at the swept values
  return {
    type: "linear",
    label,
    nice: false,
    ticks: few ? apart(axis, there, most) : most,
    tickFormat: (v) => axis.texts[axis.at.indexOf(v)] ?? String(Number(v.toPrecision(4))),
  };
}

/** Every combination of the values that are neither across nor up has a panel of its own. */
function panels(x, y) {
  const others = axes
    .map((_, k) => k)
    .filter((k) => k !== x && k !== y && new Set(places[k]).size > 1);
  const key = (i) => others.map((k) => `${axes[k].name}=${axes[k].texts[places[k][i]]}`).join(", ");
  const names = [...new Set(shown.map(key))];
  return {names: names.slice(0, MOST_PANELS), of: names.length, key};
}
