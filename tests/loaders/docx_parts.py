"""Parts of Word documents as XML, written by hand so that each can be what writers do not make."""

from __future__ import annotations

_NAMES = {
    "w": "http://schemas.openxmlformats.org/wordprocessingml/2006/main",
    "r": "http://schemas.openxmlformats.org/officeDocument/2006/relationships",
    "m": "http://schemas.openxmlformats.org/officeDocument/2006/math",
    "mc": "http://schemas.openxmlformats.org/markup-compatibility/2006",
    "wp": "http://schemas.openxmlformats.org/drawingml/2006/wordprocessingDrawing",
    "wps": "http://schemas.microsoft.com/office/word/2010/wordprocessingShape",
    "a": "http://schemas.openxmlformats.org/drawingml/2006/main",
    "c": "http://schemas.openxmlformats.org/drawingml/2006/chart",
    "dgm": "http://schemas.openxmlformats.org/drawingml/2006/diagram",
    "v": "urn:schemas-microsoft-com:vml",
    "o": "urn:schemas-microsoft-com:office:office",
}
NAMES = " ".join(f'xmlns:{prefix}="{uri}"' for prefix, uri in _NAMES.items())
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"


def run(text: str) -> str:
    return f'<w:r><w:t xml:space="preserve">{text}</w:t></w:r>'


def paragraph(*parts: str) -> str:
    return f"<w:p>{''.join(parts)}</w:p>"


def equation(xml: str) -> str:
    return paragraph(f"<m:oMath>{xml}</m:oMath>")


def letters(text: str) -> str:
    return f"<m:r><m:t>{text}</m:t></m:r>"


BEGIN, SEPARATE, END = (f'<w:r><w:fldChar w:fldCharType="{kind}"/></w:r>' for kind in ("begin", "separate", "end"))
RESTART = '<w:vMerge w:val="restart"/>'


def field(inside: str, form: str = "") -> str:
    begin = f'<w:r><w:fldChar w:fldCharType="begin"><w:ffData>{form}</w:ffData></w:fldChar></w:r>'
    return begin + inside + END


def span(columns: str) -> str:
    return f'<w:gridSpan w:val="{columns}"/>'


def cell(text: str, properties: str = "") -> str:
    return f"<w:tc><w:tcPr>{properties}</w:tcPr>{paragraph(run(text))}</w:tc>"


CHART = (
    "<c:chartSpace NAMES><c:title><a:t>Rain</a:t></c:title><c:ser><c:tx><c:v>mm</c:v></c:tx>"
    "<c:cat><c:pt idx='0'><c:v>May</c:v></c:pt><c:pt idx='1'><c:v>June</c:v></c:pt></c:cat>"
    "<c:val><c:pt idx='0'><c:v>31</c:v></c:pt><c:pt idx='1'><c:v>7</c:v></c:pt></c:val></c:ser></c:chartSpace>"
)
DIAGRAM = (
    "<dgm:dataModel NAMES><dgm:pt><a:p><a:r><a:t>Plan</a:t></a:r></a:p></dgm:pt>"
    "<dgm:pt type='pres'><a:p><a:r><a:t>shown as</a:t></a:r></a:p></dgm:pt></dgm:dataModel>"
)
