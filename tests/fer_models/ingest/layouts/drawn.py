"""Drawn sources of own folders and tables, and the true class of each image."""

import io
import json
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import numpy as np
from hypothesis import strategies as st

from fer_models.classes.names import _OTHER_NAMES
from tests.fer_models.ingest.builders import image_bytes, pixel_text
from tests.fer_models.ingest.layouts.published import (
    AFFECTNET,
    EXPW,
    RAFDB,
    face,
)

CKPLUS = {name: number for number, name in enumerate((*EXPW, "contempt"))}
NUMBERINGS = {"fer2013": EXPW, "rafdb": RAFDB, "affectnet": AFFECTNET, "ckplus": CKPLUS}
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
    is_certain: bool = False
    """Whether it must be read: a published layout, in a folder without a meaning of its own."""


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
    kind = draw(st.sampled_from(["csv", "csv", "jsonl", "json", "parquet"]))
    if kind == "csv":
        files[draw(st.sampled_from(["labels.csv", "a list.tsv"]))] = "\n".join(rows).encode()
    else:
        pairs = [(template.format(i=i), texts[i]) for i in order]
        records = [
            dict(zip(("path", columns[columns[0] == "path"]), pair, strict=True)) for pair in pairs
        ]
        files[f"labels.{kind}"] = written(records, kind)
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


def written(records: list[dict[str, Any]], kind: str) -> bytes:
    """Rows as JSON, JSON lines or parquet."""
    if kind == "json":
        return json.dumps(records).encode()
    if kind == "jsonl":
        return "\n".join(map(json.dumps, records)).encode()
    import pyarrow as pa
    import pyarrow.parquet as pq

    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(records), buffer)
    return buffer.getvalue()
