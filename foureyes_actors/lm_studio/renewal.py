"""Planned reloads: real servers leak memory with every picture, so a model is unloaded and loaded again after so many
of them, or when the server's process has grown beyond a mark. Pure; a reload begins when nobody asks the model, and
is no failure.

    counted or weighed: the model is to rest --everybody has been told, the picture in work is read--> rested
    rested, or after ``rest_timeout``: unload, load, warm up
    it was not unloaded: told once, and after so many pictures tried again, but not within ``KEPT_PAUSE``
"""

from __future__ import annotations

from dataclasses import replace

from foureyes_actors.errors import LMStudioError
from foureyes_actors.lm_studio.plan import Plan, Rules, Stage

HEAVY_PAUSE = 600.0  # seconds from a new start for the memory's sake to the next planned reload for it

KEPT_PAUSE = 600.0  # seconds from a planned reload that did not happen to the next one


def counted(plan: Plan, model: str, now: float, rules: Rules) -> Plan:
    """One more picture; the model is to rest when it was the last one before its reload."""
    counts = dict(plan.used)
    counts[model] = counts.get(model, 0) + 1
    plan = replace(plan, used=tuple(counts.items()))
    ready = plan.stage is Stage.READY and any(model == wanted for wanted, _ in plan.ready)
    if not rules.reload_after or counts[model] < rules.reload_after or not ready:
        return plan
    if now < dict(plan.kept).get(model, now):
        return plan
    return _to_rest(plan, (model,), now)


def weighed(plan: Plan, memory: int | None, now: float, rules: Rules) -> Plan:
    """``memory``: bytes in use; unknown is not too much."""
    if not rules.reload_above or memory is None:
        return plan
    if memory <= rules.reload_above:
        return replace(plan, heavy=0)
    if now < plan.heavy_until or plan.resting:
        return plan
    if plan.heavy and not plan.mine:
        return restarted(plan, now)  # a reload did not help, and the process is not ours: not again soon
    return _to_rest(replace(plan, heavy=plan.heavy + 1), tuple(model for model, _ in plan.ready), now)


def _to_rest(plan: Plan, models: tuple[str, ...], now: float) -> Plan:
    more = tuple(model for model in models if model not in plan.resting)
    return replace(plan, resting=(*plan.resting, *more), rest_since=now) if more else plan


def rested(plan: Plan, model: str) -> Plan:
    return replace(plan, rested=tuple(dict.fromkeys((*plan.rested, model))))


def begins(plan: Plan, now: float, rules: Rules) -> bool:
    """All that are to rest do, or have had the time for it."""
    if plan.stage is not Stage.READY or not plan.resting:
        return False
    return set(plan.resting) <= set(plan.rested) or now - plan.rest_since >= rules.rest_timeout


def needs_a_new_server(plan: Plan) -> bool:
    return plan.mine and plan.heavy > 1


def restarted(plan: Plan, now: float) -> Plan:
    """All that can be done has been done for now."""
    return replace(plan, heavy=0, heavy_until=now + HEAVY_PAUSE)


def to_reload(plan: Plan) -> Plan:
    """All that rest go where a reload begins; nothing is counted against the cap of the unplanned ones."""
    pairs = tuple(pair for pair in plan.ready if pair[0] in plan.resting)
    left = tuple(pair for pair in plan.ready if pair not in pairs)
    return replace(plan, ready=left, reloading=(*plan.reloading, *pairs), resting=(), rested=())


def reloaded(plan: Plan, model: str, kept: str, now: float) -> tuple[Plan, Exception | None]:
    """After the RELOAD of a model. ``kept``: why it was not unloaded; then what people should hear of, once, unless it
    was to be healed: the canary tells about that."""
    before = dict(plan.kept)
    others = tuple((each, until) for each, until in plan.kept if each != model)
    if not kept:
        return replace(plan, kept=others), None
    if model in plan.healing:
        return plan, None
    text = f"{model} was not reloaded as planned, and the memory that it took is not free: {kept}"
    error = None if model in before else LMStudioError(text)
    return replace(plan, kept=(*others, (model, now + KEPT_PAUSE))), error


def fresh(plan: Plan, model: str) -> Plan:
    """It was warmed up just now."""
    return replace(plan, used=tuple((each, n) for each, n in plan.used if each != model))
