"""The style sheet of a page: system fonts, light and dark, narrow screens, print."""

from __future__ import annotations

STEPS = 10
"""Number of shades of a cell, `s0` to `s10`."""

_SHADES = "\n".join(
    f".s{step} {{ background: color-mix(in srgb, var(--accent) calc({step / STEPS:g} * var(--deepest)), transparent); "
    f"fill: var(--accent); fill-opacity: {step / STEPS:g}; }}"
    for step in range(STEPS + 1)
)

CSS = f"""
:root {{
  color-scheme: light dark;
  --paper: #ffffff; --ink: #1c2430; --pale: #56606d; --line: #dfe4e9; --soft: #f4f6f8;
  --accent: #0072b2; --warm: #b34700; --deepest: 55%;
}}
@media (prefers-color-scheme: dark) {{
  :root {{
    --paper: #14181d; --ink: #e4e8ec; --pale: #a3adb8; --line: #313942; --soft: #1c2229;
    --accent: #56b4e9; --warm: #e69f00; --deepest: 45%;
  }}
}}
* {{ box-sizing: border-box; }}
html {{ font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; -webkit-text-size-adjust: 100%; }}
body {{ margin: 0 auto; padding: 1.5rem 1rem 4rem; max-width: 68rem; background: var(--paper); color: var(--ink); }}
h1, h2, h3, h4 {{ line-height: 1.2; margin: 0; text-wrap: balance; overflow-wrap: anywhere; }}
h1 {{ font-size: 1.9rem; letter-spacing: -0.01em; }}
h2 {{ font-size: 1.35rem; margin-bottom: 1rem; }}
h3 {{ font-size: 1.05rem; margin: 2rem 0 0.5rem; }}
h4 {{ font-size: 0.875rem; font-weight: 600; color: var(--pale); margin: 1rem 0 0.4rem; }}
h3 small, h4 small {{ font-weight: 400; color: var(--pale); font-size: 0.875rem; }}
p, dl, ul {{ margin: 0 0 0.75rem; }}
section {{ border-top: 1px solid var(--line); padding-top: 1.75rem; margin-top: 2.5rem; }}
a {{ color: var(--accent); }}
:focus-visible {{ outline: 2px solid var(--accent); outline-offset: 2px; }}
.skip {{ position: absolute; left: -99rem; padding: 0.5rem 1rem; background: var(--paper); }}
.skip:focus {{ left: 1rem; top: 0.5rem; z-index: 1; }}
.lead {{ font-size: 1.1rem; margin: 0.4rem 0 0; max-width: 46rem; }}
section .lead {{ margin: 0 0 1rem; }}
.note {{ color: var(--pale); font-size: 0.875rem; max-width: 46rem; }}
.warning {{ border-left: 3px solid var(--warm); padding: 0.1rem 0 0.1rem 0.75rem; max-width: 46rem; font-size: 0.9rem;
  margin: 1rem 0; }}
nav ul {{ display: flex; flex-wrap: wrap; gap: 0.25rem 1.25rem; list-style: none; padding: 0; margin: 1.25rem 0 0; }}
nav a {{ display: inline-block; padding: 0.25rem 0; text-decoration: none; }}
nav a:hover {{ text-decoration: underline; }}
bdi {{ overflow-wrap: anywhere; }}

.figures {{ display: grid; grid-template-columns: repeat(auto-fit, minmax(8.5rem, 1fr)); gap: 0.75rem 1.5rem;
  margin: 0 0 1.25rem; max-width: 52rem; }}
.figures div {{ display: flex; flex-direction: column-reverse; justify-content: flex-end; }}
.figures dt {{ color: var(--pale); font-size: 0.875rem; }}
.figures dd {{ margin: 0; font-size: 1.6rem; line-height: 1.2; font-variant-numeric: tabular-nums; }}
dl:not(.figures) div {{ display: grid; grid-template-columns: 11rem 1fr; gap: 0.1rem 1rem; padding: 0.3rem 0;
  border-bottom: 1px solid var(--line); }}
dl:not(.figures) dt {{ color: var(--pale); }}
dl:not(.figures) dd {{ margin: 0; overflow-wrap: anywhere; }}

table {{ border-collapse: collapse; font-size: 0.9rem; font-variant-numeric: tabular-nums; margin: 0 0 1rem; }}
caption {{ text-align: left; color: var(--pale); font-size: 0.875rem; padding: 0 0 0.4rem; }}
th, td {{ padding: 0.3rem 1.25rem 0.3rem 0; text-align: left; vertical-align: baseline;
  border-bottom: 1px solid var(--line); }}
th:last-child, td:last-child {{ padding-right: 0; }}
thead th, thead td {{ font-weight: 400; color: var(--pale); font-size: 0.8125rem; vertical-align: bottom; }}
tbody th {{ font-weight: 400; min-width: 5rem; }}
td.n {{ text-align: right; white-space: nowrap; }}
.numbers thead th:not(:first-child), .bars thead th:not(:first-child) {{ text-align: right; }}
.reasons thead th:last-child {{ text-align: right; }}
.scroll {{ overflow-x: auto; margin-bottom: 1rem; }}
.scroll table {{ margin: 0; }}
.scroll thead bdi, .scroll td bdi, .matrix tbody th bdi {{ overflow-wrap: normal; }}
.scroll caption {{ position: sticky; left: 0; max-width: min(46rem, calc(100vw - 2rem)); }}
.bars {{ width: 100%; max-width: 46rem; }}
.bars td:last-child {{ width: 55%; padding-left: 0.25rem; }}
.bars svg {{ display: block; width: 100%; height: 0.7rem; }}
.matrix td {{ padding: 0.35rem 0.6rem; text-align: right; border: 2px solid var(--paper); }}
.matrix thead th {{ padding: 0.3rem 0.6rem; text-align: right; }}
.matrix tbody th {{ border-color: transparent; }}
.matrix thead th:first-child, .matrix tbody th {{ text-align: left; padding-left: 0; }}

.charts {{ display: grid; grid-template-columns: repeat(auto-fill, minmax(13rem, 1fr)); gap: 1.25rem 2rem;
  margin: 0 0 1rem; padding: 0; list-style: none; }}
.charts h3 {{ margin: 0 0 0.25rem; }}
.chart {{ display: block; width: 100%; height: auto; max-width: 30rem; }}
.charts .chart {{ max-width: 14rem; }}
.chart text {{ font-size: 10.5px; fill: var(--pale); font-variant-numeric: tabular-nums; }}
.chart .bar, .bars rect {{ fill: var(--accent); }}
.chart .axis {{ stroke: var(--pale); stroke-width: 1; }}
.chart .grid {{ stroke: var(--line); stroke-width: 1; }}
.chart .even {{ stroke: var(--pale); stroke-dasharray: 4 3; }}
.chart .spread {{ stroke: var(--accent); stroke-opacity: 0.35; stroke-width: 5; stroke-linecap: round; }}
.chart .second {{ stroke: var(--warm); }}
.chart .label {{ fill: var(--ink); unicode-bidi: isolate; }}
.chart .curve {{ fill: none; stroke: var(--accent); stroke-width: 2; }}
.chart .dot {{ fill: var(--accent); }}
.chart .dot.second {{ fill: var(--warm); stroke: none; }}
.columns {{ display: grid; grid-template-columns: repeat(auto-fit, minmax(min(20rem, 100%), 1fr)); gap: 0 3rem;
  align-items: start; }}

.faces {{ display: grid; grid-template-columns: repeat(auto-fill, minmax(4.9rem, 1fr)); gap: 0.75rem 0.4rem;
  list-style: none; padding: 0; margin: 0 0 1rem; font-size: 0.75rem; line-height: 1.35; }}
.faces svg, .faces .absent {{ display: block; width: 100%; height: auto; max-width: 7rem; aspect-ratio: 1;
  border-radius: 4px;  background: var(--soft); }}
.faces .absent {{ padding: 0.4rem; color: var(--pale); overflow: hidden; }}
.faces b {{ font-variant-numeric: tabular-nums; }}
.faces .said, .faces .file {{ display: block; max-width: 7rem; overflow: hidden; text-overflow: ellipsis;
  white-space: nowrap; }}
.faces .file {{ color: var(--pale); }}
.sheet {{ position: absolute; }}
.names {{ font-size: 0.8125rem; color: var(--pale); }}
ul.names {{ padding-left: 1.1rem; margin: 0.25rem 0; }}
.names li {{ break-inside: avoid; }}
summary {{ cursor: pointer; color: var(--accent); font-size: 0.9rem; padding: 0.25rem 0; }}
details {{ margin: 0 0 0.75rem; }}
td details {{ margin: 0; }}
td summary {{ font-size: 0.8125rem; padding: 0; }}
{_SHADES}
@media (max-width: 36rem) {{
  h1 {{ font-size: 1.5rem; }}
  th, td {{ padding-right: 0.75rem; }}
  dl:not(.figures) div {{ grid-template-columns: 1fr; }}
  .figures {{ grid-template-columns: 1fr 1fr; }}
  .faces {{ grid-template-columns: repeat(auto-fill, minmax(4.75rem, 1fr)); }}
  .bars td:last-child {{ width: 35%; }}
  .charts {{ grid-template-columns: 1fr 1fr; gap: 1rem; }}
}}
@page {{ margin: 14mm; }}
@media print {{
  :root {{ --paper: #fff; --ink: #000; --pale: #444; --line: #ccc; --soft: #f4f6f8; --accent: #0072b2;
    --warm: #b34700; color-scheme: light; }}
  html {{ font-size: 10pt; }}
  body {{ max-width: none; padding: 0; }}
  nav, .skip, summary {{ display: none; }}
  details::details-content {{ content-visibility: visible; height: auto; }}
  section {{ margin-top: 1.5rem; padding-top: 1rem; }}
  h2, h3, h4, caption {{ break-after: avoid; }}
  table, tr, li, svg, .warning {{ break-inside: avoid; }}
  thead {{ display: table-header-group; }}
  .scroll {{ overflow: visible; }}
  .faces {{ grid-template-columns: repeat(auto-fill, minmax(4.2rem, 1fr)); }}
  * {{ print-color-adjust: exact; -webkit-print-color-adjust: exact; }}
}}
"""
"""Colours are of Okabe and Ito's palette, which colour-blind people can tell apart; pale text has a contrast of 4.5."""
