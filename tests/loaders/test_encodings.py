"""Encodings that a text file does not name: some thirty languages, short and long, alone and among English."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from late_rag.loaders.decoding import decode, detect_encoding, read_text

CASES = Path(__file__).parents[1] / "cases"
WIDE = ("utf-16-le", "utf-16-be")
CENTRAL = ("cp1250", "iso8859-2")

TEXTS = [
    ("Die Brücke über den Fluß wurde im März gesperrt, weil die Pfeiler geprüft werden.", ("cp1252", *WIDE)),
    ("La forêt était fermée à cause des tempêtes de février, où les élèves étudient.", ("cp1252", *WIDE)),
    ("La estación registró más lluvia este año. ¿Cómo está el camino mañana?", ("cp1252", "utf-16-le")),
    ("A ponte será reaberta amanhã; as crianças não poderão atravessar até à inspeção.", ("cp1252",)),
    ("Vädret på ön är kallare. Fåglarna flyger söderut när hösten kommer.", ("cp1252",)),
    ("Il caffè è già pronto, però la libertà di scegliere è più importante.", ("cp1252",)),
    ("Łódź to miasto, które ma długą historię. Wiosną rzeka wylewa, więc trzeba śledzić mapę.", (*CENTRAL, *WIDE)),
    ("Most přes řeku byl uzavřen, protože se musí důkladně prohlédnout jeho pilíře. Šťastnou cestu.", CENTRAL),
    ("Most cez rieku bol uzavretý, pretože sa musia dôkladne prezrieť jeho piliere. Príde večer, keď môže.", CENTRAL),
    ("A híd a folyó fölött le van zárva, mert meg kell vizsgálni a pilléreit, és csak később nyílik meg.", CENTRAL),
    ("Most preko rijeke zatvoren je jer se moraju pregledati stupovi, kaže načelnik općine Đurđevac.", CENTRAL),
    ("Most čez reko je zaprt, ker morajo pregledati stebre; šele prihodnji teden bo odprt, pravi župan.", CENTRAL),
    ("Köprü kapalı, çünkü ayakların incelenmesi gerekiyor. Şimdi yağmur yağıyor.", ("cp1254", *WIDE)),
    ("Tiltas per upę uždarytas, nes reikia kruopščiai apžiūrėti atramas, sako meras.", ("cp1257",)),
    ("Мост через реку закрыт, потому что нужно осмотреть опоры.", ("cp1251", "koi8-r", "cp866", "iso8859-5", *WIDE)),
    ("Міст через річку закрито, тому що потрібно оглянути опори, каже мер.", ("cp1251", "koi8-u", *WIDE)),
    ("Мостът над реката е затворен, защото трябва да се прегледат опорите.", ("cp1251", "iso8859-5")),
    ("Η γέφυρα πάνω από το ποτάμι είναι κλειστή, επειδή ελέγχεται.", ("cp1253", "iso8859-7", *WIDE)),
    ("הגשר מעל הנהר סגור כי צריך לבדוק היטב את העמודים.", ("cp1255", *WIDE)),
    ("الجسر فوق النهر مغلق لأنه يجب فحص الأعمدة بعناية.", ("cp1256", *WIDE)),
    ("สะพานข้ามแม่น้ำปิดเพราะต้องตรวจสอบเสาอย่างละเอียด", ("cp874", *WIDE)),
    ("川に架かる橋は、橋脚を調べる必要があるため閉鎖されています。", ("shift_jis", "euc_jp", "iso2022_jp", *WIDE)),
    ("ﾊｼを調べる必要がある。", ("iso2022_jp_ext",)),
    ("河上的桥已经关闭,因为必须仔细检查桥墩。", ("gbk", "gb18030", *WIDE)),
    ("河上的橋已經關閉,因為必須仔細檢查橋墩。", ("big5", *WIDE)),
    ("강 위의 다리는 교각을 자세히 점검해야 하기 때문에 닫혀 있습니다.", ("cp949", "euc_kr", "iso2022_kr", *WIDE)),
]
ENGLISH = "The bridge is closed until the pillars have been inspected.\n" * 700


@pytest.mark.parametrize(("text", "encoding"), [(text, encoding) for text, many in TEXTS for encoding in many])
def test_text_in_its_encoding(tmp_path, text, encoding):
    file = tmp_path / "note.txt"
    for content in (text, f"{text}\n" * 400, f"{ENGLISH}{text}\n"):
        file.write_bytes(content.encode(encoding))
        assert read_text(file).text == content
        assert decode(file.read_bytes(), file).text == content


@pytest.mark.parametrize("want", sorted((CASES / "enc").glob("*.want")), ids=lambda path: path.stem)
def test_cases(want):
    file = want.with_suffix(".txt")
    if file.exists():
        assert read_text(file).text == want.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("latin2.txt", "Zażółć gęślą jaźń, proszę państwa. Łódź jest dużym miastem."),
        ("utf16nobom.txt", "Plain words in sixteen bits.\nAnd more.\n"),
        ("utf16cjk_nobom.txt", "吾輩は猫である。名前はまだ無い。どこで生れたか"),
        ("greek.txt", "Η γρήγορη καφετιά αλεπού πηδάει πάνω από το τεμπέλικο σκυλί."),
        ("hebrew.txt", "שלום עולם, זהו קובץ ישן."),
        ("sjis.txt", "吾輩は猫である。名前はまだ無い。"),
        ("cp1252_curly.txt", "“Quotes” – and café, naïve… costs €5"),
        ("ansi.log", "\x1b[31mERROR\x1b[0m failed to open valve\n\x1b[32mINFO\x1b[0m ok\n"),
    ],
)
def test_cases_of_text(name, text):
    assert read_text(CASES / "txt" / name).text == text


def test_escapes_may_come_late(tmp_path):
    file = tmp_path / "late.txt"
    file.write_bytes(ENGLISH.encode() * 60 + "橋は閉まっている".encode("iso2022_jp"))
    assert read_text(file).text.endswith("橋は閉まっている")
    file.write_bytes("colour \x1b[31mred\x1b[0m, café".encode())
    assert detect_encoding(file) == "utf-8"


def test_the_encoding_of_a_large_file_is_found_in_a_moment(tmp_path):
    file = tmp_path / "large.txt"
    for text, encoding in (("橋は閉まっている。", "shift_jis"), ("Příliš žluťoučký kůň. ", "cp1250")):
        file.write_bytes(text.encode(encoding) * 1_000_000)
        began = time.process_time()
        assert detect_encoding(file) in (encoding, "cp932")
        assert time.process_time() - began < 5


@pytest.mark.parametrize(
    "content",
    [
        b"id,text\n1,a\xe9\x00b\n2,c\n",
        b"id,text\n1,caf\xe9\x00 open\n2,M\xfcller is here\n3,the quay is closed\n",
        b"Caf\xe9\x00 open on Sunday",
        b"id,text\n" + b"".join(b"%d,M\xfcller is here at the quay\n" % n for n in range(28)) + b"28,a\x00b\x00c\n",
    ],
)
def test_a_zero_byte_makes_text_neither_binary_nor_wide(tmp_path, content):
    file = tmp_path / "note.csv"
    file.write_bytes(content)
    assert read_text(file).text == content.decode("cp1252").replace("\0", " ")


def test_wide_text_of_a_script_without_an_encoding_of_its_own(tmp_path):
    file = tmp_path / "note.txt"
    for encoding in WIDE:
        text = "पुल बंद है क्योंकि खंभों की जाँच करनी है।\nकल खुलेगा।\n"
        file.write_bytes(text.encode(encoding))
        assert read_text(file).text == text


@pytest.mark.parametrize("step", [7, 11, 19, 31])
def test_one_zero_byte_anywhere_loses_no_line(tmp_path, step):
    file = tmp_path / "note.csv"
    content = b"id,text\n1,caf\xe9 on the quay\n2,a b c\n3,aaaa\n"
    for length in range(24, len(content), 5):
        for at in range(8, length, step):
            file.write_bytes(content[:at] + b"\0" + content[at:length])
            assert read_text(file).text.startswith("id,text\n")
