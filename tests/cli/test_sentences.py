"""Whatever goes wrong outside the hub ends a command with a sentence that says what to do, never with a traceback."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from hub.cli import command_line, outline
from hub.storage import served_alone


def toolhub(home: Path, *words: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run `toolhub` as a person would, with its data in `home`."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TOOLHUB_")}
    return subprocess.run(
        [sys.executable, "-m", "hub", *words],
        capture_output=True,
        text=True,
        check=False,
        cwd=home.parent,
        stdin=subprocess.DEVNULL,
        start_new_session=True,  # without a terminal to ask on
        env=environment | {"TOOLHUB_HOME": str(home), "COLUMNS": "200"} | settings,
        timeout=60,
    )


@pytest.mark.parametrize(
    ("words", "settings", "says"),
    [
        (("account", "create", "al"), {"TOOLHUB_PASSWORD": "long-enough-words"}, "toolhub migrate"),
        (("account", "create", "al"), {}, "toolhub migrate"),
        (("audit", "export", "log.jsonl"), {}, "toolhub migrate"),
        (("keys", "list"), {"TOOLHUB_DATABASE_URL": "mysql://x"}, "postgresql+asyncpg://"),
        (("doctor",), {"TOOLHUB_PUBLIC_URL": "http://hub.example"}, "https://"),
        (("connector", "publish", "os:path"), {}, "not a connector"),
        (("doctor",), {"TOOLHUB_DATABASE_URL": "postgresql+asyncpg://u@h:port/x"}, "no URL"),
        (("migrate",), {"TOOLHUB_DATABASE_URL": "postgresql+asyncpg://u:s3cret@h/x?nope=1"}, "unknown options: nope"),
        (("worker",), {}, "Workers need PostgreSQL"),
        (("audit", "verify", "/dev/null"), {}, "no audit export"),
        (("serve", "--port", "99999"), {}, "65535"),
        (
            ("serve", "--port", "0"),
            {"TOOLHUB_DATABASE_URL": "postgresql+asyncpg://u:s3cret@127.0.0.1:1/x"},
            "127.0.0.1:1/x",
        ),
        (("serve", "--host", "999.1.1.1"), {}, "cannot listen"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_what_is_wrong_is_said_in_a_sentence(
    tmp_path: Path, words: tuple[str, ...], settings: dict[str, str], says: str
) -> None:
    ended = toolhub(tmp_path / "home", *words, **settings)

    assert ended.returncode != 0
    assert says in ended.stdout + ended.stderr
    assert "Traceback" not in ended.stderr
    assert "s3cret" not in ended.stdout + ended.stderr


def test_what_a_command_logs_stands_on_standard_error_without_the_values_of_variables() -> None:
    program = """
import sys, structlog
from hub.cli import main
sys.argv = ["toolhub", "keys", "--help"]
try:
    main()
except SystemExit:
    password = "open " + "sesame"
    structlog.get_logger().error("it failed", exc_info=True)
"""

    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert '"event": "it failed"' in ended.stderr
    assert "it failed" not in ended.stdout
    assert "open sesame" not in ended.stdout + ended.stderr


def test_a_command_that_needs_no_hub_imports_none() -> None:
    program = """
import sys
from hub.cli import main
sys.argv = ["toolhub", "account", "create", "--help"]
try:
    main()
finally:
    print("imported", sorted({"fastapi", "hub.execution", "mcp"} & sys.modules.keys()))
"""

    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert ended.stdout.endswith("imported []\n"), ended.stdout


def test_a_command_looks_for_garbage_only_in_what_it_has_made_itself() -> None:
    program = """
import gc, sys
from hub.cli import main
looked = []
gc.collect()
gc.callbacks.append(lambda phase, info: looked.append("hub.cli.account" in sys.modules))
sys.argv = ["toolhub", "account", "create", "--help"]
try:
    main()
finally:
    print("spared", all(looked), gc.get_freeze_count() > 100_000, gc.isenabled())
"""

    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert ended.stdout.endswith("spared True True True\n"), ended.stdout


def test_the_list_of_commands_is_theirs_and_imports_none_of_them(tmp_path: Path) -> None:
    listed, whole = (
        {name: one.get_short_help_str(limit=1000) for name, one in typer.main.get_command(app).commands.items()}
        for app in (outline(), command_line())
    )
    program = """
import sys
from hub.cli import main
sys.argv = ["toolhub", "--help"]
try:
    main()
finally:
    print("imported", sorted({"sqlalchemy", "pydantic", "hub.settings"} & sys.modules.keys()))
"""

    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert listed == whole
    assert ended.stdout.endswith("imported []\n"), ended.stdout
    unknown = toolhub(tmp_path / "home", "serf")
    assert unknown.returncode == 2
    assert "No such command 'serf'" in unknown.stderr


def test_a_port_in_use_changes_nothing(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        ended = toolhub(tmp_path / "home", "serve", "--port", port, TOOLHUB_ENVIRONMENTS="prod")

    assert ended.returncode == 1
    assert "in use" in ended.stderr
    assert "TOOLHUB_ENVIRONMENTS is no setting and does nothing. Did you mean TOOLHUB_ENVIRONMENT?" in ended.stderr
    assert "first administrator" not in ended.stdout
    assert not (tmp_path / "home" / "toolhub.db").exists()


def test_a_demo_whose_port_is_in_use_makes_nothing(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        ended = toolhub(tmp_path / "var", "demo", "--unattended", "--port", port, "--home", str(tmp_path / "demo"))

    assert ended.returncode == 1
    assert f"cannot listen on port {port}" in ended.stderr
    assert not (tmp_path / "demo").exists()


def test_a_document_without_operations_is_refused(tmp_path: Path) -> None:
    document = tmp_path / "empty.json"
    document.write_text('{"openapi": "3.1.0", "info": {"title": "Nothing", "version": "1"}, "paths": {}}')

    ended = toolhub(tmp_path / "home", "connector", "import", "openapi", str(document))

    assert ended.returncode == 1
    assert "no operation" in ended.stderr


def test_one_sqlite_file_has_one_server_until_that_has_ended_however_it_ends(tmp_path: Path) -> None:
    home = tmp_path / "home"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TOOLHUB_")}
    with subprocess.Popen(
        [sys.executable, "-m", "hub", "serve", "--port", "0"],
        stdout=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        env=environment | {"TOOLHUB_HOME": str(home), "PYTHONUNBUFFERED": "1"},
    ) as first:
        assert first.stdout is not None
        assert any("The hub is at" in line for line in first.stdout)

        second = toolhub(home, "serve", "--port", "0")
        first.kill()

    assert second.returncode == 1
    assert "Another process serves" in second.stderr
    assert "first administrator" not in second.stdout
    with served_alone(f"sqlite+aiosqlite:///{home / 'toolhub.db'}"):
        pass  # the operating system has let go of it


def test_an_import_names_each_operation_and_says_what_comes_next(tmp_path: Path) -> None:
    document = tmp_path / "deals.json"
    answer = {"200": {"description": "Deals", "content": {"application/json": {"schema": {"type": "object"}}}}}
    paths = {"/crm/deals": {"get": {"responses": answer}}}
    about = {"title": "Deals", "version": "1"}
    document.write_text(json.dumps({"openapi": "3.1.0", "info": about, "paths": paths}))

    ended = toolhub(tmp_path / "home", "connector", "import", "openapi", str(document))

    assert ended.returncode == 0, ended.stderr
    assert "GET /crm/deals" in ended.stdout
    assert "--overlay deals.overlay.yaml --register" in ended.stdout
