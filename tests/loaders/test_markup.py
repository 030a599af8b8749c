"""HTML, which becomes Markdown text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from late_rag.loaders.html import html_to_markdown

PAGE = """<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE html><html><head><title>The
 &amp; page</title><style>p {}</style></head>
<body><nav>Home</nav><script>alert("x")</script>
<h1>Main <b>part</b></h1><p>A <a href="x.html">link</a>, snake_case, 2 * 3 &lt; 7.<br>Next line.</p>
<div hidden>unseen</div><!-- comment --><svg><text>drawing</text></svg>
<ul><li>one</li><li>two</li></ul><img src="x.png" alt="A picture"><pre>a
  b</pre></body></html>"""


def test_html_becomes_markdown(tmp_path, one_document):
    (tmp_path / "a.html").write_text(PAGE)
    document = one_document(tmp_path / "a.html")
    assert document.text == (
        "# Main **part**\n\nA link, snake_case, 2 * 3 < 7.\nNext line.\n\n"
        "- one\n- two\n\nA picture\n\n```\na\n  b\n```\n"
    )
    assert document.metadata == {"mime_type": "text/html", "title": "The & page"}


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>a<p>b<div>c</p>d</div>", "a\n\nb\n\nc\n\nd\n"),
        ("<ul><li>a<ul><li>b<li>c</ul><li>d</ul>", "- a\n  - b\n  - c\n- d\n"),
        ("<table><tr><th>x<th>y<tr><td>1<td>2</table>", "| x | y |\n| --- | --- |\n| 1 | 2 |\n"),
        ("<table><tr><td>1<td>2<tr><td>3<td><p>4</table>", "| 1 | 2 |\n| --- | --- |\n| 3 | 4 |\n"),
        ("<dl><dt>a<dd>b<dt>c<dd>d</dl>", "a\n:   b\n\nc\n:   d\n"),
        ("<h1></h1><h2>x</h2>", "## x\n"),
        ("<![if !lists]>· one<![endif]><?php x ?><![CDATA[y]]>z<![\n", "· onez\n"),
        ("no markup & co", "no markup & co"),
        ("http://example.com/page.html", "http://example.com/page.html"),
        ("", ""),
    ],
)
def test_html_as_people_write_it(html, text):
    assert html_to_markdown(html)[0] == text


MARKS = [
    *("<", ">", "</", "<!", "<![", "<!--", "-->", "<?", "?>", "&", "&#", "&#x110000;", '"', "'", "word", " ", "\n"),
    *("<p", "</p>", "<td>", "<table>", "<li>", "<ul>", "<pre>", "<script>", "<h1>"),
    *("<a href=", "<ol start=x>", "<td colspan=x>"),
]


@given(st.lists(st.sampled_from(MARKS), max_size=30))
def test_no_html_is_refused(parts):
    html_to_markdown("".join(parts))


def test_html_with_thousands_of_elements_inside_each_other():
    assert html_to_markdown("<div>" * 5000 + "deep words")[0] == "deep words\n"


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ('<meta charset="iso-8859-1"><p>“caf\xe9”'.encode("cp1252"), "“café”\n"),
        ('<meta http-equiv="Content-Type" content="text/html; charset=koi8-r"><p>ёлка'.encode("koi8-r"), "ёлка\n"),
        ('<meta charset="iso-2022-jp"><p>猫'.encode("iso2022_jp"), "猫\n"),
        ('<meta charset="latin1"><p>café'.encode(), "café\n"),
        ('<meta charset="no-such-thing"><p>café'.encode("cp1252"), "café\n"),
        ('\ufeff<meta charset="latin1"><p>café'.encode(), "café\n"),
        ("<p>café".encode("utf-16"), "café\n"),
        (b"<p>a\0b", "a b\n"),
    ],
)
def test_html_encodings(tmp_path, one_document, content, text):
    (tmp_path / "a.html").write_bytes(content)
    assert one_document(tmp_path / "a.html").text == text


def test_binary_named_html(tmp_path, problem_of):
    (tmp_path / "a.html").write_bytes(bytes(range(256)) * 10)
    assert "looks binary" in problem_of(tmp_path / "a.html")
