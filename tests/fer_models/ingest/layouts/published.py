"""Builders of published layouts: the files of each, and what every image is.

The labels follow from each data set's own documentation, not from the code under test.
"""

import io
import json
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from tests.fer_models.ingest.builders import image_bytes

EMOTIONS = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
RAFDB = {"surprise": 1, "fear": 2, "disgust": 3, "happy": 4, "sad": 5, "angry": 6, "neutral": 7}
AFFECTNET = {"neutral": 0, "happy": 1, "sad": 2, "surprise": 3, "fear": 4}
AFFECTNET |= {"disgust": 5, "angry": 6, "contempt": 7}
EXPW = {name: number for number, name in enumerate(EMOTIONS)}
FERPLUS = ("neutral", "happy", "surprise", "sad", "angry", "disgust", "fear", "contempt")
CODES = {"AN": "angry", "DI": "disgust", "HA": "happy", "NE": "neutral"}
CODES |= {"SA": "sad", "SU": "surprise"}


@dataclass
class Built:
    """Files by path, and of each image its label ("": unlabelled), split and pixels."""

    files: dict[str, bytes] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    splits: dict[str, str] = field(default_factory=dict)
    pixels: dict[str, np.ndarray] = field(default_factory=dict)

    def add(self, path: str, label: str, split: str = "", kind: str = "PNG") -> None:
        pixels = face(len(self.labels))
        self.files[path] = image_bytes(pixels, kind)
        self.labels[path], self.splits[path], self.pixels[path] = label, split, pixels

    def under(self, folder: str) -> "Built":
        """The same in a folder."""
        everything = (self.files, self.labels, self.splits, self.pixels)
        moved = [{folder + path: value for path, value in one.items()} for one in everything]
        return Built(*moved)  # type: ignore[arg-type]


def face(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (48, 48), dtype=np.uint8)


def ferplus() -> Built:
    """fer0000000.png beside label.csv: name, box, ten votes; no header line."""
    built = Built()
    for folder, split in (("Train", "train"), ("Valid", "validation"), ("Test", "test")):
        lines = []
        for number, name in enumerate(FERPLUS):
            image = f"fer{len(built.labels):07d}.png"
            votes = [0] * 10
            votes[number], votes[(number + 1) % 8] = 7, 3
            built.add(f"FER2013{folder}/{image}", name, split)
            lines.append(f'{image},"(0, 0, 48, 48)",{",".join(map(str, votes))}')
        for votes_text in ("5,5,0,0,0,0,0,0,0,0", "1,1,1,0,0,0,0,0,7,0", "0,0,0,0,0,0,0,0,0,10"):
            image = f"fer{len(built.labels):07d}.png"
            built.add(f"FER2013{folder}/{image}", "", split)
            lines.append(f'{image},"(0, 0, 48, 48)",{votes_text}')
        built.files[f"FER2013{folder}/label.csv"] = "\n".join(lines).encode()
    return built


def rafdb(name: str = "list_patition_label.txt") -> Built:
    built, lines = Built(), []
    for number, (label, raf) in enumerate(RAFDB.items(), 1):
        for split in ("train", "test"):
            path = f"basic/Image/aligned/{split}_{number:05d}_aligned.jpg"
            built.add(path, label, split, kind="PNG")
            lines.append(f"{split}_{number:05d}.jpg {raf}")
    built.files[f"basic/EmoLabel/{name}"] = "\n".join(lines).encode()
    return built


def affectnet_npy(num_classes: int = 8) -> Built:
    built = Built()
    for folder, split in (("train_set", "train"), ("val_set", "validation")):
        for name, number in list(AFFECTNET.items())[:num_classes]:
            image = 10 * number + 3
            built.add(f"{folder}/images/{image}.jpg", name, split)
            stem = f"{folder}/annotations/{image}"
            built.files[f"{stem}_exp.npy"] = npy(np.array(str(number)))
            built.files[f"{stem}_aro.npy"] = npy(np.array("0.25"))
    return built


def npy(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def affectnet_csv() -> Built:
    """AffectNet's training.csv: the face is a part of a larger picture."""
    built = Built()
    lines = [
        (
            "subDirectory_filePath,face_x,face_y,face_width,face_height,facial_landmarks,"
            "expression,valence,arousal"
        )
    ]
    for name, number in AFFECTNET.items():
        path = f"Manually_Annotated_Images/{number}/face{number}.png"
        built.add(path, name, "train")
        left, top = 5 + number, 30
        built.files[path] = framed(built.pixels[path], left, top)
        lines.append(f"{number}/face{number}.png,{left},{top},48,48,1.5;2.5,{number},0.1,-0.2")
    built.files["training.csv"] = "\n".join(lines).encode()
    built.files["validation.csv"] = _affectnet_validation(built)
    return built


def _affectnet_validation(built: Built) -> bytes:
    """AffectNet's validation list: no header line, and 68 landmarks, so mostly semicolons."""
    lines, landmarks = [], ";".join(["1.5;2.5"] * 68)
    for name, number in AFFECTNET.items():
        path = f"Manually_Annotated_Images/{number}/other{number}.png"
        built.add(path, name, "validation")
        lines.append(f"{number}/other{number}.png,0,0,48,48,{landmarks},{number},0.1,-0.2")
    return "\n".join(lines).encode()


def expw() -> Built:
    """label.lst: name, face, top, left, right, bottom, confidence, label; a face is a part."""
    built, lines = Built(), []
    for name, number in EXPW.items():
        path = f"image/{name}_{number}.png"
        built.add(path, name)
        left, top = 20, 3 + number
        built.files[path] = framed(built.pixels[path], left, top)
        box = f"{top} {left} {left + 48} {top + 48}"
        lines.append(f"{name}_{number}.png 0 {box} 55.5 {number}")
    built.files["label/label.lst"] = "\n".join(lines).encode()
    return built


def framed(pixels: np.ndarray, left: int, top: int) -> bytes:
    """A picture of 120 x 100 pixels with the face at this place."""
    picture = np.full((100, 120), 128, dtype=np.uint8)
    picture[top : top + 48, left : left + 48] = pixels
    return image_bytes(picture)


def jaffe() -> Built:
    built = Built()
    for number, (code, name) in enumerate({**CODES, "FE": "fear"}.items()):
        built.add(f"KA.{code}1.{39 + number}.tiff", name, kind="TIFF")
        built.add(f"YM.{code}3.{60 + number}.tiff", name, kind="TIFF")
    built.files["README"] = b"read me"
    return built


def kdef() -> Built:
    built = Built()
    for person in ("AF01", "BM35"):
        for code, name in {**CODES, "AF": "fear"}.items():
            for angle in ("S", "HL", "FR"):
                built.add(f"{person}/{person}{code}{angle}.JPG", name)
    return built


def ck48() -> Built:
    built = Built()
    names = {"anger": "angry", "contempt": "contempt", "sadness": "sad", "happy": "happy"}
    for number, (folder, name) in enumerate(names.items()):
        built.add(f"{folder}/S01{number}_004_00000018.png", name)
    return built


def class_folders(template: str = "{split}/{name}/{i}.png") -> Built:
    built = Built()
    for i, name in enumerate(EMOTIONS):
        for folder, split in (("train", "train"), ("validation", "validation")):
            path = template.format(split=folder, name=name, i=i)
            built.add(path, name, split if "{split}" in template else "")
    return built


def huggingface(lines: bool = False) -> Built:
    """metadata.csv or metadata.jsonl with file_name in the folder of each split."""
    built = Built()
    for split in ("train", "test"):
        rows = []
        for number, name in enumerate(EMOTIONS):
            built.add(f"{split}/{number:04d}.png", name, split)
            rows.append({"file_name": f"{number:04d}.png", "label": name})
        if lines:
            text = "\n".join(json.dumps(row) for row in rows)
            built.files[f"{split}/metadata.jsonl"] = text.encode()
        else:
            text = "\n".join(["file_name,label", *(",".join(row.values()) for row in rows)])
            built.files[f"{split}/metadata.csv"] = text.encode()
    return built


def own_table(
    header: str = "path,label,split", separator: str = ",", name: str = "labels.csv"
) -> Built:
    """An own table with paths from its folder."""
    built, lines = Built(), [header]
    splits = {"Training": "train", "val": "validation", "TEST": "test"}
    for number, label in enumerate(EMOTIONS):
        text, split = list(splits.items())[number % 3]
        built.add(f"images/{number}.png", label, split)
        lines.append(f"images/{number}.png,{label.upper()},{text}")
    built.files[name] = "\n".join(lines).replace(",", separator).encode()
    return built


def parquet_table() -> Built:
    import pyarrow as pa
    import pyarrow.parquet as pq

    built = own_table()
    del built.files["labels.csv"]
    columns = {"image_path": list(built.labels), "emotion": list(built.labels.values())}
    buffer = io.BytesIO()
    pq.write_table(pa.table({**columns, "split": list(built.splits.values())}), buffer)
    built.files["labels.parquet"] = buffer.getvalue()
    return built


LAYOUTS: dict[str, Callable[[], Built]] = {
    "FER+ images": ferplus,
    "RAF-DB": rafdb,
    "RAF-DB with a corrected name": lambda: rafdb("list_partition_label.txt"),
    "AffectNet npy, 8 classes": affectnet_npy,
    "AffectNet npy, 7 classes": lambda: affectnet_npy(7),
    "AffectNet csv": affectnet_csv,
    "ExpW": expw,
    "JAFFE": jaffe,
    "KDEF": kdef,
    "CK+48": ck48,
    "images/train/<class>": lambda: class_folders("images/{split}/{name}/{i}.png"),
    "0_angry": lambda: class_folders("{split}/{i}_{name}/{i}.png"),
    "6 Anger": lambda: class_folders("{i} {name}/x{i}.png"),
    "metadata.csv": huggingface,
    "metadata.jsonl": lambda: huggingface(lines=True),
    "own table": own_table,
    "own table, semicolons": lambda: own_table(separator=";"),
    "own table, tabs": lambda: own_table(separator="\t", name="labels.tsv"),
    "own parquet table": parquet_table,
}
