"""Jupyter notebooks, formats 2 to 4, as Markdown: text cells as they are, code in fences of its language."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

from late_rag.errors import LoadError
from late_rag.loaders.decoding import read_text, tidy
from late_rag.loaders.markdown import first_heading
from late_rag.loading import LoadOptions, unless_included
from late_rag.types import Document, Omission

_LANGUAGE = re.compile(r"[\w+#.-]{1,40}")
_FENCES = re.compile(r"`{3,}")
_TERMINAL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
"""What colours the text of a traceback."""


class NotebookLoader:
    """One document for the file; its title is the notebook's own, else the first heading."""

    records: ClassVar[bool] = False

    def __call__(self, path: Path, options: LoadOptions) -> Iterator[tuple[str, Document] | Omission]:
        notebook, omissions = _parse(path)
        yield from omissions
        with_outputs = "outputs" in options.include
        language, left_out = _language(notebook), False
        parts: list[str] = []
        title = _text(_mapping(notebook, "metadata").get("title"))
        for number, cell in enumerate(_cells(notebook, path), start=1):
            if not isinstance(cell, dict):
                yield Omission(f"cell {number} is no cell but {_kind(cell)}")
                continue
            source = _cell_text(cell, language)
            if source is None:
                yield Omission(f"cell {number} has {_kind(_source(cell))} where its text should be")
                continue
            if not title and cell.get("cell_type") in ("markdown", "heading"):
                title = first_heading(source)
            outputs = [text for text in map(_output_text, _outputs(cell)) if text]
            left_out = left_out or (bool(outputs) and not with_outputs)
            parts += [part for part in (source, *(outputs if with_outputs else ())) if part.strip()]
        if left_out:
            yield Omission(unless_included("outputs", "outputs"), lost=False)
        named = {"title": title} if title else {}
        yield "", Document(text="\n\n".join(parts), metadata={"mime_type": "application/x-ipynb+json", **named})


def _parse(path: Path) -> tuple[dict[str, Any], tuple[Omission, ...]]:
    text, omissions = read_text(path)
    try:
        notebook = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise LoadError(f"{path}: is no notebook: it is not JSON ({error})") from error
    if not isinstance(notebook, dict):
        raise LoadError(f"{path}: is no notebook: it is JSON of {_kind(notebook)}, not an object with cells")
    return notebook, omissions


def _cells(notebook: Mapping[str, Any], path: Path) -> list[Any]:
    """The cells; those of all worksheets in formats 2 and 3."""
    if isinstance(notebook.get("cells"), list):
        return list(notebook["cells"])
    sheets = notebook.get("worksheets")
    if not isinstance(sheets, list):
        raise LoadError(f"{path}: is no notebook: it has no list of cells")
    return [cell for sheet in sheets for cell in _items(sheet, "cells")]


def _language(notebook: Mapping[str, Any]) -> str:
    metadata = _mapping(notebook, "metadata")
    info, kernel = _mapping(metadata, "language_info"), _mapping(metadata, "kernelspec")
    return _language_name(info.get("name") or kernel.get("language"))


def _language_name(value: Any) -> str:
    """The name where it is one; what stands behind a fence must not end it."""
    return value if isinstance(value, str) and _LANGUAGE.fullmatch(value) else ""


def _cell_text(cell: Mapping[str, Any], language: str) -> str | None:
    """Markdown of a cell's source; None where it has no text that can be read."""
    text = _text(_source(cell))
    if text is None:
        return None
    match cell.get("cell_type"):
        case "code":
            return _fenced(text, _language_name(cell.get("language")) or language)
        case "heading":
            level = cell.get("level")
            hashes = "#" * (level if isinstance(level, int) and 1 <= level <= 6 else 1)
            return f"{hashes} {' '.join(text.split())}" if text.strip() else ""
        case "html":
            return _page(text)
        case _:
            return text.strip("\n")


def _source(cell: Mapping[str, Any]) -> Any:
    return cell.get("source", cell.get("input", ""))


def _fenced(text: str, language: str = "") -> str:
    """Code between fences that are longer than any in it."""
    if not text.strip():
        return ""
    fence = "`" * max([3, *(len(run) + 1 for run in _FENCES.findall(text))])
    return f"{fence}{language}\n{text.strip(chr(10))}\n{fence}"


def _outputs(cell: Mapping[str, Any]) -> list[Any]:
    return _items(cell, "outputs")


def _output_text(output: Any) -> str:
    """What an output shows as text: printed lines, Markdown, a value, a page, or the name of an error."""
    if not isinstance(output, dict):
        return ""
    if output.get("output_type") in ("error", "pyerr"):
        return _fenced(f"{_text(output.get('ename')) or ''}: {_text(output.get('evalue')) or ''}")
    data = output["data"] if isinstance(output.get("data"), dict) else output
    markdown, plain = _first_text(data, "text/markdown", "markdown"), _first_text(data, "text/plain", "text")
    if markdown:
        return markdown.strip("\n")
    page = _first_text(data, "text/html", "html")
    if page and (not plain or "<table" in page):
        return _page(page)
    return _fenced(_TERMINAL.sub("", plain))


def _page(html: str) -> str:
    from late_rag.loaders.html import html_to_markdown

    try:
        return html_to_markdown(html)[0].strip()
    except ValueError:  # markup that no page has
        return _fenced(html)


def _first_text(data: Mapping[str, Any], *names: str) -> str:
    return next((text for name in names if (text := _text(data.get(name)))), "")


def _text(value: Any) -> str | None:
    """A text, or a list of them joined, without NUL and lone surrogates; None for anything else."""
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        value = "".join(value)
    if not isinstance(value, str):
        return None
    return tidy(value).encode("utf-8", "replace").decode("utf-8")


def _mapping(value: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    inner = value.get(name)
    return inner if isinstance(inner, dict) else {}


def _items(value: Any, name: str) -> list[Any]:
    inner = value.get(name) if isinstance(value, dict) else None
    return inner if isinstance(inner, list) else []


def _kind(value: Any) -> str:
    names = {dict: "an object", list: "a list", str: "a text", bool: "a truth value", type(None): "null"}
    return names.get(type(value), "a number")
