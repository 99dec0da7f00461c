"""A child's row in the status."""

from __future__ import annotations

from collections.abc import Mapping

from supervisors.children import ALIVE, Child
from supervisors.inbox import Inbox
from supervisors.messages import ChildStatus


def status(child: Child, inbox: Inbox | None, shown: tuple[str, Mapping[str, int]], leaked: int) -> ChildStatus:
    """``shown``: as the decider shows it. ``leaked``: threads of fenced incarnations that have not ended."""
    at_work = inbox if child.state in ALIVE else None  # one that has ended says so before it leaves its inbox
    return ChildStatus(
        name=child.spec.name,
        state=child.state.value,
        incarnation=0 if inbox is None else inbox.incarnations,
        restarts=0 if inbox is None else max(0, inbox.incarnations - 1),
        head=shown[0],
        busy_for=0.0 if at_work is None else round(at_work.busy_for(), 3),
        handling="" if at_work is None else at_work.handling,
        waiting=0 if inbox is None else len(inbox),
        leaked=leaked,
        last_reason=child.last_reason,
        supervisor=child.spec.supervisor,
        replaced={} if inbox is None else dict(inbox.replaced),
        bites=shown[1],
    )
