"""XML of many vocabularies as lines of text; broken, hostile and in other encodings."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from late_rag.loaders import load
from late_rag.loaders.xml import XmlLoader, lines
from late_rag.loading import LoadOptions

BOOK = """
<?xml version="1.0" encoding="iso-8859-1"?>
<!DOCTYPE article PUBLIC "-//OASIS//DTD DocBook XML V4.5//EN" "http://example.org/docbookx.dtd" [
<!ENTITY product "Acme Café"> <!ENTITY chapter SYSTEM "chapter1.xml"> <!ENTITY cover SYSTEM "a.gif" NDATA gif>
]>
<article lang="en"><title>The <emphasis>big</emphasis> title</title><?page break?>
  <!-- no text -->
  <para>Water is H<subscript>2</subscript>O, by &product;&nbsp;&mdash; see
    <ulink url="http://x" note="not between words"><b>this</b></ulink>.</para>
  &chapter;
  <programlisting>def f():
    return 1</programlisting>
  <itemizedlist><listitem>Text <para>one</para></listitem><listitem><para>two</para></listitem></itemizedlist>
  <row><entry>a</entry><entry>b</entry></row>
  <value>5</value><value>6</value> loose <v>7</v><v>8</v>
</article>"""

FEED = """<rss version="2.0"><channel><title>News</title><item><title>Fish &amp;amp; chips</title>
<description>&lt;p&gt;Hello &lt;em&gt;you&lt;/em&gt;&lt;/p&gt;</description>
<content:encoded xmlns:content="x"><![CDATA[<p>para<br>line</p>]]></content:encoded>
<pubDate>Mon, 1 Jan 2024</pubDate></item></channel></rss>"""


def write(tmp_path, content, name="a.xml"):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def parts(path):
    (file,) = load(path)
    documents = list(file.documents)
    return documents, [omission.what for omission in file.omissions], file.error


def test_a_book_keeps_words_together_and_blocks_apart(tmp_path):
    (document,), omissions, error = parts(write(tmp_path, BOOK.encode("latin-1")))
    assert error is None
    assert document.text.split("\n") == [
        "The big title",
        "Water is H2O, by Acme Café — see this.",
        "def f():",
        "    return 1",
        "Text",
        "one",
        "two",
        "a",
        "b",
        "5 6 loose 7 8",
    ]
    assert document.metadata == {"mime_type": "application/xml", "title": "The big title"}
    assert omissions == ["the entity 'chapter' is another file, which is not read: chapter1.xml"]


def test_records_are_lines_and_attributes_that_read_like_text_are_told(tmp_path, one_document):
    xml = (
        '<rows><row id="r1" class="big red"><name>Ann</name><city>Brest</city></row><row><name>Bo</name><city/></row>'
        '<property name="width" value="80"/><string name="app">My App</string>'
        '<row note="Reads like text" at="x1"/></rows>'
    )
    text = one_document(write(tmp_path, xml)).text
    assert text.split("\n") == ["Ann", "Brest", "Bo", "width 80", "app My App", "Reads like text"]


def test_names_and_variants_between_words_stay_in_their_line(tmp_path, one_document):
    xml = (
        "<body><cite><name><last>Doe</last><first>J</first></name>, <year>2001</year></cite>"
        "<p>It is <choice><sic>teh</sic><corr><b>the</b></corr></choice> end.<lb/>Next<note><p>own</p></note></p>"
        "<rows><row><name>Ann</name><city>Brest</city></row></rows></body>"
    )
    text = one_document(write(tmp_path, xml)).text
    assert text.split("\n") == ["Doe J , 2001", "It is teh the end.", "Next", "own", "Ann", "Brest"]


def test_feeds_have_the_text_of_their_pages(tmp_path, one_document):
    document = one_document(write(tmp_path, FEED))
    lines = document.text.replace("*", "").replace("_", "").split("\n")
    assert [line.strip() for line in lines] == ["News", "Fish & chips", "Hello you", "para", "line", "Mon, 1 Jan 2024"]
    assert document.metadata["title"] == "News"


def test_pages_in_xml_are_pages(tmp_path, one_document):
    page = '<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml"><head><title>T</title></head><body><p>x</p></body></html>'
    document = one_document(write(tmp_path, page))
    assert document.text.strip() == "x"
    assert document.metadata["title"] == "T"
    assert document.metadata["mime_type"] in ("text/html", "application/xhtml+xml")


@pytest.mark.parametrize("encoding", ["shift_jis", "euc-jp", "utf-16", "gb18030", "utf-8-sig"])
def test_encodings(tmp_path, one_document, encoding):
    declared = f'<?xml version="1.0" encoding="{encoding.removesuffix("-sig")}"?><a><b>日本語の文章</b></a>'
    assert one_document(write(tmp_path, declared.encode(encoding))).text == "日本語の文章"


def test_a_declaration_can_be_wrong(tmp_path, one_document):
    assert one_document(write(tmp_path, '<?xml version="1.0" encoding="utf-16"?><a>größer</a>')).text == "größer"
    assert one_document(write(tmp_path, '<?xml version="1.0" encoding="nonsense"?><a>größer</a>')).text == "größer"


def test_broken_xml_is_read_as_far_as_it_goes(tmp_path):
    (document,), omissions, _ = parts(write(tmp_path, "\n<a><b>one</b>\n<b>two</c>\n<b>three</b></a>"))
    assert document.text == "one\ntwo"
    assert omissions == ["line 3: is not XML (mismatched tag); what follows is not read"]
    (document,), omissions, _ = parts(write(tmp_path, "<a><b>one"))
    assert document.text == "one"
    assert omissions == ["line 1: is not XML (no element found); what follows is not read"]


def test_entities_that_nobody_defines_stay(tmp_path, one_document):
    assert one_document(write(tmp_path, "<a><b>one&nbsp;&foo; x</b></a>")).text == "one &foo; x"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is empty"),
        ("just words", "is not XML: it has no element"),
        ("<a/>", "has no text"),
        ('<!DOCTYPE l [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]><l>&b;</l>', "the entity 'b' stands for others"),
        (f'<!DOCTYPE l [<!ENTITY a "{"x" * 1001}">]><l>&a;</l>', "the entity 'a' stands for others, or for more than"),
        ("<a>" * 10_001 + "x", "more than 10,000 elements stand inside each other"),
        (f'<!DOCTYPE l [<!ENTITY a "<a/>{" " * 900}">]><l>{"&a;" * 1200}</l>', "entities make the text more than"),
        (b"\x89PNG\r\n\x1a\n" + bytes(99), "looks binary"),
    ],
)
def test_what_cannot_be_read_is_told(tmp_path, problem_of, content, message):
    assert problem_of(write(tmp_path, content)).startswith(message)


def test_nothing_outside_the_file_is_read(tmp_path):
    secret = write(tmp_path, "secret", "secret.txt")
    xml = f'<!DOCTYPE l SYSTEM "{secret.as_uri()}" [<!ENTITY a SYSTEM "{secret.as_uri()}">]><l>x&a;y</l>'
    (document,), omissions, _ = parts(write(tmp_path, xml))
    assert document.text == "xy"
    assert omissions == [f"the entity 'a' is another file, which is not read: {secret.as_uri()}"]


@pytest.mark.parametrize(
    "content",
    [
        "<a>" * 9_999 + "x" + "</a>" * 9_999,
        "<" * 500_000,
        "<a " * 170_000,
        f"<a>{' ' * 500_000}</a>",
        f"<a>{'&x;' * 170_000}</a>",
        f'<a t="{"ab" * 250_000}',
        f'<a t="{"ab" * 250_000}"/>',
        f"<a><!--{'- ' * 250_000}",
        f"<a><![CDATA[{']' * 500_000}",
        f"<p>{'<b>x</b>' * 60_000}</p>",
        f"<rss><title>{'&lt;' * 125_000}</title></rss>",
    ],
    ids=lambda content: content[:12],
)
def test_hostile_text_takes_linear_time(tmp_path, content):
    path = write(tmp_path, content)
    started = time.perf_counter()
    parts(path)
    assert time.perf_counter() - started < 15


WORDS = st.text(alphabet="abc xyz", min_size=1, max_size=8).filter(lambda text: text.strip())
TREES = st.recursive(
    WORDS, lambda inner: st.tuples(st.sampled_from(["p", "b", "item", "x"]), st.lists(inner, max_size=4)), max_leaves=30
)


def written(tree):
    return tree if isinstance(tree, str) else f"<{tree[0]}>{''.join(map(written, tree[1]))}</{tree[0]}>"


def letters(tree):
    return tree if isinstance(tree, str) else "".join(map(letters, tree[1]))


@given(st.lists(TREES, min_size=1, max_size=4))
def test_every_letter_comes_once_and_in_order(tmp_path_factory, trees):
    path = tmp_path_factory.mktemp("xml") / "a.xml"
    path.write_text(written(("root", trees)))
    *omissions, (_, document) = XmlLoader()(path, LoadOptions())
    assert omissions == []
    assert "".join(document.text.split()) == "".join(letters(("root", trees)).split())


def test_elements_beyond_the_limit_are_told(tmp_path, monkeypatch):
    monkeypatch.setattr(lines, "MOST_ELEMENTS", 3)
    path = tmp_path / "a.xml"
    path.write_text("<r><a>one</a><a>two</a><a>three</a></r>")
    (file,) = load(path)
    assert [document.text for document in file.documents] == ["one\ntwo"]
    assert [gap.what for gap in file.omissions] == [
        "it has more than 3 elements, which is the limit; what follows is not read"
    ]
