"""Mails to be written, and what is read of them."""

from __future__ import annotations

from email.message import EmailMessage

from late_rag.loaders import load


def mail(subject="Tides", body="The sea rises.\n", **headers):
    message = EmailMessage()
    message["Subject"] = subject
    for name, value in headers.items():
        message[name.replace("_", "-")] = value
    message.set_content(body)
    return message


def write(tmp_path, content, name="a.eml"):
    path = tmp_path / name
    path.write_bytes(content.encode() if isinstance(content, str) else bytes(content))
    return path


def parts(path, **options):
    (file,) = load(path, **options)
    documents = list(file.documents)
    assert file.error is None
    return documents, [omission.what for omission in file.omissions]
