"""What a collection keeps for its own sake; what this refers to is kept, too."""

from fer_models.storage.refs import (
    ArtifactRef,
    DecisionsRef,
    LabelledRef,
    PredictionsRef,
    ReviewRef,
    SelectionRef,
)
from fer_models.storage.registry import Registry, RegistryEntry
from fer_models.storage.upkeep.contents import Contents, read_texts
from fer_models.storage.upkeep.usage import USED_FOLDER

DECISIONS_LOG = f"{DecisionsRef.folder}/log"
LABELLED_LOG = f"{LabelledRef.folder}/log"
LOGS = (f"{DECISIONS_LOG}/", f"{LABELLED_LOG}/")
"""Keys of what people decided begin so."""
_REFERRING = ("latest/", "recipes/")


class Roots:
    """The names of artifacts and records that are kept for their own sake.

    Args:
        contents: of the store.
        young_s: what was written or used since is kept; by the storage's clock.
        keep_runs: number of runs that are kept, however old they are.
    """

    def __init__(self, contents: Contents, young_s: float, keep_runs: int) -> None:
        self._contents = contents
        self._young_s = young_s
        self._keep_runs = keep_runs

    def by_reason(self) -> dict[str, frozenset[str]]:
        """The names by the reason why they are kept.

        Raises:
            StoreError: the store can't be read.
        """
        return {
            "champions and other aliases": self._aliases(),
            "newest runs": self._newest_runs(),
            "recent or running": self._young(),
            "latest outputs, saved recipes": self._remembered(),
            "reviews and decisions": self._reviews(DECISIONS_LOG, DecisionsRef, ReviewRef),
            "labels of new faces": self._reviews(LABELLED_LOG, LabelledRef, SelectionRef),
            # Pictures without a batch would be predicted again.
            "predictions": self._of_kind(PredictionsRef),
        }

    def _aliases(self) -> frozenset[str]:
        """What the current and the previous entries of all aliases name, and the runs behind."""
        entries = _entries_in_force(Registry(self._contents.store).history())
        # The previous entry names the one before that, which no rollback needs.
        shown = {"model_id", "details"}
        text = "\n".join(entry.model_dump_json(include=shown) for entry in entries)
        named = self._contents.named_in(text)
        decisions = {str(entry.details.get("decision")) for entry in entries}
        promotions = {name for name in named if name.partition("/")[2] in decisions}
        return named | {run for one in promotions for run in self._first_run_with(one)}

    def _first_run_with(self, name: str) -> list[str]:
        """The run that made an artifact: later ones took it from the cache."""
        references = self._contents.references
        runs = [record for record in self._contents.records if name in references[record]]
        return runs[-1:]

    def _newest_runs(self) -> frozenset[str]:
        references = self._contents.references
        with_outputs = [record for record in self._contents.records if references[record]]
        return frozenset(with_outputs[: self._keep_runs])

    def _young(self) -> frozenset[str]:
        contents = self._contents
        marks = {name: contents.objects.get(f"{USED_FOLDER}/{name}") for name in contents.texts}
        return frozenset(
            name
            for name, mark in marks.items()
            if contents.modified_s(name) >= self._young_s
            or (mark is not None and mark.modified_s >= self._young_s)
        )

    def _remembered(self) -> frozenset[str]:
        keys = {key: key for key in self._contents.objects if key.startswith(_REFERRING)}
        texts = read_texts(self._contents.store, keys)
        return self._contents.named_in("\n".join(texts.values()))

    def _reviews(
        self, log: str, answers: type[ArtifactRef], page: type[ArtifactRef]
    ) -> frozenset[str]:
        """All answers of people, and the newest page if no answer was published after it."""
        objects, contents = self._contents.objects, self._contents
        answered = [one.modified_s for key, one in objects.items() if key.startswith(log)]
        newest = sorted(self._of_kind(page), key=contents.modified_s)[-1:]
        is_open = newest and contents.modified_s(newest[0]) >= max(answered, default=0.0)
        return self._of_kind(answers) | frozenset(newest if is_open else ())

    def _of_kind(self, kind: type[ArtifactRef]) -> frozenset[str]:
        """All artifacts of a kind."""
        folder = f"{kind.folder}/"
        return frozenset(one for one in self._contents.artifacts if one.startswith(folder))


def _entries_in_force(history: list[RegistryEntry]) -> list[RegistryEntry]:
    """Of each alias the current entry, and those of its model and of the one before."""
    current = {entry.alias: entry for entry in history}
    return [
        entry
        for entry in history
        if entry.model_id in (current[entry.alias].model_id, current[entry.alias].previous_id)
    ]
