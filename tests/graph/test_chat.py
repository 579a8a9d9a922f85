"""A chat as it is typed is read, or refused with what is wrong with it."""

from __future__ import annotations

import json

import pytest

from visit.errors import RequestError
from visit.graph.chat import Message, messages_from_prompt
from visit.graph.request import Request


def test_a_list_of_messages_is_read_in_order():
    prompt = '[{"role": "system", "content": "Be brief."},\n {"role": "user", "content": ""}]'
    assert messages_from_prompt(prompt) == (Message("system", "Be brief."), Message("user", ""))


@pytest.mark.parametrize(
    "text",
    ["hello", "[1] says so", '"[{', "[INST] hi", " [x](y)", "{x} = {1, 2}", '"hi"', "42", "null"],
)
def test_any_other_text_is_what_one_user_says(text: str):
    assert messages_from_prompt(text) == (Message("user", text),)


USER = {"role": "user", "content": "hi"}


def test_messages_may_be_named_and_a_content_given_in_parts_of_text():
    parts = [{"type": "text", "text": "h"}, {"type": "text", "text": "i"}]
    for chat in ({"messages": [USER]}, [{"role": "user", "content": parts}]):
        assert messages_from_prompt(json.dumps(chat)) == (Message("user", "hi"),)
    assert messages_from_prompt('[{"role": "user", "content": []}]') == (Message("user", ""),)


@pytest.mark.parametrize(
    ("prompt", "message"),
    [
        ('[{"role": "user"', "the chat is no JSON list of messages .*; give .*or plain text"),
        ("[{" * 100_000, "the chat is no JSON list of messages"),
        ('{"messages": [', "the chat is no JSON list of messages .*; give .*or plain text"),
        ([], "the chat is an empty list; give"),
        ([1, 2], "message 0 of the chat is not in braces; give"),
        ([[USER]], "message 0 of the chat is not in braces; give"),
        (USER, "the chat is JSON in braces without 'messages'; give .* the content of a message$"),
        ({}, "the chat is JSON in braces without 'messages'; give"),
        ({"messages": []}, "the chat is an empty list; give"),
        ({"messages": USER}, "the chat's 'messages' is no list; give"),
        ({"messages": [USER], "tools": []}, "the chat has 'tools' beside 'messages'; give 'mess"),
        ([USER, "hi"], "message 1 of the chat is not in braces; give"),
        ([{"content": "hi"}], "message 0 of the chat has no 'role'; give"),
        ([USER, {"role": "user"}], "message 1 of the chat has no 'content'; give"),
        ([{**USER, "content": 3}], "the 'content' of message 0 is no text; give it in quotes"),
        ([{**USER, "content": None}], "the 'content' of message 0 is no text; give it in quotes"),
        ([{**USER, "content": ["hi"]}], "part 0 of the 'content' of message 0 names no type; give"),
        (
            [USER, {**USER, "content": [{"type": "image_url", "image_url": {"url": "x"}}]}],
            "part 0 of the 'content' of message 1 is of type 'image_url'; give parts of type 'tex",
        ),
        ([{**USER, "content": [{"type": "text"}]}], "part 0 .* of message 0 has no text; give 'te"),
        (
            [{**USER, "content": [{"type": "text", "text": "x", "cache_control": {}}]}],
            "part 0 of the 'content' of message 0 has 'cache_control'; give 'type' and 'text' al",
        ),
        ([{**USER, "role": 3}], "the 'role' of message 0 is no text"),
        ([{**USER, "role": ""}], "the 'role' of message 0 is empty; give user, say"),
        ([{**USER, "name": "x"}], "message 0 of the chat has 'name'; give 'role' and 'content' al"),
        ([{**USER, "content": "\ud800"}], "the 'content' of message 0 has half a surrogate pair"),
        ([USER, {"role": "assistant", "content": ""}], "the last message is the assistant's and e"),
    ],
)
def test_a_chat_that_cannot_be_read_says_where_and_what_to_give(prompt: object, message: str):
    text = prompt if isinstance(prompt, str) else json.dumps(prompt)
    with pytest.raises(RequestError, match=message) as caught:
        messages_from_prompt(text)
    assert "\n" not in str(caught.value)


def test_a_request_for_a_chat_is_checked_as_it_is_made():
    with pytest.raises(RequestError, match="no JSON list"):
        Request("[{", chat=True)
    assert Request("[{").prompt == "[{"
