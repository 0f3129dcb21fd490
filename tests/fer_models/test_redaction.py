"""Credentials in URLs are hidden in every message; nothing else changes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fer_models.errors import DataError, StoreError
from fer_models.redaction import has_credentials, without_credentials
from fer_models.storage.config import StoreConfig

SECRET = "hunter2"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"http://me:{SECRET}@host:9000/x", "http://***@host:9000/x"),
        (f"no answer from https://{SECRET}@host, sorry", "no answer from https://***@host, sorry"),
        (f"s3://KEY:a/b+{SECRET}/c@bucket/prefix", "s3://***@bucket/prefix"),
        (
            f"'http://me:{SECRET}@one' and \"ftp://you:{SECRET}@two\"",
            "'http://***@one' and \"ftp://***@two\"",
        ),
        (f"http://:{SECRET}@host", "http://***@host"),
        (f"s3://KEY:{SECRET}/x", "s3://***"),
        (f"store s3://KEY:{SECRET}: expected", "store s3://*** expected"),
        (f"http://me:{SECRET}@[::1]:80/", "http://***@[::1]:80/"),
    ],
)
def test_user_and_password_are_hidden(text: str, shown: str) -> None:
    assert without_credentials(text) == shown
    assert has_credentials(text)


@pytest.mark.parametrize(
    "text",
    [
        "s3://bucket/a@b/c.png",
        "http://127.0.0.1:9000/a@b",
        "http://host:9000",
        "http://host:9000 and me@example.org",
        "C:/faces/a@b.png",
        "file:///home/me@work/x",
        "http://host:80?x=@",
    ],
)
def test_text_without_credentials_stays(text: str) -> None:
    assert without_credentials(text) == text
    assert not has_credentials(text)


WORD = st.text("abcXYZ019+/=_-.~%", min_size=1, max_size=30)


@given(user=st.text("abc", max_size=5), password=WORD, before=st.text(max_size=20))
def test_no_password_survives(user: str, password: str, before: str) -> None:
    secret = f"Q{password}Q"  # never only digits, which would be a port
    text = f"{before} https://{user}:{secret}@host:8443/path and more"
    assert secret not in without_credentials(text)
    assert without_credentials(text).endswith("://***@host:8443/path and more")


@given(text=st.text())
def test_hiding_twice_changes_nothing(text: str) -> None:
    once = without_credentials(text)
    assert without_credentials(once) == once


def test_every_error_hides_them() -> None:
    error = DataError(f"http://me:{SECRET}@host", [f"s3://k:{SECRET}@bucket"])
    assert SECRET not in f"{error}{error!r}{error.args}{error.message}{error.problems}"


def test_a_store_url_with_a_key_is_rejected_without_repeating_it() -> None:
    with pytest.raises(StoreError, match="AWS_SECRET_ACCESS_KEY") as caught:
        StoreConfig(url=f"s3://KEY:{SECRET}@bucket/prefix")
    assert SECRET not in repr(caught.value)
