"""Pictures: a document without text whose media is the file."""

from __future__ import annotations

import contextlib
import io
import struct
import sys
import zlib

import pypdfium2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from late_rag.errors import InputError, LoadError, MissingExtraError
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


def bomb(width: int, height: int) -> bytes:
    """A PNG of few bytes that says it has so many pixels."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(b"\0" * 100)), (b"IEND", b""))
    checked = ((data, name + data) for name, data in parts)
    written = (struct.pack(">I", len(data)) + both + struct.pack(">I", zlib.crc32(both)) for data, both in checked)
    return b"\x89PNG\r\n\x1a\n" + b"".join(written)


@pytest.mark.parametrize("side", [9_500, 15_000, 100_000, 2**31 - 1])
def test_a_picture_of_too_many_pixels_is_a_load_error(side):
    with pytest.raises(LoadError, match="image/png: "):
        render(Media(bomb(side, side), "image/png"))


def test_a_picture_that_would_become_too_large_is_a_load_error(png, tmp_path):
    with pytest.raises(LoadError, match="pixels are more than the 80,000,000 that are drawn"):
        render(Media(bomb(1_000, 1_000), "image/png"), scale=50)
    for scale in (0, -1, float("nan"), float("inf"), 1e9):
        with pytest.raises(InputError, match="scale must be"):
            render(Media(png, "image/png"), scale=scale)
    page = io.BytesIO()
    made = pypdfium2.PdfDocument.new()
    made.new_page(14_000, 14_000)
    made.save(page)
    made.close()
    with pytest.raises(LoadError, match="pixels are more than"):
        render(Media(page.getvalue(), "application/pdf", 1))


@given(st.binary(max_size=60), st.sampled_from(["PNG", "JPEG", "GIF", "WEBP", "BMP", "TIFF"]), st.integers(0, 2**16))
def test_any_damage_is_drawn_or_a_load_error(noise, kind, place):
    buffer = io.BytesIO()
    Image.new("RGB", (12, 9), (1, 2, 3)).save(buffer, kind)
    good = buffer.getvalue()
    place %= len(good)
    with contextlib.suppress(LoadError):
        media = Media(good[:place] + noise + good[place + len(noise) :], f"image/{kind.lower()}")
        assert render(media).startswith(b"\x89PNG")
