"""Correct mendings, in several styles."""

from __future__ import annotations

from tests.t00l5et.gate.defects import ANSWERS, FIELDS, MONEY
from tests.t00l5et.gate.patches.made import Patch

NAMED = 'if unicodedata.name(character).startswith(("FULLWIDTH", "HALFWIDTH")):'
FIRST = 'return f"a list that begins with {_kind(value[0])}"'
PERCENT = (
    """        raise AnswerContractError(f"{where}.confidence is {round(confidence * 100)} %, not from 0 to 100 %")"""
)
RATIO = "        return 1 <= later / earlier <= GROWTH"
ENDS = 'return f"the text {value[0]} to {value[-1]}"'
BEFORE_MONEY = "def _refuse_foreign_characters("
BEFORE_KIND = "def _kind(value: Any) -> str:"


def good(name: str, defect: str, *edits: tuple[str, str, str]) -> Patch:
    return Patch(name, "good", defect, "", edits)


GOOD = (
    good("a default for the name", "money", (MONEY, "unicodedata.name(character)", 'unicodedata.name(character, "")')),
    good("the range of code points", "money", (MONEY, NAMED, "if 0xFF00 <= ord(character) <= 0xFFEF:")),
    good(
        "refused in the words of the grammar",
        "money",
        (
            MONEY,
            f"        {NAMED}",
            """        try:
            name = unicodedata.name(character)
        except ValueError:
            raise MoneyError(f"{_shown(text)}: {_shown(character)} is no character") from None
        if name.startswith(("FULLWIDTH", "HALFWIDTH")):""",
        ),
    ),
    good(
        "a function of its own",
        "money",
        (MONEY, NAMED, "if _is_wide(character):"),
        (
            MONEY,
            BEFORE_MONEY,
            '''def _is_wide(character: str) -> bool:
    """A character without a name is none of these."""
    return "WIDTH " in unicodedata.name(character, "").partition("LETTER")[0]


'''
            + BEFORE_MONEY,
        ),
    ),
    good("only a list that has something", "lists", (ANSWERS, FIRST, f'{FIRST} if value else "a list"')),
    good(
        "a case of its own",
        "lists",
        (ANSWERS, "        case list():", '        case []:\n            return "an empty list"\n        case list():'),
    ),
    good(
        "a guard on the case",
        "lists",
        (
            ANSWERS,
            f"        case list():\n            {FIRST}",
            f'        case list() if value:\n            {FIRST}\n        case list():\n            return "a list"',
        ),
    ),
    good(
        "the pattern takes the first apart",
        "lists",
        (
            ANSWERS,
            f"        case list():\n            {FIRST}",
            """        case [first, *_]:
            return f"a list that begins with {_kind(first)}"
        case list():
            return "a list with nothing in it\"""",
        ),
    ),
    good(
        "the format does not round", "confidences", (ANSWERS, "{round(confidence * 100)} %", "{confidence * 100:.0f} %")
    ),
    good(
        "what is endless is refused before",
        "confidences",
        (ANSWERS, "import re\n", "import math\nimport re\n"),
        (
            ANSWERS,
            "    if not 0 <= confidence <= 1:",
            """    if not math.isfinite(confidence):
        raise AnswerContractError(f"{where}.confidence is beyond all numbers")
    if not 0 <= confidence <= 1:""",
        ),
    ),
    good(
        "an error beside the error",
        "confidences",
        (
            ANSWERS,
            PERCENT,
            """        try:
            shown = f"{round(confidence * 100)} %"
        except OverflowError:
            raise AnswerContractError(f"{where}.confidence is no number of use") from None
        raise AnswerContractError(f"{where}.confidence is {shown}, not from 0 to 100 %")""",
        ),
    ),
    good(
        "nothing grows into nothing alone",
        "growth",
        (FIELDS, RATIO, f"        if not earlier:\n            return not later\n{RATIO}"),
    ),
    good(
        "the same value first",
        "growth",
        (FIELDS, RATIO, "        return earlier == later or (earlier != 0 and 1 <= later / earlier <= GROWTH)"),
    ),
    good(
        "a function for the ratio",
        "growth",
        (FIELDS, RATIO, "        return 1 <= _ratio(earlier, later) <= GROWTH"),
        (
            FIELDS,
            "def _out_of_range(",
            '''def _ratio(earlier: Decimal, later: Decimal) -> Decimal:
    """After nothing only nothing is no growth."""
    if earlier.is_zero():
        return Decimal(1) if later.is_zero() else 2 * GROWTH
    return later / earlier


def _out_of_range(''',
        ),
    ),
    good("its ends, when it has any", "asked", (ANSWERS, ENDS, 'return f"the text {value[:1]} to {value[-1:]}"')),
    good(
        "an empty text of its own",
        "asked",
        (ANSWERS, "        case str():", '        case "":\n            return "an empty text"\n        case str():'),
    ),
    good(
        "one of two defects in a function",
        "twice",
        (MONEY, "unicodedata.name(character)", 'unicodedata.name(character, "")'),
    ),
)
