import pytest
from robustness_world import write_collection


@pytest.fixture
def folder(tmp_path):
    """Two queries with 24 documents each, in the order that counting words gives."""
    return write_collection(tmp_path / "collection")
