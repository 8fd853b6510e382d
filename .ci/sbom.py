"""Keep of a CycloneDX list what the lock files hold: `python .ci/sbom.py SBOM LOCK...`.

An environment also holds what somebody tried in it. Every locked package must be in the list, at
its locked version; which of them name no licence is printed. Exit code 1 when one is missing.
"""

import json
import re
import sys
from pathlib import Path
from typing import Any

_PIN = re.compile(r"(?P<name>[A-Za-z0-9][\w.-]*)(?:\[[^\]]*\])?==(?P<version>[^\s;#]+)")


def locked(files: list[Path]) -> dict[str, str]:
    """Name, as package indexes compare it, and version of every pin."""
    pins = {}
    for file in files:
        for line in file.read_text(encoding="utf-8").splitlines():
            match = _PIN.match(line.strip())
            if match:
                pins[canonical(match["name"])] = match["version"]
    return pins


def canonical(name: str) -> str:
    """`Flask_Cors` as `flask-cors`."""
    return re.sub(r"[-_.]+", "-", name).lower()


def keep_locked(bom: dict[str, Any], pins: dict[str, str]) -> list[str]:
    """Drop what is not locked from `bom`; returns what is locked and missing from it."""
    kept = [c for c in bom["components"] if canonical(c["name"]) in pins]
    found = {canonical(c["name"]): c["version"] for c in kept}
    references = {c["bom-ref"] for c in kept} | {bom["metadata"]["component"]["bom-ref"]}
    bom["components"] = kept
    bom["dependencies"] = [
        d | {"dependsOn": sorted(set(d.get("dependsOn", [])) & references)}
        for d in bom.get("dependencies", [])
        if d["ref"] in references
    ]
    return sorted(
        f"{name}=={version} (installed: {found.get(name, 'not at all')})"
        for name, version in pins.items()
        # a build has a local version: torch 2.13.0+cpu is 2.13.0
        if found.get(name, "").partition("+")[0] != version.partition("+")[0]
    )


def without_licence(bom: dict[str, Any]) -> list[str]:
    """Components that name no licence."""
    return sorted(c["name"] for c in bom["components"] if not c.get("licenses"))


def main() -> None:
    """Rewrite the list and say what is wrong with it."""
    file, *locks = map(Path, sys.argv[1:])
    bom = json.loads(file.read_text(encoding="utf-8"))
    missing = keep_locked(bom, locked(locks))
    file.write_text(json.dumps(bom, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    silent = without_licence(bom)
    print(f"{file}: {len(bom['components'])} components, {len(silent)} without a licence")
    if silent:
        print(f"no licence named by: {', '.join(silent)}")
    if missing:
        sys.exit("locked, but not installed as locked:\n  " + "\n  ".join(missing))


if __name__ == "__main__":
    main()
