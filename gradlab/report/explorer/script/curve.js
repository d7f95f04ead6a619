// The norm of the gradient at every step, of the point that is kept and of the one pointed at.

/** Whole differences back to log10 norms; null stays. */
const summed = (differences) => {
  let sum = 0;
  return differences.map((d) => (d === null ? null : (sum += d) / data.fine));
};
const curve = (i) => {
  if (i === null || !traces[i]) return [];
  const [grid, ...lines] = traces[i],
    [median, low, high] = lines.map(summed);
  const steps = data.grids[grid],
    last = steps[steps.length - 1];
  return steps.map((t, k) => ({
    t: data.backwards ? last - t : t,
    median: median[k],
    low: low?.[k],
    high: high?.[k],
  }));
};
const superscript = (k) =>
  String(k).replace(/[-0-9]/g, (c) => "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"["-0123456789".indexOf(c)]);
/** Within the decades where there are few of them, or whole decades. */
function powers(low, high) {
  const digits = high - low < 1.5 ? [1, 1.5, 2, 3, 5, 7] : high - low < 4 ? [1, 2, 5] : [1];
  const step = Math.max(1, 10 ** Math.floor(Math.log10((high - low) / 4)));
  const every = [1, 2, 5, 10].map((k) => k * step).find((k) => (high - low) / k <= 7);
  const first = Math.ceil(Math.floor(low) / every) * every;
  const decades = Array.from(
    {length: Math.floor((high - first) / every) + 1},
    (_, k) => first + k * every,
  );
  return decades
    .flatMap((k) => digits.map((d) => k + Math.log10(d)))
    .filter((k) => k >= low && k <= high);
}
function power(k) {
  const whole = Math.floor(k + 1e-9),
    digit = Number((10 ** (k - whole)).toPrecision(2));
  if (whole >= -3 && whole <= 3) return String(Number((digit * 10 ** whole).toPrecision(2)));
  return `${digit === 1 ? "" : `${digit}·`}10${superscript(whole)}`;
}
const finite = (value) => value !== null && value !== undefined;

function drawCurve() {
  const holder = element("explorer-curve");
  const own = curve(chosen),
    other = met === chosen ? [] : curve(met);
  if (!own.length && !other.length) {
    holder.replaceChildren(note("There is no curve: nothing is known of the gradient here."));
    return;
  }
  const values = [...own, ...other].flatMap((p) => [p.median, p.low, p.high]).filter(finite);
  const [least, most] = [Math.min(...values), Math.max(...values)];
  const room = Math.max(0, 1 - (most - least)) / 2 + 0.04 * Math.max(1, most - least);
  const [low, high] = [least - room, most + room]; // at least a decade
  const line = {x: "t", y: "median", strokeWidth: 2, clip: true};
  const name = data.backwards ? "steps back, T − t" : "step t";
  holder.replaceChildren(
    Plot.plot({
      ...look(holder, 320),
      marginLeft: 58,
      marginBottom: 44,
      ariaLabel:
        chosen === null
          ? "Gradient norm at every step"
          : `Gradient norm at every step of ${named(chosen)}: ${range(own)}`,
      x: {label: name, tickFormat: (t) => (Number.isInteger(t) ? String(t) : "")},
      y: {
        label: "gradient norm",
        domain: [low, high],
        grid: true,
        tickFormat: power,
        ticks: powers(low, high),
      },
      marks: [
        Plot.areaY(own, {
          x: "t",
          y1: (p) => (finite(p.high) ? (p.low ?? low) : null),
          y2: "high",
          fill: colourOf(chosen),
          fillOpacity: 0.18,
          clip: true,
        }),
        Plot.line(other, {...line, stroke: "var(--soft)", strokeDasharray: "4 3"}),
        Plot.line(own, {...line, stroke: colourOf(chosen)}),
        Plot.dot(own.length > 30 ? [] : own, {...line, r: 2.5, fill: colourOf(chosen)}),
      ],
    }),
  );
  holder.firstChild.setAttribute("role", "img");
}
const range = (line) => {
  const known = line.filter((p) => finite(p.median));
  if (!known.length) return "exactly zero";
  const [first, last] = [known[0], known[known.length - 1]];
  const told = (p) => `10^${p.median.toFixed(1)} at ${data.backwards ? "lag" : "t ="} ${p.t}`;
  return `${told(first)}, ${told(last)}`;
};
