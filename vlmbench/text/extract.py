"""The final answer inside what a model wrote: after its reasoning, in a sentence, in a box.

    <think>…</think>東京   …よって、答えは42である。   \\boxed{3}   これは大阪城なので、大阪です。

The result is a short list of candidates, each a verbatim piece of the text. Nothing is completed,
translated or guessed.
"""

from __future__ import annotations

import dataclasses
import functools
import re
from collections.abc import Iterator

from vlmbench.text.arguments import arguments
from vlmbench.text.dates import Clock, Date, find_moments, read_clock, read_date
from vlmbench.text.equivalence import same_answer
from vlmbench.text.japanese import answer_form
from vlmbench.text.latex import plain
from vlmbench.text.numbers import Quantity, find_quantities, read_quantity
from vlmbench.text.reasoning import answer_lines
from vlmbench.text.refusal import is_refusal
from vlmbench.text.statements import SENTENCE_END, Statement, corrected, statements
from vlmbench.text.synonyms import bare_yes_no, begins_with_yes_or_no, yes_or_no

EXTRACTION = "final-ja6"
"""Version of this module's rules, including `same_answer`."""

_TAGGED = re.compile("<answer>([^<]{0,400})(?:</answer>|$)", re.IGNORECASE)
_FIELD = re.compile('"(?:final_?)?(?:answer|答え|回答|解答)" ?: ?"([^"\n]{0,400})"', re.IGNORECASE)
_AS_FOLLOWS = re.compile("(?:以下|次|下記)の(?:通り|とおり)(?:です|である)?[。:]?\\s{0,4}")
_BOX = re.compile(r"\\boxed\s{0,4}\{")

_NOUN = "答え|解答|回答|正解|正答|結論|(?<![一-鿿])答|アンサー|answer"
_CUE = re.compile(
    r"(?:^|(?<=\n))a\s?:\s?|(?<!この)(?<!その)(?<!上記の)(?<!以上の)(?<!this )"
    rf"(?:{_NOUN})(?:\s?\(?[a-z]{{0,12}}\)?)?[」】\])*_\"'`]{{0,4}}\s?"
    r"(?:は、?|が、?|としては、?|[:=]|\bis\b[:]?|\bwould be\b)\s?"
    # How an answer was found is none: 答えは表から読み取りました, the answer is based on the table.
    r"(?!\s?(?:derived|based|obtained|taken|calculated|computed|found) )"
    r"(?![^。\n]{1,30}(?:から|に基づ|を?(?:元|基|もと)に)[^。\n]{0,12}(?:ました|ています)(?:。|\n|$))",
    re.IGNORECASE,
)
_HEADED = re.compile(
    rf"(?:^|\n)\s?(?:[#*【\[]{{1,6}}\s?(?:最終)?(?:{_NOUN})[】\]*:]{{0,4}}\s?\n"
    rf"|[【\[*]{{1,3}}(?:最終)?(?:{_NOUN})[】\]*]{{1,3}}\s?(?=[^\s:はがとのを]))",
    re.IGNORECASE,
)
_EMPHASIS = re.compile(r"\*{1,3}|_{1,3}")
_EMPHASIS_ENDS = re.compile(f"(?:{_EMPHASIS.pattern})$")
_CONCLUSION = re.compile(
    "(?:したがって|従って|よって|ゆえに|以上より|以上から|以上のことから|このことから|最終的に"
    "|therefore|hence|thus|so the answer is)[、,]?\\s?",
    re.IGNORECASE,
)
_NOT_BUT = re.compile(
    "(?:では|じゃ)なく(?:て)?、?|[^。\n]{0,40}\\bnot\\b[^.,\n]{0,40}[,.]|rather than"
)
_DENIED = re.compile("(?:では|じゃ)?(?:ありません|ないです|なかった|ない|違います|わかりません)$")
_VAGUE = re.compile("または|もしくは|あるいは|どちらか|いずれか|かもしれ|\\bor\\b")
_TAIL = re.compile(
    "(?:と(?:見て|考えて|言って)(?:間違い(?:ない|ありません|ございません)|よい|いい|差し支えな(?:い|く))(?:でしょう)?"
    "|(?:では|じゃ)ない(?:か(?:と(?:思います|思われます|考えられます))?|でしょうか)"
    "|(?<=.)(?:だけ|のみ|ばかり)(?=(?:です|でした|だ|である)?$)(?:です|でした|だ|である)?"
    "|[にで](?:違い|間違い)(?:あり(?:ません)|ない|なく|ございません)|(?:だと|かと|と)?(?:思います|思われます|考えられます|考えます|(?:推[測定察]|判断|判定)(?:され|し|でき)ます|見?受け?られます|みられます|言えます|いえます)"
    "|[にと]?なります|と(?:なって|なり)(?:います|いる|ました)|とな(?:る|った)"
    "|(?:である|という)?(?:こと|の)が(?:見て取れ|読み取れ|確認でき|うかがえ|[分わ]か)り?(?:ます|ました|る)|である|でしょう|だろう|です|でした|だ|と答えます|を選びます|のよう|みたい)$"
)
_THERE_IS = re.compile(
    "(?:が|は)(?:[^、がは]{0,12}(?:に|で))?(?:[0-9一二三四五六七八九十]{1,3}[つ個匹人本台枚頭羽杯冊])?(?:写って|映って|見えて|描かれて|置かれて|書かれて)?"
    "(?:います|いる|あります|ある|見えます|見える|存在します)$"
)
_PERHAPS = re.compile(
    "^(?:おそらく|恐らく|多分|たぶん|きっと|それは|これは|はい、|ええと|、|やはり|正しくは|実際に?は|実は"
    "|主に|主として|基本的に|全体的に|よく見ると|よく見れば|いや、|いえ、|失礼(?:しました|いたしました)?、|訂正(?:します|いたします)?、|すみません、|つまり|すなわち|要するに){1,3}"
)
_SUPERLATIVE = re.compile(
    "^(?P<subject>[^はが、。]{1,40}?)(?:のほう|の方)?が(?:[^はが、。]{0,15}で、?)?"
    "(?:最も|もっとも|一番|いちばん|最大|最多|最高|最小|最少|最低)[^はが、。]*$"
)
_HEAD_NOUN = re.compile("の((?:[^のはがをにで、。]|まで){2,})$")
_GENERIC = re.compile(
    "(?<=.)の(?:風景|景色|写真|画像|様子|もの|こと|方|ほう|名前|一種|仲間|花|木|ところ|[2-9二三四五六](?:つ|種類|点|名|人|[かヶ]所|[かヶ]国|色))$"
)
"""A noun that says nothing more: 横浜の風景, 梅の花."""
_GLOSS = re.compile("(?<=[^a-z(])\\([^()]{1,30}\\)$")
_IS_ANSWER = re.compile("(?:が|は)(?:正解|正答|答え|解答|回答)(?:とな[るり].*|で.*)?$")
_WRITTEN = re.compile(
    "と(?:書かれて|書いて|表示されて|記載されて|記されて|印[字刷]されて|刻(?:ま|印さ)れて|[表明]記されて|示されて|呼ばれて|読め|い(?=います))"
    "(?:います|いる|あります|ある|ます|る)$|という(?:文字|名前|言葉|もの)?$"
)
_OBJECT = re.compile("を(?!超|上回|下回|割り込|除)[^、。を]{1,12}(?:ます|ました|ている|ていた)$")
_JUST_THERE = re.compile(
    "[にで]?(?:写って|映って|見えて|描かれて|置かれて)?(?:います|いる|あります|ある|見えます)$"
)
_STATE = re.compile("(?<=[一-鿿])して(?:います|いる|いました|いた)$")
_QUOTED_ENGLISH = re.compile(
    "\\b(?:says?|reads?|written|called|named|labell?ed) [\"'“]([^\"'”]{1,60})[\"'”]"
)
_QUOTED = re.compile(
    "「([^「」]{1,60})」(?:と(?:いう|あ[るり]|いっ|[^、。「]{0,10}(?:書|示|記|読|描|刻|印|貼))"
    "|の(?:文字|表示|看板|[張貼]り紙|標識|ステッカー|ラベル|札|記載|表記|掲示|案内|ポスター|サイン|字|言葉|マーク|ロゴ))"
)
_ENGLISH_SUBJECT = re.compile(
    "there (?:is|are) (?P<there>(?:an?|the|some|[0-9a-z]+) [a-z ]{1,30}?)"
    "(?: (?:on|in|at|under|near|behind|by|next|with|of|inside|above)\\b|$)"
    "|(?P<subject>(?:an?|the|some|[0-9a-z]+) [a-z ]{1,30}?) (?:is|are|was|were) "
    "(?:being )?[a-z]+(?:ing|ed)\\b",
    re.IGNORECASE,
)
"""Who or what does it: A dog is lying on the sofa."""
_CALLED = re.compile("という[^、。]{0,12}$|という、.*$")
_MORE_THAN = re.compile("^.{1,30}?より(?:も)?、?(?=.)")
_RATHER = re.compile("(?:のほう|の方|ほう|方)が[^、。]{1,15}$")
_ALONGSIDE = re.compile(
    "(?<=[一-鿿々ァ-ヺーA-Za-z0-9」%])(?:で、|であり、|であって、)|[てで]おり、|、次いで"
    "|(?<=[ぁ-ん])(?<![いのまれんつけそこ])で、|(?<=[一-鿿])く、"
)
"""Between two things that are said side by side: 色は赤で、番号は3です."""
_NEXT = re.compile("(?:次|その次|2番|第2|続)")
"""What comes after the answer in an order."""
_COMPARES = re.compile("(?:上回|下回|比べ|次[いぐ]|続[いきく]|及ば|引き離)[^、。]{0,8}$")
_IS_SENTENCE = re.compile("[はが]|です|ます|ました|でした")
"""More than the phrase 自転車に乗っている."""
_AND = re.compile(", (?:and|while|whereas|which|who|where|with|located|built) |; ")
_CAME_TO = re.compile(
    "(?:^|[てではに、]|まで|から)(?P<value>[^てではに、]{1,20})(?:に(?:なり|達し|増え|減り|上り)ま(?:した|す)|となりました|に(?:なった|達した))$"
)
_BESIDES = re.compile("も(?:[^、。]{0,12})(?:ます|ている|ていた|ある)$")
_HEDGES = re.compile(
    "(?:断定|断言|確実|確信|確証|確か|確認|自信|保証|正確|絶対|明確|はっきり|詳細|詳し|定か)[^、。]{0,16}"
    "(?:ません|ない|不明|必要)(?:です)?$|^間違って(?:い|る)|^参考"
)
"""How sure an answer is: 柿だと思いますが、断定はできません."""
_ONLY = re.compile(
    "(?P<what>.+?)(?:以外に?は?(?:考えられ|あり(?:得|え)?)|に(?:ほか|他)なり|しか(?:考えられ|あり(?:得|え)?))(?:ません|ない)"
)
"""A denial of everything else."""
_LABELED = re.compile("[#*・\\- ]{0,4}[^:0-9、。?]{1,12}: ?(?P<what>[^:]{1,60})")
"""A name and its value: 交通手段：バス."""
_LOCATED = re.compile(
    "[^はが]{0,40}(?:は、?|が)?[^はが、]{1,30}に(?:ある|位置する|そびえる|建つ|立つ)(?=[一-鿿ァ-ヺA-Z「『])"
)
_EVERY = re.compile(
    "毎(?:週(?=[月火水木金土日])|年(?=[0-9]{1,2}月)|[日朝晩](?=[0-9]{1,2}[時:])|月(?=[0-9]{1,2}日))(?P<when>.+)"
)
"""How often, and when: 毎週火曜日."""
_OWN_TOPIC = re.compile(
    "(?!これ|それ|ここ|そこ|実際|実|本当|正しく|正解|答え|今回|最初|はじめ|一見|よく|やはり|おそらく)[^は、。]{1,20}は(?!ない|ありません)"
)
_APPEARS = re.compile("(?:思[いうっわ]|見え|よう|かもしれ|可能性|考え|迷)[^、。]{0,8}$")
_HONORIFIC = re.compile("(?<=[一-鿿ァ-ヺー])(?:さん|氏|様)$")
_CLAUSE = re.compile(
    "[はがを]|(?:ので|のに|から|ため|より|ると|すと|して|って|んで|いて|れば|おり|あり|はい|ええ)$"
)
_LEADS_ON = re.compile(
    "(?:ため|ので|から|結果|ところ|[うくすつぬむるただ]と|[けせてねめれ]ば|たら|なら)$"
)
"""The end of a clause that leads to the next one, unlike 最高は32度、 or 左は歩いていて、."""
_TOPIC = re.compile("(?<![でにと])は(?!い(?:[」』、。,]|$))")
_PLACE = re.compile("[でにと]は")
_SUBJECT = re.compile("が")
_WHEN = re.compile("(?<=[0-9年度月日時期末])には?(?=[0-9約])")
_IS = re.compile(
    r"\b(?:(?:it|that|he|she)['’]s|is|are|was|were|shows?|depicts?)\b"
    r"(?: (?:wearing|holding|riding|eating|playing|carrying|reading|using|drinking|driving|called"
    r"|named|located in|made of|pointing (?:to|at))\b)?|\bpoints? (?:to|at)\b",
    re.IGNORECASE,
)
_FELL = re.compile(
    "[0-9%割円人台件個倍万億兆ト度点mgl](?:[もほど分]{1,2})?(?:の|、|だけ)?"
    "(?:減少|減って|減り|減っ|減|低下|下落|下が|落ち|縮小|マイナス|ダウン)"
    "[^。\\n+]{0,12}(?:。|$|\\n)"
    "|(?:減少|低下|下落|縮小|減)(?:率|幅|額|量|数|分)?[はがを:]?、?約?[0-9][0-9.,]{0,12}[^。\\n0-9]{0,20}(?:。|$|\\n)"
    "|\\b(?:decrease|drop|decline|fall|reduction) of [0-9]"
    "|\\b(?:fell|decreased|dropped|declined|down)\\b[^.\\n]{0,20}[0-9]",
    re.IGNORECASE,
)
"""A number by which something fell."""
_FROM_TO = re.compile(
    "から[^。、]{1,30}?[0-9%円人台件個倍万億兆ト度点年月日時分本枚mgl](?:へと?|に(?:まで)?|まで[にの]?)(?:は|も)?、?(?=[^。]{0,12}[0-9])"
    "|\\bfrom [^.]{1,40} to [^.]{1,40}, an? (?=[a-z ]{0,20}\\b(?:of|by) )",
    re.IGNORECASE,
)
"""The way of a change, before its amount: 82.7兆円から78.6兆円へ、約5.0%減少した."""
_SETS_OFF = re.compile("[るたいなん]のは、?(?P<what>[^はがを、。]{1,40})$")
"""矢印が指しているのは西口."""
_BESIDE_SENTENCE = re.compile(
    "(?:^|(?<=[。\\n]))(?:"
    "(?P<said>[^。\\n]*(?:です|でした|だ|だった|である|ます|ました|となる|となった|いる|いた))"
    "\\((?P<aside>[^()\\n]{1,80})\\)(?=[。\\n]|$)"
    "|\\((?P<before>[^()\\n]{1,80})\\)(?P<main>[^()。\\n]*[はが][^()。\\n]*))"
)
"""A bracket before a sentence or behind its predicate."""
_SHORT = 200


def boxed(text: str) -> str | None:
    """The content of the last \\boxed{} whose braces are balanced, None without one."""
    for found in reversed([*_BOX.finditer(text)][-8:]):
        depth = 1
        for position in range(found.end(), min(len(text), found.end() + 2000)):
            depth += (text[position] == "{") - (text[position] == "}")
            if depth == 0:
                return text[found.end() : position]
    return None


def tagged_answer(text: str) -> str | None:
    """The last <answer> element or "answer" in JSON, None without one."""
    found = _TAGGED.findall(text) or _FIELD.findall(text)
    return str(found[-1]) if found else None


def marked_answer(text: str) -> str | None:
    """What the text itself marks as its answer, None when it marks none.

    The last of: a box, an <answer> element, an "answer" in JSON, a heading such as 「# 解答」 with
    the line below it, a phrase such as 「答えは…」, "Answer: …" with the rest of its sentence (or,
    if that is empty, the next line). Takes text as `answer_lines` leaves it.
    """
    if (content := boxed(text)) is not None:
        return content
    if (tagged := tagged_answer(text)) is not None:
        return tagged
    cues = [*_CUE.finditer(text), *_HEADED.finditer(text)]
    if not cues:
        return None
    rest = _AS_FOLLOWS.sub("", text[max(cue.end() for cue in cues) :].lstrip(), count=1)
    return _without_half_emphasis(_first_sentence(_without_half_emphasis(rest)))


def _without_half_emphasis(text: str) -> str:
    """The text without half a pair of asterisks: of **答え：** 東京 or **答え：東京**."""
    line = text.partition("\n")[0]
    mark = _EMPHASIS.match(line) or _EMPHASIS_ENDS.search(line[-4:])
    if mark is None or line.count(mark[0]) % 2 == 0:
        return text
    return text.removeprefix(mark[0]).removesuffix(mark[0]).strip()


@functools.lru_cache(maxsize=1 << 12)
def candidates(text: str) -> tuple[str, ...]:
    """What may be the short answer in a text, most likely first; empty for empty text.

    From the answer that the text marks, else from its conclusion (したがって…), else from its
    only sentence, else from its first one if that is short and from its last one: this
    statement as a whole and its parts that can be an answer by themselves, namely what follows
    「AではなくB」, the last 、, the topic は or an equals sign, what 「…が写っています」 or
    「…が最も高い」 is about, the last noun of 「京都の清水寺」, and each of them without the
    note in brackets at its end.
    """
    lines = answer_lines(text)
    if not lines:
        return ()
    lines = corrected(lines)
    found: list[str] = [lines] if len(lines) <= _SHORT else []
    for statement in _statements(lines):
        found += _parts(statement)
    return tuple(dict.fromkeys(filter(None, found)))


def says(text: str, reference: str) -> bool:
    """Whether a text gives the reference as its answer, in whatever writing.

    True when the text or one of its `candidates` is the same answer (see `same_answer`), or a
    statement whose only date, time of day or number is the reference (or a date that includes
    it). A reference inside a longer word, one that is denied (犬ではなく猫です) and one of
    several alternatives (東京か大阪) do not count.
    """
    if is_refusal(text) and not is_refusal(reference):
        return False
    text = plain(text)
    if (wanted := bare_yes_no(answer_form(reference))) is not None:
        said = _says_yes(text)
        return same_answer(text, reference) if said is None else said is wanted
    if same_answer(text, reference):
        return True
    text = corrected(answer_lines(text))
    if any(same_answer(candidate, reference) for candidate in candidates(text)):
        return True
    if any(same_answer(one, reference) for one in _beside_predicates(answer_lines(text))):
        return True
    if moment := read_date(reference) or read_clock(reference):
        return any(_gives(claim, moment) for claim in (*candidates(text), *_claims(text)))
    quantity = read_quantity(reference)
    if quantity is None:
        return False
    return any(one.close_to(quantity) for one in stated_quantities(text))


def _beside_predicates(lines: str) -> Iterator[str]:
    """The arguments of what an answer states; of several numbers or dates the last one."""
    for statement in _statements(lines):
        *_, said = _NOT_BUT.split(statement[-_SHORT * 2 :])
        if _VAGUE.search(said) or _DENIED.search(answer_form(said)):
            continue
        clauses = _ALONGSIDE.split(_main_clauses(said))
        if not _IS_SENTENCE.search(statement):
            continue
        clauses = [one for at, one in enumerate(clauses) if not (at and _NEXT.match(one))]
        of_one = [clause for clause in clauses if len(_TOPIC.findall(clause)) < 2]
        found = [one for clause in of_one for one in arguments(clause)]
        found += [every["when"] for one in found if (every := _EVERY.fullmatch(one))]
        numbers = [one for one in found if read_quantity(one) or find_moments(one)]
        way = _FROM_TO.search(said)  # 3,200個から2,400個へ800個減少しました
        passed = [one for one in numbers if way and one in said[: way.end()]] or numbers[:-1]
        yield from (one for one in found if one not in passed)


def _says_yes(text: str) -> bool | None:
    """Whether the answer marks, begins with or states last a yes; None if neither yes nor no."""
    lines = corrected(answer_lines(text))
    if marked := marked_answer(lines):
        return yes_or_no(answer_form(marked))
    whole = answer_form(lines.replace("\n", "。"))
    if begins_with_yes_or_no(whole):
        return yes_or_no(whole)
    stated = [answer_form(_IS_ANSWER.sub("", answer_form(one))) for one in _statements(lines)]
    outright = [yes_or_no(one) for one in stated if begins_with_yes_or_no(one)]
    implied = [verdict for one in stated if (verdict := yes_or_no(one)) is not None]
    return next((verdict for verdict in (*outright[::-1], *implied) if verdict is not None), None)


def stated_quantities(text: str) -> tuple[Quantity, ...]:
    """The quantity that a text gives as its answer, and a fall as the negative number it is, too.

    「10%減少しました」 answers by how much something fell (10%) and what its change is (-10%);
    the noun 10%減 is -10% only, see `read_quantity`.
    """
    text = corrected(answer_lines(text))
    quantity = stated_quantity(text)
    if quantity is None or is_refusal(text):
        return ()
    if quantity.value > 0 and _FELL.search(plain(text)):
        return quantity, dataclasses.replace(quantity, value=-quantity.value)
    return (quantity,)


def stated_quantity(text: str) -> Quantity | None:
    """The quantity that a text gives as its answer, None if there is none or more than one."""
    text = plain(text)
    for candidate in candidates(text):
        if quantity := read_quantity(candidate):
            return quantity
    for claim in _claims(text):
        quantities = find_quantities(claim)
        if len({(one.value, one.unit) for one in quantities}) == 1:
            return quantities[0]
    return None


def _claims(text: str) -> Iterator[str]:
    """What statements say about their topic, last statement first, without denials."""
    for statement in reversed(_statements(answer_lines(text))):
        claim = statement[-_SHORT:]
        if len(topics := list(_TOPIC.finditer(claim))) == 1:
            claim = claim[topics[0].end() :]
        if way := _FROM_TO.search(claim):
            claim = claim[way.end() :]
        if claim and not _DENIED.search(answer_form(claim)):
            yield claim


def _gives(text: str, wanted: Date | Clock) -> bool:
    """Whether the only date or time of day in a text is the wanted one, or says more."""
    date = read_date(text)
    moments = {date} if date else set(find_moments(text))
    if len(moments) != 1:
        return False
    (found,) = moments
    if isinstance(found, Date) and isinstance(wanted, Date):
        return found.specifies(wanted)
    return found == wanted


def _statements(lines: str) -> list[str]:
    """The marked answer, or a conclusion, else the first and the last statement."""
    lines = corrected(lines)
    if ")" in lines:
        lines = _BESIDE_SENTENCE.sub(_without_aside, lines)
    marked = marked_answer(lines)
    if marked:
        return [marked]
    if conclusions := list(_CONCLUSION.finditer(lines)):
        return [_first_sentence(lines[conclusions[-1].end() :])]
    stated = list(statements(lines))
    withdrawn = max((at for at, one in enumerate(stated) if one.withdraws), default=0)
    found = [list(_said(one)) for one in stated[withdrawn:]]
    if len(found) > 1:
        first, last = found[0], found[-1]
        return [*first, *last] if sum(map(len, first)) <= 20 else last
    return found[0] if found else []


def _without_aside(sentence: re.Match[str]) -> str:
    """45円でした for 45円でした(前年は40円); a bracket that has what is asked for stays."""
    said, aside = sentence["said"] or sentence["main"], sentence["aside"] or sentence["before"]
    own_topic = _TOPIC.search(aside) or aside.startswith("うち")
    both = find_quantities(aside) and find_quantities(said)
    return said if own_topic or both else sentence[0]


def _said(statement: Statement) -> Iterator[str]:
    """The main clause, and what stands before が where the main clause adds to it or hedges it."""
    main, *conceded = statement.clauses
    form = answer_form(main)
    if not (conceded and _HEDGES.search(form)):
        yield main.strip()
    if conceded and (
        _BESIDES.search(form) or _HEDGES.search(form) or _sets_off(answer_form(conceded[0]), form)
    ):
        yield conceded[0].strip()


def _sets_off(conceded: str, main: str) -> bool:
    """Whether two clauses speak of two things: 傘は青ですが、持ち手は茶色です."""
    return bool(
        _OWN_TOPIC.match(conceded) and _OWN_TOPIC.match(main) and not _APPEARS.search(conceded)
    )


def _first_sentence(text: str) -> str:
    found = SENTENCE_END.search(text)
    return text[: found.start()].strip() if found else text.strip()


def _parts(statement: str) -> list[str]:
    """The statement and its parts that can be the answer."""
    if len(statement) > _SHORT * 2:
        statement = statement[-_SHORT * 2 :]
    *_, statement = _NOT_BUT.split(statement)
    statement = statement.strip(" 、,")
    bare = _without_tails(answer_form(_without_last_denial(statement)))
    if only := _ONLY.fullmatch(bare):
        bare = only["what"]
    if _VAGUE.search(bare) or _DENIED.search(bare):
        return [statement]
    bare = _main_clauses(_PERHAPS.sub("", bare))
    parts = [statement, _IS.split(statement)[-1], bare]
    parts += _tails(bare)
    if _IS_ANSWER.search(bare):
        parts.append(answer_form(_IS_ANSWER.sub("", bare)))
    if len(quoted := _QUOTED.findall(statement) or _QUOTED_ENGLISH.findall(statement)) == 1:
        parts += quoted
    if acts := _ENGLISH_SUBJECT.match(statement):
        parts.append(acts["subject"] or acts["there"])
    parts += [_IS.split(piece)[-1] for piece in _AND.split(statement)[:-1]]
    alongside = _ALONGSIDE.split(bare)
    if len(alongside) > 1 and not _NEXT.match(alongside[-1]):
        parts += _tails(alongside[-1])
    for piece in alongside[:-1]:
        tails = _tails(piece)
        parts += [*tails, *(tail.partition("を")[0] for tail in tails if "を" in tail)]
        parts.append(_CALLED.sub("", piece))
        if superlative := _SUPERLATIVE.search(piece):
            parts.append(superlative["subject"])
    if (focus := _SETS_OFF.search(bare)) and "のは" not in bare[: focus.start()]:
        parts.append(focus["what"])
    if labeled := _LABELED.fullmatch(statement):
        parts.append(labeled["what"])
    if located := _LOCATED.match(bare):
        parts.append(bare[located.end() :])
    if came := _CAME_TO.search(statement):
        parts.append(came["value"])
    if compared := _MORE_THAN.match(bare):
        parts.append(_RATHER.sub("", bare[compared.end() :]))
    parts += [_CALLED.sub("", part) for part in parts[2:] if _CALLED.search(part)]
    if found_there := _THERE_IS.search(bare):
        subject = bare[: found_there.start()]
        parts += [subject, re.split("[はにで、]", subject)[-1]]
    for ending in (_JUST_THERE, _WRITTEN, _OBJECT, _STATE, _HONORIFIC):
        parts += [ending.sub("", part) for part in parts[2:] if ending.search(part)]
    if superlative := _SUPERLATIVE.search(bare):
        parts.append(superlative["subject"])
    parts = [_without_tails(_PERHAPS.sub("", part)).strip() for part in parts]
    parts += [_GENERIC.sub("", part) for part in parts if _GENERIC.search(part)]
    parts += [found[1] for part in parts if (found := _HEAD_NOUN.search(part))]
    parts += [found["when"] for part in parts if (found := _EVERY.fullmatch(part))]
    return parts + [_GLOSS.sub("", part) for part in parts if _GLOSS.search(part)]


def _main_clauses(statement: str) -> str:
    """The statement without a last clause that only says more about the answer before it."""
    *_, boundary = [None, *_ALONGSIDE.finditer(statement)]
    if boundary is None or _says_more(statement[boundary.end() :]):
        return statement
    return statement[: boundary.start()]


def _says_more(clause: str) -> bool:
    """Whether a clause beside another has a topic or number of its own.

    In 桜島で、鹿児島県にあります it has none.
    """
    return bool(re.search("[はが]|[0-9]|「", clause)) and not _COMPARES.search(clause)


def bare_statement(text: str) -> str:
    """The answer form without endings that only say how sure it is."""
    return _without_tails(answer_form(text))


def _without_tails(form: str) -> str:
    """The form without endings such as 「…で間違いない」「…でしょう」."""
    for _ in range(3):
        form = _TAIL.sub("", form)
    return form


def _without_last_denial(statement: str) -> str:
    """What is left of 「バイオリンであり、ピアノではありません」 without its denied clause."""
    *_, boundary = [None, *_ALONGSIDE.finditer(statement)]
    if boundary is None or not _DENIED.search(answer_form(statement[boundary.end() :])):
        return statement
    return statement[: boundary.start()]


def _tails(bare: str) -> list[str]:
    """What follows the last clause, equals sign, reason, topic or subject of a statement.

    The members of a list (東京、大阪) are no clauses, and of two topics or subjects (最高は32度、
    最低は25度) neither is the statement's.
    """
    tails = []
    before, comma, after = bare.rpartition("、")
    if comma and _CLAUSE.search(before):
        tails.append(after)
        if _LEADS_ON.search(before) or after.startswith(("その", "この")):
            tails += _tails(after)  # 200から180に減ったため、減少率は10%
    for mark in ("=", "ので", "ことから"):
        if mark in bare:
            behind = bare.rpartition(mark)[2].lstrip("、")
            tails += [behind, *_tails(behind)]
    for particle in (_TOPIC, _PLACE, _SUBJECT, _WHEN):
        found = list(particle.finditer(bare))
        if len(found) == 1:
            tails.append(bare[found[0].end() :])
    return tails
