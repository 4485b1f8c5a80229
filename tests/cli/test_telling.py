"""How the demo tells what agents were told: short, in whole words, and with every address."""

from hub.cli.demo.telling import shortened


def test_what_is_short_stays() -> None:
    assert shortened("Done.") == "Done."


def test_what_is_long_ends_with_a_word_and_cuts_no_address() -> None:
    address = "http://127.0.0.1:8420/approvals/inv_06dvh3x5m8qk2v7c1n4pz9tbwr"

    for length in range(300, 420):
        told = shortened(f"{'x' * length} {address} {'word ' * 50}")

        assert address in told.split()
        assert told.endswith(" ...")
        assert len(told) < 500
