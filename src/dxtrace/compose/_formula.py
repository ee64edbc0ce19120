"""Arithmetic over a case's quantities: + - * / and parentheses, nothing else."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from functools import cache

from dxtrace.errors import KnowledgeError

_OPERATORS: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}


def evaluate(formula: str, values: Mapping[str, float]) -> float:
    """Return the value of ``formula`` over ``values``.

    Raises:
        KnowledgeError: anything but numbers, known names, + - * / and parentheses, or a division by
        zero.
    """
    try:
        return _value(_tree(formula), values)
    except (KeyError, ZeroDivisionError, SyntaxError, TypeError) as error:
        raise KnowledgeError(f"formula {formula!r}: {type(error).__name__} {error}") from None


def names(formula: str) -> frozenset[str]:
    """Return the names that a formula uses."""
    used: set[str] = set()
    for node in ast.walk(_tree(formula)):
        if isinstance(node, ast.Name):
            used.add(node.id)
    return frozenset(used)


@cache
def _tree(formula: str) -> ast.expr:
    return ast.parse(formula, mode="eval").body


def _value(node: ast.expr, values: Mapping[str, float]) -> float:
    match node:
        case ast.Constant(value=int() | float() as number):
            return float(number)
        case ast.Name(id=name):
            return values[name]
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_value(operand, values)
        case ast.BinOp(left=left, op=sign, right=right) if type(sign) in _OPERATORS:
            apply = _OPERATORS[type(sign)]
            return apply(_value(left, values), _value(right, values))
    raise TypeError("only numbers, names, + - * / and parentheses")
