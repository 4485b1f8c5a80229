"""`python -m benchmarks.imports FOLDER`: what becomes of each API document in a folder, and what it takes."""

import argparse
import json
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from connectors.openapi import Importing, Unreadable, compile_document, read_document
from connectors.openapi.report import report_of

Json = Any

COLUMNS: Final = ("operations", "tools", "refusals", "dangling", "invalid", "non_portable", "bytes_per_tool")


def measured(file: Path) -> dict[str, Json]:
    """Return the figures of one import, made in this process, with its seconds and this process's peak memory."""
    started = time.perf_counter()
    try:
        document = read_document(file.read_bytes())
    except Unreadable as error:
        return {"problem": str(error)}
    compilation = compile_document(document, Importing(name="measured"))
    seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // (1024 if sys.platform != "darwin" else 1024**2)
    report = report_of(compilation)
    figures = {key: len(report[key]) if isinstance(report[key], list) else report[key] for key in COLUMNS}
    return {**figures, "findings": len(report["findings"]), "seconds": round(seconds, 2), "peak_megabytes": peak}


def main() -> None:
    """Import each document of a folder in a process of its own, and print the figures."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("folder", type=Path, help="A folder of API documents, or one of them.")
    parser.add_argument("--one", action="store_true", help="Print the figures of one document as JSON.")
    given = parser.parse_args()
    if given.one:
        json.dump(measured(given.folder), sys.stdout)
        return
    table = Table("document", *(name.replace("_", " ") for name in (*COLUMNS, "findings", "seconds", "peak_megabytes")))
    for file in sorted(one for one in given.folder.iterdir() if one.suffix in {".json", ".yaml", ".yml"}):
        command = [sys.executable, "-m", "benchmarks.imports", "--one", str(file)]
        said = json.loads(subprocess.run(command, capture_output=True, check=True, text=True).stdout)
        table.add_row(file.name, *(map(str, said.values())))
    Console(width=160).print(table)


if __name__ == "__main__":
    main()
