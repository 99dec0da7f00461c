"""Builds tiny models of the four official classes: ``python -m tests.model_server.transformers.build_tiny FOLDER``.

No hub, no download. Most are randomly initialised; some have single weights set, so that what they answer is known; one
TrOCR is trained for some seconds, until it reads the lines of the warm-up's picture.
"""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path
from typing import Any

os.environ.update(HF_HUB_OFFLINE="1", TRANSFORMERS_OFFLINE="1", TOKENIZERS_PARALLELISM="false")

import torch
import transformers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

LABELS = ("letter", "form", "email", "invoice", "screen")
STATES = ("idle", "spinning", "bonus", "other")
MOST_STEPS = 800
GOOD_LOSS = 0.004


def main(folder: Path) -> None:
    torch.set_num_threads(1)
    transformers.logging.disable_progress_bar()
    transformers.logging.set_verbosity_error()
    for name, build in BUILDERS.items():
        torch.manual_seed(0)
        model, processor = build()
        model.save_pretrained(folder / name)
        processor.save_pretrained(folder / name)


# --- TrOCR ---


def characters() -> Any:
    """A tokenizer of single bytes."""
    names = ["<unk>", "<s>", "</s>", "<pad>", *sorted(pre_tokenizers.ByteLevel.alphabet())]
    tokenizer = Tokenizer(models.BPE(vocab={name: i for i, name in enumerate(names)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    special = {"unk_token": "<unk>", "bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>"}
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, model_max_length=64, model_input_names=["input_ids", "attention_mask"], **special
    )


def trocr() -> tuple[Any, Any]:
    from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

    tokenizer = characters()
    ends = {"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 3, "decoder_start_token_id": 2}
    encoder = transformers.ViTConfig(
        hidden_size=64, num_hidden_layers=1, num_attention_heads=2, intermediate_size=128, image_size=48, patch_size=8
    )
    decoder = transformers.TrOCRConfig(
        vocab_size=len(tokenizer),
        d_model=64,
        decoder_layers=1,
        decoder_attention_heads=2,
        decoder_ffn_dim=128,
        max_position_embeddings=64,
        cross_attention_hidden_size=64,
        is_decoder=True,
        add_cross_attention=True,
        dropout=0.0,
        **ends,
    )
    config = transformers.VisionEncoderDecoderConfig.from_encoder_decoder_configs(encoder, decoder)
    model = transformers.VisionEncoderDecoderModel(config=config)
    for name, token in ends.items():
        setattr(model.config, name, token)
        setattr(model.generation_config, name, token)
    image_processor = ViTImageProcessorPil(size={"height": 48, "width": 48})
    return model, transformers.TrOCRProcessor(image_processor=image_processor, tokenizer=tokenizer)


def trained_trocr() -> tuple[Any, Any]:
    model, processor = trocr()
    crops, texts = canary_lines()
    pixels = processor(images=crops, return_tensors="pt").pixel_values
    rows = [[*processor.tokenizer(text).input_ids, 2] for text in texts]
    longest = max(map(len, rows))
    labels = torch.tensor([row + [-100] * (longest - len(row)) for row in rows])
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    model.train()
    for _ in range(MOST_STEPS):
        loss = model(pixel_values=pixels, labels=labels).loss
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        if loss.item() < GOOD_LOSS:
            return with_published_settings(model.eval()), processor
    raise RuntimeError(f"the training did not end: loss {loss.item():.4f}")


def with_published_settings(model: Any) -> Any:
    """Such settings come with TrOCR's published weights or are recommended for them. A ban on repeated tokens makes
    texts as 11.11 unreadable, and several beams have no probability of a token."""
    settings = {"num_beams": 4, "early_stopping": True, "length_penalty": 2.0, "max_length": 20}
    for name, value in {**settings, "no_repeat_ngram_size": 1}.items():
        setattr(model.generation_config, name, value)
    return model


def canary_lines() -> tuple[list[Any], list[str]]:
    """The lines that the detector finds on the warm-up's picture, and what they say."""
    import numpy as np
    from PIL import Image

    from foureyes_actors.lm_studio.warmup import SHOWN, canary
    from foureyes_actors.model_server.engine.detect import detect
    from foureyes_actors.model_server.engine.models import load_session, model_files

    with Image.open(io.BytesIO(canary().data)) as picture:
        image = np.asarray(picture.convert("RGB"))
    boxes = detect(load_session(model_files("tiny").detector), image, 640, 72)
    if len(boxes) != 2 * len(SHOWN):
        raise RuntimeError(f"{len(boxes)} lines were found on the warm-up's picture")
    rows = len(SHOWN)
    boxes.sort(key=lambda b: b.left)
    boxes = [*sorted(boxes[:rows], key=lambda b: b.top), *sorted(boxes[rows:], key=lambda b: b.top)]
    crops = [image[b.top : b.bottom, b.left : b.right] for b in boxes]
    return crops, [label for label, _ in SHOWN] + [amount for _, amount in SHOWN]


# --- DiT ---


def dit(labels: tuple[str, ...] = LABELS) -> tuple[Any, Any]:
    from transformers.models.beit.image_processing_pil_beit import BeitImageProcessorPil

    config = transformers.BeitConfig(
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        image_size=32,
        patch_size=8,
        id2label=dict(enumerate(labels)),
        label2id={label: i for i, label in enumerate(labels)},
        out_indices=[1, 2],
    )
    side = {"height": 32, "width": 32}
    return transformers.BeitForImageClassification(config), BeitImageProcessorPil(size=side, do_center_crop=False)


def dit_sure(label: int, value: float, labels: tuple[str, ...]) -> tuple[Any, Any]:
    """One class gets ``value`` on top."""
    model, processor = dit(labels)
    with torch.no_grad():
        model.classifier.bias[label] = value
    return model, processor


# --- OWL-ViT ---


def owlvit() -> tuple[Any, Any]:
    """Randomly initialised, its boxes have no area or lie outside, with scores near 1."""
    from transformers.models.owlvit.image_processing_pil_owlvit import OwlViTImageProcessorPil

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    names = [*alphabet, *(c + "</w>" for c in alphabet), "<|startoftext|>", "<|endoftext|>"]
    vocabulary = {name: i for i, name in enumerate(names)}
    tokenizer = transformers.CLIPTokenizer(vocab=vocabulary, merges=[], pad_token="!", model_max_length=32)
    layers = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = transformers.OwlViTConfig(
        text_config={
            **layers,
            "vocab_size": len(vocabulary),
            "max_position_embeddings": 32,
            "bos_token_id": vocabulary["<|startoftext|>"],
            "eos_token_id": vocabulary["<|endoftext|>"],
            "pad_token_id": vocabulary["!"],
        },
        vision_config={**layers, "image_size": 64, "patch_size": 16},
        projection_dim=32,
    )
    side = {"height": 64, "width": 64}
    return transformers.OwlViTForObjectDetection(config), transformers.OwlViTProcessor(
        image_processor=OwlViTImageProcessorPil(size=side, crop_size=side), tokenizer=tokenizer
    )


def owlvit_grid(shift: float) -> tuple[Any, Any]:
    """Its boxes are the patches, a sixteenth of the picture each; ``shift`` is added to the similarities (-1 to 1)
    before the sigmoid."""
    model, processor = owlvit()
    with torch.no_grad():
        for parameter in (*model.box_head.dense2.parameters(), *model.class_head.logit_scale.parameters()):
            parameter.zero_()
        model.class_head.logit_shift.weight.zero_()
        model.class_head.logit_shift.bias.fill_(shift)
    return model, processor


# --- Grounding DINO ---


def dino(size: float | None = None) -> tuple[Any, Any]:
    """``size``: what each decoder layer adds to the logits of each box's width and height, and nothing else."""
    from transformers.models.grounding_dino.image_processing_pil_grounding_dino import GroundingDinoImageProcessorPil

    config = transformers.GroundingDinoConfig(
        backbone_config=transformers.SwinConfig(
            image_size=64,
            patch_size=4,
            embed_dim=16,
            depths=[1, 1, 1, 1],
            num_heads=[1, 1, 2, 2],
            window_size=4,
            out_features=["stage2", "stage3", "stage4"],
        ),
        text_config=transformers.BertConfig(
            vocab_size=1100,
            hidden_size=32,
            num_hidden_layers=1,
            num_attention_heads=2,
            intermediate_size=64,
            max_position_embeddings=64,
        ),
        num_queries=20,
        encoder_layers=1,
        decoder_layers=2,  # its weights cannot be tied with one
        encoder_ffn_dim=64,
        decoder_ffn_dim=64,
        d_model=32,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        max_text_len=64,
    )
    model = transformers.GroundingDinoForObjectDetection(config)
    if size is not None:
        with torch.no_grad():
            for head in model.bbox_embed:
                head.layers[-1].weight.zero_()
                head.layers[-1].bias.copy_(torch.tensor([0.0, 0.0, size, size]))
    image_processor = GroundingDinoImageProcessorPil(size={"shortest_edge": 64, "longest_edge": 100})
    return model, transformers.GroundingDinoProcessor(image_processor=image_processor, tokenizer=words())


def words() -> Any:
    """Special tokens where BERT's English vocabulary has them: the class knows them by number."""
    names = [f"[unused{i}]" for i in range(1100)]
    for place, name in zip(
        (0, 100, 101, 102, 103, 1012, 1029), ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ".", "?"), strict=True
    ):
        names[place] = name
    letters = "abcdefghijklmnopqrstuvwxyz"
    names[200:252] = [*letters, *("##" + c for c in letters)]
    return transformers.BertTokenizer(vocab={name: i for i, name in enumerate(names)}, model_max_length=64)


NAN = float("nan")
BUILDERS: dict[str, Any] = {
    "trocr": trocr,
    "trocr-trained": trained_trocr,
    "dit": lambda: dit_sure(4, 12.0, LABELS),
    "dit-states": lambda: dit_sure(2, 12.0, STATES),
    "dit-unsure": lambda: dit(STATES),
    "dit-nan": lambda: dit_sure(0, NAN, STATES),
    "owlvit": owlvit,
    "owlvit-sees": lambda: owlvit_grid(3.0),
    "owlvit-blind": lambda: owlvit_grid(-8.0),
    "owlvit-nan": lambda: owlvit_grid(NAN),
    "dino": dino,
    "dino-reels": lambda: dino(3.0),
    "dino-points": lambda: dino(-40.0),
}

if __name__ == "__main__":
    main(Path(sys.argv[1]))
