"""Random stores: artifacts that refer to each other, runs and aliases."""

import json
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from fer_models.storage.backend import FileEntry
from fer_models.storage.refs import (
    ArtifactRef,
    EnsembleRef,
    EvaluationRef,
    ModelRef,
    RunRef,
    SnapshotRef,
)
from fer_models.storage.registry import Registry
from fer_models.storage.store import ArtifactStore

_KINDS: tuple[type[ArtifactRef], ...] = (
    SnapshotRef,
    ModelRef,
    EvaluationRef,
    EnsembleRef,
    RunRef,
)


@dataclass(frozen=True)
class Node:
    """An artifact: its kind, the numbers of those it refers to, how it does, and of whom it shares
    a file.
    """

    kind: int
    targets: tuple[int, ...]
    in_file: bool
    nested: bool
    shares: int | None


@dataclass(frozen=True)
class Graph:
    """Artifacts by number, runs and aliases (with their history) by the numbers they name."""

    nodes: tuple[Node, ...]
    runs: tuple[tuple[int, ...], ...]
    aliases: dict[str, tuple[int, ...]]

    def names(self) -> list[str]:
        return [f"{_KINDS[node.kind].folder}/{self.id_of(n)}" for n, node in enumerate(self.nodes)]

    def id_of(self, number: int) -> str:
        return f"artifact-{number:02d}"

    def reachable(self, keep_runs: int) -> set[str]:
        """An independent computation of what is kept: by a fixed point over the edges."""
        kept: set[int] = set()
        for run in self.runs[::-1][:keep_runs]:
            kept |= set(run)
        for named in self.aliases.values():
            kept |= {named[-1], *_before(named)}
        while True:
            more = {
                target
                for number in kept
                for target in (*self.nodes[number].targets, *_shared(self.nodes[number]))
            }
            if more <= kept:
                return {name for number, name in enumerate(self.names()) if number in kept}
            kept |= more


def _before(named: tuple[int, ...]) -> tuple[int, ...]:
    return named[-2:-1]


def _shared(node: Node) -> tuple[int, ...]:
    return () if node.shares is None else (node.shares,)


@st.composite
def graphs(draw: st.DrawFn, max_nodes: int = 7) -> Graph:
    count = draw(st.integers(1, max_nodes))
    nodes = []
    for number in range(count):
        earlier = st.integers(0, number - 1) if number else st.nothing()
        targets = draw(st.sets(earlier, max_size=3)) if number else set()
        nodes.append(
            Node(
                kind=draw(st.integers(0, len(_KINDS) - 1)),
                targets=tuple(sorted(targets)),
                in_file=draw(st.booleans()),
                nested=draw(st.booleans()),
                shares=draw(st.none() | earlier) if number else None,
            )
        )
    some = st.lists(st.integers(0, count - 1), min_size=1, max_size=3, unique=True).map(tuple)
    return Graph(
        nodes=tuple(nodes),
        runs=tuple(draw(st.lists(some, max_size=3))),
        aliases=draw(st.dictionaries(st.sampled_from(["canary", "stable"]), some)),
    )


def build(store: ArtifactStore, graph: Graph) -> None:
    """Write the artifacts, the records of the runs, and the aliases."""
    for number, node in enumerate(graph.nodes):
        named = json.dumps([graph.id_of(target) for target in node.targets]).encode()
        files: dict[str, Any] = {"data.bin": b"x" * (number + 1)}
        if node.in_file:
            files["lineage.json"] = named
        if node.nested:
            files["pages/index.html"] = b"<html>"
        store.put(
            _KINDS[node.kind],
            graph.id_of(number),
            files,
            {} if node.in_file else {"refers_to": named.decode()},
            linked=_linked(graph, node),
            **_further_fields(_KINDS[node.kind]),
        )
    for number, run in enumerate(graph.runs):
        record = {"id": f"run-{number}", "artifacts": [graph.id_of(one) for one in run]}
        store.write_bytes(f"history/2026010{number}T.json", json.dumps(record).encode())
    for alias, named_numbers in graph.aliases.items():
        for number in named_numbers:
            Registry(store).set(alias, graph.id_of(number), "by the test")


def _linked(graph: Graph, node: Node) -> dict[str, FileEntry]:
    if node.shares is None:
        return {}
    import hashlib

    owner = graph.names()[node.shares]
    data = b"x" * (node.shares + 1)
    entry = FileEntry(
        key=f"{owner}/data.bin", size=len(data), sha256=hashlib.sha256(data).hexdigest()
    )
    return {"shared.bin": entry}


def _further_fields(kind: type[ArtifactRef]) -> dict[str, Any]:
    candidate = ModelRef(id="none", url="none", name="none")
    return {
        ModelRef: {"name": "m"},
        EvaluationRef: {"model_id": "m"},
        EnsembleRef: {"candidate": candidate, "ensembles": ()},
        RunRef: {"report_url": "none"},
    }.get(kind, {})
