"""Signed notes against the specification's example, Go's sumdb/note, and everything that is not a note."""

from __future__ import annotations

import pickle
from base64 import b64encode

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from tenants.ledger.checkpoint import Checkpoint
from tenants.ledger.note import COSIGNATURE, ED25519, NoteWrong, Signer, Verifier, key_id, opened, signed, split
from tenants.ledger.note import signature_line as line_of

SPEC_KEY = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
SPEC_NOTE = """\
This is an example message.

— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=
"""
"""C2SP signed-note, "Example"."""

PETER = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
PETER_SECRET = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
ENOCH = "EnochRoot+af0cfe78+ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop"
TEXT = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
PETERS = "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
ENOCHS = "— EnochRoot rwz+eBzmZa0SO3NbfRGzPCpDckykFXSdeX+MNtCOXm2/5n2tiOHp+vAF1aGrQ5ovTG01oOTGwnWLox33WWd1RvMc+QQ=\n"
"""golang.org/x/mod/sumdb/note, note_test.go."""


def test_the_example_of_the_specification_is_opened() -> None:
    key = Verifier.of(SPEC_KEY)
    assert opened(SPEC_NOTE, [key]) == ("This is an example message.\n", [key])
    assert key.vkey == SPEC_KEY


def test_a_signer_of_go_writes_the_note_that_go_writes() -> None:
    signer = Signer.of(PETER_SECRET)
    assert signed(TEXT, [signer]) == f"{TEXT}\n{PETERS}"
    assert signer.secret == PETER_SECRET
    assert signer.verifier.vkey == PETER


def test_known_signatures_are_verified_and_unknown_ones_passed_over() -> None:
    peter, enoch = Verifier.of(PETER), Verifier.of(ENOCH)
    note = f"{TEXT}\n{PETERS}{ENOCHS}"
    assert opened(note, [peter]) == (TEXT, [peter])
    assert opened(note, [enoch, peter]) == (TEXT, [peter, enoch])
    with pytest.raises(NoteWrong, match="not signed by any key"):
        opened(note, [])
    with pytest.raises(NoteWrong, match="not signed by EnochRoot"):
        opened(f"{TEXT}\n{PETERS}", [enoch])


def test_a_bad_signature_of_a_known_key_refuses_the_whole_note() -> None:
    bad = PETERS.replace("ZJku", "ZJkv")
    for lines in (bad, bad + ENOCHS, ENOCHS + bad):
        with pytest.raises(NoteWrong, match="the signature of PeterNeumann does not verify"):
            opened(f"{TEXT}\n{lines}", [Verifier.of(PETER), Verifier.of(ENOCH)])
    assert opened(f"{TEXT}\n{bad}{ENOCHS}", [Verifier.of(ENOCH)])[1] == [Verifier.of(ENOCH)]


def test_the_same_name_with_another_key_is_an_unknown_key() -> None:
    one, other = Signer.create("example.jp/log/yamato"), Signer.create("example.jp/log/yamato")
    note = signed("text\n", [other, one])
    assert opened(note, [one.verifier])[1] == [one.verifier]
    with pytest.raises(NoteWrong):
        opened(signed("text\n", [other]), [one.verifier])


def test_the_last_empty_line_divides_text_and_signatures() -> None:
    signer = Signer.create("example.jp/poem")
    text = "Ognuno sta solo sul cuor della terra\n\ned è subito sera.\n\n"
    assert opened(signed(text, [signer]), [signer.verifier])[0] == text


def test_sixteen_signatures_are_accepted_and_a_flood_is_refused() -> None:
    signers = [Signer.create(f"example.jp/{number}") for number in range(16)]
    note = signed("text\n", signers)
    assert len(opened(note, [each.verifier for each in signers])[1]) == 16
    with pytest.raises(NoteWrong):
        split("text\n\n" + PETERS * 101)
    with pytest.raises(NoteWrong):
        split("a" * 1_000_000 + "\n\n" + PETERS)


LINE = SPEC_NOTE.split("\n\n")[1]
MALFORMED = {
    "empty": "",
    "no signature": "text\n",
    "no signature after the empty line": "text\n\n",
    "no empty line": f"text\n{LINE}",
    "no newline at the end": f"text\n\n{LINE[:-1]}",
    "a tab": f"text\tual\n\n{LINE}",
    "carriage returns": f"text\r\n\r\n{LINE}",
    "a carriage return after the signature": f"text\n\n{LINE[:-1]}\r\n",
    "a NUL": f"text\0ual\n\n{LINE}",
    "a hyphen for the dash": f"text\n\n{LINE.replace('—', '-')}",
    "an en dash": f"text\n\n{LINE.replace('—', '–')}",
    "two spaces": f"text\n\n{LINE.replace('— ', '—  ')}",
    "a space at the end": f"text\n\n{LINE[:-1]} \n",
    "words after the signature": f"text\n\n{LINE[:-1]} and more\n",
    "words after two spaces": f"text\n\n{LINE[:-1]}  and more\n",
    "a name with plus": f"text\n\n{LINE.replace('com/', 'com+')}",
    "a name with a no-break space": f"text\n\n{LINE.replace('com/', chr(0xA0))}",
    "no name": f"text\n\n—  {LINE.split()[2]}\n",
    "no signature bytes": "text\n\n— example.com/foo\n",
    "a key ID and nothing else": f"text\n\n— example.com/foo {b64encode(b'1234').decode()}\n",
    "no base64": f"text\n\n{LINE.replace('=', '!')}",
    "base64 of URLs": f"text\n\n{LINE.replace('+', '-').replace('/b', '_b').replace('U', '_')}",
    "base64 without padding": f"text\n\n{LINE.replace('=', '')}",
    "base64 with more behind the padding": f"text\n\n{LINE[:-1]}AAAA\n",
    "base64 of wide letters": f"text\n\n{LINE.replace('Uw2Q', 'Ｕw2Q')}",
    "two signatures on one line, parted by a line separator": f"text\n\n{LINE[:-1]}\u2028{LINE}",
    "two signatures on one line, parted by a next line": f"text\n\n{LINE[:-1]}\u0085{LINE}",
    "a line that is no signature": f"text\n\n{LINE}more\n",
    "an empty line among the signatures": f"text\n\n{LINE}\n",
}


@pytest.mark.parametrize("note", MALFORMED.values(), ids=MALFORMED)
def test_what_is_not_a_note_is_refused(note: str) -> None:
    with pytest.raises(NoteWrong):
        opened(note, [Verifier.of(SPEC_KEY)])


@given(st.integers(0, len(SPEC_NOTE) - 1), st.characters(codec="utf-8"))
def test_no_character_of_a_note_can_be_another(at: int, character: str) -> None:
    key = Verifier.of(SPEC_KEY)
    note = SPEC_NOTE[:at] + character + SPEC_NOTE[at + 1 :]
    try:
        text, _ = opened(note, [key])
    except NoteWrong:
        return
    # Base64 has two bits to spare before a padding; they are no part of the signature.
    assert text == "This is an example message.\n"
    assert split(note)[1] == split(SPEC_NOTE)[1]


def test_every_mangled_verifier_key_is_refused() -> None:
    mangled = {PETER[low:high] for low in range(len(PETER)) for high in range(low + 1, len(PETER) + 1)} - {PETER}
    mangled |= {PETER[:at] + chr(ord(PETER[at]) + 1) + PETER[at + 1 :] for at in range(len(PETER))}
    mangled |= {
        "PeterNeumann+cc469956+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TWBADKEY==",  # too long, its ID right
        "PeterNeumann+173116ae+ZRpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",  # of no known type, its ID right
        PETER.replace("c74f20a3", "C74F20A3"),
        PETER.replace("AR", "ＡR"),
        "",
    }
    for vkey in mangled:
        with pytest.raises(NoteWrong):
            Verifier.of(vkey)


def test_every_mangled_secret_is_refused_and_never_shown() -> None:
    mangled = {PETER_SECRET[low:] for low in range(1, len(PETER_SECRET))}
    mangled |= {PETER_SECRET[:high] for high in range(len(PETER_SECRET))}
    mangled |= {PETER_SECRET[:at] + chr(ord(PETER_SECRET[at]) + 1) + PETER_SECRET[at + 1 :] for at in range(12, 78)}
    for secret in mangled:
        with pytest.raises(NoteWrong) as refused:
            Signer.of(secret)
        assert "YEKFALVFGyNhPJEMzD1" not in str(refused.value)


def test_a_secret_whose_name_no_note_can_hold_is_refused() -> None:
    seed = bytes(32)
    public = Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()
    identity = key_id("two words", ED25519, public).hex()
    with pytest.raises(NoteWrong):
        Signer.of(f"PRIVATE+KEY+two words+{identity}+{b64encode(ED25519 + seed).decode()}")


@pytest.mark.parametrize("name", ["", "two words", "one+two", "全角　空白", "tab\tbed"])
def test_a_key_is_not_given_a_name_that_no_note_can_hold(name: str) -> None:
    with pytest.raises(NoteWrong, match="cannot be the name"):
        Signer.create(name)


def test_a_signer_comes_back_from_its_file_form_and_shows_its_key_nowhere_else() -> None:
    signer = Signer.create("example.jp/log/大和市")
    again = Signer.of(f"{signer.secret}\n")
    assert again.verifier == signer.verifier
    assert again.sign("text\n") == signer.sign("text\n")
    *_, key = signer.secret.split("+", 4)
    for shown in (repr(signer), str(signer), f"{signer}", repr([signer]), repr(signer.verifier)):
        assert key[:12] not in shown
    with pytest.raises(TypeError):
        pickle.dumps(signer)


def witness(name: str = "witness.example.com/w1") -> tuple[Ed25519PrivateKey, Verifier]:
    private = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
    return private, Verifier(name, COSIGNATURE, private.public_key().public_bytes_raw())


def cosignature(private: Ed25519PrivateKey, text: str, time: int) -> bytes:
    """C2SP tlog-cosignature, "Format": u64 timestamp, then the signature of the message with its two lines before."""
    return time.to_bytes(8, "big") + private.sign(f"cosignature/v1\ntime {time}\n{text}".encode())


CHECKPOINT = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
"""The checkpoint of the examples of C2SP tlog-checkpoint and tlog-cosignature, whose keys are not published."""


@pytest.mark.parametrize("time", [0, 1, 1679315147, 2**63 - 1])
def test_a_cosignature_is_verified_with_its_time(time: int) -> None:
    private, key = witness()
    assert Verifier.of(key.vkey) == key
    found = cosignature(private, CHECKPOINT, time)
    assert opened(f"{CHECKPOINT}\n{line_of(key.name, key.id, found)}", [key]) == (CHECKPOINT, [key])
    later = (time + 1).to_bytes(8, "big") + found[8:]
    assert not key.verifies(CHECKPOINT, later)
    assert not key.verifies(CHECKPOINT.replace("20852163", "20852164"), found)


def test_a_cosignature_of_a_time_that_cannot_be_is_refused() -> None:
    private, key = witness()
    assert not key.verifies(CHECKPOINT, cosignature(private, CHECKPOINT, 2**63))


def test_a_witness_does_not_sign_for_a_log_nor_a_log_for_a_witness() -> None:
    """The type is part of the key's ID, and the message of a cosignature differs from the note's text."""
    private, key = witness()
    log = Verifier(key.name, ED25519, key.public)
    assert log.id != key.id
    assert not log.verifies(CHECKPOINT, cosignature(private, CHECKPOINT, 1))
    assert not log.verifies(CHECKPOINT, cosignature(private, CHECKPOINT, 1)[8:])
    assert not key.verifies(CHECKPOINT, private.sign(CHECKPOINT.encode()))


@given(st.binary(max_size=100))
def test_a_signature_of_any_other_bytes_does_not_verify(signature: bytes) -> None:
    for key in (Verifier.of(SPEC_KEY), witness()[1], Verifier("weak", ED25519, bytes(32))):
        assert not key.verifies("This is an example message.\n", signature)


def test_the_examples_of_the_specifications_are_read_as_written() -> None:
    """Their keys are not published, so that only what stands in them can be compared."""
    note = (
        f"{CHECKPOINT}\n"
        "— example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo"
        "+zyWE+xeMcTOAYQ8=\n"
        "— witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo"
        "0xUe+mbIUBkBIfZ+qnA==\n"
    )
    text, (log, cosigned) = split(note)
    assert Checkpoint.of(text).size == 20852163
    assert Checkpoint.of(text).text == text
    assert (log.name, len(log.signature)) == ("example.com/behind-the-sofa", 64)
    assert (cosigned.name, int.from_bytes(cosigned.signature[:8], "big")) == ("witness.example.com/w1", 1679315147)
    assert f"{text}\n{log.line}{cosigned.line}" == note


ROOT = b64encode(bytes(range(32))).decode()


def test_a_checkpoint_may_have_lines_that_nobody_knows() -> None:
    assert Checkpoint.of(f"origin\n0\n{ROOT}\nextension\nanother\n").size == 0


@pytest.mark.parametrize(
    "text",
    [
        "",
        "origin\n1\n",
        f"\n1\n{ROOT}\n",
        f"origin\n01\n{ROOT}\n",
        f"origin\n-1\n{ROOT}\n",
        f"origin\n+1\n{ROOT}\n",
        f"origin\n1.0\n{ROOT}\n",
        f"origin\n１\n{ROOT}\n",
        f"origin\n 1\n{ROOT}\n",
        f"origin\n{10**19}\n{ROOT}\n",
        f"origin\n1\n{ROOT[4:]}\n",
        f"origin\n1\n{ROOT} \n",
        f"origin\n1\n{ROOT}",
        f"origin\n1\n{ROOT}\n\n",
        f"origin\n1\n{ROOT}\n\nextension\n",
        f"origin\n1\n{'A' * 42}B=\n",
        f"origin\n1\n{'é' * 44}\n",
    ],
)
def test_what_is_not_a_checkpoint_is_refused(text: str) -> None:
    with pytest.raises(NoteWrong):
        Checkpoint.of(text)
