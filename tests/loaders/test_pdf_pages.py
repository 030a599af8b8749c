"""PDF: the text of a page in reading order, whatever way it was drawn."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.loaders.pdf_parts import at, mapped, pdf

PROSE = [
    "The committee met in the spring and",
    "looked at the old bridge over the",
    "river. It was found to be sound, but",
    "the paint had to be renewed.",
]
SECOND = [
    "The second report is about ferries.",
    "They run from May to the end of",
    "September, twice a day, and cost",
    "three coins for a grown person.",
]


@pytest.fixture
def cases(repository):
    return repository / "tests" / "cases" / "pdf"


@pytest.fixture
def text_of(tmp_path, one_document):
    def read(content: bytes) -> str:
        file = tmp_path / "a.pdf"
        file.write_bytes(content)
        return one_document(file).text

    return read


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        ("grades", ["Ashby A 3", "Brill B 5", "Cole C 7"]),
        ("far_cells", ["200.01 1", "400.01 3", "600.01 5"]),
        ("skia_table", ["200.01 1", "400.01 3", "600.01 5"]),
        ("skia_table_words", ["Town People", "Ashby 120", "Brill 340"]),
        ("cells_close", ["200.01 1", "400.01 3", "1200.01 11"]),
        ("table", ["Town People Area", "Ashby 120 3.5", "Brill 7.0", "Cole 75"]),
        *((f"g_two_{gap}", ["Q1 3"] * 3) for gap in (60, 150, 300)),
        *((f"g_w_1_{gap}", ["Ashby 7"] * 3) for gap in (60, 150, 300)),
        *((f"g_w_n_{gap}", ["Ashby 120"] * 3) for gap in (60, 150, 300)),
        *((f"g_w_w_{gap}", ["Ashby Brill"] * 3) for gap in (60, 150, 300)),
        *((f"g_n_38_{gap}", ["400.01 38.50"] * 3) for gap in (60, 150, 300)),
        *((f"g_pct_{gap}", ["12 4%"] * 3) for gap in (60, 150, 300)),
        *((f"g_year_{gap}", ["2019 5"] * 3) for gap in (60, 150, 300)),
        *((f"g_s_1_{gap}", ["The long sentence here 7"] * 3) for gap in (60, 150, 300)),
        ("g_super", ["First line of the page.", "See the rules 3 and the other part.", "Water is H2O and more."]),
        ("super", ["area of 10^6 m, footnote"]),
        ("spaced", ["SPACED HEADING", "normal text"]),
        ("smallcaps", ["THE GOOSE"]),
        ("overlap", ["bold by overprint"]),
    ],
)
def test_cells_of_a_row(cases, one_document, name, rows):
    assert one_document(cases / f"{name}.pdf").text.splitlines() == rows


WIDTHS = {**dict.fromkeys("0123456789", 0.556), ".": 0.278, " ": 0.278, "-": 0.333, "i": 0.222, "W": 0.944, "A": 0.667}


def pieces(*drawn: tuple[str, float, float, float], y: float = 700) -> str:
    """Pieces of a line, each with the gap before it in points, the size of its letters and its height over the line."""
    content, x = "", 72.0
    for text, gap, size, rise in drawn:
        content += at(x + gap, y + rise, text, size=size)
        x += gap + sum(WIDTHS[letter] for letter in text) * size
    return content


def cells(gap: float, *texts: str) -> list[tuple[str, float, float, float]]:
    return [(text, gap if number else 0, 10, 0) for number, text in enumerate(texts)]


@pytest.mark.parametrize("gap", [1, 1.2, 1.5, 2, 3, 6])
@pytest.mark.parametrize("row", [("45.10", "37"), ("A", "400.01", "3"), ("iii", "-2"), ("WA 1", "A", "10")])
def test_cells_with_little_room_between_them(text_of, gap, row):
    content = "".join(pieces(*cells(gap, *row), y=700 - 20 * number) for number in range(3))
    assert text_of(pdf(content)).splitlines() == [" ".join(row)] * 3


@pytest.mark.parametrize(
    "line",
    [
        cells(0, "WAA", "iii", "WA"),
        cells(-0.4, "WAA", "AW", "WA"),
        cells(0.3, "WAA", "AW", "WA"),
        cells(1.0, *"WAiAWA"),
        [*cells(0, "WA", "iW", "iA", "AA", "WW"), ("ii", 1.0, 10, 0)],
    ],
)
def test_a_word_that_was_drawn_in_pieces_stays_whole(text_of, line):
    assert text_of(pdf(pieces(*line))) == "".join(text for text, *_ in line)


@pytest.mark.parametrize("rise", [3, 4, 5, 6])
@pytest.mark.parametrize(
    ("line", "text"),
    [
        ([("10", 10, 0), ("6", 6, 1), (" 3", 10, 0)], "10^6 3"),
        ([("10", 10, 0), ("-3", 6, 1), (" A", 10, 0)], "10^-3 A"),
        ([("2019", 10, 0), ("12", 6, 1)], "2019^12"),
        ([("10", 10, 0), ("6", 6, 1), ("3", 10, 0)], "10^6 3"),
    ],
)
def test_an_exponent_is_no_digit_of_its_number(text_of, rise, line, text):
    assert text_of(pdf(pieces(*((part, 0, size, rise * raised) for part, size, raised in line)))) == text


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    table=st.lists(
        st.lists(
            st.sampled_from(["7", "x", "Q1", "400.01", "2019", "Ashby", "4%", "a long cell of words"]),
            min_size=3,
            max_size=3,
        ),
        min_size=1,
        max_size=6,
    ),
    turn=st.integers(0, 3),
    page_turn=st.integers(0, 3),
    gap=st.sampled_from([130, 170]),
)
def test_any_table_turned_any_way(text_of, table, turn, page_turn, gap):
    """Cells are words of their own and rows are lines, whatever was drawn, and however it and the page are turned."""
    drawn = []
    for row, cells in enumerate(table):
        for column, cell in enumerate(cells):
            along, across = 60 + column * gap, 20 * row
            place = (
                (along, 700 - across),
                (60 + across, along),
                (560 - along, 60 + across),
                (540 - across, 700 - along),
            )[turn]
            drawn.append(at(*place, cell, turn=turn))
    content = pdf("".join(drawn), page=f"/MediaBox [0 0 600 800] /Rotate {90 * page_turn}")
    assert text_of(content).splitlines() == [" ".join(cells) for cells in table]


@pytest.mark.parametrize(
    "name",
    [
        "land_rot270_dn",
        "land_rot90_up",
        "plain_rot90",
        "rot90",
        "side_dn_rot0",
        "side_up_rot0",
        "sideways",
        "upside_rot0",
        "upside_rot180",
    ],
)
def test_turned_text_and_pages(cases, one_document, name):
    assert one_document(cases / f"{name}.pdf").text.splitlines() == PROSE


def test_text_of_two_directions_keeps_its_lines_together(text_of):
    upright = "".join(at(60, 700 - 14 * number, line) for number, line in enumerate(PROSE))
    down = "".join(at(500 - 14 * number, 700, line, turn=3) for number, line in enumerate(SECOND[:3]))
    assert text_of(pdf(down + upright)).splitlines() == [*PROSE, *SECOND[:3]]


def test_a_label_at_the_side_stays_in_its_place(text_of):
    content = at(30, 300, "Frequency", turn=1) + at(60, 700, "A chart of towns") + at(60, 680, "and of people")
    assert text_of(pdf(content)).splitlines() == ["Frequency", "A chart of towns", "and of people"]


def test_text_in_a_turned_form_is_not_turned_again(text_of):
    lines = "".join(f"1 0 0 1 0 {-14 * number} cm {at(0, 0, line)}" for number, line in enumerate(PROSE))
    assert (
        text_of(pdf(f"q -1 0 0 -1 500 100 cm {lines} Q", page="/MediaBox [0 0 600 800] /Rotate 180")).splitlines()
        == PROSE
    )


@pytest.mark.parametrize(
    ("name", "text"),
    [("outside", "inside words"), ("invisible", "invisible layer of a scan"), ("white", "white on white words")],
)
def test_what_is_outside_the_page_stays_out(cases, one_document, name, text):
    assert one_document(cases / f"{name}.pdf").text == text


def test_what_the_crop_box_cuts_off_stays_out(text_of):
    content = at(120, 700, "in the middle") + at(20, 700, "left") + at(420, 700, "right") + at(120, 760, "above")
    cropped = "/MediaBox [0 0 600 800] /CropBox [100 100 400 750]"
    assert text_of(pdf(content, page=cropped)) == "in the middle"


def test_columns_drawn_one_after_the_other(cases, one_document):
    assert one_document(cases / "cols_colwise.pdf").text.splitlines() == PROSE + SECOND


def test_columns_drawn_row_by_row(cases, one_document):
    assert one_document(cases / "cols_rowwise.pdf").text.splitlines() == PROSE + SECOND


def two_columns(left: list[str], right: list[str]) -> bytes:
    rows = enumerate(zip(left, right, strict=True))
    return pdf("".join(at(60, 700 - 14 * row, one) + at(300, 700 - 14 * row, other) for row, (one, other) in rows))


def test_a_heading_and_words_divided_in_columns(text_of):
    left = [
        "The committee met in the spring and",
        "looked at the old bridge over the in-",
        "terior river. It was sound, but the",
        "paint had to be renewed.",
    ]
    heading = at(60, 740, "A heading over both columns of the page, as wide as they are together")
    content = two_columns(left, SECOND).decode("latin-1")
    joined = content.replace("stream\nBT", f"stream\n{heading}BT", 1).replace("/Length ", "/Length 9")
    assert text_of(joined.encode("latin-1")).splitlines()[0] == heading.split("(")[1].split(")")[0]
    assert text_of(two_columns(left, SECOND)).splitlines() == [
        left[0],
        "looked at the old bridge over the interior river. It was sound, but the",
        left[3],
        *SECOND,
    ]


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (["Ashby", "Brill", "Cole", "Dunn", "Esk"], ["120", "340", "75", "12", "9"]),
        (
            [
                "The town of Ashby by the sea",
                "The village of Brill",
                "The city of Cole in the hills",
                "The port of Dunn",
            ],
            ["It has a hundred people", "It has three hundred people", "It has some seventy", "It has a dozen people"],
        ),
        (
            ["red apples from the garden", "green pears", "yellow plums from the south", "blue grapes"],
            ["three baskets of each kind", "two", "five baskets and a sack", "one basket"],
        ),
    ],
)
def test_a_table_is_read_row_by_row(text_of, left, right):
    rows = [f"{one} {other}" for one, other in zip(left, right, strict=True)]
    assert text_of(two_columns(left, right)).splitlines() == rows


ARABIC = {"m": "0645", "s": "0633", "l": "0644", "a": "0627", "y": "064A", "b": "0628", "h": "062D"}


@pytest.mark.parametrize(
    ("drawn", "code", "word"),
    [
        ("mLsla", "06440627", "السلام"),
        ("mLsla", "FEFB", "السلام"),
        ("L", "06440627", "لا"),
        ("ybL", "06440623", "لأبي"),
        ("yL", "062D0628064A0628", "حبيبي"),
    ],
)
def test_ligatures_of_arabic(text_of, drawn, code, word):
    """A page has its glyphs from left to right; a ligature's letters are given as they are read."""
    assert text_of(mapped(drawn, {**ARABIC, "L": code})) == word
