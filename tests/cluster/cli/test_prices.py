"""`baseload prices`: which price counts, who says it, how old it is, and who says otherwise."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from cluster.cli import prices as command
from cluster.cli.main import app
from cluster.profile import LOCAL_PROFILE

OURS = """prices:
  - provider: zai
    model: glm-5.3
    input_cny_per_mtok: "8"
    output_cny_per_mtok: "28"
    cny_per_usd: "7.25"
    cny_per_usd_of: 2026-06-01
    effective_from: 2026-10-01
    source: our contract
  - provider: zai
    model: glm-5
    input_usd_per_mtok: "1"
    cached_input_usd_per_mtok: "0.2"
    output_usd_per_mtok: "3.2"
    effective_from: 2026-10-01
    checked: 2026-11-01
    source: our contract
  - provider: zai
    model: glm-5.1
    input_usd_per_mtok: "1"
    output_usd_per_mtok: "3"
    effective_from: 2026-10-01
    effective_to: 2026-11-01
    source: our contract, ended
"""


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(command, "utc_today", lambda: date(2026, 11, 30))
    ours = tmp_path / "ours.yaml"
    ours.write_text(OURS)
    document = yaml.safe_load(LOCAL_PROFILE.read_text())
    routing = document["applications"][0]["deployments"][0]["user_config"]
    names = ("glm-5", "glm-5.1", "glm-5.3", "glm-5.3-flash", "glm-6")
    account = {"base_url": "https://vendor.example/v1", "key_env": "KEY"}
    routing["providers"] = {
        "zai": {**account, "offers": {f"our-{name}": name for name in names}},
        "anthropic": {**account, "offers": {"sonnet": "claude-sonnet-4-5"}},
    }
    routing["prices_file"] = str(ours)
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(document))
    return path


def told(*arguments: object) -> dict[str, dict[str, Any]]:
    done = CliRunner().invoke(app, ["prices", *map(str, arguments), "--json"])
    assert done.exit_code == 0, done.output
    document = json.loads(done.stdout)
    assert document["package"] == {
        "name": "genai-prices 0.2.3",
        "released": "2026-11-10",
        "age_days": 20,
    }
    return {f"{row['provider']}/{row['model']}": row for row in document["prices"]}


def test_the_offers_of_a_file_with_their_source_and_its_age(config: Path) -> None:
    rows = told(config)
    assert len(rows) == 6
    package = rows["zai/glm-5.3-flash"]
    assert package["serves"] == "our-glm-5.3-flash"
    assert (package["price"]["source"], package["price"]["age_days"]) == ("genai-prices 0.2.3", 20)
    assert package["price"]["input_usd_per_mtok"] == "0.15"
    own = rows["zai/glm-5"]["price"]
    assert (own["source"], own["as_of"], own["age_days"]) == ("ours.yaml", "2026-11-01", 29)
    assert own["price_id"] == "ours.yaml:zai/glm-5@2026-10-01"


def test_a_source_that_says_otherwise_is_told_and_one_that_agrees_is_not(config: Path) -> None:
    rows = told(config)
    assert rows["zai/glm-5"]["differs"] == []  # prices.yaml and the package say the same
    (other,) = rows["zai/glm-5.3"]["differs"]
    assert (other["source"], other["input_usd_per_mtok"]) == ("genai-prices 0.2.3", "1.40")


def test_a_price_that_is_unknown_says_why_and_what_others_would_say(config: Path) -> None:
    rows = told(config)
    ended = rows["zai/glm-5.1"]
    assert ended["price"] is None
    assert ended["why_unknown"] == "its last known price ended on 2026-11-01"
    assert [each["source"] for each in ended["differs"]] == ["genai-prices 0.2.3"]
    assert "no known price of 'glm-6'" in rows["zai/glm-6"]["why_unknown"]


def test_tiers_batch_prices_and_the_price_in_cny_are_told(config: Path) -> None:
    rows = told(config)
    sonnet = rows["anthropic/claude-sonnet-4-5"]["price"]
    assert sonnet["tiers"][0]["above_prompt_tokens"] == 200_000
    assert sonnet["batch"]["input_usd_per_mtok"] == "1.50"
    assert sonnet["cache_write_usd_per_mtok"] == "3.75"
    assert rows["zai/glm-5.3"]["price"]["listed"] == {
        "currency": "CNY",
        "input_per_mtok": "8",
        "cached_input_per_mtok": None,
        "output_per_mtok": "28",
        "per_usd": "7.25",
        "per_usd_of": "2026-06-01",
    }


def test_of_a_model_everything_that_is_known_is_told(config: Path) -> None:
    rows = told(config, "--model", "GLM-5.3")
    assert {"zai/glm-5.3", "novita/zai-org/glm-5.3", "together/zai-org/GLM-5.3"} <= rows.keys()
    assert all("glm-5.3" in name.lower() for name in rows)


def test_all_that_is_known(config: Path) -> None:
    rows = told(config, "--all")
    assert len(rows) > 1_900
    assert {"zai/glm-5.1", "stand-in/tiny-moe", "openai/gpt-4o"} <= rows.keys()


def test_a_person_reads_the_same(config: Path) -> None:
    lines = CliRunner().invoke(app, ["prices", str(config)]).stdout.splitlines()
    (glm,) = (line for line in lines if line.startswith(" zai/glm-5.3 "))
    assert glm.split()[:6] == "zai/glm-5.3 our-glm-5.3 1.103449 – 3.862069 ours.yaml".split()
    assert "2026-10-01, 60 days ago" in glm
    assert "CNY 8/28 at 7.25" in glm
    assert (
        "differs    zai/glm-5.3: genai-prices 0.2.3 says 1.40/0.26/4.40 (2026-11-10, 20 days ago); "
        "ours.yaml counts"
    ) in lines
    assert any("never bought: its last" in line for line in lines)


def test_a_file_without_offers_says_so(tmp_path: Path) -> None:
    document = yaml.safe_load(LOCAL_PROFILE.read_text())
    document["applications"][0]["deployments"][0]["user_config"]["providers"] = {}
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(document))
    assert "no offer" in CliRunner().invoke(app, ["prices", str(path)]).stdout
