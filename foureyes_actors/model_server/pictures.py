"""From the bytes of a stranger's picture to pixels: the header is examined before anything is decoded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from foureyes_actors.capture.picture import examine, open_examined
from foureyes_actors.errors import BadPicture
from foureyes_actors.model_server.api_error import invalid
from foureyes_actors.settings import PictureLimits

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def decode(data: bytes, limits: PictureLimits) -> NDArray[np.uint8]:
    """Height x width x 3, RGB. Transparency is dropped. Raises ApiError 400 for what is no usable JPEG or PNG."""
    import numpy as np

    try:
        examine(data, limits)
    except BadPicture as error:
        raise invalid(f"The picture cannot be used: {_for_clients(error)}", param="messages") from None
    try:
        with open_examined(data) as image:
            return np.asarray(image.convert("RGB"))
    except Exception as error:  # a decoder at work on a stranger's bytes: any exception means that they are broken
        raise invalid(
            f"The picture does not decode: {type(error).__name__}: {str(error)[:200]}", param="messages"
        ) from None


def _for_clients(error: BadPicture) -> str:
    """Without the name of FourEyes's own settings."""
    return str(error).replace("source.limits.", "")
