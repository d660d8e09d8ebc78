"""Convert a BERT sentence encoder (safetensors) to GGUF, which llama.cpp serves.

Run as a process of its own (`python -m services.catalog.bert_gguf FOLDER FILE.gguf`), so that
numpy and the weights never stay in a worker's memory.
"""

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import gguf
import numpy as np
from safetensors.numpy import load_file

# Left of an arrow: Hugging Face's name; right: llama.cpp's name.
EMBEDDINGS = {
    "word_embeddings": "token_embd",
    "position_embeddings": "position_embd",
    "token_type_embeddings": "token_types",
    "LayerNorm": "token_embd_norm",
}
LAYER = {
    "attention.self.query": "attn_q",
    "attention.self.key": "attn_k",
    "attention.self.value": "attn_v",
    "attention.output.dense": "attn_output",
    "attention.output.LayerNorm": "attn_output_norm",
    "intermediate.dense": "ffn_up",
    "output.dense": "ffn_down",
    "output.LayerNorm": "layer_output_norm",
}
# llama.cpp adds these to the input as they are, so that they stay in 32 bits.
KEPT_EXACT = {"position_embd", "token_types"}
CONTROL, NORMAL = 3, 1
HALF_PRECISION_FILE = 1


class NotConvertible(Exception):
    """The model is not a BERT encoder with a WordPiece vocabulary."""


@dataclass(frozen=True)
class Vocabulary:
    """The tokens in order of their ids, and which ids are special."""

    tokens: list[str]
    special: frozenset[int]

    def id_of(self, token: str) -> int:
        """Return a token's id; raise NotConvertible."""
        try:
            return self.tokens.index(token)
        except ValueError:
            raise NotConvertible(f"The vocabulary lacks {token}.") from None

    def phantom(self, position: int) -> str:
        """Return a token as llama.cpp spells it: word beginnings are marked, not continuations."""
        token = self.tokens[position]
        if position in self.special:
            return token
        return token.removeprefix("##") if token.startswith("##") else f"\u2581{token}"


def read_vocabulary(path: Path) -> Vocabulary:
    """Read tokenizer.json; raise NotConvertible."""
    tokenizer = json.loads(path.read_text())
    if tokenizer["model"].get("type", "WordPiece") != "WordPiece":
        raise NotConvertible("The tokenizer is not WordPiece.")
    ordered = sorted(tokenizer["model"]["vocab"].items(), key=lambda item: item[1])
    special = frozenset(added["id"] for added in tokenizer["added_tokens"])
    return Vocabulary([token for token, _ in ordered], special)


def gguf_name(name: str) -> str | None:
    """Translate a tensor's name; None for tensors that embeddings do not need."""
    name = name.removeprefix("bert.")
    if name.startswith("pooler.") or name.endswith("position_ids"):
        return None
    stem, _, kind = name.rpartition(".")
    where, _, rest = stem.partition(".")
    if where == "embeddings" and rest in EMBEDDINGS:
        return f"{EMBEDDINGS[rest]}.{kind}"
    if where == "encoder":
        _, number, part = rest.split(".", 2)
        if part in LAYER:
            return f"blk.{number}.{LAYER[part]}.{kind}"
    raise NotConvertible(f"The tensor {name} is not one of a BERT encoder.")


def tensors(path: Path) -> Iterator[tuple[str, np.ndarray]]:
    """Yield the tensors under llama.cpp's names, matrices in half precision."""
    for name, values in load_file(path).items():
        new_name = gguf_name(name)
        if new_name is None:
            continue
        matrix = values.ndim > 1 and new_name.partition(".")[0] not in KEPT_EXACT
        yield new_name, values.astype(np.float16 if matrix else np.float32)


def convert(folder: Path, target: Path) -> None:
    """Write the model in `folder` to a GGUF file; raise NotConvertible."""
    config = json.loads((folder / "config.json").read_text())
    if config.get("model_type") != "bert":
        raise NotConvertible(f"The model is {config.get('model_type')!r}, not bert.")
    part = target.with_name(target.name + ".part")
    writer = gguf.GGUFWriter(part, "bert")
    _write_shape(writer, config)
    _write_vocabulary(writer, read_vocabulary(folder / "tokenizer.json"))
    for name, values in tensors(folder / "model.safetensors"):
        writer.add_tensor(name, values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    part.replace(target)


def _write_shape(writer: gguf.GGUFWriter, config: dict[str, float]) -> None:
    writer.add_context_length(int(config["max_position_embeddings"]))
    writer.add_embedding_length(int(config["hidden_size"]))
    writer.add_block_count(int(config["num_hidden_layers"]))
    writer.add_feed_forward_length(int(config["intermediate_size"]))
    writer.add_head_count(int(config["num_attention_heads"]))
    writer.add_layer_norm_eps(config["layer_norm_eps"])
    writer.add_causal_attention(value=False)
    writer.add_pooling_type(gguf.PoolingType.MEAN)
    writer.add_file_type(HALF_PRECISION_FILE)


def _write_vocabulary(writer: gguf.GGUFWriter, vocabulary: Vocabulary) -> None:
    ids = range(len(vocabulary.tokens))
    writer.add_tokenizer_model("bert")
    writer.add_tokenizer_pre("default")
    writer.add_token_list([vocabulary.phantom(i) for i in ids])
    writer.add_token_types([CONTROL if i in vocabulary.special else NORMAL for i in ids])
    writer.add_token_type_count(2)
    writer.add_bos_token_id(vocabulary.id_of("[CLS]"))
    writer.add_eos_token_id(vocabulary.id_of("[SEP]"))
    writer.add_sep_token_id(vocabulary.id_of("[SEP]"))
    writer.add_unk_token_id(vocabulary.id_of("[UNK]"))
    writer.add_pad_token_id(vocabulary.id_of("[PAD]"))
    writer.add_mask_token_id(vocabulary.id_of("[MASK]"))


def main() -> int:
    """Convert what the command line names; say on standard error what cannot be converted."""
    try:
        convert(Path(sys.argv[1]), Path(sys.argv[2]))
    except (NotConvertible, KeyError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
