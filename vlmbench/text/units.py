"""Units as Japanese answers write them: canonical spellings, kinds, and conversions."""

from __future__ import annotations

LABEL_UNITS = frozenset("年月日時位番号階章条") | {
    "年度",
    "丁目",
    "番地",
    "号室",
    "号車",
    "番線",
    "回目",
    "個目",
    "枚目",
    "人目",
    "日目",
    "年目",
}
"""Units of numbers that name something (a year, a rank) instead of measuring it."""

COUNTERS = frozenset("個人匹頭羽本枚台軒件冊回杯足着機隻両棟戸社校店箱袋皿輪株粒点組色県") | {
    "か所",
    "か国",
    "切れ",
    "種類",
    "都市",
}
"""Counters: units of things that are counted."""

BASES = {
    "km": ("m", 1e3),
    "cm": ("m", 1e-2),
    "mm": ("m", 1e-3),
    "kg": ("g", 1e3),
    "mg": ("g", 1e-3),
    "t": ("g", 1e6),
    "ml": ("l", 1e-3),
    "dl": ("l", 1e-1),
    "km2": ("m2", 1e6),
    "cm2": ("m2", 1e-4),
    "ha": ("m2", 1e4),
    "cm3": ("l", 1e-3),
    "cc": ("l", 1e-3),
    "m3": ("l", 1e3),
    "分": ("秒", 60.0),
    "時間": ("秒", 3600.0),
    "週間": ("日間", 7.0),
    "升": ("l", 1.8),
    "合": ("l", 0.18),
    "番": ("位", 1.0),
    **{
        scale + unit: (unit, factor)
        for scale, factor in (("千", 1e3), ("百万", 1e6), ("十億", 1e9))
        for unit in ("円", "人", "ドル", "t", "台", "個", "件", "株")
    },
    "年間": ("か月", 12.0),
    "年": ("か月", 12.0),
    "ダース": ("個", 12.0),
}
"""Unit -> (base unit of its kind, how many base units it is)."""

MEASURES = (
    frozenset("%円歳度倍割秒分銭mgtl坪畳")
    | {"ドル", "ユーロ", "ポンド", "元", "ウォン", "ポイント", "m2", "dB", "hz", "kcal", "cal"}
    | {unit for unit in BASES if unit not in "時間年間週間番"}
)
"""Units of measured quantities."""

UNIT_NAMES = {
    **dict.fromkeys(("つ", "こ", "コ", "ケ", "ヶ", "箇"), "個"),
    **dict.fromkeys(("箇所", "ヶ所", "ケ所", "カ所", "ヵ所", "個所"), "か所"),
    **dict.fromkeys(("箇国", "ヶ国", "ケ国", "カ国", "ヵ国"), "か国"),
    **dict.fromkeys(("箇月", "ヶ月", "ケ月", "カ月", "ヵ月", "ヶ月間", "か月間", "カ月間"), "か月"),
    **dict.fromkeys(("名", "名様", "人組"), "人"),
    "才": "歳",
    "番目": "番",
    "パーセント": "%",
    "percent": "%",
    **dict.fromkeys(("パーセントポイント", "%ポイント", "%pt", "pt"), "ポイント"),
    "平米": "m2",
    **dict.fromkeys(("km/時", "キロ/h", "キロメートル/h"), "km/h"),
    **dict.fromkeys(("m/秒", "メートル/s"), "m/s"),
    "メートル/分": "m/分",
    "¥": "円",
    "yen": "円",
    "$": "ドル",
    "米ドル": "ドル",
    "dollars": "ドル",
    "€": "ユーロ",
    "£": "ポンド",
    "°c": "度",
    "°": "度",
    "℃": "度",
    "m^2": "m2",
    "m^3": "m3",
    "cm^2": "cm2",
    "cm^3": "cm3",
    "km^2": "km2",
    "平方メートル": "m2",
    "平方m": "m2",
    "立方メートル": "m3",
    "平方キロメートル": "km2",
    "キロメートル": "km",
    "キロ": "km",
    "センチメートル": "cm",
    "センチ": "cm",
    "ミリメートル": "mm",
    "ミリ": "mm",
    "メートル": "m",
    "キログラム": "kg",
    "ミリグラム": "mg",
    "グラム": "g",
    "トン": "t",
    "リットル": "l",
    "ミリリットル": "ml",
    "ヘクタール": "ha",
    "分間": "分",
    "秒間": "秒",
    "hours": "時間",
    "minutes": "分",
}
"""Variant spelling -> canonical unit."""
