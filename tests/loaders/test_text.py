"""Plain text in any encoding, and what only pretends to be text."""

from __future__ import annotations

import codecs
import hashlib
import os
import random
import time
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from late_rag.loaders import load
from late_rag.loaders.decoding import decode, detect_encoding, read_text

GERMAN = "Der Käse schmeckt süß – „natürlich“, sagte er auf der Straße."
FRENCH = "Le garçon a mangé à l'hôtel, où il a été très bien reçu ; ça coûte 5 €."
POLISH = "Zażółć gęślą jaźń. Łódź to miasto w Polsce, które ma długą historię."
CZECH = "Příliš žluťoučký kůň úpěl ďábelské ódy. Praha je hlavní město, nejlepší české knihy."
RUSSIAN = "Съешь же ещё этих мягких французских булок, да выпей чаю."
GREEK = "Όλοι οι άνθρωποι γεννιούνται ελεύθεροι και ίσοι στην αξιοπρέπεια."
TURKISH = "İstanbul'da güzel bir gün, ağaçların gölgesinde çay içtik. Şimdi yağmur yağıyor."
ARABIC = "يولد جميع الناس أحرارًا متساوين في الكرامة والحقوق."
THAI = "มนุษย์ทั้งหลายเกิดมามีอิสระและเสมอภาคกันในเกียรติศักดิ์และสิทธิ"
JAPANESE = "吾輩は猫である。名前はまだ無い。どこで生れたかとんと見当がつかぬ。"
CHINESE = "人人生而自由,在尊严和权利上一律平等。他们赋有理性和良心。"
TAIWANESE = "人人生而自由,在尊嚴和權利上一律平等。他們賦有理性和良心。"
KOREAN = "모든 인간은 태어날 때부터 자유로우며 그 존엄과 권리에 있어 동등하다."

ENCODED = [
    *((text, "utf-8") for text in (GERMAN, RUSSIAN, JAPANESE, "🙂 emoji")),
    *((text, "utf-8-sig") for text in (GERMAN, "plain")),
    *((text, encoding) for text in (GERMAN, RUSSIAN, JAPANESE) for encoding in ("utf-16", "utf-32")),
    *((text, encoding) for text in (FRENCH, RUSSIAN) for encoding in ("utf-16-le", "utf-16-be")),
    (ARABIC, "utf-32-le"),
    *((text, "cp1252") for text in (GERMAN, FRENCH, "café", "one “quoted” word in English")),
    (POLISH, "iso8859-2"),
    *((text, "cp1250") for text in (POLISH, CZECH)),
    *((RUSSIAN, encoding) for encoding in ("cp1251", "koi8-r", "cp866")),
    (GREEK, "cp1253"),
    (TURKISH, "cp1254"),
    (ARABIC, "cp1256"),
    (THAI, "cp874"),
    (JAPANESE, "shift_jis"),
    (JAPANESE * 20, "euc_jp"),
    (CHINESE, "gb18030"),
    (TAIWANESE, "big5"),
    (KOREAN, "euc_kr"),
]


@pytest.mark.parametrize(("text", "encoding"), ENCODED)
def test_odd_encodings(tmp_path, one_document, text, encoding):
    file = tmp_path / "note.txt"
    file.write_bytes(f"{text}\n".encode(encoding))
    assert one_document(file).text == f"{text}\n"
    assert decode(file.read_bytes(), file).text == f"{text}\n"


def test_the_telling_character_may_come_late(tmp_path):
    file = tmp_path / "late.txt"
    file.write_bytes(b"plain words " * 300_000 + "café au lait".encode("cp1252"))
    assert read_text(file).text.endswith("café au lait")
    file.write_bytes(b"plain line\n" * 300_000 + "café au lait".encode())
    assert read_text(file).text.endswith("café au lait")


def test_a_few_broken_characters_leave_utf8_what_it_is(tmp_path):
    file = tmp_path / "damaged.txt"
    file.write_bytes((f"{GERMAN}\n" * 20).encode() + b"cut \xff and \xc3")
    assert read_text(file).text == f"{GERMAN}\n" * 20 + "cut \ufffd and \ufffd"


BROKEN = b"gr\xc3\xb6\xc3\x9fer\n\ncaf\xff, M\xfcller"
NAMED = "line {} that are not in the encoding of the file, which is taken for UTF-8: U+FFFD is there"


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        *(
            (name, BROKEN, "2 places, the first in " + NAMED.format("3,"))
            for name in ("a.txt", "a.log", "a.md", "a.py")
        ),
        ("a.yaml", BROKEN + b"\n" + BROKEN, "4 places, the first in " + NAMED.format("3,")),
        ("a.srt", b"1\n00:00:01,000 --> 00:00:02,000\n" + BROKEN, "2 places, the first in " + NAMED.format("5,")),
        ("a.ass", b"Dialogue: 0,0:00:01.00,0:00:02.00,s,n,0,0,0,,gr\xc3\xb6\xc3\x9fer caf\xff\xfe", NAMED.format(1)),
        ("a.xml", b"<a>\r\n" + BROKEN[:14] + b"</a>", NAMED.format(4)),
        ("a.html", b"<p>\n" + BROKEN[:14] + b"</p>", NAMED.format(4)),
        ("a.html", b"<meta charset=utf-8>" + b"word " * 200 + BROKEN[:14], NAMED.format(3)),
        (
            "a.ipynb",
            b'{"cells": [{"cell_type": "markdown",\n"source": "gr\xc3\xb6\xc3\x9fer caf\xff"}]}',
            NAMED.format(2),
        ),
        ("a.txt", "größer".encode("utf-16") + b"\0\xd8", NAMED.format(1).replace("UTF-8", "UTF-16")),
    ],
)
def test_bytes_that_are_no_text_are_told(tmp_path, name, content, told):
    (tmp_path / name).write_bytes(content)
    (file,) = load(tmp_path / name)
    (document,) = file.documents
    assert "größer" in document.text
    assert "\ufffd" in document.text
    document.text.encode()
    (gap,) = file.omissions
    assert (gap.what, gap.lost) == (f"bytes in {told}", False)


def test_a_replacement_character_of_the_text_itself_is_told_of_no_one(tmp_path):
    (tmp_path / "a.txt").write_bytes("caf\ufffd größer".encode())
    (file,) = load(tmp_path / "a.txt")
    assert [document.text for document in file.documents] == ["caf\ufffd größer"]
    assert file.omissions == []


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(st.characters(exclude_categories=("Cc", "Cs")), max_size=400))
def test_utf8_text_comes_out_as_read_text_gives_it(tmp_path, text):
    file = tmp_path / "any.txt"
    file.write_text(text, encoding="utf-8")
    assert read_text(file).text == file.read_text(encoding="utf-8-sig")


def test_line_ends_byte_order_mark_and_nul(tmp_path, one_document):
    file = tmp_path / "windows.txt"
    file.write_bytes(codecs.BOM_UTF8 + b"one\r\ntwo\rthree\n\nfo\0ur")
    document = one_document(file)
    assert document.text == "one\ntwo\nthree\n\nfo ur"
    assert document.metadata == {"mime_type": "text/plain"}


def test_lone_surrogates_do_not_come_through(tmp_path):
    file = tmp_path / "surrogate.txt"
    file.write_bytes(codecs.BOM_UTF16_LE + "a\ud800b".encode("utf-16-le", "surrogatepass"))
    read_text(file).text.encode("utf-8")
    file.write_bytes(b"caf\xed\xa0\x80 " + GERMAN.encode())
    read_text(file).text.encode("utf-8")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"%PDF-1.7\n1 0 obj", "begins like a PDF"),
        (b"PK\x03\x04" + b"x" * 100, "ZIP archive"),
        (b"\x7fELF\x02\x01\x01" + bytes(100), "a program"),
        (bytes(1000), "1000 of its first 1000 bytes"),
        (bytes(range(256)) * 20, "looks binary"),
    ],
)
def test_binary_named_txt(tmp_path, problem_of, content, says):
    file = tmp_path / "picture.txt"
    file.write_bytes(content)
    assert "looks binary" in problem_of(file)
    assert says in problem_of(file)


def test_noise_is_never_text(tmp_path, problem_of):
    noise = random.Random(7)
    file = tmp_path / "noise.txt"
    for _ in range(50):
        file.write_bytes(noise.randbytes(noise.randint(60, 5000)))
        assert problem_of(file)


def test_a_file_of_no_bytes_is_told(tmp_path):
    for name in ("a.txt", "b.md", "c.html", "d.pdf", "e.csv", "f.json", "g.jsonl", "h.png", "i.docx"):
        (tmp_path / name).touch()
    files = list(load(tmp_path))
    assert len(files) == 9
    for file in files:
        assert list(file.documents) == []
        assert str(file.error) == f"{tmp_path / file.path}: is empty"


def test_a_file_of_spaces_is_told(tmp_path, problem_of):
    (tmp_path / "blank.txt").write_text(" \n\n ")
    assert problem_of(tmp_path / "blank.txt") == "has no text"


def test_50_mb_of_text(tmp_path):
    line = "The boundary layer grows with the distance – naïvely said.\n".encode()
    content = line * (50_000_000 // len(line))
    file = tmp_path / "big.txt"
    file.write_bytes(content)
    expected = hashlib.blake2b(content, digest_size=16).hexdigest()
    del content
    began = time.process_time()
    tracemalloc.start()
    try:
        (source,) = load(file)
        assert source.hash == expected
        assert tracemalloc.get_traced_memory()[1] < 2**22  # found and hashed block by block
        assert detect_encoding(file) == "utf-8"
        assert tracemalloc.get_traced_memory()[1] < 2**24
    finally:
        tracemalloc.stop()
    (document,) = source.documents
    assert len(document.text) == len(line.decode()) * (50_000_000 // len(line))
    assert time.process_time() - began < 10


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_pipe_is_never_opened(tmp_path, problem_of):
    pipe = tmp_path / "pipe.txt"
    os.mkfifo(pipe)
    assert problem_of(pipe) == "is not a regular file"


def test_unreadable_bytes_in_no_known_encoding(tmp_path, problem_of):
    file = tmp_path / "odd.txt"
    file.write_bytes(b"a\x81b c\x8dd e\x8f" * 50)
    assert "save it as UTF-8" in problem_of(file)


@pytest.mark.parametrize("name", ["naïve.txt", "граница.txt", "边界层.txt", "حدود.txt", "🙂.txt", "a b'c\"d.txt"])
def test_names_in_other_scripts(tmp_path, one_document, name):
    folder = tmp_path / "Ünïcode 文件夹"
    folder.mkdir()
    (folder / name).write_text("words")
    assert one_document(folder / name).text == "words"
    (file,) = load(folder)
    assert (file.root, file.path) == (folder.as_posix(), name)


def test_a_path_may_be_text_or_path(tmp_path):
    (tmp_path / "a.txt").write_text("x")
    by_text, by_path = next(load(str(tmp_path))), next(load(Path(tmp_path)))
    assert by_text == by_path or by_text.source == by_path.source
