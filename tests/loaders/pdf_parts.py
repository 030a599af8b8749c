"""Small PDFs, written by hand so that each can differ in one thing from what writers make."""

from __future__ import annotations

import io
import zlib
from collections.abc import Mapping

FONT = "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"


def pdf(
    *contents: str,
    page: str = "/MediaBox [0 0 600 800]",
    font: str = FONT,
    info: str = "",
    catalog: str = "",
    more: tuple[str, ...] = (),
) -> bytes:
    """A PDF with these content streams as its pages; object 3 is the font, ``more`` are objects 4 and following."""
    first = 4 + len(more)
    numbers = range(first, first + 2 * len(contents), 2)
    kids = " ".join(f"{number} 0 R" for number in numbers)
    objects = [
        f"<< /Type /Catalog /Pages 2 0 R {catalog} >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(contents)} >>",
        font,
        *more,
    ]
    for number, content in zip(numbers, contents, strict=True):
        resources = "/Resources << /Font << /F1 3 0 R >> >>"
        objects.append(f"<< /Type /Page /Parent 2 0 R {page} /Contents {number + 1} 0 R {resources} >>")
        objects.append(f"<< /Length {len(content.encode('latin-1'))} >>\nstream\n{content}\nendstream")
    objects.append(f"<< {info} >>")
    return written(objects, f"/Info {len(objects)} 0 R")


def written(objects: list[str], trailer: str = "") -> bytes:
    """Objects as a file, with their table."""
    out, offsets = io.BytesIO(), []
    out.write(b"%PDF-1.7\n")
    for number, content in enumerate(objects, start=1):
        offsets.append(out.tell())
        out.write(f"{number} 0 obj\n{content}\nendobj\n".encode("latin-1"))
    start = out.tell()
    table = "".join(f"{offset:010d} 00000 n \n" for offset in offsets)
    out.write(f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}".encode())
    out.write(f"trailer << /Size {len(objects) + 1} /Root 1 0 R {trailer} >>\nstartxref\n{start}\n%%EOF\n".encode())
    return out.getvalue()


def at(x: float, y: float, text: str, *, size: float = 12, turn: int = 0) -> str:
    """Draws a text that runs to the right, up, to the left or down (``turn`` 0 to 3)."""
    a, b = ((1, 0), (0, 1), (-1, 0), (0, -1))[turn]
    return f"BT /F1 {size} Tf {a} {b} {-b} {a} {x} {y} Tm ({text}) Tj ET\n"


def unicode_map(codes: Mapping[str, str]) -> str:
    """A stream that maps letters to UTF-16 in hexadecimal."""
    pairs = "\n".join(f"<{ord(letter):02X}> <{code}>" for letter, code in codes.items())
    stream = (
        "/CIDInit /ProcSet findresource begin 12 dict begin begincmap /CMapName /X def /CMapType 2 def\n"
        f"1 begincodespacerange <00> <FF> endcodespacerange\n{len(codes)} beginbfchar\n{pairs}\nendbfchar\n"
        "endcmap CMapName currentdict /CMap defineresource pop end end"
    )
    return f"<< /Length {len(stream)} >>\nstream\n{stream}\nendstream"


def mapped(text: str, codes: Mapping[str, str]) -> bytes:
    """A page with one line, whose font says what each of its letters is."""
    font = FONT.replace(" >>", " /ToUnicode 4 0 R >>")
    return pdf(at(72, 700, text), font=font, more=(unicode_map(codes),))


def self_drawing() -> bytes:
    """A page that draws a form that draws itself, twice: no parser sees its end."""
    resources = "/Resources << /XObject << /X 5 0 R >> >>"
    return _one_page(
        f"/Contents 4 0 R {resources}",
        "<< /Length 5 >>\nstream\n/X Do\nendstream",
        f"<< /Type /XObject /Subtype /Form /BBox [0 0 9 9] {resources} /Length 11 >>\nstream\n/X Do /X Do\nendstream",
    )


def inflating(size: int) -> bytes:
    """A page whose content has so many bytes when it is inflated, and few of them in the file."""
    packed = zlib.compress(b"q " * (size // 2), 1).decode("latin-1")
    stream = f"<< /Length {len(packed)} /Filter /FlateDecode >>\nstream\n{packed}\nendstream"
    return _one_page("/Contents 4 0 R /Resources << >>", stream)


def _one_page(page: str, *more: str) -> bytes:
    return written(
        [
            "<< /Type /Catalog /Pages 2 0 R >>",
            "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] {page} >>",
            *more,
        ]
    )


def deep_tree(depth: int) -> bytes:
    """One page, so many nodes of the tree of pages below its root."""
    nodes = (
        f"<< /Type /Pages /Kids [{number + 1} 0 R] /Count 1 /Parent {max(2, number - 1)} 0 R >>"
        for number in range(2, depth + 2)
    )
    page = f"<< /Type /Page /Parent {depth + 1} 0 R /MediaBox [0 0 600 800] >>"
    return written(["<< /Type /Catalog /Pages 2 0 R >>", *nodes, page])


def deflated(content: str) -> str:
    return zlib.compress(content.encode("latin-1")).decode("latin-1")


def lzw(content: str, early: int = 1) -> str:
    """The content as LZW, by the encoder of ISO 32000-1, 7.4.4.2."""
    table = {bytes((byte,)): byte for byte in range(256)}
    codes, taken = f"{256:09b}", b""
    for byte in content.encode("latin-1"):
        width, following = (len(table) + 1 + early).bit_length(), taken + bytes((byte,))
        if following in table:
            taken = following
            continue
        codes += f"{table[taken]:0{width}b}"
        table[following] = len(table) + 2
        taken = bytes((byte,))
    width = (len(table) + 1 + early).bit_length()
    codes += (f"{table[taken]:0{width}b}" if taken else "") + f"{257:0{width}b}"
    codes += "0" * (-len(codes) % 8)
    return int(codes, 2).to_bytes(len(codes) // 8, "big").decode("latin-1")
