"""Build the files of a Space into a folder that can be uploaded as it is.

python spaces/build.py static --out build/static --cases 200
python spaces/build.py docker --out build/docker
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from dxtrace.compose import Composer
from dxtrace.view import ViewCase, library

HERE = Path(__file__).parent


def main(arguments: list[str] | None = None) -> None:
    """Build one Space."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("kind", choices=["static", "docker"])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--cases", type=int, default=200, help="cases of the static library")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    for file in (HERE / options.kind).iterdir():
        shutil.copy(file, options.out / file.name)
    if options.kind == "static":
        text = library(cases(options.cases, options.seed), "Teaching cases", practice=True)
        (options.out / "index.html").write_text(text, encoding="utf-8")
    sys.stdout.write("".join(f"{file}\n" for file in sorted(options.out.iterdir())))


def cases(count: int, seed: int) -> Iterator[ViewCase]:
    """Yield invented cases, each with its reference."""
    composer = Composer(seed)
    for number in range(count):
        yield ViewCase.of_annotated(composer.case(number))


if __name__ == "__main__":
    main()
