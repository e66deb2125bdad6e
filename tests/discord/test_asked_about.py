from types import SimpleNamespace

from bot.discord.asked_about import AskedAbout


def message(message_id: int, author_id: int) -> SimpleNamespace:
    return SimpleNamespace(id=message_id, author=SimpleNamespace(id=author_id))


def test_a_message_is_there_for_who_was_handed_it_and_for_half_an_hour() -> None:
    now = [100.0]
    kept, about = AskedAbout(lambda: now[0]), message(7, author_id=1)
    kept.note(5, about)

    assert kept.find(5, "7") is about
    assert kept.find(6, "7") is None
    now[0] += 31 * 60
    assert kept.find(5, "7") is None


def test_only_the_newest_are_kept() -> None:
    kept = AskedAbout()
    for number in range(300):
        kept.note(5, message(number, author_id=1))

    assert [kept.find(5, str(number)) is not None for number in (99, 100, 299)] == [False, True, True]


def test_what_somebody_wrote_or_asks_about_is_forgotten_with_their_words() -> None:
    kept = AskedAbout()
    for person_id, about in ((5, message(1, 6)), (6, message(2, 5)), (6, message(3, 7))):
        kept.note(person_id, about)

    kept.forget(5)

    assert [kept.find(5, "1"), kept.find(6, "2")] == [None, None]
    assert kept.find(6, "3") is not None
