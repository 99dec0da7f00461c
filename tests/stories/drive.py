"""A story from its beginning to its end, every step by the real programs."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from foureyes_actors.ports.private_folder import LocalPrivateFolder
from foureyes_actors.replay.confirmation import Confirmation, Level
from foureyes_actors.replay.platform import folder_of
from foureyes_actors.replay.platform_folder import platform_of
from tests.stories.checkout import Checkout
from tests.stories.running import Running, running
from tests.stories.steps import Steps, StoryFailed
from tests.stories.story import Story

FAILS = 120.0  # seconds from the first reading to the group in ERR0R
CONFIRMED = 240.0  # from there to a confirmed platform
FRAMES = 60  # without a new occurrence


def tell(story: Story, folder: Path, say: Callable[[str], None]) -> Steps:
    """All in ``folder``, which should have a short name. Raises StoryFailed."""
    steps = Steps(say)
    checkout = Checkout.cloned(folder / "repo", folder / "foureyes.yaml")
    steps.done("cloned", checkout.head[:12])
    planted = checkout.plant(story.plant, story.defect)
    steps.done("planted", f"{planted[:12]} {story.file}")
    data = folder / "data"
    with story.stage() as stage:
        configure(checkout.config, data, stage.settings)
        at_home(checkout)
        with running(checkout, data, stage) as program:
            program.reads()
            steps.done("running", f"first reading, code of {checkout.place}")
            group = failed(story, program)
            steps.done("recorded in ERR0R", f"{group['exception_type']}: {group['message'][:80]}")
            found = confirmed(program, group)
            steps.done("confirmed", str(found))
            program.stop()
    by_hand(story, checkout, data, group, steps)
    again(story, checkout, data, group, steps)
    return steps


def configure(config: Path, data: Path, stage: dict[str, Any]) -> None:
    """JSON is YAML."""
    own = {"version": 1, "data_dir": str(data), "resource": {"pressure": {"enabled": False}}}
    config.write_text(json.dumps({**own, **stage}, indent=1), encoding="utf-8")


def at_home(checkout: Checkout) -> None:
    found = checkout.imported_from()
    if not found.is_relative_to(checkout.place):
        raise StoryFailed(f"the copy's Python takes the product from {found}")


def failed(story: Story, program: Running) -> dict[str, Any]:
    """The group of the planted defect, once it has a record."""

    def look() -> dict[str, Any] | None:
        found = program.groups(exception_type=story.exception, source=story.source)
        return next((group for group in found if group["context"].get("record")), None)

    return program.wait(look, FAILS, f"{story.exception} in ERR0R")


def confirmed(program: Running, group: dict[str, Any]) -> Confirmation:
    platforms = LocalPrivateFolder(program.data / "platforms")

    def look() -> Confirmation | None:
        found = platform_of(platforms, group["context"]["record"], group["fingerprint"])
        return found.confirmation if found else None

    found = program.wait(look, CONFIRMED, "a platform that was run again")
    if found.level is Level.UNCONFIRMED:
        raise StoryFailed(f"the platform is {found}")
    return found


def by_hand(story: Story, checkout: Checkout, data: Path, group: dict[str, Any], steps: Steps) -> None:
    """The recorded diff makes the contract test pass, which failed before."""
    platform = platform_of(LocalPrivateFolder(data / "platforms"), group["context"]["record"], group["fingerprint"])
    assert platform is not None
    test = data / "platforms" / folder_of(platform.origin.record)
    try:
        contract(checkout, test)
    except StoryFailed as failure:
        if story.exception not in str(failure):
            raise
    else:
        raise StoryFailed("the contract test passes with the defect")
    checkout.git("apply", "--index", str(story.good))
    said = contract(checkout, test)
    if "1 passed" not in said:
        raise StoryFailed(f"the contract test did not pass: {said}")
    checkout.git("commit", "--quiet", "--message", "The recorded remedy")
    steps.done("mended by hand", said.strip().splitlines()[-1])


def contract(checkout: Checkout, platform: Path) -> str:
    return checkout.python("-m", "pytest", "-q", "-p", "no:cacheprovider", str(platform), "-k", "contract")


def again(story: Story, checkout: Checkout, data: Path, group: dict[str, Any], steps: Steps) -> None:
    """Started anew before the same: the group is not seen any more."""
    with story.stage() as stage:
        configure(checkout.config, data, stage.settings)
        with running(checkout, data, stage) as program:
            before = occurrences(program, group)
            program.wait(lambda: stage.over or None, FAILS, "all that made it fail")
            program.wait(lambda: program.readings >= FRAMES or None, FAILS, f"{FRAMES} frames")
            after, frames = occurrences(program, group), program.readings
            program.stop()
    if after != before:
        raise StoryFailed(f"it failed {after - before} more times in {frames} frames")
    steps.done("no longer fails", f"{frames} frames, {before} occurrences as before")


def occurrences(program: Running, group: dict[str, Any]) -> int:
    return sum(int(each["occurrences"]) for each in program.groups(fingerprint=group["fingerprint"]))
