"""`trivium why RUN`: one paragraph on how a run ended and what its curves tell, and what to type.

The rules are small functions in `trivium.platform.why`: `endings` (the first that applies says
how the run ended) and `learning` (each that applies adds a sentence).
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from trivium.platform.run import RunFolder
from trivium.platform.why.endings import ending
from trivium.platform.why.evidence import Evidence
from trivium.platform.why.learning import SIGNS

if TYPE_CHECKING:
    from rich.console import Console

_MOST_WARNINGS = 3


@dataclass(frozen=True)
class Diagnosis:
    """What is the matter with a run."""

    run: str
    """Its id."""
    status: str
    """As in run.json, or `dead` when its process ended without writing how."""
    ending: str
    """How it ended, or that it goes on."""
    warnings: tuple[str, ...]
    """What its curves and scores warn of, the gravest first."""
    next_command: str
    """What to type next, empty when nothing is to be done."""

    @property
    def sentences(self) -> tuple[str, ...]:
        """Ending and warnings."""
        return (self.ending, *self.warnings)


def diagnose(run: RunFolder) -> Diagnosis:
    """Why the run failed, stopped, stays flat, or that all is well."""
    evidence = Evidence(run)
    end = ending(evidence)
    signs = [s for rule in SIGNS if (s := rule(evidence)) is not None][:_MOST_WARNINGS]
    commands = [s.command for s in signs if s.command]
    # A run that ended well or stays alive wants what its curves ask for; else what its end asks.
    is_well = evidence.status in ("finished", "running", "pending")
    command = commands[0] if is_well and commands else end.command
    return Diagnosis(
        run.id, evidence.status, end.sentence, tuple(s.sentence for s in signs), command
    )


def render_diagnosis(diagnosis: Diagnosis, console: "Console") -> None:
    """The paragraph and the next command."""
    from rich.text import Text

    paragraph = Text.assemble((f"{diagnosis.run} ", "bold"), " ".join(diagnosis.sentences))
    console.print(paragraph)
    if diagnosis.next_command:
        console.print(Text(f"\nNext:\n  {diagnosis.next_command}"), soft_wrap=True)
