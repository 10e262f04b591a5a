"""Documents of LangChain as items of a memory: the text and its metadata under the id."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from langchain_core.documents import Document

from ..memory.items import Item


def from_document(text: str, metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Return the value of the item that a document is kept as."""
    return {"page_content": text, "metadata": metadata}


def is_document(value: Mapping[str, Any]) -> bool:
    """Say whether an item is a document: another store may have put something else there."""
    return isinstance(value.get("page_content"), str) and isinstance(value.get("metadata"), dict)


def to_document(item: Item) -> Document:
    """Return the document that an item is."""
    return Document(id=item.key, page_content=item.value["page_content"], metadata=item.value["metadata"])
