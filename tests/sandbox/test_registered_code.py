"""What a confined process runs is what the registered digest speaks of: all of the package, and its source."""

import importlib
import importlib.util
import py_compile
import shutil
from pathlib import Path

import pytest
from sandbox_prison import NoWay

from connectors.sdk.artefact import artefact_digest
from connectors.sdk.run import Done, PhaseCall
from connectors.sdk.vocabulary import Phase
from sandbox.host import HostFailed, start
from sandbox.launch import Zygote

pytestmark = pytest.mark.anyio

REVIEWED, OTHER = 'WORD = "reviewed"\n', 'WORD = "never reviewed"\n'
SOURCE = '''
"""A connector that says its word."""
from pydantic import BaseModel
from connectors.sdk import Connector, Context, SafeRule
from {module} import WORD
connector = Connector("said", version="1.0.0", description="Says its word.", safe=[SafeRule(method="GET")])

class Said(BaseModel):
    word: str

@connector.read("say")
async def say(context: Context) -> Said:
    """Say it."""
    return Said(word=WORD)
'''


def write_package(folder: Path, entry: str, word: str) -> Path:
    """Write a connector in the module `entry` that takes its word from the module `word`, and return where that is."""
    for module in (entry, word):
        package = folder.joinpath(*module.split("."))
        package.mkdir(parents=True, exist_ok=True)
        for above in (package, *package.relative_to(folder).parents):
            if above != Path():
                (folder / above / "__init__.py").touch()
    folder.joinpath(*entry.split("."), "__init__.py").write_text(SOURCE.format(module=word))
    place = folder.joinpath(*word.split("."), "__init__.py")
    place.write_text(REVIEWED)
    importlib.invalidate_caches()
    return place


async def said(folder: Path, entry: str, digest: str) -> str:
    """Return what the connector says when it is run as registered with `digest`."""
    async with Zygote(paths=[folder]).running() as zygote:
        host = await start(zygote, f"{entry}:connector", digest)
        try:
            result = await host.run(PhaseCall(operation="say", phase=Phase.READ, arguments={}), NoWay())
        finally:
            host.end()
    assert isinstance(result, Done), result
    return str(result.output["word"])


@pytest.mark.parametrize(
    ("entry", "word"),
    [
        ("word_above.crm", "word_above.shared"),
        ("word_in_tests", "word_in_tests.tests"),
    ],
)
async def test_all_code_of_the_package_is_part_of_what_was_registered(
    entry: str, word: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    place = write_package(tmp_path, entry, word)
    digest = artefact_digest(entry)
    assert await said(tmp_path, entry, digest) == "reviewed"

    place.write_text(OTHER)

    with pytest.raises(HostFailed, match="not what was registered"):
        await said(tmp_path, entry, digest)


async def test_code_behind_a_link_is_part_of_what_was_registered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    write_package(tmp_path, "word_linked", "word_linked.one")
    write_package(tmp_path, "word_linked", "word_linked.two").write_text(OTHER)
    write_package(tmp_path, "word_linked", "word_linked.used")
    package = tmp_path / "word_linked"
    shutil.rmtree(package / "used")
    (package / "used").symlink_to("one")
    (package / "one" / "itself").symlink_to("..")  # which ends somewhere
    digest = artefact_digest("word_linked")
    assert await said(tmp_path, "word_linked", digest) == "reviewed"

    (package / "used").unlink()
    (package / "used").symlink_to("two")

    with pytest.raises(HostFailed, match="not what was registered"):
        await said(tmp_path, "word_linked", digest)


async def test_the_package_is_not_imported_before_its_digest_is_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    write_package(tmp_path, "word_early.crm", "word_early.shared")
    (tmp_path / "word_early" / "__init__.py").write_text("raise SystemExit(1)\n")

    with pytest.raises(HostFailed, match="not what was registered"):
        await said(tmp_path, "word_early.crm", "0" * 64)


async def test_code_that_is_gone_is_named_and_where_it_is_looked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    write_package(tmp_path, "word_gone", "word_gone.words")
    digest = artefact_digest("word_gone")
    assert await said(tmp_path, "word_gone", digest) == "reviewed"

    shutil.rmtree(tmp_path / "word_gone")

    with pytest.raises(HostFailed, match=r"no code of word_gone where the hub looks.*TOOLHUB_CONNECTOR_PATHS"):
        await said(tmp_path, "word_gone", digest)


async def test_what_was_loaded_goes_on_though_its_files_are_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    write_package(tmp_path, "word_loaded", "word_loaded.words")
    code = tmp_path / "word_loaded" / "__init__.py"
    code.write_text(code.read_text().replace("Said(word=WORD)", 'await context.get("/said", Said)'))
    async with Zygote(paths=[tmp_path]).running() as zygote:
        host = await start(zygote, "word_loaded:connector", artefact_digest("word_loaded"))
        shutil.rmtree(tmp_path / "word_loaded")
        try:
            # that it came as far as the transport says that nothing of it was read again to judge the request
            with pytest.raises(AssertionError, match="nothing is sent here: /said"):
                await host.run(PhaseCall(operation="say", phase=Phase.READ, arguments={}), NoWay())
        finally:
            host.end()


async def test_what_was_compiled_of_another_source_is_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    place = write_package(tmp_path, "word_compiled", "word_compiled.words")
    digest = artefact_digest("word_compiled")
    other = tmp_path / "other.py"
    other.write_text(OTHER)
    compiled = Path(importlib.util.cache_from_source(str(place)))
    compiled.parent.mkdir(exist_ok=True)

    py_compile.compile(str(other), cfile=str(compiled), invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)

    assert artefact_digest("word_compiled") == digest
    assert await said(tmp_path, "word_compiled", digest) == "reviewed"
