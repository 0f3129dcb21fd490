"""Settings of ingest."""

from typing import Literal

from pydantic import Field, field_validator

from fer_models.base_config import FrozenConfig
from fer_models.classes.mapping import ClassSetting, setting_problems
from fer_models.classes.schemes import SCHEMES
from fer_models.dataset.columns import RESERVED_COLUMNS
from fer_models.dataset.image_format import MAX_SIZE_PX, Fit
from fer_models.synthetic.config import SyntheticConfig

SYNTHETIC = "synthetic"
NONE = "none"
"""Value of a setting in `TableConfig` that switches off what would be recognised."""
BY_TABLE, BY_FOLDERS = "table", "folders"
"""Values of `TableConfig.split`: the splits that the table's own name, or the folders name."""


class TableConfig(FrozenConfig):
    """Tables of pixels, and tables of labels beside images; empty: recognised by content.

    Example:
        TableConfig(path="labels.csv", label="mood")
    """

    path: str = Field(
        default="",
        description="The table of labels of a folder or archive of images: a file in it, or on "
        "this machine. none: labels from the names of folders only.",
    )
    image: str = Field(
        default="",
        coerce_numbers_to_str=True,
        description="Column of the images, by its name, or by its number from 1 without a header.",
    )
    label: str = Field(
        default="",
        coerce_numbers_to_str=True,
        description="Column of the labels. none: the images have none.",
    )
    split: str = Field(
        default="",
        coerce_numbers_to_str=True,
        description="Column of the splits. none: ignore it. table: the split that the table's own "
        "name says. folders: those that the folders of the images say.",
    )
    header: bool | None = Field(
        default=None,
        description="Whether the first line of a text table has the names of its columns. None: "
        "unless it names an image.",
    )
    crop: bool = Field(
        default=True,
        description="Cut the faces out by the boxes of the table. False: they are cut out already.",
    )
    separator: Literal["", ",", ";", "tab", "|"] = Field(
        default="", description="Between the columns of a text table. Empty: by the header line."
    )


class DataConfig(FrozenConfig):
    """Where the images come from.

    Example:
        DataConfig(sources=("fer2013.csv", "fer2013new.csv"), quarantine_bad_rows=True)
    """

    sources: tuple[str, ...] = Field(
        default=(SYNTHETIC,),
        min_length=1,
        description="Files, folders and archives to join, in order, also in buckets (s3://...), or "
        "'synthetic'. Compressed files are fine; a.zip::member selects part of an archive. A FER+ "
        "vote file belongs to the FER2013 table named before it.",
    )
    classes: ClassSetting = Field(
        default=None,
        description="The classes. None: the labels that occur. A list names all classes in order; "
        "a numbering such as fer2013 its classes; a mapping merges and renames "
        "({positive: [happy, surprise]}) and drops ({contempt: null}).",
    )
    labelled: bool = Field(
        default=True,
        description="Add the faces that people have labelled in this store, as training images.",
    )
    label_scheme: str | tuple[str, ...] = Field(
        default="",
        description="What numbers mean as labels: fer2013, ferplus, rafdb, affectnet, ckplus or "
        "expw, or a list of names, number 0 first. Empty: only what the source itself proves.",
    )
    table: TableConfig = Field(
        default=TableConfig(), description="Columns of tables, and the table beside a folder."
    )
    image_size_px: int | None = Field(
        default=None,
        ge=16,
        le=MAX_SIZE_PX,
        description="Side of the stored images, px. None: the median of what came, from 48 to 224; "
        "48 for FER2013.",
    )
    channels: Literal[1, 3] = Field(default=1, description="1 stores grey images, 3 RGB.")
    fit: Fit | None = Field(
        default=None,
        description="Images that are not square: crop to the centre, pad with grey, or stretch. "
        "None: crop, but stretch if image_size_px isn't set and all that were measured for it are "
        "square.",
    )
    faces: Literal["none", "detect"] = Field(
        default="none",
        description="detect: cut each image file without a box to its largest face; set "
        "image_size_px with it. none: the faces are cut out already.",
    )
    slice_columns: tuple[str, ...] = Field(
        default=(),
        description="Columns of the tables that are kept with the images, such as gender or "
        "age_group: the evaluation reports the accuracy by each of them.",
    )
    synthetic: SyntheticConfig = Field(
        default=SyntheticConfig(), description="Used by the source 'synthetic' only."
    )
    quarantine_bad_rows: bool = Field(
        default=False,
        description="Quarantine rows and files that can't be read instead of rejecting the source.",
    )

    @field_validator("slice_columns")
    @classmethod
    def _check_slice_columns(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        names = tuple(name.strip().lower() for name in value)
        problems = [f"{name}: name each column once" for name in names if names.count(name) > 1]
        problems += [
            f"{name or '(empty)'}: not a column to slice by; the evaluation slices by "
            "class, brightness, contrast and sharpness anyway"
            for name in names
            if name in RESERVED_COLUMNS
        ]
        if problems:
            raise ValueError("; ".join(dict.fromkeys(problems)))
        return names

    @field_validator("classes")
    @classmethod
    def _check_classes(cls, value: ClassSetting) -> ClassSetting:
        if problems := setting_problems(value):
            raise ValueError("; ".join(problems))
        return value

    @field_validator("label_scheme")
    @classmethod
    def _check_scheme(cls, value: str | tuple[str, ...]) -> str | tuple[str, ...]:
        if isinstance(value, str):
            if value and value not in SCHEMES:
                raise ValueError(f"expected {', '.join(SCHEMES)} or a list of names, got {value!r}")
        elif problems := setting_problems(value):
            raise ValueError("; ".join(problems))
        return value
