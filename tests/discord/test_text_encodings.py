"""How the bytes of text files are read, in the encodings that people still save them in."""

import time

import pytest

from bot.discord.text_encodings import decoded

SAID = {
    "ja": "会議は金曜日の午後三時から始まります。資料を忘れないでください。よろしくお願いします。\n",
    "zh": "会议在星期五下午三点开始。请不要忘记带资料。谢谢大家的帮助。\n",
    "tw": "會議在星期五下午三點開始。請不要忘記帶資料。謝謝大家的幫助。\n",
    "ko": "회의는 금요일 오후 세 시에 시작합니다. 자료를 잊지 마세요. 감사합니다.\n",
    "ru": "Встреча начнётся в пятницу в три часа дня. Не забудьте материалы. Спасибо!\n",
    "el": "Η συνάντηση αρχίζει την Παρασκευή στις τρεις. Μην ξεχάσετε τα έγγραφα.\n",
    "de": "Das Treffen beginnt am Freitag um drei Uhr. Bitte die Unterlagen für die Übung nicht vergessen.\n",
    "tr": "Toplantı cuma günü saat üçte başlıyor. Lütfen belgeleri unutmayın. Teşekkürler.\n",
    "he": "הפגישה תתחיל ביום שישי בשלוש. נא לא לשכוח את החומר.\n",
    "csv": "id,名前,値段\n1,りんご,100\n2,みかん,80\n",
    "code": "def f():\n    # считает сумму чисел\n    return sum(range(10))\n",
}


@pytest.mark.parametrize(
    ("language", "encoding"),
    [
        ("ja", "cp932"), ("ja", "euc_jp"), ("ja", "iso2022_jp"), ("zh", "gbk"), ("zh", "gb18030"), ("tw", "big5"),
        ("ko", "euc_kr"), ("ko", "cp949"), ("ru", "cp1251"), ("ru", "koi8_r"), ("ru", "cp866"), ("ru", "iso8859_5"),
        ("el", "cp1253"), ("de", "cp1252"), ("tr", "cp1254"), ("he", "cp1255"), ("csv", "cp932"), ("code", "cp1251"),
    ],
)  # fmt: skip
def test_what_only_can_be_guessed_is_guessed_right_and_named(language: str, encoding: str) -> None:
    found = decoded(SAID[language].encode(encoding))

    assert found is not None
    assert found.text == SAID[language]
    assert found.guess


@pytest.mark.parametrize("language", SAID)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_what_says_how_it_is_to_be_read_is_no_guess(language: str, encoding: str) -> None:
    assert decoded(SAID[language].encode(encoding)) == (SAID[language], "")


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("Grüße\r\nzwei\rdrei".encode(), "Grüße\nzwei\ndrei"),
        ("Grüße".encode("latin-1"), "Grüße"),
        ("“Grüße”".encode("cp1252"), "“Grüße”"),
        ('x = "ä"'.encode("latin-1"), 'x = "ä"'),
        (b"a\x1b[31mred\x1b[0m", "a\x1b[31mred\x1b[0m"),
        (b"", ""),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", None),
        (b"MZ\x90\0\x03\0\0\0\x04\0\0\0\xff\xff\0\0", None),
        (bytes(range(1, 32)) * 9, None),
    ],
)
def test_a_file_is_decoded_or_refused(content: bytes, text: str | None) -> None:
    found = decoded(content)

    assert (None if found is None else found.text) == text


@pytest.mark.parametrize("unit", [b"\x80", b"\xa4\xa4", bytes(range(128, 256)), "Привет, мир. ".encode("cp1251")])
def test_the_largest_file_costs_no_more_than_its_beginning(unit: bytes) -> None:
    decoded(unit * 9)
    began_at = time.thread_time()

    decoded(unit * (100_000 // len(unit)))

    assert time.thread_time() - began_at < 2.0  # a tenth of that at most, on a quiet machine
