"""Whatever the layout, names, order and packing: the right label, or a refusal."""

import tempfile
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from random import Random

import numpy as np
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from fer_models.classes.names import _OTHER_NAMES, class_name
from fer_models.errors import DataError
from fer_models.ingest.config import DataConfig
from fer_models.ingest.read import read_sources
from tests.fer_models.ingest.archives import write_archive
from tests.fer_models.ingest.builders import image_bytes, pixel_text, write_folder
from tests.fer_models.ingest.layouts.published import AFFECTNET, EXPW, RAFDB, face

NUMBERINGS = {"fer2013": EXPW, "rafdb": RAFDB, "affectnet": AFFECTNET}
SPELLINGS = {name: (name, *others.split()) for name, others in _OTHER_NAMES.items()}
OWN_NAMES = ("bored", "very tired", "\u7b11\u9854", "x1")
CASES = (str, str.upper, str.title)
PATH_TEMPLATES = (
    "images/{i}.png",
    "./images/{i}.png",
    "/data/set/images/{i}.png",
    "{i}.png",
    "{i}",
)


@dataclass(frozen=True)
class Drawn:
    """A source: its files, and the true class of each image by its pixels."""

    files: dict[str, bytes] = field(repr=False)
    truth: dict[str, str]
    settings: dict[str, object]


def key(image: np.ndarray) -> str:
    """A short name of an image's pixels."""
    return sha256(image.tobytes()).hexdigest()[:8]


@st.composite
def spelled(draw: st.DrawFn, name: str) -> str:
    """A common way to write the name of a class."""
    text = draw(st.sampled_from(SPELLINGS.get(name, (name,))))
    return draw(st.sampled_from(CASES))(text) if text.isascii() else text


@st.composite
def classes(draw: st.DrawFn, names: tuple[str, ...]) -> list[str]:
    """The class of each of some images, in any order; at least two classes."""
    chosen = draw(st.lists(st.sampled_from(names), min_size=2, max_size=5, unique=True))
    more = draw(st.lists(st.sampled_from(chosen), max_size=4))
    return draw(st.permutations([*chosen, *more]))


def built(paths: list[str], names: list[str]) -> tuple[dict[str, bytes], dict[str, str]]:
    images = [face(number) for number in range(len(names))]
    files = {path: image_bytes(image) for path, image in zip(paths, images, strict=True)}
    return files, {key(image): name for image, name in zip(images, names, strict=True)}


@st.composite
def named_folders(draw: st.DrawFn) -> Drawn:
    names = draw(classes((*SPELLINGS, *OWN_NAMES)))
    split = draw(st.sampled_from(["", "train/", "images/Test/"]))
    numbers = draw(st.booleans())
    folder = {name: draw(spelled(name)) for name in dict.fromkeys(names)}
    if numbers:  # the numbers in front are in an order of their own
        order = draw(st.permutations(sorted(folder)))
        folder = {name: f"{order.index(name)}_{text}" for name, text in folder.items()}
    paths = [f"{split}{folder[name]}/{i}.png" for i, name in enumerate(names)]
    return Drawn(*built(paths, names), {})


@st.composite
def numbered_folders(draw: st.DrawFn) -> Drawn:
    scheme = draw(st.sampled_from(sorted(NUMBERINGS)))
    numbers = NUMBERINGS[scheme]
    names = draw(classes(tuple(numbers)))
    paths = [f"{numbers[name]}/{i}.png" for i, name in enumerate(names)]
    chosen = draw(st.sampled_from(["", scheme]))
    return Drawn(*built(paths, names), {"label_scheme": chosen} if chosen else {})


@st.composite
def tables(draw: st.DrawFn) -> Drawn:
    scheme = draw(st.sampled_from(["", *sorted(NUMBERINGS)]))
    names = draw(classes(tuple(NUMBERINGS[scheme]) if scheme else (*SPELLINGS, *OWN_NAMES)))
    texts = [str(NUMBERINGS[scheme][n]) if scheme else draw(spelled(n)) for n in names]
    folder = draw(st.sampled_from(["images", "photos of faces"]))
    files, truth = built([f"{folder}/{i}.png" for i in range(len(names))], names)
    template = draw(st.sampled_from(PATH_TEMPLATES)).replace("images", folder)
    columns = draw(st.permutations(["path", draw(st.sampled_from(["label", "Emotion", "class"]))]))
    order = draw(st.permutations(range(len(names))))
    separator = draw(st.sampled_from([",", ";", "\t"]))
    rows = [separator.join(columns)]
    for i in order:
        pair = (template.format(i=i), texts[i])
        rows.append(separator.join(pair if columns[0] == "path" else pair[::-1]))
    files[draw(st.sampled_from(["labels.csv", "a list.tsv"]))] = "\n".join(rows).encode()
    return Drawn(files, truth, {"label_scheme": scheme} if scheme and draw(st.booleans()) else {})


@st.composite
def tables_in_folders(draw: st.DrawFn) -> Drawn:
    """Class folders with a table beside them that may contradict."""
    names = draw(classes(tuple(EXPW)))
    paths = [f"{name}/{i}.png" for i, name in enumerate(names)]
    files, truth = built(paths, names)
    listed = [draw(st.sampled_from([name, name, name, "fear"])) for name in names]
    rows = [f"{path},{label}" for path, label in zip(paths, listed, strict=True)]
    files["labels.csv"] = "\n".join(["file,label", *rows]).encode()
    return Drawn(files, truth, {})


@st.composite
def pixel_tables(draw: st.DrawFn) -> Drawn:
    scheme = draw(st.sampled_from(["", *sorted(NUMBERINGS)]))
    names = draw(classes(tuple(NUMBERINGS[scheme]) if scheme else tuple(EXPW)))
    column = draw(st.sampled_from(["label", "class", "expression"]))
    images = [face(number) for number in range(len(names))]
    rows = [f"{column},pixels"]
    for name, image in zip(names, images, strict=True):
        text = str(NUMBERINGS[scheme][name]) if scheme else draw(spelled(name))
        rows.append(
            f"{text}{draw(st.sampled_from(['', '.0'])) if scheme else ''},{pixel_text(image)}"
        )
    truth = {key(image): name for image, name in zip(images, names, strict=True)}
    chosen = {"label_scheme": scheme} if scheme and draw(st.booleans()) else {}
    return Drawn({"faces.csv": "\n".join([*rows, ""]).encode()}, truth, chosen)


SOURCES = st.one_of(
    named_folders(), numbered_folders(), tables(), tables_in_folders(), pixel_tables()
)
PACKINGS = ("", ".zip", ".tar.gz")


def outcome(path: Path, drawn: Drawn) -> dict[str, str] | str:
    """The label of each image by its pixels, or "refused"."""
    try:
        config = DataConfig(sources=(str(path),), **drawn.settings)  # type: ignore[arg-type]
        [one] = read_sources(config, seed=0)
    except DataError:
        return "refused"
    assert one.table is not None
    labels = [one.table.label_names[n] if n >= 0 else "" for n in one.table.fields["label"]]
    return {key(image): label for image, label in zip(one.table.images, labels, strict=True)}


@given(SOURCES, st.sampled_from(["", "data/", "joyful/", "a/Happy/"]), st.randoms())
@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_a_label_is_right_or_refused_and_packing_changes_nothing(
    drawn: Drawn, wrapper: str, random: Random
) -> None:
    is_table = list(drawn.files) == ["faces.csv"]
    wrapped = {("" if is_table else wrapper) + path: data for path, data in drawn.files.items()}
    shuffled = dict(random.sample(sorted(wrapped.items()), len(wrapped)))
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        plain = write_folder(root / "faces", wrapped)  # type: ignore[arg-type]
        if is_table:
            plain /= "faces.csv"
        outcomes = [outcome(plain, drawn)]
        outcomes += [
            outcome(write_archive(root / f"faces{suffix}", shuffled), drawn)
            for suffix in PACKINGS[1:]
        ]
    assert outcomes[0] == outcomes[1] == outcomes[2]
    event("refused" if outcomes[0] == "refused" else "read")
    if outcomes[0] != "refused":
        assert outcomes[0] == {pixels: class_name(name) for pixels, name in drawn.truth.items()}
