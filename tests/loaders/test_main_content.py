"""The main content of pages: what is kept and in which form, what is left out, and pages that nobody writes."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from late_rag.errors import MissingExtraError
from late_rag.loaders import load
from late_rag.loaders.html import html_to_markdown
from late_rag.loaders.html.main_content import DEEPEST, LONGEST, MOST_ELEMENTS, main_content

CASES = Path(__file__).parents[1] / "cases" / "html"
SENTENCE = "The pump takes {} litres of water a minute, and it stands in the cellar of the house next to the river. "
PROSE = "".join(f"<p>{SENTENCE.format(litres) * 2}</p>" for litres in range(5))


def page(content: str) -> str:
    return (
        "<!doctype html><title>Pumps</title><header><nav><a href=/>Home</a> <a href=/blog>Our blog</a></nav></header>"
        '<div class="cookie-banner">We value your privacy. <button>Accept all</button></div>'
        f"<main><article><h1>The pump</h1>{content}</article></main>"
        "<aside><h2>Related</h2><a href=/ten>Ten pumps to see</a></aside><footer>Imprint and contact</footer>"
    )


def markdown(content: str) -> str:
    html = main_content(page(content))
    assert html is not None
    return html_to_markdown(html)[0]


def test_what_is_around_is_left_out():
    text = markdown(PROSE)
    assert text.startswith("# The pump\n\nThe pump takes 0 litres of water a minute")
    assert "takes 4 litres" in text
    for word in ("Home", "blog", "privacy", "Accept", "Related", "Ten pumps", "Imprint"):
        assert word not in text


FORMS = {
    "headings": ("<h2>Tools</h2><p>A wrench.</p><h3>Old</h3><p>A hammer.</p>", "## Tools\n\nA wrench.\n\n### Old"),
    "list": ("<ul><li>a wrench<ul><li>a small one</ul><li>a hose</ul>", "- a wrench\n  - a small one\n- a hose"),
    "numbers": ("<ol><li>open it</li><li>close it</li></ol>", "1. open it\n2. close it"),
    "code in a line": ("<p>Call <code>pump.open()</code> twice.</p>", "Call `pump.open()` twice."),
    "code": ("<pre><code>def f(x):\n    return x\n\nf(1)\n</code></pre>", "```\ndef f(x):\n    return x\n\nf(1)\n```"),
    "lines": ("<pre>one<br>two <b>bold</b>\n  three</pre>", "```\none\ntwo bold\n  three\n```"),
    "poem": ("<pre>Roses are red\nViolets are blue</pre>", "```\nRoses are red\nViolets are blue\n```"),
    "a line of code": ("<pre>make install</pre>", "```\nmake install\n```"),
    "powers": ("<p>10<sup>6</sup> litres of H<sub>2</sub>O</p>", "10^6 litres of H2O"),
    "quotation": ("<blockquote>Nothing is as easy.</blockquote>", "> Nothing is as easy."),
    "table": (
        "<table><caption>Limits</caption><tr><th>Size<th>Bar<tr><td>small<td>1<tr><td>large<td>2</table>",
        "Limits\n\n| Size | Bar |\n| --- | --- |\n| small | 1 |\n| large | 2 |",
    ),
    "spans": (
        "<table><tr><th>Size<th colspan=2>Bar<tr><td rowspan=2>small<td>1<td>2<tr><td>3<td>4</table>",
        "| small | 1 | 2 |\n| | 3 | 4 |",
    ),
}


@pytest.mark.parametrize(("html", "wanted"), FORMS.values(), ids=FORMS)
def test_form_is_kept(html, wanted):
    assert wanted in markdown(PROSE + html + PROSE.replace("pump", "valve"))


def test_what_a_browser_does_not_show():
    hidden = (
        '<script>var page = "<!-- <p>";</script><style>p > a { color: red }</style>'
        "<template><p>Template words, of some length.</p></template>"
        '<script type="application/ld+json">{"articleBody": "Words of the script, many of them."}</script>'
    )
    text = markdown(hidden + PROSE)
    assert "Template" not in text
    assert "script" not in text
    assert "color" not in text
    assert "takes 4 litres" in text


@pytest.mark.parametrize(
    "html", ["", " \n ", "<!doctype html><title>Only a title</title>", "<p><title>x", "<script>x</script>", "\0"]
)
def test_nothing_to_be_found(html):
    assert main_content(html) is None


@pytest.mark.parametrize("html", ["<nav><a href=/>Home</a></nav>", "<button>Go</button>", "<footer>Imprint</footer>"])
def test_nothing_but_what_is_around(html):
    assert main_content(html) is None


def test_controls_and_declarations():
    text = main_content(
        '<?xml version="1.0" encoding="latin-1"?>' + page(PROSE + "<p>form\x0cfeed \x01\ufffe é 漢字</p>")
    )
    assert text is not None
    assert "form feed" in text
    assert "é 漢字" in text


def test_by_load(tmp_path, one_document):
    (tmp_path / "pump.html").write_text(page(PROSE), encoding="utf-8")
    main, whole = (one_document(tmp_path / "pump.html", content=content) for content in ("main", "all"))
    assert main.metadata == whole.metadata == {"mime_type": "text/html", "title": "Pumps"}
    assert "privacy" in whole.text
    assert "privacy" not in main.text
    assert "takes 4 litres" in main.text


@pytest.mark.parametrize("name", sorted(path.name for path in CASES.glob("*.html")))
def test_cases(name):
    """What has text has main content or is taken whole."""
    (whole,), (main,) = (list(load(CASES / name, content=content)) for content in ("all", "main"))
    words = {word for document in whole.documents for word in document.text.split()}
    kept = {word for document in main.documents for word in document.text.split()}
    assert bool(kept) == bool(words)


@pytest.mark.parametrize(
    ("html", "reason"),
    [
        pytest.param(page("<p>x</p>" * MOST_ELEMENTS), f"more than {MOST_ELEMENTS:,} elements", id="elements"),
        pytest.param(page("<div>" * DEEPEST + PROSE), f"more than {DEEPEST} deep", id="depth"),
        pytest.param(page("<div>" * 1000 + PROSE), f"more than {DEEPEST} deep", id="depth that lxml cuts off"),
        pytest.param(page("<div>" * 50_000 + PROSE), "inside each other", id="depth that Lexbor cannot"),
        pytest.param(page("x" * LONGEST), f"more than {LONGEST:,} characters", id="length"),
    ],
)
def test_limits(html, reason, caplog):
    caplog.set_level("INFO")
    assert main_content(html) is None
    assert reason in caplog.text


def test_up_to_the_limits():
    deep = main_content(page("<div>" * 80 + PROSE))
    long = main_content(page("".join(f"<p>{SENTENCE.format(litres)}</p>" for litres in range(3000))))
    assert deep is not None
    assert "takes 4 litres" in deep
    assert long is not None
    assert "takes 2999 litres" in long


_HOSTILE = {
    "spaces": "<p>a" + " " * 4_000_000 + "b</p>",
    "preformatted spaces": "<pre>a" + " " * 500_000 + "b</pre>",
    "unclosed attributes": '<p a="' * 50_000,
    "unclosed tags": "<a " * 100_000,
    "style": f"<div style='display:{' ' * 500_000}'>x</div>",
    "names": f"<div class='{'comment-' * 100_000}'>x</div>",
    "structured data": "<script type='application/ld+json'>" + '"@type": [' * 100_000 + "</script>",
    "spans": "<table>" + "<tr><td rowspan=65534 colspan=1000>a</td></tr>" * 500 + "</table>",
    "spans without end": f"<table><tr><td colspan={'9' * 5000}>a<td rowspan=-1>b</table>",
    "word": "<p>" + "x" * 4_000_000 + "</p>",
    "digits": "<p>" + "1" * 500_000 + "</p>",
}


@pytest.mark.parametrize("name", _HOSTILE)
def test_hostile_markup(name):
    """In a process of its own, which might be brought down."""
    code = (
        "import sys; from late_rag.loaders.html.main_content import main_content; print(main_content(sys.stdin.read()))"
    )
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", code], input=page(PROSE + _HOSTILE[name]), capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr[-500:]
    assert "takes 3 litres" in done.stdout
    assert time.perf_counter() - start < 30


PARTS = (
    *("<p>", "</p>", "<table>", "<tr>", "<td>", "<caption>", "<pre>", "<code>", "<li>", "<ol>", "<dl>", "<dd>", "<br>"),
    *("<b>", "</b>", "<h2>", "</table>", "</pre>", "words, of it ", "<!--", "\x01", "&#0;", "&#xd800;", "<title>"),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(PARTS)))
def test_any_markup(parts):
    html = main_content("<html><body>" + "".join(parts))
    assert html is None or (html.startswith("<body>") and html_to_markdown(html)[0].strip())


def test_without_the_extractor(monkeypatch):
    monkeypatch.setitem(sys.modules, "trafilatura", None)
    with pytest.raises(MissingExtraError, match=r'pip install "late-rag\[web\]"'):
        main_content(page(PROSE))
