"""Files whose end is missing are read as far as they go, and that they are cut off is told."""

from __future__ import annotations

import pytest

from late_rag import load

MAIL = """Subject: Tides
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary="b"

--b
Content-Type: text/plain

The tide turns at six.
--b
Content-Type: text/plain
Content-Disposition: attachment; filename="note.txt"

Bring the lamp.
--b--
"""
PAGE = MAIL.replace("text/plain", "text/html").replace("The tide turns at six.", "<p>The tide turns at six.</p>")
RTF = r"{\rtf1\ansi The tide turns at six.\par {\b Bring \{ the lamp.}\par}"


@pytest.mark.parametrize(("name", "content"), [("a.eml", MAIL), ("a.mht", PAGE), ("a.rtf", RTF)])
def test_a_file_whose_end_is_missing_is_told(tmp_path, name, content):
    path = tmp_path / name
    path.write_text(content)
    (file,) = load(path)
    whole = [document.text for document in file.documents]
    assert "The tide turns at six." in whole[0]
    assert file.omissions == []
    path.write_text(content[: content.index("Bring") + 9])
    (file,) = load(path)
    assert "The tide turns at six." in next(iter(file.documents)).text
    list(file.documents)
    assert [omission.what.partition(":")[0] for omission in file.omissions] == ["its end, which is cut off"]
    assert file.omissions[0].lost


def test_a_mail_that_ends_in_its_headers_is_told(tmp_path):
    path = tmp_path / "a.eml"
    path.write_text(MAIL[:23])
    (file,) = load(path)
    list(file.documents)
    assert file.error or file.omissions[0].what.startswith("its end, which is cut off")
