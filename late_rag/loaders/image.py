"""Pictures: a document without text whose media is the file; and any picture or page as PNG."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from late_rag.errors import InputError, LoadError, MissingExtraError, needs_extra
from late_rag.loaders import pdf
from late_rag.loading import LoadOptions
from late_rag.types import Document, Media

if TYPE_CHECKING:
    from PIL import Image

_FORMATS = {
    ".png": ("image/png", (b"\x89PNG\r\n\x1a\n",)),
    ".jpg": ("image/jpeg", (b"\xff\xd8\xff",)),
    ".jpeg": ("image/jpeg", (b"\xff\xd8\xff",)),
    ".gif": ("image/gif", (b"GIF87a", b"GIF89a")),
    ".webp": ("image/webp", (b"RIFF",)),
    ".bmp": ("image/bmp", (b"BM",)),
    ".tif": ("image/tiff", (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")),
    ".tiff": ("image/tiff", (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")),
}


MOST_SCALE = 100.0


class ImageLoader:
    """One document for the file; the picture itself is read when an encoder asks for it."""

    records: ClassVar[bool] = False

    def __call__(self, path: Path, options: LoadOptions) -> Iterator[tuple[str, Document]]:  # noqa: ARG002
        mime_type, starts = _FORMATS[path.suffix.lower()]
        with path.open("rb") as file:
            head = file.read(8)
        if not head.startswith(starts):
            raise LoadError(f"{path}: is no {mime_type.partition('/')[2].upper()} picture, whatever its name says")
        yield "", Document(metadata={"mime_type": mime_type}, media=(Media(str(path), mime_type),))


def render(media: Media, scale: float = 1.0) -> bytes:
    """A picture, or a page of a PDF, as PNG.

    It is drawn in this process, which a page of a hostile PDF may end: draw those of strangers in one of their own.

    Args:
        media: what a loader put into ``Document.media``.
        scale: of a picture, the factor on its width and height; of a page, the pixels for each 1/72 inch.

    Raises:
        MissingExtraError: pillow is not installed.
        LoadError: the file is gone, is no picture, has no such page, or would have more pixels than are drawn.
    """
    if not 0 < scale <= MOST_SCALE:
        raise InputError(f"scale must be a number above 0 and up to {MOST_SCALE}, not {scale!r}")
    with needs_extra("pillow, which draws pictures,", "images"):
        from PIL import Image
    name = media.content if isinstance(media.content, str) else media.mime_type
    try:
        if media.mime_type == pdf.MIME_TYPE:
            return _png(pdf.draw_page(media, scale))
        with Image.open(io.BytesIO(media.read())) as image:
            width, height = (max(1, round(side * scale)) for side in image.size)
            pdf.check_pixels(name, max(width, image.width), max(height, image.height))
            return _png(image if scale == 1 else image.resize((width, height)))
    except (LoadError, MissingExtraError):
        raise
    except Exception as error:  # what its many decoders raise, and their guard against bombs, has no common base class
        raise LoadError(f"{name}: cannot be drawn: {getattr(error, 'strerror', None) or error}") from error


def _png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    plain = image if image.mode in ("1", "L", "LA", "P", "RGB", "RGBA") else image.convert("RGB")
    plain.save(buffer, format="PNG")
    return buffer.getvalue()
