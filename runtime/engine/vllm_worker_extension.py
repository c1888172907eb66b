"""What only a worker knows: vLLM mixes this class into its worker class, in whatever process.

Nothing is imported, so that the file costs a worker nothing and needs no vLLM to be read.
"""

from __future__ import annotations

from typing import Any


class WorkerFacts:
    """The names carry ours, because vLLM refuses a name that its worker has."""

    def baseload_weights_bytes(self) -> int:
        """The bytes of the weights on this worker's card; a weight that modules share counts
        once."""
        worker: Any = self
        held = {
            id(weight): _values(module, weight) * weight.element_size()
            for module in worker.get_model().modules()
            for weight in module.parameters(recurse=False)
        }
        return sum(held.values())


def _values(module: Any, weight: Any) -> int:
    """On a CPU, vLLM packs a linear layer's weights away and leaves an empty tensor."""
    if weight.numel() or not hasattr(module, "input_size"):
        return int(weight.numel())
    rows = getattr(module, "output_size_per_partition", module.output_size)
    columns = getattr(module, "input_size_per_partition", module.input_size)
    return int(rows * columns)
