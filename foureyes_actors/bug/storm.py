"""An error storm made bearable: of each group a few faults a second are recorded, the rest is counted.

The first occurrence of a group goes out at once. What is held back keeps its newest fault, which goes out with a
later flush, so that a storm's end is recorded too. Used in one thread; time is an argument, in monotonic seconds.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from foureyes_actors.messages import Fault

SECOND = 1.0
PER_GROUP = 5  # recorded faults a second
PER_SECOND = 100  # of all groups together
MAX_GROUPS = 1000


@dataclass(slots=True)
class Group:
    seen: int = 0  # faults, all of them
    recorded: int = 0  # handed out
    in_second: int = 0

    @property
    def suppressed(self) -> int:
        """Seen, but not handed out one by one."""
        return self.seen - self.recorded


class Storm:
    def __init__(self) -> None:
        self._groups: dict[str, Group] = {}  # in the order of their last fault
        self._waiting: dict[str, Fault] = {}  # newest fault that was held back, in the order in which waiting began
        self._began = float("-inf")
        self._in_second = 0
        self.forgotten = 0  # groups dropped to stay within MAX_GROUPS
        self._forgotten_faults = 0

    def admit(self, fingerprint: str, fault: Fault, now: float) -> bool:
        """Count the fault; True when it is to be recorded now. When not, it waits, replacing an older one."""
        self._turn(now)
        group = self._touch(fingerprint)
        group.seen += 1
        if group.in_second >= PER_GROUP or self._in_second >= PER_SECOND:
            self._waiting[fingerprint] = _light(fault)
            return False
        self._hand_out(fingerprint, group)
        return True

    def flush(self, now: float) -> list[tuple[str, Fault]]:
        """What waited and may go out now, first come first served. Call it about once a second."""
        self._turn(now)
        out = []
        for fingerprint, fault in list(self._waiting.items()):
            group = self._groups[fingerprint]
            if self._in_second < PER_SECOND and group.in_second < PER_GROUP:
                self._hand_out(fingerprint, group)
                out.append((fingerprint, fault))
        return out

    def give_back(self, fingerprint: str, fault: Fault) -> None:
        """What was handed out could not be delivered: it waits again, unless a newer one does."""
        self._touch(fingerprint).recorded -= 1
        self._waiting.setdefault(fingerprint, _light(fault))

    def group(self, fingerprint: str) -> Group:
        return self._groups.get(fingerprint) or Group()

    @property
    def groups(self) -> int:
        return len(self._groups)

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    @property
    def suppressed(self) -> int:
        return self._forgotten_faults + sum(group.suppressed for group in self._groups.values())

    def _turn(self, now: float) -> None:
        if now - self._began >= SECOND:
            self._began, self._in_second = now, 0
            for group in self._groups.values():
                group.in_second = 0

    def _hand_out(self, fingerprint: str, group: Group) -> None:
        group.recorded += 1
        group.in_second += 1
        self._in_second += 1
        self._waiting.pop(fingerprint, None)  # the newer one stands for it

    def _touch(self, fingerprint: str) -> Group:
        group = self._groups.pop(fingerprint, Group())
        self._groups[fingerprint] = group
        if len(self._groups) > MAX_GROUPS:
            oldest = next(iter(self._groups))
            self._forgotten_faults += self._groups.pop(oldest).suppressed
            self._waiting.pop(oldest, None)
            self.forgotten += 1
        return group


def _light(fault: Fault) -> Fault:
    """Without its inputs, which may be pictures: one fault of each group may wait."""
    return fault if fault.capture is None else replace(fault, capture=None)
