"""Writes the demonstration corpus, cookbooks/data/xquad-en, from XQuAD-en in BEIR layout. Needs ``reportlab``.

    python tools/make_demo_corpus.py [--data ../shared/data/xquad-en] [--output cookbooks/data/xquad-en]

48 articles become 48 files in ``articles/``, a folder for each topic, 12 each of Markdown, HTML, PDF and plain text;
``questions.jsonl`` has the questions with their answers and the file they are about. The same data gives the same
bytes with the same reportlab and zlib. Articles that need characters outside of PDF's standard fonts (Windows-1252)
take another format.
"""

from __future__ import annotations

import argparse
import html
import io
import json
import re
import shutil
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
LICENSE_URL = "https://creativecommons.org/licenses/by-sa/4.0/"

ARTICLES = {
    "culture": {
        "American Broadcasting Company": "pdf",
        "Doctor Who": "html",
        "Sky (United Kingdom)": "md",
        "Super Bowl 50": "txt",
        "Victoria and Albert Museum": "pdf",
    },
    "history": {
        "1973 oil crisis": "txt",
        "Black Death": "pdf",
        "French and Indian War": "md",
        "Genghis Khan": "pdf",
        "Huguenot": "html",
        "Imperialism": "txt",
        "Normans": "md",
        "Yuan dynasty": "html",
    },
    "places": {
        "Amazon rainforest": "md",
        "Fresno, California": "txt",
        "Jacksonville, Florida": "pdf",
        "Kenya": "md",
        "Newcastle upon Tyne": "pdf",
        "Rhine": "txt",
        "Southern California": "html",
        "Victoria (Australia)": "txt",
        "Warsaw": "html",
    },
    "science": {
        "Chloroplast": "md",
        "Computational complexity theory": "html",
        "Ctenophora": "md",
        "Force": "pdf",
        "Geology": "txt",
        "Immune system": "pdf",
        "Intergovernmental Panel on Climate Change": "html",
        "Oxygen": "html",
        "Prime number": "md",
    },
    "society": {
        "Civil disobedience": "md",
        "Economic inequality": "pdf",
        "European Union law": "pdf",
        "Harvard University": "txt",
        "Islamism": "html",
        "Martin Luther": "txt",
        "Private school": "md",
        "Scottish Parliament": "html",
        "Teacher": "txt",
        "United Methodist Church": "html",
        "University of Chicago": "pdf",
    },
    "technology": {
        "Apollo program": "md",
        "Construction": "txt",
        "Nikola Tesla": "txt",
        "Packet switching": "pdf",
        "Pharmacy": "html",
        "Steam engine": "md",
    },
}
"""Topic → title → format."""


@dataclass(frozen=True)
class Article:
    """An article: its place in the folder and its paragraphs, each on one line."""

    title: str
    topic: str
    kind: str
    paragraphs: tuple[str, ...]

    @property
    def path(self) -> str:
        """Relative to ``articles/``: "places/fresno-california.txt"."""
        name = re.sub(r"[^a-z0-9]+", "-", self.title.lower()).strip("-")
        return f"{self.topic}/{name}.{self.kind}"

    def content(self) -> bytes:
        """The bytes of the file."""
        return WRITERS[self.kind](self)


def to_markdown(article: Article) -> bytes:
    """A heading and a line for each paragraph."""
    return "\n\n".join((f"# {article.title}", *article.paragraphs, "")).rstrip("\n").encode() + b"\n"


def to_text(article: Article) -> bytes:
    """An underlined title, and paragraphs broken at 78 characters, as people write text files."""
    wrap = textwrap.TextWrapper(78, break_long_words=False, break_on_hyphens=False)
    heading = f"{article.title}\n{'=' * len(article.title)}"
    return ("\n\n".join((heading, *map(wrap.fill, article.paragraphs))) + "\n").encode()


def to_html(article: Article) -> bytes:
    """A page as a web site has it, with a style and navigation that are not part of the article."""
    title = html.escape(article.title)
    paragraphs = "\n".join(f"    <p>{html.escape(text, quote=False)}</p>" for text in article.paragraphs)
    topics = " · ".join(f'<a href="../{topic}/">{topic.capitalize()}</a>' for topic in ARTICLES)
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <title>{title}</title>
  <link rel="license" href="{LICENSE_URL}">
  <style>body {{ max-width: 40em; margin: auto; font-family: serif; }}</style>
</head>
<body>
  <nav>{topics}</nav>
  <article>
    <h1>{title}</h1>
{paragraphs}
  </article>
</body>
</html>
""".encode()


def to_pdf(article: Article) -> bytes:
    """A5 pages in the standard fonts, which every reader has, so that none is embedded."""
    from reportlab.lib.pagesizes import A5
    from reportlab.lib.styles import ParagraphStyle
    from reportlab.lib.units import mm
    from reportlab.platypus import Paragraph, SimpleDocTemplate

    heading = ParagraphStyle("heading", fontName="Times-Bold", fontSize=18, leading=22, spaceAfter=10)
    body = ParagraphStyle("body", fontName="Times-Roman", fontSize=11, leading=14, spaceAfter=8)
    buffer = io.BytesIO()
    margins = dict.fromkeys(("leftMargin", "rightMargin", "topMargin", "bottomMargin"), 16 * mm)
    pages = SimpleDocTemplate(
        buffer, pagesize=A5, title=article.title, author="Wikipedia contributors", invariant=1, **margins
    )
    texts = [Paragraph(html.escape(text, quote=False), body) for text in article.paragraphs]
    pages.build([Paragraph(html.escape(article.title), heading), *texts])
    return buffer.getvalue()


WRITERS: dict[str, Callable[[Article], bytes]] = {
    "md": to_markdown,
    "txt": to_text,
    "html": to_html,
    "pdf": to_pdf,
}


def read_articles(data: Path) -> list[Article]:
    """The articles in the order of the table; white space inside a paragraph becomes single spaces."""
    paragraphs: dict[str, list[str]] = {}
    for record in _records(data / "corpus.jsonl"):
        paragraphs.setdefault(record["title"], []).append(" ".join(record["text"].split()))
    listed = [(title, topic, kind) for topic, titles in ARTICLES.items() for title, kind in titles.items()]
    if {title for title, _, _ in listed} != set(paragraphs):
        raise SystemExit(f"{data}: its articles are not those of the table in this script")
    return [Article(title, topic, kind, tuple(paragraphs[title])) for title, topic, kind in listed]


def questions(data: Path, articles: list[Article]) -> Iterator[dict[str, object]]:
    """Each question with its answers, in the order of the data."""
    title_of = {record["_id"]: record["title"] for record in _records(data / "corpus.jsonl")}
    relevant = dict(line.split("\t")[:2] for line in (data / "qrels" / "test.tsv").read_text().splitlines()[1:])
    answers = {record["_id"]: record["answers"] for record in _records(data / "answers.jsonl")}
    path_of = {article.title: article.path for article in articles}
    for record in _records(data / "queries.jsonl"):
        identifier = record["_id"]
        title = title_of[relevant[identifier]]
        yield {
            "id": identifier,
            "question": record["text"],
            "article": title,
            "file": path_of[title],
            "answers": answers[identifier],
        }


def make(data: Path, output: Path) -> None:
    """Writes ``articles/`` anew, and ``questions.jsonl``; other files in the output folder stay."""
    articles = read_articles(data)
    shutil.rmtree(output / "articles", ignore_errors=True)
    for article in articles:
        file = output / "articles" / article.path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(article.content())
    lines = [json.dumps(question, ensure_ascii=False) + "\n" for question in questions(data, articles)]
    (output / "questions.jsonl").write_bytes("".join(lines).encode())
    print(f"{len(articles)} articles and {len(lines)} questions in {output}")


def _records(path: Path) -> Iterator[dict]:
    with path.open(encoding="utf-8") as file:
        yield from map(json.loads, file)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=REPOSITORY.parent / "shared" / "data" / "xquad-en")
    parser.add_argument("--output", type=Path, default=REPOSITORY / "cookbooks" / "data" / "xquad-en")
    arguments = parser.parse_args()
    make(arguments.data, arguments.output)
