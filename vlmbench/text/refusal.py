"""Does an answer decline to answer? A list of patterns for Japanese and English, and its limits.

What counts is how the answer begins: its first sentence, after apologies and "as an AI", has to end
in something like お答えできません, or say that there is no image. So an answer that first says
something and then passes over a detail is none, and neither is one that goes on after が or "but".

Not found: refusals behind a sentence of content, an empty answer, refusals in other languages, and
indirect ones (「専門家にご相談ください」). Wrongly found: a caption whose whole first sentence says
that something cannot be judged.
"""

from __future__ import annotations

import functools
import re

from vlmbench.text.reasoning import answer_lines

REFUSAL_FORM = "refusal4"
"""Version of `is_refusal`."""

_CANNOT = (
    "(?:(?:でき|出来)(?:ません|ない)|(?:でき)?かね(?:ます|る)|(?:られ|え|め|け|れ)(?:ません|ない)"
    "|控え(?:ます|る|させていただきます))(?:でした|です|ん?です)?"
)
_PICTURE = (
    "(?:画像|写真|図表?|グラフ|資料|文書|表|情報|データ|イラスト|イメージ|ファイル)"
    "(?:自体|そのもの|の内容|データ|ファイル)?(?:だけ)?"
)
_WORKS_OUT = "(?:計算|算出|算定|比較|集計|推計|求め|数え|調べ|お調べ|割り出)"
_JAPANESE = re.compile(
    # お答えできません、回答することは控えさせていただきます
    f"(?:答え|回答|返答|お応え|コメント|言及|意見).{{0,12}}{_CANNOT}$"
    # お答えしておりません、回答いたしません
    "|(?:答え|回答|返答|お応え)(?:は)?(?:いた)?し(?:て(?:おり|い))?ません$"
    # お手伝いできません、そのご要望には応じられません
    f"|(?:手伝|協力|支援|お力に|応じ|対応|提供|お役に).{{0,12}}{_CANNOT}$"
    # 画像を見ることができません
    f"|{_PICTURE}[をがはに](?:直接|実際に|現在)?"
    f"(?:見|閲覧|確認|表示|認識|アクセス|読み込|参照|解析|分析|処理|開).{{0,10}}{_CANNOT}$"
    # 画像が提供されていません、画像がありません
    f"|{_PICTURE}[がはも](?:提供|添付|提示|表示|アップロード|送信|共有|届|見つか|見当た|見え|開け|あり|ござい).{{0,8}}(?:ません|ない)(?:でした|よう(?:です)?|みたい(?:です)?)?$"
    # 画像が正しく読み込まれていません、画像の読み込みに失敗しました
    "|(?:画像|写真|イラスト|ファイル)(?:データ|ファイル)?[がはも](?:まだ|正しく|正常に|うまく)?"
    "(?:読み?込ま|ロード|受信|受け取|受け付け|認識|入力|貼り?付|埋め込|挿入|含まれ|与えられ|渡され)"
    "[^。、]{0,6}(?:ません|ない)(?:でした|よう(?:です)?|みたい(?:です)?)?$"
    "|(?:画像|写真|イラスト|ファイル)(?:データ|ファイル)?の?(?:読み?込み|取得|表示|受信|ロード)"
    "(?:に失敗し|[がは]でき(?:ません|ない|なか)|エラー)[^。、]{0,8}$"
    # この画像からは読み取れません
    f"|{_PICTURE}から(?:は|では)?[^。]{{0,16}}(?:読み取|確認|把握|判別|わか|分か)[^。]{{0,8}}(?:ません|{_CANNOT})(?:でした)?$"
    # 判断が難しいです、特定するのは困難です
    "|(?:判断|判定|判別|特定|識別|断定|回答)(?:する)?(?:の|こと)?[がは]?(?:難し|困難|不能|不可能)[^。、]{0,10}$"
    "|(?:判断|見分け|見当|判別)[がはも]?つ(?:き|け|か)(?:ません|かね|ない|られません)[^。、]{0,6}$"
    f"|(?:画像|写真|図|ファイル)[^。]{{0,20}}(?:開け|読み込め|表示でき|見られ)(?:ません|ない)"
    "(?:でした|よう(?:です)?|みたい(?:です)?)?$"
    "|(?:何|なん|どちら|どれ|いずれ|はっきり)とも(?:は)?(?:言|い|断言でき|申し上げられ)え?(?:ません|ない|かねます)(?:です)?$"
    # 人物の特定は行いません、回答は差し控えます
    "|(?:特定|識別|判定|回答|返答|言及|コメント|推測)(?:すること)?[はをも]?(?:行[わい]|致し|いたし|し)(?:て(?:おり|い))?ま?(?:せん|ない)(?:こと[^。、]{0,10})?$"
    "|(?:特定|識別|判定|回答|返答|言及|コメント|推測)(?:すること)?[はをも]?(?:差し控え|控え|遠慮|避け)[^。、]{0,12}$"
    # この画像からは判断できません
    "|(?:判断|判定|判別|特定|識別|断定|推測|推定|回答|確定|見分け)(?:する)?(?:こと)?[はがも]?"
    f"(?:いたし)?{_CANNOT}$"
    "|(?:答え|回答|判断|特定|判別|断定)[^。、]{0,8}(?:られ|でき|し)(?:ない|かねる|ません)[^。、]{0,4}(?:質問|問題|もの|内容|画像|状態|状況)(?:です)?$"
    # 何も見えません、画像を見る機能がありません
    "|何も(?:見え|読め|わか|分か)[^。、]{0,6}(?:ません|ない)$"
    "|(?:機能|能力|手段|権限|立場|情報)[がはに](?:は)?(?:あり|ござい|備わって[おい]り?|持って[おい]り?)ません$"
    # 画像を再送していただければ、お答えします
    "|(?:ば|たら|くだされば|あれば)、[^。]{0,20}(?:お?答え|回答|お?選び|判断|ご案内|判定)(?:いた|でき|し|する|させ)[^。]{0,12}$"
    # 画像が提供されていないため、確認することができません
    f"|{_PICTURE}[がはも](?:提供|添付|提示|表示|アップロード|送信|共有|届|見つか|見当た|見え|開け|あり|ござい|不足)[^。]{{0,12}}"
    f"(?:ため|ので|から|おり|くて?)、[^。]{{0,80}}{_CANNOT}$"
    # 赤いかどうか、確認できません、文字がつぶれていて読めません、質問が理解できません
    f"|(?:かどうか|か否か|のか)[^。]{{0,15}}{_CANNOT}$"
    f"|(?:読み?取?|理解|認識|把握)(?:する)?(?:こと)?[がはも]?{_CANNOT}$"
    # データが含まれていないため、計算できません
    f"|(?:ため|ので|から|おり|[てずく]|だけで?は)、?[^。]{{0,40}}{_WORKS_OUT}[^。、]{{0,8}}{_CANNOT}$"
    f"|{_WORKS_OUT}(?:する)?(?:の|こと)?[がは]?(?:難し|困難|不能|不可能)[^。、]{{0,10}}$"
    # 一つに絞り込むことができませんでした、決めかねます、特定するには情報が足りません
    "|(?:答え|回答|解答|正解|(?<![0-9])(?:一つ|1つ)|どれ|どちら|いずれ|選択肢|一意)[^。]{0,20}"
    "(?:定[めま]|決め|決定|決ま|絞|選[びぶべ択]|確定|特定)[^。、]{0,12}"
    f"(?:{_CANNOT}|[べれまり](?:ません|ない)(?:でした)?)$"
    "|(?:決定|確定)(?:する)?(?:こと)?[はがも]?(?:いたし)?(?:でき|しかね)(?:ません|ない|ます)(?:でした)?$"
    "|(?:答え|特定|判断|決め|決定|断定|選|絞)[^。、]{0,6}には、?[^。、]{0,12}(?:情報|データ|手がかり|材料|根拠|資料|画像|文脈)[がはも]?[^。、]{0,6}"
    "(?:足り(?:ません|ない|ていません)|不足し?(?:てい)?(?:ます|る)?|不十分(?:です)?|必要(?:です|となります|があります))$"
    "|^(?:私には)?(?:わか|分か|判)(?:り(?:ません|かねます)|らない(?:です)?)$"
)
_MAY_REFUSE = re.compile(
    "ません|ない|なか|かね|控え|難|不|遠慮|避け|足り|必要|失敗|エラー|[ばら]、"
)
"""What any of them has near its end; quicker to look for."""
_APOLOGY = re.compile(
    "^(?:(?:大変|誠に)?(?:申し訳|申しわけ)(?:あり|ござい)ません|(?:すみ|すい)ません|ごめんなさい"
    "|恐れ入りますが|残念ながら|残念ですが)(?:でした)?(?:が|けれども|けど)?[、, ]*"
)
_ABOUT_ITSELF = re.compile(
    "^(?:私は)?(?:AI|人工知能|(?:大規模)?言語モデル)[^、。]{0,20}(?:なので|のため|ですので|であり)、"
)

_SEEN = "(?:any|the|this|that|your|an?) ?(?:attached )?(?:image|picture|photo|attachment|file)"
_HELP = (
    "answer|help|assist|provide|identify|determine|comply|fulfill?|do that|tell|recogni[sz]e"
    "|calculate|compute|decide|narrow|choose|select"
    "|discuss|process|respond|support|analy[sz]e"
)
_ENGLISH = re.compile(
    "^(?:i|we)(?: am|'m| are| was| were)? ?(?:can(?:no|')t|can not|(?:am )?(?:not able|unable) to"
    "|won't|will not|(?:must|have to) decline|(?:do not|don't) have the ability to)"
    f"(?: \\w+){{0,2}}? (?:(?:{_HELP})\\b|(?:see|view|access|open|read) {_SEEN})"
    "|^(?:there is )?no (?:image|picture|photo) (?:was|is|has|attached|provided|given|to)\\b"
    "|^(?:the|your) (?:image|picture|photo) (?:was not|wasn't|is not|isn't|has not|hasn't) "
    "(?:been )?(?:provided|attached|given|shared|uploaded|visible|load)"
    "|^(?:the|your) (?:image|picture|photo|file) (?:did not|didn't|does not|doesn't|failed to"
    "|cannot be|can't be|could not be|couldn't be) (?:load|open|display|render|process|appear)"
    "|^i (?:do not|don't|did not|didn't) (?:see|receive|have) (?:any|an|the|your) "
    "(?:image|picture|photo|attachment)s?\\b[^,]{0,40}$"
    "|(?:\\bso|therefore|hence|thus|, and)[^.]{0,40} (?:cannot|can't|can not) be "
    "(?:calculated|computed|determined|answered|identified)\\b[^.]{0,30}$"
    "|(?:^|, )(?:it is|it's) (?:not possible|impossible) to "
    f"(?:{_HELP})\\b|^there (?:is|was|are) (?:not enough|insufficient|no) (?:information|data)\\b"
    "|^i (?:do not|don't) know$"
)
_SORRY = re.compile(
    "^(?:(?:i'm|i am|we are) (?:very )?(?:sorry|afraid)|sorry|apologies|i apologi[sz]e"
    "|unfortunately)"
    "(?:,? (?:but|that))?[, ]*"
)
_MODEL = re.compile("^as an? (?:ai|(?:large )?language model)[^,]{0,40}, ")
_SAYS_FIRST = re.compile(
    "[とう](?:思います|思われます|考えます|考えられます|推測されます|でしょう)(?:が|けど|けれど)、"
)
"""柿だと思いますが、断定はできません: an answer, and how sure it is."""
_GOES_ON = re.compile("[, ](?:but|however|although|though) ")
_END = re.compile(r"[。！？!?\n]+|\.(?:\s|$)")


@functools.lru_cache(maxsize=1 << 13)
def is_refusal(text: str) -> bool:
    """Whether the answer declines to answer; the rules stand at the top of this file."""
    for sentence in _END.split(answer_lines(text)):
        japanese = _without(sentence.strip(" 「」"), _APOLOGY, _ABOUT_ITSELF)
        english = _without(sentence.strip().lower().replace("’", "'"), _SORRY, _MODEL)
        if not japanese or not english:
            continue  # an apology alone, or nothing
        if _SAYS_FIRST.search(japanese):
            return False
        if _MAY_REFUSE.search(japanese, len(japanese) - 80) and _JAPANESE.search(japanese):
            return True
        return bool(_ENGLISH.search(english) and not _GOES_ON.search(english))
    return False


def _without(sentence: str, *beginnings: re.Pattern[str]) -> str:
    """The sentence behind any of the beginnings, in whatever order."""
    for pattern in (*beginnings, *beginnings):
        sentence = pattern.sub("", sentence, count=1)
    return sentence
