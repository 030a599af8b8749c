"""Mails, mail folders and saved pages: headers, bodies, attachments; broken, nested and hostile."""

from __future__ import annotations

import base64
import shutil
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from late_rag.errors import LoadError
from late_rag.loaders import load
from late_rag.loaders.mail import MailLoader
from late_rag.loading import LoadOptions
from late_rag.types import Omission
from tests.loaders.mails import mail, parts, write

CASES = Path(__file__).parents[1] / "cases"


def test_headers_are_metadata_and_the_body_is_the_text(tmp_path, one_document):
    message = mail(
        "Überraschung — 日本",
        "Plain — text\n",
        From="Jörg Müller <j@example.org>",
        To='"Doe, Jane" <jane@example.org>, b@example.org',
        Date="Mon, 02 Jan 2023 10:00:00 +0100",
        Message_ID="<1@example.org>",
        In_Reply_To="<0@example.org>",
    )
    message.add_alternative("<p>HTML</p>", subtype="html")
    document = one_document(write(tmp_path, message))
    assert document.text == "Plain — text"
    assert document.metadata == {
        "mime_type": "message/rfc822",
        "title": "Überraschung — 日本",
        "from": "Jörg Müller <j@example.org>",
        "to": ["Doe, Jane <jane@example.org>", "b@example.org"],
        "date": "2023-01-02T10:00:00+01:00",
        "message_id": "<1@example.org>",
        "in_reply_to": "<0@example.org>",
    }


def test_pages_in_mails_are_markdown(tmp_path, one_document):
    html = "Subject: s\nContent-Type: text/html; charset=iso-8859-1\nContent-Transfer-Encoding: quoted-printable\n\n"
    assert one_document(write(tmp_path, f"{html}<h1>Caf=E9</h1><p>open</p>")).text == "# Café\n\nopen"


def test_a_page_in_a_mail_may_say_its_encoding_itself(tmp_path, one_document):
    page = "<meta charset=koi8-r><p>Привет, как дела?</p>".encode("koi8-r")
    assert one_document(write(tmp_path, b"Subject: s\nContent-Type: text/html\n\n" + page)).text == "Привет, как дела?"


def test_a_mail_without_text_is_found_by_its_subject(tmp_path, one_document):
    assert one_document(write(tmp_path, "Subject: only this\n\n")).text == "only this"


@pytest.mark.parametrize("charset", ["bogus", "windows-1252", "us-ascii", "utf-8"])
def test_raw_bytes_and_wrong_names_of_encodings(tmp_path, one_document, charset):
    said = "Schöne Grüße aus Köln, sagte er auf der Straße"
    text = f"Subject: {said}\nFrom: Jürgen <j@x>\nContent-Type: text/plain; charset={charset}\n\n{said}\n"
    document = one_document(write(tmp_path, text.encode("cp1252")))
    assert document.text == document.metadata["title"] == said
    assert document.metadata["from"] == "Jürgen <j@x>"


@pytest.mark.parametrize(
    ("name", "head", "told"),
    [
        ("a.eml", "Content-Type: text/plain; charset=utf-8\n\n", "text of the mail: "),
        ("a.eml", "Content-Type: text/html; charset=utf-8\n\n", "text of the mail: "),
        ("a.eml", "Content-Type: text/html\n\n", "text of the mail: "),
        ("a.mht", "Content-Type: text/html\n\n", ""),
    ],
)
def test_bytes_that_are_no_text_are_told(tmp_path, name, head, told):
    path = write(tmp_path, f"Subject: s\n{head}größer\n".encode() + b"caf\xff\n", name)
    (document,), omissions = parts(path)
    assert document.text.split() == ["größer", "caf\ufffd"]
    assert omissions == [
        f"{told}bytes in line 2 that are not in the encoding of the file, which is taken for UTF-8: U+FFFD is there"
    ]


def test_encodings_of_mails_that_the_web_does_not_know(tmp_path, one_document):
    text = "강 위의 다리는 닫혀 있습니다."
    head = b"Subject: =?iso-2022-kr?B?" + base64.b64encode(text.encode("iso2022_kr")) + b"?=\n"
    body = b"Content-Type: text/plain; charset=iso-2022-kr\n\n" + text.encode("iso2022_kr")
    document = one_document(write(tmp_path, head + body))
    assert (document.metadata["title"], document.text) == (text, text)


def test_encoded_words_of_any_kind(tmp_path, one_document):
    subject = "=?koi8-r?B?8NLJ18XU?=\n =?utf-8?Q?_=C3=A9t=C3=A9?= and =?nope?Q?caf=E9_cr=E8me?= =?utf-8?B?!!?="
    assert one_document(write(tmp_path, f"Subject: {subject}\n\nx")).metadata["title"] == "Привет été and café crème"


def test_attachments_are_documents_by_their_loaders(tmp_path):
    message = mail(Date="Mon, 02 Jan 2023 10:00:00 +0000")
    message.add_attachment(b"id,text\n1,row one\n2,row two\n", maintype="text", subtype="csv", filename="Tabelle ü.csv")
    message.add_attachment("no loader, but text", subtype="x-foo", filename="notes.foo")
    message.add_attachment(b"# Head\n\nwords", maintype="application", subtype="octet-stream", filename="../../up.md")
    documents, omissions = parts(write(tmp_path, message))
    assert omissions == []
    assert [document.text for document in documents] == [
        "The sea rises.",
        "row one",
        "row two",
        "no loader, but text\n",
        "# Head\n\nwords",
    ]
    known = {"subject": "Tides", "date": "2023-01-02T10:00:00+00:00"}
    assert documents[1].metadata == {"mime_type": "text/csv", "row": 1, "attachment": "Tabelle ü.csv", **known}
    assert documents[4].metadata == {"mime_type": "text/markdown", "title": "Head", "attachment": "up.md", **known}
    assert len({document.id for document in documents}) == 5
    assert [document.id for document in parts(write(tmp_path, message))[0]] == [document.id for document in documents]


def test_a_type_stands_in_for_an_extension_and_own_values_for_those_of_the_mail(tmp_path):
    message = mail(Date="Mon, 02 Jan 2023 10:00:00 +0000")
    message.add_attachment(b"text,date\nrow one,1999-01-01\n", maintype="text", subtype="csv", filename="table")
    documents, omissions = parts(write(tmp_path, message))
    assert omissions == []
    assert (documents[1].text, documents[1].metadata["date"]) == ("row one", "1999-01-01")


def test_keys_name_the_attachment(tmp_path):
    message = mail()
    for words in ("one", "two"):
        message.add_attachment(words, filename="a.txt")
    items = MailLoader()(write(tmp_path, message), LoadOptions())
    assert [key for key, _ in items] == ["", "attachment/a.txt", "attachment/a.txt#2"]


def test_attachments_that_cannot_be_read_are_named(tmp_path, png):
    message = mail()
    message.add_attachment(b"%PDF-broken", maintype="application", subtype="pdf", filename="x.pdf")
    message.add_attachment(b"PK\x03\x04", maintype="application", subtype="zip", filename="z.zip")
    message.add_attachment(b"hi", maintype="application", subtype="octet-stream")
    message.add_attachment(b"", maintype="text", subtype="plain", filename="e.txt")
    message.add_attachment(png, maintype="image", subtype="png", filename="p.png")
    message.add_attachment(b"x", maintype="application", subtype="octet-stream", filename="b.eml")
    (document,), omissions = parts(write(tmp_path, message))
    assert document.text == "The sea rises."
    assert omissions[0].startswith("attachment 'x.pdf': is ")
    assert "/" not in omissions[0]
    assert omissions[1:] == [
        "attachment 'z.zip': there is no loader for .zip",
        "attachment 'application.bin': there is no loader for .bin",
        "attachment 'e.txt': is empty",
        "attachment 'p.png': has no text",
        "attachment 'b.eml': is no mail: it does not begin with headers such as 'Subject: …'",
    ]


def test_options_reach_attachments(tmp_path):
    message = mail()
    notebook = b'{"cells": [{"cell_type": "code", "source": "1", "outputs": [{"text": "seven"}]}]}'
    message.add_attachment(notebook, maintype="application", subtype="json", filename="n.ipynb")
    documents, omissions = parts(write(tmp_path, message))
    left_out = """attachment 'n.ipynb': outputs (read with include=["outputs"] or --include outputs)"""
    assert (documents[1].text, omissions) == ("```\n1\n```", [left_out])
    documents, omissions = parts(write(tmp_path, message), include=["outputs"])
    assert (documents[1].text, omissions) == ("```\n1\n```\n\n```\nseven\n```", [])


def test_mails_in_mails(tmp_path):
    inner = mail("Inner", "inner words\n", From="i@example.org")
    inner.add_attachment("deep words", filename="deep.txt")
    message = mail()
    message.add_attachment(inner)
    message.add_attachment(
        bytes(mail("By file", "file words\n")), maintype="application", subtype="x", filename="f.eml"
    )
    documents, omissions = parts(write(tmp_path, message))
    assert omissions == []
    assert [(document.text, document.metadata.get("attachment")) for document in documents] == [
        ("The sea rises.", None),
        ("file words", "f.eml"),
        ("inner words", "Inner"),
        ("deep words\n", "deep.txt"),
    ]
    assert next(d for d in documents if d.text == "inner words").metadata["from"] == "i@example.org"
    assert next(d for d in documents if d.text == "deep words\n").metadata["subject"] == "Inner"


def test_pictures_of_the_text_signatures_and_reports(tmp_path):
    related = (
        "Subject: s\nContent-Type: multipart/related; boundary=b\n\n--b\nContent-Type: text/html\n\n<p>Hi</p>\n"
        "--b\nContent-Type: image/png; name=logo.png\nContent-ID: <1>\n\nx\n"
        "--b\nContent-Type: application/pgp-signature\n\nx\n--b--\n"
    )
    (document,), omissions = parts(write(tmp_path, related))
    assert (document.text, omissions) == ("Hi", ["pictures in the text of the mail"])
    report = (
        "Subject: s\nContent-Type: multipart/report; boundary=b\n\n--b\n\nfailed\n--b\n"
        "Content-Type: message/delivery-status\n\nReporting-MTA: dns; x\n\nFinal-Recipient: rfc822; a@b\n--b--\n"
    )
    (document,), _ = parts(write(tmp_path, report))
    assert document.text == "failed\n\nReporting-MTA: dns; x\nFinal-Recipient: rfc822; a@b"


def test_attachments_beside_the_richer_text_are_kept(tmp_path):
    text = (
        "Subject: s\nContent-Type: multipart/alternative; boundary=b\n\n--b\n\nplain\n--b\n"
        "Content-Type: multipart/mixed; boundary=c\n\n--c\nContent-Type: text/html\n\n<p>rich</p>\n"
        '--c\nContent-Type: text/plain; name="n.txt"\nContent-Disposition: attachment\n\nattached\n--c--\n--b--\n'
    )
    documents, omissions = parts(write(tmp_path, text))
    assert [document.text.strip() for document in documents] == ["plain", "attached"]
    assert omissions == []


def test_encrypted_mails_are_told(tmp_path):
    text = "Subject: s\nContent-Type: multipart/encrypted; boundary=b\n\n--b\n\nx\n--b--\n"
    (document,), omissions = parts(write(tmp_path, text))
    assert (document.text, omissions) == ("s", ["the mail is encrypted"])


def test_every_document_of_a_mail_has_an_id_of_its_own(tmp_path):
    message = mail("s", "body\n")
    message.add_attachment("id,text\na,one\na/,two\n", subtype="csv", filename="a.csv")
    for name in ("a.txt", "a.txt", "a.txt#2"):
        message.add_attachment(name, filename=name)
    (file,) = load(write(tmp_path, bytes(message)))
    assert len({document.id for document in file.documents}) == 6


def test_a_saved_page(tmp_path, one_document, problem_of):
    path = tmp_path / "a.mht"
    shutil.copy(CASES / "html" / "mhtml.html", path)
    document = one_document(path)
    assert document.text.strip() == "Café is open — today"
    assert document.metadata == {"mime_type": "text/html", "title": "Page"}
    assert problem_of(write(tmp_path, "Subject: s\n\nx", "b.mhtml")) == "is no saved page: none of its parts is HTML"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.eml", "", "is empty"),
        ("a.eml", "x", "is no mail: it does not begin with headers such as 'Subject: …'"),
        ("a.eml", b"\x89PNG\r\n\x1a\n" + bytes(99), "is no mail: it begins like a PNG picture"),
        ("a.mht", "x", "is no saved page: it does not begin with headers such as 'Subject: …'"),
        ("a.mbox", "x", "is no mail folder (mbox): it does not begin with 'From '"),
        (
            "a.eml",
            "Content-Type: application/zip\n\nx",
            "has no text (attachment 'application.zip': there is no loader for .zip)",
        ),
    ],
)
def test_what_is_no_mail_is_told(tmp_path, problem_of, name, content, message):
    assert problem_of(write(tmp_path, content, name)) == message


def multiparts(depth):
    return "".join(f"Content-Type: multipart/mixed; boundary=b{n}\n\n--b{n}\n" for n in range(depth)) + "\nbody\n"


def beside_the_cut(omissions: list[str]) -> list[str]:
    """Without that of a mail whose parts are not ended."""
    return [omission for omission in omissions if not omission.startswith("its end, which is cut off")]


def test_nesting_has_limits_that_are_named(tmp_path, problem_of):
    documents, omissions = parts(write(tmp_path, "Subject: x\n" + multiparts(60)))
    assert beside_the_cut(omissions) == ["more than 50 parts of the mail stand inside each other"]
    message = "its parts stand inside each other too deeply to be read"
    assert problem_of(write(tmp_path, "Subject: x\n" + multiparts(3000))) == message
    nested = "Subject: x\n" + "Content-Type: message/rfc822\n\nSubject: y\n" * 30 + "\nbody"
    documents, omissions = parts(write(tmp_path, nested))
    assert len(documents) == 21
    assert beside_the_cut(omissions) == ["attachment 'y': more than 20 mails stand inside each other"]
    digest = "--b\nContent-Type: message/rfc822\n\nSubject: y\n\nz\n" * 502
    documents, omissions = parts(write(tmp_path, "Subject: x\nContent-Type: multipart/digest; boundary=b\n\n" + digest))
    assert len(documents) == 501
    assert beside_the_cut(omissions) == ["attachment 'y': more than 500 mails stand in this one"] * 2
    many = "Subject: x\nContent-Type: multipart/mixed; boundary=b\n\n" + "--b\n\nt\n" * 10_050
    assert beside_the_cut(parts(write(tmp_path, many))[1]) == ["the mail has too many parts; those behind are not read"]


@pytest.mark.parametrize("unit", ["(", ",", '"', "<", "\\", "=?a?q?", ";", "@", ":", "=?utf-8?q?a?= ", "a@b,"])
def test_hostile_headers_take_linear_time(tmp_path, unit):
    names = ("Subject", "To", "From", "Date", "Message-ID", "Content-Disposition: attachment; filename", "X: y\nCc")
    header = "".join(f"{name}: {unit * (200_000 // len(unit))}\n" for name in names)
    path = write(tmp_path, f"{header}Content-Type: text/plain; {unit * 50_000}\n\nbody\n")
    started = time.perf_counter()
    documents, _ = parts(path)
    assert "body" in documents[-1].text
    assert time.perf_counter() - started < 15


LINES = st.lists(
    st.sampled_from(
        [
            *("Subject: =?utf-8?b?w6k?=", "Subject: \udce9", "Content-Type: multipart/mixed; boundary=b", "", "--b"),
            *("--b--", 'Content-Type: text/html; charset="x', "Content-Type: message/rfc822", "words", "To: <<@>, (("),
            *("Content-Transfer-Encoding: base64", "Content-Disposition: attachment; filename*=x''%ff", "Date: 99"),
            *("Content-Type: multipart/alternative; boundary=b", "Content-Transfer-Encoding: uuencode", "<p>a<b>"),
        ]
    ),
    max_size=25,
)


@given(LINES)
def test_any_mail_is_read_or_told(tmp_path_factory, lines):
    path = tmp_path_factory.mktemp("mail") / "a.eml"
    path.write_bytes("\n".join(lines).encode("utf-8", "surrogateescape"))
    try:
        items = list(MailLoader()(path, LoadOptions()))
    except LoadError:
        assert not lines or ":" not in lines[0]
    else:
        assert all(isinstance(item, Omission) or item[1].text.encode() for item in items)
