"""Few coefficients, none below zero, learned from a stream of weighted observations.

Exponentially fading normal equations with a prior, so that what was never varied stays where the
prior puts it. Solved by elimination; a coefficient that comes out negative is set to zero and the
others are solved again.
"""

from __future__ import annotations

from collections.abc import Sequence


class FadingLeastSquares:
    def __init__(self, prior: Sequence[float], prior_weights: Sequence[float], fade: float) -> None:
        """``prior_weights`` are squared inverse spreads; ``fade`` is kept of the past each time."""
        self._prior, self._prior_weights, self._fade = list(prior), list(prior_weights), fade
        size = len(self._prior)
        self._products = [[0.0] * size for _ in range(size)]
        self._targets = [0.0] * size

    def observe(self, features: Sequence[float], target: float, weight: float) -> None:
        for i, row in enumerate(self._products):
            for j in range(len(row)):
                row[j] = row[j] * self._fade + weight * features[i] * features[j]
            self._targets[i] = self._targets[i] * self._fade + weight * features[i] * target

    def solve(self) -> list[float]:
        free = list(range(len(self._prior)))
        while True:
            solution = self._solve(free)
            lowest = min(free, key=lambda index: solution[index])
            if solution[lowest] >= 0 or len(free) == 1:
                return [max(0.0, value) for value in solution]
            free.remove(lowest)

    def _solve(self, free: list[int]) -> list[float]:
        rows = []
        for i in free:
            row = [self._products[i][j] for j in free]
            row[free.index(i)] += self._prior_weights[i]
            rows.append([*row, self._targets[i] + self._prior_weights[i] * self._prior[i]])
        # Symmetric and positive definite by the prior: no pivoting needed.
        for k, pivot in enumerate(rows):
            for row in rows[k + 1 :]:
                factor = row[k] / pivot[k]
                for j in range(k, len(row)):
                    row[j] -= factor * pivot[j]
        solution = [0.0] * len(self._prior)
        for k in range(len(free) - 1, -1, -1):
            rest = sum(rows[k][j] * solution[free[j]] for j in range(k + 1, len(free)))
            solution[free[k]] = (rows[k][-1] - rest) / rows[k][k]
        return solution
