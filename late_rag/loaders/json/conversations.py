"""Conversations in JSON: lists of turns, and trees of messages as ChatGPT exports them."""

from __future__ import annotations

from typing import Any

from late_rag.loading import RecordFields

_CONVERSATIONS = ("messages", "conversation", "conversations", "dialog", "dialogue", "turns")
_TREE = "mapping"
_SPEAKERS = ("role", "from", "speaker", "author")
_SAYINGS = ("content", "value", "text")


def with_conversation(item: dict[str, Any], fields: RecordFields) -> dict[str, Any]:
    """The record, where it has a conversation and no text with what is said in it as its text."""
    if fields.text is not None or fields.text_fields(item):
        return item
    for name in (*_CONVERSATIONS, _TREE):
        said = _said(_branch(item) if name == _TREE else item.get(name))
        if said:
            rest = {other: value for other, value in item.items() if other != name}
            return {**rest, "text": "\n\n".join(said)}
    return item


def _branch(item: dict[str, Any]) -> list[Any]:
    """The turns of a tree of messages by their ids, from its root to the current one; all where none is current."""
    tree, at = item.get(_TREE), item.get("current_node")
    if not isinstance(tree, dict):
        return []
    nodes = {name: node for name, node in tree.items() if isinstance(node, dict)}
    branch = dict[str, Any]()
    while isinstance(at, str) and at in nodes and at not in branch:
        branch[at] = nodes[at]
        at = nodes[at].get("parent")
    found = reversed(branch.values()) if branch else nodes.values()
    return [_turn(node["message"]) for node in found if isinstance(node.get("message"), dict)]


def _turn(message: dict[str, Any]) -> dict[str, Any]:
    author, content = message.get("author"), message.get("content")
    parts = content.get("parts") if isinstance(content, dict) else None
    said = [part for part in parts if isinstance(part, str)] if isinstance(parts, list) else []
    return {"role": author.get("role") if isinstance(author, dict) else None, "content": "\n".join(said)}


def _said(turns: Any) -> list[str]:
    """What is said in each turn and by whom; nothing where these are no turns."""
    said = list[str]()
    for turn in turns if isinstance(turns, list) else []:
        speaker = next((turn[name] for name in _SPEAKERS if name in turn), None) if isinstance(turn, dict) else None
        if not isinstance(speaker, str):
            return []
        text = _saying(next((turn[name] for name in _SAYINGS if turn.get(name)), None))
        said += [f"{speaker}: {text}"] if text else []
    return said


def _saying(content: Any) -> str:
    """A text, or the texts of a list of parts."""
    if isinstance(content, list):
        return "\n".join(filter(None, (_saying(part.get("text")) for part in content if isinstance(part, dict))))
    return content if isinstance(content, str) else ""
