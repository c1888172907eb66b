"""What an operator should look at first, each with a query that finds it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Watch:
    what: str
    query: str  # PromQL; what it finds is what is wrong
    instead: str

    def text(self) -> str:
        """Markdown from which the query can be copied."""
        return f"**{self.what}.** {self.instead}.\n\n```promql\n{self.query}\n```"


WATCH = (
    Watch(
        "No Scheduler is scraped",
        "absent(baseload_config_refused)",
        "`serve status` says whether one is up: [troubleshooting.md](troubleshooting.md)",
    ),
    Watch(
        "The configuration that was deployed last does not serve",
        "max(baseload_config_refused) == 1",
        "`serve status` says why; the one before goes on serving",
    ),
    Watch(
        "Callers are refused",
        "sum by (model, reason) (rate(baseload_rejected_total[5m])) > 0",
        "`queue_full` and `queue_timeout` want replicas or offers, `spill_capped` a higher cap",
    ),
    Watch(
        "More than 5 % of attempts fail at their targets",
        'sum(rate(baseload_attempts_total{outcome=~"target_.*|rate_limited|.*_refused"}[5m]))\n'
        "  / sum(rate(baseload_attempts_total[5m])) > 0.05",
        "The log names the targets",
    ),
    Watch(
        "A vendor refuses the key, the balance or the account",
        "max by (target, cause) (\n"
        '  baseload_target_shut_seconds{cause=~"key_refused|access_refused"})',
        "Nothing is bought there until that is put right",
    ),
    Watch(
        "A rule leaves a model out for its results",
        "max by (rule, model) (baseload_demoted) > 0",
        "Look at what callers say of its answers, or at the floor: [rules.md](rules.md#quality)",
    ),
    Watch(
        "A target has been kept away from for 5 minutes",
        "count_over_time(max by (target) (baseload_target_shut_seconds)[5m:30s]) > 8",
        "`/ready` says under `shut` why; a vendor that asks for pauses wants lower limits per "
        "minute in its offer",
    ),
    Watch(
        "A vendor's name or certificate is wrong",
        'increase(baseload_connection_faults{cause=~"name|certificate|tls"}[10m]) > 0',
        "The log has the address",
    ),
    Watch(
        "First tokens come late: of 20 requests one waits more than 2 s",
        "histogram_quantile(0.95,\n"
        "  sum by (le, model) (rate(baseload_ttft_seconds_bucket[5m]))) > 2",
        "Take your `ttft_budget_ms` for the 2 s; `baseload_held_seconds` says what of it is "
        "waiting for a target",
    ),
    Watch(
        "Requests of a model have waited for 5 minutes without a break",
        'min_over_time(sum by (model) (baseload_queue{unit="requests"})[5m:15s]) > 0',
        "Those with a deadline do so by design; else the pool is too small for what it is asked",
    ),
    Watch(
        "Purchases come near the cap, here 20 USD per hour",
        "max(baseload_spill_usd_counted) > 0.8 * 20",
        "Beyond `spill.usd_per_hour_max` requests are held, then refused",
    ),
    Watch(
        "One more replica would cost less than what is bought",
        'sum by (model) (3600 * rate(baseload_cost_usd_total{place="offer"}[1h]))\n'
        "  > max by (model) (baseload_replica_usd_per_hour)",
        "Add one, or let the pool grow: [config.md](config.md#argspoolsautoscaling)",
    ),
    Watch(
        "A pool has been mostly empty for 6 hours",
        "avg by (model) (avg_over_time(baseload_occupancy_ratio[6h])) < 0.2",
        "It could do with fewer replicas",
    ),
)
