"""What judges are asked, in Japanese: the prompts and the forms of their replies.

RELATIVE also serves llm-jp-eval-mm's way of reading, with the key names of that harness. The last
three have the reply forms of other harnesses; their wording is ours, so that their numbers differ
from published ones not in how replies are read but in what the judge was told.
"""

from __future__ import annotations

from vlmbench.metrics.judge_prompt import JudgePrompt, object_schema, whole

_WITH_REFERENCE = {
    "画像の説明": "context",
    "質問": "question",
    "模範回答": "references",
    "評価する回答": "answer",
}
_ONE_OBJECT = "次の形のJSONオブジェクトを一つだけ返してください。ほかの文字は書かないでください。\n"

RELATIVE = JudgePrompt(
    name="relative",
    task=(
        "画像についての質問に、二つの回答があります。一つは模範回答、もう一つは評価する回答です。"
        "それぞれを独立に、1点から10点までの整数で採点してください。\n"
        "10点は、質問に正面から答え、内容が正しく、必要なことがそろっている回答です。"
        "1点は、質問と関係がないか、内容が誤っている回答です。"
        "長さや文体、どちらが先に示されたかは点数に影響させないでください。"
        "画像の説明がある場合は、それを事実として扱ってください。"
    ),
    form=_ONE_OBJECT
    + '{"score_gpt": 模範回答の点数, "score": 評価する回答の点数}（どちらも1から10の整数）',
    parts=_WITH_REFERENCE,
    schema=object_schema(score_gpt=whole(1, 10), score=whole(1, 10)),
)

RUBRIC = JudgePrompt(
    name="rubric",
    task=(
        "画像についての質問に対する回答を、模範回答と比べて1点から5点までの整数で評価してください。\n"
        "5点: 模範回答と同じ内容を正しく述べている。\n"
        "4点: ほぼ正しいが、小さな不足や不正確さがある。\n"
        "3点: 正しい部分もあるが、重要な不足や誤りがある。\n"
        "2点: 大部分が誤っているか、質問にほとんど答えていない。\n"
        "1点: 誤っている、質問に答えていない、または空である。\n"
        "言い回しや長さの違いは点数に影響させないでください。"
    ),
    form=_ONE_OBJECT + '{"reason": "評価の理由を一文で", "score": 1から5の整数}',
    parts=_WITH_REFERENCE,
    schema=object_schema(reason={"type": "string"}, score=whole(1, 5)),
)

CORRECT = JudgePrompt(
    name="correct",
    task=(
        "画像についての質問に対する回答が正解かどうかを、模範回答だけを基準に判定してください。\n"
        "最終的な答えが模範回答と同じ意味であれば正解です。"
        "表記、単位の書き方、言い回しの違いや、矛盾しない補足は問いません。"
        "答えが違う、複数の答えを並べて一つに決めていない、必要な要素が欠けている、"
        "または空の場合は不正解です。"
        "模範回答が「・」で並んでいるときは、そのどれか一つと同じ意味であれば正解です。"
    ),
    form=_ONE_OBJECT + '{"reason": "判定の理由を一文で", "verdict": "correct" または "incorrect"}',
    parts=_WITH_REFERENCE,
    schema=object_schema(
        reason={"type": "string"}, verdict={"type": "string", "enum": ["correct", "incorrect"]}
    ),
)

PAIRWISE = JudgePrompt(
    name="pairwise",
    task=(
        "画像についての同じ質問に、二つの回答があります。どちらが優れているかを判定してください。\n"
        "質問に正面から答えていること、内容が正しいこと、必要なことがそろっていることを重視し、"
        "模範回答がある場合は内容の正しさの基準としてください。"
        "長さや、どちらが先に示されたかは判定に影響させないでください。"
        "優劣がつかない場合は引き分けとしてください。"
    ),
    form=_ONE_OBJECT + '{"reason": "判定の理由を一文で", "better": "1" または "2" または "tie"}',
    parts={
        "画像の説明": "context",
        "質問": "question",
        "模範回答": "references",
        "回答1": "answer",
        "回答2": "other",
    },
    schema=object_schema(
        reason={"type": "string"}, better={"type": "string", "enum": ["1", "2", "tie"]}
    ),
)

TWO_NUMBERS = JudgePrompt(
    name="two-numbers",
    task=RELATIVE.task,
    form=(
        "1行目には、模範回答の点数と評価する回答の点数を、この順に半角の空白一つで区切って、"
        "数字だけで書いてください。2行目以降に、評価の理由を書いてください。"
    ),
    parts=_WITH_REFERENCE,
)

DIGIT = JudgePrompt(
    name="digit",
    task=RUBRIC.task,
    form="点数の数字一文字だけを返してください。",
    parts=_WITH_REFERENCE,
)

YES_NO = JudgePrompt(
    name="yes-no",
    task=CORRECT.task,
    form=(
        "正解であれば「correct: yes」、不正解であれば「correct: no」とだけ、"
        "半角の英字で返してください。"
    ),
    parts=_WITH_REFERENCE,
)
