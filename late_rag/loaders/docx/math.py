"""Equations of Office (OMML, ECMA-376 part 1, chapter 22) in one line, as one writes them with a keyboard."""

from __future__ import annotations

from typing import Any

from late_rag.loaders.docx.package import child

_LEFT_OUT = frozenset(("w:del", "w:moveFrom", "w:rPr", "w:instrText"))


def equation(element: Any) -> str:
    """The letters, numbers and signs of an equation in order: ``(a+b)/2``, ``x^2``, ``∑_(i=1)^n i``."""
    return " ".join(_written(element).split())


def _written(element: Any) -> str:
    name = element.tag
    if name in ("m:t", "w:t"):
        return element.text or ""
    if name in _LEFT_OUT or (name.startswith("m:") and name.endswith("Pr")):
        return ""
    write = _FORMS.get(name)
    return write(element) if write else "".join(map(_written, element))


def _part(element: Any, name: str) -> str:
    part = child(element, name)
    return "" if part is None else _written(part)


def _parts(element: Any, name: str) -> list[str]:
    return [_written(part) for part in element if part.tag == name]


def _group(text: str) -> str:
    """In brackets, unless it is one number or one sign."""
    return text if len(text) < 2 or text.isalnum() else f"({text})"


def _script(mark: str, text: str) -> str:
    return f"{mark}{_group(text)}" if text.strip() else ""


def _sign(element: Any, name: str, default: str) -> str:
    """A character that a form has as a property, which may be set to none."""
    sign = child(element, f"{element.tag}Pr", name)
    return default if sign is None else str(sign.get("m:val", ""))


def _fraction(element: Any) -> str:
    return f"{_group(_part(element, 'm:num'))}/{_group(_part(element, 'm:den'))}"


def _scripts(element: Any) -> str:
    base = _part(element, "m:e")
    return f"{base}{_script('_', _part(element, 'm:sub'))}{_script('^', _part(element, 'm:sup'))}"


def _scripts_before(element: Any) -> str:
    before = _script("_", _part(element, "m:sub")) + _script("^", _part(element, "m:sup"))
    return f"{before} {_part(element, 'm:e')}"


def _limit(element: Any) -> str:
    mark = "_" if element.tag == "m:limLow" else "^"
    return f"{_part(element, 'm:e')}{_script(mark, _part(element, 'm:lim'))}"


def _root(element: Any) -> str:
    return f"{_part(element, 'm:deg')}√{_group(_part(element, 'm:e'))}"


def _sum(element: Any) -> str:
    limits = _script("_", _part(element, "m:sub")) + _script("^", _part(element, "m:sup"))
    return f"{_sign(element, 'm:chr', '∫')}{limits} {_part(element, 'm:e')}"


def _brackets(element: Any) -> str:
    begin, end, between = (
        _sign(element, name, default) for name, default in (("m:begChr", "("), ("m:endChr", ")"), ("m:sepChr", "|"))
    )
    return begin + between.join(_parts(element, "m:e")) + end


def _accent(element: Any) -> str:
    return _part(element, "m:e") + _sign(element, "m:chr", "\u0302")


def _function(element: Any) -> str:
    return f"{_part(element, 'm:fName')} {_part(element, 'm:e')}"


def _matrix(element: Any) -> str:
    return "; ".join(", ".join(_parts(row, "m:e")) for row in element if row.tag == "m:mr")


def _lines(element: Any) -> str:
    return "; ".join(_parts(element, "m:e"))


_FORMS = {
    "m:f": _fraction,
    "m:sSub": _scripts,
    "m:sSup": _scripts,
    "m:sSubSup": _scripts,
    "m:sPre": _scripts_before,
    "m:limLow": _limit,
    "m:limUpp": _limit,
    "m:rad": _root,
    "m:nary": _sum,
    "m:d": _brackets,
    "m:acc": _accent,
    "m:func": _function,
    "m:m": _matrix,
    "m:eqArr": _lines,
}
