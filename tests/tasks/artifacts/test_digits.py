import pytest

from tasks.artifacts.digits import shown, shown_row


@pytest.mark.parametrize(
    ("column", "value", "expected"),
    [
        ("validation_accuracy", 0.7123456789012345, "71.2 %"),
        ("accuracy_low", 1.0, "100.0 %"),
        ("calibration_error", 0.0625, "6.2 %"),
        ("macro_f1", 0.5, "0.5000"),
        ("log_loss", 1.23456, "1.2346"),
        ("train_seconds", 12.3456, "12.3"),
        ("learning_rate", 0.00123456789, "0.001235"),
        ("epochs", 3.0, 3),
        ("parameters", 297_287, 297_287),
        ("accuracy", None, ""),
        ("label", "happy", "happy"),
        ("log_loss", float("inf"), "inf"),
    ],
)
def test_numbers_have_the_digits_that_their_column_needs(
    column: str, value: object, expected: object
) -> None:
    assert shown(column, value) == expected
    assert type(shown(column, value)) is type(expected)
    assert shown_row({column: value}) == {column: expected}
