"""What stands around an option that is chosen, called right or wrong, or left open.

Patterns before an option end at its place, those behind it begin with what may close its brackets.
"""

from __future__ import annotations

import re

from vlmbench.text.option_mentions import CLOSE, OPEN

CUE = re.compile(
    "(?:"
    "(?:答え|解答|回答|正解|正答|(?<![一-鿿])答|結論|アンサー)(?:番号|記号)?"
    "|訂正(?:後|版|して|すると)?"
    "|選択肢?(?:番号|記号)?(?=は|:|を|として|の中)"
    "|(?:正しい|適切な|適当な|該当する|当てはまる|あてはまる|ふさわしい|妥当な|誤っている|間違っている"
    "|誤りな|不適切な|一致する|合う|近い|適切でない|正しくない|異なる)[ぁ-ん一-鿿]{0,6}?(?:は|が|:)"
    "|(?:したがって|従って|よって|ゆえに|以上より|以上から|つまり|最終的に|結果として?|残る|残った)"
    r"|\b(?:answer|(?:option|choice|match)(?= (?:is|would|must|should|here)|:)|choose|select|pick"
    r"|go with|points? to|leads? to|corresponds? to|settled? on"
    r"|leav(?:es?|ing)(?: us with)?|left with"
    r"|therefore|hence|thus|so|it must be|it's|it is|must be)\b"
    ")"
    "(?:は|が|の|を|も|、|,|:|;|=|-|→|として|番号|記号|選択肢|最も|一番|適切な|正しい|明らかに|おそらく"
    "|たぶん|やはり|is|are|would be|must be|should be|letter|option|choice|final|most likely|here"
    r"|the|to|\"|'|\)|」|】|\]|\s|\*|#){0,10}"
    f"{OPEN}$",
    re.IGNORECASE,
)
"""Announces an answer, up to the place where it stands."""
RIGHT = (
    "(?:正解|正しい|正しく(?!な)|正答|答え|解答|回答|適切(?!では|でな)|適当(?!では|でな)"
    "|妥当(?!では|でな)|該当(?!しな|しませ)|当てはま[るり](?!ません)|あてはまる|ふさわし[いく](?!な)"
    "|適して|合って(?!いな|いませ|な)|合う|合致(?!しな|しませ)|一致(?!しな|しませ)|ベスト|近い"
    "|自然(?!では)|よい|良い|いい(?!え|ま[すし])|選(?!択肢)|○|◯|〇|✓|✔|✅|最適"
    "|is (?:the )?(?:most )?(?:correct|right|best|answer|appropriate)|matches|fits|it is)"
)
IS_RIGHT = re.compile(
    f"^{CLOSE}(?:番|の選択肢|の方|のほう)?(?:こそ)?(?:が|は|も|だけが|:|→)?[^。、]{{0,12}}?{RIGHT}"
    # 夏至と書きましたが、春分の間違いです
    f"|^{CLOSE}番?の(?:間違い|誤り|まちがい)(?:です|でした|だ)(?:。|$)"
    f"|^{CLOSE}は[^。]{{1,30}}、(?:これ|こちら)[がは](?:最も|一番)?{RIGHT}",
    re.IGNORECASE,
)
IS = re.compile(
    f"^{CLOSE}番? ?(?:で ?す|でござい|ではない(?:か(?!も)|でしょうか)|じゃないか(?!も)|です"
    "|だ(?=[。、ねよな]|$|と|ろう)|である|でした|でしょう|だろう|かと|かな"
    "|で(?:確定|決まり|間違い|いい|良い|よい|お願い)"
    "|と(?:な[るり]|し|判断|考え|思[いうわ]|推[測定察]|結論|回答|解答|答|断定|決|みな|見な|言え|いえ"
    "|分か|わか|読み取|特定|予想|確信|感じ)"
    "|に(?:な[るり]|し(?:ます|た)|する|決|変更|訂正|修正|改め|当た|あた|相当|一致|該当|近い|違いない|間違い)"
    "|を(?:選|採用|回答|解答|答え|正解|推)|の可能性が(?:最も|一番|非常に)?(?:高|大)"
    r"|\b ?(?:it is|is it)\b)"
)
HAS_VALUE = re.compile(
    f"^{CLOSE}の?[(]?(?:約)?[0-9][0-9.,万億兆千百]*[^0-9、。はがをに]{{0,4}}[)]?(?:です|でした|だ|である)"
)
"""An option with its value, where what is asked for is the option: 第4四半期の1,200万円です."""
ENDS = re.compile(rf"^{CLOSE}番?[。.!?✅\s)]*$")
LEADS = re.compile(f"^{CLOSE}[、,:]")
"""Behind an option that the whole answer begins with: A、傘をさしているからです."""
ANY_VERB = re.compile(f"^{CLOSE}番?(?:と|に|を|が|で|であ)[^はも、。]{{1,25}}$")
DENIED = re.compile(
    f"^{CLOSE}(?:番|の選択肢|の方)? ?(?:[(「][^)」\n]{{0,30}}[)」])?"
    "(?!の(?:間違い|誤り|まちがい)(?:です|でした|だ)?$)(?:"
    "を(?:取り消|撤回|取り下げ)|で?は?(?:ない(?!か|で(?:しょう|す)か|だろうか)|ありません(?!か)|なく)|では?ありえ|じゃな|か(?:どうか|は不明)|以外|を除"
    "|[:は→]? ?[×✕✖✗✘❌]"
    "|(?:は|が|も|[:：→]|の可能性)?(?:すべて|全て|みな|いずれも|どちらも)?[^。、,;]{0,24}?"
    "(?:誤り|誤って|間違(?!い(?:あり|な|ござい))|不正解|正しくな|正しくあり|不適切|適切では|適切でな"
    "|違う|違い(?!ない|あり|な|ござい)|違って|違[えっ]|ではありません(?!か)|ではない(?!か|でしょう)|でない(?!か)|除外|外れ|外[しすれ]"
    "|当てはまら|当てはまりません|あてはまら|該当しな|該当しませ|一致しな|一致しませ|合わな|合いませ"
    "|合って(?:いな|いませ)|矛盾|満たさ|異な|否定|排除|ありえな|あり得な|ふさわしくな|考えにく"
    "|考えられ(?:な|ませ)|写って(?:いな|いませ)|見当たら)"
    r"| ?(?:is|are|was|were|can|could|does|do|must|would|will|should)? ?(?:be )?"
    r"(?:clearly |all |both )?"
    r"(?:not|n't|cannot|incorrect|wrong|false|ruled out|eliminated|excluded|invalid)"
    "| (?:isn't|aren't|can't|doesn't|cannot|don't)"
    ")",
    re.IGNORECASE,
)
DENIED_BEFORE = re.compile(
    r"\b(?:not|neither|nor|isn't|rather than|instead of|than)(?: the)?"
    rf"(?: (?:option|answer|choice))? ?{OPEN}$"
    rf"|\b(?:rul(?:e|es|ed|ing) out|eliminat(?:e|es|ed|ing)|exclud(?:e|es|ed|ing)) {OPEN}$",
    re.IGNORECASE,
)
ALL_BUT = re.compile(
    f"^{CLOSE}(?:以外[^。、]{{0,8}}?(?:は|が|も)|を除(?:いて|き|けば|くと)、?(?=すべて|全て|ほか|他|残り))"
)
NOTHING_ELSE = re.compile(
    f"^{CLOSE}番?(?:"
    "(?:以外|の?(?:ほか|他))(?:に|の(?:もの|選択肢|何もの)(?:で)?)?[はも]?[^、。はがも]{0,4}?"
    "(?:(?:考え|思い)(?:られ(?:な|ませ)|つ[きか](?:な|ませ)|にく|づら|がた)|[見思]え(?:な|ませ)"
    "|あり(?:え|得)?(?:な|ませ)|な[いく])"
    "|[とでに]?しか[^、。]{1,8}?(?:な[いく]|ませ)"
    "|では?な(?:い|かった)とは(?:考え|思え|言え|いえ)[^、。]{0,3}?(?:な[いく]|ませ)"
    "|に(?:ほか|他)な(?:らな|りませ))"
)
"""A denial of everything else: B以外に考えられません."""
REPLACED = re.compile(f"^{CLOSE}(?:の[^。、]{{0,20}}?)?(?:では|じゃ|でも)(?:なく|無く)")
DENIED_NOUN = re.compile(
    "^.*の(?:では|じゃ)なく(?:て)?、?|[^、。はがをにで]{1,20}(?:では|じゃ)なく(?:て)?、?"
)
"""What something is not, beside what it is: 猫ではなく犬."""
FIELD = re.compile(f"^{CLOSE}(?:の(?:うち|中|どちら|いずれ)|では(?!な|あり)、?|を比(?:べ|較))")
"""Behind several options among which another clause chooses: みかんとももでは、ももが高いです."""
FOCUS = re.compile(f"[るたいなん]のは、?{OPEN}$")
"""Sets off what follows as the answer: 矢印が指しているのは西口です."""
FOCUSED = re.compile(
    f"^{CLOSE}番?(?:の[^、。はがをに]{{1,14}}?|[(][^()]{{1,14}}[)])?"
    "(?:(?P<ends>(?:です|でした|だ|だった|である|でしょう"
    "|(?:だ|である)?と(?:な[るり]|思|考え|言え|いえ|[見推判]|分か|わか)[^、。]{0,10})?"
    "[。ねよ ]{0,2}$)"
    "|で、|であり、|であって、|で(?=約?[0-9])"
    "|、(?=次|続|2[位番]|最も|もっとも|一番|いちばん|最[大小多少]))"
)
LEADS_ON = re.compile(
    "(?:ので|から|ため|ことから|により|によると|とあり|とあって|と(?:書|記)[^、。]{2,8})、"
)
"""Behind what only leads to the rest: レシートには「50円引」とあるので、…"""
SUPERLATIVE = re.compile("最も|もっとも|一番|いちばん|最[大小多少高低長短]")
COMPARED = re.compile(f"^{CLOSE}よりも?")
NAMED = re.compile(r"[#>\-・→⇒👉✅☑✔*「『(\[ ]*(?:選択肢|option|choice)?[ 「『(*]*", re.IGNORECASE)
"""What may stand before an option that is all that is said."""
UNSURE = re.compile(
    f"^{CLOSE}(?:(?:する)?(?:こと|場合)も(?:$|あ|、|[^。、]{{1,20}}(?:こと|場合)も)|の可能性(?!が(?:最も|一番|非常に)?(?:高|大))|かもしれ|ではないかと?(?:思う)?(?:かも)"
    "|(?:か|である)どうか)"
)
ALL_DENIED = re.compile(
    "^(?:(?:いずれ|どれ|どちら)も|(?:すべて|全て|みな)[がは、])[^。]*(?:ない|ません|異な|違う|違い(?!な)|誤り|間違(?!いな)|不適|矛盾)"
)
"""What is said of all options named before it: 東はA、西はBですが、いずれも異なります."""
WITHDRAWS_ALL = re.compile(
    "[※*(]{0,3}(?:(?:いえ|いや|あっ?|おっと|ああ)[、,] ?)?(?:大変|誠に|どうも)?"
    "(?:訂正|修正|すみません|失礼|申し訳|ごめん|間違え|wait\\b|correction\\b|sorry\\b)",
    re.IGNORECASE,
)
"""What takes back everything above, also where it names no option."""
TAKES_BACK = re.compile(
    "^[^。は]{0,12}?(?:撤回|取り消|取り下げ|訂正(?:いた|し|させ)|(?:誤り|間違い)でした|間違って|見間違え|勘違い"
    "|見落と)[^。、]{0,16}(?:ます|ました|です|でした|ください)?$"
)
"""A main clause that takes back what it follows: Aと申し上げましたが、撤回いたします."""
ANSWER_DENIED = re.compile(
    "(?:答え|正解|正答|解答|回答)は[^。、]{1,20}(?:では|じゃ)(?:ありません|な[いく])"
    "|\\b(?:answer|it) (?:is|was) not\\b",
    re.IGNORECASE,
)
"""What takes back an option that was claimed before: ただし、答えはAではありません."""
SEEMED = re.compile(
    "(?:見え|思[いわっえ]|思いき|感じ|勘違い|考え)[^、。]{0,5}(?:た|ます|る|ところ|や)(?:です)?$"
)
"""A conceded clause that says what something looked like at first: 最初は1個に見えましたが、…"""
ANSWERS = re.compile(
    "(?:答え|解答|回答|正解|正答|(?<![一-鿿])答|結論|answer|訂正|修正)[^。]{0,12}$", re.IGNORECASE
)
"""Announces the answer by its name."""
DESCRIBED = re.compile(f"^{CLOSE}(?:番|の選択肢)?は")
"""What is said about an option does not choose it: Bは左へのシフトです."""
SEPARATOR = re.compile(
    f"{CLOSE}番? ?(?:以外にも、?|→|⇒|->|または|又は|もしくは"
    "|あるいは|および|及び|か|でも|も|と|や|、|,|・|/|&"
    f"|(?<=[」』])(?=[「『])|,? ?or|,? ?and|(?<= )) ?(?:選択肢)?{OPEN}",
    re.IGNORECASE,
)
RANGE = re.compile(rf"{CLOSE}番?(?:から|〜|~|-|\bto\b| to ) ?(?:選択肢)?{OPEN}", re.IGNORECASE)
"""Between the ends of a row of labels: AからDのどれか."""
CHANGED = re.compile(
    f"^{CLOSE}番?[にへとを](?:(?:回答|答え|解答|選択)を)?(?:変更|変え|訂正|修正|改め|直し|替え|差し替え)"
    "(?![^。]{0,12}(?:必要|余地|ない|ません))"
)
"""What makes it a change of mind: AからBに変更."""
APPOSITION = re.compile(
    rf"{CLOSE}番?(?:の選択肢)?の?[.:;、,)\]( 「『\-–→=>*~]{{0,5}}(?:選択肢|option ?)?",
    re.IGNORECASE,
)
NONE_OF_THEM = re.compile(
    "(?<![はが])(?<![はが]、)(?:どれ|いずれ|全て|すべて)(?:も|の|にも)?[^。\n]{0,20}(?:ません|ない|誤り|間違)"
    "|(?:どちら|どれ|いずれ|何)とも[^。\n]{0,6}(?:ません|ない)"
    "|とも[^。\n]{1,20}とも[^。\n]{0,4}(?:言え|いえ|取れ|とれ|判断|つか|つき)"
    "|該当(?:なし|する(?:もの|選択肢)[はが](?:な|あり))|none of (?:the|these)"
    "|(?:全て|すべて|全部|両方|どちらも)(?:の選択肢)?[がは]?正し",
    re.IGNORECASE,
)
CUED_AT_END = re.compile("(?:答え|正解|answer)(?:は|:| is)", re.IGNORECASE)
SAYS_YES = rf"{RIGHT}|適|\byes\b|\bcorrect\b|確認でき(?!ま?せん|な)|正解"
SAYS_NO = (
    "×|✕|✖|✗|✘|❌|誤り|誤って|間違(?!い(?:あり|な))|不正解|不適|違(?!い(?:ない|あり|な))|ない|ません"
    r"|異な|矛盾|\bno\b|\bnot\b|wrong|incorrect|\btoo\b|false|doesn't|isn't"
)
