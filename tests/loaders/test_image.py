"""Pictures: a document without text whose media is the file."""

from __future__ import annotations

import struct
import sys

import pytest

from late_rag.errors import LoadError, MissingExtraError
from late_rag.loaders import render
from late_rag.types import Media


@pytest.mark.parametrize(
    ("suffix", "form", "mime_type"),
    [
        (".png", "PNG", "image/png"),
        (".JPG", "JPEG", "image/jpeg"),
        (".gif", "GIF", "image/gif"),
        (".webp", "WEBP", "image/webp"),
        (".bmp", "BMP", "image/bmp"),
        (".tif", "TIFF", "image/tiff"),
    ],
)
def test_formats(tmp_path, one_document, suffix, form, mime_type):
    from PIL import Image

    file = tmp_path / f"a{suffix}"
    Image.new("RGB", (40, 20), "blue").save(file, format=form)
    document = one_document(file)
    assert document.text == ""
    assert document.metadata == {"mime_type": mime_type}
    assert document.media == (Media(str(file), mime_type),)
    drawn = render(document.media[0], scale=0.5)
    assert drawn.startswith(b"\x89PNG")
    assert struct.unpack(">II", drawn[16:24]) == (20, 10)


def test_no_picture(tmp_path, problem_of, png):
    (tmp_path / "a.png").write_text("words")
    assert problem_of(tmp_path / "a.png") == "is no PNG picture, whatever its name says"
    with pytest.raises(LoadError, match="image/png: cannot be drawn: cannot identify"):
        render(Media(b"words", "image/png"))
    with pytest.raises(LoadError, match="image/png: cannot be drawn"):
        render(Media(png[:40], "image/png"))
    assert render(Media(png, "image/png")).startswith(b"\x89PNG")


def test_without_pillow(monkeypatch, png):
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(MissingExtraError, match=r'pip install "late-rag\[images\]"'):
        render(Media(png, "image/png"))
