"""The decision of a story: waited for, approved, and what it has done to the repository."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

from foureyes_actors.forgewright.states import State, Status
from tests.stories.checkout import Checkout
from tests.stories.running import Running
from tests.stories.steps import StoryFailed

Decision = dict[str, Any]
ENDS = (State.REJECTED, State.DEFERRED, State.DUPLICATE, State.WONT_FIX, State.ROLLED_BACK, State.REGRESSED)


def proposed(program: Running, fingerprint: str, within: float) -> Decision:
    """With a branch whose patch has passed the gate; a person decides."""
    return _in_state(program, fingerprint, State.AWAITING_APPROVAL, within)


def completed(program: Running, fingerprint: str, within: float) -> Decision:
    found = _in_state(program, fingerprint, State.RESOLVED, within)
    if found["status"] != Status.COMPLETED:
        raise StoryFailed(f"{found['decision_id']} is {found['status']}")
    return found


def _in_state(program: Running, fingerprint: str, state: State, within: float) -> Decision:
    def look() -> Decision | None:
        found = _of(program.checkout, fingerprint)
        if found is not None and found["state"] in ENDS:
            raise StoryFailed(f"the decision came to another end: {in_words(found)}")
        return found if found is not None and found["state"] == state else None

    return program.wait(look, within, f"a decision that is {state}", every=1.0)


def _of(checkout: Checkout, fingerprint: str) -> Decision | None:
    found = [
        each for each in checkout.told("decisions", "list", "--all", "--json") if each["fingerprint"] == fingerprint
    ]
    if len(found) > 1:
        raise StoryFailed(f"several decisions for one group: {', '.join(each['decision_id'] for each in found)}")
    return found[0] if found else None


def untouched(checkout: Checkout, planted: str, decision: Decision) -> None:
    """There is a branch, and nothing of it in what is checked out."""
    branch = decision["implementation"]["facts"]["branch"]
    parent = checkout.git("rev-parse", f"{branch}^").strip()
    if checkout.head != planted or parent != planted or checkout.git("status", "--porcelain").strip():
        raise StoryFailed(f"something was changed before anybody approved it: {checkout.head}, {branch}^ {parent}")


def approved(checkout: Checkout, planted: str, file: str, decision: Decision) -> str:
    """By a person's command; the file with the defect is another one now, and no other."""
    said = checkout.run("decisions", "approve", decision["decision_id"])
    changed = checkout.git("diff", "--name-only", planted, "HEAD").split()
    if changed != [file] or checkout.git("status", "--porcelain").strip():
        raise StoryFailed(f"what was applied changes {changed}; {said}")
    return said.splitlines()[0]


def in_words(decision: Decision) -> str:
    """The way that it has gone, with the seconds from the first failure."""
    steps = decision["status_history"]
    at = [datetime.fromisoformat(step["timestamp"]) for step in steps]
    way = (f"{step['state']} {(when - at[0]).total_seconds():.0f}" for step, when in zip(steps, at, strict=True))
    return f"{decision['decision_id']} {decision['status']}: {', '.join(way)} ({steps[-1]['note']})"


def gate_in_words(decision: Decision) -> str:
    """What the gate has seen, and how long it took."""
    folder = Path(decision["implementation"]["facts"]["work"])
    found = json.loads((folder / "attempt_1" / "gate.json").read_bytes())
    words = {step["name"]: step["words"] for step in found["steps"]}
    seconds = sum(step["seconds"] for step in found["steps"])
    told = "; ".join(filter(None, (words.get(name) for name in ("size", "variants", "suite"))))
    return f"{len(found['steps'])} rules, {seconds:.0f} s in {found['sandbox']}: {told}"
