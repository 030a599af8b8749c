"""How fast files are read, what a large page takes, and whether every word of the test cases is kept."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.figures import Figure, report, seconds
from late_rag import load

ROOT = Path(__file__).resolve().parents[1]
CASES = ROOT / "tests" / "cases"
PDFS = ROOT / "cookbooks" / "data"

_READ = """
import sys, time
from benchmarks.figures import peak_mb
from late_rag import load
start = time.perf_counter()
(file,) = load(sys.argv[1])
(document,) = file.documents
print(time.perf_counter() - start, peak_mb(), len(document.text))
"""


def words_kept() -> Iterator[Figure]:
    """Of the cases whose text is known, the words that are read of them."""
    kept = wanted = 0
    for line in (CASES / "read.jsonl").read_text(encoding="utf-8").rstrip("\n").split("\n"):
        case = json.loads(line)
        reference = Counter(word for text in case["texts"] for word in text.split())
        (file,) = load(CASES / case["path"])
        found = Counter(word for document in file.documents for word in document.text.split())
        kept += (reference & found).total()
        wanted += reference.total()
    yield Figure("words of the cases that are kept", f"{kept:,}", f"{wanted:,} there are", kept / wanted, 1, False)


def large_page() -> Iterator[Figure]:
    """A page of 7.7 MB in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "large.html"
        path.write_text(_page(7_700_000), encoding="utf-8")
        output = subprocess.run(
            [sys.executable, "-c", _READ, str(path)], capture_output=True, text=True, check=True, cwd=ROOT
        ).stdout
    took, memory, _ = map(float, output.split())
    yield Figure("a page of 7.7 MB", f"{took:.1f} s", "a limit in s", took, 6)
    yield Figure("a page of 7.7 MB, resident", f"{memory:.0f} MB", "a limit in MB", memory, 300)


def _page(size: int) -> str:
    """An article in the form that long ones have: sections, paragraphs with links and notes, lists, tables."""
    part = (
        "<section><h2>{n}. The harbour</h2><p class='lead'>The <a href='/wiki/Harbour_{n}' title='Harbour'>harbour</a> "
        "of {n} opens at seven and closes at noon, but for <b>feast days</b>, on which it stays shut.<sup><a "
        "href='#note{n}'>[{n}]</a></sup> Ships of more than {n} tons wait outside until the pilot has come.</p>"
        "<ul><li>Boats pay two coins<li>Ships pay five</ul><table class='dues'><tr><th>Vessel</th><th>Dues</th></tr>"
        "<tr><td>Boat</td><td>{n}</td></tr><tr><td>Ship</td><td>{n}5</td></tr></table></section>\n"
    )
    count = size // len(part.format(n=1000))
    return f"<!DOCTYPE html><title>Harbours</title><body>{''.join(part.format(n=n) for n in range(count))}</body>"


def isolation() -> Iterator[Figure]:
    """What it takes to read the demonstration's PDFs in another process that has started: each as read fastest."""
    paths = sorted(PDFS.rglob("*.pdf"))
    times: dict[tuple[Path, bool], float] = {}
    for _ in range(50):
        for path in paths:
            for isolated in (False, True):
                took = seconds(lambda path=path, isolated=isolated: _read(path, isolated))  # type: ignore[misc]
                times[path, isolated] = min(took, times.get((path, isolated), took))
    ours, here = (1e3 * sum(times[path, isolated] for path in paths) for isolated in (True, False))
    what = f"{len(paths)} PDFs that are isolated"
    yield Figure(what, f"{ours:.1f} ms", f"{here:.1f} ms in this process", ours / here, 1.1)


def _read(path: Path, isolated: bool) -> int:
    (file,) = load(path, isolated=isolated)
    return sum(len(document.text) for document in file.documents)


def throughput() -> Iterator[str]:
    """Megabytes and pages a second, file by file as ``load`` gives them."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _write_files(folder)
        for path, unit, count in (
            (folder / "pages", "pages", 200),
            (PDFS, "pages", None),
            (folder / "letters", "files", 50),
            (folder / "records.csv", "records", 50_000),
        ):
            yield _rate(path, unit, count)


def _write_files(folder: Path) -> None:
    import docx

    (folder / "pages").mkdir()
    for number in range(200):
        (folder / "pages" / f"{number}.html").write_text(_page(60_000), encoding="utf-8")
    (folder / "letters").mkdir()
    for number in range(50):
        letter = docx.Document()
        for line in range(60):
            letter.add_paragraph(
                f"Paragraph {line} of letter {number}, of which there are many in the harbour's office."
            )
        letter.save(str(folder / "letters" / f"{number}.docx"))
    rows = (f'{n},"The quay {n}, too, opens at seven and closes at noon.",{n % 7}\n' for n in range(50_000))
    (folder / "records.csv").write_text("id,text,group\n" + "".join(rows), encoding="utf-8")


def _rate(path: Path, unit: str, count: int | None) -> str:
    files = [file for file in load(path) if not path.is_dir() or file.path.endswith((".html", ".pdf", ".docx"))]
    documents = []
    read: Callable[[], object] = lambda: documents.extend(d for file in files for d in file.documents)  # noqa: E731
    took = seconds(read)
    pages = count or sum(document.text.count("\f") + 1 for document in documents)
    size = sum(file.size for file in files) / 1e6
    kind = Path(files[0].path).suffix[1:].upper()
    return (
        f"{kind}: {pages / took:,.0f} {unit} and {size / took:,.1f} MB a second ({len(files):,} files, {size:.1f} MB)"
    )


def figures() -> Iterator[Figure]:
    """What has a limit."""
    yield from words_kept()
    yield from large_page()
    yield from isolation()


if __name__ == "__main__":
    report(figures())
    for line in throughput():
        print(line, flush=True)
