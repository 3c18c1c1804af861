"""The calculator."""

from pydantic import Field

from agents_app.builtins.arithmetic import SumError, calculate
from agents_app.tools.definitions import Arguments, ToolError, tool


class Calculator(Arguments):
    expression: str = Field(
        min_length=1,
        max_length=500,
        description="For example (17 * 23 + 4) / 2 or sqrt(2) ** 3. Also: // % abs round floor "
        "ceil min max exp log log10 sin cos tan pi e.",
    )


@tool(name="calculator", title="Calculator")
def calculator(arguments: Calculator) -> dict[str, str]:
    """Work out an arithmetic expression exactly. Use it for every calculation."""
    try:
        result = calculate(arguments.expression)
    except SumError as error:
        raise ToolError(str(error), code="not_calculable") from error
    # As text: whole numbers may be longer than JSON readers take.
    return {"expression": arguments.expression, "result": result}
