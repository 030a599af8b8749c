"""Names that pages, mails and XML have for encodings, and Python's codecs for them."""

from __future__ import annotations

import codecs

_SUPERSETS = {
    "big5": "big5hkscs",
    "euc-kr": "cp949",
    "gb18030": "gb18030",
    "gbk": "gb18030",
    "iso-8859-8-i": "iso-8859-8",
    "shift_jis": "cp932",
    "x-user-defined": "cp1252",
}
"""For encodings whose labels mean more than they say (https://encoding.spec.whatwg.org/#names-and-labels)."""


def page_codec(label: str | None) -> str | None:
    """For a label of the Encoding Standard that stands in the text itself; None where it is no such label.

    What could be read as ASCII as far as there is no UTF-16: browsers take it for UTF-8.
    """
    codec = _web_codec(label)
    return "utf-8" if codec and codec.startswith("utf-16") else codec


def mail_codec(label: str | None) -> str | None:
    """For a label that stands outside the text, by the Encoding Standard or, where it has none, by Python."""
    try:
        return _web_codec(label) or (codecs.lookup(label).name if label else None)
    except (LookupError, ValueError):
        return None


def _web_codec(label: str | None) -> str | None:
    import webencodings

    encoding = webencodings.lookup(label) if label else None
    if encoding is None or encoding.name == "replacement":
        return None
    return _SUPERSETS.get(encoding.name, str(encoding.codec_info.name))
