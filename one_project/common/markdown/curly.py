"""Lexers for Java and C#. Pygments' own look for a method's head across any number of lines.

20 KB of short lines keep those busy for 50 s. Here every pattern begins with a literal or a
character class and reads forward only, so the time is proportional to the code.
"""

from typing import ClassVar

from pygments.lexer import RegexLexer
from pygments.token import Comment, Keyword, Name, Number, Operator, Punctuation, String, Text

_SHARED = (
    "abstract|break|case|catch|class|const|continue|default|do|else|enum|false|finally|for|if"
    "|interface|new|null|private|protected|public|return|sealed|static|switch|this|throw|true|try"
    "|var|void|volatile|while"
)
_TYPES = "bool|boolean|byte|char|double|float|int|long|object|short|string|uint|ulong"
_JAVA = (
    "assert|extends|final|goto|implements|import|instanceof|native|package|permits"
    "|record|strictfp|super|synchronized|throws|transient|yield"
)
_CSHARP = (
    "add|as|async|await|base|checked|decimal|delegate|dynamic|event|explicit|extern|fixed|foreach"
    "|get|global|implicit|in|init|internal|is|lock|nameof|namespace|not|operator|or|out|override"
    "|params|partial|readonly|record|ref|remove|required|sbyte|select|set|sizeof|stackalloc|struct"
    "|typeof|unchecked|unsafe|using|value|virtual|when|where|with|yield"
)


def _rules(keywords: str) -> list[tuple[object, object]]:
    return [
        (r"\s+", Text),
        (r"//[^\n]*", Comment.Single),
        (r"/\*[^*]*(?:\*(?!/)[^*]*)*(?:\*/)?", Comment.Multiline),
        (r'"""[^"]*(?:"(?!"")[^"]*)*(?:""")?', String),
        (r'(?:\$@?|@\$?)?"(?:[^"\\\n]|\\.)*"?', String),
        (r"'(?:[^'\\\n]|\\.)*'?", String.Char),
        (r"@[A-Za-z_]\w*", Name.Decorator),
        (r"0[xXbB][0-9a-fA-F_]+[lLuU]?", Number.Hex),
        (r"\d[\d_]*(?:\.\d[\d_]*)?(?:[eE][+-]?\d+)?[a-zA-Z]?", Number),
        (rf"(?:{_TYPES})\b", Keyword.Type),
        (rf"(?:{_SHARED}|{keywords})\b", Keyword),
        (r"[A-Za-z_$][\w$]*(?=\()", Name.Function),
        (r"[A-Z][\w$]*", Name.Class),
        (r"[^\W\d]\w*", Name),
        (r"[-+*/%&|^!~<>=?:]+", Operator),
        (r"[\[\](){};,.#]", Punctuation),
        (r".", Text),
    ]


class JavaLexer(RegexLexer):  # type: ignore[misc]  # Pygments has no types
    """Java up to records and text blocks."""

    name = "Java"
    tokens: ClassVar[dict[str, list[tuple[object, object]]]] = {"root": _rules(_JAVA)}


class CSharpLexer(RegexLexer):  # type: ignore[misc]  # Pygments has no types
    """C# up to raw strings."""

    name = "C#"
    tokens: ClassVar[dict[str, list[tuple[object, object]]]] = {"root": _rules(_CSHARP)}
