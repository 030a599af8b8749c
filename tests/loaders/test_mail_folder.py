"""Mail folders: which line begins a mail, and what their documents are called."""

from __future__ import annotations

import io
import mailbox

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from late_rag.loaders import load
from late_rag.loaders.mail.folder import mails
from tests.loaders.mails import mail, parts, write


def test_a_folder_of_mails(tmp_path):
    with_file = mail("Two", "second\n", Message_ID="<2@x>")
    with_file.add_attachment("attached", filename="a.txt")
    messages = [mail("One", "first\n", Message_ID="<1@x>"), with_file, mail("Two", "again\n", Message_ID="<2@x>")]
    folder = b"".join(b"From x@y Mon Jan  2 10:00:00 2023\n" + bytes(message) + b"\n" for message in messages)
    path = write(tmp_path, b"From x@y Mon Jan  2 10:00:00 2023\n\nno headers\n\n" + folder, "a.mbox")
    (file,) = load(path)
    assert [document.text.strip() for document in file.documents] == ["first", "second", "attached", "again"]
    assert file.records
    assert [omission.what for omission in file.omissions] == [
        "mail 1: is no mail: it does not begin with headers such as 'Subject: …'"
    ]
    ids = [document.id for document in file.documents]
    assert len(set(ids)) == 4
    path.write_bytes(b"From x@y\n" + bytes(messages[0]) + b"\n")
    assert [document.id for document in next(load(path)).documents] == ids[:1]


FIRST = "From x@y Mon Jan  2 10:00:00 2023"


@pytest.mark.parametrize(
    ("line", "ends"),
    [
        ("\nFrom y@z Tue Jan  3 10:00:00 2023\nSubject: t\n\n", True),
        ("\nFrom - Tue Jan 03 10:00:00 2023\nX-Mozilla-Status: 0001\nSubject: t\n\n", True),
        ("\nFrom 177@xxx Tue Jan 03 10:00:00 +0000 2023\nX-GM-THRID: 177\n\n", True),
        ("\nFrom jo at example.org  Tue Jan  3 10:00:00 PST 2023\nFrom: jo at example.org (Jo)\n\n", True),
        ("\nFrom y@z Tue, 3 Jan 2023 10:00:00 +0000\nSubject: t\n\n", True),
        ("\nFrom there on, it rained.\nNote: bring a coat.\n\n", False),
        ("\nFrom Tuesday 3 January 2023 on\nNote: bring a coat.\n\n", False),
        ("\nFrom y@z\nSubject: t\n\n", False),
        ("\nFrom y@z Tue Jan  3 10:00:00 2023\nhe wrote to us\n\n", False),
        ("\nFrom y@z Tue Jan  3 10:00:00 2023\n\nSubject: t\n\n", False),
        ("From y@z Tue Jan  3 10:00:00 2023\nSubject: t\n\n", False),
        ("\n>From y@z Tue Jan  3 10:00:00 2023\nSubject: t\n\n", False),
        ("\n From y@z Tue Jan  3 10:00:00 2023\nSubject: t\n\n", False),
        ("x" * 65_536 + "\nFrom y@z Tue Jan  3 10:00:00 2023\nSubject: t\n\n", False),
    ],
)
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_only_a_mail_ends_the_mail_before_it(tmp_path, line, ends, line_end):
    folder = f"{FIRST}\nSubject: s\n\nrain\n{line}sun\n\n".replace("\n", line_end)
    documents, omissions = parts(write(tmp_path, folder, "a.mbox"))
    assert omissions == []
    if ends:
        assert [document.text.strip() for document in documents] == ["rain", "sun"]
    else:
        (document,) = documents
        assert document.text.split() == f"rain {line} sun".split()


def test_mails_of_a_folder_without_dates_need_none(tmp_path):
    folder = "From a@b\nSubject: s\n\nrain\n\nFrom there\non, sun.\n\nFrom c@d\nSubject: t\n\nhail\n"
    documents, _ = parts(write(tmp_path, folder, "a.mbox"))
    assert [document.text for document in documents] == ["rain\n\nFrom there\non, sun.", "hail"]


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(st.sampled_from(["a", " ", "\n", ":", ">", "From "])).map("".join), min_size=1, max_size=4))
def test_folders_that_python_writes_are_read_as_python_reads_them(tmp_path, bodies):
    path = tmp_path / "a.mbox"
    path.unlink(missing_ok=True)
    folder = mailbox.mbox(path)
    for body in bodies:
        folder.add(f"Subject: s\n\n{body}")
    folder.flush()
    with path.open("rb") as file:
        assert list(mails(file, 10_000)) == [folder.get_bytes(key) for key in folder.iterkeys()]
    folder.close()


def test_of_a_long_mail_one_byte_more_than_the_limit_is_kept():
    folder = f"{FIRST}\nSubject: s\n\n{'rain' * 50_000}\n{'x' * 99}\n\n{FIRST}\nSubject: t\n\nsun\n"
    first, second = mails(io.BytesIO(folder.encode()), 1_000)
    assert (len(first), second) == (1_001, b"Subject: t\n\nsun\n")


def test_every_document_of_a_folder_has_an_id_of_its_own(tmp_path):
    folder = "".join(f"From x@y\nMessage-ID: {name}\n\n{name}\n\n" for name in ("<1>", "<1>", "<1>#2"))
    (file,) = load(write(tmp_path, folder, "a.mbox"))
    assert len({document.id for document in file.documents}) == 3
