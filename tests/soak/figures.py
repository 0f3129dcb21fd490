"""What a soak counts, and how it is shown."""

import json
from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass
class Episode:
    """One scenario: what was killed, how often it was run again, and what was wrong after it."""

    scenario: str
    seed: int
    kills: list[str] = field(default_factory=list)
    """Such as `SIGKILL run at train`."""
    unfinished: int = 0
    """Kills after which the store held artifacts without a description, which no reader sees."""
    attempts: int = 0
    resumed: int = 0
    """Attempts that continued a training from a checkpoint."""
    could_resume: int = 0
    """Attempts that found the checkpoint of a killed training, and were not killed before it."""
    stop_s: list[float] = field(default_factory=list)
    """Seconds from SIGTERM or Ctrl-C to the end, of commands past their start."""
    problems: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def require(self, holds: object, problem: str) -> None:
        """Note a problem unless something holds."""
        if not holds:
            self.problems.append(problem)


@dataclass
class Figures:
    """All episodes of a soak."""

    minutes: float
    seed: int
    machine: str
    episodes: list[Episode] = field(default_factory=list)

    def summary(self) -> dict[str, Any]:
        """Counts over all episodes."""
        kills = Counter(
            " ".join(kill.split()[:2]) for episode in self.episodes for kill in episode.kills
        )
        places = Counter(
            kill.partition(" at ")[2] for episode in self.episodes for kill in episode.kills
        )
        stops = sorted(seconds for episode in self.episodes for seconds in episode.stop_s)
        return {
            "minutes": self.minutes,
            "seed": self.seed,
            "machine": self.machine,
            "episodes": dict(Counter(episode.scenario for episode in self.episodes)),
            "kills": dict(sorted(kills.items())),
            "killed_at": dict(sorted(places.items())),
            "kills_in_a_write": sum(episode.unfinished for episode in self.episodes),
            "attempts": sum(episode.attempts for episode in self.episodes),
            "found_a_checkpoint": sum(episode.could_resume for episode in self.episodes),
            "resumed_from_it": sum(episode.resumed for episode in self.episodes),
            "slowest_stop_s": round(stops[-1], 1) if stops else None,
            "median_stop_s": round(stops[len(stops) // 2], 1) if stops else None,
            "problems": [
                f"{episode.scenario} (seed {episode.seed}): {problem}"
                for episode in self.episodes
                for problem in episode.problems
            ],
        }

    def as_json(self) -> str:
        """Summary and episodes."""
        content = self.summary() | {"all": [asdict(episode) for episode in self.episodes]}
        return json.dumps(content, indent=1)

    def table(self) -> str:
        """The summary as text."""
        rows = []
        for name, value in self.summary().items():
            rows.append(f"{name:>20}  {_text(value)}")
        return "\n".join(rows)


def _text(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {count}" for key, count in value.items()) or "none"
    if isinstance(value, list):
        return "\n".join(map(str, value)) or "none"
    return str(value)
