"""Names of encodings, as the web, mails and XML have them."""

from __future__ import annotations

import pytest

from late_rag.loaders.labels import mail_codec, page_codec


@pytest.mark.parametrize(
    ("label", "in_page", "in_mail"),
    [
        (None, None, None),
        ("", None, None),
        (" UTF8 ", "utf-8", "utf-8"),
        ("latin1", "cp1252", "cp1252"),
        ("gb2312", "gb18030", "gb18030"),
        ("ks_c_5601-1987", "cp949", "cp949"),
        ("x-user-defined", "cp1252", "cp1252"),
        ("utf-16", "utf-8", "utf-16-le"),
        ("iso-2022-kr", None, "iso2022_kr"),
        ("cp850", None, "cp850"),
        ("no-such-thing", None, None),
        ("a\0b", None, None),
    ],
)
def test_codecs_of_labels(label, in_page, in_mail):
    assert (page_codec(label), mail_codec(label)) == (in_page, in_mail)
