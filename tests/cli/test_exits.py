import pytest

from ponderank.cli.exits import code_of, guarded
from ponderank.errors import BackendError, DataError, MissingExtra, RecipeError

CODES = [
    (DataError("x"), 2),
    (RecipeError("x"), 2),
    (MissingExtra("torch", "x"), 3),
    (BackendError("x"), 4),
    (OSError("x"), 1),
]


@pytest.mark.parametrize(("error", "code"), CODES)
def test_each_error_has_its_documented_code(error, code):
    assert code_of(error) == code


def test_an_expected_error_is_one_line_on_stderr(capsys):
    def command():
        raise BackendError("the server\nis gone")

    with pytest.raises(SystemExit) as stop:
        guarded(command)()
    assert stop.value.code == 4
    assert capsys.readouterr().err == "error: the server is gone\n"


def test_a_bug_keeps_its_traceback():
    def command():
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        guarded(command)()
