"use strict";
// A sweep's points: the diagram, the curve behind a point, filters and the sorted table. All
// drawing is Observable Plot's. A point is a number: its row in the table, its place in all lists.
// Text of a sweep reaches the page as text alone (textContent, attributes, Plot), never as markup.
(() => {
  const element = (id) => document.getElementById(id);
  const data = JSON.parse(element("explorer-data").textContent);
  const {axes, places, numbers, kinds, verdicts, zero, failed, traces} = data;
  const count = verdicts.length;
  const points = Array.from({length: count}, (_, i) => i);
  const table = element("table-points").closest("table");
  const rows = [...table.tBodies[0].rows];
  const heads = [...table.tHead.rows[0].cells].map((cell) => cell.textContent);
  const cells = (i) => [...rows[i].cells].map((cell) => cell.textContent);
  const MOST_PANELS = 12, MOST_TICKS = 12;
  const NARROWEST = 230; // pixels of a panel
  const SYMBOLS = ["circle", "triangle", "square", "diamond", "star", "wye"];
  const growthColour = Plot.scaleLinear(data.growth.map((g) => g[0]), data.growth.map((g) => g[1]))
    .clamp(true);
  let chosen = null, met = null; // the point that is kept, and the one that is pointed at
  let shown = points, marks = new Map(); // what the filters let pass, and its elements

  // ---- the curve of a point

  /** Whole differences back to log10 norms; null stays. */
  const summed = (differences) => {
    let sum = 0;
    return differences.map((d) => (d === null ? null : (sum += d) / data.fine));
  };
  const curve = (i) => {
    if (i === null || !traces[i]) return [];
    const [grid, ...lines] = traces[i], [median, low, high] = lines.map(summed);
    const steps = data.grids[grid], last = steps[steps.length - 1];
    return steps.map((t, k) => ({
      t: data.backwards ? last - t : t, median: median[k], low: low?.[k], high: high?.[k],
    }));
  };
  const superscript = (k) => String(k).replace(/[-0-9]/g, (c) => "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"["-0123456789".indexOf(c)]);
  /** Within the decades where there are few of them, or whole decades. */
  function powers(low, high) {
    const digits = high - low < 1.5 ? [1, 1.5, 2, 3, 5, 7] : high - low < 4 ? [1, 2, 5] : [1];
    const step = Math.max(1, 10 ** Math.floor(Math.log10((high - low) / 4)));
    const every = [1, 2, 5, 10].map((k) => k * step).find((k) => (high - low) / k <= 7);
    const first = Math.ceil(Math.floor(low) / every) * every;
    const decades = Array.from({length: Math.floor((high - first) / every) + 1}, (_, k) => first + k * every);
    return decades.flatMap((k) => digits.map((d) => k + Math.log10(d))).filter((k) => k >= low && k <= high);
  }
  function power(k) {
    const whole = Math.floor(k + 1e-9), digit = Number((10 ** (k - whole)).toPrecision(2));
    if (whole >= -3 && whole <= 3) return String(Number((digit * 10 ** whole).toPrecision(2)));
    return `${digit === 1 ? "" : `${digit}·`}10${superscript(whole)}`;
  }
  const finite = (value) => value !== null && value !== undefined;

  function drawCurve() {
    const holder = element("explorer-curve");
    const own = curve(chosen), other = met === chosen ? [] : curve(met);
    if (!own.length && !other.length) {
      holder.replaceChildren(note("There is no curve: nothing is known of the gradient here."));
      return;
    }
    const values = [...own, ...other].flatMap((p) => [p.median, p.low, p.high]).filter(finite);
    let low = Math.min(...values), high = Math.max(...values);
    const wider = Math.max(0, 1 - (high - low)) / 2, room = 0.04 * Math.max(1, high - low);
    low -= wider + room, high += wider + room;
    const line = {x: "t", y: "median", strokeWidth: 2, clip: true};
    const name = data.backwards ? "steps back, T − t" : "step t";
    holder.replaceChildren(Plot.plot({
      ...look(holder, 320), marginLeft: 58, marginBottom: 44,
      ariaLabel: chosen === null ? "Gradient norm at every step"
        : `Gradient norm at every step of ${named(chosen)}: ${range(own)}`,
      x: {label: name, tickFormat: (t) => (Number.isInteger(t) ? String(t) : "")},
      y: {
        label: "gradient norm", domain: [low, high], grid: true, tickFormat: power,
        ticks: powers(low, high),
      },
      marks: [
        Plot.areaY(own, {
          x: "t", y1: (p) => (finite(p.high) ? p.low ?? low : null), y2: "high",
          fill: colourOf(chosen), fillOpacity: 0.18, clip: true,
        }),
        Plot.line(other, {...line, stroke: "var(--soft)", strokeDasharray: "4 3"}),
        Plot.line(own, {...line, stroke: colourOf(chosen)}),
        Plot.dot(own.length > 30 ? [] : own, {...line, r: 2.5, fill: colourOf(chosen)}),
      ],
    }));
    holder.firstChild.setAttribute("role", "img");
  }
  const range = (line) => {
    const known = line.filter((p) => finite(p.median));
    if (!known.length) return "exactly zero";
    const [first, last] = [known[0], known[known.length - 1]];
    const told = (p) => `10^${p.median.toFixed(1)} at ${data.backwards ? "lag" : "t ="} ${p.t}`;
    return `${told(first)}, ${told(last)}`;
  };

  // ---- points in words

  const named = (i) => axes.map((axis, k) => `${axis.name}=${axis.texts[places[k][i]]}`).join(", ");
  const told = (i) => {
    const text = cells(i), at = data.columns.indexOf("verdicts");
    const rate = numbers.mean[i] === null ? "" : `, ${text[at + 1]} nats per step (95 %: ${text[at + 2]})`;
    return `${text[at]}${rate}`;
  };
  const sentence = (i) => `${named(i)}: ${told(i)}${failed[i] ? `: ${failed[i]}` : ""}`;
  const colourOf = (i) => (i === null ? "currentColor" : kinds[verdicts[i]][1]);

  function drawPoint() {
    const at = met ?? chosen, holder = element("explorer-point");
    if (at === null) return holder.replaceChildren();
    holder.style.borderColor = colourOf(at);
    const title = document.createElement("strong"), more = document.createElement("span");
    title.textContent = named(at);
    const left = cells(at).slice(data.columns.indexOf("verdicts") + 3)
      .map((text, k) => [heads[heads.length - 2 - (data.columns.includes("theory") ? 1 : 0) + k], text])
      .filter(([, text]) => text !== "-").map(([head, text]) => `; ${head}: ${text}`).join("");
    more.textContent = told(at) + left + (failed[at] ? `: ${failed[at]}` : "");
    holder.replaceChildren(title, document.createElement("br"), more);
    holder.classList.toggle("passing", at !== chosen);
  }

  // ---- the diagram

  const look = (holder, height) => ({
    width: Math.max(240, Math.floor(holder.clientWidth || 600)), height,
    style: {fontFamily: "inherit", fontSize: "12px", background: "none", overflow: "visible"},
  });
  const note = (text) => {
    const made = document.createElement("p");
    made.className = "soft";
    made.textContent = text;
    return made;
  };
  const isNumber = (k) => axes[k].at !== undefined;
  const value = (k) => (i) => (isNumber(k) ? axes[k].at[places[k][i]] : axes[k].texts[places[k][i]]);
  const border = (k, more) => (i) => axes[k].borders[places[k][i] + more];
  const view = () => {
    const across = element("explorer-across"), up = element("explorer-up");
    return across ? {x: Number(across.value), y: Number(up.value)}
      : {x: data.across, y: -1};
  };

  /** Of ascending values those that are not too near to the one before. */
  function apart(axis, there, most) {
    const positions = there.map((p) => axis.at[p]);
    const least = (positions[positions.length - 1] - positions[0]) / most;
    let last = -Infinity;
    return positions.filter((p) => p - last >= least && (last = p, true));
  }

  /** A scale of Plot's for an axis of the sweep, in as many pixels. */
  function scale(k, pixels, upright) {
    const axis = axes[k], there = [...new Set(shown.map((i) => places[k][i]))].sort((a, b) => a - b);
    const label = `${axis.name}${axis.log ? " (log scale)" : ""}`;
    if (!isNumber(k)) {
      return {type: "band", label, domain: there.map((p) => axis.texts[p]), padding: 0.06};
    }
    const room = upright ? 22 : 50, most = Math.max(2, pixels / room);
    const few = there.length <= MOST_TICKS || axis.log; // then they are at the swept values
    return {
      type: "linear", label, nice: false,
      ticks: few ? apart(axis, there, most) : most,
      tickFormat: (v) => axis.texts[axis.at.indexOf(v)] ?? String(Number(v.toPrecision(4))),
    };
  }

  /** Every combination of the values that are neither across nor up has a panel of its own. */
  function panels(x, y) {
    const others = axes.map((_, k) => k).filter((k) => k !== x && k !== y
      && new Set(places[k]).size > 1);
    const key = (i) => others.map((k) => `${axes[k].name}=${axes[k].texts[places[k][i]]}`).join(", ");
    const names = [...new Set(shown.map(key))];
    return {names: names.slice(0, MOST_PANELS), of: names.length, key};
  }

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
    const mark = isNumber(x) ? (isNumber(y) ? Plot.rect : Plot.barX) : isNumber(y) ? Plot.barY : Plot.cell;
    const paint = (i) => (zero[i] ? growthColour(-Infinity) : numbers.mean[i] === null
      ? "url(#explorer-hatch)" : growthColour(numbers.mean[i]));
    return [mark(ids, {
      ...across, ...up, ...facet, stroke: "var(--line)", fill: {value: paint, scale: null}, render: register(ids),
    })];
  }

  /** Growth rates along one axis, with their intervals; at the bottom what has none. */
  function line(ids, x, facet) {
    const known = ids.filter((i) => numbers.mean[i] !== null), of = (name) => (i) => numbers[name][i];
    const lost = ids.filter((i) => numbers.mean[i] === null), at = {x: value(x), ...facet};
    const order = isNumber(x) ? {sort: (i) => places[x][i]} : {};
    return [
      Plot.ruleY([0], {strokeOpacity: 0.6}),
      Plot.ruleX(known, {...at, y1: of("low"), y2: of("high"), strokeOpacity: 0.5}),
      ...(isNumber(x) ? [Plot.line(known, {...at, ...order, y: of("mean"), strokeOpacity: 0.35})] : []),
      Plot.dot(known, {
        ...at, y: of("mean"), fill: {value: colourOf, scale: null}, r: 5, render: register(known),
        stroke: "var(--ink)", strokeWidth: 0.5,
        symbol: (i) => kinds[verdicts[i]][0],
      }),
      Plot.dot(lost, {
        ...at, frameAnchor: "bottom", dy: -8, symbol: "times", r: 5,
        stroke: "var(--soft)", strokeWidth: 2, render: register(lost),
      }),
    ];
  }

  function drawDiagram() {
    const holder = element("explorer-diagram"), {x, y} = view();
    const held = marks.get(document.activeElement?.dataset?.point | 0) === document.activeElement
      ? Number(document.activeElement.dataset.point) : null;
    marks = new Map();
    element("explorer-legend").replaceChildren();
    if (!shown.length) return holder.replaceChildren(note("No point passes the filters."));
    const found = panels(x, y), many = found.of > 1, {width} = look(holder);
    const beside = Math.min(found.names.length, Math.max(1, Math.floor(width / NARROWEST)));
    const lines = Math.ceil(found.names.length / beside);
    const columns = Math.ceil(found.names.length / lines); // lines of about the same length
    const place = new Map(found.names.map((name, k) => [name, k]));
    const facet = many ? {
      fx: (i) => place.get(found.key(i)) % columns, fy: (i) => Math.floor(place.get(found.key(i)) / columns),
    } : {};
    const ids = shown.filter((i) => place.has(found.key(i)));
    const left = !(y >= 0) || isNumber(y) ? 56
      : Math.min(0.35 * width, 24 + 7 * Math.max(...axes[y].texts.map((text) => text.length)));
    const across = scale(x, (width - left) / columns, false);
    const tilted = !isNumber(x) && across.domain.join("").length * 7 > (width - left) / columns - 8 * across.domain.length;
    const bands = y >= 0 && !isNumber(y) ? 52 * new Set(ids.map((i) => places[y][i])).size : 420;
    const tall = Math.min(420, Math.max(120, bands), Math.max(220, (width / columns) * 0.7));
    const plot = Plot.plot({
      ...look(holder, (many ? 84 : 66) + (tilted ? 60 : 0) + lines * tall), marginLeft: left, marginRight: 16,
      marginTop: many ? 46 : 28, marginBottom: tilted ? 96 : 40,
      x: {...across, ...(tilted ? {tickRotate: -40} : {})},
      y: y >= 0 ? scale(y, tall, true) : {label: "growth rate (nats per step)", grid: true, nice: true},
      symbol: {domain: kinds.map(([name]) => name), range: SYMBOLS},
      fx: {axis: null, padding: 0.12}, fy: {axis: null, padding: 0.16},
      marks: [
        hatch,
        ...(y >= 0 ? plane(ids, x, y, facet) : line(ids, x, facet)),
        ...(many ? [Plot.text(found.names, {
          fx: (_, k) => k % columns, fy: (_, k) => Math.floor(k / columns), text: (name) => name,
          frameAnchor: "top-left", dy: -16, fontWeight: 600,
        })] : []),
      ],
    });
    holder.replaceChildren(plot);
    if (found.of > found.names.length) {
      holder.append(note(`${found.names.length} of ${found.of} panels are drawn; filter for others.`));
    }
    drawLegend(y);
    ring("chosen", chosen);
    ring("met", met === chosen ? null : met);
    makeStop(held ?? chosen);
    if (held !== null) marks.get(held)?.focus({preventScroll: true});
  }

  /** What has no growth rate; in colours of the page, light and dark. */
  function hatch() {
    const holder = document.createElement("div");
    holder.innerHTML = `<svg><defs><pattern id="explorer-hatch" width="6" height="6"
      patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><rect width="6" height="6"
      fill="var(--back)"></rect><rect width="1.5" height="6" fill="var(--soft)"></rect></pattern></defs></svg>`;
    return holder.querySelector("defs");
  }

  function drawLegend(y) {
    const holder = element("explorer-legend");
    if (!(y >= 0)) return;
    const domain = [-data.limit, data.limit];
    holder.replaceChildren(Plot.legend({
      color: {
        type: "diverging", domain, pivot: 0, symmetric: false, label: "growth rate (nats per step)",
        interpolate: (s) => growthColour(domain[0] + s * (domain[1] - domain[0])),
        tickFormat: (v) => `${v > 0 ? "+" : v < 0 ? "−" : ""}${Math.abs(Number(v.toPrecision(3)))}`,
      },
      width: Math.min(320, look(element("explorer-diagram")).width), marginLeft: 18, marginRight: 18, ticks: 5,
      style: {fontFamily: "inherit", fontSize: "12px", background: "none", overflow: "visible"},
    }));
    holder.firstChild.setAttribute("aria-hidden", "true"); // the label of each point says its rate
  }

  /** An outline around a point, above its neighbours. */
  function ring(kind, i) {
    element("explorer-diagram").querySelectorAll(`.ring-${kind}`).forEach((old) => old.remove());
    const made = marks.get(i);
    if (!made) return;
    const copy = made.cloneNode(false);
    for (const name of ["role", "tabindex", "aria-label", "aria-pressed", "data-point", "fill", "stroke"]) {
      copy.removeAttribute(name);
    }
    copy.setAttribute("class", `ring ring-${kind}`);
    const moved = copy.getAttribute("transform");
    if (moved) { // a symbol, not a cell
      copy.setAttribute("transform", `${moved} scale(1.9)`);
      copy.classList.add("around");
    }
    made.parentNode.append(copy);
  }

  // ---- choosing

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
    chosen = i, met = null;
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
    const box = table.parentNode, row = rows[i];
    const top = row.offsetTop - table.tHead.offsetHeight, bottom = row.offsetTop + row.offsetHeight;
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
    const row = i === null || rows[i].hidden ? [...table.tBodies[0].rows].find((r) => !r.hidden) : rows[i];
    if (row && there.length) row.tabIndex = 0;
  }

  /** The next point from here along an axis, in this panel or, across, in the one beside it. */
  function next(i, along, step) {
    const {x, y} = view(), key = panels(x, y).key, own = key(i), ids = [...marks.keys()];
    const order = along === "x" ? x : y, other = along === "x" ? y : x;
    const same = (k) => !(other >= 0) || places[other][k] === places[other][i];
    const beyond = (k) => step * (places[order][k] - places[order][i]);
    const found = ids.filter((k) => key(k) === own && same(k) && beyond(k) > 0)
      .sort((a, b) => beyond(a) - beyond(b))[0];
    if (found !== undefined || along === "y") return found ?? i;
    const names = [...new Set(ids.map(key))], beside = names[names.indexOf(own) + step];
    return ids.filter((k) => key(k) === beside && same(k))
      .sort((a, b) => step * (places[order][a] - places[order][b]))[0] ?? i;
  }

  function onKeyOfDiagram(event) {
    const here = event.target.dataset?.point;
    if (here === undefined) return;
    const i = Number(here), {y} = view();
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
    const there = [...table.tBodies[0].rows].filter((one) => !one.hidden), at = there.indexOf(row);
    const to = {ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: there.length - 1}[event.key];
    if (event.key === "Enter" || event.key === " ") choose(rows.indexOf(row));
    else if (to !== undefined && there[to]) {
      row.tabIndex = -1;
      there[to].tabIndex = 0;
      there[to].focus();
    } else if (to === undefined) return;
    event.preventDefault();
  }

  // ---- filters

  const controls = [...document.querySelectorAll("#explorer .controls [data-axis], #explorer [data-verdict]")];

  function passing() {
    const tests = [];
    for (const control of controls) {
      const k = Number(control.dataset.axis), at = Number(control.value);
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
    element("explorer-count").textContent = shown.length === count
      ? `${count} points` : `${shown.length} of ${count} points pass the filters`;
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

  function differentAxes(event) {
    const [across, up] = [element("explorer-across"), element("explorer-up")];
    if (across.value === up.value) {
      const changed = event.target === across ? up : across;
      changed.value = [...changed.options].map((o) => o.value).find((v) => v !== event.target.value);
    }
    drawDiagram();
  }

  function reset() {
    for (const control of controls) {
      if (control.type === "checkbox") control.checked = true;
      else control.value = control.dataset.end === "high" ? control.options[control.length - 1].value
        : control.options[0].value;
    }
    filter();
  }

  // ---- the table

  const valueOf = (column) => (typeof column === "number" ? places[column]
    : column === "verdicts" ? verdicts : numbers[column]);

  function sortBy(head, column) {
    const down = head.getAttribute("aria-sort") === "ascending", values = valueOf(column);
    for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    const order = [...points].sort((a, b) => {
      if (values[a] === null || values[b] === null) return (values[a] === null) - (values[b] === null);
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

  // ---- begin

  function begin() {
    element("explorer-without").remove();
    element("explorer").hidden = false;
    makeTable();
    const holder = element("explorer-diagram");
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
    element("explorer-across")?.addEventListener("change", differentAxes);
    element("explorer-up")?.addEventListener("change", differentAxes);
    element("explorer-reset").addEventListener("click", reset);
    filter();
    let width = holder.clientWidth;
    new ResizeObserver(() => {
      if (holder.clientWidth === width) return;
      width = holder.clientWidth;
      requestAnimationFrame(() => (drawDiagram(), drawCurve()));
    }).observe(holder);
  }

  begin();
})();
