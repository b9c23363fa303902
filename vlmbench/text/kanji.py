"""Older and variant forms of kanji: 國 is 国, 髙 is 高."""

from __future__ import annotations

# Old form before new form, after the list in the 常用漢字表 (Cabinet notification of 2010), then
# forms common in names. 齋 斎 and 齊 斉 stay apart.
_OLD_AND_NEW = (
    "亞亜惡悪壓圧圍囲醫医爲為壹壱隱隠營営榮栄衞衛驛駅圓円鹽塩緣縁艷艶應応歐欧毆殴櫻桜奧奥橫横溫温穩穏假仮價価畫画會会懷懐壞壊槪概擴拡殼殻覺覚學学嶽岳樂楽渴渇罐缶卷巻陷陥勸勧寬寛關関歡歓"
    "觀観氣気歸帰僞偽戲戯犧犠舊旧據拠擧挙虛虚峽峡挾挟狹狭鄕郷曉暁區区驅駆勳勲薰薫徑径莖茎惠恵揭掲溪渓經経螢蛍輕軽繼継鷄鶏藝芸擊撃缺欠硏研縣県儉倹劍剣險険圈圏檢検獻献權権顯顕驗験嚴厳廣広"
    "效効恆恒黃黄鑛鉱號号國国黑黒碎砕濟済齋斎劑剤雜雑參参棧桟蠶蚕慘惨贊賛殘残絲糸齒歯兒児辭辞濕湿實実寫写釋釈壽寿收収從従澁渋獸獣縱縦肅粛處処緖緒敍叙奬奨將将涉渉燒焼稱称證証乘乗剩剰壤壌"
    "孃嬢條条淨浄狀状疊畳讓譲釀醸囑嘱觸触寢寝愼慎晉晋眞真盡尽圖図粹粋醉酔穗穂隨随髓髄樞枢數数瀨瀬聲声靜静齊斉攝摂竊窃專専戰戦淺浅潛潜纖繊踐践錢銭禪禅曾曽雙双壯壮搜捜插挿巢巣爭争窗窓總総"
    "聰聡莊荘裝装騷騒增増藏蔵臟臓卽即屬属續続墮堕對対體体帶帯滯滞臺台瀧滝擇択澤沢單単擔担膽胆團団彈弾斷断癡痴遲遅晝昼蟲虫鑄鋳廳庁徵徴聽聴敕勅鎭鎮遞逓鐵鉄轉転點点傳伝燈灯當当黨党盜盗稻稲"
    "鬪闘德徳獨独讀読屆届貳弐惱悩腦脳霸覇拜拝廢廃賣売麥麦發発髮髪拔抜晚晩蠻蛮祕秘濱浜甁瓶拂払佛仏倂併竝並變変邊辺步歩寶宝豐豊襃褒沒没飜翻每毎萬万滿満麵麺默黙餠餅彌弥譯訳藥薬與与豫予餘余"
    "譽誉搖揺樣様謠謡來来賴頼亂乱覽覧龍竜兩両獵猟綠緑淚涙壘塁禮礼勵励戾戻靈霊齡齢曆暦歷歴戀恋鍊錬爐炉勞労郞郎樓楼錄録灣湾亙亘堯尭巖巌晄晃檜桧槇槙禰祢禱祷祿禄穰穣萠萌遙遥辨弁瓣弁辯弁瑤瑶"
    "諫諌攜携髙高﨑崎嵜崎邉辺濵浜嶋島桒桑栁柳舘館冨富峯峰埜野淵渕雞鶏裡裏蹟跡𠮷吉"
)
_TO_NEW = str.maketrans(dict(zip(_OLD_AND_NEW[::2], _OLD_AND_NEW[1::2], strict=True)))


def new_forms(text: str) -> str:
    """The text with old and variant forms of kanji in those of today's general use.

    Forms that Unicode itself unites, such as the compatibility ideographs, are left to
    `japanese.normalize`.
    """
    return text.translate(_TO_NEW)
