"""Sanitised HTML: a few plain tags are kept, everything else is shown as text."""

from html import escape
from html.parser import HTMLParser
from typing import Any

_INLINE = ["b", "br", "code", "em", "i", "small", "span", "strong", "sub", "sup"]
_BLOCKS = ["div", "h5", "h6", "hr", "li", "ol", "p", "pre", "ul"]
_TABLES = ["table", "tbody", "td", "th", "thead", "tr"]
_TAGS = frozenset([*_INLINE, *_BLOCKS, *_TABLES])
_VOID = frozenset({"br", "hr"})


def plain(html: str) -> str:
    """The HTML without scripts, links, images, styles and ids.

    Allowed tags keep only `class` and `hidden`. Other tags are escaped, so text that merely looks
    like a tag stays readable.
    """
    cleaner = _Cleaner()
    cleaner.feed(html)
    cleaner.close()
    return "".join(cleaner.parts)


class _Cleaner(HTMLParser):
    """Writes the sanitised HTML; blank lines are dropped, runs of whitespace become one space."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=False)
        self.parts: list[str] = []

    def set_cdata_mode(self, elem: str, **_: Any) -> None:
        """Parse the content of scripts and styles as text, like that of any other rejected tag."""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in _TAGS:
            self.parts.append(escape(self.get_starttag_text() or "", quote=False))
            return
        classes = next((value for name, value in attrs if name == "class" and value), None)
        hidden = " hidden" if any(name == "hidden" for name, _ in attrs) else ""
        named = f' class="{escape(classes)}"' if classes else ""
        self.parts.append(f"<{tag}{named}{hidden}>")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        if tag in _VOID:
            return
        self.parts.append(f"</{tag}>" if tag in _TAGS else f"&lt;/{tag}&gt;")

    def handle_data(self, data: str) -> None:
        joined = " ".join(data.split())
        before = " " if data[:1].isspace() else ""
        after = " " if data[-1:].isspace() and joined else ""
        self.parts.append(escape(f"{before}{joined}{after}", quote=False))

    def handle_entityref(self, name: str) -> None:
        self.parts.append(f"&{name};")

    def handle_charref(self, name: str) -> None:
        self.parts.append(f"&#{name};")

    def handle_comment(self, data: str) -> None:
        self.parts.append(escape(f"<!--{data}-->", quote=False))

    def handle_decl(self, decl: str) -> None:
        self.parts.append(escape(f"<!{decl}>", quote=False))

    def unknown_decl(self, data: str) -> None:
        self.parts.append(escape(f"<![{data}]>", quote=False))

    def handle_pi(self, data: str) -> None:
        self.parts.append(escape(f"<?{data}>", quote=False))
