"""The page about writing policy tells the truth: its bundle is valid and keeps its own tests, its table is complete."""

import re
from pathlib import Path

from hub.policy import Bundle, annotations, refuse_failing

TEXT = Path(annotations.__file__).with_name("README.md").read_text(encoding="utf-8")


def test_its_bundle_is_valid_and_decides_as_its_examples_say() -> None:
    [text] = re.findall(r"```cedar\n(.*?)```", TEXT, re.DOTALL)

    bundle = Bundle.parse(text)

    assert [one.example for one in bundle.examples] == [
        "a small refund goes by itself",
        "a big refund is asked about in two stages",
    ]
    refuse_failing(bundle)


def test_its_table_names_every_annotation_that_the_hub_reads() -> None:
    told = set(re.findall(r"^\| `@([a-z]+)", TEXT, re.MULTILINE))
    read = set(re.findall(r"@([a-z]+)", (annotations.__doc__ or "").partition("`@require` names")[0]))

    assert told == read
