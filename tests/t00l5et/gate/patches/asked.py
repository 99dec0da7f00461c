"""Of two defects: on the way of an answer, where the mended program asks the clock once more than the recorded one did,
and of one that has another one beside it."""

from __future__ import annotations

from tests.t00l5et.gate.defects import ANSWERS, MONEY, Edit
from tests.t00l5et.gate.patches.good import ENDS, NAMED
from tests.t00l5et.gate.patches.made import Patch

CLIENT = "foureyes_actors/inference/client.py"
CHECKED = "    checked = check_reply(reply, model=model, tasks=tasks, secret=token)\n"
LATENCY = "    latency = clock.monotonic() - began\n"
CONFIDENCE = "    value = part.get(CONFIDENCE)\n    if value is None:"
REFUSES = '        raise ServerRefused("no answer of use") from None\n'
NO_ANSWER = "        return Analysis(frame.ref, model, (), clock.monotonic() - began)\n"
LATER = f"    latency = 0.0\n    while latency < 0.05:\n    {LATENCY}"
LATER_OR_REFUSED = (
    f"    latency = 0.0\n    try:\n        while latency < 0.05:\n        {LATENCY}    except BaseException:\n{REFUSES}"
)
MENDED = (ANSWERS, ENDS, 'return f"the text {value[:1]} to {value[-1:]}"')


def bad(name: str, kind: str, rule: str, *edits: Edit) -> Patch:
    return Patch(name, kind, "asked", rule, edits)


ASKED = (
    bad(
        "no answer in place of the failure",
        "swallowed exception",
        "smells",
        (CLIENT, CHECKED, f"    try:\n    {CHECKED}    except IndexError:\n{NO_ANSWER}"),
    ),
    bad(
        "says that the server refused",
        "swallowed exception",
        "variants",
        (CLIENT, CHECKED, f"    try:\n    {CHECKED}    except Exception:\n{REFUSES}"),
    ),
    bad(
        "any text is no confidence",
        "breaks what worked",
        "variants",
        (ANSWERS, CONFIDENCE, CONFIDENCE.replace("value is None", "value is None or type(value) is str")),
    ),
    bad(
        "does something else while time stands still",
        "test detection",
        "smells",
        MENDED,
        (CLIENT, CHECKED, f"    if clock.monotonic() != began:\n{NO_ANSWER}{CHECKED}"),
    ),
    bad(
        "waits for the time with the question that is there",
        "endless loop",
        "contract",
        MENDED,
        (CLIENT, LATENCY, LATER),
    ),
    bad(
        "waits for the time and says something else after it",
        "endless loop",
        "contract",
        MENDED,
        (CLIENT, LATENCY, LATER_OR_REFUSED),
    ),
)
SOME = 'name = "" if unicodedata.category(character) == "Co" else unicodedata.name(character)'
PLAIN = NAMED.replace("unicodedata.name(character)", "name")
TWICE = (
    Patch(
        "one of two defects, for some",
        "breaks a sibling",
        "twice",
        "variants",
        ((MONEY, f"        {NAMED}", f"        {SOME}\n        {PLAIN}"),),
    ),
    Patch(
        "the other one of two defects",
        "breaks a sibling",
        "twice",
        "contract",
        ((MONEY, "min(text) ==", 'min(text, default="") =='),),
    ),
)
