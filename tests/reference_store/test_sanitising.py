"""What must not stand in a log is taken out of it, wherever it hides; all else stays."""

import logging
from io import StringIO
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference_store.operations.sanitising import REDACTED, SENSITIVE, Sanitising, sanitize_for_logging

SECRET = "s3cr3t-Value_42"


@pytest.mark.parametrize("name", [*SENSITIVE, "API_KEY", "apiKey", "api-key", "x-auth-token", "exchange_password_2"])
def test_a_member_is_taken_out_by_its_name_at_any_depth(name: str) -> None:
    found = sanitize_for_logging({"a": [{"b": ({name: SECRET},)}], name: {"deep": SECRET}})

    assert found == {"a": [{"b": ({name: REDACTED},)}], name: REDACTED}


@pytest.mark.parametrize(
    "text",
    [
        f"api_key={SECRET}",
        f"GET /orders?symbol=BTC&api_key={SECRET}&n=1",
        f'{{"token": "{SECRET}"}}',
        f"{{'api_secret': '{SECRET}'}}",
        f"Authorization: Bearer {SECRET}",
        f"sent Bearer {SECRET}",
        f"password: {SECRET}",
        f"postgres://bot:{SECRET}@db/trades",
        f"private-key = {SECRET}",
    ],
)
def test_a_text_keeps_its_words_and_loses_its_secrets(text: str) -> None:
    for found in (sanitize_for_logging(text), sanitize_for_logging({"url": [text]})["url"][0],
                  sanitize_for_logging(ValueError(text)), sanitize_for_logging(text.encode())):  # fmt: skip
        assert SECRET not in found
        assert REDACTED in found
    assert "symbol=BTC" in sanitize_for_logging(text) or "symbol" not in text
    assert "n=1" in sanitize_for_logging(text) or "n=1" not in text


def test_control_what_is_no_secret_stays() -> None:
    given = {"symbol": "BTC/EUR", "amount": 0.5, "n": [1, None, True], "text": "bought 5 at 10:30, see https://x.y/z"}

    assert sanitize_for_logging(given) == given


def test_the_value_itself_is_left_as_it_is_and_may_contain_itself() -> None:
    given: dict[str, Any] = {"token": SECRET}
    given["self"] = given

    assert SECRET not in repr(sanitize_for_logging(given))
    assert given["token"] == SECRET


@pytest.mark.parametrize("part", ["a", "auth", "token=", '"', "Bearer ", "a://b:", "auth -"])
def test_a_long_text_is_not_searched_for_ever(part: str) -> None:
    assert isinstance(sanitize_for_logging(part * 50_000), str)


values = st.recursive(
    st.none() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(values, st.sampled_from(SENSITIVE))
def test_wherever_a_secret_is_put_under_its_name_it_does_not_come_out(value: Any, name: str) -> None:
    def planted(inner: Any) -> Any:
        if isinstance(inner, dict):
            return {**{key: planted(item) for key, item in inner.items()}, name: SECRET}
        return [planted(item) for item in inner] if isinstance(inner, list) else inner

    assert SECRET not in repr(sanitize_for_logging(planted(value)))


def logged(message: object, *arguments: object, error: bool = False) -> str:
    stream = StringIO()
    handler = logging.StreamHandler(stream)
    handler.addFilter(Sanitising())
    logger = logging.Logger("bot")
    logger.addHandler(handler)
    try:
        raise ValueError(f"api_key={SECRET}")
    except ValueError:
        logger.error(message, *arguments, exc_info=error)
    return stream.getvalue()


def test_a_handler_with_the_filter_writes_no_secret() -> None:
    assert logged("order %d of %s: %r", 7, "BTC", {"token": SECRET}) == f"order 7 of BTC: {{'token': '{REDACTED}'}}\n"
    assert SECRET not in logged(f"password={SECRET}")
    assert SECRET not in logged("%(token)s", {"token": SECRET})
    assert SECRET not in logged({"token": SECRET})
    assert SECRET not in logged("too %s few %s", f"token={SECRET}")
    assert "Traceback" in (found := logged("failed", error=True))
    assert SECRET not in found
