import ast
import shutil
import subprocess
import sys
from pathlib import Path

import fer_models
from fer_models.source_hash import _statements, imported_modules, source_hash

_REPOSITORY = Path(fer_models.__file__).parents[1]
_PRINT_SHAS = (
    "from fer_models.source_hash import source_hash as s\n"
    "print(s('fer_models.dataset.split'), s('fer_models.reporting.report'))"
)


def _shas(folder: Path) -> list[str]:
    command = [sys.executable, "-c", _PRINT_SHAS]
    done = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.split()


def test_a_change_in_an_imported_module_changes_the_hash_of_its_importers(
    tmp_path: Path,
) -> None:
    for package in ("fer_models", "validation", "tasks"):
        shutil.copytree(_REPOSITORY / package, tmp_path / package)
    before = _shas(tmp_path)
    charts = tmp_path / "fer_models/reporting/report.py"
    charts.write_text(charts.read_text() + "\n# changed\n")
    split_after, report_after = _shas(tmp_path)
    assert split_after == before[0]
    assert report_after != before[1]
    snapshot = tmp_path / "fer_models/dataset/snapshot.py"
    snapshot.write_text(snapshot.read_text() + "\n# changed\n")
    assert _shas(tmp_path)[0] != before[0]


def test_modules_imported_inside_functions_count_too() -> None:
    assert "fer_models.dataset.snapshot" in imported_modules("fer_models.ingest.ingest")
    assert source_hash("fer_models.ingest.ingest") != source_hash("fer_models.cleaning.clean")


def test_every_import_statement_is_found_in_whatever_block_it_stands() -> None:
    source = """
import fer_models.a
class C:
    def f(self):
        try:
            from fer_models import b
        except ValueError:
            import fer_models.c
        else:
            import fer_models.d
        finally:
            import fer_models.e
        for _ in ():
            import fer_models.f
        else:
            import fer_models.g
        match 1:
            case 1:
                with x:
                    import fer_models.h
        if y:
            pass
        elif z:
            import fer_models.i
"""
    tree = ast.parse(source)
    kinds = (ast.Import, ast.ImportFrom)
    expected = {node.lineno for node in ast.walk(tree) if isinstance(node, kinds)}
    found = [node.lineno for node in _statements(tree) if isinstance(node, kinds)]
    assert sorted(found) == sorted(expected)
    assert len(found) == 9
