"""How much of web pages ``content="main"`` keeps and leaves out: ``python -m benchmarks.web_content PAGES GOLD``.

PAGES is a folder of pages, GOLD a JSON object with an entry for each page, in one of two forms that are public:

- trafilatura's (https://github.com/adbar/trafilatura, ``tests/`` and ``tests/evaldata.json``): ``file``, and the
  segments that the main content is to be ``with`` and ``without``;
- the article extraction benchmark's (https://github.com/scrapinghub/article-extraction-benchmark, ``html/`` and
  ``ground-truth.json``): ``articleBody``, of the page that has the key for its name; told by runs of four words.
"""

from __future__ import annotations

import gzip
import json
import re
import statistics
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.figures import Figure, report, seconds
from late_rag.loaders.html import html_text, html_to_markdown
from late_rag.loaders.html.main_content import main_content

_RUN = 4


@dataclass(frozen=True)
class Page:
    """A page as text, and what is known of its main content."""

    html: str
    gold: Mapping[str, Any]


@dataclass(frozen=True)
class Quality:
    """Of what is kept the part that is right, and of what is right the part that is kept."""

    precision: float
    recall: float

    @property
    def f1(self) -> float:
        return 2 * self.precision * self.recall / (self.precision + self.recall)

    def __str__(self) -> str:
        return f"F1 {self.f1:.3f} (precision {self.precision:.3f}, recall {self.recall:.3f})"


def read(pages: Path, gold: Path) -> list[Page]:
    """The pages that GOLD knows and the folder has."""
    files = {path.name: path for path in sorted(pages.rglob("*.html*"))}
    found = []
    for key, entry in json.loads(gold.read_text(encoding="utf-8")).items():
        names = [entry["file"]] if "file" in entry else [f"{key}.html", f"{key}.html.gz"]
        found += [Page(_text(files[name]), entry) for name in names if name in files][:1]
    if not found:
        sys.exit(f"{pages} has none of the pages that {gold} names")
    return found


def _text(path: Path) -> str:
    data = path.read_bytes()
    return html_text(gzip.decompress(data) if path.suffix == ".gz" else data, path).text


def all_words(html: str) -> str:
    """The words of all of the page."""
    return _words(html_to_markdown(html)[0])


def main_words(html: str) -> str:
    """The words that a collection of main content has: all of them where no main content is found."""
    return all_words(main_content(html) or html)


def _words(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.casefold()))


def quality(texts: list[str], pages: list[Page]) -> Quality:
    """Against the segments, summed over all pages; against the texts, the mean over the pages."""
    if "with" in pages[0].gold:
        return _by_segments(texts, pages)
    parts = [_by_runs(text, _words(page.gold["articleBody"])) for text, page in zip(texts, pages, strict=True)]
    return Quality(*(statistics.mean(values) for values in zip(*parts, strict=True)))


def _by_segments(texts: list[str], pages: list[Page]) -> Quality:
    kept, wrong, right = 0, 0, 0
    for text, page in zip(texts, pages, strict=True):
        kept += sum(_words(segment) in text for segment in page.gold["with"])
        wrong += sum(_words(segment) in text for segment in page.gold["without"])
        right += len(page.gold["with"])
    return Quality(kept / max(1, kept + wrong), kept / right)


def _by_runs(text: str, right: str) -> tuple[float, float]:
    ours, theirs = _runs(text), _runs(right)
    shared = (ours & theirs).total()
    return shared / max(1, ours.total()), shared / max(1, theirs.total())


def _runs(text: str) -> Counter[tuple[str, ...]]:
    words = text.split()
    return Counter(tuple(words[start : start + _RUN]) for start in range(max(1, len(words) - _RUN + 1)))


def figures(pages: list[Page]) -> Iterator[Figure]:
    """What main content gains over all of the page, and what it costs."""
    whole = quality([all_words(page.html) for page in pages], pages)
    main = quality([main_words(page.html) for page in pages], pages)
    what = f"main content of {len(pages)} pages"
    yield Figure(what, str(main), f"all of the page {whole}", main.f1 / whole.f1, 1.25, at_most=False)
    ours, theirs = _milliseconds(main_words, pages), _milliseconds(all_words, pages)
    yield Figure("time a page, mean", f"{ours:.0f} ms", f"all of the page {theirs:.0f} ms", ours / theirs, 10)


def _milliseconds(work: Callable[[str], str], pages: list[Page]) -> float:
    return 1e3 * statistics.mean(seconds(partial(work, page.html)) for page in pages[:200])


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    report(figures(read(Path(sys.argv[1]), Path(sys.argv[2]))))
