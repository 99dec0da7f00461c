"""Make a tiny vision-language model with random weights, laid out as a Hugging Face cache: no network, some seconds.

    python tiny_llava.py FOLDER        # -> FOLDER/hub/models--lab--tiny-llava, served as lab/tiny-llava

A program of its own: it runs in whatever Python has torch and transformers.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

REVISION = "0" * 39 + "1"
TEMPLATE = (
    "{% for m in messages %}{{ m['role']|upper }}: {% if m['content'] is string %}{{ m['content'] }}{% else %}"
    "{% for c in m['content'] %}{% if c['type'] == 'image' %}<image>\n"
    "{% elif c['type'] == 'text' %}{{ c['text'] }}{% endif %}{% endfor %}{% endif %}\n{% endfor %}"
    "{% if add_generation_prompt %}ASSISTANT:{% endif %}"
)


def tokenizer() -> Any:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    made = Tokenizer(models.BPE(unk_token=None))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    special = ["<unk>", "<s>", "</s>", "<pad>", "<image>"]
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=special,
        show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )
    made.train_from_iterator(["USER: ASSISTANT: describe what is on the screen"], trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=made,
        unk_token="<unk>",
        bos_token="<s>",
        eos_token="</s>",
        pad_token="<pad>",
        model_input_names=["input_ids", "attention_mask"],
        extra_special_tokens={"image_token": "<image>"},
        model_max_length=8192,
    )


def processor(words: Any) -> Any:
    from transformers import LlavaProcessor

    try:
        from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil as Images
    except ImportError:
        from transformers import CLIPImageProcessor as Images
    size = {"height": 28, "width": 28}
    return LlavaProcessor(
        image_processor=Images(size=size, crop_size=size, do_center_crop=False),
        tokenizer=words,
        patch_size=14,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=TEMPLATE,
        image_token="<image>",
    )


def model(words: Any) -> Any:
    from transformers import CLIPVisionConfig, LlamaConfig, LlavaConfig, LlavaForConditionalGeneration

    eyes = CLIPVisionConfig(
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        image_size=28,
        patch_size=14,
        projection_dim=32,
    )
    text = LlamaConfig(
        vocab_size=len(words),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=8192,
        bos_token_id=words.bos_token_id,
        eos_token_id=words.eos_token_id,
        pad_token_id=words.pad_token_id,
    )
    image_token = words.convert_tokens_to_ids("<image>")
    made = LlavaForConditionalGeneration(
        LlavaConfig(
            vision_config=eyes,
            text_config=text,
            image_token_index=image_token,
            vision_feature_layer=-2,
            vision_feature_select_strategy="default",
            image_seq_length=4,
        )
    )
    made.generation_config.eos_token_id = words.eos_token_id
    made.generation_config.pad_token_id = words.pad_token_id
    return made


def main(folder: Path) -> None:
    os.environ["TRANSFORMERS_OFFLINE"] = os.environ["HF_HUB_OFFLINE"] = "1"
    import torch

    torch.manual_seed(0)
    home = folder / "hub" / "models--lab--tiny-llava"
    snapshot = home / "snapshots" / REVISION
    (home / "refs").mkdir(parents=True)
    snapshot.mkdir(parents=True)
    (home / "refs" / "main").write_text(REVISION)
    words = tokenizer()
    model(words).save_pretrained(snapshot)
    processor(words).save_pretrained(snapshot)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
