"""Web pages as browsers read them: the tree, what of it is shown, its encoding, and what markup can cost."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from late_rag import load
from late_rag.loaders.html import html_to_markdown
from late_rag.types import Omission

CASES = Path(__file__).parents[1] / "cases"

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
        ("<ol start=3><li>a<li>b<ul><li>c</ul></ol>", "3. a\n4. b\n   - c\n"),
        ("<ul><li><p>a</p><p>b</p></ul><p>c", "- a\n  b\n\nc\n"),
        ("<blockquote><p>a<p>b</blockquote>", "> a\n> \n> b\n"),
        ("<table><tr><th>x<th>y<tr><td>1<td>2</table>", "| x | y |\n| --- | --- |\n| 1 | 2 |\n"),
        ("<table><tr><td>1<td>2<tr><td>3<td><p>4</table>", "| 1 | 2 |\n| --- | --- |\n| 3 | 4 |\n"),
        ("<dl><dt>a<dd>b<dt>c<dd>d</dl>", "a\n:   b\n\nc\n:   d\n"),
        ("<h1></h1><h2>x</h2>", "## x\n"),
        ("<![if !lists]>· one<![endif]><?php x ?><![CDATA[y]]>z<![\n", "· onez\n"),
        ("<p>one<br><br>two", "one\n\ntwo\n"),
        ("<b> bold </b>word <i></i><code>a`b</code>", "**bold** word a`b\n"),
        ("<a>Home</a><a>About</a> <b>x</b><i>y</i>", "Home About **x***y*\n"),
        ("1<sup>st</sup> of 10<sup>6</sup>, x<sup>n</sup> <sup>7</sup>Li", "1st of 10^6, x^n 7Li\n"),
        ("<ol><li>a<li value=9>b<li>c</ol>", "1. a\n9. b\n10. c\n"),
        ("a<img alt='pic one'>b<img src=x>", "a pic one b\n"),
        ("<form><input value=x><input type=submit value=Send></form>", "Send\n"),
        ("<ruby>漢<rt>kan</rt>字<rp>(</rp><rt>ji</rt><rp>)</rp></ruby>の", "漢(kan)字(ji)の\n"),
        ("<math><msup><mn>10</mn><mn>6</mn></msup></math> m", "10^6 m\n"),
        ("<math><mfrac><mn>1</mn><mrow><mi>a</mi><mo>+</mo><mi>b</mi></mrow></mfrac></math>", "1/(a+b)\n"),
        ("<math><semantics><mi>x</mi><annotation>\\tex</annotation></semantics></math>", "x\n"),
        (
            "<table><tbody><tr><td rowspan=0>a<td>b<tr><td>c<tbody><tr><td>d<td>e</table>",
            "| a | b |\n| --- | --- |\n| a | c |\n| d | e |\n",
        ),
        ("log<sub>2</sub>8, H<sub>2</sub>O, a<sub>1</sub>0", "log2 8, H2O, a1 0\n"),
        ("<h2>Opening<ul><li>a</ul>tail", "## Opening\n\n- a\n\ntail\n"),
        (
            "<table><tr><th>Method<th>Example<tr><td>open<td><pre>gate.open(\n 0)</pre><tr><td>shut<td>-</table>",
            "| Method | Example |\n| --- | --- |\n| open | `gate.open( 0)` |\n| shut | - |\n",
        ),
        (
            "<table><tr><th>A<th>B<tr><td>1<td>2<tr><td>3<td><table><tr><td>x<td>y</table><tr><td>5<td>6</table>",
            (
                "| A | B |\n| --- | --- |\n| 1 | 2 |\n\n3\n\n| x | y |\n| --- | --- |\n\n"
                "| A | B |\n| --- | --- |\n| 5 | 6 |\n"
            ),
        ),
        (
            "<table><tr><td><ul><li>menu</ul><td><h1>Guide</h1><p>First.<td>Right box</table>",
            "- menu\n\n# Guide\n\nFirst.\n\nRight box\n",
        ),
        ("no markup & co", "no markup & co"),
        ("http://example.com/page.html", "http://example.com/page.html"),
        ("", ""),
    ],
)
def test_html_as_people_write_it(html, text):
    assert html_to_markdown(html)[0] == text


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("cond_comment", "# Beekeeping\n\nFeed the bees with sugar water in autumn.\n"),
        ("cond_comment_body", "First paragraph.\n\nSecond paragraph about smokers.\n\nThird paragraph.\n"),
        ("js_lt_bang", "Words about bees.\n"),
        ("js_php", "Words about bees.\n"),
        ("cdata_script", "Words about bees.\n"),
        ("code_php", "Start with <?php and end with ?>.\n\n```\n<?php echo 1; ?>\n```\n\na b\n"),
        ("nohead", "# Opening hours\n\nThe harbour office opens at seven.\n\nIt closes at noon.\n"),
        ("nohead2", "# Ferry times\n\nThe ferry leaves at nine.\n"),
        ("sphinx", "# Ropes\n\nHemp rope is tarred before winter.\n"),
        ("article_in_template", "# Bread\n\nKnead the dough for ten minutes.\n"),
        ("svg_unclosed", "Before\n\nAfter the drawing.\n"),
        ("iframe_self", "Before\n\nAfter the frame.\n"),
        ("srcdoc", "outer\n"),
        ("object_fallback", "After.\n"),
        ("frameset", "This page needs frames; see main.html.\n"),
        ("doctype_subset", "Text after a subset.\n"),
        ("xhtml_self", "Self closing script above.\n"),
        ("title_unclosed", "# Words\n\nBody words.\n"),
        ("hidden_until_found", "# FAQ\n\nRefunds take ten days.\n\nMore\n\nShipping takes three days.\n"),
        ("noscript", "Price list: apples cost two coins.\n\nVisible.\n"),
        ("custom", "First card\n\nSecond card\n\nOne\n\nTwo\n\nA heron\n\nHeron at dawn\n"),
        ("nav_unclosed", "Home\n\n# Bread\n\nKnead the dough for ten minutes.\n"),
        ("nav_main", "Logo\n\n# Bread\n\nKnead the dough for ten minutes.\n\nCopyright\n"),
        ("glue", "Head\n\nNested\n\nTail\n\nPrice5kg\n\nKey\n:   Value\n\nSave Cancel Red Blue Name Age\n"),
        ("sub", "H2O and E=mc^2, 10^6, note^1. ~~old~~new `Ctrl`+`C`\n"),
        ("heading_like", "\\# Not a heading\n\n1. Not a list\n\n---\n\na\n\n===\n\n```\n# comment\n```\n\n#hash\n"),
        ("textarea", "\\# Not heading\nSome text\n\ntail\n"),
        ("pre_backticks", "## Code\n\n````\nuse ``` to fence\n# not a heading\n````\n\nafter\n"),
        ("ruby", "東京(とうきょう)へ行く。\n"),
        ("softhyphen", "Donau\xaddampf\xadschiff and zero\u200bwidth and no\u2060break, cooperate.\n"),
        ("pipe_cell", "| Cmd | Use |\n| --- | --- |\n| a \\| b | pipe them |\n"),
        ("br_cell", "| K | V |\n| --- | --- |\n| lines | one two three |\n"),
        ("h_in_table", "| Item | Qty |\n| --- | --- |\n| Nails | 30 |\n"),
        ("colspan", "| Name | | Age |\n| --- | --- | --- |\n| Ann | Bly | 31 |\n"),
        (
            "rowspan",
            (
                "| Region | Town | People |\n| --- | --- | --- |\n| North | Ashby | 120 |\n| North | Brill | 340 |\n"
                "| South | Cole | 75 |\n"
            ),
        ),
        ("layout_table", "# Guide\n\nFirst paragraph of the guide.\n\nSecond paragraph.\n\n- alpha\n- beta\n"),
        (
            "nested_table",
            (
                "Outer A\n\n| Inner 1 | Inner 2 |\n| --- | --- |\n| Inner 3 | Inner 4 |\n\n"
                "| Outer B | Tail |\n| --- | --- |\n"
            ),
        ),
    ],
)
def test_what_a_browser_shows(one_document, name, text):
    assert one_document(CASES / "html" / f"{name}.html").text == text


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("svgtitle", "Bread"),
        ("title_dup", "Bread"),
        ("title_unclosed", "Broken title"),
        ("sphinx", "Ropes — Handbook"),
        ("nohtml", "Short"),
        ("og", None),
    ],
)
def test_the_title_is_the_documents_else_the_first_heading(one_document, name, title):
    assert one_document(CASES / "html" / f"{name}.html").metadata.get("title") == title


@pytest.mark.parametrize("name", ["onlyimg", "style_unclosed"])
def test_a_page_without_text_is_told(problem_of, name):
    assert problem_of(CASES / "html" / f"{name}.html") == "has no text"


@pytest.mark.parametrize("suffix", [".html", ".xhtml"])
def test_xhtml_is_read_as_xml_where_html_would_misread_it(tmp_path, one_document, suffix):
    page = (
        '<?xml version="1.0" encoding="ISO-8859-2"?><!DOCTYPE html PUBLIC "x" "y">'
        '<html xmlns="http://www.w3.org/1999/xhtml"><head><title/><script src="a.js"/></head>'
        '<body><a id="p1"/><p>Wiele żab&nbsp;&amp; kotów.<br/>Koniec.</p></body></html>'
    )
    path = tmp_path / f"page{suffix}"
    path.write_bytes(page.encode("iso8859_2"))
    assert one_document(path).text == "Wiele żab\xa0& kotów.\nKoniec.\n"


def test_entities_of_an_xhtml_page_are_not_expanded(tmp_path, one_document):
    bomb = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10 if n else "x"}">' for n in range(12))
    path = tmp_path / "page.xhtml"
    path.write_text(
        f'<?xml version="1.0"?><!DOCTYPE html [{bomb}]><html xmlns="http://www.w3.org/1999/xhtml">'
        "<head><script/></head><body><p>words &e11;</p></body></html>"
    )
    began = time.process_time()
    assert "x" * 99 not in html_to_markdown(path.read_text())[0]
    assert time.process_time() - began < 5


@pytest.mark.parametrize("value", ["0", "-1", "abc", "1e9", "65534", "99999999999999999999", "٣", ""])
def test_odd_spans_move_no_cell(value):
    html = f"<table><tr><td rowspan='{value}'>a<td colspan='{value}'>b<tr><td>c<td>d</table>"
    rows = [row.strip("|").split("|") for row in html_to_markdown(html)[0].splitlines()]
    assert [cell.strip() for cell in rows[0][:2]] == ["a", "b"]
    moved = value in ("65534", "0")
    assert [cell.strip() for cell in rows[2]] == (["a", "c", "d"] if moved else ["c", "d"])


def test_spans_make_a_page_no_longer_than_it_is_by_much():
    html = "<table><tr>" + "<td colspan=1000 rowspan=65534>x" * 1000 + "<tr><td>y" * 10_000
    assert len(html_to_markdown(html)[0]) < 3 * len(html)


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
        ("<script>'<meta charset=koi8-r>'</script><meta charset=cp1251><p>ёлка".encode("cp1251"), "ёлка\n"),
        ("<meta name=x content=charset=koi8-r><meta charset=cp1251><p>ёлка".encode("cp1251"), "ёлка\n"),
        (
            b"<meta charset=windows-1252><p>" + b"word " * 999 + b"\x81 \x93caf\xe9\x94",
            "word " * 999 + "\ufffd “café”\n",
        ),
        ("<meta charset=iso-2022-kr><p>café".encode("cp1252"), "café\n"),
        (b"<p>a\0b", "a b\n"),
    ],
)
def test_html_encodings(tmp_path, one_document, content, text):
    (tmp_path / "a.html").write_bytes(content)
    assert one_document(tmp_path / "a.html").text == text


@pytest.mark.parametrize("path", sorted((CASES / "enc").glob("page_*.html")), ids=lambda path: path.stem)
def test_the_encoding_is_that_of_a_browser(one_document, path):
    assert one_document(path).text.strip() == path.with_suffix(".want").read_text(encoding="utf-8").strip()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("comment_charset", "Привет из старого файла."),
        ("script_charset", "Привет из старого файла."),
        ("late_charset", "Привет из старого файла."),
        ("sjis932", "①株式会社㈱の住所は髙島屋の隣です～。"),
        ("euckr949", "똠방각하와 펲시콜라는 한국어 단어입니다."),
        ("gb2312", "总理朱镕基和歌手陶喆在北京见面，讨论堃字的用法。"),
        ("charset_ibm500", "The old mill grinds rye."),
        ("charset_unicode_escape", "path C:\\new\\table"),
        ("charset_utf16_ascii", "The old mill grinds rye."),
        ("charset_utf16_utf8", "The old mill grinds rye — every día."),
        ("charset_utf7", "Rye +AGEA bread: a+b- c."),
    ],
)
def test_what_a_page_says_of_its_encoding(one_document, name, words):
    assert one_document(CASES / "html" / f"{name}.html").text == f"{words}\n"


def test_the_words_of_drawings_are_told(tmp_path):
    (tmp_path / "a.html").write_text("<p>Plan<svg><text>12 m</text></svg><svg><title>x</title></svg>")
    (file,) = load(tmp_path)
    assert [document.text for document in file.documents] == ["Plan\n"]
    assert file.omissions == [Omission("the words of 1 drawings (SVG)", lost=False)]


def test_binary_named_html(tmp_path, problem_of):
    (tmp_path / "a.html").write_bytes(bytes(range(256)) * 10)
    assert "looks binary" in problem_of(tmp_path / "a.html")


MARKS = [
    *("<", ">", "</", "<!", "<![", "<!--", "-->", "<?", "?>", "&", "&#", "&#x110000;", '"', "'", "word", " ", "\n"),
    *("<p", "</p>", "<td>", "<table>", "<li>", "<ul>", "<pre>", "<script>", "<h1>", "<dd>", "<b>", "</b>", "<sup>"),
    *("<a href=", "<ol start=x>", "<td colspan=x>", "<td rowspan=3>", "</table>", "<template shadowrootmode=open>"),
    *("<title>", "</body>", "<iframe>", "<noframes>", "<textarea>", "<nav>", "</nav>", "<svg>", "<math>", "<br>"),
]


@given(st.lists(st.sampled_from(MARKS), max_size=30))
def test_no_html_is_refused(parts):
    html_to_markdown("".join(parts))


TAGS = ["p", "div", "span", "b", "li", "h2", "section", "blockquote", "x-card", "td", "label", "a", "dd", "noscript"]


@st.composite
def pages(draw: st.DrawFn) -> tuple[str, list[str]]:
    """A page of open, closed and forgotten tags, and the words in it, in order."""
    parts, words = [], []
    for number in range(draw(st.integers(1, 12))):
        tag = draw(st.sampled_from(TAGS))
        parts.append(f"<{tag}>word{number}" + draw(st.sampled_from(["", f"</{tag}>", "</div>", "<br>", "</table>"])))
        words.append(f"word{number}")
    return "".join(parts), words


@given(pages())
def test_no_word_is_lost_or_doubled_or_moved(page):
    html, words = page
    text = html_to_markdown(html)[0]
    assert [text.index(word) for word in words] == sorted(text.index(word) for word in words)
    assert all(text.count(word) == 1 or word == "word1" for word in words)


def test_html_with_thousands_of_elements_inside_each_other():
    assert html_to_markdown("<div>" * 5000 + "deep words")[0] == "deep words\n"
    assert html_to_markdown("<ul><li>" * 5000 + "deep words")[0].endswith("- deep words\n")


@pytest.mark.parametrize(
    ("html", "reason"),
    [
        ("<div>" * 100_000, "elements are inside each other more than 20,000 deep"),
        ("</div>" * 50_000 + "<div>" * 50_000, "elements are inside each other more than 20,000 deep"),
        ("<select>" + "<option>x" * 50_000, "a page of forms with more than 20,000 options"),
        ("<p " + " ".join(f"a{n}" for n in range(20_000)) + ">x", "an element has more than 10,000 attributes"),
    ],
)
def test_markup_that_would_take_hours_is_told(tmp_path, problem_of, html, reason):
    (tmp_path / "a.html").write_text(html)
    assert problem_of(tmp_path / "a.html") == reason


@pytest.mark.parametrize(
    "html",
    [
        *(
            "<a " * 100_000,
            '<p a="' * 50_000,
            "<pre>" + " " * 500_000,
            "<table>" * 20_000,
            "<!--" * 100_000,
            "<" * 500_000,
        ),
        *(
            "<p>x<br>" + "=" * 500_000 + "y",
            "<p>" + "#" * 500_000,
            "<nav><a>x" * 2_500,
            "<br>" * 100_000,
            "<h1>x" * 50_000,
        ),
        "<img src='data:image/png;base64," + "A" * 1_000_000 + "'>",
    ],
    ids=lambda html: html[:12],
)
def test_markup_is_read_in_seconds(html):
    began = time.process_time()
    html_to_markdown(html)
    assert time.process_time() - began < 5
