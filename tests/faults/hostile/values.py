"""Hostile values: texts, numbers, values of JSON, and bytes that are nearly right."""

import gzip
from random import Random
from typing import Any

TEXTS = [
    *(
        "",
        " ",
        "a",
        "\0",
        "a\0b",
        "\ud800",
        "x\udfffy",
        "\r\n",
        "\t",
        "\u202e",
        "\ufeff",
        "é",
        "é",
        "💥",
        "²",
        "１０",
        "٣",
    ),
    *("'; DROP TABLE catalogue_dsr; --", "%s%n{}", "../../etc/passwd", "<script>", "=1+1", "@SUM(A1)", "-1+1", "NULL"),
    *("null", "true", "x" * 256, "x" * 5000, "\\", '"', "{", "[", "a" * 101, "\u2028", "\x7f", "İ", "ß", "*" * 200),
]
NUMBERS = [
    *("0", "-0", "1", "-1", "1.0", "0.5", "1e2", "1e999999", "1e-999999", "-1e999999999999", "9" * 30, "9" * 31),
    *("9" * 5000, "0." + "1" * 61, "0" * 5000 + "1", "NaN", "Infinity", "-Infinity", "1_000", "+5", ".5", "5.", "0x10"),
    *(str(2**31 - 1), str(2**31), str(2**63 - 1), str(2**63), str(-(2**63)), "1,5", "1.5.5", "--1", "1e", "e5"),
]
DAYS = [
    *("2020-01-01", "2020-02-30", "0000-01-01", "0001-01-01", "9999-12-31", "10000-01-01", "2020-1-1", "2020-01"),
    *("2020-13", "2020-01-01T00:00:00", "2020-01-01T00:00:00Z", "2020-01-01T24:00:00Z", "2026-01-31T23:59:60Z"),
    *("2020-01-01T00:00:00+99:99", "1970-01-01T00:00:00.123456789Z", "2999-12-31T23:59:59-12:00", "now", "2020-W01"),
]
ALL_TEXTS = [*TEXTS, *NUMBERS, *DAYS]
# Values of JSON as they are written: some are none.
RAW_JSON = [
    *(
        "null",
        "true",
        "false",
        "[]",
        "{}",
        '""',
        '"a"',
        "[[]]",
        '{"a": 1}',
        '{"a": 1, "a": 2}',
        '"\\ud800"',
        '"\\u0000"',
    ),
    *(
        "[" * 990 + "]" * 990,
        "[" * 5000,
        '{"a":' * 993 + "1" + "}" * 993,
        "1e5",
        "tru",
        "'a'",
        "1 2",
        "[1,]",
        "\ufeff1",
    ),
]


def text(random: Random) -> str:
    return random.choice(ALL_TEXTS)


def json_value(random: Random) -> Any:
    """A value that `json.dumps` can write."""
    kind = random.randrange(6)
    if kind == 0:
        return random.choice([None, True, False, 0, -1, 1.5, 2**70, [], {}, [[]], {"a": {"a": []}}, [None], 1e308])
    if kind == 1:
        return [text(random) for _ in range(random.randrange(4))]
    if kind == 2:
        return {text(random): text(random) for _ in range(random.randrange(3))}
    return text(random)


def raw_json(random: Random) -> str:
    """A value of JSON as it is written, or what is nearly one."""
    return random.choice([*RAW_JSON, *NUMBERS])


def changed_bytes(random: Random, content: bytes, most: int = 3) -> bytes:
    """The bytes with some flipped, added, cut, repeated or removed."""
    for _ in range(random.randint(1, most)):
        at = random.randrange(len(content) + 1)
        how = random.randrange(6)
        if how == 0 and at < len(content):
            content = content[:at] + bytes([content[at] ^ 1 << random.randrange(8)]) + content[at + 1 :]
        elif how == 1:
            content = content[:at] + text(random).encode(errors="surrogatepass")[:300] + content[at:]
        elif how == 2 and random.random() < 0.3:
            content = content[:at]
        elif how == 3:
            content = content[:at] + content[at + random.randrange(1, 9) :]
        else:
            lines = content.splitlines(keepends=True) or [b""]
            line = random.randrange(len(lines))
            lines[line : line + 1] = random.choice([[], [lines[line]] * 2, [lines[line].strip()], [lines[line], b"\n"]])
            content = b"".join(lines)
    return content


def changed_part(random: Random, data: Any) -> Any:
    """A value of JSON in which one part, at any depth, is replaced, removed or added."""
    if isinstance(data, dict) and data and random.random() < 0.9:
        key = random.choice(sorted(data))
        how = random.randrange(8)
        if how == 0:
            return {name: part for name, part in data.items() if name != key}
        if how == 1:
            return data | {text(random): json_value(random)}
        return data | {key: changed_part(random, data[key])}
    if isinstance(data, list) and data and random.random() < 0.8:
        at = random.randrange(len(data))
        return random.choice(
            [
                [*data[:at], changed_part(random, data[at]), *data[at + 1 :]],
                [*data, json_value(random)],
                data * random.choice([2, 600]),
            ]
        )
    if isinstance(data, str) and random.random() < 0.6:
        return random.choice([text(random), data + text(random), data * 2, data.upper()])
    return json_value(random)


def packed(random: Random, content: bytes) -> bytes:
    """The content in gzip, now and then damaged, doubled, or as a bomb."""
    data = gzip.compress(content, 1, mtime=0)
    how = random.randrange(12)
    if how == 0:
        return changed_bytes(random, data)
    if how == 1:
        return data[: random.randrange(len(data))]
    if how == 2:
        return gzip.compress(data)
    if how == 3:
        return data + random.choice([b"\0" * 100, b"rubbish", data[:10], data])
    if how == 4:
        return gzip.compress(random.choice([b" ", b"[", b"\n", b"\0", b"1,"]) * 30_000_000, 1)
    return data
