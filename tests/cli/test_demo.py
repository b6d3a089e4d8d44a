from __future__ import annotations

from pathlib import Path

from tests.cli.conftest import Command


def test_the_bundled_encoder_finds_the_leopard_phone_case(ocelot: Command) -> None:
    outcome = ocelot("demo")
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.count("OPENAI_API_KEY") == 1
    assert "A shop of 300 pictures is in demo/shop" in outcome.out
    first = next(line for line in outcome.out.splitlines() if line.lstrip().startswith("1 "))
    assert "Leopard Print" in first and "Phone Case" in first
    for name in ("shop/metadata.csv", "shop/leopard.jpg", "shop.db", "panorama.jpg", "answer.html"):
        assert Path("demo", name).exists()


def test_a_folder_that_cannot_be_written_to_is_named(ocelot: Command) -> None:
    Path("file").write_text("in the way")
    outcome = ocelot("demo", "file")
    assert outcome.code == 2 and "Cannot write file: Not a directory" in outcome.err
