"""Comparing predictions: with newer ones, and with what really happened."""

from connectors.sdk.preview import Blast, Change, Precondition, Preview
from connectors.sdk.vocabulary import Effect
from hub.dryrun import Verdict, drift, judge


def preview(*, phone: str = "2", token: str = "v1", rows: int = 1, unknown: tuple[str, ...] = ()) -> Preview:
    change = Change(
        target="party/3", effect=Effect.UPDATE, before={"phone": "1"}, after={"phone": phone, "at": 5}, unknown=unknown
    )
    guard = Precondition(target="party/3", token=token)
    return Preview(changes=(change,), preconditions=(guard,), blast=Blast(rows=rows))


def test_the_same_preview_has_not_drifted() -> None:
    assert drift(preview(), preview()) == ()


def test_drift_names_the_field_the_guard_and_the_reach() -> None:
    lines = drift(preview(), preview(phone="9", token="v2", rows=2))

    assert "party/3: phone would become something else" in lines
    assert any("somebody has changed it" in line for line in lines)
    assert any("reach" in line for line in lines)


def test_a_record_that_would_no_longer_change_is_drift() -> None:
    assert drift(preview(), Preview(changes=())) != ()


def test_what_came_true_is_verified_and_what_did_not_has_diverged() -> None:
    assert judge(preview(), {"party/3": {"phone": "2", "at": 5}}, volatile=()) == (Verdict.VERIFIED, ())
    verdict, differences = judge(preview(), {"party/3": {"phone": "3", "at": 5}}, volatile=())
    assert verdict is Verdict.DIVERGED
    assert differences == ("party/3: phone is not what the preview said",)


def test_volatile_and_unknown_fields_are_not_compared() -> None:
    found = {"party/3": {"phone": "2", "at": 99}}

    assert judge(preview(), found, volatile=("at",))[0] is Verdict.VERIFIED
    assert judge(preview(unknown=("at",)), found, volatile=())[0] is Verdict.VERIFIED
    assert judge(preview(), found, volatile=())[0] is Verdict.DIVERGED


def test_what_cannot_be_read_back_is_unverifiable_and_never_verified() -> None:
    assert judge(preview(), {}, volatile=())[0] is Verdict.UNVERIFIABLE
    assert judge(Preview(changes=()), {}, volatile=())[0] is Verdict.UNVERIFIABLE


def test_a_record_that_is_gone_although_it_should_be_there_has_diverged() -> None:
    assert judge(preview(), {"party/3": None}, volatile=())[0] is Verdict.DIVERGED


def test_a_sensitive_value_is_never_put_into_words() -> None:
    change = Change(
        target="party/3", effect=Effect.UPDATE, before={"iban": "DE1"}, after={"iban": "DE2"}, sensitive=("iban",)
    )
    predicted = Preview(changes=(change,))

    _, differences = judge(predicted, {"party/3": {"iban": "DE3"}}, volatile=())

    assert "iban" in differences[0]
    assert "DE" not in differences[0]
