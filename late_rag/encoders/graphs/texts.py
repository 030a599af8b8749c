"""Texts that the ranges of activations are taken from, and others that int8 is checked with: languages, prose, code."""

from __future__ import annotations

MEASURED = (
    (
        "The council approved the plan for a new bridge across the river on Tuesday, after two years of "
        "debate about its cost. Work should begin in spring and take eighteen months; until then the ferry "
        "will run twice as often. Residents of the old town had asked for a tunnel, which engineers "
        "rejected because of the ground water."
    ),
    (
        "An experimental study of a wing in a propeller slipstream was made in order to determine the "
        "spanwise distribution of the lift increase due to slipstream at different angles of attack of the "
        "wing and at different free stream to slipstream velocity ratios. The results agree with theory "
        "for the ratios 1.25 and 2.0."
    ),
    (
        "How do I claim the cost of travel? Fill in form T-7 within 30 days, attach every receipt (photos "
        "are fine), and send it to accounts@example.org. Claims over 500 EUR need a signature of your "
        "manager; see section 4.2."
    ),
    (
        'def mean(values: list[float]) -> float:\n    """Arithmetic mean."""\n    if not values:\n   '
        '     raise ValueError("no values")\n    return sum(values) / len(values)\n\nfor row in '
        'table[1:]:\n    print(row["id"], f"{mean(row[\'x\']):.3f}")'
    ),
    (
        "SELECT customer_id, COUNT(*) AS orders FROM sales WHERE created_at >= '2024-01-01' GROUP BY "
        "customer_id HAVING COUNT(*) > 10 ORDER BY orders DESC; -- the largest customers of the year"
    ),
    (
        "Der Mietvertrag kann von beiden Seiten mit einer Frist von drei Monaten zum Monatsende gekündigt "
        "werden. Die Kaution beträgt zwei Monatsmieten und wird nach dem Auszug mit Zinsen zurückgezahlt."
    ),
    (
        "La photosynthèse est le processus par lequel les plantes transforment la lumière du soleil, l'eau "
        "et le dioxyde de carbone en sucre et en oxygène ; elle a lieu dans les chloroplastes."
    ),
    (
        "El paciente presentaba fiebre de 39 grados, tos seca y dolor de cabeza desde hacía tres días. Se "
        "le recetó reposo, mucha agua y paracetamol cada ocho horas."
    ),
    "北京是中华人民共和国的首都，也是全国的政治、文化中心。这座城市有三千多年的历史，故宫和长城每年吸引数百万游客。",
    ("تقع مدينة القاهرة على ضفاف نهر النيل، وهي أكبر مدن مصر وعاصمتها. يزورها ملايين السياح كل عام لرؤية الأهرامات."),
    (
        "Квантовая механика описывает поведение частиц на атомном уровне; её уравнения дают не точные "
        "значения, а вероятности. Первые опыты были проведены в начале двадцатого века."
    ),
    "東京の地下鉄は一日に八百万人以上が利用する。始発は午前五時ごろで、終電は深夜零時過ぎである。",
    "what is the boiling point of water at high altitude",
    (
        "Revenue rose 12.4% to $3.18bn (2022: $2.83bn); operating margin fell from 21.0% to 19.7%, mainly "
        "because of energy prices. The board proposes a dividend of 45 cents a share, payable on 14 June."
    ),
    (
        "Vitamin D3 (cholecalciferol, C27H44O) is made in the skin under UV-B light. A deficiency, i.e. "
        "less than 30 nmol/l of 25-OH-D in serum, leads to rickets in children and to osteomalacia in "
        "adults."
    ),
    (
        "🚀 Release 2.0 is out! 🎉 Faster start, dark mode 🌙, fewer bugs 🐛. Thanks to @everyone who helped "
        "<3 https://example.org/changelog#v2"
    ),
)

CHECKED = (
    (
        "The treaty was signed in 1648 and ended thirty years of war in central Europe. It gave the "
        "princes the right to choose the religion of their lands, and recognised the independence of the "
        "Netherlands and of Switzerland."
    ),
    (
        "To reset the router, hold the small button on its back for ten seconds until all lights go out. "
        "Then open 192.168.1.1 in a browser, log in as admin, and set a new password under System > "
        "Security."
    ),
    (
        "A shock wave stands off in front of a blunt body in supersonic flow; its distance depends on the "
        "Mach number and on the radius of the nose. Heat transfer is largest at the stagnation point."
    ),
    "class Stack<T> { private items: T[] = []; push(item: T): void { this.items.push(item); } }",
    "Die Bäckerei an der Ecke öffnet um sechs Uhr und verkauft sonntags nur Brötchen.",
    "水在一百摄氏度时沸腾，但在高山上沸点会降低。",
    "يجب على الموظفين تقديم طلب الإجازة قبل أسبوعين على الأقل.",
    "who wrote the first computer program",
)
