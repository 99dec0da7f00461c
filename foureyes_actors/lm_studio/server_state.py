"""The plan as others see it. Pure."""

from __future__ import annotations

from foureyes_actors.lm_studio.plan import Plan, Rules, Stage
from foureyes_actors.lm_studio.settling import wanted
from foureyes_actors.messages import ServerPhase, ServerState

PHASES = {
    Stage.STARTING: ServerPhase.STARTING,
    Stage.LOADING: ServerPhase.LOADING,
    Stage.WARMING_UP: ServerPhase.WARMING_UP,
    Stage.READY: ServerPhase.READY,
    Stage.FAILED: ServerPhase.FAILED,
}
SHORT = 1.0  # seconds that are not worth telling
SHORT_WAIT = 5.0  # the same, until the next try


def server_state(plan: Plan, now: float, rules: Rules, pid: int | None, concurrency: int | None = None) -> ServerState:
    """``pid``: of the process that FourEyes started. ``concurrency``: requests that the server works on at a time."""
    models = tuple(known_as for _, known_as in plan.ready)
    return ServerState(
        ServerPhase.FAILED if _still_failed(plan) else PHASES[plan.stage],
        plan.url,
        models,
        detail(plan, now, rules),
        pid,
        reasoning=plan.reasoning,
        wanted=tuple(model for model, _ in plan.ready),
        resting=plan.resting,
        concurrency=concurrency,
        foreign=plan.attached,
    )


def detail(plan: Plan, now: float, rules: Rules) -> str:
    """What the phase's name does not say, for people; the seconds of a stage that lasts are in it."""
    total = len(wanted(plan, rules))
    lasts = now - plan.since
    took = f", {lasts:.0f} s" if lasts >= SHORT else ""
    if _still_failed(plan):
        return f"{plan.reason}; trying again"
    match plan.stage:
        case Stage.STARTING:
            return f"for {lasts:.0f} s" if took else ""
        case Stage.LOADING if plan.reloading:
            return f"{plan.reloading[0][0]} anew{took}"
        case Stage.LOADING if plan.loading:
            return f"{plan.loading[0]}{_number(total - len(plan.loading) + 1, total)}{took}"
        case Stage.WARMING_UP if plan.warming:
            return f"{plan.warming[0][0]}{_number(total - len(plan.warming) + 1, total)}{took}"
        case Stage.FAILED:
            return f"{plan.reason}; {'to be started again' if plan.unwell else _when(plan)}"
    return ready_detail(plan)


def _still_failed(plan: Plan) -> bool:
    """It is looked for again, and nobody has answered since it failed: no news."""
    return plan.stage is Stage.STARTING and plan.failing_since is not None and bool(plan.reason)


def _when(plan: Plan) -> str:
    wait = plan.due - plan.since
    return "trying again" if wait < SHORT_WAIT else f"trying again after {wait:g} s"


def _number(number: int, total: int) -> str:
    return f" ({max(number, 1)} of {total})" if total > 1 else ""


def ready_detail(plan: Plan) -> str:
    parts = [", ".join(model for model, _ in plan.ready) or "no model"]
    parts += [f"{model} is being healed" for model in plan.healing]
    parts += [reason if reason.startswith(model) else f"{model}: {reason}" for model, reason in plan.broken]
    if plan.resting:
        parts.append(f"{', '.join(plan.resting)} to be reloaded as planned")
    return "; ".join(parts)
