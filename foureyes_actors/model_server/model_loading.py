"""The engine of a model of the catalogue, whichever kind it is."""

from __future__ import annotations

from foureyes_actors.model_server.catalog import CatalogModel
from foureyes_actors.model_server.engines import Engine


def load_model(model: CatalogModel) -> Engine:
    """In the model's own thread; takes seconds. Raises MissingExtraError, ConfigurationError."""
    if model.level is None:
        from foureyes_actors.model_server.transformers_engine.loading import load_hosted

        return load_hosted(model)
    from foureyes_actors.model_server.screen_engine import load_engine

    return load_engine(model.level)
