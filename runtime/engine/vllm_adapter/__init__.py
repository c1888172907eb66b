"""The door to vLLM: nothing outside imports vllm, and nothing here does before it is called."""
