"""Make random eyes for any text model of llama.cpp: a vision projector with which its server takes pictures.

    python random_eyes.py OUT.gguf WIDTH        # WIDTH: the text model's embedding length, 640 for gemma-3-270m

A program of its own: it needs the packages gguf and numpy.
"""

from __future__ import annotations

import importlib
import sys
from typing import Any

EMBEDDING, FEED_FORWARD, BLOCKS, HEADS, IMAGE, PATCH = 32, 64, 2, 2, 56, 14
NUMBERS = {
    "image_size": IMAGE,
    "patch_size": PATCH,
    "embedding_length": EMBEDDING,
    "feed_forward_length": FEED_FORWARD,
    "block_count": BLOCKS,
}


def describe(writer: Any, width: int) -> None:
    writer.add_type("mmproj")
    writer.add_bool("clip.has_vision_encoder", True)
    writer.add_string("clip.projector_type", "mlp")
    writer.add_bool("clip.use_gelu", True)
    for name, value in {**NUMBERS, "projection_dim": width}.items():
        writer.add_uint32(f"clip.vision.{name}", value)
    writer.add_uint32("clip.vision.attention.head_count", HEADS)
    writer.add_float32("clip.vision.attention.layer_norm_epsilon", 1e-5)
    for name in ("image_mean", "image_std"):
        writer.add_array(f"clip.vision.{name}", [0.5, 0.5, 0.5])
    writer.add_file_type(0)


def shapes(width: int) -> dict[str, tuple[int, ...]]:
    """Of the weights with random values."""
    e, ff = EMBEDDING, FEED_FORWARD
    found: dict[str, tuple[int, ...]] = {
        "v.patch_embd.weight": (e, 3, PATCH, PATCH),
        "v.class_embd": (e,),
        "v.position_embd.weight": ((IMAGE // PATCH) ** 2 + 1, e),
        "mm.0.weight": (width, e),
        "mm.2.weight": (width, width),
    }
    for block in range(BLOCKS):
        for name in ("attn_q", "attn_k", "attn_v", "attn_out"):
            found[f"v.blk.{block}.{name}.weight"] = (e, e)
        found[f"v.blk.{block}.ffn_up.weight"] = (ff, e)
        found[f"v.blk.{block}.ffn_down.weight"] = (e, ff)
    return found


def constants(width: int) -> dict[str, tuple[int, float]]:
    """Biases, 0, and norms, 1: length and value."""
    found: dict[str, tuple[int, float]] = {"mm.0.bias": (width, 0.0), "mm.2.bias": (width, 0.0)}
    norms = ["v.pre_ln", *(f"v.blk.{block}.{name}" for block in range(BLOCKS) for name in ("ln1", "ln2"))]
    for name in norms:
        found[f"{name}.weight"], found[f"{name}.bias"] = (EMBEDDING, 1.0), (EMBEDDING, 0.0)
    for block in range(BLOCKS):
        for name in ("attn_q", "attn_k", "attn_v", "attn_out", "ffn_down"):
            found[f"v.blk.{block}.{name}.bias"] = (EMBEDDING, 0.0)
        found[f"v.blk.{block}.ffn_up.bias"] = (FEED_FORWARD, 0.0)
    return found


def main(path: str, width: int) -> None:
    import numpy

    gguf: Any = importlib.import_module("gguf")  # only this program needs it
    random = numpy.random.default_rng(0)
    writer = gguf.GGUFWriter(path, "clip")
    describe(writer, width)
    for name, shape in shapes(width).items():
        writer.add_tensor(name, (random.standard_normal(shape) * 0.02).astype(numpy.float32))
    for name, (length, value) in constants(width).items():
        writer.add_tensor(name, numpy.full((length,), value, numpy.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
