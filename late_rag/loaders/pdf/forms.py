"""Forms of a PDF: what was filled in, and forms of which the PDF is but a shell."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pypdfium2 import PdfDocument, PdfPage

_HIDDEN = 1 << 1 | 1 << 5  # flags of an annotation: hidden, not for viewing
_PASSWORD = 1 << 13  # flag of a field
_MOST_FIELDS = 10_000  # of a page
_CHECKED = frozenset(("yes", "on", "true", "1", "x"))
_NOTICE_LETTERS = 2000  # the notice of a shell is no longer


@contextmanager
def form_of(pdf: PdfDocument) -> Iterator[Any]:
    """What pdfium reads the values of form fields with, until the end of the block; None where there are no fields."""
    from pypdfium2 import raw

    if pdf.get_formtype() == raw.FORMTYPE_NONE:
        yield None
        return
    settings = raw.FPDF_FORMFILLINFO(version=2)
    form = raw.FPDFDOC_InitFormFillEnvironment(pdf, settings)
    try:
        yield form
    finally:
        raw.FPDFDOC_ExitFormFillEnvironment(form)


def is_shell(pdf: PdfDocument, texts: list[str]) -> bool:
    """Whether the PDF holds only a notice that another program is needed to show the form in it (XFA)."""
    from pypdfium2 import raw

    form, text = pdf.get_formtype(), " ".join(" ".join(texts).split()).lower()
    if len(text) > _NOTICE_LETTERS or len(texts) > 1:
        return False
    notice = "please wait" in text and "pdf viewer" in text
    dynamic = form == raw.FORMTYPE_XFA_FULL
    return notice or dynamic or (form == raw.FORMTYPE_XFA_FOREGROUND and "please wait" in text)


def field_values(form: Any, page: PdfPage) -> str:
    """What is filled in on a page, a field a line, with its description where it has one."""
    from pypdfium2 import raw

    raw.FORM_OnAfterLoadPage(page, form)  # before this, no box is checked
    try:
        lines = [line for annotation in _widgets(page) for line in _filled_in(form, annotation)]
    finally:
        raw.FORM_OnBeforeClosePage(page, form)
    return "\n".join(dict.fromkeys(lines))


def _widgets(page: PdfPage) -> Iterator[Any]:
    """The form fields that a page shows."""
    from pypdfium2 import raw

    for index in range(min(raw.FPDFPage_GetAnnotCount(page), _MOST_FIELDS)):
        annotation = raw.FPDFPage_GetAnnot(page, index)
        try:
            shown = annotation and not raw.FPDFAnnot_GetFlags(annotation) & _HIDDEN
            if shown and raw.FPDFAnnot_GetSubtype(annotation) == raw.FPDF_ANNOT_WIDGET:
                yield annotation
        finally:
            raw.FPDFPage_CloseAnnot(annotation)


def _filled_in(form: Any, field: Any) -> Iterator[str]:
    from pypdfium2 import raw

    label = " ".join(_string(raw.FPDFAnnot_GetFormFieldAlternateName, form, field).split())
    for value in _values(form, field):
        if value:
            yield f"{label}: {value}" if label and label != value else value


def _values(form: Any, field: Any) -> list[str]:
    from pypdfium2 import raw

    kind = raw.FPDFAnnot_GetFormFieldType(form, field)
    if kind == raw.FPDF_FORMFIELD_TEXTFIELD:
        secret = raw.FPDFAnnot_GetFormFieldFlags(form, field) & _PASSWORD
        return [] if secret else [_string(raw.FPDFAnnot_GetFormFieldValue, form, field)]
    if kind in (raw.FPDF_FORMFIELD_COMBOBOX, raw.FPDF_FORMFIELD_LISTBOX):
        return _selected(form, field) or [_string(raw.FPDFAnnot_GetFormFieldValue, form, field)]
    if kind in (raw.FPDF_FORMFIELD_CHECKBOX, raw.FPDF_FORMFIELD_RADIOBUTTON):
        return _checked(form, field)
    return []


def _selected(form: Any, field: Any) -> list[str]:
    """The options of a list that are chosen, as they are shown."""
    from pypdfium2 import raw

    count = min(raw.FPDFAnnot_GetOptionCount(form, field), _MOST_FIELDS)
    chosen = (index for index in range(count) if raw.FPDFAnnot_IsOptionSelected(form, field, index))
    return [_string(raw.FPDFAnnot_GetOptionLabel, form, field, index) for index in chosen]


def _checked(form: Any, field: Any) -> list[str]:
    """What a box or button that is checked stands for; a bare "Yes" says nothing without its description."""
    from pypdfium2 import raw

    if not raw.FPDFAnnot_IsChecked(form, field):
        return []
    value = _string(raw.FPDFAnnot_GetFormFieldExportValue, form, field)
    described = raw.FPDFAnnot_GetFormFieldAlternateName(form, field, None, 0) > 2  # more than its end
    return [value] if described or value.lower() not in _CHECKED else []


def _string(function: Callable[..., int], *arguments: Any) -> str:
    """What one of pdfium's functions writes as UTF-16, without NUL and with LF at line ends."""
    size = function(*arguments, None, 0)
    buffer = (ctypes.c_ushort * (size // 2 + 1))()
    function(*arguments, buffer, size)
    text = bytes(buffer).decode("utf-16-le", "ignore").partition("\0")[0]
    return text.replace("\r\n", "\n").replace("\r", "\n").strip()
