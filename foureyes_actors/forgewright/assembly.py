"""Forgewright, put together from its parts and the ports. ``wiring`` says who it talks to."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from foureyes_actors.errors import StoreError
from foureyes_actors.forgewright.actor import Changed, ForgewrightActor, Told
from foureyes_actors.forgewright.forging import Forging
from foureyes_actors.forgewright.knobs import value_of
from foureyes_actors.forgewright.latencies import Observed, model_of, observed
from foureyes_actors.forgewright.ledger import Ledger
from foureyes_actors.forgewright.making import PlatformMaker
from foureyes_actors.forgewright.reproducing import Reproducing
from foureyes_actors.forgewright.triage import Rule
from foureyes_actors.forgewright.workshop import LocalWorkshop, Remember
from foureyes_actors.messages import PressureLevel
from foureyes_actors.ports.clock import Clock
from foureyes_actors.ports.private_folder import LocalPrivateFolder
from foureyes_actors.ports.store import StoreReader
from foureyes_actors.settings import Settings
from foureyes_actors.world import World
from supervisors.actor import ActorContext

LOCK_WITHIN = 0.2  # seconds for the lock of the decisions: the actor answers others too


def forgewright_actor(
    context: ActorContext,
    settings: Settings,
    world: World,
    rules: Sequence[Rule],
    *,
    run_id: str,
    audience: tuple[str, ...],
    level: PressureLevel,
    run_began: float,
    current: Callable[[], Settings],
) -> ForgewrightActor:
    """``level``: the pressure now. ``run_began``: this process, seconds since 1970. ``current``: the settings
    in force, which a reload may have read again."""

    def reproducing(inner: ActorContext, made: Told) -> Reproducing:
        place = settings.platforms_dir
        records, folder = LocalPrivateFolder(settings.records_dir), LocalPrivateFolder(place)
        maker = PlatformMaker(records, folder, place, world.processes, world.clock)
        per_day = settings.forgewright.platforms_per_day
        return Reproducing(
            inner, maker=maker, folder=folder, clock=world.clock, per_day=per_day, made=made, level=level
        )

    def forging(inner: ActorContext, changed: Changed) -> Forging:
        place = settings.decisions_dir
        ledger = Ledger(LocalPrivateFolder(place), place, world.clock, lock_within=LOCK_WITHIN)
        return Forging(
            inner,
            ledger=ledger,
            workshop=LocalWorkshop(
                settings, ledger, world.processes, world.clock, observed=latencies(world.reader, world.clock)
            ),
            clock=world.clock,
            settings=settings.forgewright,
            changed=changed,
            level=level,
            run_began=run_began,
            setting=lambda key: value_of(current(), key),
        )

    return ForgewrightActor(
        context,
        rules=rules,
        clock=world.clock,
        run_id=run_id,
        audience=audience,
        reproducing=reproducing,
        forging=forging,
    )


def latencies(reader: Callable[[], StoreReader] | None, clock: Clock) -> Remember:
    """How long the answers of a record's model took, by the newest readings. Nothing is known while the store is
    away."""

    def found(document: Mapping[str, Any]) -> Observed:
        model = model_of(document)
        if reader is None or not model:
            return Observed()
        try:
            store = reader()
            try:
                return observed(store, model, clock.utc_now())
            finally:
                store.close()
        except StoreError:
            return Observed()

    return found
