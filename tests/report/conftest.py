import pytest

from report_world import letters, write_collection, write_folder


@pytest.fixture
def collection(tmp_path):
    """Six queries of twelve documents: c has grade 2, f grade 1, a grade 0, the others are not judged."""
    return write_collection(tmp_path / "things")


@pytest.fixture
def folders(tmp_path, collection):
    """``good`` helps queries 0 to 3, the first most; ``odd`` hurts query 2 and helps query 5."""
    good = write_folder(
        tmp_path / "good", collection, letters({0: "cf", 1: "c", 2: "c", 3: "bc"}),
        thought="The passage says that thing 0 is made of stuff, so it answers.", verdict="true", flaw="incomplete",
    )  # fmt: skip
    odd = write_folder(tmp_path / "odd", collection, letters({2: "bdegh", 5: "cf"}), seconds=1.0)
    return good, odd
