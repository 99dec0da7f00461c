"""What the results before and after say: the contract, the neighbours of the failure, and that nothing else changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence

from t00l5et.gate.report import Stopped
from t00l5et.gate.runs import Seen

RETURNED, DECLARED, SAME_GROUP, OTHER, DIVERGED, BROKEN = "RDGUVB"
FAILED = (SAME_GROUP, OTHER)
TYPE = 9  # the end of a result's digits of the value or the type; those of the place follow


def check_before(seen: Seen) -> None:
    """The record fails in the base as it says. Raises Stopped."""
    letter, words = seen.results[0][0], seen.words.get(0, "")
    if letter == SAME_GROUP:
        return
    why = {
        RETURNED: "it returns",
        DECLARED: f"its contract allows what it raises ({words}): there is nothing to mend in the code",
        OTHER: f"another failure ({words})",
        DIVERGED: words,
        BROKEN: words,
    }
    raise Stopped(f"the record does not fail in the base: {why[letter]}")


def check_after(before: Seen, after: Seen) -> None:
    """The record is mended. Raises Stopped."""
    if after.raises != before.raises:
        raise Stopped(f"the contract became {', '.join(after.raises) or 'nothing'}")
    letter, words = after.results[0][0], after.words.get(0, "")
    if letter in FAILED:
        raise Stopped(f"it still raises what the contract of the base does not allow: {words}")
    if letter not in (RETURNED, DECLARED):
        raise Stopped(f"it cannot be shown: {words}")


def broken(before: Seen, after: Seen, siblings: int) -> list[tuple[int, str]]:
    """The results that must not be, by number, with why. ``siblings``: how many of them follow the record."""
    found = []
    recorded = _type(before.results[0])
    elsewhere = frozenset(
        each[1:] for each in before.results if each[0] in FAILED and _place(each) and _type(each) == recorded
    )
    for number, (was, now) in enumerate(zip(before.results, after.results, strict=True)):
        why = "" if not number else _sibling(was, now) if number <= siblings else _wrong(was, now, recorded, elsewhere)
        if why:
            found.append((number, why))
    return found


def _sibling(was: str, now: str) -> str:
    if was[0] in FAILED and now[0] not in (RETURNED, DECLARED):
        return "a withheld sibling of the record still fails"
    return _wrong(was, now, "", frozenset())


def _type(result: str) -> str:
    return result[1:TYPE]


def _place(result: str) -> str:
    """Empty: where the record fails, or not known."""
    return result[TYPE:].strip("0")


def _wrong(was: str, now: str, recorded: str, elsewhere: Collection[str]) -> str:
    """A change of the input can be wrong in two ways at once: what the first hid may come to light, if it is of another
    type, or is raised where the base raises it too for some change, and not where the record does: another defect."""
    if was == now and was[0] in (RETURNED, DECLARED, BROKEN):
        return ""
    if was[0] == SAME_GROUP:  # mended for one, mended for all
        hidden = now[0] == OTHER and _type(now) != recorded
        hidden = hidden or (now[0] in FAILED and now[1:] in elsewhere)
        return "" if now[0] in (RETURNED, DECLARED) or hidden else "still fails as the record did"
    if was[0] in (OTHER, DIVERGED):  # it did not work before either
        return "asks its ports other things" if was[0] == OTHER and now[0] == DIVERGED else ""
    if was[0] == RETURNED:
        return "worked and gives something else now" if now[0] == RETURNED else "worked and fails now"
    if was[0] == DECLARED:
        return "was refused and is not refused in the same way now"
    return "a value that could not be made can be made now"


def counted(before: Seen) -> str:
    """How much the variants are worth, in words."""
    letters = Counter(result[0] for result in before.results[1:])
    failed, returned, refused = (letters[letter] for letter in (SAME_GROUP, RETURNED, DECLARED))
    rest = len(before.results) - 1 - failed - returned - refused
    told = f"{failed} failed in the base as the record, {returned} returned, {refused} were refused"
    return f"{len(before.results) - 1} variants: {told}, {rest} tell nothing"


def same_each_time(runs: Sequence[Seen]) -> None:
    """Raises Stopped."""
    for run in runs[1:]:
        differing = sum(one != other for one, other in zip(runs[0].results, run.results, strict=False))
        if differing or len(run.results) != len(runs[0].results):
            raise Stopped(f"{differing} of {len(run.results)} results are not the same in each of {len(runs)} runs")
