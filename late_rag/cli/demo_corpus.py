"""The documents and questions that the demonstration is made of."""

import json
from dataclasses import dataclass
from pathlib import Path, PurePath

import late_rag
from late_rag.errors import InputError

_IN_CHECKOUT = Path("cookbooks", "data", "xquad-en")


@dataclass(frozen=True)
class Question:
    """A question, the file that answers it, and the answers as they stand there."""

    id: str
    text: str
    file: str
    answers: tuple[str, ...]

    def is_answered_by(self, text: str) -> bool:
        """Whether one of the answers is in the text, which is normalised."""
        return any(normalised(answer) in text for answer in self.answers)


@dataclass(frozen=True)
class DemoCorpus:
    """A folder of documents of several formats, and questions about them."""

    articles: Path
    questions: tuple[Question, ...]

    @classmethod
    def read(cls, folder: Path | None) -> "DemoCorpus":
        """What is in the folder; the one of the checkout where none is given.

        Raises:
            InputError: there is no such folder, or not with what it must hold.
        """
        folder = _in_checkout() if folder is None else folder
        questions = folder / "questions.jsonl"
        try:
            lines = questions.read_text(encoding="utf-8").splitlines()
            return cls(folder / "articles", tuple(_question(line) for line in lines))
        except OSError as error:
            raise InputError(
                f"{questions}: {error.strerror}; give a folder with articles/ and questions.jsonl"
            ) from error
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(f"{questions}: not questions as the demonstration needs them ({error!r})") from error

    def examples(self) -> list[Question]:
        """One question about a file of each format, from the middle of those there are."""
        by_format: dict[str, list[Question]] = {}
        for question in self.questions:
            by_format.setdefault(PurePath(question.file).suffix, []).append(question)
        return [questions[len(questions) // 2] for _, questions in sorted(by_format.items())]


def normalised(text: str) -> str:
    """The text with single spaces for all white space."""
    return " ".join(text.split())


def _question(line: str) -> Question:
    data = json.loads(line)
    return Question(data["id"], data["question"], data["file"], tuple(data["answers"]))


def _in_checkout() -> Path:
    here = Path.cwd()
    for root in (Path(late_rag.__file__).parents[1], here, *here.parents):
        if (root / _IN_CHECKOUT / "questions.jsonl").is_file():
            return root / _IN_CHECKOUT
    raise InputError(
        "the demonstration's documents are part of the repository, not of the installed package: run this in a "
        f"checkout, or give the folder {_IN_CHECKOUT.as_posix()} of one"
    )
