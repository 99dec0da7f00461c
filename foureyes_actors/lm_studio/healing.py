"""What an inference actor's bad news about one model changes in the plan. Pure.

    engine gone (A) -------------> reloading --> warming up (canary) --> ready
    hangs (E) --> doubted, checked --> warming up (canary) --> ready
                                        | fails                ^
                                        v                      |
                                     reloading: at most MAX_RELOADS of a model in RELOAD_WINDOW; then it is given up

Classes B, C and D never come here: nothing of the server is touched for them.
"""

from __future__ import annotations

from dataclasses import replace

from foureyes_actors.errors import ConfigurationError, ErrorClass
from foureyes_actors.inference.reply import same_model
from foureyes_actors.inference.server_faults import NO_RESTART, class_of
from foureyes_actors.lm_studio.plan import Do, Plan

MAX_RELOADS = 2
RELOAD_WINDOW = 600.0  # seconds

Pair = tuple[str, str]  # wanted id, id for requests


def ready_pair(plan: Plan, model: str) -> Pair | None:
    """The ready model that is meant by ``model``."""
    pairs = (pair for pair in plan.ready if model and (pair[0] == model or same_model(pair[1], model)))
    return next(pairs, None)


def reload(plan: Plan, pair: Pair, now: float) -> Plan | None:
    """The plan in which ``pair`` is loaded anew; None when that was done too often."""
    recent = tuple((model, at) for model, at in plan.reloads if now - at < RELOAD_WINDOW)
    if sum(model == pair[0] for model, _ in recent) >= MAX_RELOADS:
        return None
    plan = _out_of_ready(plan, pair)
    return replace(plan, reloading=(*plan.reloading, pair), reloads=(*recent, (pair[0], now)))


def doubt(plan: Plan, pair: Pair) -> Plan:
    """It hangs, or is slow: the check says whether the server lives, then the canary whether the engine does."""
    return plan if pair[0] in plan.doubted else replace(plan, doubted=(*plan.doubted, pair[0]))


def tested(plan: Plan) -> Plan:
    """After a check that passed: those in doubt get the canary, and no other request until it is answered."""
    for pair in [pair for pair in plan.ready if pair[0] in plan.doubted]:
        plan = _out_of_ready(plan, pair)
        plan = replace(plan, warming=(*plan.warming, pair))
    return replace(plan, doubted=())


def taken(plan: Plan, model: str) -> Plan:
    """``model`` is in no queue any more."""
    return replace(
        plan,
        loading=tuple(m for m in plan.loading if m != model),
        reloading=tuple(pair for pair in plan.reloading if pair[0] != model),
        warming=tuple(pair for pair in plan.warming if pair[0] != model),
    )


def healed(plan: Plan, model: str) -> Plan:
    """``model`` is well, or given up."""
    return replace(plan, healing=tuple(m for m in plan.healing if m != model))


def may_help(plan: Plan, error: Exception, model: str) -> bool:
    """Whether loading ``model`` anew may mend what its load or its canary ended with."""
    if no_restart(error):
        return False
    return class_of(error) in (ErrorClass.ENGINE, ErrorClass.SERVER_ERROR) or model in plan.healing


def no_restart(error: Exception) -> bool:
    """Classes B, C and D: neither the engine nor the server is to blame, or nothing but a person can help."""
    return isinstance(error, ConfigurationError) or class_of(error) in NO_RESTART


def calm(error: Exception, do: Do) -> bool:
    """Whether the server stays as it is when its last model fails at ``do``: a model that it does not load is no
    reason to start it anew, one that does not answer may be."""
    return no_restart(error) or (do is Do.LOAD and class_of(error) not in (ErrorClass.ENGINE, ErrorClass.HANG))


def _out_of_ready(plan: Plan, pair: Pair) -> Plan:
    healing = plan.healing if pair[0] in plan.healing else (*plan.healing, pair[0])
    return replace(plan, ready=tuple(p for p in plan.ready if p != pair), healing=healing)
