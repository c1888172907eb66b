"""Every bound of the HTTP edge, by name and unit, and how often each one refused something.

A bound stands here even where another layer enforces it (the server's own header limits), so
that one table answers what a request may hold. Most are far above what honest clients send.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    # the request as bytes
    body_bytes_max: int = 2 * 1024 * 1024
    body_read_s_max: int = 30
    header_bytes_max: int = 16 * 1024  # all of them together
    headers_max: int = 100
    head_bytes_max: int = 64 * 1024  # that are read of a head without its end
    head_read_s_max: int = 10  # from the connection, or the first byte of a further request
    header_value_chars_max: int = 128  # of one X-Baseload-* header
    api_key_chars_max: int = 256
    client_id_chars_max: int = 512  # of a caller's own id for a request, as OpenAI has it
    cors_headers_chars_max: int = 2_048  # that a browser asks for
    # the request as JSON
    json_depth_max: int = 64
    json_members_max: int = 60_000  # objects, and keys in them
    object_keys_max: int = 1_024
    json_lists_max: int = 20_000
    json_items_max: int = 300_000
    json_floats_max: int = 4_096
    number_chars_max: int = 64
    integer_max: int = 2**63 - 1
    # the request as a chat or a completion
    model_chars_max: int = 256
    messages_max: int = 1_024
    content_parts_max: int = 256  # of one message
    content_chars_max: int = 1_000_000
    name_chars_max: int = 256
    id_chars_max: int = 512
    tool_name_chars_max: int = 128
    description_chars_max: int = 64 * 1024
    tool_calls_max: int = 128  # of one message
    tools_max: int = 128
    schema_bytes_max: int = 64 * 1024
    schema_depth_max: int = 32
    schema_nodes_max: int = 20_000  # of all schemas of a request
    plain_schema_nodes_max: int = 64  # of a request: so much reaches an engine without a check
    text_lengths_max: int = 140  # characters that minLength and maxLength of a schema count
    patterns_max: int = 256  # regular expressions of one schema
    pattern_chars_max: int = 2_048
    choices_listed_max: int = 1_024  # that an answer may be one of
    choice_chars_max: int = 1_024
    prompts_max: int = 256
    prompt_ids_max: int = 262_144
    token_id_max: int = 1_000_000
    stop_max: int = 16  # each is searched for after every token; engines are told the same
    stop_chars_max: int = 256
    n_max: int = 8
    stop_ids_max: int = 64
    bad_words_max: int = 128
    bad_word_chars_max: int = 64
    allowed_ids_max: int = 4_096
    salt_chars_max: int = 128
    switch_chars_max: int = 64  # of one value for a chat template
    choices_max: int = 256  # n, times the prompts of a completion
    logprobs_max: int = 20
    logit_bias_max: int = 300
    max_tokens_max: int = 1_048_576
    top_k_max: int = 1_000
    repetition_penalty_max: int = 10
    latency_budget_ms_max: int = 3_600_000
    deadline_ms_max: int = 86_400_000  # from the arrival: so long may a connection be held
    unknown_fields_max: int = 64  # beside the known ones
    grammars_waiting_max: int = 4  # of one tenant, to be compiled for the first time
    grammars_kept_max: int = 4_096  # verdicts on them
    # what is said back, and what is read from a target
    shown_chars_max: int = 64
    ignored_max: int = 64  # names of what has no effect
    ignored_chars_max: int = 256  # of all of them in a header
    frame_bytes_max: int = 1024 * 1024
    opening_bytes_max: int = 1024 * 1024  # of a stream before its first words, held back
    opening_frames_max: int = 4096
    continued_prompt_tokens_max: int = 131_072  # of an answer that a twin could go on with
    target_head_bytes_max: int = 64 * 1024  # of an answer's head that comes in several pieces
    retry_after_chars_max: int = 64
    load_line_bytes_max: int = 64 * 1024
    lookups_max: int = 64  # of names, under way at once: a thread each
    names_max: int = 1024  # whose addresses are kept
    tokenize_in_flight_max: int = 16  # requests at replicas for tokens alone
    feedback_bytes_max: int = 16 * 1024
    feedback_in_flight_max: int = 16  # each waits for the disk
    log_lines_max: int = 20_000  # that wait to be written
    # what the ledger keeps of why a request went where it went; all of it below its row's bound
    evidence_verdicts_chars_max: int = 7_168  # of all candidates; the first are kept
    evidence_detail_chars_max: int = 256  # of one verdict
    evidence_target_chars_max: int = 6_144  # facts of the target that was asked
    evidence_listed_max: int = 16  # classes of data
    connections_max: int = 4096  # of a process, to targets; the scheduler's own bounds are lower


LIMITS = Limits()

# Keyed by a limit's name, or by the dotted path of the field whose own bound was hit. Both come
# from this code, never from a request, so the number of keys is bounded.
refusals: Counter[str] = Counter()
