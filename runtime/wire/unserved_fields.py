"""Fields that clients send and that no target is sent: which are dropped, and which are refused.

Strict about types and bounds, tolerant about names. A field that cannot change the answer is
dropped and named in a response header; one that would change it is refused, with what to send
instead. What is empty was not meant: null is dropped without a word, false, 0 and empty texts,
lists and objects are dropped and named, except where even they mean something.
"""

from __future__ import annotations

_TEXT = "only text is served"
_CONTINUE = "send continue_final_message"
_SWITCH = 'send chat_template_kwargs, as in {"enable_thinking": false}'
_FORMAT = "send response_format with type 'json_schema'"
_TARGET = "targets are chosen by the server; X-Baseload-* headers say what it has to keep to"
_OWN = "the server runs nothing of a caller's"

# Whatever they say, the answer is the same: labels, the vendor's own services, and hints.
DROPPED = frozenset(
    {
        "user",
        "safety_identifier",
        "metadata",
        "store",
        "service_tier",
        "prompt_cache_key",
        "prompt_cache_retention",
        "prompt_cache_options",
        "cache_control",
        "request_id",
        "session_id",
        "client_metadata",
        "prediction",
        "verbosity",
        "usage",
        "length_penalty",
        "truncation_side",
        "stream_interval",
        "guided_decoding_backend",
    }
)
# Dropped with this one value, which asks for what is done anyway.
DROPPED_IF: dict[str, object] = {"modalities": ["text"], "best_of": 1, "mm_payload": "tensors"}

REFUSED: dict[str, str] = {
    "suffix": "filling in the middle is not served",
    "best_of": "send n",
    "echo": _CONTINUE,
    "functions": "send tools",
    "function_call": "send tool_choice",
    "image_url": _TEXT,
    "input_audio": _TEXT,
    "file": _TEXT,
    "audio": _TEXT,
    "modalities": _TEXT,
    "mm_processor_kwargs": _TEXT,
    "media_io_kwargs": _TEXT,
    "prompt_embeds": "send text or token ids",
    "documents": "send them as text of a message",
    "web_search_options": "nothing is searched: send a tool of your own",
    "enable_thinking": _SWITCH,
    "thinking": _SWITCH,
    "thinking_budget": "send thinking_token_budget",
    "reasoning": "send reasoning_effort",
    "chat_template": "the model's own is used; chat_template_kwargs may set its switches",
    "guided_json": "send response_format, or structured_outputs.json",
    "guided_regex": "send structured_outputs.regex",
    "guided_choice": "send structured_outputs.choice",
    "guided_grammar": "send structured_outputs.json, regex or choice",
    "guided_whitespace_pattern": "send structured_outputs.regex",
    "grammar": "send structured_outputs.json, regex or choice",
    "response_schema": _FORMAT,
    "json_schema": _FORMAT,
    "format": _FORMAT,
    "prompt_logprobs": "send echo and logprobs to /v1/completions",
    "logprob_token_ids": "send top_logprobs",
    "truncate_prompt_tokens": "send a prompt that fits the context",
    "use_beam_search": "beam search is not served",
    "max_completion_tokens": "send max_tokens",
    "max_new_tokens": "send max_tokens",
    "max_output_tokens": "send max_tokens",
    "num_predict": "send max_tokens",
    "stop_sequences": "send stop",
    "repeat_penalty": "send repetition_penalty",
    "do_sample": "send temperature, 0 for none",
    "options": "send its fields beside model",
    "extra_body": "send its fields beside model",
    "system": "send a message of the role 'system'",
    "instructions": "send a message of the role 'system'",
    "input": "send messages",
    "prompt": "send messages, or send it to /v1/completions",
    "messages": "send prompt, or send them to /v1/chat/completions",
    "priority": "send the header X-Baseload-Cost-Tier",
    "models": _TARGET,
    "provider": _TARGET,
    "route": _TARGET,
    "plugins": _OWN,
    "transforms": _OWN,
    "logits_processors": _OWN,
    "vllm_xargs": _OWN,
    "kv_transfer_params": _OWN,
}
# In these even false or empty says something.
REFUSED_EMPTY = frozenset({"enable_thinking", "web_search_options", "do_sample"})

# Inside objects whose fields all matter; `.*` is any other one.
REFUSED_INSIDE: dict[str, str] = {
    "response_format.schema": "send it as json_schema.schema, and type 'json_schema'",
    "response_format.name": "send it as json_schema.name",
    "structured_outputs.grammar": "send json, regex or choice",
    "structured_outputs.structural_tag": "send json, regex or choice",
    "structured_outputs.whitespace_pattern": "send regex",
    "chat_template_kwargs.chat_template": "the model's own is used",
    "chat_template_kwargs.*": (
        "enable_thinking, thinking, thinking_mode, thinking_effort, thinking_budget, "
        "reasoning_effort, clear_thinking, preserve_thinking, drop_thinking, "
        "truncate_history_thinking, low_effort, tools_in_user_message and date_string are"
    ),
}

# Clients send answers back with what their SDK has added; templates read none of it.
REFUSED_IN_MESSAGE: dict[str, str] = {
    "prefix": _CONTINUE,
    "partial": _CONTINUE,
    "function_call": "send tool_calls",
    "images": "images are not served yet",
    "image_url": "images are not served yet",
    "audio": _TEXT,
    "tools": "send tools beside messages",
}
# Parts of a message that are text under another name, and where the text is.
TEXT_PARTS = {"text": "text", "input_text": "text", "output_text": "text", "refusal": "refusal"}
# Parts that hold what a model thought: templates leave that out of earlier turns.
DROPPED_PARTS = frozenset({"thinking", "redacted_thinking", "reasoning"})
# Parts that are no text, and what is said of them.
_IMAGES, _AUDIO = "images are not served yet", "audio is not served yet"
_VIDEO, _FILES = "videos are not served yet", "files are not served: send their text"
MEDIA_PARTS = {
    "image": _IMAGES,
    "image_url": _IMAGES,
    "input_image": _IMAGES,
    "audio": _AUDIO,
    "audio_url": _AUDIO,
    "input_audio": _AUDIO,
    "video": _VIDEO,
    "video_url": _VIDEO,
    "file": _FILES,
    "input_file": _FILES,
    "document": _FILES,
    "tool_use": "send calls as tool_calls",
    "tool_result": "send results as messages of the role 'tool'",
}
