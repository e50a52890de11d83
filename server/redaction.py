"""Error messages that never repeat a value somebody typed.

graphql-core quotes the offending value in its messages. A connect code typed as a number where a string belongs
would come back in the answer, and land in every log on its way. So the text of an error about a value is kept only
where it has a known form whose variable parts are names of the schema; everything else becomes one general
sentence. The position (line and column) says which value is meant.
"""

from __future__ import annotations

import re

from graphql import GraphQLError, GraphQLSyntaxError, ValuesOfCorrectTypeRule, specified_rules
from graphql.validation import ASTValidationRule
from strawberry.schema.validation_rules.maybe_null import MaybeNullValidationRule
from strawberry.schema.validation_rules.one_of import OneOfInputValidationRule

import limits

GENERAL = "the value does not fit the type expected here"

_WHERE = re.compile(
    r"(?:Variable '\$\w+'|Argument '\w+')(?: has invalid(?: default)? value(?: at [\w.\[\]]+)?:| (?=of required)) ?"
)
_EXPECTED = r"(Expected value of type '[\w!\[\]]+')"
_KNOWN = tuple(
    (re.compile(pattern, re.DOTALL), kept)
    for pattern, kept in (
        (r"((?:Int|Float|String|Boolean|ID) cannot represent [a-z0-9 -]*value): .*", r"\1"),
        (
            r"Value '.*' does not exist in ('\w+' enum)\.( Did you mean [^?\"]*\?)?",
            r"the value does not exist in \1.\2",
        ),
        (r"(Enum '\w+' cannot represent non-(?:enum|string) value): .*", r"\1"),
        (r"(Expected value of non-null type '[\w!\[\]]+' not to be) None\.", r"\1 null"),
        (_EXPECTED + r" to be an object, found: .*", r"\1 to be an object"),
        (_EXPECTED + r" to include required field '(\w+)', found: .*", r"\1 to include required field '\2'"),
        (
            _EXPECTED + r" not to include unknown field '(\w+)'(?:,|(\. Did you mean [^?]*\?)) [Ff]ound: .*",
            r"\1 not to include unknown field '\2'\3",
        ),
        (_EXPECTED + r", (?:but encountered error .*; )?found: .*", r"\1"),
        (r"(of required type '[\w!\[\]]+' was not provided)\.", r"\1"),
        (r"(Expected variable '\$\w+' provided to [\w '!\[\]]+) None\.", r"\1 null"),
        (r"(Expected variable '\$\w+' provided to [\w '!\[\]]+ to provide a runtime value)\.", r"\1"),
    )
)
_TOKEN = re.compile(r"\b(Name|String|BlockString|Int|Float|Comment) (?:\"|').*?(?:\"|')(?=,|\.$|$)", re.DOTALL)


class ValuesOfCorrectType(ValuesOfCorrectTypeRule):
    def report_error(self, error: GraphQLError) -> None:
        error.message = about_a_value(error.message)
        super().report_error(error)


RULES: tuple[type[ASTValidationRule], ...] = (
    *(ValuesOfCorrectType if rule is ValuesOfCorrectTypeRule else rule for rule in specified_rules),
    MaybeNullValidationRule,
    OneOfInputValidationRule,
)


def about_a_value(message: str) -> str:
    """The message without the value. Applying it twice gives the same."""
    where = _WHERE.match(message)
    rest = message[where.end() :] if where else message
    return (where.group() if where else "") + _known_form(rest)


def is_about_an_argument(message: str) -> bool:
    """Whether a message of an execution is about what the caller sent, not about what a resolver gave back."""
    return _WHERE.match(message) is not None


def _known_form(message: str) -> str:
    for pattern, kept in _KNOWN:
        if found := pattern.fullmatch(message):
            return found.expand(kept)
    return GENERAL


def about_syntax(error: GraphQLSyntaxError) -> str:
    """What kind of token was met where another was expected, without its text."""
    description = error.message.removeprefix("Syntax Error: ")
    if description.startswith(("Expected ", "Unexpected ")):
        return "syntax error: " + _TOKEN.sub(r"\1", description).rstrip(".")
    # `Invalid number, did you mean '0.4938'?` and `Invalid escape sequence: …` repeat a part of the value.
    return "syntax error: " + re.split("[:,]", description)[0].rstrip(".")


def bounded(message: str) -> str:
    most = limits.of("message_characters")
    return message if len(message) <= most else message[: most - 1] + "…"
