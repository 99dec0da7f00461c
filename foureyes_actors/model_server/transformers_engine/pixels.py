"""Pictures for the libraries' own processors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from foureyes_actors.model_server.api_error import invalid

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from foureyes_actors.model_server.transformers_engine.loading import Network

LEAST_SIDE = 16  # pixels
MOST_ASPECT = (
    16  # long side / short side: what scales a picture to a square, or to a longest side, needs more than a line
)


def check_shape(image: NDArray[np.uint8]) -> None:
    """Raises ApiError 400 for a picture that is no screen and that processors fail on."""
    height, width = image.shape[:2]
    short, long = sorted((height, width))
    if short < LEAST_SIDE or long > MOST_ASPECT * short:
        raise invalid(
            f"The picture has {width} x {height} pixels; this model takes sides of at least {LEAST_SIDE}, the "
            f"longer one at most {MOST_ASPECT} times the shorter one",
            param="messages",
        )


def inputs_of(network: Network, images: NDArray[np.uint8] | Sequence[NDArray[np.uint8]], **more: Any) -> Any:
    """Tensors on the network's device. A picture three pixels high would pass for one with its channels first, so they
    are said to be last."""
    return network.processor(images=images, input_data_format="channels_last", return_tensors="pt", **more).to(
        network.device
    )
