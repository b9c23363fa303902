"""Metrics that ask whether a short answer is right."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from vlmbench.metrics.base import Answer, Range, metric
from vlmbench.records import MetricScore, Scalar
from vlmbench.text.choices import CHOICE_FORM, choice_index, read_choice
from vlmbench.text.containment import CONTAINMENT, contains_words
from vlmbench.text.edits import edit_distance
from vlmbench.text.equivalence import EQUIVALENCE, members, same_answer
from vlmbench.text.extract import EXTRACTION, candidates, says, stated_quantities
from vlmbench.text.japanese import answer_form, surface_form, tokenizer_identity
from vlmbench.text.numbers import Quantity, is_count, is_label, read_quantity
from vlmbench.text.option_mentions import LETTERS
from vlmbench.text.reasoning import answer_lines
from vlmbench.text.statements import corrected


def _equivalence(options: Mapping[str, Scalar]) -> list[str]:
    return [f"form:{EQUIVALENCE}", f"tok:{tokenizer_identity()}"]


def _extraction(options: Mapping[str, Scalar]) -> list[str]:
    return [f"form:{EXTRACTION}", *_equivalence(options)]


@metric(compares="answers", source="vlmbench; the forms are in text/japanese.py")
def exact(answer: Answer, *, unpack: bool = True) -> float:
    """Share of answers that equal one of their references, from 0 to 1, higher is better.

    Both are compared in one writing: Unicode NFKC (width, ①, half-width kana) with one kind of
    wave dash, hyphen and ellipsis, without case, white space and full stops at the end, and
    without packaging: quotation marks, brackets or asterisks around the whole answer, the # of a
    heading, emoji at its ends, and a closing です, でした or である. There is no search inside:
    「答えは東京です」 is not 東京, and フライパン is not パン. An empty answer is right only if a
    reference is empty too.

    Args:
        unpack: Whether packaging is taken off before.
    """
    form = answer_form if unpack else surface_form
    mine = form(answer.prediction)
    return float(any(mine == form(reference) for reference in answer.references))


@metric(
    compares="numbers",
    source="vlmbench; the forms are in text/equivalence.py",
    identity=_equivalence,
)
def same(answer: Answer) -> float:
    """Share of answers that are a reference in any writing, from 0 to 1, higher is better.

    As `match.exact` with packaging taken off; besides, equal are numbers of one value (１２, 十二,
    1万円 and 10,000円, 5割 and 50%, 10km and 10,000m; a unit may be left out), dates and times
    (令和6年 and 2024年, 午後3時 and 15:00), spellings of one word (サーバ, サーバー; とうきょう,
    東京; 國語, 国語), lists in any order, common names (米国, アメリカ; 赤, 赤色) and ways to say
    yes or no where the reference is a plain yes or no. The whole answer must be the reference:
    nothing is searched inside a sentence, for that see `match.states`. Only of an answer that
    corrects itself (3個です。失礼、4個です) the correction is read. Empty equals empty only.
    """
    text = _whole(answer)
    return float(any(same_answer(text, reference) for reference in answer.references))


@metric(
    compares="numbers",
    source="vlmbench; what counts as an answer is in text/extract.py",
    identity=_extraction,
)
def states(answer: Answer) -> float:
    """Share of answers that state a reference as their answer, from 0 to 1, higher is better.

    Right is what `match.same` accepts, and a text whose final answer is the reference: after a
    reasoning block, in \\boxed{}, behind 「答えは」, "Answer:" or 「したがって」, or in the only or
    last sentence (「写真の山は富士山です」「3匹の猫がいます」), also as what stands beside its
    predicate (「左手でペンを持っています」 states 左手 and ペン: either may be asked for). What is
    said behind it as an aside (なお、) or an exception (ただし、) is no answer, and of one that
    corrects itself (すみません、よく見ると…でした) only the correction. Not right is a reference
    inside a longer word, one that is denied (犬ではなく猫です), one of several alternatives
    (東京か大阪), or one mentioned on the way.
    """
    return float(any(says(answer.prediction, reference) for reference in answer.references))


@metric(
    compares="tokens",
    source="vlmbench; substring match as many harnesses have it, on whole words",
    identity=lambda options: [f"form:{CONTAINMENT}"],
)
def contains(answer: Answer, *, whole_words: bool = True) -> float:
    """Share of answers in which a reference occurs anywhere, from 0 to 1, higher is better.

    No judgment of correctness: a long answer that mentions everything is always right, and so
    is 「犬ではなく猫です」 for both. Texts are compared without width, case and white space; an
    empty reference occurs in an empty answer only. Use `match.states` to ask for the answer.

    Args:
        whole_words: Whether the reference must begin and end where words do, so that パン is not
            found in フライパン, 京都 not in 東京都 and 5 not in 2015年.
    """
    text = answer.prediction
    return float(any(contains_words(text, one, whole_words) for one in answer.references))


@metric(
    compares="numbers",
    source="Antol et al., VQA, 2015; leave-one-out as in the official evaluation",
    identity=_extraction,
)
def vqa(answer: Answer) -> float:
    """Mean agreement with annotators, from 0 to 1, higher is better.

    Each reference is one annotator's answer, repeated as often as it was given. Every annotator
    is left out once; the answer then gets a third for each of the others that agree, 1 at most,
    and the mean over the annotators is the score: of ten, 1 agreeing gives 0.3, 2 give 0.6, 3
    give 0.9, 4 or more give 1. With fewer than four annotators all the others must agree for
    the full score; a single reference is simply right or wrong. An answer agrees with an annotator
    if it states the annotator's answer as in `match.states`.
    """
    text = answer.prediction
    verdicts = {reference: says(text, reference) for reference in set(answer.references)}
    agreeing = sum(verdicts[reference] for reference in answer.references)
    return _leave_one_out(agreeing, len(answer.references))


@metric(
    compares="numbers",
    source="Masry et al., ChartQA, 2022; Japanese numbers and exact years are ours",
    identity=_equivalence,
)
def relaxed(
    answer: Answer,
    *,
    tolerance: Annotated[float, Range(0, 1)] = 0.05,
    labels_exact: bool = True,
    counts_exact: bool = False,
) -> MetricScore:
    """Share of answers that are right, numbers with a tolerance, from 0 to 1, higher is better.

    Where answer and reference are both one number (１２３, 1,234, 12%, 5割, 12.5億円, 約81歳です),
    they may differ by `tolerance` of the reference. A unit may be left out on one side; two units
    must be of one kind: 100ドル is not 100円, 10km is 10,000m, 50 is 50%, 0.5 is not. A reference
    of 0 needs 0. Everything else is compared as in `match.same`, corrections too. The best
    reference counts. An
    answer that is not one number is wrong where the reference is a number.

    Args:
        tolerance: Largest relative difference of a number that is still right.
        labels_exact: Whether years, dates and ranks must be equal: references with a unit such
            as 年 or 位, and bare whole numbers from 1900 to 2099.
        counts_exact: Whether whole numbers with a counter such as 個 or 匹 must be equal.
    """
    text = _whole(answer)
    quantity = read_quantity(text)
    right = any(
        same_answer(text, reference)
        or _close(quantity, reference, tolerance, labels_exact, counts_exact)
        for reference in answer.references
    )
    return MetricScore((float(right),), extracted=_written(quantity))


@metric(compares="numbers", source="vlmbench; tolerance as in JFinQA", identity=_extraction)
def numeric(
    answer: Answer,
    *,
    tolerance: Annotated[float, Range(0, 1)] = 0.01,
    labels_exact: bool = True,
    counts_exact: bool = True,
) -> MetricScore:
    """Share of answers whose number is right, from 0 to 1, higher is better.

    Unlike in `match.relaxed` the number is looked for in the answer's text: its final answer as
    in `match.states`, else the only number of its statement. A fall in a verb (10%減少しました)
    is its amount and the negative change, as in 減少率は10%; the noun 10%減 is -10% only, and ▲10%
    too. Of 「50億円から45億円へ、10%減少した」 the number is 10%, of 「45円でした（前年は40円）」
    45. A bound (65%を超えています) is no number. Units as there. Where the
    reference is no number, right is what `match.states` accepts. What number was found is
    extracted; an answer without one, or with several and no statement, is wrong.

    Args:
        tolerance: Largest relative difference that is still right.
        labels_exact: Whether years, dates and ranks must be equal, as in `match.relaxed`.
        counts_exact: Whether whole numbers with a counter such as 個 or 匹 must be equal.
    """
    stated = stated_quantities(answer.prediction)
    right = any(
        says(answer.prediction, reference)
        or any(_close(one, reference, tolerance, labels_exact, counts_exact) for one in stated)
        for reference in answer.references
    )
    return MetricScore((float(right),), extracted=_written(stated[0] if stated else None))


@metric(
    compares="answers",
    source="Biten et al., Scene Text Visual Question Answering, 2019; on Japanese forms",
)
def anls(answer: Answer, *, threshold: Annotated[float, Range(0, 1)] = 0.5) -> float:
    """Average normalized Levenshtein similarity, from 0 to 1, higher is better.

    1 minus the edit distance over the length of the longer text, in characters, packaging taken
    off as in `match.exact`; below `threshold` it is 0. The best reference counts. Two empty
    texts score 1.

    Args:
        threshold: Least similarity that counts.
    """
    mine = answer_form(answer.prediction)
    best = max(edit_similarity(mine, answer_form(reference)) for reference in answer.references)
    return best if best >= threshold else 0.0


@metric(
    source="vlmbench; the rules are in text/choices.py",
    identity=lambda options: [f"form:{CHOICE_FORM}", *_extraction(options)],
)
def choice(answer: Answer) -> MetricScore:
    """Share of multiple-choice answers that choose the right option, 0 to 1, higher is better.

    The option is read out of the answer as a person would (see `read_choice`): a letter, kana or
    number in any of the usual phrases, or the option's own text. The reference names an option
    by letter or text, or the sample is not scored. An answer from which no option or more than
    one can be read is wrong by this rule, never drawn at random; its `extracted` is empty, and
    `match.choice_read` counts such answers. What was read is extracted as a letter.
    """
    named = {reference: choice_index(reference, answer.choices) for reference in answer.references}
    for reference, position in named.items():
        if position is None:
            return MetricScore(unscored=f"the reference {reference!r} names none of the options")
    found = read_choice(answer.prediction, answer.choices)
    return MetricScore((float(found in named.values()),), extracted=_letter(found))


@metric(
    source="vlmbench; the rules are in text/choices.py",
    identity=lambda options: [f"form:{CHOICE_FORM}", *_extraction(options)],
)
def choice_read(answer: Answer) -> MetricScore:
    """Share of answers from which exactly one option can be read, from 0 to 1, higher is better.

    1 minus this is the rate of parse failures of `match.choice`, which counts them as wrong.
    """
    found = read_choice(answer.prediction, answer.choices)
    return MetricScore((float(found is not None),), extracted=_letter(found))


@metric(bounds=None, source="vlmbench")
def choice_chance(answer: Answer) -> MetricScore:
    """Chance level of multiple choice, above 0 to 1, neither lower nor higher is better.

    The mean of 1 over the number of options: what drawing options at random scores on average,
    whatever the answers are. A sample without options is not scored.
    """
    if not answer.choices:
        return MetricScore(unscored="there are no options")
    return MetricScore((1 / len(answer.choices),))


@metric(
    compares="numbers",
    source="Onami et al., JDocQA, 2024; the rules by answer type are ours",
    identity=_extraction,
)
def jdocqa(answer: Answer) -> MetricScore:
    """Mean score by the sample's `meta.answer_type`, from 0 to 1, higher is better.

    yesno, factoid and numerical answers (0, 1, 2 as llm-jp-eval-mm numbers them) are right or
    wrong as in `match.states`; open-ended ones (3) score `overlap.sentence_bleu` on words. A
    sample without one of these types is not scored.
    """
    kind = _JDOCQA_TYPES.get(str(answer.meta.get("answer_type")).lower())
    if kind is None:
        reason = f"meta.answer_type is {answer.meta.get('answer_type')!r}, none of JDocQA's types"
        return MetricScore(unscored=reason)
    if kind == "open":
        from vlmbench.metrics.overlap import sentence_bleu

        return sentence_bleu([answer])[0]
    return MetricScore((states(answer),))


@metric(compares="numbers", source="vlmbench; F1 of sets, order-free", identity=_extraction)
def listed(answer: Answer, *, score: Literal["f1", "exact"] = "f1") -> MetricScore:
    """Mean agreement of lists in any order, from 0 to 1, higher is better.

    Each reference is one whole list, written with 、 , ・ / ; line breaks or と between its
    members; of several references the best counts. The answer's list is its text, or its final
    answer as in `match.states` (答えは東京と大阪です), whichever fits best. Members agree as in
    `match.same`, each with one. Two empty lists score 1.

    Args:
        score: "f1" for the F1 of the members, "exact" to ask for all of them and no others.
    """
    best = max(
        _set_f1(members(text), members(reference))
        for reference in answer.references
        for text in ("", *candidates(answer.prediction))
    )
    return MetricScore((best if score == "f1" else float(best == 1.0),))


_JDOCQA_TYPES = {
    **dict.fromkeys(("yesno", "yes/no", "factoid", "numerical", "0", "1", "2"), "short"),
    **dict.fromkeys(("open-ended", "open", "3"), "open"),
}


def _whole(answer: Answer) -> str:
    """The answer, or what it corrects itself to: 120人…いや、150人です."""
    lines = answer_lines(answer.prediction)
    stated = corrected(lines)
    return answer.prediction if stated == lines else stated


def _letter(position: int | None) -> str | None:
    if position is None:
        return None
    return LETTERS[position] if position < len(LETTERS) else str(position + 1)


def edit_similarity(first: str, second: str) -> float:
    """One minus the edit distance over the greater length; 1 for two empty texts."""
    longer = max(len(first), len(second))
    return 1.0 - edit_distance(first, second) / longer if longer else 1.0


def _set_f1(mine: tuple[str, ...], wanted: tuple[str, ...]) -> float:
    if not mine and not wanted:
        return 1.0
    mine, left = mine[:_MOST_MEMBERS], list(wanted[:_MOST_MEMBERS])
    common = 0
    for member in mine:
        match = next((other for other in left if same_answer(member, other)), None)
        if match is not None:
            left.remove(match)
            common += 1
    return 2 * common / (len(mine) + len(wanted))


_MOST_MEMBERS = 100
"""Members of a list that are compared; keeps hostile input from costing more."""


def _leave_one_out(agreeing: int, annotators: int) -> float:
    """Mean over the annotators left out of min(1, agreeing others / needed)."""
    if annotators == 1:
        return float(agreeing)
    needed = min(3, annotators - 1)
    with_one_less = agreeing * min(1.0, (agreeing - 1) / needed) if agreeing else 0.0
    with_all = (annotators - agreeing) * min(1.0, agreeing / needed)
    return (with_one_less + with_all) / annotators


def _close(
    quantity: Quantity | None,
    reference: str,
    tolerance: float,
    labels_exact: bool,
    counts_exact: bool,
) -> bool:
    expected = read_quantity(reference)
    if quantity is None or expected is None:
        return False
    strict = (labels_exact and is_label(expected)) or (counts_exact and is_count(expected))
    return quantity.close_to(expected, 0.0 if strict else tolerance)


def _written(quantity: Quantity | None) -> str | None:
    return f"{quantity.value:.15g}{quantity.unit}" if quantity else None
