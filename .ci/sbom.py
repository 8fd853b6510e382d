"""Keep of a CycloneDX list what the lock files hold: `python .ci/sbom.py SBOM LOCK...`.

An environment also holds what somebody tried in it. What is locked but not installed (tools that
build the wheel) is listed with its version alone; which packages name no licence is printed. Exit
code 1 when one is installed at another version than the locked one.
"""

import json
import re
import sys
from importlib.metadata import PackageNotFoundError, metadata
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
    """Make `bom` a list of what is locked; returns what is installed at another version."""
    kept = [c for c in bom["components"] if canonical(c["name"]) in pins]
    found = {canonical(c["name"]): c["version"] for c in kept}
    references = {c["bom-ref"] for c in kept} | {bom["metadata"]["component"]["bom-ref"]}
    bom["components"] = kept
    bom["dependencies"] = [
        d | {"dependsOn": sorted(set(d.get("dependsOn", [])) & references)}
        for d in bom.get("dependencies", [])
        if d["ref"] in references
    ]
    for component in kept:
        if not component.get("licenses") and (named := own_licence(component["name"])):
            component["licenses"] = [{"license": {"name": named}}]
    for name in sorted(pins.keys() - found.keys()):
        purl = f"pkg:pypi/{name}@{pins[name]}"
        fields = {"type": "library", "bom-ref": purl, "name": name, "purl": purl}
        kept.append(fields | {"version": pins[name]})
    return sorted(
        f"{name}=={version} (installed: {found[name]})"
        for name, version in pins.items()
        # a build has a local version: torch 2.13.0+cpu is 2.13.0
        if name in found and found[name].partition("+")[0] != version.partition("+")[0]
    )


def own_licence(name: str) -> str:
    """What the installed package itself says, where the tool did not understand it."""
    try:
        said = metadata(name)
    except PackageNotFoundError:
        return ""
    return str(said.get("License-Expression") or said.get("License") or "").partition("\n")[0]


def without_licence(bom: dict[str, Any]) -> list[str]:
    """Components that name no licence."""
    return sorted(c["name"] for c in bom["components"] if not c.get("licenses"))


def main() -> None:
    """Rewrite the list and say what is wrong with it."""
    file, *locks = map(Path, sys.argv[1:])
    bom = json.loads(file.read_text(encoding="utf-8"))
    other = keep_locked(bom, locked(locks))
    file.write_text(json.dumps(bom, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    silent = without_licence(bom)
    print(f"{file}: {len(bom['components'])} components, {len(silent)} without a licence")
    if silent:
        print(f"no licence named by: {', '.join(silent)}")
    if other:
        sys.exit("installed at another version than locked:\n  " + "\n  ".join(other))


if __name__ == "__main__":
    main()
