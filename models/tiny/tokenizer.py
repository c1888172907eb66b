"""The tokenizer of the tiny model: byte-level BPE trained on a page of this project's own text.

It reads any text, because every byte is a token. Its chat template knows the roles system, user,
assistant and tool, and shows tools in the form that the ``hermes`` tool parser reads back.
"""

from __future__ import annotations

from typing import Any

from tokenizers import AddedToken, Tokenizer, decoders, pre_tokenizers
from tokenizers.models import BPE
from tokenizers.trainers import BpeTrainer

from models.data_file import BadDataFile, data_path, read_entries

VOCAB_SIZE = 1024
END_OF_TEXT = "<|endoftext|>"
TURN_START = "<|im_start|>"
TURN_END = "<|im_end|>"
CONTROL_TOKENS = (END_OF_TEXT, TURN_START, TURN_END)
# Not control tokens: a tool parser has to see them in the decoded text.
TOOL_TOKENS = ("<tool_call>", "</tool_call>")

CHAT_TEMPLATE = """\
{%- set has_system = messages and messages[0].role == 'system' %}
{%- if tools or has_system %}
    {{- '<|im_start|>system\\n' }}
    {%- if has_system %}
        {{- messages[0].content }}
    {%- endif %}
    {%- if tools %}
        {{- '\\n\\n' if has_system }}
        {{- 'These functions can be called, each described by one line of JSON:\\n<tools>' }}
        {%- for tool in tools %}
            {{- '\\n' ~ tool | tojson }}
        {%- endfor %}
        {{- '\\n</tools>\\nA call is a JSON object with the name and the arguments:\\n' }}
        {{- '<tool_call>\\n{"name": "the name", "arguments": {}}\\n</tool_call>' }}
    {%- endif %}
    {{- '<|im_end|>\\n' }}
{%- endif %}
{%- for message in messages %}
    {%- if not (loop.first and has_system) %}
        {{- '<|im_start|>' ~ message.role ~ '\\n' ~ (message.content or '') }}
        {%- for call in message.tool_calls or [] %}
            {%- set function = call.function or call %}
            {%- set arguments = function.arguments %}
            {{- '\\n' if message.content or not loop.first }}
            {{- '<tool_call>\\n{"name": ' ~ function.name | tojson ~ ', "arguments": ' }}
            {{- arguments if arguments is string else arguments | tojson }}
            {{- '}\\n</tool_call>' }}
        {%- endfor %}
        {{- '<|im_end|>\\n' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
{%- endif %}
"""


def read_corpus() -> list[str]:
    """The training text, in its fixed order."""
    path = data_path("tiny_corpus.yaml")
    sentences, problems = read_entries(path, "sentences", str)
    if problems:
        raise BadDataFile(path, problems)
    return sentences


def train_tokenizer(corpus: list[str]) -> Tokenizer:
    """A tokenizer with exactly ``VOCAB_SIZE`` tokens; ValueError if the corpus is too small."""
    tokenizer = Tokenizer(BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = BpeTrainer(
        vocab_size=VOCAB_SIZE - len(TOOL_TOKENS),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        special_tokens=list(CONTROL_TOKENS),
        show_progress=False,
    )
    tokenizer.train_from_iterator(corpus, trainer)
    tokenizer.add_tokens([AddedToken(token, normalized=False) for token in TOOL_TOKENS])
    if tokenizer.get_vocab_size() != VOCAB_SIZE:
        raise ValueError(
            f"the corpus gives {tokenizer.get_vocab_size()} tokens, {VOCAB_SIZE} are needed"
        )
    return tokenizer


def tokenizer_config(context_tokens_max: int) -> dict[str, Any]:
    """The content of ``tokenizer_config.json``."""
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": None,
        "eos_token": TURN_END,
        "pad_token": END_OF_TEXT,
        "unk_token": None,
        "additional_special_tokens": [TURN_START],
        "add_prefix_space": False,
        "clean_up_tokenization_spaces": False,
        "model_max_length": context_tokens_max,
        "chat_template": CHAT_TEMPLATE,
    }


def silent_token_ids(tokenizer: Tokenizer) -> list[int]:
    """Tokens that random weights must not produce: markers, and all that no reader could read.

    Unreadable are parts of a character, which decode to a replacement mark, and characters that
    a terminal obeys instead of showing.
    """
    markers = {*CONTROL_TOKENS, *TOOL_TOKENS}
    return sorted(
        token_id
        for token, token_id in tokenizer.get_vocab().items()
        if token in markers or not _is_readable(tokenizer.decode([token_id]))
    )


def _is_readable(text: str) -> bool:
    return text.replace("\n", "").isprintable() and "\N{REPLACEMENT CHARACTER}" not in text
