r"""Source code, configuration and data that is read by lines: as it is but for line ends (``\n``) and NUL (a space)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import ClassVar

from late_rag.loaders.decoding import read_text
from late_rag.loading import LoadOptions
from late_rag.types import Document, Omission

LANGUAGES: Mapping[str, str] = {
    **dict.fromkeys(("py", "pyi", "pyw"), "python"),
    **dict.fromkeys(("js", "mjs", "cjs", "jsx"), "javascript"),
    **dict.fromkeys(("ts", "mts", "cts", "tsx"), "typescript"),
    **dict.fromkeys(("kt", "kts"), "kotlin"),
    **dict.fromkeys(("groovy", "gradle"), "groovy"),
    "rs": "rust",
    "h": "c",
    **dict.fromkeys(("cc", "cpp", "cxx", "hh", "hpp", "hxx", "cu"), "c++"),
    "cs": "csharp",
    **dict.fromkeys(("fs", "fsx"), "fsharp"),
    "rb": "ruby",
    "m": "objective-c",
    "mm": "objective-c++",
    **dict.fromkeys(("bash", "zsh"), "sh"),
    **dict.fromkeys(("ps1", "psm1"), "powershell"),
    "bat": "batch",
    "jl": "julia",
    **dict.fromkeys(("pl", "pm"), "perl"),
    **dict.fromkeys(("ex", "exs"), "elixir"),
    "erl": "erlang",
    **dict.fromkeys(("clj", "cljs"), "clojure"),
    "hs": "haskell",
    "ml": "ocaml",
    "f90": "fortran",
    "sol": "solidity",
    "gql": "graphql",
    "tf": "terraform",
    **dict.fromkeys(("cfg", "conf"), "ini"),
}
"""The name of the language behind an extension; where it is not here, the extension is the name."""

MIME_TYPES: Mapping[str, str] = {
    **dict.fromkeys(("yaml", "yml"), "application/yaml"),
    "toml": "application/toml",
}
"""Of what is no ``text/x-<language>``."""


class CodeLoader:
    """One document for the file; its mime type says the language, ``text/x-python`` and the like."""

    records: ClassVar[bool] = False

    def __call__(self, path: Path, options: LoadOptions) -> Iterator[tuple[str, Document] | Omission]:  # noqa: ARG002
        text, omissions = read_text(path)
        yield from omissions
        yield "", Document(text=text, metadata={"mime_type": mime_type(path)})


def mime_type(path: Path) -> str:
    """What the extension of a file stands for."""
    extension = path.suffix.lower().removeprefix(".")
    return MIME_TYPES.get(extension) or f"text/x-{LANGUAGES.get(extension, extension)}"
