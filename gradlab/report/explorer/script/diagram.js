// All points that pass the filters: cells over two axes, or growth rates along one.

const look = (holder, height) => ({
  width: Math.max(240, Math.floor(holder.clientWidth || 600)),
  height,
  style: {fontFamily: "inherit", fontSize: "12px", background: "none", overflow: "visible"},
});
const note = (text) => {
  const made = document.createElement("p");
  made.className = "soft";
  made.textContent = text;
  return made;
};
/** How wide and high a panel is, how many stand beside each other, and what is around them. */
function layout(x, y, found, width) {
  const count = found.names.length;
  const lines = Math.ceil(count / Math.max(1, Math.floor(width / NARROWEST)));
  const columns = Math.ceil(count / lines); // lines of about the same length
  const longest = (k) => Math.max(...axes[k].texts.map((text) => text.length));
  const left = y >= 0 && !isNumber(y) ? Math.min(0.35 * width, 24 + 7 * longest(y)) : 56;
  const wide = (width - left) / columns;
  const names = isNumber(x) ? [] : scale(x, wide).domain;
  const tilted = 7 * names.join("").length + 8 * names.length > wide;
  const bands = y >= 0 && !isNumber(y) ? new Set(shown.map((i) => places[y][i])).size : 0;
  const high = Math.min(420, Math.max(220, 52 * bands, 0.7 * (width / columns)));
  const [top, bottom] = [found.of > 1 ? 46 : 28, tilted ? 128 : 40];
  return {columns, lines, left, top, bottom, wide, high, tilted};
}

/** Names below the diagram that do not fit side by side: shortened, and as many as have room. */
function tilt(names, {wide, bottom}) {
  const every = Math.ceil((names.length * 15) / wide); // 15 pixels for a line of text
  return {
    ticks: names.filter((_, k) => k % every === 0),
    tickFormat: shortened,
    tickRotate: -50,
    labelOffset: bottom - 6,
  };
}

/** The end of what has lost its beginning, the beginning of all else. */
function shortened(name) {
  if (name.length <= LONGEST) return name;
  return name.startsWith("…") ? `…${name.slice(1 - LONGEST)}` : `${name.slice(0, LONGEST - 1)}…`;
}

/** Panels in lines, each with its name; no facets where there is one panel. */
function facets(found, columns) {
  if (found.of < 2) return {facet: {}, names: []};
  const place = new Map(found.names.map((name, k) => [name, k]));
  const [column, line] = [(k) => k % columns, (k) => Math.floor(k / columns)];
  const own = (i) => place.get(found.key(i));
  const title = Plot.text(found.names, {
    fx: (_, k) => column(k),
    fy: (_, k) => line(k),
    text: (name) => name,
    frameAnchor: "top-left",
    dy: -16,
    fontWeight: 600,
  });
  return {facet: {fx: (i) => column(own(i)), fy: (i) => line(own(i))}, names: [title]};
}

function drawDiagram() {
  const holder = element("explorer-diagram");
  const held = [...marks].find(([, made]) => made === document.activeElement)?.[0] ?? null;
  marks = new Map();
  drawLegend();
  if (!shown.length) return holder.replaceChildren(note("No point passes the filters."));
  const {x, y} = view();
  const found = panels(x, y);
  const size = layout(x, y, found, look(holder).width);
  const {facet, names} = facets(found, size.columns);
  const ids = shown.filter((i) => found.names.includes(found.key(i)));
  const rate = {label: "growth rate (nats per step)", grid: true, nice: true, ticks: 8};
  const plot = Plot.plot({
    ...look(holder, size.top + size.bottom + size.lines * size.high),
    marginLeft: size.left,
    marginRight: 16,
    marginTop: size.top,
    marginBottom: size.bottom,
    x: {...scale(x, size.wide), ...(size.tilted ? tilt(scale(x).domain, size) : {})},
    y: y >= 0 ? scale(y, size.high, true) : rate,
    symbol: {domain: kinds.map(([name]) => name), range: SYMBOLS},
    fx: {axis: null, padding: 0.12},
    fy: {axis: null, padding: 0.16},
    marks: [hatch, ...(y >= 0 ? plane(ids, x, y, facet) : line(ids, x, facet)), ...names],
  });
  const left = `${found.names.length} of ${found.of} panels are drawn; filter for others.`;
  holder.replaceChildren(plot, ...(found.of > found.names.length ? [note(left)] : []));
  ring("chosen", chosen);
  ring("met", met === chosen ? null : met);
  makeStop(held ?? chosen);
  if (held !== null) marks.get(held)?.focus({preventScroll: true});
}

const signed = (v) => {
  const sign = v > 0 ? "+" : v < 0 ? "−" : "";
  return sign + Math.abs(Number(v.toPrecision(3)));
};

/** What the colours of cells mean. */
function drawLegend() {
  const holder = element("explorer-legend");
  if (!shown.length || !(view().y >= 0)) return holder.replaceChildren();
  const domain = [-data.limit, data.limit];
  holder.replaceChildren(
    Plot.legend({
      color: {
        type: "diverging",
        domain,
        pivot: 0,
        symmetric: false,
        label: "growth rate (nats per step)",
        interpolate: (s) => growthColour(domain[0] + s * (domain[1] - domain[0])),
        tickFormat: signed,
      },
      width: Math.min(320, look(element("explorer-diagram")).width),
      marginLeft: 18,
      marginRight: 18,
      ticks: 5,
      style: {fontFamily: "inherit", fontSize: "12px", background: "none", overflow: "visible"},
    }),
  );
  holder.firstChild.setAttribute("aria-hidden", "true"); // the label of each point says its rate
}

const OWN = ["role", "tabindex", "aria-label", "aria-pressed", "data-point", "fill", "stroke"];

/** An outline around a point, above its neighbours: dark on light, seen on every colour. */
function ring(kind, i) {
  const holder = element("explorer-diagram");
  holder.querySelectorAll(`.ring-${kind}`).forEach((old) => old.remove());
  const made = marks.get(i);
  if (!made) return;
  const moved = made.getAttribute("transform"); // of a symbol; a cell has none
  for (const layer of moved ? ["around"] : ["under", "over"]) {
    const copy = made.cloneNode(false);
    OWN.forEach((name) => copy.removeAttribute(name));
    copy.setAttribute("class", `ring ring-${kind} ${layer}`);
    if (moved) copy.setAttribute("transform", `${moved} scale(1.9)`);
    made.parentNode.append(copy);
  }
}
