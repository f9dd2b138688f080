"""The HTML of a report: one place that escapes, tables that read without CSS, and the page around the sections."""

from __future__ import annotations

import base64
import hashlib
import html
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from labeler.errors import printable
from labeler.report.style import CSS
from labeler.tables.cells import escape

LONGEST_NAME = 120
"""Upper limit on the characters of a name or label that are shown: a table may hold names of thousands."""

_EMPTY_ELEMENTS = frozenset({"image", "line", "link", "meta", "path", "polyline", "rect", "use"})

GENERATOR = "labeler report"
"""What a page says it was made by, so that a page of ours is recognised."""


class Html(str):
    """A text that is HTML already: `text` leaves it as it is."""

    __slots__ = ()


class Cell(NamedTuple):
    """A number in a table, with a class of its own."""

    value: object
    class_: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A part of the page: its anchor in the address, its heading, its content."""

    anchor: str
    title: str
    content: Html


def text(value: object) -> Html:
    """Return a value as HTML. All that is no `Html` is escaped here and nowhere else.

    Control characters, line breaks, direction marks and bytes that are not UTF-8 become visible escapes; numbers get
    separators.
    """
    if isinstance(value, Html):
        return value
    if isinstance(value, int):
        return Html(f"{value:,}")
    return Html(html.escape(printable(str(value))))


def name(value: str, longest: int = LONGEST_NAME) -> Html:
    """Return the name of a file, folder, class or reason, isolated from the direction of the text around it."""
    return tag("bdi", spelled(value, longest))


def spelled(value: str, longest: int = LONGEST_NAME) -> str:
    r"""Return a name with bytes that are not UTF-8 as ``\xNN``, as in a table; of a long one, its ends."""
    shown = escape(value)
    return shown if len(shown) <= longest else f"{shown[: longest // 2]} … {shown[-longest // 2 :]}"


def tag(element: str, *content: object, **attributes: object) -> Html:
    """Return an element; ``class_`` and ``aria_label`` become `class` and `aria-label`, None leaves one out."""
    given = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{text(str(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    if element in _EMPTY_ELEMENTS:
        return Html(f"<{element}{given}/>")
    return Html(f"<{element}{given}>{joined(*content)}</{element}>")


def joined(*content: object) -> Html:
    """Return contents one after the other."""
    return Html("".join(map(text, content)))


def share(part: float, whole: float) -> str:
    """Return a share as a percentage; a dash where there is no whole."""
    return f"{part / whole:.1%}" if whole else "–"


def table(
    caption: str, head: Sequence[object], rows: Iterable[Sequence[object]], *, wide: bool = False, class_: str = ""
) -> Html:
    """Return a table whose first column names its rows; numbers are aligned. A ``wide`` one scrolls by itself.

    A column without a name holds what its neighbours say already, such as bars.
    """
    columns = [tag("th", column, scope="col") if column else tag("td") for column in head]
    body = [tag("tr", *_cells(row)) for row in rows]
    made = tag(
        "table",
        tag("caption", caption),
        tag("thead", tag("tr", *columns)),
        tag("tbody", *body),
        class_=class_ or None,
    )
    return tag("div", made, class_="scroll", role="region", aria_label=caption, tabindex=0) if wide else made


def facts(pairs: Iterable[tuple[str, object]]) -> Html:
    """Return a list of names and values; pairs without a value are left out."""
    found = [tag("div", tag("dt", key), tag("dd", value)) for key, value in pairs if value not in {"", None}]
    return tag("dl", *found) if found else Html()


def figures(pairs: Iterable[tuple[object, object]]) -> Html:
    """Return a few numbers in large type, each with its name; those without a value are left out."""
    found = [tag("div", tag("dt", key), tag("dd", value)) for key, value in pairs if value not in {"", None}]
    return tag("dl", *found, class_="figures") if found else Html()


def details(summary: object, *content: object) -> Html:
    """Return content that is folded away until it is asked for; it is printed all the same."""
    return tag("details", tag("summary", summary), *content)


def note(*content: object, class_: str = "note") -> Html:
    """Return a paragraph that explains."""
    return tag("p", *content, class_=class_)


def page(title: str, lead: object, sections: Sequence[Section]) -> str:
    """Return a whole page: it loads nothing, runs nothing, and needs neither CSS nor scripts to be read."""
    links = [tag("li", tag("a", section.title, href=f"#{section.anchor}")) for section in sections]
    parts = [
        tag(
            "section",
            tag("h2", section.title, id=f"{section.anchor}-title"),
            section.content,
            id=section.anchor,
            aria_labelledby=f"{section.anchor}-title",
        )
        for section in sections
    ]
    body = tag(
        "body",
        tag("a", "Skip to the content", class_="skip", href="#content"),
        tag("header", tag("h1", title), lead),
        tag("nav", tag("ul", *links), aria_label="Sections"),
        tag("main", *parts, id="content"),
    )
    return f'<!doctype html>\n<html lang="en">\n{_head(title)}\n{body}\n</html>\n'


def is_ours(content: bytes) -> bool:
    """Say whether a file that begins with these bytes was made by `page`."""
    return content.startswith(b"<!doctype html>\n") and f'content="{GENERATOR}"'.encode() in content


def _head(title: str) -> Html:
    """Return the head. The policy forbids scripts, requests and every style but ours: what is shown is only text."""
    digest = base64.b64encode(hashlib.sha256(CSS.encode()).digest()).decode()
    policy = f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    return tag(
        "head",
        tag("meta", charset="utf-8"),
        Html(f'<meta name="generator" content="{GENERATOR}"/>'),
        Html(f'<meta http-equiv="Content-Security-Policy" content="{policy}"/>'),
        Html('<meta name="viewport" content="width=device-width, initial-scale=1"/>'),
        Html('<meta name="color-scheme" content="light dark"/>'),
        Html('<link rel="icon" href="data:,"/>'),
        tag("title", title),
        Html(f"<style>{CSS}</style>"),
    )


def _cells(row: Sequence[object]) -> Iterable[Html]:
    first, *others = row
    yield tag("th", first, scope="row")
    for value in others:
        if isinstance(value, Cell):
            yield tag("td", value.value, class_=value.class_)
            continue
        number = not isinstance(value, Html) and str(value)[:1] in set("0123456789–-.")
        yield tag("td", value, class_="n" if number else None)
