"""What to do next about the model server: a state machine without threads, clocks or ports.

    (Moving to other models while it is ready: ``settling``.)

    starting --alive--> loading --all loaded--> warming up --one passed--> ready
       ^                                                                    |  a model gone: it is loaded again; its
       |                                                                    v  engine dead or stuck: see healing.py
       +-- after SLOW_RETRY, where the user -- failed <--- process ended, silent_after failed checks, not in time
           has to change something; else the
           supervisor replaces actor and server

``advance`` takes the plan, an event and the time, and gives the next plan, at most one command for the worker, and an
error that people should hear of.
"""

from __future__ import annotations

import math
from dataclasses import replace

from foureyes_actors.errors import (
    ConfigurationError,
    LMStudioError,
    LMStudioTimeoutError,
    ModelLoadFailed,
    PortTaken,
    ServerFault,
    ServerRefused,
)
from foureyes_actors.inference.server_faults import ACTIONS, Remedy
from foureyes_actors.lm_studio import healing, renewal
from foureyes_actors.lm_studio.plan import (
    Alive,
    Choices,
    Chosen,
    Command,
    Do,
    Finished,
    Found,
    Healthy,
    Launched,
    Loaded,
    NotYet,
    PictureRead,
    Plan,
    PlanEvent,
    Rested,
    Rules,
    Stage,
    Step,
    Suspected,
    Ticked,
    Unloaded,
    Wanted,
    Warm,
)
from foureyes_actors.lm_studio.settling import ask_for, retire_replaced, settled, wanted
from foureyes_actors.lm_studio.standing_in import blamed, to_mend, with_stand_ins

CHECK_AGAIN = 2.0  # seconds from a failed check to the next
MODEL_STEPS = (Do.LOAD, Do.RELOAD, Do.WARM_UP)
SLOW_RETRY = 60.0  # seconds; where the user has to change something


def begin(now: float, *, attached: bool = False, choices: Choices = ()) -> Step:
    """The first step of all. ``attached``: somebody else's server was used before: it is found again or not at all.
    ``choices``: wanted instead of the rules' models."""
    return _launch(Plan(Stage.STARTING, now, attached=attached, choices=choices, unsettled=bool(choices)), now)


def advance(plan: Plan, event: PlanEvent, now: float, rules: Rules) -> Step:
    """The plan after ``event``, and what to do now."""
    match event:
        case Finished(command=command) if command.round != plan.round:
            return Step(replace(plan, busy=False))  # overtaken
        case Finished():
            return _finished(replace(plan, busy=False), event, now, rules)
        case Ticked(exited=Exception() as exited) if plan.mine and plan.stage is not Stage.FAILED:
            return _fail(plan, exited, now, rules)
        case Ticked():
            return _ticked(plan, now, rules)
        case Wanted(choices=choices, make_room=make_room):
            return _ticked(ask_for(plan, choices, make_room, rules), now, rules)
        case Suspected() if plan.stage is Stage.READY:
            return _suspected(plan, event, now, rules)
        case PictureRead(model=model):
            return Step(renewal.counted(plan, model, now, rules))
        case Rested(model=model) if model in plan.resting:
            return _ticked(renewal.rested(plan, model), now, rules)
    return Step(plan)


def _suspected(plan: Plan, event: Suspected, now: float, rules: Rules) -> Step:
    """By the table in ``server_faults``. What is told of a model that is being healed already is about the same."""
    pair = healing.ready_pair(plan, event.model)
    remedy = ACTIONS[event.error_class].server
    if pair is None and event.model and remedy is not Remedy.LOOK:
        return Step(plan)
    if pair is not None and remedy is Remedy.RELOAD:
        return _reload(plan, pair, LMStudioError(f"{pair[0]}: {event.reason}"), now, rules)
    if pair is not None and remedy is Remedy.SET_ASIDE:
        plan = replace(plan, ready=tuple(p for p in plan.ready if p != pair), mend_at=now + SLOW_RETRY)
        step = _broken(plan, pair[0], ModelLoadFailed(event.reason), now, rules, calm=True)
        return replace(step, error=None)  # who suspected it has told the fault
    if pair is not None and remedy is Remedy.CANARY:
        plan = healing.doubt(plan, pair)
    return _ticked(replace(plan, due=now), now, rules)


def _reload(plan: Plan, pair: tuple[str, str], error: Exception, now: float, rules: Rules) -> Step:
    """Out of memory and in again. When that was done too often it is given up, and with the last one the server."""
    changed = healing.reload(plan, pair, now)
    if changed is not None:
        return _next(changed if changed.ready else _away(changed, now), now, rules)
    plan = replace(plan, ready=tuple(p for p in plan.ready if p != pair))
    return _broken(plan, pair[0], error, now, rules, calm=False)


def _away(plan: Plan, now: float) -> Plan:
    """Nothing is ready any more."""
    return replace(plan, stage=Stage.LOADING, since=now) if plan.stage is Stage.READY else plan


def _ticked(plan: Plan, now: float, rules: Rules) -> Step:
    if plan.busy:
        return Step(plan)
    if plan.stage is Stage.FAILED and now >= plan.due:
        return _again(plan, now)
    if plan.retiring or plan.reloading or plan.loading or plan.warming:  # a check was in work when they were put there
        return _next(plan, now, rules)
    if plan.stage is Stage.READY and plan.unsettled and not plan.failed_checks:
        return _command(plan, Do.CHOOSE, choices=plan.choices)
    if renewal.begins(plan, now, rules):
        return _renew(plan, now, rules)
    if plan.stage is Stage.READY and now >= plan.due:
        return _command(plan, Do.CHECK)
    if plan.stage is Stage.READY and plan.broken and now >= plan.mend_at:
        again = replace(plan, loading=to_mend(plan, rules), broken=(), mend_at=now + SLOW_RETRY)
        return _next(again, now, rules)
    return Step(plan)


def _finished(plan: Plan, event: Finished, now: float, rules: Rules) -> Step:
    do, model, known_as = event.command.do, event.command.model, event.command.known_as
    match event.result:
        case Launched():
            return _command(replace(plan, mine=True, attached=False), Do.WAIT)
        case Found(url=url):
            return _load_all(replace(plan, attached=True), url, now, rules)
        case Alive(url=url):
            return _load_all(plan, url, now, rules)
        case NotYet(reason=reason):
            return _wait_on(plan, reason, now, rules)
        case Loaded() as loaded:
            return _loaded(plan, event.command, loaded, now, rules)
        case Warm():
            plan = renewal.fresh(healing.healed(healing.taken(plan, model), model), model)
            return _next(replace(plan, ready=(*plan.ready, (model, known_as))), now, rules)
        case Healthy(resident=resident, memory=memory):
            return _checked(renewal.weighed(plan, memory, now, rules), resident, now, rules)
        case Chosen() if event.command.choices != plan.choices:
            return Step(plan)  # others are wanted meanwhile: the next tick asks again
        case Chosen() as chosen:
            return _settled(plan, chosen, now, rules)
        case Unloaded():
            return _next(replace(plan, retiring=plan.retiring[1:]), now, rules)
        case Exception() as error if do is Do.UNLOAD:
            return replace(_next(replace(plan, retiring=plan.retiring[1:]), now, rules), error=error)
        case Exception() as error if do in (Do.CHECK, Do.CHOOSE):
            return _check_failed(plan, error, now, rules)
        case Exception() as error if do in MODEL_STEPS and healing.may_help(plan, error, model):
            return _reload(healing.taken(plan, model), (model, known_as or model), error, now, rules)
        case Exception() as error if do in MODEL_STEPS and (_about_model(error) or plan.ready):
            return _broken(plan, model, error, now, rules, calm=healing.calm(error, do))
        case Exception() as error:
            return _fail(plan, error, now, rules)


def _loaded(plan: Plan, command: Command, loaded: Loaded, now: float, rules: Rules) -> Step:
    model, known_as, error = command.model, loaded.known_as, None
    if command.do is Do.RELOAD:
        plan, error = renewal.reloaded(plan, model, loaded.kept, now)
    plan = _reasoning(healing.taken(plan, model), known_as, loaded.reasons)
    return replace(_next(replace(plan, warming=(*plan.warming, (model, known_as))), now, rules), error=error)


def _settled(plan: Plan, chosen: Chosen, now: float, rules: Rules) -> Step:
    """A smaller model that the server lacks is told: somebody has to download it."""
    plan = settled(plan, chosen)
    step = _next(plan if plan.ready else _away(plan, now), now, rules)
    if not chosen.lacking:
        return step
    lacking, instead = ", ".join(chosen.lacking), ", ".join(chosen.models)
    return replace(step, error=ServerRefused(f"the model server has no {lacking}; asked instead: {instead}"))


def _about_model(error: Exception) -> bool:
    """Not about the server: the other models may be well."""
    return isinstance(error, ModelLoadFailed | ServerFault | ConfigurationError)


def _broken(plan: Plan, model: str, error: Exception, now: float, rules: Rules, *, calm: bool) -> Step:
    """One model cannot be used. When it was the last one and no other can, nothing is ready; ``calm``: the server is
    not to blame."""
    plan = healing.healed(healing.taken(plan, model), model)
    plan = replace(plan, broken=(*plan.broken, (model, str(error))))
    plan = with_stand_ins(plan, rules) if calm else plan
    if plan.reloading or plan.loading or plan.warming or plan.ready:
        return replace(_next(plan if plan.ready else _away(plan, now), now, rules), error=error)
    if plan.chosen and plan.chosen != rules.models:
        # what stood in for them cannot: better much asked than nothing read
        plan = replace(plan, chosen=rules.models, loading=rules.models, broken=(), stage=Stage.LOADING, since=now)
        return replace(_next(plan, now, rules), error=error)
    step = _fail(plan, error, now, rules, calm=calm)
    return replace(step, plan=replace(step.plan, reason=blamed(plan, rules, str(error))))


def _reasoning(plan: Plan, known_as: str, reasons: bool) -> Plan:
    others = tuple(each for each in plan.reasoning if each != known_as)
    return replace(plan, reasoning=(*others, known_as) if reasons else others)


def _renew(plan: Plan, now: float, rules: Rules) -> Step:
    """A planned reload, between two frames: no failure. Where it did not help the memory, our own server is started
    anew."""
    if renewal.needs_a_new_server(plan):
        return _launch(renewal.restarted(plan, now), now)
    plan = renewal.to_reload(plan)
    return _next(plan if plan.ready else _away(plan, now), now, rules)


def _launch(plan: Plan, now: float) -> Step:
    fresh = Plan(
        Stage.STARTING,
        now,
        round=plan.round,
        attached=plan.attached,
        failing_since=plan.failing_since,
        reason=plan.reason if plan.failing_since is not None else "",
        kept=plan.kept,
        heavy=plan.heavy,
        heavy_until=plan.heavy_until,
        choices=plan.choices,
        make_room=plan.make_room,
        unsettled=bool(plan.choices),
    )
    return _command(fresh, Do.LAUNCH)


def _again(plan: Plan, now: float) -> Step:
    if not plan.keep:
        return _launch(plan, now)
    return _command(replace(plan, stage=Stage.STARTING, since=now, keep=False, broken=()), Do.WAIT)


def _wait_on(plan: Plan, reason: str, now: float, rules: Rules) -> Step:
    if now - plan.since < rules.start_timeout:
        return _command(replace(plan, reason=reason), Do.WAIT)
    return _fail(plan, LMStudioTimeoutError(f"not ready within {rules.start_timeout:g} s: {reason}"), now, rules)


def _load_all(plan: Plan, url: str, now: float, rules: Rules) -> Step:
    plan = replace(plan, url=url, loading=wanted(plan, rules), reason="", mend_at=now + SLOW_RETRY)
    return _next(plan, now, rules)


def _next(plan: Plan, now: float, rules: Rules) -> Step:
    """The next model, or ready after the last. While others are ready already, it goes on behind their back."""
    if plan.busy:
        return Step(plan)
    if plan.retiring:
        return _command(plan, Do.UNLOAD, *plan.retiring[0])
    if plan.reloading:
        return _command(_in_stage(plan, Stage.LOADING, now), Do.RELOAD, *plan.reloading[0])
    if plan.loading:
        return _command(_in_stage(plan, Stage.LOADING, now), Do.LOAD, plan.loading[0])
    if plan.warming:
        return _command(_in_stage(plan, Stage.WARMING_UP, now), Do.WARM_UP, *plan.warming[0])
    if plan.stage is not Stage.READY:
        due = now + rules.check_every
        plan = replace(plan, stage=Stage.READY, since=now, due=due, failed_checks=0, failing_since=None, reason="")
    replaced = retire_replaced(plan, rules)
    return Step(plan) if replaced is plan else _next(replaced, now, rules)


def _in_stage(plan: Plan, stage: Stage, now: float) -> Plan:
    return plan if plan.stage in (Stage.READY, stage) else replace(plan, stage=stage, since=now)


def _checked(plan: Plan, resident: tuple[str, ...], now: float, rules: Rules) -> Step:
    plan = replace(plan, failed_checks=0, due=now + rules.check_every, reason="")
    gone = tuple(model for model, _ in plan.ready if model not in resident)
    left = tuple(pair for pair in plan.ready if pair[0] not in gone)
    plan = healing.tested(replace(plan, ready=left, loading=(*plan.loading, *gone)))
    return _next(plan if plan.ready else _away(plan, now), now, rules)


def _check_failed(plan: Plan, error: Exception, now: float, rules: Rules) -> Step:
    plan = replace(plan, failed_checks=plan.failed_checks + 1, reason=str(error))
    if plan.failed_checks >= rules.silent_after:
        text = f"no answer to {plan.failed_checks} checks in a row: {error}"
        silent = LMStudioTimeoutError(text)
        silent.__cause__ = error  # what the last check recorded: with it the silence can be run again
        return _fail(plan, silent, now, rules)
    return Step(replace(plan, due=now + min(CHECK_AGAIN, rules.check_every)))


def _fail(plan: Plan, error: Exception, now: float, rules: Rules, *, calm: bool = False) -> Step:
    """All from the beginning: by a new start of server and actor, which is the supervisor's to decide, unless that
    cannot help. What only a person can change, and what is not the server's fault (``calm``), is tried again slowly; a
    server that is not ours to start gets the time of a start to come back by itself, a stranger on its port to leave.
    After that the system has to go on without it."""
    since = now if plan.failing_since is None else plan.failing_since
    foreign = (plan.attached and not rules.restart_foreign) or isinstance(error, PortTaken)
    theirs = (foreign or not rules.manage) and now - since < rules.start_timeout
    due = math.inf
    if calm or isinstance(error, ConfigurationError):
        due = now + SLOW_RETRY
    elif theirs:
        due = now + CHECK_AGAIN
    failed = replace(
        plan,
        stage=Stage.FAILED,
        since=now,
        round=plan.round + 1,
        reloading=(),
        loading=(),
        warming=(),
        ready=(),
        doubted=(),
        healing=(),
        retiring=(),
        unsettled=bool(plan.choices),
        chosen=(),
        due=due,
        failing_since=since,
        keep=calm and plan.mine,
        reason=str(error),
    )
    return Step(failed, error=error)


def _command(plan: Plan, do: Do, model: str = "", known_as: str = "", choices: Choices = ()) -> Step:
    reasons = known_as in plan.reasoning
    command = Command(do, plan.round, plan.url, plan.attached, model, known_as, reasons, choices)
    return Step(replace(plan, busy=True), command)
