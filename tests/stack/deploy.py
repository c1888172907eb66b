"""What `serve deploy` does with a config file, without the dashboard that it needs: run as a
process of its own, because this one's tests are no part of any Ray."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from cluster.run.environment import ray_authentication
from cluster.state_folder import ADDRESS_FILE


def deploy(state: Path, document: dict[str, Any]) -> None:
    """Onto the running stack with this state folder; returns when Serve has taken it."""
    config = state / "deploy.yaml"
    config.write_text(yaml.safe_dump(document, sort_keys=False))
    subprocess.run(
        [sys.executable, "-m", "tests.stack.deploy", config, (state / ADDRESS_FILE).read_text()],
        env=os.environ | ray_authentication(state),
        check=True,
        timeout=60,
    )


def main() -> None:
    import ray
    from ray.serve.context import _get_global_client
    from ray.serve.schema import ServeDeploySchema

    ray.init(address=sys.argv[2], namespace="serve", log_to_driver=False)
    client = _get_global_client()
    assert client is not None
    config = ServeDeploySchema.model_validate(yaml.safe_load(Path(sys.argv[1]).read_text()))
    client.deploy_apps(config, _blocking=False)
    ray.shutdown()


if __name__ == "__main__":
    main()
