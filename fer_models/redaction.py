"""Credentials never reach a message, a log or an artifact: URLs are shown without them."""

import re

# A secret key may contain slashes: what follows a user and a colon, up to the last @, may belong
# to it. A colon before digits only is a port.
_URL = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*://)"
    r"(?:[^\s'\"<>/@:]*:(?!\d*(?:[/\s'\"<>?#]|$))[^\s'\"<>]*@|[^\s'\"<>/@:?#]*@)"
)
# `s3://KEY:SECRET`, without a bucket: nobody would search for the password there.
_KEY_AND_SECRET = re.compile(
    r"(?P<scheme>s3://)[^\s'\"<>/@:]*:(?!\d*(?:[/\s'\"<>?#]|$))[^\s'\"<>@]+"
)
HIDDEN = "***"


def without_credentials(text: str) -> str:
    """The text, with `***` in place of the user and password of every URL in it.

    Example:
        without_credentials("no answer from http://me:secret@host:9000/")
        # "no answer from http://***@host:9000/"
    """
    return _KEY_AND_SECRET.sub(rf"\g<scheme>{HIDDEN}", _URL.sub(rf"\g<scheme>{HIDDEN}@", text))


def has_credentials(text: str) -> bool:
    """Whether a URL in the text has a user or a password."""
    return bool(_URL.search(text) or _KEY_AND_SECRET.search(text))
