"""A story from its beginning to its end, every step by the real programs."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from foureyes_actors.ports.private_folder import LocalPrivateFolder
from foureyes_actors.replay.confirmation import Confirmation, Level
from foureyes_actors.replay.platform_folder import platform_of
from tests.stories import deciding
from tests.stories.checkout import Checkout
from tests.stories.running import Running, running
from tests.stories.steps import Steps, StoryFailed
from tests.stories.story import HERE, Story

FAILS = 120.0  # seconds from the first reading to the group in ERR0R
CONFIRMED = 240.0  # from there to a confirmed platform
PROPOSED = 900.0  # from there to a branch: the fixer, and the gate with its part of the suite
COMPLETED = 240.0  # from the new start to the end of the watch
WATCH = 30.0  # seconds
FRAMES = 60  # without a new occurrence


def tell(story: Story, folder: Path, say: Callable[[str], None]) -> Steps:
    """All in ``folder``, which should have a short name. Raises StoryFailed."""
    steps = Steps(say)
    checkout = Checkout.cloned(folder / "repo", folder / "foureyes.yaml")
    steps.done("cloned", checkout.head[:12])
    planted = checkout.plant(story.plant, story.defect)
    steps.done("planted", f"{planted[:12]}: {story.defect}")
    data = folder / "data"
    with story.stage() as stage:
        configure(story, checkout.config, data, stage.settings)
        at_home(checkout)
        with running(checkout, data, stage) as program:
            program.reads()
            steps.done("running", f"the first reading, by the code of {checkout.place}")
            group = failed(story, program)
            steps.done("recorded in ERR0R", f"{group['exception_type']}: {group['message'][:80]}")
            steps.done("confirmed", str(confirmed(program, group)))
            decision = deciding.proposed(program, group["fingerprint"], PROPOSED)
            steps.done("passed the gate", deciding.gate_in_words(decision))
            steps.done("branch", deciding.in_words(decision))
            deciding.untouched(checkout, planted, decision)
            steps.done("approved and applied", deciding.approved(checkout, planted, story.file, decision))
            program.stop()
    again(story, checkout, data, group, steps)
    return steps


def configure(story: Story, config: Path, data: Path, stage: dict[str, Any]) -> None:
    """JSON is YAML."""
    command = shlex.join([sys.executable, "-I", str(HERE / "fixer.py"), str(story.good)])
    own = {
        "version": 1,
        "data_dir": str(data),
        "resource": {"pressure": {"enabled": False}},
        "forgewright": {
            "fixer": {"command": command, "attempts": 1, "seconds": 60.0},
            "suite": list(story.suite),
            "watch_hours": WATCH / 3600,
        },
    }
    config.write_text(json.dumps({**own, **stage}, indent=1), encoding="utf-8")


def at_home(checkout: Checkout) -> None:
    found = checkout.imported_from()
    if not found.is_relative_to(checkout.place):
        raise StoryFailed(f"the copy's Python takes the product from {found}")


def failed(story: Story, program: Running) -> dict[str, Any]:
    """The group of the planted defect, once it has a record."""

    def look() -> dict[str, Any] | None:
        found = program.checkout.groups(exception_type=story.exception, source=story.source)
        return next((group for group in found if group["context"].get("record")), None)

    return program.wait(look, FAILS, f"{story.exception} in ERR0R")


def confirmed(program: Running, group: dict[str, Any]) -> Confirmation:
    """Of the platform that Forgewright made without being asked."""
    platforms = LocalPrivateFolder(program.data / "platforms")

    def look() -> Confirmation | None:
        found = platform_of(platforms, group["context"]["record"], group["fingerprint"])
        return found.confirmation if found else None

    found = program.wait(look, CONFIRMED, "a platform that was run again")
    if found.level is Level.UNCONFIRMED:
        raise StoryFailed(f"the platform is {found}")
    return found


def again(story: Story, checkout: Checkout, data: Path, group: dict[str, Any], steps: Steps) -> None:
    """Started anew before the same: the group is not seen any more, and the decision is completed."""
    before = occurrences(checkout, group)
    with story.stage() as stage:
        configure(story, checkout.config, data, stage.settings)
        with running(checkout, data, stage) as program:
            program.reads()
            program.wait(lambda: stage.over or None, FAILS, "all that made it fail")
            program.wait(lambda: program.readings >= FRAMES or None, FAILS, f"{FRAMES} frames")
            frames = program.readings
            the_same(before, checkout, group, f"in {frames} frames")
            steps.done("no longer fails", f"{frames} frames, {before} occurrences as before")
            decision = deciding.completed(program, group["fingerprint"], COMPLETED)
            program.stop()
    the_same(before, checkout, group, "and the decision was completed")
    steps.done("completed", deciding.in_words(decision))
    checkout.run("decisions", "export", decision["decision_id"], "--to", str(data.parent / "decision.md"))


def the_same(before: int, checkout: Checkout, group: dict[str, Any], where: str) -> None:
    new = occurrences(checkout, group) - before
    if new:
        raise StoryFailed(f"it failed {new} more times {where}")


def occurrences(checkout: Checkout, group: dict[str, Any]) -> int:
    return sum(int(each["occurrences"]) for each in checkout.groups(fingerprint=group["fingerprint"]))
