"""The configuration in force, which a reload reads again."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from foureyes_actors.settings import Settings
from foureyes_actors.settings.changes import Changes, changes


class Config:
    """The configuration in force. An actor reads it when it is built, so that a reload builds it from the new one."""

    def __init__(
        self,
        settings: Settings,
        reread: Callable[[], Settings] | None = None,
        other_models: Callable[[Settings], bool] = lambda _settings: False,
    ) -> None:
        """``other_models``: whether these settings give another table of models than the one in force; both raise
        ConfigurationError."""
        self.settings = settings
        self._reread, self._other_models = reread, other_models
        self.degraded = False  # the model server is in its polling fallback

    def reread(self, reloaded: Sequence[str] = ()) -> Changes:
        """``reloaded``: who is built anew with it. Raises ConfigurationError; what was in force stays then."""
        if self._reread is None:
            return Changes()
        fresh = self._reread()
        found = changes(self.settings, fresh, reloaded, models=self._other_models(fresh))
        self.settings = fresh
        return found
