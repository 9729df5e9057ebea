"""Witness policies: the example of C2SP tlog-policy with real keys, and what is refused, with its line."""

from __future__ import annotations

from itertools import combinations

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tenants.ledger.note import COSIGNATURE, ED25519, Verifier
from tenants.ledger.policy import Policy, PolicyWrong


def key(number: int, kind: bytes = COSIGNATURE, name: str = "") -> Verifier:
    private = Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32)
    return Verifier(name or f"witness.example/{number}", kind, private.public_key().public_bytes_raw())


LOG = key(100, ED25519, "example.jp/log/yamato").vkey
NAMES = ("X1", "X2", "X3", "Y1", "Y2", "Y3")
KEYS = {name: key(number) for number, name in enumerate(NAMES)}

EXAMPLE = f"""\
log {LOG}

witness X1 {KEYS["X1"].vkey}
witness X2 {KEYS["X2"].vkey}
witness X3 {KEYS["X3"].vkey}
group X-witnesses 2 X1 X2 X3

witness Y1 {KEYS["Y1"].vkey}
witness Y2 {KEYS["Y2"].vkey}
witness Y3 {KEYS["Y3"].vkey}
group Y-witnesses any Y1 Y2 Y3

group X-and-Y all X-witnesses Y-witnesses
quorum X-and-Y
"""


def test_the_example_of_the_specification_wants_two_of_x_and_one_of_y() -> None:
    policy = Policy.of(EXAMPLE)
    assert [witness.name for witness in policy.witnesses] == list(NAMES)
    for count in range(7):
        for signed_by in combinations(NAMES, count):
            wanted = sum(name[0] == "X" for name in signed_by) >= 2 and any(name[0] == "Y" for name in signed_by)
            assert policy.satisfied({KEYS[name] for name in signed_by}) == wanted, signed_by


def test_a_key_that_no_line_names_counts_for_nothing() -> None:
    policy = Policy.of(EXAMPLE)
    strangers = {Verifier(name, each.kind, key(50 + at).public) for at, (name, each) in enumerate(KEYS.items())}
    assert not policy.satisfied(strangers)
    renamed = {Verifier("another.example", each.kind, each.public) for each in KEYS.values()}
    assert not policy.satisfied(renamed)


def test_groups_of_groups_are_counted_as_their_members() -> None:
    text = "".join(f"witness {name} {each.vkey}\n" for name, each in KEYS.items())
    text += "group a all X1 X2\ngroup b any X3 Y1\ngroup c 2 a b Y2\nquorum c\n"
    policy = Policy.of(text)
    assert policy.satisfied({KEYS["X1"], KEYS["X2"], KEYS["Y1"]})
    assert policy.satisfied({KEYS["X3"], KEYS["Y2"]})
    assert not policy.satisfied({KEYS["X3"], KEYS["Y1"]}), "both of one group"
    assert not policy.satisfied({KEYS["X1"], KEYS["X3"], KEYS["Y3"]})


def test_a_single_witness_can_be_the_quorum_and_an_address_is_kept() -> None:
    policy = Policy.of(f"witness one {KEYS['X1'].vkey} https://witness.example/api/\nquorum one\n")
    (witness,) = policy.witnesses
    assert witness.url == "https://witness.example/api"
    assert policy.satisfied({KEYS["X1"]})
    assert not policy.satisfied(set())


def test_no_quorum_is_satisfied_by_nobody() -> None:
    assert Policy.of("quorum none\n").satisfied(set())
    assert Policy.of(f"witness one {KEYS['X1'].vkey}\nquorum none").satisfied(set())
    assert Policy().satisfied(set())


def test_comments_spaces_tabs_and_names_in_any_script_are_read() -> None:
    text = f" \t# a comment\n\n\t witness \t 証人 {KEYS['X1'].vkey}\t\nwitness #2 {KEYS['X2'].vkey}\n  quorum 証人 \t"
    policy = Policy.of(text)
    assert [witness.name for witness in policy.witnesses] == ["証人", "#2"]
    assert policy.satisfied({KEYS["X1"]})
    kelvin = Policy.of(f"witness K {KEYS['X1'].vkey}\nwitness \u212a {KEYS['X2'].vkey}\nquorum \u212a\n")
    assert kelvin.satisfied({KEYS["X2"]}), "names are opaque: the Kelvin sign is not a K"
    assert not kelvin.satisfied({KEYS["X1"]})
    wide = Policy.of(f"witness 東\u3000京 {KEYS['X1'].vkey}\nquorum 東\u3000京\n")
    assert wide.satisfied({KEYS["X1"]}), "only space and tab part words"


def test_thirty_two_of_each_are_read() -> None:
    keys = [key(number) for number in range(32)]
    logs = [key(100 + number, ED25519, f"example.jp/{number}") for number in range(32)]
    text = "".join(f"log {each.vkey} https://example.jp\n" for each in logs)
    text += "".join(f"witness w{number} {each.vkey}\n" for number, each in enumerate(keys))
    text += "group g0 all w0\n" + "".join(f"group g{number} all g{number - 1} w{number}\n" for number in range(1, 32))
    policy = Policy.of(text + "quorum g31\n")
    assert policy.satisfied(set(keys))
    assert not policy.satisfied(set(keys[1:]))


W1, W2 = (f"witness {name} {KEYS[name].vkey}\n" for name in ("X1", "X2"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "the quorum line is missing"),
        ("# quorum none\n", "the quorum line is missing"),
        ("quorum X1\n", "line 1: X1 is not defined"),
        (f"quorum X1\n{W1}", "line 1: X1 is not defined"),
        ("quorum\n", "line 1"),
        ("quorum none none\n", "line 1"),
        ("\nquorum none\nquorum none\n", "line 3"),
        ("Quorum none\n", "line 1"),
        ("witnesses none\n", "line 1"),
        ("witness X1\n", "line 1"),
        ("witness X1 key\n", "line 1: 'key' is not"),
        (f"witness X1 {LOG}\n", "line 1: the key of witness X1 is not one of cosignatures"),
        (f"{W1}{W1.replace('X1', 'X2')}", "line 2: the key of witness X2 is listed twice"),
        (
            f"{W1}witness X2 {Verifier('other', COSIGNATURE, KEYS['X1'].public).vkey}\n",
            "line 2: the key of witness X2 is listed twice",
        ),
        (f"{W1}{W2.replace('X2', 'X1')}", "line 2: the name X1 is taken"),
        (f"witness none {KEYS['X1'].vkey}\n", "line 1: the name none is taken"),
        (f"{W1[:-1]} http://one.example two\n", "line 1"),
        (f"{W1[:-1]} one.example\n", "line 1: 'one.example' is not an address"),
        (f"{W1[:-1]} ftp://one.example\n", "line 1: 'ftp://one.example' is not an address"),
        (f"{W1[:-1]} https://\n", "line 1: 'https://' is not an address"),
        (f"{W1[:-1]} https://one.example:port\n", "line 1"),
        (f"{W1[:-1]} https://one.example?query\n", "line 1"),
        (f"{W1[:-1]} http://[::1\n", "line 1"),
        (f"{W1[:-1]} http://one.example:65536\n", "line 1: Port out of range"),
        (f"{W1[:-1]} http://one.example:0\n", "line 1"),
        (f"{W1}group g any\n", "line 2"),
        (f"{W1}group g\n", "line 2"),
        (f"{W1}group g 0 X1\n", "line 2: group g cannot need 0 of 1"),
        (f"{W1}group g 2 X1\n", "line 2: group g cannot need 2 of 1"),
        (f"{W1}group g -1 X1\n", "line 2"),
        (f"{W1}group g +1 X1\n", "line 2"),
        (f"{W1}group g 01 X1\n", "line 2"),
        (f"{W1}group g 1_0 X1\n", "line 2"),
        (f"{W1}group g １ X1\n", "line 2"),
        (f"{W1}group g some X1\n", "line 2: group g cannot need some of 1"),
        (f"{W1}group g any X2\n", "line 2: X2 is not defined"),
        (f"{W1}group g any g\n", "line 2: g is not defined"),
        (f"{W1}group g any none\n", "line 2: none is not defined"),
        (f"{W1}group none any X1\n", "line 2: the name none is taken"),
        (f"{W1}group X1 any X1\n", "line 2: the name X1 is taken"),
        (f"{W1}{W2}group g 2 X1 X1\n", "line 3: X1 is a member of a group already"),
        (f"{W1}{W2}group g any X1\ngroup h all X1 X2\n", "line 4: X1 is a member of a group already"),
        (f"{W1}group g any X1\ngroup h any g\ngroup i any g\n", "line 4: g is a member of a group already"),
        (f"log {LOG} one two\n", "line 1"),
        ("log\n", "line 1"),
        ("log key\n", "line 1: 'key' is not"),
        (f"log {LOG}\nlog {LOG}\n", "line 2: the key of log example.jp/log/yamato is listed twice"),
        ("# fine\nquorum none\r\n", "line 2: a line holds no control characters"),
        ("quorum\x0bnone\n", "line 1: a line holds no control characters"),
        ("# a bell \x07\nquorum none\n", "line 1: a line holds no control characters"),
    ],
)
def test_an_error_is_named_with_its_line(text: str, said: str) -> None:
    with pytest.raises(PolicyWrong) as refused:
        Policy.of(text)
    assert str(refused.value).startswith(said)
    assert "tlog-policy" in str(refused.value)
