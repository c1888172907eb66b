"""One running engine behind a private HTTP app: vLLM for work, a scripted one for faults."""
