"""A picture is its content: overwritten it is another one, moved it is the same."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from late_rag import Retriever
from late_rag.errors import LoadError, UnsupportedError
from late_rag.file_hash import hash_of_file
from late_rag.retriever import FileOmission
from late_rag.testing import HashEncoder
from late_rag.types import Chunk, Document, Media, TokenEmbeddings, digest


class PictureEncoder(HashEncoder):
    """Gives a picture without a text the vector of its bytes, and counts what it encodes."""

    modalities = frozenset({"text", "image"})

    def __init__(self) -> None:
        super().__init__(model="pictures")
        self.encoded: list[str] = []

    def encode_documents(
        self, chunks: Iterable[Chunk], documents: Mapping[str, Document] | None = None
    ) -> Iterator[TokenEmbeddings]:
        for chunk in chunks:
            self.encoded.append(chunk.id)
            text = chunk.encoded_text or f"x{digest(*(media.read() for media in chunk.media))[:12]}"
            yield from super().encode_documents([Chunk(chunk.id, chunk.document_id, text)])


def picture(path: Path, colour: tuple[int, int, int]) -> Path:
    """A picture whose size in bytes does not depend on its colour, as good as overwritten in place."""
    Image.new("RGB", (8, 8), colour).save(path, format="BMP")
    return path


@pytest.fixture
def encoder() -> PictureEncoder:
    return PictureEncoder()


@pytest.fixture
def retriever(tmp_path: Path, encoder: PictureEncoder) -> Iterator[Retriever]:
    with Retriever.create(tmp_path / "pictures.rag", encoder) as made:
        yield made


def stored(retriever: Retriever) -> dict[str, TokenEmbeddings]:
    return {chunk.id: rows for batch in retriever.collection.iterate(with_embeddings=True) for chunk, rows in batch}


def test_a_picture_that_is_overwritten_is_encoded_again_and_one_that_moves_is_not(
    retriever: Retriever, tmp_path: Path
) -> None:
    folder = tmp_path / "files"
    folder.mkdir()
    first = picture(folder / "a.bmp", (255, 0, 0))
    assert retriever.sync(folder).encoded == 1
    before = stored(retriever)
    times = first.stat()
    picture(first, (0, 255, 0))
    os.utime(first, ns=(times.st_atime_ns, times.st_mtime_ns))
    result = retriever.sync(folder)
    assert (len(result.updated), result.encoded) == (1, 1)
    after = stored(retriever)
    assert before.keys() == after.keys()
    assert all((before[key] != after[key]).any() for key in before)
    first.rename(folder / "b.bmp")
    moved = retriever.sync(folder)
    assert (len(moved.added), len(moved.removed), moved.encoded, moved.reused) == (1, 1, 0, 1)
    assert retriever.collection.verify().ok


@pytest.mark.parametrize("kind", ["document", "chunk"])
def test_an_added_picture_is_its_content_too(
    retriever: Retriever, encoder: PictureEncoder, tmp_path: Path, kind: str
) -> None:
    path = picture(tmp_path / "a.bmp", (255, 0, 0))

    def made() -> Document | Chunk:
        media = (Media(str(path), "image/bmp"),)
        return Document("d", media=media) if kind == "document" else Chunk("c", "d", "", media=media)

    retriever.add([made()])
    retriever.add([made()])
    assert [name for name in encoder.encoded if name != "probe"] == [made().id + "#0" * (kind == "document")]
    picture(path, (0, 0, 255))
    retriever.add([made()])
    retriever.add([made()])
    assert len([name for name in encoder.encoded if name != "probe"]) == 2
    assert retriever.collection.verify().ok


def test_a_moved_pdf_is_not_encoded_again(tmp_path: Path, repository: Path) -> None:
    folder = tmp_path / "files"
    folder.mkdir()
    pdf = next((repository / "cookbooks" / "data").rglob("*.pdf"))
    (folder / "a.pdf").write_bytes(pdf.read_bytes())
    with Retriever.create(tmp_path / "pdf.rag", HashEncoder()) as retriever:
        first = retriever.sync(folder)
        (folder / "sub").mkdir()
        (folder / "a.pdf").rename(folder / "sub" / "b.pdf")
        moved = retriever.sync(folder)
        assert (moved.encoded, moved.reused) == (0, first.chunks)
        (folder / "sub" / "b.pdf").write_bytes(pdf.read_bytes() + b"\n%%EOF\n")  # another file with the same text
        changed = retriever.sync(folder)
        assert (len(changed.updated), changed.encoded, changed.reused) == (1, 0, first.chunks)
        media = {item for batch in retriever.collection.iterate() for chunk, _ in batch for item in chunk.media}
        assert {Path(str(item.content)).name for item in media} == {"b.pdf"}
        assert retriever.collection.verify().ok


def test_page_images_that_move_are_not_encoded_again_and_those_of_a_changed_file_are(tmp_path: Path) -> None:
    (tmp_path / "files").mkdir()
    pdf = tmp_path / "files" / "a.pdf"
    pdf.write_bytes(b"%PDF-1.4 only its pages are looked at")

    def pages(path: Path) -> list[Chunk]:
        media = [Media(str(path), "application/pdf", page) for page in (1, 2)]
        return [Chunk(f"{path.stem}{item.page}", path.stem, "beside a text", media=(item,)) for item in media]

    with Retriever.create(tmp_path / "pages.rag", encoder := PictureEncoder()) as retriever:
        retriever.add(first := pages(pdf))
        moved = pages(pdf.rename(tmp_path / "b.pdf"))
        assert [chunk.content_hash for chunk in moved] == [chunk.content_hash for chunk in first]
        encoder.encoded.clear()
        retriever.add([replace(chunk, id=f"a{number}") for number, chunk in enumerate(moved, 1)])
        assert encoder.encoded == []
        assert {item.content for chunk in retriever.collection.get(["a1", "a2"]) for item in chunk.media} == {
            str(tmp_path / "b.pdf")
        }
        (tmp_path / "b.pdf").write_bytes(b"%PDF-1.4 another file")
        retriever.add([replace(chunk, id=f"a{number}") for number, chunk in enumerate(pages(tmp_path / "b.pdf"), 1)])
        assert encoder.encoded == ["a1", "a2"]


def test_a_collection_keeps_what_it_knew_of_a_file_that_changed_or_went(tmp_path: Path) -> None:
    path = picture(tmp_path / "a.bmp", (255, 0, 0))
    with Retriever.create(tmp_path / "p.rag", PictureEncoder()) as retriever:
        retriever.add([Chunk("c", "d", "", media=(Media(str(path), "image/bmp"),))])
        (before,) = retriever.collection.get(["c"])
        for change in (lambda: picture(path, (0, 0, 9)), path.unlink):
            change()
            (chunk,) = retriever.collection.get(["c"])
            assert chunk.content_hash == before.content_hash
            assert retriever.collection.verify().ok


def test_the_key_of_a_path_is_of_its_content() -> None:
    bare = {"path": "gone.png", "mime_type": "image/png", "page": None}
    assert Media.from_json(bare).key == Media("gone.png", "image/png").key == "image/png:gone.png#"


def test_media_are_read_from_files_only(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.png"
    os.mkfifo(pipe)
    for name in (str(pipe), "/dev/zero", str(tmp_path), "a\0b", str(tmp_path / "none")):
        media = Media(name, "image/png")
        found: list[object] = []

        def look(media: Media = media, found: list[object] = found) -> None:
            found.append(media.key)
            with pytest.raises(LoadError):
                media.read()
            found.append("refused")

        thread = threading.Thread(target=look, daemon=True)
        thread.start()
        thread.join(5)
        assert found == [f"image/png:{name}#", "refused"]


def test_a_file_is_read_once_for_all_its_pages_and_again_after_a_change(tmp_path: Path) -> None:
    path = tmp_path / "large.pdf"
    path.write_bytes(b"x" * 2**20)
    os.utime(path, (1, 1))
    seen = {hash_of_file(str(path))}
    for number in range(200):  # one size, one time of change as far as utime can say
        path.write_bytes(number.to_bytes(2, "big") * 2**19)
        os.utime(path, (1, 1))
        seen.add(hash_of_file(str(path)))
        assert len(seen) == number + 2


@pytest.fixture
def reader_of_texts(tmp_path: Path) -> Iterator[Retriever]:
    with Retriever.create(tmp_path / "texts.rag", HashEncoder()) as made:
        yield made


def docs_with_logos(folder: Path, count: int = 3) -> Path:
    folder.mkdir()
    (folder / "a.txt").write_text("the quay and the mill", encoding="utf-8")
    for number in range(count):
        picture(folder / f"logo{number}.bmp", (number, 0, 0))
    return folder


def test_pictures_beside_texts_are_left_out_and_told_each_time(
    reader_of_texts: Retriever, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = docs_with_logos(tmp_path / "files")
    logos = tuple(f"{folder}/logo{number}.bmp" for number in range(3))
    for run, strict in enumerate((True, False)):
        result = reader_of_texts.sync(folder, strict=strict)
        assert (result.complete, result.failed, result.unread) == (True, (), logos)
        assert (len(result.added), len(result.unchanged)) == (1 - run, run)
        assert result.omissions == tuple(
            FileOmission(logo, "a picture, which the model 'hash' does not read", lost=False) for logo in logos
        )
    assert reader_of_texts.info().sources == 1
    assert not caplog.records  # nothing that a run of every night has to say


def test_a_picture_that_is_named_is_a_failure_that_says_what_to_do(reader_of_texts: Retriever, tmp_path: Path) -> None:
    folder = docs_with_logos(tmp_path / "files")
    logo = folder / "logo1.bmp"
    result = reader_of_texts.sync([folder / "a.txt", logo])
    assert (len(result.added), result.unread, result.omissions, result.complete) == (1, (), (), False)
    (failed,) = result.failed
    assert failed.location == str(logo)
    assert failed.reason == (
        f"{logo} has no text but a picture, and the model 'hash' reads only text; leave it out, give it a text, or "
        "take a model that reads it"
    )
    with pytest.raises(UnsupportedError, match=r"logo1\.bmp has no text but a picture"):
        reader_of_texts.sync(logo, strict=True)


class WithPicture:
    """Reads a text and a picture from one file; an empty line is only a picture."""

    records = False

    def __call__(self, path: Path, options: object) -> Iterator[tuple[str, Document]]:
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines()):
            yield str(number), Document(text=line, media=() if line else (Media(b"...", "image/png"),))


def test_a_picture_costs_itself_and_what_a_file_had_goes_with_its_last_text(
    reader_of_texts: Retriever, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("late_rag.loaders.text.TextLoader", WithPicture)
    folder = tmp_path / "files"
    folder.mkdir()
    (folder / "a.txt").write_text("the quay\n\nthe mill\n", encoding="utf-8")
    first = reader_of_texts.sync(folder)
    assert (len(first.added), first.chunks, len(first.omissions), first.complete) == (1, 2, 1, True)
    (folder / "a.txt").write_text("\n", encoding="utf-8")
    second = reader_of_texts.sync(folder)
    assert (second.unread, reader_of_texts.info().chunks) == ((f"{folder}/a.txt",), 0)
    assert reader_of_texts.collection.verify().ok


def test_passages_without_text_are_counted_by_file(
    reader_of_texts: Retriever, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "a.jsonl"
    file.write_text('{"text": ""}\n{"text": " "}\n{"text": "the mill"}\n', encoding="utf-8")
    assert reader_of_texts.sync(file).chunks == 3
    told = [record.getMessage() for record in caplog.records]
    assert told == [f"{file}: 2 of its passages have no text, so that no search will find them"]
