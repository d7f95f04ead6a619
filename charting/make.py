"""Make gradlab/report/explorer/plot.js: the charting library of a sweep's page, in one file.

`make charting` runs this with npm, which checks every package against package-lock.json. A newer
version: change package.json, `npm install --package-lock-only` here, `make charting`, and commit
the lock, the file and its checksum together. The file begins with the licences of all that is in
it.
"""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
from pathlib import Path

HERE = Path(__file__).resolve().parent
MODULES = HERE / "node_modules"
OUT = HERE.parent / "gradlab" / "report" / "explorer" / "plot.js"
PACKAGE = re.compile(r"node_modules/((?:@[^/]+/)?[^/]+)/")


def main() -> None:
    """Install what the lock names, bundle it, write the file and its checksum."""
    subprocess.run(["npm", "ci", "--silent", "--no-audit", "--no-fund"], cwd=HERE, check=True)
    meta, bundle = MODULES / "bundle.json", MODULES / "bundle.js"
    subprocess.run(
        [
            *(MODULES / ".bin" / "esbuild", "marks.js", "--bundle", "--minify"),
            *("--format=iife", "--global-name=Plot", "--target=es2020", "--charset=ascii"),
            *("--legal-comments=none", "--log-level=warning"),
            *(f"--outfile={bundle}", f"--metafile={meta}"),
        ],
        cwd=HERE,
        check=True,
    )
    (output,) = json.loads(meta.read_text("utf-8"))["outputs"].values()
    used = (path for path, part in output["inputs"].items() if part["bytesInOutput"])
    names = sorted({found[1] for path in used if (found := PACKAGE.search(path))})
    data = licences(names).encode() + bundle.read_bytes()
    OUT.write_bytes(data)
    (HERE / "plot.js.sha256").write_text(hashlib.sha256(data).hexdigest() + "\n", "utf-8")
    print(f"{OUT.name}: {len(data)} bytes of {', '.join(names)}")


def licences(names: list[str]) -> str:
    """A comment with the licence of every package; those with the same text share it."""
    sharing: dict[str, list[str]] = {}
    for name in names:
        folder = MODULES / name
        version = json.loads((folder / "package.json").read_text("utf-8"))["version"]
        lines = (folder / "LICENSE").read_text("utf-8").strip().splitlines()
        held = lines[0] if lines[0].startswith("Copyright") else ""
        rest = "\n".join(lines[1:] if held else lines).strip()
        sharing.setdefault(rest, []).append(f"{name} {version}. {held}".strip())
    parts = ["\n".join([*packages, "", text]) for text, packages in sharing.items()]
    body = "\n\n----\n\n".join(parts)
    assert "*/" not in body
    return f"/*!\n{body}\n*/\n"


if __name__ == "__main__":
    main()
