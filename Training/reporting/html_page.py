"""A page of HTML in one file: readable without JavaScript, without a network, on paper."""

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

MEDIA_TYPES = {".svg": "image/svg+xml", ".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg"}

# At the beginning of a cell, followed by nothing but its spread or a remark in brackets
NUMBER = re.compile(r"(?:\*\*)?([+-]?(?:\d+\.?\d*(?:e[+-]?\d+)?|inf))(?:\*\*)?(?= ± | \(|$)")
ARROWED = re.compile(r"(.*?)( [↑↓])?", re.DOTALL)
SPREAD = re.compile(r"(.*?)( ± .*)?", re.DOTALL)

STYLE = """
:root { color-scheme: light; --ink: #1d2126; --faint: #667080; --line: #d5d9df; --paper: #fff; --best: #0b5f2c; }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 3rem 1.5rem 5rem; max-width: 74rem; background: var(--paper); color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "Liberation Sans", Arial,
  sans-serif; }
h1 { font-size: 2rem; line-height: 1.2; margin: 0 0 .3rem; letter-spacing: -.01em; }
h2 { font-size: 1.3rem; line-height: 1.3; margin: 3.2rem 0 .8rem; padding-top: .9rem;
  border-top: 2px solid var(--ink); }
h3 { font-size: 1.03rem; margin: 2rem 0 .5rem; }
p, ul, ol, dl { max-width: 46rem; margin: .6rem 0; }
li { margin: .25rem 0; }
.subtitle { font-size: 1.1rem; color: var(--faint); margin: 0; }
.warning { border-left: 3px solid #b3261e; padding: .1rem 0 .1rem .9rem; }
nav { margin: 1.4rem 0 0; font-size: .92rem; }
nav a { margin-right: 1.1rem; white-space: nowrap; }
a { color: #0b57a4; text-decoration-thickness: 1px; text-underline-offset: .15em; }
figure { margin: 1.4rem 0 2rem; }
figure img { max-width: 100%; height: auto; display: block; }
figcaption { max-width: 46rem; margin-top: .5rem; font-size: .88rem; color: var(--faint); }
.wide { overflow-x: auto; margin: 1rem 0 1.6rem; }
table { border-collapse: collapse; font-size: .92rem; font-variant-numeric: tabular-nums lining-nums;
  border-top: 1.5px solid var(--ink); border-bottom: 1.5px solid var(--ink); }
caption { caption-side: top; text-align: left; padding: 0 0 .5rem; font-weight: 600; }
caption small { display: block; font-weight: 400; color: var(--faint); max-width: 46rem; }
th, td { padding: .34rem 1.5rem .34rem 0; text-align: left; vertical-align: baseline; }
th:last-child, td:last-child { padding-right: .2rem; }
thead th { border-bottom: 1px solid var(--ink); font-weight: 600; vertical-align: bottom; }
tbody th { font-weight: 400; white-space: nowrap; }
table.sortable td.text { white-space: nowrap; }
tbody tr + tr > * { border-top: 1px solid #eceef1; }
.number { text-align: right; white-space: nowrap; }
.best { font-weight: 700; color: var(--best); }
.sd { color: var(--faint); font-weight: 400; font-size: .86em; }
.direction { color: var(--faint); font-weight: 400; }
th button { all: unset; cursor: pointer; }
th button:hover { text-decoration: underline; }
th button:focus-visible { outline: 2px solid #0b57a4; outline-offset: 2px; }
th[aria-sort=ascending] button::after { content: " \\2191"; }
th[aria-sort=descending] button::after { content: " \\2193"; }
pre { background: #f5f6f8; border: 1px solid #e6e8ec; border-radius: 4px; padding: .8rem 1rem; overflow-x: auto;
  font: .84rem/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace; }
pre.command { white-space: pre-wrap; }
pre.command span { display: inline-block; max-width: 100%; overflow-wrap: anywhere; }
dt { font-weight: 600; margin-top: .6rem; }
dd { margin: 0; color: #3d444d; }
details { margin: 1rem 0; }
summary { cursor: pointer; font-weight: 600; }
footer { margin-top: 4rem; padding-top: .8rem; border-top: 1px solid var(--line); font-size: .85rem;
  color: var(--faint); }
@media print {
  body { padding: 0; max-width: none; font-size: 10pt; }
  nav, th button::after { display: none; }
  figure, table, pre { break-inside: avoid; }
  h2, h3, caption { break-after: avoid; }
}
"""

# Headers become buttons only where scripts run; the page loses nothing without them.
SCRIPT = """
for (const table of document.querySelectorAll("table.sortable")) {
  const body = table.tBodies[0], heads = [...table.tHead.rows[0].cells];
  const value = (row, column) => {
    const cell = row.cells[column];
    const number = parseFloat((cell.dataset.value || "").replace("inf", "Infinity"));
    return Number.isNaN(number) ? cell.textContent : number;
  };
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const turn = head.getAttribute("aria-sort") === "ascending" ? -1 : 1;
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", turn === 1 ? "ascending" : "descending");
      const compare = (a, b) => (typeof a === typeof b && typeof a === "number" ? a - b : `${a}`.localeCompare(`${b}`));
      [...body.rows].sort((a, b) => turn * compare(value(a, column), value(b, column)))
        .forEach((row) => body.append(row));
    });
  });
}
"""


@dataclass(frozen=True)
class TableText:
    """A table of plain text; ``**`` around the beginning of a cell makes it the best one, `` ± `` begins its spread."""

    caption: str
    headings: Sequence[str]
    """an arrow at the end says what is better"""
    rows: Sequence[Sequence[str]]
    """the first cell names the row"""
    note: str = ""

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.headings):
                raise ValueError(
                    f"A row of {self.caption!r} has {len(row)} cells, its head {len(self.headings)}: {row}"
                )

    def html(self) -> str:
        numeric = [_is_numeric([row[column] for row in self.rows]) for column in range(1, len(self.headings))]
        head = "".join(_head(text, number) for text, number in zip(self.headings, [False, *numeric], strict=True))
        body = "\n".join(
            f'<tr><th scope="row">{escape(row[0])}</th>'
            + "".join(_cell(text, number) for text, number in zip(row[1:], numeric, strict=True))
            + "</tr>"
            for row in self.rows
        )
        small = f"<small>{escape(self.note)}</small>" if self.note else ""
        return (
            f'<div class="wide"><table class="sortable">\n<caption>{escape(self.caption)}{small}</caption>\n'
            f"<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table></div>"
        )


def page(title: str, sections: Sequence[tuple[str, str]], head: str = "", foot: str = "") -> str:
    """Return a whole page.

    Args:
        title: plain text.
        sections: heading (plain text) and content (HTML) of each.
        head: HTML below the title.
        foot: HTML at the end.
    """
    links = "".join(f'<a href="#s{number}">{escape(name)}</a> ' for number, (name, _) in enumerate(sections))
    body = "\n".join(
        f'<section id="s{number}">\n<h2>{escape(name)}</h2>\n{content}\n</section>'
        for number, (name, content) in enumerate(sections)
    )
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
        f"<header>\n<h1>{escape(title)}</h1>\n{head}\n<nav>{links}</nav>\n</header>\n"
        f"<main>\n{body}\n</main>\n<footer>{foot}</footer>\n<script>{SCRIPT}</script>\n</body>\n</html>\n"
    )


def picture(content: bytes, suffix: str, alternative: str, caption: str = "") -> str:
    """Return a figure whose picture stands in the page itself.

    Args:
        content: of the picture's file.
        suffix: of its name, such as ".png".
        alternative: what it shows, for those who cannot see it.
        caption: below it.

    Raises:
        ValueError: a kind of picture that pages do not show.
    """
    if suffix.lower() not in MEDIA_TYPES:
        raise ValueError(f"Pictures of a page end in one of {', '.join(MEDIA_TYPES)}, got {suffix!r}")
    source = f"data:{MEDIA_TYPES[suffix.lower()]};base64,{base64.b64encode(content).decode('ascii')}"
    below = f"<figcaption>{escape(caption)}</figcaption>" if caption else ""
    return f'<figure><img src="{source}" alt="{escape(alternative)}">{below}</figure>'


def paragraphs(*lines: str) -> str:
    return "\n".join(f"<p>{escape(line)}</p>" for line in lines)


def bullets(lines: Sequence[str]) -> str:
    return "<ul>\n" + "\n".join(f"<li>{escape(line)}</li>" for line in lines) + "\n</ul>"


def definitions(items: Sequence[tuple[str, str]]) -> str:
    """Return a list of terms, each with what it means."""
    return "<dl>\n" + "\n".join(f"<dt>{escape(term)}</dt><dd>{escape(text)}</dd>" for term, text in items) + "\n</dl>"


def preformatted(text: str) -> str:
    return f"<pre>{escape(text)}</pre>"


def command(text: str) -> str:
    """Return a command line that is broken between its options only."""
    parts = "".join(f"<span>{part} </span>" for part in re.split(r" (?=--)", escape(text)))
    return f'<pre class="command">{parts}</pre>'


def _head(text: str, number: bool) -> str:
    label, arrow = ARROWED.fullmatch(text).groups()  # type: ignore[union-attr]
    direction = f' <span class="direction">{arrow.strip()}</span>' if arrow else ""
    return f'<th scope="col" class="{_kind(number)}">{escape(label)}{direction}</th>'


def _cell(text: str, number: bool) -> str:
    shown, spread = SPREAD.fullmatch(text).groups()  # type: ignore[union-attr]
    best = shown.startswith("**")
    inside = escape(shown.replace("**", ""))
    inside = f'<strong class="best">{inside}</strong>' if best else inside
    inside += f'<span class="sd">{escape(spread)}</span>' if spread else ""
    found = NUMBER.match(text)
    sorting = f' data-value="{found[1]}"' if number and found else ""
    return f'<td class="{_kind(number)}"{sorting}>{inside}</td>'


def _is_numeric(column: Sequence[str]) -> bool:
    return any(column) and all(not text or NUMBER.match(text) for text in column)


def _kind(number: bool) -> str:
    return "number" if number else "text"
