"""Who listens to the bot's work disturbs neither the work nor the others who listen."""

import pytest

from bot.observer import AnswerRecord, LogObserver, Observer, Observers, RequestRecord, StepRecord

ANSWER = AnswerRecord("discord", 7, 8, 100, 60, 20, 0.25, 1.5, "stop")


class Deaf(Observer):
    """Raises at everything."""

    def on_answer(self, record: AnswerRecord) -> None:
        raise LookupError(record)

    def on_request(self, record: RequestRecord) -> None:
        raise LookupError(record)

    def on_step(self, record: StepRecord) -> None:
        raise LookupError(record)


class Listener(Observer):
    """Hears of steps alone."""

    num_running = 0

    def on_step(self, record: StepRecord) -> None:
        self.num_running = record.num_running


def test_an_observer_that_raises_costs_the_others_nothing(caplog: pytest.LogCaptureFixture) -> None:
    listener = Listener()
    observers = Observers(Deaf(), listener)

    observers.on_step(StepRecord(num_running=3))
    observers.on_request(RequestRecord("edit", 0.1))
    observers.on_answer(ANSWER)

    assert listener.num_running == 3
    assert caplog.text.count("an observer failed") == 3


def test_an_answer_is_one_line_of_figures(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")

    LogObserver().on_answer(ANSWER)

    (line,) = caplog.messages
    assert line == (
        "answered discord:7 question 8: prompt 100 tokens, 60 cached, 20 new, first after 0.25 s, 1.50 s in all, stop"
    )
