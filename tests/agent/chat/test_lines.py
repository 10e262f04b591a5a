from __future__ import annotations

import pytest

from agent.chat.lines import COMMANDS, fact_numbers, parsed_line


@pytest.mark.parametrize(
    ("typed", "wanted"),
    [
        ("", None),
        (" \n", None),
        ("  Ann is in. \n", (None, "Ann is in.")),
        ("- not a thumb", (None, "- not a thumb")),
        ("+", ("good", "")),
        ("-", ("bad", "")),
        ("\N{THUMBS UP SIGN}", ("good", "")),
        ("\N{THUMBS DOWN SIGN}\N{EMOJI MODIFIER FITZPATRICK TYPE-4}", ("bad", "")),
        ("\N{THUMBS UP SIGN}\N{VARIATION SELECTOR-16}", ("good", "")),
        ("/GOOD", ("good", "")),
        ("/remember  Ann is in. /why ", ("remember", "Ann is in. /why")),
        ("/forget 3 4", ("forget", "3 4")),
        ("/remember\tAnn is  in.", ("remember", "Ann is  in.")),
        *((f"/{name}", (name, "")) for name in COMMANDS if name not in ("remember", "forget")),
    ],
)
def test_what_a_line_means(typed, wanted):
    assert parsed_line(typed) == wanted


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        ("/wy", r"no command /wy: did you mean /why\?"),
        ("/", "no command /: /help shows the commands"),
        ("/xxxxx", "no command /xxxxx: /help shows the commands"),
        ("/remember", "type /remember TEXT"),
        ("/forget ", "type /forget ID"),
        ("/why me", "/why takes nothing behind it, got 'me'"),
    ],
)
def test_what_is_wrong_with_a_line(typed, says):
    with pytest.raises(ValueError, match=says):
        parsed_line(typed)


def test_numbers_of_facts():
    assert fact_numbers("3 #4,5") == [3, 4, 5]
    assert fact_numbers("4 3 #4") == [4, 3]
    for wrong in ("three", "-1", "3.5", "#", ","):
        with pytest.raises(ValueError, match="a fact has a number, got"):
            fact_numbers(wrong)
