"""results.json: measurements of one machine, and in which part of the work each was made."""

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from goals import Verdict
from subjects import HERE, ROOT, Measurement
from table import put_into_page

RESULTS = HERE / "results.json"


@dataclass(frozen=True)
class Part:
    """One call of compare.py."""

    command: str
    began: str
    """UTC."""
    load_average_before: float
    """Of the minute before, whatever ran then and may be over."""
    others_busy_cores: float | None
    """Cores kept busy meanwhile by what is no child of compare.py; RLlib's actors are none."""
    whole_s: int


@dataclass
class Record:
    """What results.json holds."""

    machine: dict[str, Any]
    _entries: list[tuple[Part, Measurement]] = field(default_factory=list)

    @classmethod
    def read(cls, machine: dict[str, Any]) -> "Record":
        """What was measured so far on this `machine`; empty when nothing was."""
        record = cls(machine)
        if not RESULTS.exists():
            return record
        stored = json.loads(RESULTS.read_text())
        for name in ("cores", "processor", "versions", "peer_versions"):
            if stored["machine"][name] != machine[name]:
                sys.exit(f"{RESULTS.name} is of another machine ({name} differ): measure it whole")
        parts = [Part(**p) for p in stored["parts"]]
        for entry in stored["measurements"]:
            part = parts[entry.pop("part")]
            record._entries.append((part, Measurement(**entry)))
        return record

    @property
    def measurements(self) -> list[Measurement]:
        """All of them."""
        return [m for _, m in self._entries]

    def add(self, part: Part, found: Sequence[Measurement]) -> None:
        """Put `found` in place of what was measured of the same subjects with the same seeds."""
        new = {_key(m) for m in found}
        self._entries = [(p, m) for p, m in self._entries if _key(m) not in new]
        self._entries += [(part, m) for m in found]

    def write(self, verdicts: Sequence[Verdict], is_whole: bool) -> None:
        """Write results.json; `is_whole` says that every goal could be judged."""
        parts = list(dict.fromkeys(part for part, _ in self._entries))
        data = {
            "machine": self.machine,
            "all_reached": is_whole and all(v.is_reached for v in verdicts),
            "goals": [v.as_dict() for v in verdicts],
            "parts": [asdict(p) for p in parts],
            "measurements": [m.as_dict() | {"part": parts.index(p)} for p, m in self._entries],
        }
        RESULTS.write_text(json.dumps(data, indent=1) + "\n")
        put_into_page(self.measurements, verdicts)
        print(f"written to {RESULTS.relative_to(ROOT)}, its tables to benchmarks/README.md")


def _key(m: Measurement) -> tuple[str, str, int]:
    return m.task, m.subject, m.seed
