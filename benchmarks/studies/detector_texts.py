"""Texts of the kinds that requests hold, of any length and without personal data, so that the
search reads all of each."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from itertools import count, cycle
from random import Random

ENGLISH = (
    "The committee met in the old library on the second floor, where the windows look out over",
    "the river and the bridge. Please summarise the discussion in three paragraphs, and say who",
    "argued for the new timetable (from 2024 to 2031) and who preferred to wait another 18 months.",
    'Costs rose by 7.5% in the first quarter; "we can\'t go on like this", the treasurer said.',
    "Which of the four options would you recommend, and why? Explain your reasoning step by step.",
)
CHINESE = (
    "请把下面这段会议记录整理成三个要点，并指出各方意见的分歧所在。",
    "上个季度成本上升了7.5%，主要原因是原材料价格上涨以及物流费用增加。",
    "会议决定从2024年3月起试行新的排班制度，为期十八个月，再根据结果决定是否推广。",
    "“我们不能再这样下去了”，财务负责人说，“必须在年底之前拿出方案。”",
    "另外，三楼的五号会议室已经预订好了，请大家准时参加，一起讨论下一步的安排。",
)
CODE = (
    "def moving_average(values: list[float], width: int = 14) -> list[float]:",
    '    """The mean of each ``width`` neighbours; O(n) by a running sum."""',
    "    total, means = 0.0, []",
    "    for at, value in enumerate(values):",
    "        total += value - (values[at - width] if at >= width else 0.0)",
    "        means.append(total / min(at + 1, width))  # 1/width once it is full",
    "    return [round(mean, 3) for mean in means if mean % 2 != 0x1F and mean < 1_000]",
    "@app.get('/v1/means')",
    "async def means(request: Request) -> Response: return json_of(moving_average([1, 2.5, 40]))",
)


def english(chars: int) -> str:
    return _filled(cycle(ENGLISH), " ", chars)


def chinese(chars: int) -> str:
    return _filled(cycle(CHINESE), "", chars)


def code(chars: int) -> str:
    return _filled(cycle(CODE), "\n", chars)


def mixed(chars: int) -> str:
    """Chinese and English in turn."""
    return _filled(cycle([*CHINESE, *ENGLISH]), "\n", chars)


def json_numbers(chars: int) -> str:
    """Measurements, one object in a line."""
    random = Random(1)
    lines = (
        json.dumps(
            {
                "t": 1_717_398_261_904 + 1_000 * at,
                "temp_c": round(random.uniform(18, 26), 3),
                "pa": random.randint(100_900, 101_900),
                "xyz": [round(random.gauss(0, 1), 6) for _ in range(3)],
            }
        )
        for at in count()
    )
    return _filled(lines, "\n", chars)


def digits(chars: int) -> str:
    """A table of counts with commas between them."""
    random = Random(2)
    rows = (",".join(str(random.randint(10_000, 99_999)) for _ in range(8)) for _ in count())
    return _filled(rows, "\n", chars)


def base_64(chars: int) -> str:
    return base64.b64encode(Random(3).randbytes(chars)).decode()[:chars]


TEXTS: dict[str, Callable[[int], str]] = {
    "English prose": english,
    "Chinese prose": chinese,
    "Chinese and English": mixed,
    "code": code,
    "JSON with many numbers": json_numbers,
    "table of digits": digits,
    "base64": base_64,
}


def _filled(pieces: Iterator[str], between: str, chars: int) -> str:
    text, length = [], 0
    while length < chars:
        text.append(next(pieces) + between)
        length += len(text[-1])
    return "".join(text)[:chars]
