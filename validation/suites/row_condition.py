"""Row conditions of custom expectations: comparisons of columns with constants, nothing else.

Great Expectations hands a condition in text form to pandas' query engine, which can call any
Python function. So the text is parsed here, and only these forms become a condition:

    split == "train"        mean >= 20        10 <= std < 90        label in [0, 3]
    is_copy                 not is_copy       a and b               a or b        (a) & (b)
"""

import ast
from typing import Any

MAX_LENGTH = 1000
MAX_COMPARISONS = 50
_EXPECTED = (
    "expected comparisons of a column with a number, a text or a list of them "
    "(==, !=, <, <=, >, >=, in, not in), joined by `and` or `or`"
)
_OPERATORS: dict[type[ast.cmpop], str] = {
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.In: "IN",
    ast.NotIn: "NOT_IN",
}
_SWAPPED = {"==": "==", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
_OPPOSITE = {"==": "!=", "<": ">=", "<=": ">", "IN": "NOT_IN"}
_OPPOSITE |= {opposite: operator for operator, opposite in _OPPOSITE.items()}


def parse_row_condition(text: Any, columns: tuple[str, ...]) -> Any:
    """The condition of Great Expectations that a text describes.

    Args:
        text: as written in the file.
        columns: the columns of the table; empty if they are not known.

    Raises:
        ValueError: the text is anything else than comparisons of these columns.
    """
    if not isinstance(text, str):
        raise ValueError(f"{_EXPECTED}, got {type(text).__name__}")
    if len(text) > MAX_LENGTH:
        raise ValueError(f"expected at most {MAX_LENGTH} characters, got {len(text)}")
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise ValueError(f"{_EXPECTED}, got {text!r}") from error
    if sum(isinstance(node, ast.Compare) for node in ast.walk(tree)) > MAX_COMPARISONS:
        raise ValueError(f"expected at most {MAX_COMPARISONS} comparisons")
    return _Parser(text.strip(), columns).condition(tree)


class _Parser:
    def __init__(self, text: str, columns: tuple[str, ...]) -> None:
        self._text, self._columns = text, columns

    def condition(self, node: ast.expr) -> Any:
        match node:
            case ast.BoolOp(op=ast.And(), values=parts):
                return self._joined("and", parts)
            case ast.BoolOp(op=ast.Or(), values=parts):
                return self._joined("or", parts)
            case ast.BinOp(op=ast.BitAnd(), left=left, right=right):
                return self._joined("and", [left, right])
            case ast.BinOp(op=ast.BitOr(), left=left, right=right):
                return self._joined("or", [left, right])
            case ast.UnaryOp(op=ast.Not() | ast.Invert(), operand=operand):
                return self._negated(operand)
            case ast.Name():
                return _comparison(self._column(node), "==", parameter=True)
            case ast.Compare():
                return self._compared(node)
        raise self._refused(node)

    def _joined(self, word: str, parts: list[ast.expr]) -> Any:
        from great_expectations.expectations.row_conditions import AndCondition, OrCondition

        kind = AndCondition if word == "and" else OrCondition
        return kind(conditions=[self.condition(part) for part in parts])

    def _negated(self, node: ast.expr) -> Any:
        if isinstance(node, ast.Name):
            return _comparison(self._column(node), "==", parameter=False)
        if isinstance(node, ast.Compare) and len(node.ops) == 1:
            column, operator, value = self._sides(node.left, node.ops[0], node.comparators[0])
            return _comparison(column, _OPPOSITE[operator], value)
        raise self._refused(node)

    def _compared(self, node: ast.Compare) -> Any:
        """One comparison, or a chain such as `10 <= std < 90`."""
        from great_expectations.expectations.row_conditions import AndCondition

        lefts = [node.left, *node.comparators[:-1]]
        found = [
            _comparison(*self._sides(left, operator, right))
            for left, operator, right in zip(lefts, node.ops, node.comparators, strict=True)
        ]
        return found[0] if len(found) == 1 else AndCondition(conditions=found)

    def _sides(self, left: ast.expr, operator: ast.cmpop, right: ast.expr) -> tuple[str, str, Any]:
        symbol = _OPERATORS.get(type(operator))
        if symbol is None:
            raise self._refused(left)
        if isinstance(left, ast.Name):
            return self._column(left), symbol, self._value(right, many=symbol.endswith("IN"))
        if isinstance(right, ast.Name) and symbol in _SWAPPED:
            return self._column(right), _SWAPPED[symbol], self._value(left, many=False)
        raise self._refused(left)

    def _column(self, node: ast.Name) -> str:
        if self._columns and node.id not in self._columns:
            raise ValueError(f"unknown column {node.id!r}; known: {', '.join(self._columns)}")
        return node.id

    def _value(self, node: ast.expr, *, many: bool) -> Any:
        if many:
            if isinstance(node, ast.List | ast.Tuple | ast.Set):
                return [self._value(element, many=False) for element in node.elts]
            raise self._refused(node)
        try:
            value = ast.literal_eval(node)
        except (ValueError, TypeError, SyntaxError, RecursionError) as error:
            raise self._refused(node) from error
        # pandas reads a backtick as the quote of a column name, even within a text.
        if isinstance(value, str) and "`" not in value:
            return value
        if isinstance(value, bool | int | float):
            return value
        raise self._refused(node)

    def _refused(self, node: ast.expr) -> ValueError:
        part = ast.get_source_segment(self._text, node) or self._text
        return ValueError(f"{_EXPECTED}, got {part!r}")


def _comparison(column: str, operator: str, parameter: Any) -> Any:
    from great_expectations.expectations.row_conditions import (
        Column,
        ComparisonCondition,
        Operator,
    )

    return ComparisonCondition(
        column=Column(column), operator=Operator(operator), parameter=parameter
    )
