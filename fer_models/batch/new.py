"""Which pictures a run predicts: those that no earlier batch has, and those it could not read."""

from collections.abc import Iterator, Mapping, Sequence

from fer_models.batch.earlier import PictureKey, pictures_before
from fer_models.batch.places import Place, read_places
from fer_models.inference.pictures.decode import picture_of_bytes
from fer_models.storage.store import ArtifactStore

_CHUNK = 256


def new_places(store: ArtifactStore, model: str | None, places: Sequence[Place]) -> list[Place]:
    """The pictures to predict.

    A picture that an earlier batch could not read is opened again. It is new if it can be read now,
    or can't for another reason: the same reason is not stored twice.

    Args:
        store: holds the earlier batches.
        model: whose batches count; None: those of any model.
        places: all pictures.

    Raises:
        StoreError: the store, or the bucket of a picture, can't be read.
    """
    before = pictures_before(store, model)
    tried = [place for place in places if _key(place) in before.unread]
    same = {_key(place) for place in tried} - set(_changed(tried, before.unread))
    known = before.done | same
    return [place for place in places if _key(place) not in known]


def _key(place: Place) -> PictureKey:
    return place.path, place.state


def _changed(places: Sequence[Place], reasons: Mapping[PictureKey, str]) -> Iterator[PictureKey]:
    """Of pictures that could not be read, those with another outcome now."""
    for start in range(0, len(places), _CHUNK):
        chunk = places[start : start + _CHUNK]
        for place, content in zip(chunk, read_places(chunk), strict=True):
            if _problem(place, content) != reasons[_key(place)]:
                yield _key(place)


def _problem(place: Place, content: bytes | str) -> str:
    """Why a picture can't be read; "" if it can, whatever it shows."""
    return content if isinstance(content, str) else picture_of_bytes(place.path, content).problem
