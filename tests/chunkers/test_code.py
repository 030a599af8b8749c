"""Source code: cut between definitions, which are also the headings of its chunks."""

from __future__ import annotations

import pytest

from late_rag.chunkers import load_chunker
from late_rag.chunkers.outline import Outline
from late_rag.types import Document

PYTHON = '''\
"""A module. It opens gates."""

import os


class Gate:
    """A gate. It opens."""

    def open(self, tide):
        if tide > 3:
            return "closed. Wait."

        return self.turn(tide)

    @property
    def height(self):
        # the height of the gate. In metres.
        return 3


@cached
async def run(
    gates,
):
    for gate in gates:
        gate.open(1)
'''


def chunked(measures, text, mime_type="text/x-python", **options):
    return list(load_chunker(options, measures)(Document(id="d", text=text, metadata={"mime_type": mime_type})))


def paths(text, language):
    outline = Outline(text, f"text/x-{language}")
    return [" > ".join(name for _, name in outline.path(start)) for start in starts(text)]


def starts(text):
    lines, start = [], 0
    for line in text.split("\n"):
        if line.strip():
            lines.append(start)
        start += len(line) + 1
    return lines


def test_code_is_cut_between_definitions_and_named_by_them(measures_of):
    chunks = chunked(measures_of(60, "function"), PYTHON)
    assert [chunk.text.split("\n")[0] for chunk in chunks] == ['"""A module. It opens gates."""', "    @property"]
    assert [chunk.metadata.get("heading") for chunk in chunks] == [None, "class Gate"]
    assert [chunk.embed_text for chunk in chunks] == [None, f"class Gate\n{chunks[1].text}"]


def test_what_stands_in_front_is_the_definition_that_began_before(measures_of):
    body = "".join(f"        self.turn({number})  # Opens. Then waits.\n" for number in range(200))
    text = f"class Gate:\n    def open(self):\n{body}"
    first, *others = chunked(measures_of(254), text)
    assert first.metadata["heading"] == "class Gate"
    assert first.embed_text is None
    for chunk in others:
        assert chunk.metadata["heading"] == "class Gate > def open"
        assert chunk.embed_text == f"class Gate > def open\n{chunk.text}"
        assert chunk.text.startswith("        self.turn(")


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        ("python", PYTHON[PYTHON.index("class") : PYTHON.index("@cached")], ["class Gate"] * 2
            + ["class Gate > def open"] * 4 + ["class Gate"] + ["class Gate > def height"] * 3),
        ("python", "class of things\ndef is a word\n", ["", ""]),
        ("ruby", "module A\n  class B < C\n    def go!\n      x\n    end\n  end\nend\nx", [
            "module A", "module A > class B", "module A > class B > def go!", "module A > class B > def go!",
            "module A > class B", "module A", "", ""]),
        ("rust", "impl<T> Gate<T> {\n    pub fn open(&self) {\n        x();\n    }\n}\n\nfn main() {\n}", [
            "impl<T> Gate<T>", "impl<T> Gate<T> > fn open", "impl<T> Gate<T> > fn open", "impl<T> Gate<T> > fn open",
            "impl<T> Gate<T>", "fn main", "fn main"]),
        ("go", "func (g *Gate) Open() {\n\tx()\n}\n\ntype Gate struct {\n\tx int\n}", [
            *["func (g *Gate) Open"] * 3, *["type Gate"] * 3]),
        ("typescript", "export default class Gate<T> {\n  open() {\n  }\n}\nexport async function run() {\n  x\n}", [
            *["class Gate"] * 4, *["function run"] * 3]),
        ("java", "public final class Gate {\n  class x = 1;\n}\n", ["class Gate"] * 3),
        ("cobol", "class A:\n  x", ["", ""]),
    ],
)  # fmt: skip
def test_the_path_of_definitions(language, text, expected):
    assert paths(text, language) == expected


def test_a_decorator_or_comment_stays_with_what_it_is_for(measures_of):
    text = "".join(
        f"x{number} = 1\n# says what g{number} does\n@cache\ndef g{number}():\n    go()\n" for number in range(40)
    )
    chunks = chunked(measures_of(80), text)
    assert len(chunks) > 5
    assert all(chunk.text.startswith(("x", "#")) for chunk in chunks)


@pytest.mark.parametrize("mime_type", ["application/yaml", "application/toml", "text/x-ini", "application/xml"])
def test_configuration_is_cut_where_it_is_least_indented(measures_of, mime_type):
    text = "".join(f"service{number}:\n  image: a, b. C\n  ports:\n    - 80\n    - 81\n" for number in range(40))
    chunks = chunked(measures_of(64), text, mime_type)
    assert len(chunks) > 5
    assert all(chunk.text.startswith("service") for chunk in chunks)


def test_subtitles_are_cut_between_lines(measures_of):
    text = "\n".join(f"A line, said. And so {number}" for number in range(60))
    chunks = chunked(measures_of(64), text, "application/x-subrip")
    assert len(chunks) > 3
    assert all(chunk.text.startswith("A line") for chunk in chunks)


def test_records_of_json_are_prose(measures_of):
    text = "A sentence that\nwas wrapped. " * 60
    assert all(chunk.text.endswith(".") for chunk in chunked(measures_of(64), text, "application/json"))
