"""The HTML of a page: what is escaped, what a table looks like, what the page forbids."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest

from labeler.report import page, svg
from labeler.report.page import Html, Section

HOSTILE = [
    pytest.param("<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;", id="a script"),
    pytest.param("\"><img src=x onerror='x'>", "&quot;&gt;&lt;img src=x onerror=&#x27;x&#x27;&gt;", id="quotes"),
    pytest.param("a\nb\tc", r"a\nb\tc", id="line break"),
    pytest.param("\u202egpj.exe", r"\u202egpj.exe", id="right-to-left override"),
    pytest.param("\udcff.jpg", r"\xff.jpg", id="no UTF-8"),
    pytest.param("שלום.jpg", "שלום.jpg", id="right-to-left letters"),
]


@pytest.mark.parametrize(("given", "shown"), HOSTILE)
def test_a_name_is_shown_as_text_and_isolated(given: str, shown: str) -> None:
    assert page.name(given) == f"<bdi>{shown}</bdi>"


def test_an_attribute_cannot_be_left() -> None:
    assert page.tag("p", title='"><b>') == '<p title="&quot;&gt;&lt;b&gt;"></p>'


def test_what_is_html_already_is_not_escaped_again() -> None:
    assert page.tag("p", page.tag("b", "a & b"), " < ", Html("<br>")) == "<p><b>a &amp; b</b> &lt; <br></p>"


def test_a_long_name_keeps_its_beginning_and_its_end() -> None:
    shown = page.name("a" * 5000 + ".jpg")

    assert (len(shown) < 2 * page.LONGEST_NAME, shown.endswith("a.jpg</bdi>")) == (True, True)


def test_a_table_has_a_caption_scopes_and_aligned_numbers() -> None:
    made = page.table("Faces", ("label", "faces"), [("happy", 1234)])

    assert made == (
        '<table><caption>Faces</caption><thead><tr><th scope="col">label</th><th scope="col">faces</th></tr></thead>'
        '<tbody><tr><th scope="row">happy</th><td class="n">1,234</td></tr></tbody></table>'
    )


def test_a_page_is_well_formed_and_forbids_scripts_and_requests() -> None:
    plot = svg.histogram("h", "Scores", "of happy", [1, 0, 3])
    made = page.page("A & B", page.note("lead"), [Section(anchor="a", title="<A>", content=plot)])
    opened: list[str] = []

    class Balanced(HTMLParser):
        def handle_starttag(self, tag: str, attrs: object) -> None:  # noqa: ARG002
            opened.append(tag)

        def handle_endtag(self, tag: str) -> None:
            assert opened.pop() == tag

    Balanced().feed(made)

    assert opened == []
    assert "default-src 'none'; img-src data:; style-src 'sha256-" in made
    assert page.is_ours(made.encode())
    assert not page.is_ours(b"<!doctype html>\n<html>mine</html>")


def test_the_shades_of_a_heat_map_begin_above_nothing() -> None:
    assert [svg.shade(count, 10_000) for count in (0, 1, 2500, 10_000)] == [0, 1, 2, 10]
