"""What an answer states: its sentences without what it only asks, supposes, withdraws or explains.

    「もしAなら赤いはずです。」        a supposition, nothing is stated
    「Aです。いや、やはりBです。」     the second sentence withdraws the first
    「Bに見えますが、金閣寺です。」    what stands before が is conceded, what follows is stated
    「この答えは表の3行目から…」      about the answer, not the answer
    "It's B because A is too small."  the reason is no statement

Metrics read an answer through this one design: what is left last, and is a statement of the answer,
decides.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass

_NO_FULL_STOP = (
    r"(?<!\b[Mm]r)(?<!\b[Mm]t)(?<!\b[DdJj]r)(?<!\b[Ss]t)(?<!\bvs)(?<!\bNo)"
    r"(?<![*「『(\[【ぁ-んァ-ヺ一-鿿][A-Ja-j])"
)
"""Before a point: abbreviations, and a label behind a mark or Japanese (正解はB. 東京)."""
SENTENCE_END = re.compile(
    rf"[。!?\n]+|{_NO_FULL_STOP}\.(?=\s|$)|\.$|;(?=\s)|(?:[…‥]+|・{{3,}}|\.{{3,}})(?=\S)"
    r"|、(?=いや(?![なだで])|いえ[、,]|じゃな[くい]て"
    r"|(?:失礼|すみません|ごめん(?:なさい)?|訂正|もとい)[、,])"
    r"|[→⇒] ?(?=修正|訂正)"
)
"""The full stop of a number or an abbreviation ends no sentence; a pause (Bかな…いや) does."""

_SUPPOSES = re.compile(
    "^(?:もし(?!か)も?|仮に|かりに|たとえ|例えば|たとえば)|^(?:if|suppose|assuming|for example)\\b"
    "|(?<!選ぶ)(?<!言う)(?<!挙げる)(?:と(?:すると|すれば|したら|仮定)|とした場合)"
    "|(?<!選ぶ)(?<!選べ)(?<!言う)(?<!挙げる)なら(?:ば?[、,]|(?=[A-Jア-コ](?:[、,。にでだ]|$)))"
    "|(?<!択)であれば[、,]|だったら",
    re.IGNORECASE,
)
_ABOUT = re.compile(
    "^[※*(【]{0,3}(?:ちなみに|余談(?:ですが|だが|になりますが|ながら)?|蛇足|(?:なお|参考(?:まで|として)?|補足|備考|注意?|出典|参照|確信度)(?:[、,:)】]|に、|は|すると))"
    "|^(?:なお、)?(?:この|上記の|以上の|その)(?:答え|回答|解答|結論|判断|選択|推[測定])(?:は|が|に|の)"
    # この値は表の2行目から求めました、この数は15から3を引いた値です
    "|^(?:この|その|上記の|以上の)(?:[一-鿿]{0,2}[数値額率量差計]|数字|比率|結果|計算|情報|名前|年|長さ|高さ|重さ)"
    "(?:は|が|に(?:は|つ))、?(?![^。]{0,12}[0-9][^。、]{0,3}(?:です|でした|なります)$)"
    "[^。]{0,60}?(?:から|に基づ|もとに|基に|元に|によ[るり]|による|引い|足し|掛け|割っ|求め|計算|算出|記載"
    "|合計|合わせ|読み取|導い?|確認|示さ|書かれ|載って|含[まみ]|次[ぐい]|相当|比べ)"
    "|^(?:この|その|上記の)[^はが、。]{1,8}[はが][^。]{0,60}?(?:に(?:あり|印字|記載|書|載|示)|を参照"
    "|から(?:確認|読み取|分か|わか|判断))"
    "|^これは、?[^。]{0,60}?(?:から|[をにで])[^。]{0,60}?(?:引|足|加え|掛け|割|求め|計算|算出|合わせ|除い)[^。]{0,60}?"
    "(?:値|もの|結果|[数額量])(?:です|になります)$"
    "|(?:こと|場合)[もが](?:あります|ある)$"
    # how sure the answer is, and what closes it
    "|^(?:(?:すみません|申し訳(?:あり|ござい)ません|ごめんなさい)が?、)?(?:[^、。はA-Z]{1,20}(?:ため|ので)、?)?"
    "(?:確か|確実|自信|確信|断定|断言)[でにがはすま][^、。]{0,14}(?:ません|ない)(?:です)?$"
    "|^以上(?:です|でした|となります|になります)?$"
    "|^(?:お役に立て|ご?参考になれ|お力になれ)[^。]{0,16}(?:幸い|嬉し|うれし)"
    "|(?:とする|という)(?:考え(?:方)?|意見|見方|説|解釈|人)もあ"
    "|^(?:そう|このように|そのように)(?:判断|考え|推[測定]|思[っう]|答え|結論)"
    "|^(?:なぜなら|というのも|理由(?:は|として|:|$)|根拠(?:は|として|:|$)|解説(?:は|:|$))"
    "|^(?:this|the|my) (?:answer|conclusion|choice) (?:is|was) "
    "(?:based|derived|because|taken|obtained)"
    "|^(?:this|the|my) (?:answer|conclusion|choice|figure|value|number|count|total|sum) "
    "(?:comes|came|can be (?:found|seen|read)|was (?:found|read|computed|calculated))\\b"
    "|\\b(?:supports?|justif(?:y|ies)|led me to) (?:this|the|my) (?:answer|conclusion|choice)\\b"
    "|^this is (?:because|based)|^(?:because|reason|explanation|note|source|reference)\\b",
    re.IGNORECASE,
)
_NOTES = re.compile(
    "^[#*【\\[(■・ ]{0,6}(?:理由|根拠|解説|説明|補足|備考|注意?|参考|考察"
    "|explanation|reason(?:ing)?|why|notes?)"
    "[】\\])*: 。]{0,6}$",
    re.IGNORECASE,
)
"""A heading: what stands below is about the answer."""
_ANSWERS = re.compile(
    "^[#*【\\[(■・→⇒ ]{0,6}(?:最終)?(?:答え?|解答|回答|正解|結論|したがって|従って"
    "|よって|ゆえに|以上|つまり"
    "|answer|final|conclusion|therefore|thus|hence|so\\b)",
    re.IGNORECASE,
)
"""What leads back from notes to the answer."""
_WITHDRAWS = re.compile(
    "^[→⇒※*( ]{0,4}(?:[あえおん]っ?[、,]? ?)?"
    "(?:いや(?!な)|いえ(?=[、,])|訂正|修正|すみません|失礼|ごめん|おっと"
    "|間違え|間違い(?:ました|でした)|申し訳(?:ござい|あり)ません(?:でした)?(?:[、,]|$)|大変失礼|見間違え|撤回|待って|待てよ"
    "|ではなく|じゃなく|と(?:思|言いた|考え)|違う(?=[、,な]|$)|違った|やっぱり|やはり|よく見ると|よく考えると|もう一度|改めて|考え直"
    "|wait\\b|actually\\b|correction\\b|no,|hmm|on second thought|sorry"
    "|let me (?:re|look|correct))",
    re.IGNORECASE,
)
_CORRECTS = re.compile(
    r"[→⇒※*( ]{0,4}(?:[あえお]っ?[、,] ?)?(?:(?:いや|いえ)[、,]|(?:大変|誠に|どうも)?"
    r"(?:訂正|修正|すみません|すいません|失礼|ごめん(?:なさい)?|申し訳(?:あり|ござい)ません|おっと|もとい"
    r"|(?:数え|見|読み|書き|言い|計算)?間?違[えい](?=ま|て|で)|勘違い)"
    r"(?:(?:いた)?し(?:ます|ました|て(?:い|しまい)ました|てください|て)|させて(?:ください|いただきます|頂きます)"
    r"|です|でした|ました|て(?:い|しまい)ました|すると|が)?(?:[、。,:!\n…]+|$)"
    r"|(?:(?:oh|ah|hmm?|well|no)[, ]{1,2})?"
    r"(?:no|wait|sorry|actually|correction|hold on|oops|my mistake)\b"
    r"(?: about that| for the (?:confusion|mistake|error))?(?:[,:.! \n…-]+|$)) ?",
    re.IGNORECASE,
)
"""What opens a sentence that takes back those before it."""
_MAY_CORRECT = re.compile(
    r"いや|いえ|訂正|修正|すみません|すいません|失礼|ごめん|申し訳|違[えい]|おっと|もとい"
    r"|\b(?:no|wait|sorry|actually|correction|hold on|oops|my mistake)\b",
    re.IGNORECASE,
)
_AFFIRMS = re.compile(
    r"(?:です|でした|だ|だった|である|でしょう|だろう|と?な(?:ります|る)|と(?:思い|考え)ます"
    r"|[一-鿿々ァ-ヺーA-Za-z0-9%」』)])[ね。 ]{0,2}$"
)
_OPEN = re.compile(
    r"(?:ため|から|そう|よう|とおり|通り|可能性|不明|不確か|曖昧|たい|ない)(?:です|でした|だ)?$"
    r"|ません|ましょう|\b(?:not|can't|cannot|may|might|let me|double)\b|n't\b",
    re.IGNORECASE,
)
"""What is no answer behind an apology."""
_MISTAKE = re.compile("の(?:間違い|誤り|まちがい)(?:です|でした)?。?$")
"""失礼しました、水曜日の誤りです."""
_ENGLISH_IS = re.compile(
    r"\b(?:is|are|was|were|be|means?)\b|'s\b|^\W*[\w,.%$-]+(?: \w+)?\W*$", re.IGNORECASE
)
_TURNS = re.compile(
    "(?:しかし|だが|ですが|ところが|けれども?|でも)(?:、|実際)|(?:but|however)\\b", re.IGNORECASE
)
"""A sentence that stands against the one before."""
_CONCEDES = re.compile(
    # 女性が、 is a subject: predicates end in kana.
    "(?:が(?<!ほうが)(?<!だれが)(?<![一-鿿々ァ-ヺーA-Za-z0-9]が)|けど|けれど|けれども|ものの|ながら"
    "|のに)[、,] ?"
    "|(?:^|(?<=[、, ]))(?:しかし|ただし|ところが|でも)(?:、|(?=[A-Za-z一-鿿]))"
    "|[,;.]? ?\\b(?:but|however|although|though)\\b,? ",
    re.IGNORECASE,
)
_WHILE = re.compile(
    "^(?:while|whereas|although|though|even though|even if)\\b[^,]*, ", re.IGNORECASE
)
"""An English clause that is conceded to what follows."""
_REASON = re.compile("\\b(?:because|since|as (?:it|the|there)|due to|given that)\\b", re.IGNORECASE)
_ASIDE = re.compile(
    "\\((?:理由|根拠|解説|説明|補足|注|※|because\\b|reason\\b|note\\b)[^()\n]{1,200}\\)",
    re.IGNORECASE,
)
"""A reason or note in parentheses."""
_OR = re.compile("それとも|あるいは|または|もしくは|or\\b", re.IGNORECASE)
_EXCEPTS = re.compile("ただし|但し|もっとも、")
_ANNOUNCES = re.compile(
    "[はが](?:正解|答え|正答)(?:です|とな|にな|だ|で)"
    "|(?:答え|正解|正答|解答|回答|(?:該当する|当てはまる|あてはまる|ふさわしい|適切な|正しい)(?:の|もの|選択肢))[はが]"
)
"""What makes a sentence with ただし more than an exception: ただし質問は最初の操作で、正解はB."""
_ALSO = re.compile("も(?:あ|い|存在|考え)[^、。]{0,8}$|場合|限[りら]")
_APPEARS = re.compile(
    "(?:見え|思[えいわっ]|考えられ|かもしれ|可能性|よう(?:です|だ|に)|らし|候補|迷)[^、。]{0,12}$"
)
"""What a sentence with ただし corrects; behind any other it names an exception."""
_STRUCK = re.compile("~~[^~\n]{1,200}~~|<(s|del|strike)>[^<\n]{1,200}</\\1>", re.IGNORECASE)
_ITEM_LABEL = re.compile(r"[\s(*\-・]{0,4}(?:[A-Za-zァ-ヺ]|[0-9]{1,2})[)*]{0,3}")


@dataclass(frozen=True, slots=True)
class Statement:
    """A sentence that says something."""

    clauses: tuple[str, ...]
    """Parts that が, but and the like divide, last one first: the others are conceded to it."""
    withdraws: bool
    """Whether it takes back what was stated before."""
    about: bool
    """Whether it speaks about the answer or gives a reason."""

    @property
    def text(self) -> str:
        """All of it."""
        return "".join(reversed(self.clauses))


def without_struck(text: str) -> str:
    """The text without what Markdown or HTML strikes out: ~~A~~ C."""
    return _STRUCK.sub(" ", text)


def statements(lines: str) -> list[Statement]:
    """The statements of an answer in their order; takes text as `answer_lines` leaves it.

    Questions (but the last sentence), suppositions and sentences about the answer are left out,
    and so are reasons behind "because" and what stands below a heading such as 理由. Where only
    sentences about the answer are left, they count.
    """
    found = every_statement(lines)
    return [one for one in found if not one.about] or list(found)


@functools.lru_cache(maxsize=1 << 10)
def corrected(lines: str) -> str:
    """What stands behind the last correction, all of the lines where there is none.

    「答えはAです。すみません、よく見るとBでした。」 gives よく見るとBでした。 An apology for
    what cannot be seen, and one for nothing, corrects nothing. Takes text as `answer_lines`
    leaves it.
    """
    if not _MAY_CORRECT.search(lines):
        return lines
    for before in [*SENTENCE_END.finditer(lines)][:-33:-1]:
        asks = "?" in before[0] or lines.endswith("か", 0, before.start())
        start = before.end()
        while found := _CORRECTS.match(lines, start):
            start = found.end()
        if start > before.end() and not asks and _says_instead(rest := lines[start:].strip()):
            return _MISTAKE.sub("", rest)
    return lines


def _says_instead(rest: str) -> bool:
    """Whether a correction goes on to an answer."""
    said = [one.clauses[0].strip() for one in every_statement(rest) if not one.about]
    return (
        bool(said)
        and not _OPEN.search(said[0])
        and any((_ENGLISH_IS if one.isascii() else _AFFIRMS).search(one) for one in said)
    )


@functools.lru_cache(maxsize=1 << 8)
def every_statement(lines: str) -> tuple[Statement, ...]:
    """`statements` with those about the answer."""
    return tuple(_statements(lines))


def _statements(lines: str) -> Iterator[Statement]:
    sentences = [
        (part.strip(), end)
        for at, line in enumerate(without_struck(lines).split("\n"))
        for part, end in _sentences(_ASIDE.sub("", line), first=not at)
        if part.strip()
    ]
    in_notes, before = False, ""
    for at, (sentence, end) in enumerate(sentences):
        in_notes = (in_notes or bool(_NOTES.match(sentence))) and not _ANSWERS.match(sentence)
        is_last = at == len(sentences) - 1
        if _is_question(sentence, end) and (
            not is_last or _OR.match(sentence) or sentence.count("ですか") > 1
        ):
            continue
        clauses = tuple(reversed(_stated_clauses(sentence)))
        if clauses:
            excepts = bool(before and _EXCEPTS.match(sentence)) and not _APPEARS.search(before)
            if excepts and _ANNOUNCES.search(sentence):
                excepts = bool(_ALSO.search(sentence))
            yield Statement(
                clauses,
                withdraws=bool(_WITHDRAWS.match(sentence) or _TURNS.match(sentence)),
                about=in_notes or bool(excepts or _ABOUT.search(sentence)),
            )
            before = sentence


def _sentences(line: str, *, first: bool) -> Iterator[tuple[str, str]]:
    """The sentences of a line, each with what ends it.

    The full stop behind an item's label (C. Ueno is …) ends none, but where the answer begins.
    """
    start = 0
    for found in SENTENCE_END.finditer(line):
        is_item = bool(line[found.end() :].strip()) and (start or not first)
        if is_item and found[0] == "." and _ITEM_LABEL.fullmatch(line, start, found.start()):
            continue
        yield line[start : found.start()], found[0]
        start = found.end()
    yield line[start:], ""


def _is_question(sentence: str, end: str) -> bool:
    """Whether a sentence asks; unless it is the last one, which may be an unsure answer."""
    return len(sentence) > 4 and (
        "?" in end or bool(re.search("(?:です|ます|でしょう|の)か$", sentence))
    )


def _stated_clauses(sentence: str) -> list[str]:
    """The clauses that say something, in their order."""
    found, start = [], 0
    if conceded := _WHILE.match(sentence):
        found, start = [conceded[0]], conceded.end()
    for mark in _CONCEDES.finditer(sentence, start):
        found.append(sentence[start : mark.start()])
        start = mark.end()
    found.append(sentence[start:])
    kept = [clause for clause in found if clause.strip() and not _SUPPOSES.search(clause)]
    return [_REASON.split(clause)[0] or clause for clause in kept]
