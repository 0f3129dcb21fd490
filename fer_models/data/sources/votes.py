"""FER+ votes: the counts of ten taggers' answers for an image, 0..10 each."""

from collections.abc import Sequence

from fer_models.data.snapshot import NO_VOTE
from fer_models.labels import FerPlusVote

NUM_TAGGERS = 10
VOTE_NAMES = tuple("NF" if vote is FerPlusVote.NF else vote.name.lower() for vote in FerPlusVote)
_SHOWN_CHARACTERS = 60

_COUNTS = {str(count).encode(): count for count in range(NUM_TAGGERS + 1)}


def parse_votes(texts: Sequence[bytes]) -> tuple[int, ...] | None:
    """The ten counts, or None when any is no whole number 0..10."""
    counts = tuple(_COUNTS.get(text, NO_VOTE) for text in texts)
    return None if NO_VOTE in counts else counts


def votes_problem(texts: Sequence[bytes]) -> str:
    """What to say of counts that are none."""
    shown = b",".join(texts)[:_SHOWN_CHARACTERS].decode("utf-8", errors="replace")
    return f"expected {len(VOTE_NAMES)} FER+ votes 0..{NUM_TAGGERS}, got {shown!r}; correct them"
