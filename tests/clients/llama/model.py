"""A language model of 300 kB in llama.cpp's own file format, that knows one answer by heart.

Each token has a random embedding, and the output layer leads from the embedding of a token to the one that
follows it in the answer; attention adds nothing. Where a grammar forbids that one, the likeliest of the rest
is taken. So whatever it is asked, it says the same thing, letter by letter or byte by byte.
"""

import random
import struct
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

THOUGHT = "Hm…"
ANSWER = "Salü: 한👋."
WORD = "울"  # what a text in JSON is; no byte of the three comes twice, since each leads to one other
TOKENS = 22  # of the thought and the answer, and one that ends each
CONTEXT = 65_536
ENDLESSLY = "for ever"  # in a prompt: the template begins a "tick" that has no end

WIDTH, FEED = 64, 32
UINT, INT, FLOAT, BOOL, STRING, ARRAY = 4, 5, 6, 7, 8, 9  # how GGUF numbers its types
NORMAL, UNKNOWN, CONTROL, DEFINED, BYTE = 1, 2, 3, 4, 6  # and those of tokens
SPECIAL = dict.fromkeys(("<s>", "<|im_start|>", "<|im_end|>"), CONTROL)
MARKS = dict.fromkeys(("<think>", "</think>", "<tool_call>", "</tool_call>"), DEFINED)
BYTES = {f"<0x{number:02X}>": BYTE for number in range(256)}
LETTERS = {chr(number).replace(" ", "▁"): NORMAL for number in range(32, 127)}
VOCABULARY = {"<unk>": UNKNOWN, **SPECIAL, **MARKS, **BYTES, **LETTERS}
NUMBERS = {token: number for number, token in enumerate(VOCABULARY)}
#: ChatML with thoughts and with tools as Hermes and Qwen have them.
TEMPLATE = Path(__file__).with_name("template.jinja").read_text("utf-8")


def pieces(text: str) -> list[str]:
    """The tokens of a text: a letter each in ASCII, else a byte each."""
    made = []
    for letter in text.replace(" ", "▁"):
        made += [letter] if letter in LETTERS else [f"<0x{byte:02X}>" for byte in letter.encode()]
    return made


def _strengths() -> dict[tuple[str, str], float]:
    """How strongly one token leads to another."""
    answering = ["<think>", *pieces(THOUGHT), "</think>", *pieces(ANSWER), "<|im_end|>"]
    calling = ["<tool_call>", "<0x0A>", "{"]
    quoting = ['"', *pieces(WORD), '"']
    known = [answering, calling, quoting, ["</tool_call>", "<|im_end|>"], [*"tickt"]]
    strengths = {pair: 0.5 for tokens in known for pair in pairwise(tokens)}
    # Where the end is forbidden, since a tool must be called, a call comes next.
    return strengths | {(answering[-2], "<tool_call>"): 0.4}


def _weights() -> dict[str, tuple[tuple[int, ...], bytes]]:
    """Shape and floats of each tensor, by its name."""
    dice = random.Random(7)
    embeddings = [[1.0, *(dice.choice((-1.0, 1.0)) for _ in range(WIDTH - 1))] for _ in VOCABULARY]
    outputs = [[dice.gauss(0, 0.02) for _ in range(WIDTH)] for _ in VOCABULARY]
    outputs[NUMBERS['"']][0] += 16  # every embedding begins with 1, so texts in JSON end soon
    for (token, following), strength in _strengths().items():
        row = outputs[NUMBERS[following]]
        for at, number in enumerate(embeddings[NUMBERS[token]]):
            row[at] += strength * number
    shapes = {f"blk.0.attn_{name}.weight": (WIDTH, WIDTH) for name in ("q", "k", "v", "output")}
    shapes |= {f"blk.0.ffn_{name}.weight": (WIDTH, FEED) for name in ("gate", "up")}
    shapes |= {"blk.0.ffn_down.weight": (FEED, WIDTH)}
    norms = ("output_norm.weight", "blk.0.attn_norm.weight", "blk.0.ffn_norm.weight")
    return {
        "token_embd.weight": ((WIDTH, len(VOCABULARY)), _flat(embeddings)),
        "output.weight": ((WIDTH, len(VOCABULARY)), _flat(outputs)),
        **{name: ((WIDTH,), _flat([[1.0] * WIDTH])) for name in norms},
        **{name: (shape, bytes(4 * shape[0] * shape[1])) for name, shape in shapes.items()},
    }


def _flat(rows: Sequence[Sequence[float]]) -> bytes:
    return b"".join(struct.pack(f"<{len(row)}f", *row) for row in rows)


def _facts() -> dict[str, bytes]:
    """What the file tells of the model: values in GGUF's own encoding, by their names."""
    numbers = {
        "context_length": CONTEXT,
        "embedding_length": WIDTH,
        "block_count": 1,
        "feed_forward_length": FEED,
        "attention.head_count": 2,
        "vocab_size": len(VOCABULARY),
    }
    kinds, scores = list(VOCABULARY.values()), [0.0] * len(VOCABULARY)
    return {
        "general.architecture": struct.pack("<I", STRING) + _string("llama"),
        **{f"llama.{name}": struct.pack("<II", UINT, number) for name, number in numbers.items()},
        "llama.attention.layer_norm_rms_epsilon": struct.pack("<If", FLOAT, 1e-5),
        "tokenizer.ggml.model": struct.pack("<I", STRING) + _string("llama"),
        "tokenizer.ggml.tokens": _array(STRING, b"".join(map(_string, VOCABULARY))),
        "tokenizer.ggml.scores": _array(FLOAT, struct.pack(f"<{len(VOCABULARY)}f", *scores)),
        "tokenizer.ggml.token_type": _array(INT, struct.pack(f"<{len(VOCABULARY)}i", *kinds)),
        "tokenizer.ggml.bos_token_id": struct.pack("<II", UINT, NUMBERS["<s>"]),
        "tokenizer.ggml.eos_token_id": struct.pack("<II", UINT, NUMBERS["<|im_end|>"]),
        "tokenizer.ggml.add_space_prefix": struct.pack("<I?", BOOL, False),
        "tokenizer.chat_template": struct.pack("<I", STRING) + _string(TEMPLATE),
    }


def _string(text: str) -> bytes:
    return struct.pack("<Q", len(text.encode())) + text.encode()


def _array(kind: int, items: bytes) -> bytes:
    """One value for each token."""
    return struct.pack("<IIQ", ARRAY, kind, len(VOCABULARY)) + items


def write(path: Path) -> None:
    """The model as a GGUF file, version 3: counts, facts, tensors' places, tensors."""
    facts, weights = _facts(), _weights()
    head = b"GGUF" + struct.pack("<IQQ", 3, len(weights), len(facts))
    head += b"".join(_string(name) + value for name, value in facts.items())
    body = b""
    for name, (shape, floats) in weights.items():
        head += _string(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, 0, len(body))
        body += floats  # of 32 bytes a multiple, as the next one's place must be
    path.write_bytes(head + bytes(-len(head) % 32) + body)
