"""Two runs on one state folder write into files of their own."""

from __future__ import annotations

from pathlib import Path

from cluster.run.run_files import beside, run_files


def test_the_first_run_has_the_plain_names_and_the_second_its_port(tmp_path: Path) -> None:
    first, second = run_files(tmp_path, 8000), run_files(tmp_path, 8010)
    assert (first.config.name, first.log.name) == ("serve.yaml", "serve.log")
    assert (second.config.name, second.log.name) == ("serve-8010.yaml", "serve-8010.log")
    assert beside(first.config, "ray-address") == tmp_path / "ray-address"
    assert beside(second.config, "ray-address") == tmp_path / "ray-address-8010"
    second.close()
    first.close()
    third = run_files(tmp_path, 8020)
    assert third.log.name == "serve.log"
    third.close()
