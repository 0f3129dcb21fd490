"""Write predictions to a file as they come: CSV, JSON, JSON lines or parquet."""

import csv
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Literal, Protocol, get_args

from fer_models.errors import ConfigError, FerError
from fer_models.inference.picture import Picture, PicturePrediction
from fer_models.inference.results.files import append_csv, safe_path
from fer_models.inference.results.table import prediction_table
from fer_models.output_file import replacing

if TYPE_CHECKING:
    import pyarrow as pa

FileFormat = Literal["csv", "json", "jsonl", "parquet"]
FILE_FORMATS: tuple[FileFormat, ...] = get_args(FileFormat)
_GROUP = 1024
_OTHER_SUFFIXES: dict[str, FileFormat] = {".ndjson": "jsonl", ".pq": "parquet"}


class PredictionsFile:
    """Takes predictions in order, and writes them in groups."""

    def __init__(self, writer: "_Writer") -> None:
        self._writer = writer
        self._waiting: list[PicturePrediction] = []

    def add(self, picture: Picture, prediction: PicturePrediction) -> None:
        """Add a prediction to the file."""
        del picture
        self._waiting.append(prediction)
        if len(self._waiting) == _GROUP:
            self.flush()

    def flush(self) -> None:
        """Write what has been added; once at least, for the header."""
        self._writer.write(self._waiting)
        self._waiting = []


class _Writer(Protocol):
    def write(self, predictions: Sequence[PicturePrediction]) -> None: ...
    def close(self) -> None: ...


def file_format(path: Path, wanted: str | None = None) -> FileFormat:
    """The format of a file by its suffix, unless one is wanted.

    Raises:
        ConfigError: the suffix is that of no format.
    """
    name = (wanted or path.suffix.lower().removeprefix(".")).lower()
    found = next((one for one in FILE_FORMATS if one == name), _OTHER_SUFFIXES.get(f".{name}"))
    if found is None:
        suffixes = ", ".join(f".{one}" for one in FILE_FORMATS)
        raise ConfigError(
            f"{path}: expected a file name that ends with {suffixes}, got "
            f"{path.suffix or 'none of them'}; choose such a name, or pass --format"
        )
    return found


@contextmanager
def predictions_file(
    path: Path, classes: Sequence[str], form: FileFormat
) -> Iterator[PredictionsFile]:
    """A file of predictions; it replaces an existing one at the end, and an error keeps that.

    Args:
        path: as `check_target` returned it.
        classes: the K names of the model.
        form: see `file_format`.

    Raises:
        FerError: the file can't be written, or what the format needs is not installed.

    Example:
        with predictions_file(Path("out.csv"), model.classes, "csv") as file:
            predict_found(find_pictures(["faces/"]), model, sinks=[file])
    """
    with replacing(path) as temporary:
        writer = _WRITERS[form](temporary, tuple(classes))
        try:
            file = PredictionsFile(writer)
            yield file
            file.flush()
        finally:
            writer.close()


class _Csv:
    """One row per face. Text is quoted, numbers have six decimals.

    A path that a spreadsheet would evaluate as a formula is prefixed with `./`, which refers to the
    same file.
    """

    def __init__(self, path: Path, classes: tuple[str, ...]) -> None:
        self._classes = classes
        self._stream = path.open("w", encoding="utf-8", newline="")
        self._needs_header = True

    def write(self, predictions: Sequence[PicturePrediction]) -> None:
        table = prediction_table(predictions, self._classes)
        safe = table.assign(path=table["path"].map(safe_path), label=table["label"].map(safe_path))
        append_csv(safe, self._stream, header=self._needs_header, quoting=csv.QUOTE_NONNUMERIC)
        self._needs_header = False

    def close(self) -> None:
        self._stream.close()


class _JsonLines:
    """One object a line and picture; see `PicturePrediction.as_dict`."""

    def __init__(self, path: Path, classes: tuple[str, ...]) -> None:
        del classes
        self._stream: IO[str] = path.open("w", encoding="utf-8")

    def write(self, predictions: Sequence[PicturePrediction]) -> None:
        self._stream.writelines(f"{_json(prediction)}\n" for prediction in predictions)

    def close(self) -> None:
        self._stream.close()


class _Json:
    """One list of all pictures; see `PicturePrediction.as_dict`."""

    def __init__(self, path: Path, classes: tuple[str, ...]) -> None:
        del classes
        self._stream: IO[str] = path.open("w", encoding="utf-8")
        self._separator = "[\n"

    def write(self, predictions: Sequence[PicturePrediction]) -> None:
        for prediction in predictions:
            self._stream.write(self._separator + _json(prediction))
            self._separator = ",\n"

    def close(self) -> None:
        self._stream.write("\n]\n" if self._separator == ",\n" else "[]\n")
        self._stream.close()


class _Parquet:
    """One row per face."""

    def __init__(self, path: Path, classes: tuple[str, ...]) -> None:
        try:
            import pyarrow as pa
            from pyarrow import parquet
        except ImportError as error:
            raise FerError(
                "parquet files need the package pyarrow; install it (pip install pyarrow), or "
                "write .csv or .jsonl"
            ) from error
        self._classes, self._arrow = classes, pa
        self._schema: pa.Schema = self._table(()).schema
        self._writer: Any = parquet.ParquetWriter(path, self._schema)

    def write(self, predictions: Sequence[PicturePrediction]) -> None:
        self._writer.write_table(self._table(predictions))

    def close(self) -> None:
        self._writer.close()

    def _table(self, predictions: Sequence[PicturePrediction]) -> "pa.Table":
        table = prediction_table(predictions, self._classes)
        return self._arrow.Table.from_pandas(table, preserve_index=False)


_WRITERS: dict[FileFormat, Callable[[Path, tuple[str, ...]], _Writer]] = {
    "csv": _Csv,
    "json": _Json,
    "jsonl": _JsonLines,
    "parquet": _Parquet,
}


def _json(prediction: PicturePrediction) -> str:
    return json.dumps(prediction.as_dict(), ensure_ascii=False, allow_nan=False)
