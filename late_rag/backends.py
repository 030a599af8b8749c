"""Which class stands behind a name or URL scheme: the only place that imports by name.

Adding a backend is one row here, one file, and, where it needs a library, one extra in ``pyproject.toml``.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from late_rag.errors import InputError, MissingExtraError


@dataclass(frozen=True, slots=True)
class Backend:
    """Where a class or function is, and the extra that brings what it imports.

    ``options`` names, in the same module, the frozen dataclass of the options it takes (:mod:`late_rag.specs`).
    """

    module: str
    name: str
    extra: str | None = None
    options: str | None = None


LARGEST_FILE = 2 << 30
"""Bytes of a file of any format that says nothing else: most have limits of their own, which say more."""


@dataclass(frozen=True, slots=True)
class OptionalLibrary:
    """A module that a format can be read without, the extra that brings it, and what it is for."""

    library: str
    extra: str
    purpose: str


@dataclass(frozen=True, slots=True)
class Format(Backend):
    """The loader of a file format, what the format is called, and the modules that read it.

    What is ``isolated`` is read in a process of its own, unless the caller trusts the files: its parsers are in C, or
    can be made to take all memory or hours by a small file. A file of more than ``largest`` bytes is not read, not
    even for its hash; records are read one by one, and have no such limit (None).
    """

    title: str = ""
    libraries: tuple[str, ...] = ()
    optional: tuple[OptionalLibrary, ...] = ()
    isolated: bool = False
    largest: int | None = LARGEST_FILE


ENCODERS: Mapping[str, Backend] = {
    "onnx": Backend("late_rag.encoders.onnx", "OnnxEncoder"),
    "compiled": Backend("late_rag.encoders.compiled", "CompiledEncoder"),
    "pylate": Backend("late_rag.encoders.pylate", "PyLateEncoder", "pylate"),
    "sentence-transformers": Backend(
        "late_rag.encoders.sentence_transformers", "SentenceTransformersEncoder", "sentence-transformers"
    ),
}

MODELS: Mapping[str, Backend] = {
    "minilm": Backend("late_rag_minilm", "FOLDER", "minilm"),
}
"""Names of models that come as a distribution: the attribute holds the folder."""

CHUNKERS: Mapping[str, Backend] = {
    "auto": Backend("late_rag.chunkers.auto", "AutoChunker"),
    "recursive": Backend("late_rag.chunkers.recursive", "RecursiveChunker"),
    "markdown": Backend("late_rag.chunkers.markdown", "MarkdownChunker"),
    "whole": Backend("late_rag.chunkers.whole", "WholeChunker"),
}

POOLINGS: Mapping[str, Backend] = {
    "hierarchical": Backend("late_rag.pooling.hierarchical", "HierarchicalPooling", options="HierarchicalPooling"),
    "sequential": Backend("late_rag.pooling.sequential", "SequentialPooling", options="SequentialPooling"),
}

INDEXES: Mapping[str, Backend] = {
    "exact": Backend("late_rag.indexes.exact", "ExactIndex"),
    "centroids": Backend("late_rag.indexes.centroids", "CentroidIndex", options="CentroidOptions"),
    "muvera": Backend("late_rag.indexes.muvera", "MuveraIndex", options="MuveraOptions"),
    "plaid": Backend("late_rag.indexes.plaid", "PlaidIndex", "plaid", options="PlaidOptions"),
    "smve": Backend("late_rag.indexes.smve", "SmveIndex", options="SmveOptions"),
}

COLLECTIONS: Mapping[str, Backend] = {
    "file": Backend("late_rag.collections.local", "LocalCollection"),
}
"""By URL scheme; a location without one is a folder of this machine."""

_LARGEST_TEXT = 256 << 20
_LARGEST_MARKUP = 64 << 20  # of which parsers make some ten times as much

_MAIN_CONTENT = OptionalLibrary("trafilatura", "web", "main content of web pages")
_DRAWING = OptionalLibrary("PIL", "images", "pictures and pages that are drawn")

_TEXT = Format("late_rag.loaders.text", "TextLoader", title="plain text", largest=_LARGEST_TEXT)
_MARKDOWN = Format(
    "late_rag.loaders.markdown", "MarkdownLoader", title="Markdown", libraries=("yaml",), largest=_LARGEST_TEXT
)
_HTML = Format(
    "late_rag.loaders.html",
    "HtmlLoader",
    title="web pages",
    libraries=("selectolax",),
    optional=(_MAIN_CONTENT,),
    largest=_LARGEST_MARKUP,
)
_PDF = Format(
    "late_rag.loaders.pdf",
    "PdfLoader",
    title="PDF",
    libraries=("pypdfium2", "spellchecker"),
    optional=(_DRAWING,),
    isolated=True,
)
_DOCX = Format(
    "late_rag.loaders.docx",
    "DocxLoader",
    "office",
    title="Word documents",
    libraries=("mammoth",),
    isolated=True,
)
_CSV = Format("late_rag.loaders.csv", "CsvLoader", title="tables of records", largest=None)
_JSON = Format("late_rag.loaders.json", "JsonLoader", title="JSON records", largest=None)
_JSON_LINES = Format("late_rag.loaders.json", "JsonLinesLoader", title="JSON lines", largest=None)
_PPTX = Format(
    "late_rag.loaders.pptx",
    "PptxLoader",
    title="PowerPoint files",
    libraries=("defusedxml",),
    isolated=True,
)
_SPREADSHEET = Format(
    "late_rag.loaders.spreadsheet",
    "SpreadsheetLoader",
    "office",
    title="spreadsheets",
    libraries=("python_calamine", "xlrd"),
    isolated=True,
)
_ODT = Format(
    "late_rag.loaders.odf",
    "OdtLoader",
    title="OpenDocument texts",
    libraries=("defusedxml",),
    isolated=True,
)
_ODP = Format(
    "late_rag.loaders.odf",
    "OdpLoader",
    title="OpenDocument presentations",
    libraries=("defusedxml",),
    isolated=True,
)
_RTF = Format(
    "late_rag.loaders.rtf", "RtfLoader", title="Rich Text Format", libraries=("striprtf",), largest=_LARGEST_TEXT
)
_EPUB = Format(
    "late_rag.loaders.epub",
    "EpubLoader",
    title="e-books",
    libraries=("defusedxml", "selectolax"),
    isolated=True,
)
_IMAGE = Format("late_rag.loaders.image", "ImageLoader", title="pictures", optional=(_DRAWING,))
_MAIL = Format("late_rag.loaders.mail", "MailLoader", title="e-mail")
_MAILBOX = Format("late_rag.loaders.mail", "MailboxLoader", title="mail folders", largest=None)
_WEB_ARCHIVE = Format(
    "late_rag.loaders.mail",
    "WebArchiveLoader",
    title="saved web pages",
    libraries=_HTML.libraries,
    optional=_HTML.optional,
)
_XML = Format("late_rag.loaders.xml", "XmlLoader", title="XML", libraries=("defusedxml",), largest=_LARGEST_MARKUP)
_NOTEBOOK = Format("late_rag.loaders.notebook", "NotebookLoader", title="Jupyter notebooks", largest=_LARGEST_MARKUP)
_SUBTITLES = Format(
    "late_rag.loaders.subtitles", "SubtitleLoader", title="subtitles and transcripts", largest=_LARGEST_MARKUP
)
_SUBSTATION = Format(
    "late_rag.loaders.subtitles", "SubStationLoader", title="SubStation subtitles", largest=_LARGEST_MARKUP
)
_CODE = Format("late_rag.loaders.code", "CodeLoader", title="source code, configuration", largest=_LARGEST_TEXT)

_CODE_EXTENSIONS = (
    "py pyi pyw js mjs cjs jsx ts mts cts tsx vue svelte css scss sass less java kt kts scala groovy gradle go rs c h "
    "cc cpp cxx hh hpp hxx cu cs fs fsx rb php swift m mm dart sh bash zsh fish ps1 psm1 bat sql r jl lua pl pm ex exs "
    "erl clj cljs hs ml f90 sol zig nim proto graphql gql tf hcl cmake diff patch yaml yml toml ini cfg conf properties"
)

LOADERS: Mapping[str, Format] = {
    **dict.fromkeys((".txt", ".text", ".log", ".rst", ".adoc", ".asciidoc", ".org", ".tex"), _TEXT),
    **dict.fromkeys((".md", ".markdown", ".mdown", ".mkd", ".mdx", ".qmd"), _MARKDOWN),
    **dict.fromkeys((".html", ".htm", ".xhtml"), _HTML),
    ".pdf": _PDF,
    ".docx": _DOCX,
    **dict.fromkeys((".pptx", ".pptm"), _PPTX),
    **dict.fromkeys((".xlsx", ".xlsm", ".xlsb", ".xls", ".ods"), _SPREADSHEET),
    ".odt": _ODT,
    ".odp": _ODP,
    ".rtf": _RTF,
    ".epub": _EPUB,
    **dict.fromkeys((".csv", ".tsv"), _CSV),
    ".json": _JSON,
    **dict.fromkeys((".jsonl", ".ndjson"), _JSON_LINES),
    **dict.fromkeys((".png", ".jpg", ".jpeg", ".gif", ".webp", ".bmp", ".tif", ".tiff"), _IMAGE),
    ".eml": _MAIL,
    ".mbox": _MAILBOX,
    **dict.fromkeys((".mht", ".mhtml"), _WEB_ARCHIVE),
    ".xml": _XML,
    ".ipynb": _NOTEBOOK,
    **dict.fromkeys((".srt", ".vtt", ".sbv"), _SUBTITLES),
    **dict.fromkeys((".ass", ".ssa"), _SUBSTATION),
    **dict.fromkeys((f".{extension}" for extension in _CODE_EXTENSIONS.split()), _CODE),
}
"""By the extension of a file, in lower case."""


def resolve(table: Mapping[str, Backend], name: str, what: str) -> Any:
    """The class or value that ``name`` stands for in a table of ``what`` (the singular, for the error).

    Raises:
        InputError: there is no such name; names those that there are.
        MissingExtraError: the backend's library is not installed.
    """
    row = _row(table, name, what)
    return _attribute(row, name, what, row.name)


def resolve_options(table: Mapping[str, Backend], name: str, what: str) -> Any:
    """The dataclass of a backend's options; None where it has none. Raises as :func:`resolve`."""
    row = _row(table, name, what)
    return None if row.options is None else _attribute(row, name, what, row.options)


def _row(table: Mapping[str, Backend], name: str, what: str) -> Backend:
    row = table.get(name)
    if row is None:
        raise InputError(f"unknown {what} {name!r}; there are: {', '.join(sorted(table))}")
    return row


def _attribute(row: Backend, name: str, what: str, attribute: str) -> Any:
    try:
        return getattr(importlib.import_module(row.module), attribute)
    except ModuleNotFoundError as error:
        if row.extra is None or (error.name or "").partition(".")[0] == "late_rag":
            raise
        raise MissingExtraError(f"{what} {name!r} needs {error.name}, which", row.extra) from error
