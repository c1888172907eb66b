"""Who serves this request, or why nobody may.

Pure: state, an observation and ``now`` go in; state and actions come out. Nothing here reads
a clock, does I/O, or knows asyncio.
"""
