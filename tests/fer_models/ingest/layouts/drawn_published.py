"""Drawn sources of the published layouts; all families together are `FAMILIES`.

What the files mean follows from each data set's own documentation (`published.py`).
"""

import io
import json
from random import Random

import numpy as np
from hypothesis import strategies as st

from tests.fer_models.ingest.builders import image_bytes
from tests.fer_models.ingest.layouts.drawn import (
    OWN_NAMES,
    Drawn,
    built,
    classes,
    key,
    named_folders,
    numbered_folders,
    pixel_tables,
    tables,
    tables_in_folders,
    written,
)
from tests.fer_models.ingest.layouts.published import (
    AFFECTNET,
    CODES,
    EXPW,
    FERPLUS,
    RAFDB,
    face,
    framed,
    npy,
)


@st.composite
def rafdb(draw: st.DrawFn) -> Drawn:
    names = draw(classes(tuple(RAFDB)))
    splits = [draw(st.sampled_from(["train", "test"])) for _ in names]
    listed = [f"{split}_{i:05d}" for i, split in enumerate(splits)]
    folder, suffix = draw(st.sampled_from([("aligned", "_aligned"), ("original", "")]))
    files, truth = built([f"basic/Image/{folder}/{one}{suffix}.jpg" for one in listed], names)
    rows = [f"{one}.jpg {RAFDB[name]}" for one, name in zip(listed, names, strict=True)]
    spelling = draw(st.sampled_from(["patition", "partition"]))
    files[f"basic/EmoLabel/list_{spelling}_label.txt"] = "\n".join(
        draw(st.permutations(rows))
    ).encode()
    return Drawn(files, truth, {}, is_certain=True)


@st.composite
def affectnet_files(draw: st.DrawFn) -> Drawn:
    names = draw(classes(tuple(AFFECTNET)))
    folder = draw(st.sampled_from(["", "train_set/", "val_set/"]))
    files, truth = built([f"{folder}images/{i}.jpg" for i in range(len(names))], names)
    as_value = draw(st.sampled_from([str, int, float, np.int64, lambda number: [number]]))
    for i, name in enumerate(names):
        value = np.array(as_value(AFFECTNET[name]))
        files[f"{folder}annotations/{i}_exp.npy"] = npy(value)
        files[f"{folder}annotations/{i}_val.npy"] = npy(np.array("0.5"))
    return Drawn(files, truth, {}, is_certain=True)


def framed_faces(
    draw: st.DrawFn, paths: list[str], names: list[str]
) -> tuple[dict[str, bytes], dict[str, str], list[tuple[int, int]]]:
    """Pictures with a face somewhere, the truth, and the left and top of each face."""
    places = [(draw(st.integers(0, 72)), draw(st.integers(0, 52))) for _ in names]
    files = {
        path: framed(face(i), *place)
        for i, (path, place) in enumerate(zip(paths, places, strict=True))
    }
    return files, {key(face(i)): name for i, name in enumerate(names)}, places


@st.composite
def affectnet_csv(draw: st.DrawFn) -> Drawn:
    names = draw(classes(tuple(AFFECTNET)))
    paths = [f"{i % 3}/{i}.png" for i in range(len(names))]
    files, truth, places = framed_faces(draw, [f"Images/{path}" for path in paths], names)
    rows = [
        f"{path},{left},{top},48,48,1.5;2.5,{AFFECTNET[name]},0.1,-0.2"
        for path, name, (left, top) in zip(paths, names, places, strict=True)
    ]
    columns = (
        "subDirectory_filePath,face_x,face_y,face_width,face_height,facial_landmarks,"
        "expression,valence,arousal"
    )
    files["training.csv"] = "\n".join([columns, *draw(st.permutations(rows))]).encode()
    return Drawn(files, truth, {}, is_certain=True)


@st.composite
def expw(draw: st.DrawFn) -> Drawn:
    names = draw(classes(tuple(EXPW)))
    paths = [f"image/{draw(st.sampled_from(EXPW_WORDS))}_{i}.png" for i in range(len(names))]
    files, truth, places = framed_faces(draw, paths, names)
    rows = [
        f"{path.removeprefix('image/')} 0 {top} {left} {left + 48} {top + 48} 55.5 {EXPW[name]}"
        for path, name, (left, top) in zip(paths, names, places, strict=True)
    ]
    files["label/label.lst"] = "\n".join(draw(st.permutations(rows))).encode()
    return Drawn(files, truth, {}, is_certain=True)


EXPW_WORDS = ("angry", "happy", "face")
"""Words that its images were found by, which are not their labels."""


@st.composite
def jaffe(draw: st.DrawFn) -> Drawn:
    codes = {name: code for code, name in {**CODES, "FE": "fear"}.items()}
    names = draw(classes(tuple(codes)))
    people = [draw(st.sampled_from(["KA", "YM", "HA", "NE"])) for _ in names]
    paths = [
        f"{person}.{codes[name]}{draw(st.integers(1, 4))}.{i + 1}.png"
        for i, (person, name) in enumerate(zip(people, names, strict=True))
    ]
    return Drawn(*built(paths, names), {}, is_certain=True)


@st.composite
def kdef(draw: st.DrawFn) -> Drawn:
    codes = {name: code for code, name in {**CODES, "AF": "fear"}.items()}
    names = draw(classes(tuple(codes)))
    paths = []
    for i, name in enumerate(names):
        person = f"{draw(st.sampled_from('AB'))}{draw(st.sampled_from('FM'))}{i + 1:02d}"
        angle = draw(st.sampled_from(["S", "HL", "HR", "FL", "FR"]))
        file = draw(st.sampled_from([str.upper, str.lower]))(f"{person}{codes[name]}{angle}.png")
        paths.append(f"{person}/{file}")
    return Drawn(*built(paths, names), {}, is_certain=True)


@st.composite
def ferplus(draw: st.DrawFn) -> Drawn:
    names = draw(classes((*FERPLUS, "")))
    folder = draw(st.sampled_from(["FER2013Train", "FER2013Valid", "FER2013Test"]))
    files, truth = built([f"{folder}/fer{i:07d}.png" for i in range(len(names))], names)
    random, rows = Random(draw(st.integers(0, 99))), []
    for i, name in enumerate(names):
        votes = [random.randint(0, 3) for _ in range(10)]
        if name:
            votes[FERPLUS.index(name)] = 4
        else:  # unknown, not a face, or a tie
            votes[random.choice([8, 9])] = 4
            votes[random.choice([0, 8, 9])] = 4
        rows.append(f'fer{i:07d}.png,"(0, 0, 48, 48)",{",".join(map(str, votes))}')
    files[f"{folder}/label.csv"] = "\n".join(draw(st.permutations(rows))).encode()
    return Drawn(files, truth, {}, is_certain=True)


@st.composite
def hugging_face(draw: st.DrawFn) -> Drawn:
    """A parquet file of the library `datasets`: numbers with the names that they have there."""
    import pyarrow.parquet as pq

    names = draw(classes((*EXPW, *OWN_NAMES)))
    order = draw(st.permutations(sorted(set(names))))
    images = [face(i) for i in range(len(names))]
    records = [
        {"image": {"bytes": image_bytes(image), "path": f"{i}.png"}, "label": order.index(name)}
        for i, (image, name) in enumerate(zip(images, names, strict=True))
    ]
    table = pq.read_table(io.BytesIO(written(records, "parquet")))
    features = {"label": {"names": order, "_type": "ClassLabel"}, "image": {"_type": "Image"}}
    stored = table.replace_schema_metadata(
        {"huggingface": json.dumps({"info": {"features": features}})}
    )
    buffer = io.BytesIO()
    pq.write_table(stored, buffer)
    truth = {key(image): name for image, name in zip(images, names, strict=True)}
    return Drawn({"faces.parquet": buffer.getvalue()}, truth, {}, is_certain=True)


FAMILIES: dict[str, st.SearchStrategy[Drawn]] = {
    "class folders": named_folders(),
    "folders of numbers": numbered_folders(),
    "table of labels": tables(),
    "table beside class folders": tables_in_folders(),
    "table of pixels": pixel_tables(),
    "RAF-DB": rafdb(),
    "AffectNet, npy": affectnet_files(),
    "AffectNet, csv": affectnet_csv(),
    "ExpW": expw(),
    "JAFFE": jaffe(),
    "KDEF": kdef(),
    "FER+": ferplus(),
    "Hugging Face, parquet": hugging_face(),
}
