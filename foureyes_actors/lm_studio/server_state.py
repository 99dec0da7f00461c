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


def server_state(plan: Plan, now: float, rules: Rules, pid: int | None) -> ServerState:
    """``pid``: of the process that FourEyes started."""
    models = tuple(known_as for _, known_as in plan.ready)
    return ServerState(
        PHASES[plan.stage],
        plan.url,
        models,
        detail(plan, now, rules),
        pid,
        reasoning=plan.reasoning,
        wanted=tuple(model for model, _ in plan.ready),
        resting=plan.resting,
    )


def detail(plan: Plan, now: float, rules: Rules) -> str:
    """What is going on, for people; the seconds of a stage that lasts are in it."""
    total = len(wanted(plan, rules))
    took = f"{now - plan.since:.1f} s"
    match plan.stage:
        case Stage.STARTING:
            return f"waiting for the model server, {took}"
        case Stage.LOADING if plan.reloading:
            return f"loading {plan.reloading[0][0]} anew, {took}"
        case Stage.LOADING if plan.loading:
            number = total - len(plan.loading) + 1
            return f"loading {plan.loading[0]} ({number} of {total}), {took}"
        case Stage.WARMING_UP if plan.warming:
            number = total - len(plan.warming) + 1
            return f"warming up {plan.warming[0][0]} ({number} of {total}), {took}"
        case Stage.FAILED:
            what = "to be started again" if plan.unwell else f"trying again after {plan.due - plan.since:g} s"
            return f"{plan.reason}; {what}"
    return ready_detail(plan)


def ready_detail(plan: Plan) -> str:
    parts = [f"{len(plan.ready)} {'model' if len(plan.ready) == 1 else 'models'} ready"]
    parts += [f"{model} is being healed" for model in plan.healing]
    parts += [f"{model}: {reason}" for model, reason in plan.broken]
    if plan.resting:
        parts.append(f"{', '.join(plan.resting)} to be reloaded as planned")
    if plan.failed_checks:
        parts.append(f"{plan.failed_checks} failed checks: {plan.reason}")
    return "; ".join(parts)
