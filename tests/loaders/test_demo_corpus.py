"""The demonstration corpus that ships with the repository: complete, readable, and what its script makes."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections import Counter
from pathlib import Path
from types import ModuleType

import pytest

from late_rag.loaders import load


@pytest.fixture(scope="module")
def corpus(repository: Path) -> Path:
    return repository / "cookbooks" / "data" / "xquad-en"


@pytest.fixture(scope="module")
def texts(corpus: Path) -> dict[str, str]:
    """Text of each file, with single spaces for white space."""
    loaded = {}
    for file in load(corpus / "articles", strict=True):
        (document,) = file.documents
        loaded[file.path] = " ".join(document.text.split())
    return loaded


@pytest.fixture(scope="module")
def questions(corpus: Path) -> list[dict]:
    return [json.loads(line) for line in (corpus / "questions.jsonl").read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="module")
def script(repository: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_demo_corpus", repository / "tools" / "make_demo_corpus.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_twelve_of_each_format(texts, corpus):
    assert Counter(path.rpartition(".")[2] for path in texts) == {"md": 12, "html": 12, "pdf": 12, "txt": 12}
    assert sum(file.stat().st_size for file in corpus.rglob("*") if file.is_file()) < 3_000_000


def test_licence_and_attribution(corpus):
    words = " ".join((corpus / "README.md").read_text().split()) + (corpus / "LICENSE").read_text()
    for part in ("CC BY-SA 4.0", "Google DeepMind", "XQuAD", "SQuAD 1.1", "Wikipedia", "What was changed"):
        assert part in words


def test_every_answer_is_in_the_text_of_its_article(texts, questions):
    assert len(questions) == len({question["id"] for question in questions}) == 1190
    for question in questions:
        assert question["answers"]
        for answer in question["answers"]:
            assert " ".join(answer.split()) in texts[question["file"]]


def test_titles(corpus, questions):
    title_of = {question["file"]: question["article"] for question in questions}
    assert len(title_of) == 48
    for file in load(corpus / "articles"):
        (document,) = file.documents
        expected = None if file.path.endswith(".txt") else title_of[file.path]
        assert document.metadata.get("title") == expected
        assert document.text.startswith((title_of[file.path], f"# {title_of[file.path]}\n"))


def test_it_is_what_the_script_makes(script, corpus, data_folder, texts, tmp_path):
    script.make(data_folder / "xquad-en", tmp_path)
    made = {file.relative_to(tmp_path).as_posix() for file in tmp_path.rglob("*") if file.is_file()}
    committed = {file.relative_to(corpus).as_posix() for file in corpus.rglob("*") if file.is_file()}
    assert committed == made | {"README.md", "LICENSE"}
    for path in made:
        if not path.endswith(".pdf"):  # their bytes depend on the versions of reportlab and zlib
            assert (corpus / path).read_bytes() == (tmp_path / path).read_bytes()
    for file in load(tmp_path / "articles"):
        (document,) = file.documents
        assert " ".join(document.text.split()) == texts[file.path]


def test_every_paragraph_is_read_back(script, data_folder, texts):
    articles = script.read_articles(data_folder / "xquad-en")
    assert {article.path for article in articles} == set(texts)
    for article in articles:
        for paragraph in article.paragraphs:
            assert paragraph in texts[article.path]
