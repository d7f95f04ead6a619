"""The looks of a page: light, dark and on paper, from 360 pixels on.

Colours of verdicts are those of the figures. They are borders beside the text, never the colour of
text alone. Figures stay on white in the dark too: their colours are made for it.
"""

from __future__ import annotations

from string import Template

from gradlab.report import style

_SHEET = Template("""\
:root { color-scheme: light dark; --paper: #ffffff; --ink: $ink; --soft: $soft; --line: $grid;
  --back: #f6f6f4; --link: $link; --note: $highlight; }
@media screen and (prefers-color-scheme: dark) {
  :root { --paper: #16181c; --ink: #e8e6e1; --soft: #b3b0aa; --line: #3a3d44; --back: #1f2228;
    --link: #8ab8f0; --note: #3a3215; }
}
* { box-sizing: border-box; }
html { scroll-behavior: smooth; }
body { margin: 0 auto; padding: 1rem clamp(1rem, 4vw, 3rem) 3rem; max-width: 84rem;
  background: var(--paper); color: var(--ink); overflow-wrap: anywhere;
  font: 1rem/1.55 system-ui, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
h1 { font-size: 1.8rem; line-height: 1.2; margin: 0; }
h2 { font-size: 1.25rem; margin: 2.5rem 0 .75rem; border-bottom: 1px solid var(--line); }
p, ul { max-width: 48rem; }
.kind, .what, .soft, footer { color: var(--soft); }
.kind { margin: 0; font-size: .875rem; }
.soft, footer { font-size: .875rem; }
a { color: var(--link); }
:focus-visible { outline: 3px solid var(--link); outline-offset: 2px; }
.skip { position: absolute; left: -100rem; background: var(--paper); padding: .5rem; }
.skip:focus { left: 1rem; top: .5rem; }
nav ul { display: flex; flex-wrap: wrap; gap: .25rem 1.25rem; padding: 0; list-style: none; }
.headline { font-size: 1.25rem; font-weight: 600; line-height: 1.35; padding: .75rem 1rem;
  background: var(--back); border-left: .6rem solid var(--soft); }
$verdicts
.note { background: var(--note); padding: .5rem .75rem; }
.figures { display: grid; gap: 1.5rem;
  grid-template-columns: repeat(auto-fill, minmax(min(100%, 34rem), 1fr)); }
figure { margin: 0; min-width: 0; }
figure .scroll { background: #ffffff; border: 1px solid var(--line); border-radius: .4rem; }
figure svg { display: block; width: 100%; min-width: 27rem; height: auto; }
figcaption { padding-top: .4rem; }
details { font-size: .875rem; color: var(--soft); }
summary { cursor: pointer; width: max-content; }
.scroll { overflow-x: auto; overflow-wrap: normal; }
table { border-collapse: collapse; font-size: .9375rem; min-width: min(100%, 24rem);
  font-variant-numeric: tabular-nums; margin: .5rem 0; }
caption { text-align: left; font-weight: 600; padding-bottom: .3rem; }
th, td { padding: .2rem .7rem .2rem 0; border-bottom: 1px solid var(--line); text-align: right;
  vertical-align: top; }
thead th { border-bottom: 2px solid var(--soft); }
th:first-child { text-align: left; font-weight: 400; }
thead th:first-child { font-weight: 600; }
td { white-space: nowrap; }
.tables { display: grid; gap: 1rem 2rem;
  grid-template-columns: repeat(auto-fill, minmax(min(100%, 34rem), 1fr)); }
.tables > div { min-width: 0; }
.controls { display: flex; flex-wrap: wrap; gap: .5rem .75rem; align-items: flex-end;
  font-size: .875rem; }
.controls fieldset { border: 1px solid var(--line); border-radius: .4rem; margin: 0; min-width: 0;
  padding: .15rem .6rem .4rem; display: flex; flex-wrap: wrap; gap: .2rem .8rem; }
.controls legend { color: var(--soft); padding: 0 .25rem; }
.controls label { display: inline-flex; gap: .35rem; align-items: center; max-width: 100%; }
.controls select { max-width: 12rem; }
select, button { font: inherit; color: inherit; background: var(--back); padding: .15rem .4rem;
  border: 1px solid var(--line); border-radius: .3rem; }
button { cursor: pointer; padding: .25rem .7rem; }
.controls i { width: .8em; height: .8em; border-radius: .15em; }
.panes { display: grid; gap: 1.5rem 2rem; grid-template-columns: minmax(0, 1fr); }
.pane { min-width: 0; }
.pane .soft { margin: .25rem 0 0; }
.pane svg { display: block; width: auto; min-width: 0; }
#explorer-legend { margin-bottom: .5rem; }
#explorer-point { margin: 0 0 .75rem; padding: .4rem .75rem; border-left: .4rem solid var(--line);
  background: var(--back); min-height: 4.2rem; }
#explorer-point.passing { opacity: .85; }
#explorer-diagram [data-point] { cursor: pointer; outline: none; }
.ring { fill: none; vector-effect: non-scaling-stroke; stroke: #111111; stroke-width: 2.5;
  pointer-events: none; }
.ring-met { stroke-dasharray: 5 3; }
.ring.under { stroke: #ffffff; stroke-width: 5.5; stroke-dasharray: none; }
.ring.around { stroke: var(--ink); stroke-width: 1.75; stroke-dasharray: none; }
.ring-met.around { stroke-width: 1; }
.unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
#points .scroll { max-height: 34rem; overflow: auto; position: relative; }
#points thead th { position: sticky; top: 0; background: var(--paper); }
.explored th button { background: none; border: 0; padding: 0; font-weight: 600;
  text-align: right; }
.explored th button::after { content: " ↕"; color: var(--soft); font-weight: 400; }
.explored th[aria-sort=ascending] button::after { content: " ↑"; color: inherit; }
.explored th[aria-sort=descending] button::after { content: " ↓"; color: inherit; }
.explored tbody tr { cursor: pointer; }
.explored tbody tr:hover { background: var(--back); }
.explored tbody tr.chosen { background: var(--note); }
@media (min-width: 62rem) { .panes { grid-template-columns: minmax(0, 3fr) minmax(0, 2fr); } }
.facts td { text-align: left; white-space: normal; overflow-wrap: anywhere; }
pre { background: var(--back); padding: .75rem 1rem; overflow-x: auto; font-size: .875rem; }
footer { margin-top: 3rem; border-top: 1px solid var(--line); }
@media print {
  @page { margin: 15mm; }
  :root { color-scheme: light; }
  body { padding: 0; max-width: none; font-size: 10pt; }
  nav, .skip, summary, .controls, #explorer-how, #explorer-without { display: none; }
  .panes, #points .scroll { max-height: none; }
  .pane, #points tr { break-inside: avoid; }
  #points thead th { position: static; }
  #points td, #points th { font-size: 7.5pt; padding-right: .5rem; overflow-wrap: break-word; }
  #points th { overflow-wrap: anywhere; }
  .explored th button { white-space: normal; text-align: inherit; }
  .explored th button::after { content: ""; }
  .figures { grid-template-columns: 1fr 1fr; gap: 1rem; }
  figure svg { min-width: 0; }
  figure .scroll, tr, .headline { break-inside: avoid; }
  details { font-size: 8pt; line-height: 1.35; }
  .tables { display: block; }
  .tables > div { break-inside: avoid; }
  thead { break-after: avoid; }
  td { white-space: normal; overflow-wrap: anywhere; }
  h2, caption { break-after: avoid; }
  .scroll, pre { overflow: visible; }
  pre { white-space: pre-wrap; }
  details::details-content { content-visibility: visible; display: block; block-size: auto; }
}
@media print and (max-width: 12cm) { .figures { grid-template-columns: 1fr; } }
""")


def sheet() -> str:
    """The style sheet."""
    borders = (
        f".{name} {{ border-left-color: {colour}; }}"
        for name, colour in style.VERDICT_COLOURS.items()
    )
    return _SHEET.substitute(
        ink=style.INK,
        soft=style.SOFT,
        grid=style.GRID,
        highlight=style.HIGHLIGHT,
        link=style.VERDICT_COLOURS["vanishing"],
        verdicts="\n".join(borders),
    )
