"""The words around spoken numbers: units, idioms that are no numbers, times of day."""

import re

_D = "一二三四五六七八九"

IDIOMS = re.compile(
    "万一|三番[五两]次|七七八八|乱?七八糟|七上八下|三天两头|一五一十|三三两两|四面八方|千方百计|十全十美|三心二意|"
    "五花八门|一清二楚|一干二净|不三不四|三七二十一|九九八十一|八九不离十|十有八九|三长两短|一来二去|七嘴八舌|"
    "三言两语|五湖四海|十万八千里|二百五(?![十块元])|百八十|百儿八十|三六九等|万无一失|百里挑一|说一不二|"
    "成千上万|千千万万|千万(?![块元人])|百般|百分点|十分(?!钟|之)|五五开|一天天|一天到晚|一毛不拔|双十[一二]|"
    "一年到头|一百个(?:放心|不|愿意)|八百年|二十四孝|三里屯|五道口|三百六十行|五百强|一千零一夜|半斤八两|百货|千斤顶|"
    f"第[零〇两十百千万{_D}\\d]+|(?:大年)?初(?:十|[{_D}])|(?:周|星期|礼拜|拜)[{_D}日天]|"
    "[几数][十百千万亿]+|[上成][百千万]+"
)
"""Matched where a number may begin; what they cover is passed over."""

START = re.compile(
    f"[零〇两俩仨幺十百千万负半第初{_D}\\d几]|个半|周(?=[{_D}日])|星期|礼拜|拜(?=[{_D}])|双十|不三|乱七|说一|"
    "[数上成](?=[十百千万])|凌晨|清早|[早晚](?=[上晨十零两一-九\\d])|上午|中午|下午|傍晚|夜里|夜间|深夜|今晚|明晚|昨晚|今早|明早"
)
"""Where a number, or an idiom with one, may begin."""

WHEN = re.compile(
    "(?P<morning>凌晨|清早|早上|早晨|上午|今早|明早|早)|(?P<noon>中午)|(?P<afternoon>下午|傍晚)|"
    "(?P<evening>晚上|今晚|明晚|昨晚|晚)|(?P<night>后?半夜|夜里|夜间|深夜)"
)
_HOUR = f"二十[一二三四]?|十[{_D}]?|[零〇两{_D}]|2[0-4]|[01]?\\d"
_MINUTE = f"零[{_D}]|[二三四五]?十[{_D}]?|[0-5]\\d"
CLOCK = re.compile(
    f"(?P<hour>{_HOUR})点(?:钟|整)?(?:(?P<half>半(?!夜|个|天|年))|(?P<quarter>[一三])刻|"
    f"(?P<odd>[{_D}])分(?![之期钱])|(?P<minute>{_MINUTE})(?P<minutes>分(?![之期钱]))?(?:(?P<second>{_MINUTE})秒)?)?"
)
FIGURES = re.compile(r"(?P<hour>2[0-4]|[01]?\d)[:：](?P<minute>[0-5]\d)(?![:：\d])")
AROUND_ONE = re.compile("之?前|以[前后]|之?后|左右|多|到(?!了)|至")
"""Behind 一点, which else means a little."""
POINTS_MADE = re.compile("意见|建议|要求|原因|问题|注意|声明|说明|说法|内容")
"""Behind 三点, which then counts arguments."""

CODE_BEFORE = re.compile(
    "(?:尾号|工号|编号|卡号|单号|号码|分机|末[两二三四]位|后[两二三四]位)是?(?:这个)? ?$"
)
SPENT = re.compile(
    "(?:[欠还付交借贷转存取罚扣赔花凑赚挣给]|本金|利息|费|金额|余额|欠款|账单|工资|合计|一?共|总共|应还|还款|剩下?|还差|最低|"
    "[还欠付交][了个过的]?)$"
)
"""Before a bare number that is a sum of money."""

YUAN = re.compile(
    "(?:块(?!地|田|牌|砖|肉|石|板|糖|表|儿|布|木|玻|手|屏|骨|煤|钢)|元(?![旦月宵素件气老])|圆)(?P<money>钱)?"
)
DIMES = re.compile("[毛角](?!病|衣|巾|线|孩|驴|笔|度|色|落)(?P<money>钱)?")
CENTS = re.compile("分钱")
FOREIGN = re.compile("美[元金]|港[币元]|欧元|英镑|日[元币]|卢布|新台币")
_COUNTED = (
    "个次期笔遍张套条位人倍家台辆户名件份单项层楼栋站度岁句声通趟批组只头本把天年月号日周点斤两米吨里公秒顿轮回集页平"
    "桶瓶袋箱盒包棵根枚座间处步折万千百十亿成克升代届级厘毫门段首类种厂店部口多字"
)
CLASSIFIERS = frozenset(_COUNTED)
"""First characters of what makes a number a count, not a sum."""
TAIL = re.compile(
    f"(?P<zero>零)?(?P<first>[{_D}两\\d])(?:(?P<dimes>毛|角)(?!病)(?:(?P<cents>[{_D}\\d])(?:分(?!之|钟|期)|(?![{_COUNTED}分块])))?|"
    f"(?P<fen>分(?!之|钟|期|[{_D}]))|(?![{_COUNTED}分块元{_D}\\d]))|半(?![{_COUNTED}夜路价数])"
)
"""What follows 块: 五, 五毛, 五毛二, 零五, 八分, 半."""
DIME_TAIL = re.compile(f"(?P<cents>[{_D}\\d])(?:分(?!之|钟|期)|(?![{_COUNTED}分块]))")

ROUGHLY = re.compile(f"多|[来余](?=[块元毛万亿{_COUNTED}])|几(?![点时分月位])")
DAYS = {
    "天": 1.0, "日": 1.0, "工作日": 1.0, "年": 365.0, "周": 7.0, "星期": 7.0, "礼拜": 7.0, "月": 30.0,
    "季度": 90.0, "小时": 1 / 24, "钟头": 1 / 24, "分钟": 1 / 1440, "秒": 1 / 86400, "秒钟": 1 / 86400,
}  # fmt: skip
DURATION = re.compile(
    "(?P<of>个半|个多?)?(?P<unit>工作日|小时|钟头|(?:礼拜|星期)(?![一二三四五六日天])|季度|月|天(?![气津地花线河平猫生])|"
    "年(?![级纪轻龄底初货])|周(?![一二三四五六日末岁总])|秒钟?|分钟|日(?=之?内|以内|之?后|以后)|(?<=两)日)"
    "(?P<half>半(?!夜|路|价|数|个|年|天|小|月))?"
)
HALF = re.compile("(?P<of>个半|半个?)多?(?P<unit>月(?!饼|球)|小时|钟头|年(?!级)|礼拜|星期)")
SOME_DAY = re.compile("[哪那这有头前后每同当整某]$")
"""Before 一天, 一年 and 两天, which then are no length."""

MONTH = re.compile("月(?:份)?")
DAY = re.compile("(?P<unit>号(?![楼线柜码窗院店房机桌库门厅车位人令])|日(?![元本子期利息均]))")
YEAR = re.compile("年(?![级纪轻龄])")
SHARE = re.compile("(?P<of>[百千万])分之|百分(?=[百零〇一二三四五六七八九十两])")
SHARES = {"百": 1.0, "千": 0.1, "万": 0.01}
TENTHS = re.compile("成(?![功本年员都交绩为立长就家了名群人分品天])")
