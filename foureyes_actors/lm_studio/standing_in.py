"""What is loaded in the place of a model that cannot be: the table's alternatives, in their order. Pure; used by
``advance``.

    a wanted model is broken (class B, C or D) --> its first alternative that is not --> loaded, warmed up, asked
    it can be loaded after all (tried each minute) --> ready --> the alternative is unloaded
"""

from __future__ import annotations

from dataclasses import replace

from foureyes_actors.lm_studio.plan import Plan, Rules
from foureyes_actors.lm_studio.settling import wanted


def with_stand_ins(plan: Plan, rules: Rules) -> Plan:
    """For each group whose wanted model is broken one alternative is on its way, while there is one left to try."""
    broken, wants = {model for model, _ in plan.broken}, wanted(plan, rules)
    for group in rules.groups:
        if group[0] not in wants or group[0] not in broken or _on_its_way(plan) & set(group[1:]):
            continue
        left = [model for model in group[1:] if model not in broken]
        plan = replace(plan, loading=(*plan.loading, *left[:1]))
    return plan


def _on_its_way(plan: Plan) -> set[str]:
    return {*plan.loading, *(model for model, _ in (*plan.ready, *plan.reloading, *plan.warming))}


def to_mend(plan: Plan, rules: Rules) -> tuple[str, ...]:
    """The broken ones that are tried again by themselves: an alternative is, when its turn comes anew."""
    return tuple(model for model, _ in plan.broken if model in wanted(plan, rules))


def blamed(plan: Plan, rules: Rules, reason: str) -> str:
    """Why nothing is ready: because of the model that is wanted, not of the last one that was to stand in for it."""
    return next((why for model, why in plan.broken if model in wanted(plan, rules)), reason)
