from __future__ import annotations

from itertools import product

import pytest

from operations.spelling import (
    ALPHABET,
    DIGITS,
    ICAO_WORDS,
    check_digit,
    new_letters,
    shown,
    spoken,
    typed_code,
    typed_letters,
)

TEN = "0123456789"
PREFIXES = {check_digit(prefix): prefix for prefix in TEN}  # digits that bring the check to each of its ten states
CODE = "12345678901" + check_digit("12345678901")


def other_digit(code: str, place: int, digit: str) -> str:
    return code[:place] + digit + code[place + 1 :]


def test_a_digit_of_its_own_after_any_digits_brings_the_check_to_zero() -> None:
    for digits in ("", "0", "572", "12345678901", "99999999999"):
        assert check_digit(digits + check_digit(digits)) == "0"
    assert check_digit("572") == "4"  # the worked example of the literature


def test_no_single_wrong_digit_anywhere_passes_the_check() -> None:
    """By induction over all codes: two digits never lead from one state to the same, nor two states by one digit."""
    assert len(PREFIXES) == 10
    for prefix in PREFIXES.values():
        assert len({check_digit(prefix + digit) for digit in TEN}) == 10
    for digit in TEN:
        assert len({check_digit(prefix + digit) for prefix in PREFIXES.values()}) == 10


def test_no_swap_of_neighbours_anywhere_passes_the_check() -> None:
    for prefix, (a, b) in product(PREFIXES.values(), product(TEN, TEN)):
        assert a == b or check_digit(prefix + a + b) != check_digit(prefix + b + a)


def test_a_misheard_code_is_not_taken_for_a_code() -> None:
    for place, digit in product(range(DIGITS), TEN):
        assert digit == CODE[place] or typed_code(other_digit(CODE, place, digit)) is None
    for place in range(DIGITS - 1):
        swapped = CODE[:place] + CODE[place + 1] + CODE[place] + CODE[place + 2 :]
        assert swapped == CODE or typed_code(swapped) is None


@pytest.mark.parametrize(
    "typed",
    [
        CODE,
        shown(CODE),
        " ".join(CODE),
        f"  {CODE[:4]} {CODE[4:8]}\t{CODE[8:]}\n",
        f"{CODE[:4]}\u2013{CODE[4:8]}\u2014{CODE[8:]}",  # dashes of word processors
        f"{CODE[:4]}\u00a0{CODE[4:8]}.{CODE[8:]}",
    ],
)
def test_a_code_is_understood_however_it_is_grouped(typed: str) -> None:
    assert typed_code(typed) == CODE


@pytest.mark.parametrize(
    "typed",
    ["", "0", CODE[:-1], CODE + "0", "x" + CODE[1:], CODE.translate({48 + n: 0x660 + n for n in range(10)}), "\0" * 12],
)
def test_what_is_not_twelve_digits_is_no_code(typed: str) -> None:
    assert typed_code(typed) is None


@pytest.mark.parametrize("typed", ["bcdf", "B C D F", "b-c-d-f", " BcDf ", "b\u2010c.d f"])
def test_letters_are_understood_however_they_are_typed(typed: str) -> None:
    assert typed_letters(typed) == "BCDF"


@pytest.mark.parametrize("typed", ["", "BCD", "BCDFG", "ABCD", "BCD1", "BCD\0", "ßCDF", "B" * 10_000])
def test_what_cannot_be_letters_of_a_token_names_none(typed: str) -> None:
    assert typed_letters(typed) == ""


def test_a_code_is_shown_in_three_groups_of_four() -> None:
    assert shown("123456789012") == "1234-5678-9012"


def test_letters_are_four_of_the_twenty_consonants() -> None:
    drawn = {new_letters() for _ in range(500)}
    assert {len(letters) for letters in drawn} == {4}
    assert {letter for letters in drawn for letter in letters} == set(ALPHABET)
    assert len(ALPHABET) == 20
    assert not set(ALPHABET) & set("AEIOUY")


def test_every_letter_has_one_word_that_begins_with_it() -> None:
    assert set(ICAO_WORDS) == set(ALPHABET)
    assert all(word.startswith(letter) for letter, word in ICAO_WORDS.items())
    assert spoken("BXZK") == ["Bravo", "X-ray", "Zulu", "Kilo"]
