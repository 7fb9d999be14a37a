import subprocess
import sys

import pytest

import ponderank


def test_importing_the_package_loads_nothing_heavy():
    code = "import sys, ponderank; print(' '.join(m for m in sys.modules if m.split('.')[0] in sys.argv[1:]))"
    heavy = ["torch", "numpy", "onnxruntime", "tokenizers", "scipy", "rich", "typer", "bm25s"]
    done = subprocess.run([sys.executable, "-c", code, *heavy], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_every_public_name_is_there():
    for name in ponderank.__all__:
        assert getattr(ponderank, name).__name__ == name
    assert set(ponderank.__all__) <= set(dir(ponderank))


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'Rerankr'"):
        _ = ponderank.Rerankr


def test_the_default_recipe_imports_one_table_of_recipes():
    code = "import sys, ponderank.recipes as r; r.find('default'); print([t for t in r.TABLES if f'ponderank.recipes.{t}' in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['encoders']"
