from __future__ import annotations

from dataclasses import replace

from ocelot.web.page.form import Form
from ocelot.web.page.state import Session, Sessions, Step


def step(text: str, *, judging: bool = False) -> Step:
    return Step(Form(text=text), text, "", "", judging)


def labels(session: Session) -> list[str]:
    return [one.label for one in session.steps]


def test_a_step_from_an_earlier_one_forgets_what_came_after_that() -> None:
    session = Session()
    for text in ("a", "b", "c"):
        session.keep(step(text))
    session.at = 0
    session.keep(step("d"))
    assert labels(session) == ["a", "d"] and session.at == 1


def test_only_the_last_steps_are_kept() -> None:
    session = Session()
    for number in range(20):
        session.keep(step(str(number)))
    assert labels(session) == [str(number) for number in range(12, 20)]
    assert session.at == 7


def test_a_late_verdict_goes_to_its_step_and_is_shown_only_there() -> None:
    session, first, second = Session(), step("a", judging=True), step("b", judging=True)
    session.keep(first)
    session.keep(second)
    assert not session.change(first, replace(first, status="late", judging=False))
    assert [one.status for one in session.steps] == ["late", ""]
    assert session.change(second, replace(second, status="now"))
    assert not session.change(step("a"), step("x"))  # equal, but not the same
    assert labels(session) == ["a", "b"]


def test_what_is_being_judged_is_not_asked_again() -> None:
    session = Session()
    assert not session.awaits(Form(text="a"))
    session.keep(step("a", judging=True))
    assert session.awaits(Form(text="a")) and not session.awaits(Form(text="b"))
    session.keep(step("a"))
    assert not session.awaits(Form(text="a"))


def test_the_sessions_used_last_are_kept() -> None:
    sessions = Sessions(2)
    first, second = sessions["1"], sessions["2"]
    assert sessions["1"] is first
    assert sessions["3"] is not first
    assert sessions["1"] is first and sessions["2"] is not second
