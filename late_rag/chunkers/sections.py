"""Sections of a text: what stands below its Markdown headings."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from late_rag.chunkers.breaks import skip_space
from late_rag.headings import Heading, headings

LONGEST_TITLE = 1000
"""Characters of a heading that are kept of it: every chunk below has them in its metadata."""


@dataclass(frozen=True, slots=True)
class Section:
    """Characters ``start`` to ``end`` of a document and what is known of them.

    ``headings`` is the path of the section, its own heading last; ``above`` are those of them that stand before
    ``start`` and so are not in its text. ``page`` counts from 1. At ``body`` the headings end that the section begins
    with; they are not parted from what follows.
    """

    start: int
    end: int
    headings: tuple[str, ...] = ()
    above: tuple[str, ...] = ()
    page: int | None = None
    body: int = 0


def readable_sections(text: str) -> Iterator[Section]:
    """The text cut before its headings, but never into a section of headings alone: it joins the next."""
    bare: Section | None = None
    for section in sections(text):
        if bare:
            above = tuple(title for title, other in zip(bare.above, section.above, strict=False) if title == other)
            section = replace(section, start=bare.start, above=above)
        is_bare = section.headings and skip_space(text, section.body, section.end) == section.end
        bare = section if is_bare and section.end < len(text) else None
        if not bare:
            yield section


def sections(text: str) -> Iterator[Section]:
    """The text cut before its headings, from beginning to end; a heading without text of its own joins a deeper one."""
    path: list[Heading] = []
    start = body = 0
    for heading in headings(text):
        bare = path and skip_space(text, body, heading.start) == heading.start
        if not (bare and heading.level > path[-1].level):
            if heading.start > start:
                yield _section(start, heading.start, path, body)
            start = heading.start
        path = [above for above in path if above.level < heading.level] + [heading]
        body = heading.end
    yield _section(start, len(text), path, body)


def _section(start: int, end: int, path: list[Heading], body: int) -> Section:
    named = [heading for heading in path if heading.title]
    titles = tuple(heading.title[:LONGEST_TITLE] for heading in named)
    return Section(start, end, titles, titles[: sum(heading.start < start for heading in named)], body=body)
