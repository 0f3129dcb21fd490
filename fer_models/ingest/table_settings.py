"""Refuse settings of `data.table` that no source uses: their labels would be other ones."""

from collections.abc import Mapping, Sequence

from fer_models.ingest.config import NONE, TableConfig
from fer_models.ingest.files.detection import SourceKind
from fer_models.ingest.findings import Findings
from fer_models.ingest.layouts.image_folder import ImageSource
from fer_models.ingest.locate import Source

_COLUMNS = ("image", "label", "split", "separator", "header")
_USED_BY = {
    SourceKind.PIXEL_TABLE: {"label", "split", "separator"},
    SourceKind.PARQUET: {"image", "label", "split"},
    SourceKind.PARQUET_FOLDER: {"image", "label", "split"},
    SourceKind.IMAGE_LIST: set(_COLUMNS),
}


def check_table_settings(
    located: Sequence[tuple[Source, Findings]],
    opened: Mapping[str, ImageSource],
    config: TableConfig,
) -> None:
    """Add a fault for each setting that applies to none of the sources.

    Args:
        located: all sources; the last one that could be meant gets the fault.
        opened: those with images in files, by stem.
        config: the settings.
    """
    if any(findings.faults for _, findings in located):
        return  # what they are is not known
    values = {name: getattr(config, name) for name in ("path", *_COLUMNS)}
    unused = {name: value for name, value in values.items() if value not in ("", None)}
    if config.path.lower() == NONE:
        del unused["path"]
    for source, _ in located:
        for name in _used(source, opened.get(source.stem)):
            unused.pop(name, None)
    if not unused:
        return
    with_images = [one for one in located if one[0].stem in opened]
    source, findings = (with_images or located)[-1]
    found = opened.get(source.stem)
    for name, value in unused.items():
        findings.add_fault(
            f"data.table.{name}={value} has no effect: {_reason(name, found)}, or leave out "
            f"data.table.{name}"
        )


def _used(source: Source, opened: ImageSource | None) -> set[str]:
    """The settings that apply to a source."""
    if opened is None or source.kind is SourceKind.IMAGE_LIST:
        return _USED_BY.get(source.kind, set()) if source.kind else set()
    return {"path", *(_COLUMNS if opened.found.has_columns else ())}


def _reason(name: str, opened: ImageSource | None) -> str:
    if opened is None or opened.found.has_columns:
        where = "a folder or archive of images" if name == "path" else "a table with that setting"
        return f"no source is {where}; name one"
    return (
        f"the labels come from {opened.found.layout}, not from columns of a table; name the "
        "table with data.table.path"
    )
