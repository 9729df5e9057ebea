"""The benchmarks run and say what they measured; how fast they should be depends on the machine and is not tested."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests import node
from tests.benchmarks.serving import PACKAGES

ROOT = Path(__file__).resolve().parents[2]
KEYS = {
    "append_vs_stock",
    "append_vs_insert",
    "publish_vs_append",
    "rebuild_vs_runner",
    "verify_vs_sha256",
    "verify_quick_vs_sha256",
}
BESIDE_POSTGRAPHILE = {"graphql_list_vs_postgraphile", "graphql_one_vs_postgraphile", "graphql_list_vs_resolvers"}


@pytest.fixture(scope="module")
def keys() -> set[str]:
    """The rows to be expected: those beside PostGraphile where npm can install it, as it must in CI."""
    try:
        node.installed(PACKAGES)
    except node.NotInstalled:
        if os.environ.get("KYODO_REQUIRE_NODE") == "1":
            raise
        return KEYS
    return KEYS | BESIDE_POSTGRAPHILE


@pytest.fixture(scope="module")
def quick_run(tmp_path_factory: pytest.TempPathFactory, keys: set[str]) -> tuple[str, Path]:
    """What a quick run printed, and the folder it ran in."""
    folder = tmp_path_factory.mktemp("bench")
    environment = {name: value for name, value in os.environ.items() if name != "KYODO_DATABASE_URL"}
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks", "--quick"],
        cwd=folder,
        env=environment | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout, folder


def test_a_run_writes_every_ratio_with_its_rates_and_rounds(quick_run: tuple[str, Path], keys: set[str]) -> None:
    results = json.loads((quick_run[1] / "bench.json").read_text())
    assert results.keys() == keys
    for result in results.values():
        assert result.keys() == {"ratio", "ours", "other", "unit", "rounds"}
        assert result["unit"] in {"answers/s", "appends/s", "events/s"}
        assert result["rounds"] >= 1
        assert result["ratio"] == pytest.approx(result["ours"] / result["other"], rel=0.01)
        assert min(result["ratio"], result["ours"], result["other"]) > 0


def test_a_run_prints_a_row_for_each_ratio_and_the_conditions(quick_run: tuple[str, Path], keys: set[str]) -> None:
    printed = quick_run[0]
    assert {line.split()[0] for line in printed.splitlines() if line.startswith(tuple(keys)) and "/s" in line} >= keys
    assert "fsync on" in printed
    assert "fdatasync" in printed
    assert f"{os.cpu_count()} cores" in printed


def test_a_run_leaves_nothing_behind_but_its_results(quick_run: tuple[str, Path]) -> None:
    assert [path.name for path in quick_run[1].iterdir()] == ["bench.json"]
