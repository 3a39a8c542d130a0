"""What a report looks like, beyond what all pages have in common."""

STYLE = """
:root { --slots: #f6e2bd; --starts: #e3d9f5; --quota: #8a5300;
  --lost: #c4372c; --calm: #2364aa; --warn: #8a5300; --hint: #fdf3e1; }
@media (prefers-color-scheme: dark) { :root { --slots: #55431f; --starts: #44385f;
  --quota: #f0b35e; --lost: #e5695e; --calm: #6cb0f2; --warn: #f0b35e;
  --hint: #2e2718; } }
header { margin-bottom: 1.5rem; }
.over { display: flex; flex-wrap: wrap; gap: .35rem .75rem; align-items: center;
  color: var(--soft); margin-bottom: .75rem; max-width: none; }
.over b { color: var(--ink); font-weight: 600; overflow-wrap: anywhere; min-width: 0; }
.pill { border: 1px solid currentColor; border-radius: 1rem; padding: .05rem .7rem;
  font-size: .85rem; font-weight: 600; white-space: nowrap; }
.good { color: var(--good); } .bad { color: var(--bad); } .warn { color: var(--warn); }
.calm { color: var(--calm); }
.when, .note, footer { color: var(--soft); font-size: .9rem; }
.callout { background: var(--hint); border-left: 3px solid var(--warn); border-radius: .35rem;
  padding: .6rem .9rem; margin-top: 1rem; overflow-wrap: anywhere; max-width: none; }
.tiles, .legend, .examples { list-style: none; margin: 0; padding: 0; }
.tiles { display: flex; flex-wrap: wrap; gap: 1px; background: var(--line);
  border: 1px solid var(--line); border-radius: .75rem; overflow: hidden; }
.tiles li { flex: 1 1 13rem; background: var(--card); padding: 1rem 1.5rem; display: flex;
  flex-direction: column; }
.tiles b { font-size: 1.6rem; line-height: 1.25; letter-spacing: -.015em; font-weight: 650;
  font-variant-numeric: tabular-nums; white-space: nowrap; }
.tiles small { color: var(--soft); font-size: .85rem; }
@media (min-width: 62rem) { .pair { display: grid; grid-template-columns: 1fr 1fr;
  gap: 1.25rem; margin: 1.25rem 0; } .pair section { margin: 0; display: flex;
  flex-direction: column; } .pair figure { margin-top: auto; } }
h3 { font-size: 1rem; margin: 1.25rem 0 .25rem; overflow-wrap: anywhere; }
.examples + .note { margin-top: 1.25rem; }
.count { font-variant-numeric: tabular-nums; color: var(--bad); margin-right: .25rem; }
figure { margin: .75rem 0 0; }
.legend { display: flex; flex-wrap: wrap; gap: .2rem 1.25rem; font-size: .85rem;
  color: var(--soft); margin-bottom: .9rem; }
.legend li { display: flex; align-items: center; gap: .45rem; }
.swatch { width: .95rem; height: .75rem; border-radius: .15rem; flex: none; }
.swatch.in-use { background: none; height: 0; border-top: 3px solid var(--mark); }
.swatch.quota { background: none; height: 0; border-top: 2px dashed var(--quota); }
.swatch.slots { background: var(--slots); } .swatch.starts { background: var(--starts); }
.swatch.done { background: var(--mark); } .swatch.lost { background: var(--lost); }
.plot { display: block; width: calc(100% - 3.25rem); height: 13rem; overflow: visible;
  margin: .5rem 0 2.25rem 3.25rem; }
.grid { stroke: var(--line); }
.bound.slots { fill: var(--slots); } .bound.starts { fill: var(--starts); }
.path, .quota { vector-effect: non-scaling-stroke; stroke-linejoin: round; fill: none; }
.quota { stroke: var(--quota); stroke-width: 1.75; stroke-dasharray: 5 4; }
.failed { fill: var(--lost); }
details { border-top: 1px solid var(--line); padding-top: .6rem; font-size: .9rem; }
summary { color: var(--soft); cursor: pointer; width: fit-content; }
details .wide { margin-top: .5rem; }
.examples li { padding: .2rem 0 .2rem .9rem; border-left: 2px solid var(--line);
  color: var(--soft); font-size: .9rem; overflow-wrap: anywhere; }
.examples .key { color: var(--ink); display: block; }
td + td, th + th { white-space: nowrap; }
.key, code { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono",
  monospace; font-size: .85em; overflow-wrap: anywhere; }
abbr { text-decoration: none; }
a { color: var(--mark); overflow-wrap: anywhere; }
.facts { display: grid; grid-template-columns: repeat(auto-fit, minmax(15rem, 1fr));
  gap: .75rem 1.5rem; margin: 1rem 0 0; font-size: .9rem; }
.facts dt { color: var(--soft); } .facts dd { margin: 0; overflow-wrap: anywhere; }
footer { margin-top: 1.5rem; }
@media (max-width: 40rem) { .minor { display: none; } .plot { height: 11rem;
  width: calc(100% - 2.5rem); margin-left: 2.5rem; }
  .tiles li { flex-basis: 9rem; padding: .75rem 1rem; }
  .tiles b { font-size: 1.25rem; } }
"""
