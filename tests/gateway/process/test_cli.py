"""The command line as a person uses it: a real process, a real database, what it prints and how it ends."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from pathlib import Path

import httpx
import pytest

from domain.commands import COMMANDS
from gateway.settings import Settings

ROOT = Path(__file__).resolve().parents[3]


def test_every_setting_stands_in_the_readme_with_its_description() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    rows = [line for line in readme.splitlines() if line.startswith("| `KYODO_")]
    named = {line.split("`")[1] for line in rows}
    assert named == {f"KYODO_{name.upper()}" for name in Settings.model_fields}


def test_the_case_file_of_the_readme_is_read_as_one(tmp_path: Path) -> None:
    from tenants.cases import load_cases

    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    example = readme.split("```json\n")[1].split("```")[0]
    path = tmp_path / "cases.json"
    path.write_text(example, encoding="utf-8")
    file, _ = load_cases(path)
    assert file.cases[0].facts[0].command == "reject-proposal"


README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("line", re.findall(r"^\$ \.venv/bin/kyodo ([^#\n]+)", README, re.MULTILINE))
def test_the_commands_of_the_readme_run(kyodo, line: str) -> None:
    assert kyodo(*line.split()).returncode == 0


def test_the_query_of_the_readme_is_answered(kyodo) -> None:
    (query,) = re.findall(r"-d '([^']+)'", README)
    answer = httpx.post(f"{kyodo.address}/graphql", json=json.loads(query)).json()
    assert answer["data"]["partnerships"]["totalCount"] == 21


def test_help_names_every_command(kyodo) -> None:
    shown = kyodo("--help").stdout
    for name in (
        "demo",
        "serve",
        "worker",
        "migrate",
        "tenant",
        "import-cases",
        "replay",
        "rebuild",
        "doctor",
        "anomalies",
        "programme",
        "docs",
    ):
        assert name in shown


def test_an_unknown_command_ends_with_usage_and_code_2(kyodo) -> None:
    done = kyodo("conquer", check=False)
    assert done.returncode == 2
    assert "conquer" in done.stderr


@pytest.mark.parametrize(("setting", "given"), [("PORT", "many"), ("TRUSTED_PROXIES", "127.0.0.1,everyone")])
def test_a_wrong_setting_is_named(kyodo, setting, given) -> None:
    done = kyodo("tenant", "list", check=False, **{f"KYODO_{setting}": given})
    assert done.returncode == 1
    assert setting.lower() in done.stderr.lower()
    assert "Traceback" not in done.stderr


def test_a_proxy_on_this_machine_says_who_asks(kyodo) -> None:
    with httpx.Client(base_url=kyodo.address) as proxy:

        def left(client: str) -> int:
            headers = {"X-Forwarded-For": client}
            answer = proxy.post("/graphql", json={"query": "{ __typename }"}, headers=headers)
            return int(answer.headers["RateLimit"].partition("r=")[2].partition(";")[0])

        often = [left("203.0.113.7") for _ in range(50)]
        assert often[-1] < often[0] == left("203.0.113.8")


def test_an_unready_database_says_what_to_run(kyodo_empty) -> None:
    done = kyodo_empty("replay", "yamato", check=False)
    assert done.returncode == 1
    assert "kyodo migrate" in done.stderr


def test_an_unknown_city_is_answered_with_those_that_exist(kyodo) -> None:
    done = kyodo("replay", "atlantis", check=False)
    assert done.returncode == 1
    assert "atlantis" in done.stderr
    assert "yamato" in done.stderr
    assert "Traceback" not in done.stderr


def test_replay_prints_the_state_folded_from_the_log(kyodo) -> None:
    (stream,) = json.loads(kyodo("replay", "yamato", "Y3").stdout)
    assert stream["state"]["status"] == "AGREED"
    assert [s.get("outcome") for s in stream["state"]["submissions"]] == ["REJECTED", "REJECTED"]
    assert stream["state"]["title_ja"] == "子育てアドバイザー"


def test_replay_at_an_earlier_position_knows_less(kyodo) -> None:
    (whole,) = json.loads(kyodo("replay", "yamato", "Y3").stdout)
    position = whole["events"][2]["position"]
    (earlier,) = json.loads(kyodo("replay", "yamato", "Y3", "--at", str(position)).stdout)
    assert earlier["state"]["status"] == "REJECTED"
    assert earlier["version"] == 3
    moment = whole["events"][-1]["recorded_at"]
    (then,) = json.loads(kyodo("replay", "yamato", "Y3", "--at", moment).stdout)
    assert then["state"] == whole["state"]


def test_replay_of_a_day_counts_what_had_certainly_happened(kyodo) -> None:
    (then,) = json.loads(kyodo("replay", "yamato", "Y3", "--valid", "2004-12-31").stdout)
    assert then["state"]["status"] == "REJECTED"
    assert "AgreementConcluded" in {event["type"] for event in then["left_out"]}
    (now,) = json.loads(kyodo("replay", "yamato", "Y3", "--valid", "2005-12-31").stdout)
    assert now["state"]["status"] == "AGREED"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--at", "yesterday"), "yesterday"),
        (("--at", "2026-04-01T09:00:00"), "+09:00"),
        (("--valid", "2005"), "2005"),
    ],
)
def test_a_time_that_cannot_be_read_is_a_usage_error(kyodo, arguments: tuple[str, ...], said: str) -> None:
    done = kyodo("replay", "yamato", *arguments, check=False)
    assert done.returncode == 2
    assert said in done.stderr


def test_the_read_models_of_every_city_equal_a_replay(kyodo) -> None:
    for city in ("yamato", "higashikurume", "yokohama", "okayama", "kawasaki"):
        assert "equal a fresh replay" in kyodo("replay", city, "--check").stderr


def test_a_changed_read_model_is_found_with_its_row_and_column(kyodo_own, owner) -> None:
    with owner(kyodo_own) as connection:
        connection.execute("ALTER TABLE read_model.partnership NO FORCE ROW LEVEL SECURITY")
        connection.execute("UPDATE read_model.partnership SET status = 'COMPLETED' WHERE number = 'Y3'")
    done = kyodo_own("replay", "yamato", "--check", check=False)
    assert done.returncode == 1
    assert "status is 'COMPLETED', a replay gives 'AGREED'" in done.stdout
    kyodo_own("rebuild")
    assert kyodo_own("replay", "yamato", "--check").returncode == 0


def test_importing_the_shipped_cases_again_adds_nothing(kyodo) -> None:
    for _ in range(2):
        assert "nothing added" in kyodo("import-cases", "yamato").stderr


def test_a_bad_case_is_named_with_its_line_and_nothing_is_entered(kyodo_empty, tmp_path: Path) -> None:
    kyodo_empty("migrate")
    kyodo_empty("tenant", "add", str(ROOT / "tenants/yamato"))
    shipped = (ROOT / "tenants/yamato/cases.json").read_text(encoding="utf-8")
    broken = shipped.replace('"valid": "2004"', '"valid": "2004-13"')
    path = tmp_path / "cases.json"
    path.write_text(broken, encoding="utf-8")
    line = next(n for n, text in enumerate(broken.splitlines(), 1) if "2004-13" in text)
    done = kyodo_empty("import-cases", "yamato", str(path), check=False)
    assert done.returncode == 1
    assert f"line {line}" in done.stderr
    assert "case Y3" in done.stderr
    assert "2004-13" in done.stderr
    assert "yamato: 3 events" in kyodo_empty("doctor", check=False).stdout


def test_doctor_finds_nothing_to_mend(kyodo) -> None:
    shown = kyodo("doctor").stdout
    assert "MEND" not in shown
    assert "yamato: 37 events, all projected" in shown


def test_commands_lists_every_command(kyodo) -> None:
    assert len(kyodo("commands").stdout.splitlines()) == len(COMMANDS)


def test_a_lost_database_is_said_without_a_password(tmp_path: Path) -> None:
    env = {
        **os.environ,
        "KYODO_DATABASE_URL": "postgresql://someone:secret@127.0.0.1:1/kyodo",
        "KYODO_DATA_DIR": str(tmp_path),
    }
    done = subprocess.run(
        [str(ROOT / ".venv/bin/kyodo"), "tenant", "list"], env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "127.0.0.1" in done.stderr
    assert "secret" not in done.stderr
    assert "Traceback" not in done.stderr


def test_the_anomalies_are_those_of_the_sources_each_explained(kyodo) -> None:
    found = json.loads(kyodo("anomalies", "yamato", "--json").stdout)
    assert [(each["stream"], each["event"], each["rule"]) for each in found] == [
        ("Y3", "ProposalAccepted", "SubmissionNotPending")
    ]
    assert found[0]["why"] == "No submission awaits this decision."
    assert found[0]["source"] == "yamato-study"
    assert found[0]["inferred_from"]
    told = kyodo("anomalies", "yamato")
    assert "決定を待つ提案がありません" in told.stdout
    for city in ("higashikurume", "yokohama", "okayama", "kawasaki", "kiyose"):
        assert kyodo("anomalies", city).stdout == ""


def test_programmes_are_compared_and_checked(kyodo, tmp_path: Path) -> None:
    told = kyodo("programme", "diff", "higashikurume", "guideline", "1", "2").stdout
    assert '+ principles[0].local = "目的共有"' in told
    wrong = kyodo("programme", "diff", "higashikurume", "guideline", "1", "9", check=False)
    assert wrong.returncode == 1
    assert "there are: 1, 2" in wrong.stderr
    bad = tmp_path / "bad.toml"
    bad.write_text('programme = "p"\ntitle = "制度"\n', encoding="utf-8")
    checked = kyodo("programme", "check", str(bad), check=False)
    assert checked.returncode == 1
    assert "line 2, title: there is no key 'title' here (did you mean 'title_ja'?)" in checked.stdout


def test_a_joint_partnership_is_counted_once(kyodo) -> None:
    page = httpx.get(f"{kyodo.address}/cities/kiyose", headers={"accept": "text/html"}).text
    assert "/cities/higashikurume/partnerships/H4" in page


def test_a_command_is_recorded_once_or_refused_by_name(kyodo_own, tmp_path: Path) -> None:
    meeting = {
        "partnership": "Y2",
        "command": "hold-meeting",
        "valid": "2026-11-20",
        "actor": "C/desk",
        "recorded_by": "S/officer",
        "data": {"summary": "施設の使い方を話し合った"},
        "key": "meeting-1",
    }
    path = tmp_path / "meeting.json"
    path.write_text(json.dumps(meeting), encoding="utf-8")
    first = kyodo_own("record", "yamato", str(path)).stderr
    assert "1 recorded at positions" in first
    assert "nothing added" in kyodo_own("record", "yamato", str(path)).stderr
    lapse = meeting | {"command": "lapse-agreement", "data": {}, "key": None}
    path.write_text(json.dumps([meeting | {"key": "other"}, lapse]), encoding="utf-8")
    refused = kyodo_own("record", "yamato", str(path), check=False)
    assert refused.returncode == 1
    assert "entry 2, lapse-agreement: Forbidden" in refused.stderr
    assert kyodo_own("replay", "yamato", "--check").returncode == 0


def test_a_service_without_a_worker_says_who_projects_and_signs(kyodo_empty) -> None:
    kyodo_empty("migrate")
    serving = kyodo_empty.start("serve", "--no-worker")
    try:
        assert httpx.get(f"{serving.address}/healthz").status_code == 200
        assert any("`kyodo worker`" in line for line in serving.lines)
    finally:
        serving.stop(signal.SIGTERM)
