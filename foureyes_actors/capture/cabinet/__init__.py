"""The demo cabinet: a seeded, animated, slot-like screen with a known truth, drawn with Pillow alone."""

from foureyes_actors.capture.cabinet.cabinet import THEMES, Cabinet
from foureyes_actors.capture.cabinet.stage import encode_jpeg
from foureyes_actors.capture.cabinet.truth import Truth

__all__ = ["THEMES", "Cabinet", "Truth", "encode_jpeg"]
