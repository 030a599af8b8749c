"""Word documents."""

from __future__ import annotations

from typing import TYPE_CHECKING

from late_rag.lazy import lazy_names

if TYPE_CHECKING:
    from late_rag.loaders.docx.loader import DocxLoader

__all__ = ["DocxLoader"]

__getattr__, __dir__ = lazy_names(__name__, {"DocxLoader": "late_rag.loaders.docx.loader"})
