"""A small real process for ``test_lifeline.py``: a tree with a lifeline, and one vice.

python -m tests.supervisors.lifeline_program VICE FILE; what was told comes as JSON on stdout.
"""

from __future__ import annotations

import json
import math
import re
import sys
import threading
import time
from pathlib import Path
from typing import Any

from supervisors.actor import ActorContext, SupervisedActor
from supervisors.cerberus import Cerberus, Root, start_root
from supervisors.context import Tree
from supervisors.last_resort import LastResort, StuckRoot
from supervisors.leaks import LeakLimits, Leaks
from supervisors.lifeline import Held, Lifeline
from supervisors.messages import ExitNotice
from supervisors.specs import ChildSpec
from tests.support import eventually

NOTICE_AFTER = 1.0  # seconds
PATIENCE = 60.0  # seconds; no vice lasts longer
EVIL = re.compile(r"(a+)+$")


def catastrophe(letters: int) -> None:
    EVIL.match("a" * letters + "b")


def letters_for(seconds: float) -> int:
    """Of CPU, where nothing is in the caches' way. One more letter doubles the time."""

    def took() -> float:
        began = time.thread_time()
        catastrophe(20)
        return time.thread_time() - began

    return 20 + math.ceil(math.log2(seconds / min(took() for _ in range(3))))


def hang_here() -> None:
    threading.Event().wait(PATIENCE)


class Worker(SupervisedActor):
    def on_receive(self, message: Any) -> Any:
        if isinstance(message, int):
            catastrophe(message)
        elif message == "hang":
            hang_here()
        elif message == "die":
            raise ValueError("dies as it was told to")
        return "done"


class Program:
    def __init__(self, vice: str, stacks: Path) -> None:
        self.vice, self.tree, self.last_resort = vice, Tree(), LastResort(stacks)
        self.lock = threading.Lock()
        self.held: list[str] = []
        self.halted: list[float] = []
        self.lifeline = Lifeline(
            notice_after=NOTICE_AFTER,
            give_up_after=1.5 if vice == "for ever" else 10 * PATIENCE,
            stacks=stacks,
            held=self.was_held,
            halted=self.halted.append,
        )
        self.root: Root = start_root(self.make, self.tree)

    def make(self, context: ActorContext, tree: Tree) -> Cerberus:
        """The idle child is watched so closely that a beat comes often enough."""
        hang_limit = 1.0 if self.vice == "leaks" else PATIENCE
        children = (
            ChildSpec("idle", Worker, stuck_after=0.4),
            ChildSpec("worker", Worker, stuck_after=hang_limit),
        )
        leaks = Leaks(LeakLimits(of_one_child=2), too_many=self.last_resort)
        return Cerberus(
            context, tree=tree, children=children, on_exit=self.wait_for_the_lock, leaks=leaks, lifeline=self.lifeline
        )

    def was_held(self, held: Held) -> None:
        self.held.append(str(held))

    def wait_for_the_lock(self, _: ExitNotice) -> None:
        """In Cerberus's thread."""
        if self.vice == "stuck":
            self.lock.acquire(timeout=PATIENCE)

    def tell(self, message: object) -> None:
        self.tree.directory.tell("worker", message)

    def run(self) -> None:
        match self.vice:
            case "regex":
                self.tree.directory.ask("worker", letters_for(1.5), PATIENCE)
                eventually(lambda: bool(self.held), 10, "the held GIL is told")
            case "halted":
                print("ready", flush=True)
                sys.stdin.readline()
                eventually(lambda: bool(self.halted), 10, "the halt is told")
            case "for ever":
                self.tell(200)
                hang_here()
            case "stuck":
                with self.lock:
                    self.tell("die")
                    self.watch_the_root()
            case "leaks":
                self.tell("hang")
                self.tell("hang")
                hang_here()
        self.root.stop(5.0)
        print(json.dumps({"held": self.held, "halted": self.halted}))

    def watch_the_root(self) -> None:
        stuck, pause = StuckRoot(self.root, self.last_resort, stuck_after=0.5), threading.Event()
        for _ in range(int(PATIENCE / 0.05)):
            stuck.look()
            pause.wait(0.05)


def main() -> None:
    Program(sys.argv[1], Path(sys.argv[2])).run()


if __name__ == "__main__":
    main()
