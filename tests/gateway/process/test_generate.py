"""`kyodo generate`: invented towns from nothing to pages that can be checked, and nothing twice."""

from __future__ import annotations


def test_generate_enters_and_projects_and_adds_nothing_the_second_time(kyodo_empty) -> None:
    kyodo_empty("migrate")
    asked = ("generate", "--cities", "2", "--partnerships", "12", "--seed", "3")
    first = kyodo_empty(*asked).stderr
    assert "12 of 12 partnerships" in first
    assert "2 cities, 12 partnerships, " in first
    assert "equal a fresh replay" in kyodo_empty("replay", "generated-0002", "--check").stderr
    assert "nothing added" in kyodo_empty(*asked).stderr
    refused = kyodo_empty("generate", "--cities", "1", "--seed", "4", check=False)
    assert refused.returncode == 1
    assert "was not made from seed 4" in refused.stderr
