"""Chat templates of checkpoints: quick ones are told by their shape, others are stopped."""

from __future__ import annotations

from typing import Any

import pytest

from vlmbench.errors import ModelError
from vlmbench.runners.hf.chat_template import render, within_bounds
from vlmbench.runners.hf.template_growth import MAX_CHARACTERS, is_bounded

TEXT = "messages[0].content"

QUICK = {
    "plain": "{% for m in messages %}<|{{ m.role }}|>{{ m['content'] | trim }}{% endfor %}",
    "parts": "{% for m in messages %}{% for c in m.content %}{% if c.type == 'image' %}<image>"
    "{% elif 'text' in c %}{{ c.text }}{% endif %}{% endfor %}{% endfor %}",
    "counted images": "{% set n = namespace(value=0) %}{% for m in messages %}"
    "{% for c in m['content'] %}{% set n.value = n.value + 1 %}Picture {{ n.value }}: "
    "{% endfor %}{% endfor %}",
    "a turn as a text": "{% for m in messages %}{% set turn = '<|' + m['role'] + '|>' + "
    "m['content'] | trim %}{% if loop.index0 == 0 %}{% set turn = bos_token + turn %}{% endif %}"
    "{{ turn }}{% endfor %}",
    "turns that alternate": "{% set loop_messages = messages[1:] %}{% for m in loop_messages %}"
    "{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('No.') }}{% endif %}"
    "{% endfor %}",
    "tools": "{% if not tools is defined %}{% set tools = none %}{% endif %}"
    "{% for m in messages %}{% for tool in tools %}{% for k, v in tool.items() %}"
    "{{ v | tojson(indent=4) }}{% endfor %}{% endfor %}{% endfor %}",
    "tool calls": "{% for m in messages %}{% for call in m.tool_calls %}"
    "{% for k, v in call.arguments | items %}{{ k }}{% endfor %}{% endfor %}{% endfor %}",
    "gathered messages": "{% set kept = [] %}{% for m in messages %}"
    "{% set kept = kept + [m] %}{% endfor %}{{ kept | length }}",
    "backwards": "{% for m in messages[::-1] %}{% set i = (messages | length - 1) - loop.index0 %}"
    "{{ i }}{% endfor %}",
    "today": "{{ strftime_now('%d %b %Y') }}",
}

SLOW = {
    "a long loop": "{% for i in range(999999999) %}{% endfor %}",
    "a loop in a loop": "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}"
    "{% endfor %}",
    "a loop in a loop in a loop": f"{{% for a in {TEXT} %}}{{% for b in {TEXT} %}}{{% for c in "
    f"{TEXT} %}}{{% endfor %}}{{% endfor %}}{{% endfor %}}",
    "product": "{{ 'x' * 10 ** 10 }}",
    "power": "{{ 9 ** 9 ** 9 }}",
    "padding": "{{ 'x' | center(1000000000) }}",
    "padding by name": "{{ ['x'] | map('center', 1000000000) | list }}",
    "padding by method": "{{ 'x'.ljust(1000000000) }}",
    "padding by format": "{{ '%1000000000d' % 3 }}",
    "padding by filter": "{{ '%1000000000d' | format(3) }}",
    "indent of JSON": "{{ messages | tojson(indent=1000000000) }}",
    "a macro that calls itself": "{% macro m() %}{{ m() }}{{ m() }}{% endmacro %}{{ m() }}",
    "a loop that calls itself": "{% for m in messages recursive %}{{ loop(messages) }}{% endfor %}",
    "doubling": "{% set n = namespace(s='x') %}{% for c in " + TEXT + " %}"
    "{% set n.s = n.s ~ n.s %}{% endfor %}",
    "doubling of two in turn": "{% set n = namespace(s='x', t='x') %}{% for c in " + TEXT + " %}"
    "{% set n.s = n.s ~ n.t %}{% set n.t = n.t ~ n.s %}{% endfor %}",
    "doubling without a loop": "{% set x = 'x' %}" + "{% set x = x ~ x %}" * 40,
    "doubling by escapes": "{% set n = namespace(s='\\\\') %}{% for c in " + TEXT + " %}"
    "{% set n.s = n.s | tojson %}{% endfor %}",
    "doubling by a list": "{% set n = namespace(s='x') %}{% for c in " + TEXT + " %}"
    "{% set n.s = [n.s] | join('') ~ [n.s] | join('') %}{% endfor %}",
    "doubling through another name": "{% set n = namespace(s='x') %}{% for c in " + TEXT + " %}"
    "{% set t = n.s %}{% set n.s = t ~ n.s %}{% endfor %}",
    "doubling through a default": "{% set x = 'x' %}"
    + "{% set y = none | default(x) %}{% set x = y ~ y %}" * 40,
    "messages that are none": "{% set messages = 'x' | list %}{% for a in messages %}"
    "{% for b in messages %}{% for c in messages %}{% endfor %}{% endfor %}{% endfor %}",
    "tools that are given": "{% set tools = messages[0].content %}{% for a in tools %}"
    "{% for b in tools %}{% endfor %}{% endfor %}",
    "a long text": "x" * (MAX_CHARACTERS + 1),
    "no template": "{% for",
}


@pytest.mark.parametrize("name", QUICK)
def test_templates_as_real_ones_are_have_a_quick_shape(name: str) -> None:
    assert is_bounded(QUICK[name])


@pytest.mark.parametrize("name", SLOW)
def test_templates_that_may_grow_have_not(name: str) -> None:
    assert not is_bounded(SLOW[name])


class Tokenizer:
    """As much of a tokenizer as renders."""

    special_tokens_map = {"bos_token": "<s>"}  # noqa: RUF012

    def apply_chat_template(self, turns: Any, *, chat_template: str, **_: Any) -> str:
        from transformers.utils.chat_template_utils import render_jinja_template

        tokens: dict[str, Any] = dict(self.special_tokens_map)
        rendered: Any = render_jinja_template(
            conversations=[turns],
            chat_template=chat_template,
            add_generation_prompt=True,
            **tokens,
        )
        return str(rendered[0][0])


CONVERSATION: list[dict[str, Any]] = [
    {"role": "system", "content": "短く。"},
    {
        "role": "user",
        "content": [{"type": "image", "image": object()}, {"type": "text", "text": "何？{{ 1 }}"}],
    },
]

MACRO = (
    "{% macro said(content) %}{% if content is string %}{{ content }}{% else %}"
    "{% for c in content %}{{ '<image>' if 'image' in c else c.text }}{% endfor %}{% endif %}"
    "{% endmacro %}"
    "{{ bos_token }}{% for m in messages %}{{ said(m.content) }}\n{% endfor %}"
    "{% if add_generation_prompt %}>{% endif %}"
)


def test_a_template_with_macros_writes_the_same_in_its_process() -> None:
    assert not is_bounded(MACRO)
    written = render(Tokenizer(), CONVERSATION, MACRO)
    assert written == "<s>短く。\n<image>何？{{ 1 }}\n>"
    assert written == Tokenizer().apply_chat_template(CONVERSATION, chat_template=MACRO)


def test_images_stay_with_the_conversation() -> None:
    turns, template = within_bounds(Tokenizer(), [CONVERSATION], MACRO)
    assert turns[0][1]["content"][0]["image"] is CONVERSATION[1]["content"][0]["image"]
    assert Tokenizer().apply_chat_template(turns[0], chat_template=template).endswith("\n>")


def test_a_template_that_does_not_end_is_stopped_and_so_is_one_that_grows() -> None:
    for name in ("a loop in a loop", "product"):
        with pytest.raises(ModelError, match=r"^The chat template of the model cannot be used, as"):
            render(Tokenizer(), CONVERSATION, SLOW[name])


def test_what_a_template_raises_itself_comes_through() -> None:
    refusal = "{% macro m() %}{% endmacro %}{{ raise_exception('odd') }}"
    with pytest.raises(Exception, match="odd"):
        render(Tokenizer(), CONVERSATION, refusal)
