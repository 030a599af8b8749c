"""What the tests of the LangChain components share: a small handbook, stored once."""

from __future__ import annotations

import pytest
from langchain_core.documents import Document

from langchain_late_rag import LateInteractionRetriever

HANDBOOK = {
    "travel": (2021, "Business travel is approved by the head of the department before it is booked."),
    "trains": (2022, "Trains are taken for business travel of less than five hours."),
    "leave": (2020, "Every employee has thirty days of paid leave a year."),
    "parking": (2019, "Parking on the premises is free for employees and visitors."),
    "laptop": (2022, "A lost laptop is reported to the help desk within an hour."),
    "password": (2023, "Passwords have at least fourteen characters and are kept in the vault."),
    "canteen": (2019, "The canteen serves lunch from half past eleven until two."),
    "remote": (2021, "Remote work is agreed upon with the team, for up to three days a week."),
}


@pytest.fixture(scope="session")
def documents() -> list[Document]:
    """The pages of the handbook."""
    return [
        Document(id=topic, page_content=text, metadata={"topic": topic, "year": year})
        for topic, (year, text) in HANDBOOK.items()
    ]


@pytest.fixture(scope="session")
def handbook(tmp_path_factory: pytest.TempPathFactory, documents: list[Document]) -> str:
    """The location of a collection of the pages; tests only read it."""
    location = str(tmp_path_factory.mktemp("langchain") / "handbook.rag")
    LateInteractionRetriever.from_documents(documents, location)
    return location
