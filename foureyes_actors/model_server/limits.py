"""What the model server takes from a stranger, at most."""

from __future__ import annotations

from dataclasses import dataclass, field

from foureyes_actors.settings import PictureLimits


@dataclass(frozen=True, slots=True)
class Limits:
    """Sizes in bytes, times in seconds."""

    picture: PictureLimits = field(default_factory=PictureLimits)
    body: int = 34 * 1024 * 1024  # a picture of the largest size in base64, and its prompt
    small_body: int = 64 * 1024  # of requests without a picture
    body_time: float = 30.0  # from the headers to the end of the body
    header_time: float = 10.0  # from the first byte (or the connection) to the end of the headers
    requests: int = 8  # in work and waiting, all models together; the next one gets a 503
    connections: int = 64
    sessions: int = 4  # tracked screens per model; the one that was quiet for longest goes
