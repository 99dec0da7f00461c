"""Moving to other models while the server runs: which ones, and what has to go. Pure; used by ``advance``.

ModelsWanted -> choose (which of each group the server has) -> unload, load, warm up  with make_room
                                                            -> load, warm up, unload  without: the old ones answer
                                                               until the new ones can
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from foureyes_actors.lm_studio.plan import Choices, Chosen, Plan, Rules

Pairs = tuple[tuple[str, str], ...]  # wanted id, id for requests


def wanted(plan: Plan, rules: Rules) -> tuple[str, ...]:
    """The models that are to be loaded now."""
    if plan.chosen:
        return plan.chosen
    return _unique(group[0] for group in plan.choices) if plan.choices else rules.models


def ask_for(plan: Plan, choices: Choices, make_room: bool, rules: Rules) -> Plan:
    """``choices`` are wanted from now on; what is wanted already is no news."""
    now = plan.choices or tuple((model,) for model in rules.models)
    return plan if choices == now else replace(plan, choices=choices, make_room=make_room, chosen=(), unsettled=True)


def settled(plan: Plan, result: Chosen) -> Plan:
    """The server's list has been seen: what is loaded, and with ``make_room`` what is unloaded before."""
    plan = replace(plan, chosen=result.models, unsettled=False, broken=())
    on_its_way = {model for model, _ in (*plan.ready, *plan.reloading, *plan.warming)}
    plan = replace(plan, loading=tuple(model for model in result.models if model not in on_its_way))
    return retire(plan) if plan.make_room else plan


def retire(plan: Plan) -> Plan:
    """No request goes to a model that is no longer wanted, and it is unloaded; nor is it healed or reloaded first."""
    pairs = (*plan.ready, *plan.reloading, *plan.warming)
    going = tuple(pair for pair in pairs if plan.chosen and pair[0] not in plan.chosen)
    if not going:
        return plan
    names = {model for model, _ in going}
    return replace(
        plan,
        ready=_without(plan.ready, going),
        reloading=_without(plan.reloading, going),
        warming=_without(plan.warming, going),
        doubted=tuple(model for model in plan.doubted if model not in names),
        healing=tuple(model for model in plan.healing if model not in names),
        resting=tuple(model for model in plan.resting if model not in names),
        rested=tuple(model for model in plan.rested if model not in names),
        retiring=(*plan.retiring, *going),
    )


def _without(pairs: Pairs, going: Pairs) -> Pairs:
    return tuple(pair for pair in pairs if pair not in going)


def retire_replaced(plan: Plan) -> Plan:
    """As ``retire``, once all that took their place are ready."""
    ready = {model for model, _ in plan.ready}
    return retire(plan) if set(plan.chosen) <= ready else plan


def choose(choices: Choices, has: Sequence[str]) -> Chosen:
    """Of each group the first one that the server has; the first one where it has none, so that this is told when it is
    loaded. ``lacking``: the better choices that it has not. ``has``: of all the models in ``choices``."""
    there = set(has)
    best = [next((model for model in group if model in there), group[0]) for group in choices]
    lacking = [m for group, one in zip(choices, best, strict=True) for m in group[: group.index(one)]]
    return Chosen(_unique(best), _unique(lacking))


def _unique(models: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(models))
